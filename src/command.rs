//! The commands: each reads, calls the stages in order, and says what came of it.

mod check;
mod explain;
mod init;
mod load;
mod lock;
mod manual;
mod outcome;
mod render;
mod verify;

use clap::Parser;

use crate::cli::{Cli, Command, Terminal};

pub use outcome::Outcome;

/// Runs the program with the arguments of this process.
pub fn run() -> Outcome {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(stop) => {
            let outcome = if stop.use_stderr() {
                Outcome::CouldNotTry
            } else {
                Outcome::Yes
            };
            // A closed pipe is nobody's mistake.
            drop(stop.print());
            return outcome;
        }
    };
    let terminal = Terminal::of_stderr();
    let options = cli.options;
    match cli.command {
        Command::Render(arguments) => render::run(&arguments, options, terminal),
        Command::Check(arguments) => check::run(&arguments, options, terminal),
        Command::Lock(arguments) => lock::run(&arguments, options, terminal),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Schema => outcome::print(&crate::schema::text()),
        Command::Init(arguments) => init::run(&arguments),
        Command::Explain(arguments) => explain::run(arguments.code.as_deref()),
        Command::Completions(arguments) => manual::completions(arguments.shell),
        Command::Man(arguments) => manual::page(arguments.command.as_deref()),
    }
}
