//! What `src/platform` says is said nowhere else: not in Rust, not in a template.

use syn::visit::{self, Visit};
use syn::{Attribute, Item, LitInt, LitStr, Macro};

use crate::modules::is_for_tests;
use crate::support::{files, path, read};

/// Numbers that are facts of the platform.
const NUMBERS: [&str; 9] = [
    "5432", "5434", "7000", "8008", "2379", "2380", "4242", "12500", "13000",
];

/// Beginnings of names and places that are facts of the platform.
const WORDS: [&str; 8] = [
    "containerops-",
    "containerops.",
    "/etc/containerops",
    "/var/containerops",
    "streaming_barman",
    "barman_canary",
    "/usr/lib/postgresql",
    "/etc/systemd/system",
];

/// Returns the facts that a text spells out. A number counts where no digit or letter stands beside it.
fn facts(text: &str) -> Vec<&'static str> {
    let is_beside = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    let has_number = |number: &str| {
        text.match_indices(number).any(|(at, _)| {
            let (before, rest) = text.split_at(at);
            let after = rest.strip_prefix(number).unwrap_or_default();
            !is_beside(before.chars().next_back()) && !is_beside(after.chars().next())
        })
    };
    let words = WORDS.into_iter().filter(|word| text.contains(word));
    let numbers = NUMBERS.into_iter().filter(|number| has_number(number));
    words.chain(numbers).collect()
}

/// The literals of a file, without comments and tests.
#[derive(Default)]
struct Literals(Vec<String>);

impl<'a> Visit<'a> for Literals {
    fn visit_item(&mut self, item: &'a Item) {
        if !matches!(item, Item::Mod(it) if is_for_tests(&it.attrs)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_attribute(&mut self, _: &'a Attribute) {}

    fn visit_lit_str(&mut self, literal: &'a LitStr) {
        self.0.push(literal.value());
    }

    fn visit_lit_int(&mut self, literal: &'a LitInt) {
        self.0.push(literal.base10_digits().to_owned());
    }

    fn visit_macro(&mut self, it: &'a Macro) {
        self.0.push(it.tokens.to_string());
    }
}

/// Leaves out what a template is filled with.
fn without_values(text: &str) -> String {
    let mut parts = text.split("{{");
    let first = parts.next().unwrap_or_default();
    let rest = parts.filter_map(|part| part.split_once("}}"));
    std::iter::once(first)
        .chain(rest.map(|(_, after)| after))
        .collect()
}

#[test]
fn no_fact_of_the_platform_is_spelled_twice() {
    let mut wrong = Vec::new();
    let mut look = |file: &std::path::Path, text: &str| {
        for fact in facts(text) {
            let name = file.strip_prefix(path("")).unwrap().display();
            wrong.push(format!("{name}: `{fact}` stands in src/platform"));
        }
    };
    for file in files(&path("src"), ".rs") {
        let is_test = file.ends_with("tests.rs") || file.ends_with("sample.rs");
        let is_home = file.starts_with(path("src/platform")) || file.ends_with("platform.rs");
        if is_home || is_test {
            continue;
        }
        let mut literals = Literals::default();
        literals.visit_file(&syn::parse_file(&read(&file)).unwrap());
        look(&file, &literals.0.join("\n"));
    }
    for file in files(&path("templates"), ".tera") {
        let written = read(&file);
        let code = written
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'));
        look(&file, &without_values(&code.collect::<Vec<_>>().join("\n")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_second_spelling_is_seen() {
    assert_eq!(facts("bind :5432 tcp-ut"), ["5432"]);
    assert_eq!(facts("10.2.57.1:54321 v5432 5432_"), Vec::<&str>::new());
    assert_eq!(
        facts("rm -rf /var/containerops/data"),
        ["/var/containerops"]
    );
    let mut literals = Literals::default();
    let text = "fn f() { g(8008, \"x\"); format!(\"{}:2379\", 1) } #[cfg(test)] mod tests { const X: u16 = 7000; }";
    literals.visit_file(&syn::parse_file(text).unwrap());
    assert_eq!(facts(&literals.0.join("\n")), ["8008", "2379"]);
}
