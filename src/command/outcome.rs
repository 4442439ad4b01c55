//! What a run came to, and what it says.

use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::failure::Failure;

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is as it should be.
    Yes,
    /// It isn't, and the output says why.
    No,
    /// It could not be tried.
    CouldNotTry,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Yes => Self::SUCCESS,
            Outcome::No => Self::from(1),
            Outcome::CouldNotTry => Self::from(2),
        }
    }
}

/// Writes to standard output. A closed pipe is nobody's mistake.
pub(super) fn print(text: &str) -> Outcome {
    let mut stdout = std::io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Ok(()) => Outcome::Yes,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Outcome::Yes,
        Err(error) => {
            say(&format!("error: cannot write to standard output: {error}"));
            Outcome::CouldNotTry
        }
    }
}

/// Writes lines to standard output.
pub(super) fn print_lines(lines: &[String]) -> Outcome {
    print(
        &lines
            .iter()
            .flat_map(|line| [line.as_str(), "\n"])
            .collect::<String>(),
    )
}

/// Writes a line to standard error. If that is closed too, nobody is left to tell.
pub(super) fn say(line: &str) {
    let mut stderr = anstream::stderr().lock();
    drop(writeln!(stderr, "{line}"));
}

/// Says whether a path lies where a Nix build reads from. Nobody can write there, so what mends it
/// is a command of the flake.
pub(super) fn is_in_nix_store(path: &Path) -> bool {
    path.starts_with("/nix/store")
}

/// Says why something could not be tried.
pub(super) fn fail(failures: &[Failure]) -> Outcome {
    for failure in failures {
        say(&format!("error: {failure}"));
        if let Some(help) = failure.help() {
            say(&format!("  = help: {help}"));
        }
    }
    Outcome::CouldNotTry
}
