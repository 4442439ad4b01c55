//! The commands: each reads, calls the stages in order, and says what came of it.

pub(crate) mod check;
pub(crate) mod explain;
pub(crate) mod init;
pub(crate) mod load;
pub(crate) mod lock;
pub(crate) mod render;
pub(crate) mod verify;

use std::io::{ErrorKind, Write};
use std::path::Path;

use crate::cli::Outcome;
use crate::failure::Failure;

/// Writes to standard output. A closed pipe is nobody's mistake.
pub(crate) fn print(text: &str) -> Outcome {
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
pub(crate) fn print_lines(lines: &[String]) -> Outcome {
    print(
        &lines
            .iter()
            .flat_map(|line| [line.as_str(), "\n"])
            .collect::<String>(),
    )
}

/// Writes a line to standard error. If that is closed too, nobody is left to tell.
pub(crate) fn say(line: &str) {
    let mut stderr = anstream::stderr().lock();
    drop(writeln!(stderr, "{line}"));
}

/// Says whether a path lies where a Nix build reads from. Nobody can write there, so what mends it
/// is a command of the flake.
pub(crate) fn is_in_nix_store(path: &Path) -> bool {
    path.starts_with("/nix/store")
}

/// Says why something could not be tried.
pub(crate) fn fail(failures: &[Failure]) -> Outcome {
    for failure in failures {
        say(&format!("error: {failure}"));
        if let Some(help) = failure.help() {
            say(&format!("  = help: {help}"));
        }
    }
    Outcome::CouldNotTry
}
