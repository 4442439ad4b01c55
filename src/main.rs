//! The `cops-gen` program: see the library's page for what it does.

use std::process::ExitCode;

use cops_gen::command;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        anstream::eprintln!("{panic}\nthis is a bug in cops-gen, please report it");
    }));
    command::run().into()
}
