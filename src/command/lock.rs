//! `lock`: writes the lock file, frees what gone endpoints keep, and moves the platform to another edition.

use std::collections::BTreeSet;

use super::load::{load_in, tell};
use super::outcome::{self, Outcome};
use crate::cli::{self, Options, Terminal};
use crate::edition;
use crate::lock::Lock;
use crate::model::Model;
use crate::write;

pub(super) fn run(arguments: &cli::Lock, options: Options, terminal: Terminal) -> Outcome {
    let loaded = match load_in(&arguments.input, options, terminal, arguments.edition) {
        Ok(loaded) => loaded,
        Err(outcome) => return outcome,
    };
    tell(&loaded.report, &loaded.source, options, terminal);
    let Some(model) = &loaded.model else {
        return Outcome::No;
    };
    let new = loaded.lock.new.or_else(|| loaded.old_lock.clone());
    let mut lock = new.unwrap_or_default();
    // A lock that was not there has not moved.
    let old = loaded
        .old_lock
        .unwrap_or_else(|| Lock::default().in_edition(lock.edition()));
    if arguments.prune {
        prune(&mut lock, model);
    }
    let mut changes = old.changes(&lock);
    let choices = if loaded.old_choices.is_empty() {
        Vec::new()
    } else {
        edition::differences(&loaded.old_choices, &edition::made(model))
    };
    if arguments.input.locked && !changes.is_empty() {
        changes.extend(choices);
        outcome::print_lines(&changes);
        outcome::say("the lock file would change; nothing was written");
        return Outcome::No;
    }
    match write::replace_file(&loaded.lock.path, lock.to_text().as_bytes()) {
        Ok(is_written) => {
            let path = loaded.lock.path.display();
            let added = changes
                .iter()
                .filter(|line| line.starts_with("add"))
                .count();
            let removed = changes
                .iter()
                .filter(|line| line.starts_with("remove"))
                .count();
            for line in &choices {
                outcome::say(line);
            }
            let moved = if old.edition == lock.edition {
                String::new()
            } else {
                format!(", edition {} -> {}", old.edition, lock.edition)
            };
            outcome::say(&if is_written {
                format!("{path}: {added} added, {removed} removed{moved}")
            } else {
                format!("{path}: nothing to change")
            });
            Outcome::Yes
        }
        Err(failure) => outcome::fail(&[failure]),
    }
}

/// Drops the entries of endpoints that are gone.
fn prune(lock: &mut Lock, model: &Model) {
    let live: BTreeSet<(&str, &str)> = model
        .endpoints
        .iter()
        .map(|it| (model[it.network].name.as_str(), it.hostname.as_str()))
        .collect();
    for (network, entries) in lock.networks.iter_mut() {
        entries.retain(|hostname, _| live.contains(&(network.as_str(), hostname.as_str())));
    }
    lock.networks.retain(|_, entries| !entries.is_empty());
}
