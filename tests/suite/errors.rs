//! The exact text of every diagnostic: `cops-gen check NAME.json` in `tests/errors` must say `NAME.stderr`.

use std::path::{Path, PathBuf};

use crate::support::{Expected, Run, cops_gen, files, path, read, write};

/// Descriptions that show several mistakes told in one run.
const MANY_MISTAKES: [&str; 2] = ["much-missing", "ten-mistakes"];

/// Returns the descriptions of `tests/errors`, without the lock files beside them.
fn descriptions() -> Vec<PathBuf> {
    let mut found = files(&path("tests/errors"), ".json");
    found.retain(|path| !path.to_string_lossy().ends_with(".lock.json"));
    found
}

/// Checks one description. Where a lock file lies beside it, that may not change.
fn check(description: &Path) -> Run {
    let name = description.file_name().unwrap().to_str().unwrap();
    let mut arguments = vec!["check", name];
    if description.with_extension("lock.json").exists() {
        arguments.push("--locked");
    }
    cops_gen(&path("tests/errors"), &arguments)
}

#[test]
fn every_mistake_is_told_in_the_words_that_were_recorded() {
    let mut expected = Expected::default();
    for description in descriptions() {
        let run = check(&description);
        expected.compare(&description.with_extension("stderr"), &run.stderr);
        assert_eq!(run.stdout, "", "{}: data", description.display());
    }
    expected.finish();
}

#[test]
fn only_errors_fail() {
    for description in descriptions() {
        let run = check(&description);
        let has_errors = run.stderr.lines().any(|line| line.starts_with("error["));
        assert_eq!(
            run.code,
            Some(i32::from(has_errors)),
            "{}",
            description.display()
        );
    }
}

#[test]
fn a_file_shows_the_code_it_is_named_after_and_no_other() {
    for description in descriptions() {
        let stem = description.file_stem().unwrap().to_str().unwrap();
        if MANY_MISTAKES.contains(&stem) {
            continue;
        }
        let codes = codes(&read(&description.with_extension("stderr")));
        let [code] = codes.as_slice() else {
            panic!("{stem}.json shows {codes:?}, and should show one mistake");
        };
        let rest = stem.strip_prefix(code.as_str());
        let is_named = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
        assert!(is_named, "{stem}.json shows `{code}`");
    }
}

#[test]
fn ten_mistakes_give_ten_errors_in_one_run() {
    let mut codes = codes(&read(&path("tests/errors/ten-mistakes.stderr")));
    assert_eq!(codes.len(), 10, "{codes:?}");
    codes.sort();
    codes.dedup();
    assert_eq!(codes.len(), 10, "ten different ones: {codes:?}");
}

#[test]
fn a_mistyped_field_is_one_mistake() {
    let example = read(&path("tests/example/cluster.json"));
    let directory = tempfile::tempdir().unwrap();
    let mut mistyped = 0;
    for (at, _) in example.match_indices("\":") {
        let (before, after) = example.split_at(at);
        write(
            &directory.path().join("cluster.json"),
            &format!("{before}_{after}"),
        );
        let codes = codes(&cops_gen(directory.path(), &["check"]).stderr);
        // The keys of maps are names: a changed one may be missed at several places.
        if codes.iter().any(|code| code == "unknown-field") {
            assert_eq!(codes.len(), 1, "{codes:?} for a typo at {before}");
            mistyped += 1;
        }
    }
    assert!(mistyped > 30, "{mistyped} fields in the example");
}

/// Returns the code of each diagnostic in a report for people.
fn codes(stderr: &str) -> Vec<String> {
    let heads = stderr.lines().filter_map(|line| {
        let rest = line
            .strip_prefix("error[")
            .or(line.strip_prefix("warning["));
        rest?.split_once(']')
    });
    heads.map(|(code, _)| code.to_owned()).collect()
}
