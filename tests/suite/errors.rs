//! The exact text of every diagnostic: `tests/errors/NAME.json` must give `NAME.stderr`.

use std::fs;
use std::path::{Path, PathBuf};

use cops_gen::decode::decode;
use cops_gen::description::Description;
use cops_gen::lock::Lock;
use cops_gen::report::{Report, human};
use cops_gen::resolve::{Input, resolve};
use cops_gen::source::Source;

use crate::support::{Expected, files, path};

/// Returns the descriptions of `tests/errors`, without the lock files beside them.
fn descriptions() -> Vec<PathBuf> {
    let mut found = files(&path("tests/errors"), ".json");
    found.retain(|path| !path.to_string_lossy().ends_with(".lock.json"));
    found
}

fn check(path: &Path) -> (String, Report) {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let source = Source::new(name, fs::read(path).unwrap());
    let lock = fs::read(path.with_extension("lock.json")).ok();
    let lock: Lock = lock.map_or_else(Lock::default, |text| serde_json::from_slice(&text).unwrap());
    let decoded = decode::<Description>(&source);
    let mut report = decoded.report.clone();
    if let Some(description) = &decoded.value {
        let resolved = resolve(Input {
            description,
            source: &source,
            failed: &decoded.failed,
            lock: &lock,
        });
        report.extend(resolved.report);
    }
    let look = human::Look {
        tail: "nothing was written",
        is_coloured: false,
        width: 100,
    };
    (human::render(&report, &source, look), report)
}

#[test]
fn every_mistake_is_told_in_the_words_that_were_recorded() {
    let mut expected = Expected::default();
    for path in descriptions() {
        let (text, _) = check(&path);
        expected.compare(&path.with_extension("stderr"), &text);
    }
    expected.finish();
}
