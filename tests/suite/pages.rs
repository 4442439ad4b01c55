//! What the page of a code shows: the wrong example breaks the rule, and nothing else; the right one breaks none.

use std::collections::BTreeSet;

use cops_gen::lock::Lock;
use cops_gen::report::{Code, Severity};
use serde_json::{Map, Value};

use crate::support::{Expected, files, path, read};
use crate::trees::{Rendered, render};

/// Codes whose page can't be shown by a description alone, and why. Files of `tests/errors` show them.
const ELSEWHERE: [(Code, &str); 9] = [
    (
        Code::BridgeExhausted,
        "needs more pods than a page has room for",
    ),
    (
        Code::DuplicateKey,
        "an object in a program has no key twice",
    ),
    (Code::LockOutsideNetwork, "is about the lock file"),
    (Code::LockStale, "is about the lock file"),
    (Code::MalformedValue, "is about the lock file"),
    (Code::NotUtf8, "is about bytes"),
    (Code::Syntax, "is about text that is no JSON"),
    (Code::UnknownEdition, "is about the lock file"),
    (
        Code::UnsupportedVersion,
        "is seen before anything else is read",
    ),
];

/// Sections of named entries.
const SECTIONS: [&str; 7] = [
    "networks",
    "hosts",
    "secrets",
    "etcd_clusters",
    "patroni_clusters",
    "barman_servers",
    "pods",
];

/// One example of a page: the place it is for, as in the description, and the JSON.
struct Example {
    place: String,
    value: Value,
}

/// Returns the example under a heading of a page.
fn example(page: &str, heading: &str) -> Example {
    let text = page.split(&format!("\n{heading}:\n\n```json")).nth(1);
    let text = text.unwrap();
    let (place, rest) = text.split_once('\n').unwrap();
    let json = rest.split("\n```").next().unwrap();
    let value =
        serde_json::from_str(json).or_else(|_| serde_json::from_str(&format!("{{{json}}}")));
    Example {
        place: place.trim().to_owned(),
        value: value.unwrap(),
    }
}

/// Says which entries of `new.json` an entry at `place` starts with.
fn kind_of_entry<'p>(place: &[&'p str]) -> Option<&'p str> {
    match place {
        [section, _] if SECTIONS.contains(section) => Some(section),
        ["pods", _, inner @ "containers", _] | ["barman_servers", _, inner @ "sources", _] => {
            Some(inner)
        }
        _ => None,
    }
}

/// Merges an example into what stands at `place`.
fn merge(old: Option<&Value>, new: &Value, place: &[&str], templates: &Value) -> Value {
    let below = |key| [place, &[key]].concat();
    match new {
        Value::Object(fields) if fields.is_empty() && kind_of_entry(place).is_none() => new.clone(),
        Value::Object(fields) => {
            let template = kind_of_entry(place).and_then(|kind| templates.get(kind));
            let start = old.or(template).and_then(Value::as_object);
            let mut merged = start.cloned().unwrap_or_default();
            for (key, value) in fields {
                let value = merge(merged.get(key), value, &below(key), templates);
                merged.insert(key.clone(), value);
            }
            Value::Object(merged)
        }
        Value::Array(items) => {
            let items = items.iter();
            let items = items.map(|item| merge(None, item, &below("0"), templates));
            Value::Array(items.collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => new.clone(),
    }
}

/// Checks the base with an example in it.
fn checked(example: &Example) -> Rendered {
    let json = |name: &str| -> Value {
        serde_json::from_str(&read(&path("tests/pages").join(name))).unwrap()
    };
    let steps = example
        .place
        .split('/')
        .rev()
        .filter(|step| !step.is_empty());
    let whole = steps.fold(example.value.clone(), |inner, step| {
        Value::Object(Map::from_iter([(step.to_owned(), inner)]))
    });
    let description = merge(Some(&json("base.json")), &whole, &[], &json("new.json"));
    render(&description.to_string(), &Lock::default())
}

fn codes(rendered: &Rendered) -> BTreeSet<Code> {
    rendered.report.iter().map(|it| it.code).collect()
}

fn is_error(code: Code) -> bool {
    code.severity() == Severity::Error
}

#[test]
fn the_base_of_pages_has_no_mistake() {
    let nothing = Example {
        place: String::new(),
        value: Value::Object(Map::from_iter([("version".to_owned(), 1.into())])),
    };
    assert_eq!(codes(&checked(&nothing)), BTreeSet::new());
}

#[test]
fn every_page_shows_its_rule_broken_and_kept() {
    let mut wrong = Vec::new();
    let mut said = String::new();
    for code in Code::ALL {
        if ELSEWHERE.iter().any(|(other, _)| other == code) {
            continue;
        }
        let page = code.explanation();
        let rendered = checked(&example(page, "Wrong"));
        let lines = rendered.report.iter().filter(|it| it.code == *code);
        said.extend(lines.map(|it| format!("{code} at {}: {}\n", it.pointer, it.message)));
        let broken = codes(&rendered);
        let others = broken.iter().filter(|it| *it != code && is_error(**it));
        if !broken.contains(code) || others.count() > 0 {
            wrong.push(format!(
                "docs/codes/{code}.md: the wrong example shows {broken:?}"
            ));
        }
        let kept = codes(&checked(&example(page, "Right")));
        if kept.contains(code) || kept.iter().any(|it| is_error(*it)) {
            wrong.push(format!(
                "docs/codes/{code}.md: the right example shows {kept:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let mut expected = Expected::default();
    expected.compare(&path("tests/pages/said.txt"), &said);
    expected.finish();
}

#[test]
fn every_page_belongs_to_a_code() {
    for page in files(&path("docs/codes"), ".md") {
        let word = page.file_stem().unwrap().to_str().unwrap();
        assert!(
            Code::parse(word).is_some(),
            "docs/codes/{word}.md explains no code"
        );
    }
}

#[test]
fn what_a_page_cannot_show_is_shown_by_a_file() {
    for (code, _) in ELSEWHERE {
        let shown = files(&path("tests/errors"), ".stderr")
            .into_iter()
            .any(|file| {
                let stem = file.file_stem().unwrap().to_str().unwrap();
                stem.starts_with(code.as_str())
            });
        assert!(shown, "no file of tests/errors is named after {code}");
    }
}
