//! `check`: finds every mistake and writes nothing.

use super::load::{load, tell};
use crate::cli::{Input, Options, Outcome, Terminal};

pub(crate) fn run(input: &Input, options: Options, terminal: Terminal) -> Outcome {
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
