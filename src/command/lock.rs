//! `lock`: writes the lock file, and frees what gone endpoints keep.

use std::collections::BTreeSet;

use super::load::{load, tell};
use crate::cli::{self, Options, Outcome, Terminal};
use crate::lock::Lock;
use crate::model::Model;
use crate::write;

pub(crate) fn run(arguments: &cli::Lock, options: Options, terminal: Terminal) -> Outcome {
    let loaded = match load(&arguments.input, options, terminal) {
        Ok(loaded) => loaded,
        Err(outcome) => return outcome,
    };
    tell(&loaded.report, &loaded.source, options, terminal);
    let Some(model) = &loaded.model else {
        return Outcome::No;
    };
    let old = loaded.old_lock.unwrap_or_default();
    let mut lock = loaded.lock.new.unwrap_or_else(|| old.clone());
    if arguments.prune {
        prune(&mut lock, model);
    }
    let changes = old.changes(&lock);
    if arguments.input.locked && !changes.is_empty() {
        super::print_lines(&changes);
        super::say("the lock file would change; nothing was written");
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
            super::say(&if is_written {
                format!("{path}: {added} added, {removed} removed")
            } else {
                format!("{path}: nothing to change")
            });
            Outcome::Yes
        }
        Err(failure) => super::fail(&[failure]),
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
