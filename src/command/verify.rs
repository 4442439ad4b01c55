//! `verify`: compares a tree with its manifests.

use crate::cli::{Outcome, Verify};
use crate::compare;

pub(crate) fn run(arguments: &Verify) -> Outcome {
    match compare::verify(&arguments.out) {
        Ok(differences) => {
            let out = arguments.out.display();
            if differences.is_empty() {
                super::say(&format!("{out}: as its manifests say"));
                return Outcome::Yes;
            }
            let lines: Vec<String> = differences.iter().map(ToString::to_string).collect();
            match super::print_lines(&lines) {
                Outcome::Yes => {}
                stop @ (Outcome::No | Outcome::CouldNotTry) => return stop,
            }
            super::say(&format!(
                "{out}: {} differences; `cops-gen render` mends them",
                differences.len()
            ));
            Outcome::No
        }
        Err(failures) => super::fail(&failures),
    }
}
