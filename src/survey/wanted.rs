//! What a tree shall hold, and what is no longer wanted of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{Late, Owned, Survey, Tree};
use crate::bundle::Recipe;
use crate::failure::Failure;

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

/// Returns the hosts of a tree that are wanted no more.
pub(crate) fn vanished(tree: &Tree, scope: &Scope) -> BTreeSet<String> {
    match scope {
        Scope::All(hosts) => tree
            .manifest
            .hosts
            .keys()
            .filter(|name| !hosts.contains(*name))
            .cloned()
            .collect(),
        Scope::Hosts(_) => BTreeSet::new(),
    }
}

/// Compares the operator's directory of a tree.
pub(crate) fn operator_of(
    out: &Path,
    tree: &Tree,
    files: &BTreeMap<String, Late<'_>>,
) -> Result<Survey, Failure> {
    let entries = tree.manifest.files.iter();
    let old = entries.filter_map(|(path, entry)| {
        Some((path.strip_prefix("operator/")?.to_owned(), entry.mode.0))
    });
    let owned = Owned {
        old: old.collect(),
        pending: BTreeSet::new(),
        is_unfinished: tree.manifest.unfinished,
    };
    super::operator(&out.join("operator"), files, &owned)
}
