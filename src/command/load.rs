//! Reads the description and its lock file, and resolves them.

use std::borrow::Cow;
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::outcome::{self, Outcome};
use crate::cli::{Format, Input, Options, Terminal};
use crate::decode::{Decoded, decode};
use crate::description::Description;
use crate::edition::{self, Edition, Made};
use crate::failure::Failure;
use crate::lock::Lock;
use crate::model::Model;
use crate::pointer::At;
use crate::report::{Code, Diagnostic, Report, human, json, short};
use crate::resolve;
use crate::source::Source;

/// A description that was read.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// What it means; none when there are errors, which were said.
    pub(crate) model: Option<Model>,
    /// The lock file.
    pub(crate) lock: LockFile,
    /// The lock as it was on disk.
    pub(crate) old_lock: Option<Lock>,
    /// What the lock's own edition makes of the description, where another was asked for.
    pub(crate) old_choices: Vec<Made>,
    /// The description's text.
    pub(crate) source: Source,
    /// What is wrong and what is worth a warning.
    pub(crate) report: Report,
}

/// The lock file beside a description.
#[derive(Debug)]
pub(crate) struct LockFile {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// What it is to hold, where that is something else than it does.
    pub(crate) new: Option<Lock>,
}

/// Reads and resolves. Errors are in the report; what can't be read is a failure.
pub(crate) fn load(input: &Input, options: Options, terminal: Terminal) -> Result<Loaded, Outcome> {
    load_in(input, options, terminal, None)
}

/// As [`load`], in another edition than the lock's.
pub(crate) fn load_in(
    input: &Input,
    options: Options,
    terminal: Terminal,
    edition: Option<Edition>,
) -> Result<Loaded, Outcome> {
    let source = read_source(&input.cluster).map_err(|failure| outcome::fail(&[failure]))?;
    let lock_path = lock_path(input)?;
    let old_lock = read_lock(&lock_path, options, terminal)?;
    let decoded: Decoded<Description> = decode(&source);
    let mut report = decoded.report.clone();
    let lock = given(old_lock.as_ref(), edition);
    let mut new_lock = None;
    let mut model = None;
    let mut old_choices = Vec::new();
    if let Some(description) = &decoded.value {
        check_version(&mut report, description.version);
        let resolve = |lock: &Lock| {
            resolve::resolve(resolve::Input {
                description,
                source: &source,
                failed: &decoded.failed,
                lock,
            })
        };
        let resolved = resolve(&lock);
        if let (Some(lock), Some(_)) = (&old_lock, edition) {
            old_choices = resolve(lock)
                .model
                .as_ref()
                .map_or_else(Vec::new, edition::made);
        }
        report.extend(decoded.settle(resolved.report));
        new_lock = resolved.lock;
        model = resolved.model;
    }
    let is_stale = new_lock.is_some() || old_lock.is_none();
    // A lock file is written even if it has nothing to keep.
    let new_lock = new_lock.or_else(|| {
        let stands = old_lock.as_ref() == Some(&*lock);
        (!stands).then(|| lock.into_owned())
    });
    if let Some(lock) = new_lock
        .as_ref()
        .filter(|_| input.locked && is_stale && !report.has_errors())
    {
        check_locked(&mut report, (&lock_path, old_lock.as_ref()), lock);
    }
    if options.deny_warnings {
        report.deny_warnings();
    }
    let model = model.filter(|_| !report.has_errors());
    Ok(Loaded {
        model,
        lock: LockFile {
            path: lock_path,
            new: new_lock,
        },
        old_lock,
        old_choices,
        source,
        report,
    })
}

/// Returns the lock to resolve with: the one that is there, or a new one, in the edition that was asked for.
fn given(old: Option<&Lock>, edition: Option<Edition>) -> Cow<'_, Lock> {
    match (old, edition) {
        (Some(lock), None) => Cow::Borrowed(lock),
        (Some(lock), Some(edition)) => Cow::Owned(lock.clone().in_edition(edition)),
        (None, edition) => {
            Cow::Owned(Lock::default().in_edition(edition.unwrap_or(Edition::NEWEST)))
        }
    }
}

fn read_source(path: &Path) -> Result<Source, Failure> {
    if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        let read = std::io::stdin().lock().read_to_end(&mut bytes);
        read.map_err(|error| Failure::read("<stdin>", error))?;
        return Ok(Source::new("<stdin>", bytes));
    }
    let bytes = fs::read(path).map_err(|error| Failure::read(path, error))?;
    Ok(Source::new(path.display().to_string(), bytes))
}

fn lock_path(input: &Input) -> Result<PathBuf, Outcome> {
    match &input.lock {
        Some(path) => Ok(path.clone()),
        None if input.cluster.as_os_str() == "-" => {
            outcome::say(
                "error: a description on standard input has no lock file beside it\n  = help: name \
                 one with `--lock FILE`",
            );
            Err(Outcome::CouldNotTry)
        }
        None => Ok(input.cluster.with_extension("lock.json")),
    }
}

fn read_lock(path: &Path, options: Options, terminal: Terminal) -> Result<Option<Lock>, Outcome> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(outcome::fail(&[Failure::read(path, error)])),
    };
    let source = Source::new(path.display().to_string(), bytes);
    let decoded: Decoded<Lock> = decode(&source);
    let mut report = decoded.report;
    if let Some(lock) = &decoded.value {
        check_version(&mut report, lock.version);
        check_edition(&mut report, lock.edition);
    }
    if report.has_errors() {
        tell(&report, &source, options, terminal);
        return Err(Outcome::No);
    }
    Ok(decoded.value)
}

fn check_version(report: &mut Report, version: u32) {
    if version != 1 {
        let message = format!("version {version} is not known to this cops-gen");
        let at = At::ROOT.key("version");
        report.push(Diagnostic::new(Code::UnsupportedVersion, at, message).allowed_text("1"));
    }
}

/// An edition of a later program chooses what this one does not know: rendered by others, a running platform would change.
fn check_edition(report: &mut Report, number: u32) {
    if Edition::of(number).is_some() {
        return;
    }
    let (message, help) = if number > Edition::NEWEST.number() {
        (
            format!("the lock file is of edition {number}, which is newer than this cops-gen"),
            "use the cops-gen that the platform was moved with, or a newer one",
        )
    } else {
        (
            format!("there is no edition {number}"),
            "write the number back that your version control has, or take the line out for edition 1",
        )
    };
    let at = At::ROOT.key("edition");
    let known = Edition::ALL.map(|it| it.number().to_string());
    report.push(
        Diagnostic::new(Code::UnknownEdition, at, message)
            .allowed(known)
            .help(help),
    );
}

fn check_locked(report: &mut Report, (path, old): (&Path, Option<&Lock>), lock: &Lock) {
    let name = path.file_name().unwrap_or_default().display();
    let message = match old {
        None => format!("the lock file `{name}` is missing"),
        Some(old) => {
            let changes = old.changes(lock);
            let few = changes
                .iter()
                .take(3)
                .cloned()
                .collect::<Vec<_>>()
                .join(", ");
            let more = changes.len().saturating_sub(3);
            let rest = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            format!("the lock file `{name}` is stale: it needs to {few}{rest}")
        }
    };
    let help = if outcome::is_in_nix_store(path) {
        "run `nix run .#lock`, then `nix run .#render`; look at the difference, and commit it"
    } else {
        "run `cops-gen lock`, look at the difference, and commit it"
    };
    report.push(Diagnostic::new(Code::LockStale, At::ROOT, message).help(help));
}

/// Says what is in a report, if anything is.
pub(crate) fn tell(report: &Report, source: &Source, options: Options, terminal: Terminal) {
    if report.is_empty() {
        return;
    }
    let tail = if report.has_errors() {
        "nothing was written"
    } else {
        ""
    };
    let look = human::Look {
        tail,
        is_coloured: terminal.is_coloured,
        width: terminal.width,
    };
    let text = match options.format {
        Format::Human => human::render(report, source, look),
        Format::Short => short::render(report, source),
        Format::Json => json::render(report, source),
    };
    outcome::say(text.trim_end_matches('\n'));
}
