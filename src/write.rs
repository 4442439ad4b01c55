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

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::bundle::{Bundle, Recipe};
use crate::failure::Failure;
use crate::manifest::FILE_NAME;
use survey::{Survey, label};

mod apply;
mod content;
pub(crate) mod disk;
mod file;
mod run;
mod single;
pub(crate) mod survey;
pub(crate) mod tree;

#[cfg(test)]
mod tests;

pub(crate) use content::late;
pub use file::{create_file, replace_file};
pub use run::{Prepared, prepare};
pub(crate) use run::{survey_operator, vanished};
pub use single::{PreparedBundle, prepare_bundle};

/// Which hosts a run writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Exactly these hosts are in the tree afterwards, and the operator's files.
    All(BTreeSet<String>),
    /// Only these hosts are written; everything else stays as it is.
    Hosts(BTreeSet<String>),
}

impl Scope {
    /// Returns the names of the hosts to write.
    pub fn hosts(&self) -> &BTreeSet<String> {
        match self {
            Self::All(hosts) | Self::Hosts(hosts) => hosts,
        }
    }
}

/// What a tree shall hold: hosts by name, lowered when their turn comes, and the operator's files.
pub struct Wanted<'a, L> {
    /// Which hosts are written.
    pub scope: &'a Scope,
    /// Returns the bundle of a host; called on many threads, for a changed host more than once.
    pub lower: L,
    /// How the operator's files are made, by path relative to `operator/`; unused with [`Scope::Hosts`].
    pub operator: &'a BTreeMap<String, Recipe<'a>>,
}

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
