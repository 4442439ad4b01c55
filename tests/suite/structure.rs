//! What keeps the code findable: who may use whom, and how long files are.

use std::collections::{BTreeMap, BTreeSet};

use crate::modules::{ModulePath, module_of, modules, uses};
use crate::support::{files, path, read};

/// Each module of the crate and the modules it may use. A new edge is a decision, so it stands here.
const EDGES: &[(&str, &[&str])] = &[
    // Stages, in the order of the data.
    ("decode", &["pointer", "report", "source"]),
    (
        "resolve",
        &[
            "description",
            "edition",
            "lock",
            "model",
            "name",
            "platform",
            "pointer",
            "report",
            "shorthand",
            "source",
            "unique_map",
            // Tables of keys and of what they carry, so that lower can't fail.
            "format::unit",
        ],
    ),
    ("plan", &["model", "platform"]),
    ("lower", &["bundle", "format", "plan", "platform"]),
    ("survey", &["bundle", "failure", "manifest"]),
    ("compare", &["bundle", "failure", "manifest", "survey"]),
    (
        "write",
        &["bundle", "compare", "failure", "manifest", "survey"],
    ),
    // Data between the stages.
    ("description", &["platform", "shorthand", "unique_map"]),
    ("edition", &["model"]),
    ("lock", &["edition", "unique_map"]),
    ("model", &["platform"]),
    ("bundle", &[]),
    ("manifest", &["bundle"]),
    // What stages are written with.
    ("platform", &[]),
    ("failure", &[]),
    ("format", &["platform"]),
    ("name", &[]),
    ("pointer", &[]),
    ("report", &["pointer", "source"]),
    ("schema", &["description"]),
    ("shorthand", &[]),
    ("source", &["pointer"]),
    ("unique_map", &[]),
    // The program: it calls the stages in order, and nobody calls it.
    ("cli", &["edition", "report"]),
    (
        "command",
        &[
            "bundle",
            "cli",
            "compare",
            "decode",
            "description",
            "edition",
            "failure",
            "lock",
            "lower",
            "manifest",
            "model",
            "plan",
            "pointer",
            "report",
            "resolve",
            "schema",
            "source",
            "survey",
            "write",
        ],
    ),
];

/// Names under which code is put that nobody can find again.
const NAMELESS: [&str; 6] = ["utils", "util", "common", "helpers", "types", "prelude"];

/// Lines that a file may have; 300 is what to aim at.
const MOST_LINES: usize = 400;

/// Files that may be longer, each with its limit and the reason.
const LONG_FILES: &[(&str, usize, &str)] = &[
    (
        "src/model.rs",
        550,
        "one type beside the other, and no code",
    ),
    (
        "src/decode/walk.rs",
        450,
        "one serde Deserializer: its methods belong together",
    ),
    (
        "src/survey.rs",
        500,
        "one pass over a tree, to be read from top to bottom",
    ),
];

#[test]
fn modules_use_what_their_stage_may() {
    let allowed: BTreeMap<&str, &[&str]> = EDGES.iter().copied().collect();
    let mut wrong = Vec::new();
    for module in modules() {
        let Some(part) = module.path.first().map(String::as_str) else {
            continue;
        };
        let Some(allowed) = allowed.get(part) else {
            wrong.push(format!("{}: `{part}` has no line in EDGES", module.file));
            continue;
        };
        for used in &module.uses {
            let Some(top) = used.first().map(String::as_str) else {
                continue;
            };
            let inner = used.iter().take(2).cloned().collect::<Vec<_>>().join("::");
            let is_allowed =
                top == part || allowed.contains(&inner.as_str()) || allowed.contains(&top);
            if !is_allowed {
                let used = used.join("::");
                wrong.push(format!("{}: `{part}` may not use `{used}`", module.file));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Files of a folder, a file with the folder of its name counting as one, use each other in one direction. A file and those in its
/// own folder belong together.
#[test]
fn no_files_use_each_other_in_a_circle() {
    let modules = modules();
    let known: BTreeMap<ModulePath, String> = modules
        .iter()
        .map(|it| (it.path.clone(), it.file.clone()))
        .collect();
    let mut arrows: BTreeMap<ModulePath, BTreeMap<String, BTreeMap<String, String>>> =
        BTreeMap::new();
    for module in &modules {
        for used in &module.uses {
            let Some(target) = module_of(&known, used) else {
                continue;
            };
            let together = module.path.iter().zip(target);
            let together = together.take_while(|(one, other)| one == other).count();
            let (Some(from), Some(to)) = (module.path.get(together), target.get(together)) else {
                continue;
            };
            let folder = module.path[..together].to_vec();
            let arrows = arrows.entry(folder).or_default();
            let from = arrows.entry(from.clone()).or_default();
            from.entry(to.clone())
                .or_insert_with(|| format!("{} uses {}", module.file, used.join("::")));
        }
    }
    let circles: Vec<String> = arrows.values().filter_map(circle).collect();
    assert!(circles.is_empty(), "{}", circles.join("\n\n"));
}

/// Returns the arrows between the files that can't be put in an order.
fn circle(arrows: &BTreeMap<String, BTreeMap<String, String>>) -> Option<String> {
    let mut left = arrows.clone();
    loop {
        let before = left.len();
        let used: BTreeSet<String> = left.values().flat_map(BTreeMap::keys).cloned().collect();
        left.retain(|name, _| used.contains(name));
        let standing: BTreeSet<String> = left.keys().cloned().collect();
        left.retain(|_, to| {
            to.retain(|name, _| standing.contains(name));
            !to.is_empty()
        });
        if left.len() == before {
            break;
        }
    }
    let lines: Vec<String> = left.values().flat_map(|to| to.values().cloned()).collect();
    (!lines.is_empty()).then(|| format!("a circle is among these:\n{}", lines.join("\n")))
}

#[test]
fn a_circle_is_seen_and_a_ladder_is_none() {
    let arrows = |pairs: &[(&str, &str)]| {
        let mut arrows: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for (from, to) in pairs {
            let from = arrows.entry((*from).to_owned()).or_default();
            from.insert((*to).to_owned(), String::new());
        }
        arrows
    };
    assert_eq!(circle(&arrows(&[("a", "b"), ("b", "c"), ("a", "c")])), None);
    let three = [("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")];
    assert!(circle(&arrows(&three)).is_some());
}

#[test]
fn the_reader_of_modules_sees_every_form() {
    let own = ["lower".to_owned(), "pod".to_owned()];
    let found = |text: &str| {
        let uses = uses(&own, &syn::parse_file(text).unwrap());
        let uses: Vec<String> = uses.iter().map(|it| it.join("::")).collect();
        uses.join(" ")
    };
    assert_eq!(found("use crate::model::{A, B};"), "model::A model::B");
    assert_eq!(
        found("use crate::{compare, write::{self, y}, lower as z};"),
        "compare lower write write::y"
    );
    assert_eq!(
        found("use super::part::text; use super::{host, path};"),
        "lower::host lower::part::text lower::path"
    );
    assert_eq!(
        found("fn f() { crate::format::unit::Unit::new(); }"),
        "format::unit::Unit::new"
    );
    assert_eq!(
        found("fn f() { format!(\"{}\", 1 + super::host::X) }"),
        "lower::host::X"
    );
    assert_eq!(found("pub(in crate::resolve) fn f() {}"), "");
    assert_eq!(found("use std::fmt;"), "");
    assert_eq!(
        found("#[cfg(test)] mod tests { use super::*; use crate::plan; }"),
        ""
    );
}

#[test]
fn files_are_short_enough_to_read() {
    let mut wrong = Vec::new();
    for module in modules() {
        let name = module.file.as_str();
        let lines = read(&path(name)).lines().count();
        let listed = LONG_FILES.iter().find(|(file, _, _)| *file == name);
        match listed {
            Some((_, most, _)) if lines > *most => {
                wrong.push(format!("{name}: {lines} lines, more than its {most}"));
            }
            Some(_) if lines <= MOST_LINES => {
                wrong.push(format!("{name}: {lines} lines need no place in LONG_FILES"));
            }
            None if lines > MOST_LINES => {
                wrong.push(format!("{name}: {lines} lines, more than {MOST_LINES}"));
            }
            Some(_) | None => {}
        }
    }
    for (file, _, _) in LONG_FILES {
        if !path(file).exists() {
            wrong.push(format!("{file} is in LONG_FILES and doesn't exist"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_module_is_named_after_nothing() {
    for file in files(&path("src"), ".rs") {
        let steps: Vec<_> = file
            .with_extension("")
            .iter()
            .map(ToOwned::to_owned)
            .collect();
        let named = NAMELESS
            .iter()
            .find(|name| steps.iter().any(|step| step == *name));
        assert_eq!(named, None, "{}", file.display());
        assert!(!file.ends_with("mod.rs"), "{}: no mod.rs", file.display());
    }
}
