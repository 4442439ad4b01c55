//! `check`: finds every mistake and writes nothing.

use super::load::{load, tell};
use super::outcome::Outcome;
use crate::cli::{Input, Options, Terminal};

pub(super) fn run(input: &Input, options: Options, terminal: Terminal) -> Outcome {
    let loaded = match load(input, options, terminal) {
        Ok(loaded) => loaded,
        Err(outcome) => return outcome,
    };
    tell(&loaded.report, &loaded.source, options, terminal);
    if loaded.model.is_some() {
        Outcome::Yes
    } else {
        Outcome::No
    }
}
