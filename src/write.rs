//! Writes the tree. Only this module changes the disk.
//!
//! A tree that is there already is compared first, completely: what stands in the way is found
//! before anything is written, and what is as it should be is not touched. Killed at any point, the
//! next run ends in exactly the right tree: at each moment the manifests on disk name at least
//! every file of ours, and what is no file of ours stays.
//!
//! 1. The manifest of the tree is replaced by one marked `unfinished` that names all hosts, if
//!    hosts or files of the operator come or change.
//! 2. Each host, on all cores: the next manifest, files, removals, and the rename of the manifest.
//! 3. Hosts that vanished are removed, the operator's files are written.
//! 4. The manifest of the tree.

use std::path::Path;

use crate::bundle::Bundle;
use crate::failure::Failure;
use crate::manifest::FILE_NAME;
use crate::survey::{Survey, Wanted, label};

mod apply;
pub(crate) mod disk;
mod file;
mod run;
mod single;

#[cfg(test)]
mod tests;

pub use file::{create_file, replace_file};
pub use run::{Prepared, prepare};
pub use single::{PreparedBundle, prepare_bundle};

/// What a run changed. Paths are relative to the tree, sorted, with `/`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Files written or given another mode; a host that was not there is one path (`hosts/db1/`).
    pub written: Vec<String>,
    /// Files removed; a host that vanished is one path.
    pub removed: Vec<String>,
    /// What is not ours, and stayed; a directory beside our hosts is one path.
    pub kept_foreign: Vec<String>,
    /// How many files were written, the manifests not counted.
    pub files_written: usize,
    /// How many files were as they should be.
    pub unchanged: usize,
    /// Whether hosts outside the scope still wait for a run that was killed.
    pub unfinished: bool,
}

impl Changes {
    /// Says whether the tree was as it should be.
    pub fn is_empty(&self) -> bool {
        self.written.is_empty() && self.removed.is_empty()
    }

    fn extend(&mut self, other: Self) {
        self.written.extend(other.written);
        self.removed.extend(other.removed);
        self.kept_foreign.extend(other.kept_foreign);
        self.files_written += other.files_written;
        self.unchanged += other.unchanged;
    }
}

/// Makes the tree what is wanted: [`prepare`] and [`Prepared::commit`].
pub fn write<L>(out: &Path, wanted: Wanted<'_, L>) -> Result<Changes, Vec<Failure>>
where
    L: Fn(&str) -> Bundle + Sync,
{
    prepare(out, wanted)?
        .commit()
        .map_err(|failure| vec![failure])
}

/// Words the survey of a host as what was done about it.
fn host_changes(name: &str, survey: &Survey) -> Changes {
    let prefix = format!("hosts/{name}");
    let mut changes = site_changes(&prefix, survey);
    if !survey.exists {
        changes.written = vec![format!("{prefix}/")];
    } else if !survey.manifest_is_current {
        changes.written.push(label(&prefix, FILE_NAME));
    }
    changes
}

fn site_changes(prefix: &str, survey: &Survey) -> Changes {
    let paths = |path: &String| label(prefix, path);
    Changes {
        written: survey.actions.keys().map(paths).collect(),
        removed: survey.obsolete.iter().map(paths).collect(),
        kept_foreign: survey.foreign.iter().map(paths).collect(),
        files_written: survey.actions.len(),
        unchanged: survey.unchanged,
        unfinished: false,
    }
}
