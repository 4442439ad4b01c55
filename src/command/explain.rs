//! `explain`: why a rule exists.

use crate::cli::Outcome;
use crate::report::{Code, Severity};

pub(crate) fn run(word: Option<&str>) -> Outcome {
    match word.and_then(Code::parse) {
        Some(code) => super::print(code.explanation()),
        None => super::print(&list()),
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
