//! `verify`: compares a tree with its manifests.

use super::outcome::{self, Outcome};
use crate::cli::Verify;
use crate::compare;

pub(super) fn run(arguments: &Verify) -> Outcome {
    match compare::verify(&arguments.out) {
        Ok(differences) => {
            let out = arguments.out.display();
            if differences.is_empty() {
                outcome::say(&format!("{out}: as its manifests say"));
                return Outcome::Yes;
            }
            let lines: Vec<String> = differences.iter().map(ToString::to_string).collect();
            match outcome::print_lines(&lines) {
                Outcome::Yes => {}
                stop @ (Outcome::No | Outcome::CouldNotTry) => return stop,
            }
            outcome::say(&format!(
                "{out}: {} differences; `cops-gen render` mends them",
                differences.len()
            ));
            Outcome::No
        }
        Err(failures) => outcome::fail(&failures),
    }
}
