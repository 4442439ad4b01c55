//! `explain`: why a rule exists.

use super::outcome::{self, Outcome};
use crate::report::{Code, Severity};

pub(super) fn run(word: Option<&str>) -> Outcome {
    match word.and_then(Code::parse) {
        Some(code) => outcome::print(code.explanation()),
        None => outcome::print(&list()),
    }
}

fn list() -> String {
    let line = |code: &Code| {
        let severity = match code.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        format!("{severity:<8}{code}\n")
    };
    Code::ALL.iter().map(line).collect()
}
