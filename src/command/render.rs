//! `render`: writes one directory of files per host.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};

use super::load::{Loaded, LockFile, load, tell};
use super::outcome::{self, Outcome};
use crate::bundle::Bundle;
use crate::cli::{Options, Render, Terminal};
use crate::failure::Failure;
use crate::model::Model;
use crate::plan::{Plan, plan};
use crate::survey::{Scope, Wanted};
use crate::write::Changes;
use crate::{compare, lower, write};

/// From so many hosts a terminal shows progress.
const MANY_HOSTS: usize = 100;

pub(super) fn run(arguments: &Render, options: Options, terminal: Terminal) -> Outcome {
    let loaded = load(&arguments.input, options, terminal);
    let Loaded {
        model,
        lock,
        old_lock: _,
        old_choices: _,
        source,
        report,
    } = match loaded {
        Ok(loaded) => loaded,
        Err(outcome) => return outcome,
    };
    tell(&report, &source, options, terminal);
    // As large as the description, and all said.
    drop((source, report));
    let Some(model) = &model else {
        return Outcome::No;
    };
    let scope = match scope(model, &arguments.hosts) {
        Ok(scope) => scope,
        Err(outcome) => return outcome,
    };
    let plan = plan(model);
    if let Some(directory) = &arguments.bundle {
        return match one_host(&scope) {
            Ok(host) => write_bundle(directory, host, lock, &bundle(&plan, host)).said(),
            Err(outcome) => outcome,
        };
    }
    let (networks, runbooks) = (plan.networks(), plan.runbooks());
    let operator = match scope {
        Scope::All(_) => lower::lower_operator(&networks, &runbooks),
        Scope::Hosts(_) => BTreeMap::new(),
    };
    let progress = progress(&scope, terminal);
    let wanted = Wanted {
        scope: &scope,
        lower: |host: &str| {
            progress.inc(1);
            bundle(&plan, host)
        },
        operator: &operator,
    };
    let outcome = if arguments.check {
        check(arguments, &lock, &wanted)
    } else {
        write(arguments, lock, wanted)
    };
    progress.finish_and_clear();
    outcome.said()
}

/// What a run came to, to be said when the progress bar is gone.
enum Said {
    Summary(String),
    Differences(Vec<String>, String),
    Failed(Vec<Failure>),
}

impl Said {
    fn said(self) -> Outcome {
        match self {
            Self::Summary(line) => {
                outcome::say(&line);
                Outcome::Yes
            }
            Self::Differences(lines, remedy) => match outcome::print_lines(&lines) {
                Outcome::Yes => {
                    outcome::say(&remedy);
                    Outcome::No
                }
                stop @ (Outcome::No | Outcome::CouldNotTry) => stop,
            },
            Self::Failed(failures) => outcome::fail(&failures),
        }
    }
}

fn bundle(plan: &Plan<'_>, host: &str) -> Bundle {
    plan.host(host)
        .map(|host| lower::lower(&host))
        .unwrap_or_default()
}

/// Returns the hosts to write. A host that nobody described is a wrong argument.
fn scope(model: &Model, wanted: &[String]) -> Result<Scope, Outcome> {
    let all: BTreeSet<String> = model.hosts.iter().map(|host| host.name.clone()).collect();
    if wanted.is_empty() {
        return Ok(Scope::All(all));
    }
    if let Some(name) = wanted.iter().find(|name| !all.contains(*name)) {
        outcome::say(&format!("error: no host is named `{name}`"));
        let few: Vec<String> = all.iter().take(8).map(|name| format!("`{name}`")).collect();
        let more = all.len().saturating_sub(few.len());
        let rest = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        outcome::say(&format!("  = allowed: {}{rest}", few.join(", ")));
        return Err(Outcome::CouldNotTry);
    }
    Ok(Scope::Hosts(wanted.iter().cloned().collect()))
}

/// Returns the only host of a scope. Others beside it are a wrong argument.
fn one_host(scope: &Scope) -> Result<&str, Outcome> {
    let mut hosts = scope.hosts().iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        outcome::say("error: `--bundle` writes one host's bundle\n  = help: name one `--host`");
        return Err(Outcome::CouldNotTry);
    };
    Ok(host)
}

fn progress(scope: &Scope, terminal: Terminal) -> ProgressBar {
    let count = scope.hosts().len();
    if !terminal.is_terminal || count < MANY_HOSTS {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(count as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} hosts {elapsed}") {
        bar.set_style(style);
    }
    bar
}

fn check<L>(arguments: &Render, lock: &LockFile, wanted: &Wanted<'_, L>) -> Said
where
    L: Fn(&str) -> Bundle + Sync,
{
    let differences = match compare::check(&arguments.out, wanted) {
        Ok(differences) => differences,
        Err(failures) => return Said::Failed(failures),
    };
    let mut lines = Vec::new();
    if lock.new.is_some() {
        lines.push(format!("changed {}", lock.path.display()));
    }
    lines.extend(differences.iter().map(ToString::to_string));
    if lines.is_empty() {
        return Said::Summary(format!("{}: up to date", arguments.out.display()));
    }
    let out = &arguments.out;
    let command = if outcome::is_in_nix_store(out) {
        "nix run .#render"
    } else {
        "cops-gen render"
    };
    let remedy = format!(
        "{}: {} differences; `{command}` mends them",
        out.display(),
        lines.len()
    );
    Said::Differences(lines, remedy)
}

fn write<L>(arguments: &Render, lock: LockFile, wanted: Wanted<'_, L>) -> Said
where
    L: Fn(&str) -> Bundle + Sync,
{
    let hosts = wanted.scope.hosts().len();
    let prepared = match write::prepare(&arguments.out, wanted) {
        Ok(prepared) => prepared,
        Err(failures) => return Said::Failed(failures),
    };
    let host_word = if hosts == 1 { "host" } else { "hosts" };
    let title = format!("{}: {hosts} {host_word}", arguments.out.display());
    match keep_lock(lock).and_then(|()| prepared.commit()) {
        Ok(changes) => Said::Summary(summary(&title, &changes)),
        Err(failure) => Said::Failed(vec![failure]),
    }
}

/// Writes the one host's bundle that was asked for, without a tree around it.
fn write_bundle(directory: &Path, host: &str, lock: LockFile, bundle: &Bundle) -> Said {
    let prepared = match write::prepare_bundle(directory, host, bundle) {
        Ok(prepared) => prepared,
        Err(failures) => return Said::Failed(failures),
    };
    let title = format!("{}: the bundle of {host}", directory.display());
    match keep_lock(lock).and_then(|()| prepared.commit()) {
        Ok(changes) => Said::Summary(summary(&title, &changes)),
        Err(failure) => Said::Failed(vec![failure]),
    }
}

/// Writes the lock file. It comes first: no file may use an address that isn't kept.
fn keep_lock(lock: LockFile) -> Result<(), Failure> {
    match lock.new {
        Some(new) => write::replace_file(&lock.path, new.to_text().as_bytes()).map(drop),
        None => Ok(()),
    }
}

fn summary(title: &str, changes: &Changes) -> String {
    let mut line = format!(
        "{title}, {} files written, {} removed, {} unchanged",
        changes.files_written,
        changes.removed.len(),
        changes.unchanged
    );
    for path in &changes.kept_foreign {
        line.push_str("\nnote: kept a file that isn't ours: ");
        line.push_str(path);
    }
    if changes.unfinished {
        line.push_str(
            "\nnote: an earlier run was killed; hosts that were not named still wait for it",
        );
    }
    line
}
