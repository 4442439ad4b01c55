//! The command line: what may be typed, and what its help teaches.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::edition::Edition;
use crate::report::Code;

const EXAMPLES: &str = "\
Examples:
  cops-gen init mycluster && cd mycluster    write a description that renders
  cops-gen check                             find every mistake in cluster.json
  cops-gen render                            write out/hosts/HOST for every host
  cops-gen render --check --locked           fail if out/ is not what it should be
  cops-gen explain unknown-host              say why a rule exists, with examples

Exit codes: 0 yes, 1 no (and here is why), 2 could not try, 101 a bug in cops-gen.";

/// Turns one JSON description of a PostgreSQL platform into static files per host.
///
/// cops-gen reads cluster.json and its lock file, and writes one directory of files per host:
/// Quadlet units, Nebula, Patroni, HAProxy and Barman configs. It contacts nobody, opens no
/// secret, and writes nothing outside of --out and the lock file. Delivery is yours: rsync, Nix,
/// any config manager, or git.
#[derive(Debug, Parser)]
#[command(name = "cops-gen", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Copy, Args)]
pub struct Options {
    /// How mistakes are shown.
    #[arg(long, global = true, value_enum, default_value_t = Format::Human)]
    pub format: Format,
    /// Treat warnings as errors.
    #[arg(long, global = true)]
    pub deny_warnings: bool,
}

/// How mistakes are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// With the line of the file, for people.
    Human,
    /// One line each, for editors.
    Short,
    /// One JSON object a line, for programs.
    Json,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write one directory of files per host.
    #[command(after_help = "Examples:\n  \
        cops-gen render                        cluster.json into out/\n  \
        cops-gen render prod.json --out /srv/bundles\n  \
        cops-gen render --host db1 --host db2  only these hosts\n  \
        cops-gen render --host db1 --bundle b  what is out/hosts/db1 otherwise, in b/\n  \
        cops-gen render --check                write nothing; list what would change, exit 1 if \
        anything\n  \
        cops-gen render - --lock l.json < c.json")]
    Render(Render),
    /// Find every mistake in a description, and write nothing.
    Check(Input),
    /// Write the lock file: the addresses and ports that endpoints keep, and the platform's edition.
    #[command(after_help = "Examples:\n  \
        cops-gen lock                          after a change of cluster.json\n  \
        cops-gen lock --edition 2 --locked     say what the move to edition 2 changes; write nothing\n  \
        cops-gen lock --edition 2              move there")]
    Lock(Lock),
    /// Compare a rendered tree with its manifests.
    Verify(Verify),
    /// Print the JSON Schema of the description.
    Schema,
    /// Write a description that renders, to start from.
    Init(Init),
    /// Say why a rule exists, with a wrong and a right example.
    Explain(Explain),
    /// Print a shell's completions.
    Completions(Completions),
    /// Print the manual page, of the whole or of one command.
    Man(Man),
}

/// The description and its lock file.
#[derive(Debug, Args)]
pub struct Input {
    /// The description; `-` reads standard input.
    #[arg(default_value = "cluster.json")]
    pub cluster: PathBuf,
    /// The lock file. Default: beside the description, `cluster.lock.json`.
    #[arg(long, value_name = "FILE")]
    pub lock: Option<PathBuf>,
    /// Fail rather than change or make the lock file.
    #[arg(long)]
    pub locked: bool,
}

/// `render`'s arguments.
#[derive(Debug, Args)]
pub struct Render {
    #[command(flatten)]
    pub(crate) input: Input,
    /// The directory to write. It and its parents are made.
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub(crate) out: PathBuf,
    /// Write only this host. May be given again.
    #[arg(long = "host", value_name = "NAME")]
    pub(crate) hosts: Vec<String>,
    /// Write nothing; print each path that would change, and exit 1 if there is one.
    #[arg(long)]
    pub(crate) check: bool,
    /// Write the bundle of the one --host into DIR itself, with no tree around it.
    #[arg(long, value_name = "DIR", requires = "hosts", conflicts_with_all = ["out", "check"])]
    pub(crate) bundle: Option<PathBuf>,
}

/// `lock`'s arguments.
#[derive(Debug, Args)]
pub struct Lock {
    #[command(flatten)]
    pub(crate) input: Input,
    /// Free what endpoints that are gone still keep.
    #[arg(long)]
    pub(crate) prune: bool,
    /// Move the platform to this edition of the defaults, and say what that changes (docs/editions.md).
    #[arg(long, value_name = "N", value_parser = edition)]
    pub(crate) edition: Option<Edition>,
}

/// Reads the number of an edition.
fn edition(text: &str) -> Result<Edition, String> {
    let number = text.parse().ok();
    number.and_then(Edition::of).ok_or_else(|| {
        let known = Edition::ALL.map(|it| it.number().to_string());
        format!("the editions are {}", known.join(", "))
    })
}

/// `verify`'s arguments.
#[derive(Debug, Args)]
pub struct Verify {
    /// The rendered tree.
    #[arg(default_value = "out")]
    pub(crate) out: PathBuf,
}

/// `init`'s arguments.
#[derive(Debug, Args)]
pub struct Init {
    /// The directory to start in. It is made when missing; no file in it is overwritten.
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,
}

/// `explain`'s arguments.
#[derive(Debug, Args)]
pub struct Explain {
    /// The word in brackets of an error or a warning. Without one, all are listed.
    #[arg(value_parser = PossibleValuesParser::new(Code::ALL.iter().map(|code| code.as_str())),
          hide_possible_values = true)]
    pub(crate) code: Option<String>,
}

/// `completions`'s arguments.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell.
    pub(crate) shell: clap_complete::Shell,
}

/// `man`'s arguments.
#[derive(Debug, Args)]
pub struct Man {
    /// The command. Default: the whole program.
    pub(crate) command: Option<String>,
}

/// What standard error is: how mistakes look on it.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    /// Whether standard error is a terminal.
    pub is_terminal: bool,
    /// Whether colours may be used.
    pub is_coloured: bool,
    /// Columns.
    pub width: usize,
}

impl Terminal {
    /// Looks at this process's standard error.
    pub(crate) fn of_stderr() -> Self {
        let stderr = std::io::stderr();
        let is_terminal = stderr.is_terminal();
        let choice = anstream::AutoStream::choice(&stderr);
        let columns =
            terminal_size::terminal_size_of(&stderr).map(|(width, _)| usize::from(width.0));
        Self {
            is_terminal,
            is_coloured: choice != anstream::ColorChoice::Never,
            width: columns.unwrap_or(100),
        }
    }
}
