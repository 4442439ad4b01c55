//! Exact bytes: each directory of `tests/cases` renders its `expected/`, the example renders `out/`.
//!
//! A case has `cluster.json`, the `cluster.lock.json` that a render leaves, `check.stderr` with its
//! warnings, and `expected/`. Where a render changes the lock, it starts from `before.lock.json`.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::support::{Expected, cops_gen, files, is_recording, path, read};
use crate::trees::{cases, differences, held, name, read_lock, reordered, stamps};

/// Copies a case's description and first lock to a directory of its own, and renders there.
fn rendered(case: &Path) -> TempDir {
    let work = tempfile::tempdir().unwrap();
    let copy = |from: &str, to: &str| fs::copy(case.join(from), work.path().join(to));
    copy("cluster.json", "cluster.json").unwrap();
    if copy("before.lock.json", "cluster.lock.json").is_err() {
        if is_recording() {
            keep_edition(case, work.path());
        } else {
            copy("cluster.lock.json", "cluster.lock.json").unwrap();
        }
    }
    let run = cops_gen(work.path(), &["render"]);
    assert_eq!(run.code, Some(0), "{}: {}", case.display(), run.stderr);
    assert_eq!(run.stdout, "", "{}: data", case.display());
    work
}

/// Starts a lock that is made anew in the edition that the case's lock has: a new one would be of the newest.
#[expect(clippy::disallowed_methods, reason = "a lock is written")]
fn keep_edition(case: &Path, work: &Path) {
    if let Ok(text) = fs::read_to_string(case.join("cluster.lock.json")) {
        let empty = format!(
            "{{\"version\": 1, \"edition\": {}, \"networks\": {{}}}}",
            read_lock(&text).edition
        );
        fs::write(work.join("cluster.lock.json"), empty).unwrap();
    }
}

/// Replaces an expected tree by what was found.
fn record(expected: &Path, found: &Path) {
    if expected.exists() {
        fs::remove_dir_all(expected).unwrap();
    }
    for entry in walkdir::WalkDir::new(found).min_depth(1) {
        let entry = entry.unwrap();
        let target = expected.join(entry.path().strip_prefix(found).unwrap());
        if entry.file_type().is_dir() {
            fs::create_dir_all(target).unwrap();
        } else {
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Compares a tree with an expected one, and records it where that is asked for.
fn compare_tree(expected: &Path, found: &Path) -> Vec<String> {
    let name = expected.strip_prefix(path("")).unwrap().to_str().unwrap();
    let texts = differences(name, &held(expected), &held(found));
    if !texts.is_empty() && is_recording() {
        record(expected, found);
    }
    texts
}

#[test]
fn every_case_renders_what_is_expected() {
    let mut texts = Vec::new();
    let mut expected = Expected::default();
    for case in cases() {
        let work = rendered(&case);
        let lock = read(&work.path().join("cluster.lock.json"));
        expected.compare(&case.join("cluster.lock.json"), &lock);
        let run = cops_gen(work.path(), &["check", "--format", "short"]);
        expected.compare(&case.join("check.stderr"), &run.stderr);
        texts.extend(compare_tree(
            &case.join("expected"),
            &work.path().join("out"),
        ));
    }
    assert!(texts.is_empty(), "{}\nsee `RECORD=1`", texts.join("\n"));
    expected.finish();
}

#[test]
fn the_example_renders_out_without_a_warning() {
    let work = tempfile::tempdir().unwrap();
    let example = path("tests/example/cluster.json");
    let arguments = [
        "render",
        example.to_str().unwrap(),
        "--locked",
        "--deny-warnings",
    ];
    let run = cops_gen(work.path(), &arguments);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let texts = compare_tree(&path("out"), &work.path().join("out"));
    assert!(texts.is_empty(), "{}\nsee `RECORD=1`", texts.join("\n"));
}

#[test]
fn the_schema_is_current() {
    let run = cops_gen(&path(""), &["schema"]);
    let mut expected = Expected::default();
    expected.compare(&path("modules/cluster.schema.json"), &run.stdout);
    expected.finish();
}

#[test]
fn a_second_run_writes_nothing() {
    for case in cases() {
        let work = rendered(&case);
        let before = stamps(work.path());
        let run = cops_gen(work.path(), &["render"]);
        assert_eq!(run.code, Some(0), "{}: {}", case.display(), run.stderr);
        let after = stamps(work.path());
        assert_eq!(before, after, "{}", case.display());
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a description is written")]
fn the_order_of_keys_changes_nothing() {
    for case in cases() {
        let work = rendered(&case);
        let before = stamps(work.path());
        let description = work.path().join("cluster.json");
        let value = serde_json::from_str(&read(&description)).unwrap();
        let reversed = reordered(&value, &mut |count| count - 1);
        let text = serde_json::to_string(&reversed).unwrap();
        assert_ne!(text, serde_json::to_string(&value).unwrap());
        fs::write(&description, text).unwrap();
        let run = cops_gen(work.path(), &["render"]);
        assert_eq!(run.code, Some(0), "{}: {}", case.display(), run.stderr);
        let mut after = stamps(work.path());
        after.insert(description.clone(), before[&description]);
        assert_eq!(before, after, "{}", name(&case));
    }
}

#[test]
fn every_case_is_named_in_the_table() {
    let table = read(&path("tests/cases/README.md"));
    for case in cases() {
        let row = format!("| `{}` |", name(&case));
        assert!(table.contains(&row), "no row for {}", case.display());
    }
}

/// What a host has units of is known to `check`: it lets each be overridden, and would see a second one of its name.
#[test]
#[expect(clippy::disallowed_methods, reason = "a description is written")]
fn every_unit_that_is_rendered_can_be_overridden() {
    for case in cases() {
        let work = rendered(&case);
        let description = work.path().join("cluster.json");
        let mut value: serde_json::Value = serde_json::from_str(&read(&description)).unwrap();
        let overrides = value.as_object_mut().unwrap().entry("overrides");
        let overrides = overrides.or_insert_with(|| serde_json::json!({}));
        let units = [
            "container",
            "pod",
            "network",
            "build",
            "service",
            "target",
            "timer",
        ];
        let mut count = 0;
        for file in files(&work.path().join("out/hosts"), "") {
            let name = file.file_name().unwrap().to_str().unwrap();
            if units.iter().any(|it| name.ends_with(&format!(".{it}"))) {
                overrides[name]["Unit"]["Documentation"] = "man:podman(1)".into();
                count += 1;
            }
        }
        assert!(count > 0, "{}", case.display());
        fs::write(&description, value.to_string()).unwrap();
        let run = cops_gen(work.path(), &["check", "--format", "short"]);
        assert_eq!(run.code, Some(0), "{}: {}", case.display(), run.stderr);
    }
}
