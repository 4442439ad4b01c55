//! What keeps the code findable: who may use whom, how long files are, and that every code is shown.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cops_gen::report::Code;

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
            "pointer",
            "report",
            "shorthand",
            "source",
            "unique_map",
            // Tables of keys and of what they carry, so that lower can't fail.
            "format::unit",
        ],
    ),
    ("plan", &["model"]),
    ("lower", &["bundle", "format", "plan"]),
    ("write", &["bundle", "compare", "failure", "manifest"]),
    ("compare", &["bundle", "failure", "manifest", "write"]),
    // Data between the stages.
    ("description", &["shorthand", "unique_map"]),
    ("edition", &["model"]),
    ("lock", &["edition", "unique_map"]),
    ("model", &[]),
    ("bundle", &[]),
    ("manifest", &["bundle"]),
    // What stages are written with.
    ("failure", &[]),
    ("format", &[]),
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
        "src/write/survey.rs",
        500,
        "one pass over a tree, to be read from top to bottom",
    ),
];

/// A file of the crate as its readers see it: its own path, and its text without tests.
struct Module {
    relative: String,
    text: String,
}

impl Module {
    /// Returns the part of the crate that the file belongs to: the first step below `src`.
    fn part(&self) -> &str {
        let inner = self.relative.trim_start_matches("src/");
        inner.split(['/', '.']).next().unwrap()
    }
}

fn modules() -> Vec<Module> {
    let root = path("");
    let tests_only = tests_only();
    let sources = files(&path("src"), ".rs").into_iter();
    sources
        .map(|file| Module {
            relative: file
                .strip_prefix(&root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned(),
            text: without_tests(&read(&file)),
        })
        .filter(|module| !tests_only.iter().any(|it| module.relative.starts_with(it)))
        .collect()
}

/// Returns the modules, as beginnings of paths, that stand behind `#[cfg(test)] mod NAME;`.
fn tests_only() -> Vec<String> {
    let root = path("");
    let mut found = Vec::new();
    for file in files(&path("src"), ".rs") {
        let text = read(&file);
        let directory = file.strip_prefix(&root).unwrap().with_extension("");
        let lines: Vec<&str> = text.lines().collect();
        for (line, next) in lines.iter().zip(lines.iter().skip(1)) {
            let name = next.trim().strip_prefix("mod ");
            let name = name.and_then(|it| it.strip_suffix(';'));
            if let ("#[cfg(test)]", Some(name)) = (line.trim(), name) {
                let module = directory.join(name);
                found.push(format!("{}.rs", module.display()));
                found.push(format!("{}/", module.display()));
            }
        }
    }
    found
}

/// Returns a file's text up to the tests at its end, without comments.
fn without_tests(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    code.lines()
        .filter(is_code)
        .flat_map(|line| [line, "\n"])
        .collect()
}

/// Returns what a file uses of the crate: `format` of `crate::format::template`, and both of a group.
fn uses(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for after in text.split("crate::").skip(1) {
        if let Some(group) = after.strip_prefix('{') {
            let group = group.split(';').next().unwrap();
            let mut depth = 0;
            let mut name = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 0 => found.extend(first_step(&std::mem::take(&mut name))),
                    c if depth == 0 => name.push(c),
                    _ => {}
                }
            }
            found.extend(first_step(&name));
        } else {
            found.extend(first_step(after));
        }
    }
    found
}

/// Returns the first module of a path, with the second where it is `format`'s.
fn first_step(path: &str) -> Option<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let path = path.trim();
    let end = path.find(|c| !is_part(c)).unwrap_or(path.len());
    let (first, rest) = path.split_at(end);
    if first.is_empty() || first == "self" {
        return None;
    }
    let second = rest.strip_prefix("::").unwrap_or_default();
    let second: String = second.chars().take_while(|c| is_part(*c)).collect();
    Some(match first {
        "format" if !second.is_empty() => format!("format::{second}"),
        _ => first.to_owned(),
    })
}

#[test]
fn modules_use_what_their_stage_may() {
    let allowed: BTreeMap<&str, &[&str]> = EDGES.iter().copied().collect();
    let mut wrong = Vec::new();
    for module in modules() {
        let part = module.part().to_owned();
        if ["lib", "main"].contains(&part.as_str()) {
            continue;
        }
        let Some(allowed) = allowed.get(part.as_str()) else {
            wrong.push(format!(
                "{}: `{part}` has no line in EDGES",
                module.relative
            ));
            continue;
        };
        for used in uses(&module.text) {
            let top = used.split("::").next().unwrap();
            let is_allowed =
                top == part || allowed.contains(&used.as_str()) || allowed.contains(&top);
            if !is_allowed {
                wrong.push(format!(
                    "{}: `{part}` may not use `{used}`",
                    module.relative
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_reader_of_use_lines_sees_every_form() {
    let found = |text: &str| uses(text).into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(found("use crate::model::{A, B};"), "model");
    assert_eq!(
        found("use crate::{compare, write::{x, y}, lower};"),
        "compare lower write"
    );
    assert_eq!(
        found("let x = crate::format::unit::Unit::new();"),
        "format::unit"
    );
    assert_eq!(found("pub(in crate::resolve) fn f() {}"), "resolve");
    assert_eq!(found("use std::fmt;"), "");
}

#[test]
fn files_are_short_enough_to_read() {
    let mut wrong = Vec::new();
    for module in modules() {
        let name = module.relative.as_str();
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

#[test]
fn every_code_is_shown_by_a_description_of_its_name() {
    let shown: BTreeSet<String> = files(&path("tests/errors"), ".stderr")
        .iter()
        .flat_map(|file| codes(file))
        .collect();
    let missing: Vec<&str> = Code::ALL
        .iter()
        .map(|code| code.as_str())
        .filter(|word| !shown.contains(*word))
        .collect();
    assert_eq!(
        missing,
        Vec::<&str>::new(),
        "codes without a file in tests/errors"
    );
}

fn codes(file: &Path) -> Vec<String> {
    let text = read(file);
    let heads = text.lines().filter_map(|line| {
        let rest = line
            .strip_prefix("error[")
            .or(line.strip_prefix("warning["))?;
        rest.split_once(']').map(|(code, _)| code.to_owned())
    });
    heads.collect()
}

#[test]
fn every_page_of_a_code_belongs_to_one_and_can_be_copied_from() {
    for page in files(&path("docs/codes"), ".md") {
        let word = page.file_stem().unwrap().to_str().unwrap();
        let code = Code::parse(word);
        assert!(code.is_some(), "docs/codes/{word}.md explains no code");
        let text = read(&page);
        let right = text.split("\nRight:\n").nth(1).unwrap();
        let example = right.split("```").nth(1).unwrap();
        let example = example.strip_prefix("json").unwrap();
        let object = format!("{{{example}}}");
        let is_json = [example, &object]
            .iter()
            .any(|text| serde_json::from_str::<serde_json::Value>(text).is_ok());
        assert!(
            is_json,
            "docs/codes/{word}.md: the right example is no JSON"
        );
    }
}
