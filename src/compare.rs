//! Compares trees without changing them: with what a render would write, and with their manifests.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rayon::prelude::*;

use crate::bundle::Bundle;
use crate::failure::Failure;
use crate::manifest::{Digest, FILE_NAME, FileEntry, HostManifest, TreeManifest};
use crate::survey::{
    self, Action, Kind, NEXT, Present, Scope, Survey, TEMPORARY, Tree, Wanted, host_root, label,
};

/// One path of a tree that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// The path relative to the tree; a directory ends in a slash.
    pub path: String,
    /// What differs.
    pub kind: DifferenceKind,
}

/// How a path differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DifferenceKind {
    /// It is there and no manifest names it, or a render would add it.
    Added,
    /// Its bytes differ.
    Changed,
    /// It can be executed and should not be, or the other way round.
    Mode,
    /// It is missing, or a render would remove it.
    Removed,
    /// A run was killed here; the next one ends its work.
    Unfinished,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            DifferenceKind::Added => "added",
            DifferenceKind::Changed => "changed",
            DifferenceKind::Mode => "mode",
            DifferenceKind::Removed => "removed",
            DifferenceKind::Unfinished => "unfinished",
        };
        write!(f, "{kind} {}", self.path)
    }
}

/// Says what a run that writes would change, sorted by path.
pub fn check<L>(out: &Path, wanted: &Wanted<'_, L>) -> Result<Vec<Difference>, Vec<Failure>>
where
    L: Fn(&str) -> Bundle + Sync,
{
    let one = |failure| vec![failure];
    let tree = Tree::read(out, wanted.scope.hosts()).map_err(one)?;
    let hosts: Vec<&String> = wanted.scope.hosts().iter().collect();
    let found: Vec<_> = hosts
        .into_par_iter()
        .map(|name| {
            let bundle = (wanted.lower)(name);
            let manifest = HostManifest::of(&bundle).to_bytes();
            survey::host(&host_root(out, name), name, &bundle.files, &manifest)
                .map(|survey| would_change(&format!("hosts/{name}"), survey))
        })
        .collect();
    let mut differences = Vec::new();
    let mut failures = Vec::new();
    let mut add = |result: Result<Result<Vec<Difference>, Vec<Failure>>, Failure>| match result {
        Ok(Ok(found)) => differences.extend(found),
        Ok(Err(conflicts)) => failures.extend(conflicts),
        Err(failure) => failures.push(failure),
    };
    found.into_iter().for_each(&mut add);
    if let Scope::All(_) = wanted.scope {
        add(
            survey::operator_of(out, &tree, &survey::late(wanted.operator))
                .map(|survey| would_change("operator", survey)),
        );
    }
    let vanished = survey::vanished(&tree, wanted.scope);
    differences.extend(vanished.iter().map(|name| {
        let path = format!("hosts/{name}/");
        Difference {
            path,
            kind: DifferenceKind::Removed,
        }
    }));
    if tree.manifest.unfinished || tree.has_temporary || tree.bytes.is_none() {
        differences.push(top(&tree));
    }
    if !failures.is_empty() {
        return Err(failures);
    }
    differences.sort_unstable();
    Ok(differences)
}

/// Names the manifest of a tree that is not finished, or not there.
fn top(tree: &Tree) -> Difference {
    let kind = if tree.bytes.is_some() {
        DifferenceKind::Unfinished
    } else {
        DifferenceKind::Added
    };
    Difference {
        path: FILE_NAME.to_owned(),
        kind,
    }
}

/// Words a survey as what a render would do.
fn would_change(prefix: &str, survey: Survey) -> Result<Vec<Difference>, Vec<Failure>> {
    if !survey.conflicts.is_empty() {
        return Err(survey.conflicts);
    }
    let difference = |path: &str, kind| Difference {
        path: label(prefix, path),
        kind,
    };
    let mut differences: Vec<_> = survey
        .actions
        .iter()
        .map(|(path, action)| {
            let kind = match action {
                Action::Create => DifferenceKind::Added,
                Action::Replace => DifferenceKind::Changed,
                Action::SetMode(_) => DifferenceKind::Mode,
            };
            difference(path, kind)
        })
        .collect();
    let gone = survey
        .undo
        .iter()
        .filter(|path| !survey.actions.contains_key(*path));
    let gone = gone.chain(&survey.obsolete);
    differences.extend(gone.map(|path| difference(path, DifferenceKind::Removed)));
    let leftovers = survey.leftovers.iter();
    differences.extend(leftovers.map(|name| difference(name, DifferenceKind::Unfinished)));
    if !survey.manifest_is_current {
        let kind = if survey.has_manifest {
            DifferenceKind::Changed
        } else {
            DifferenceKind::Added
        };
        differences.push(difference(FILE_NAME, kind));
    }
    Ok(differences)
}

/// Compares a tree with the manifests in it, sorted by path.
pub fn verify(out: &Path) -> Result<Vec<Difference>, Vec<Failure>> {
    let tree = Tree::read(out, &BTreeSet::new()).map_err(|failure| vec![failure])?;
    if tree.bytes.is_none() {
        return Err(vec![Failure::ForeignTree {
            path: out.to_owned(),
        }]);
    }
    let hosts: Vec<_> = tree.manifest.hosts.iter().collect();
    let mut found: Vec<_> = hosts
        .into_par_iter()
        .map(|(name, entry)| verify_host(out, name, entry.sha256))
        .collect();
    found.push(verify_operator(out, &tree.manifest));
    let mut differences = Vec::new();
    let mut failures = Vec::new();
    for result in found {
        match result {
            Ok(found) => differences.extend(found),
            Err(failure) => failures.push(failure),
        }
    }
    if !failures.is_empty() {
        return Err(failures);
    }
    let foreign = tree.foreign.iter().cloned();
    differences.extend(foreign.map(|path| Difference {
        path,
        kind: DifferenceKind::Added,
    }));
    if tree.manifest.unfinished {
        differences.push(top(&tree));
    }
    if tree.has_temporary {
        let path = TEMPORARY.to_owned();
        differences.push(Difference {
            path,
            kind: DifferenceKind::Unfinished,
        });
    }
    differences.sort_unstable();
    Ok(differences)
}

fn verify_host(out: &Path, name: &str, digest: Option<Digest>) -> Result<Vec<Difference>, Failure> {
    let root = host_root(out, name);
    let prefix = format!("hosts/{name}");
    let missing = Difference {
        path: label(&prefix, FILE_NAME),
        kind: DifferenceKind::Removed,
    };
    if survey::kind_at(&root)? != Some(Kind::Directory) {
        return Ok(vec![missing]);
    }
    let mut present = survey::walk(&root)?.unwrap_or_default();
    let mut differences = Vec::new();
    let mut entries = BTreeMap::new();
    if present.remove(FILE_NAME) == Some(Kind::File) {
        let path = root.join(FILE_NAME);
        let bytes = fs::read(&path).map_err(|source| Failure::read(&path, source))?;
        if digest != Some(Digest::of(&bytes)) {
            differences.push(Difference {
                kind: DifferenceKind::Changed,
                ..missing
            });
        }
        // One that cannot be read was changed, which its digest has told already.
        if let Ok(manifest) = HostManifest::parse(&bytes, name) {
            let files = manifest.files.into_iter();
            entries = files
                .map(|(path, entry)| (path.into_owned(), entry))
                .collect();
        }
    } else {
        differences.push(missing);
    }
    for name in [TEMPORARY, NEXT] {
        if present.remove(name).is_some() {
            let path = label(&prefix, name);
            differences.push(Difference {
                path,
                kind: DifferenceKind::Unfinished,
            });
        }
    }
    verify_files(&root, &entries, &present, &mut |path, kind| {
        differences.push(Difference {
            path: label(&prefix, path),
            kind,
        });
    })?;
    Ok(differences)
}

/// Compares the operator's directory with the manifest of the tree.
pub(crate) fn verify_operator(
    out: &Path,
    manifest: &TreeManifest,
) -> Result<Vec<Difference>, Failure> {
    let root = out.join("operator");
    let files = manifest.files.iter();
    let entries = files
        .filter_map(|(path, entry)| Some((path.strip_prefix("operator/")?.to_owned(), *entry)));
    let present = survey::walk(&root)?.unwrap_or_default();
    let mut differences = Vec::new();
    verify_files(&root, &entries.collect(), &present, &mut |path, kind| {
        differences.push(Difference {
            path: label("operator", path),
            kind,
        });
    })?;
    Ok(differences)
}

/// Compares what a manifest names with what is present.
fn verify_files(
    root: &Path,
    entries: &BTreeMap<String, FileEntry>,
    present: &Present,
    found: &mut impl FnMut(&str, DifferenceKind),
) -> Result<(), Failure> {
    for (path, entry) in entries {
        let kind = match present.get(path) {
            Some(Kind::File) => compare(&root.join(path), entry)?,
            Some(Kind::Other(_)) => Some(DifferenceKind::Changed),
            Some(Kind::Directory) | None => Some(DifferenceKind::Removed),
        };
        if let Some(kind) = kind {
            found(path, kind);
        }
    }
    for (path, kind) in present {
        if *kind != Kind::Directory && !entries.contains_key(path) {
            found(path, DifferenceKind::Added);
        }
    }
    Ok(())
}

/// Compares one file with its entry.
fn compare(path: &Path, entry: &FileEntry) -> Result<Option<DifferenceKind>, Failure> {
    let read = || -> std::io::Result<Option<DifferenceKind>> {
        let metadata = fs::symlink_metadata(path)?;
        if metadata.len() != entry.size || Digest::read(&mut fs::File::open(path)?)? != entry.sha256
        {
            return Ok(Some(DifferenceKind::Changed));
        }
        let fits = survey::mode_fits(metadata.permissions().mode(), entry.mode.0);
        Ok((!fits).then_some(DifferenceKind::Mode))
    };
    read().map_err(|source| Failure::read(path, source))
}
