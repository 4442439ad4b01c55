//! `lock`: writes the lock file, and frees what gone endpoints keep.

use super::load::{Loaded, load, tell};
use crate::cli::{Lock, Options, Outcome, Terminal};
use crate::write;

pub(crate) fn run(arguments: &Lock, options: Options, terminal: Terminal) -> Outcome {
    let mut loaded = match load(&arguments.input, options, terminal) {
        Ok(loaded) => loaded,
        Err(outcome) => return outcome,
    };
    tell(&loaded.report, &loaded.source, options, terminal);
    if loaded.model.is_none() {
        return Outcome::No;
    }
    if arguments.prune {
        prune(&mut loaded);
    }
    let old = loaded.old_lock.unwrap_or_default();
    let changes = old.changes(&loaded.lock);
    if arguments.input.locked && !changes.is_empty() {
        super::print_lines(&changes);
        super::say("the lock file would change; nothing was written");
        return Outcome::No;
    }
    match write::replace_file(&loaded.lock_path, loaded.lock.to_text().as_bytes()) {
        Ok(is_written) => {
            let path = loaded.lock_path.display();
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
fn prune(loaded: &mut Loaded) {
    let Some(model) = &loaded.model else { return };
    let live: std::collections::BTreeSet<(&str, &str)> = model
        .endpoints
        .iter()
        .map(|it| (model[it.network].name.as_str(), it.hostname.as_str()))
        .collect();
    for (network, entries) in loaded.lock.networks.iter_mut() {
        entries.retain(|hostname, _| live.contains(&(network.as_str(), hostname.as_str())));
    }
    loaded
        .lock
        .networks
        .retain(|_, entries| !entries.is_empty());
}
