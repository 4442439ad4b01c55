//! The crate's files as modules, and what each uses of the others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Attribute, Item, Macro, UseTree, VisRestricted};

use crate::support::{files, path, read};

/// A module's path in the crate: `["lower", "pod"]` for `src/lower/pod.rs`.
pub(crate) type ModulePath = Vec<String>;

/// A file of the crate, without its tests.
pub(crate) struct Module {
    /// Path below the checkout.
    pub(crate) file: String,
    /// Path in the crate; empty for `lib.rs`.
    pub(crate) path: ModulePath,
    /// What it uses of the crate, each as a path from the crate's root: a module, or something in one.
    pub(crate) uses: BTreeSet<ModulePath>,
}

/// Returns the library's modules, without those that exist for tests alone.
pub(crate) fn modules() -> Vec<Module> {
    let root = path("");
    let mut read_files: Vec<(String, ModulePath, syn::File)> = Vec::new();
    let mut tests_only = BTreeSet::new();
    for file in files(&path("src"), ".rs") {
        let relative = file.strip_prefix(&root).unwrap();
        if relative.ends_with("main.rs") {
            continue;
        }
        let own = module_path(relative);
        let parsed = syn::parse_file(&read(&file)).unwrap();
        for item in &parsed.items {
            if let Item::Mod(item) = item
                && is_for_tests(&item.attrs)
            {
                tests_only.insert([own.as_slice(), &[item.ident.to_string()]].concat());
            }
        }
        read_files.push((relative.to_str().unwrap().to_owned(), own, parsed));
    }
    let is_real = |own: &ModulePath| !tests_only.iter().any(|it| own.starts_with(it));
    let real = read_files.into_iter().filter(|(_, own, _)| is_real(own));
    real.map(|(file, path, parsed)| Module {
        file,
        uses: uses(&path, &parsed),
        path,
    })
    .collect()
}

fn module_path(relative: &Path) -> ModulePath {
    let inner = relative.strip_prefix("src").unwrap().with_extension("");
    let steps = inner.iter().map(|step| step.to_str().unwrap().to_owned());
    steps.filter(|step| step != "lib").collect()
}

/// Returns what the text of the module at `own` uses of the crate.
pub(crate) fn uses(own: &[String], file: &syn::File) -> BTreeSet<ModulePath> {
    let mut found = Found {
        own: own.to_vec(),
        uses: BTreeSet::new(),
    };
    found.visit_file(file);
    found.uses
}

/// Returns the module that a path leads into: the longest beginning of it that is one.
pub(crate) fn module_of<'m>(
    modules: &'m BTreeMap<ModulePath, String>,
    used: &[String],
) -> Option<&'m ModulePath> {
    (1..=used.len()).rev().find_map(|steps| {
        let beginning = used.get(..steps).unwrap();
        modules.get_key_value(beginning).map(|(module, _)| module)
    })
}

pub(crate) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|it| it.is_ident("test"))
    })
}

/// What a module uses, while its text is read.
struct Found {
    own: ModulePath,
    uses: BTreeSet<ModulePath>,
}

impl Found {
    /// Adds a path as it is written, unless it is another crate's or a name that a `use` brought in.
    fn add(&mut self, written: &[String]) {
        let mut rest = written;
        let mut from = match rest.first().map(String::as_str) {
            Some("crate") => Vec::new(),
            Some("self" | "super") => self.own.clone(),
            Some(_) | None => return,
        };
        while let Some((first, others)) = rest.split_first() {
            match first.as_str() {
                "super" => drop(from.pop()),
                "crate" | "self" => {}
                _ => break,
            }
            rest = others;
        }
        from.extend_from_slice(rest);
        self.uses.insert(from);
    }

    fn add_tree(&mut self, before: &[String], tree: &UseTree) {
        let with = |name: String| [before, &[name]].concat();
        match tree {
            UseTree::Path(it) => self.add_tree(&with(it.ident.to_string()), &it.tree),
            UseTree::Name(it) if it.ident == "self" => self.add(before),
            UseTree::Name(it) => self.add(&with(it.ident.to_string())),
            UseTree::Rename(it) => self.add(&with(it.ident.to_string())),
            UseTree::Glob(_) => self.add(before),
            UseTree::Group(it) => {
                for tree in &it.items {
                    self.add_tree(before, tree);
                }
            }
        }
    }
}

impl<'a> Visit<'a> for Found {
    fn visit_item(&mut self, item: &'a Item) {
        let is_tests = matches!(item, Item::Mod(it) if is_for_tests(&it.attrs));
        if !is_tests {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        if !is_for_tests(&item.attrs) {
            self.add_tree(&[], &item.tree);
        }
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let steps = path.segments.iter().map(|it| it.ident.to_string());
        self.add(&steps.collect::<Vec<_>>());
        visit::visit_path(self, path);
    }

    /// What a macro is given is no syntax yet: its paths are found word by word.
    fn visit_macro(&mut self, it: &'a Macro) {
        let text = it.tokens.to_string();
        let mut steps: Vec<String> = Vec::new();
        let mut is_path = false;
        for word in text.split_whitespace() {
            let is_name = word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            match word {
                "::" => is_path = !steps.is_empty(),
                name if is_name && is_path => {
                    steps.push(name.to_owned());
                    is_path = false;
                }
                other => {
                    self.add(&std::mem::take(&mut steps));
                    is_path = false;
                    if is_name {
                        steps.push(other.to_owned());
                    }
                }
            }
        }
        self.add(&steps);
        visit::visit_macro(self, it);
    }

    /// `pub(in crate::lower)` uses nothing.
    fn visit_vis_restricted(&mut self, _: &'a VisRestricted) {}
}
