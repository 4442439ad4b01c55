//! `completions` and `man`: what the command line says of itself, in others' formats.

use clap::CommandFactory;

use super::outcome::{Outcome, print, say};
use crate::cli::Cli;

/// Prints a shell's completions.
pub(super) fn completions(shell: clap_complete::Shell) -> Outcome {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "cops-gen", &mut text);
    print(&String::from_utf8_lossy(&text))
}

/// Prints the manual page of a command, or of the whole program.
pub(super) fn page(name: Option<&str>) -> Outcome {
    let mut whole = Cli::command();
    whole.build();
    let command = match name {
        None => Some(&whole),
        Some(name) => whole.find_subcommand(name),
    };
    let Some(command) = command else {
        say(&format!(
            "error: no command is named `{}`",
            name.unwrap_or_default()
        ));
        return Outcome::CouldNotTry;
    };
    let mut text = Vec::new();
    match clap_mangen::Man::new(command.clone()).render(&mut text) {
        Ok(()) => print(&String::from_utf8_lossy(&text)),
        Err(_) => Outcome::CouldNotTry,
    }
}
