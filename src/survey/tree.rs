//! The tree as a whole: whose it is, what its manifest says, and who may write it now.

use std::collections::BTreeSet;
use std::fs::{self, TryLockError};
use std::io::ErrorKind;
use std::path::Path;

use super::{Kind, TEMPORARY, kind_at, kind_of, obstacle};
use crate::failure::{Failure, Obstacle};
use crate::manifest::{FILE_NAME, TreeManifest};

/// A tree as it was found.
#[derive(Debug)]
pub(crate) struct Tree {
    /// What its manifest says; empty for a fresh tree.
    pub(crate) manifest: TreeManifest,
    /// The text of the manifest on disk.
    pub(crate) bytes: Option<Vec<u8>>,
    /// The hosts that have a directory.
    pub(crate) hosts: BTreeSet<String>,
    /// What lies beside our files, by path; directories end in a slash.
    pub(crate) foreign: Vec<String>,
    /// Whether a killed run left a temporary at the top.
    pub(crate) has_temporary: bool,
}

impl Tree {
    /// Reads what a tree is, without changing anything; `wanted` hosts are ours as well.
    pub(crate) fn read(out: &Path, wanted: &BTreeSet<String>) -> Result<Self, Failure> {
        let mut tree = Self {
            manifest: TreeManifest::empty(),
            bytes: None,
            hosts: BTreeSet::new(),
            foreign: Vec::new(),
            has_temporary: false,
        };
        let Some(names) = list(out)? else {
            return Ok(tree);
        };
        let mut foreign = Vec::new();
        for (name, kind) in names {
            match (name.as_str(), kind) {
                (FILE_NAME, Kind::File) => {
                    let path = out.join(FILE_NAME);
                    let bytes = fs::read(&path).map_err(|source| Failure::read(&path, source))?;
                    tree.manifest = TreeManifest::parse(&bytes)
                        .map_err(|reason| Failure::Manifest { path, reason })?;
                    tree.bytes = Some(bytes);
                }
                (TEMPORARY, Kind::File) => tree.has_temporary = true,
                ("hosts" | "operator", Kind::Directory) => {}
                (FILE_NAME | TEMPORARY | "hosts" | "operator", kind) => {
                    return Err(Failure::ForeignFile {
                        path: out.join(name),
                        obstacle: obstacle(kind),
                    });
                }
                (_, kind) => foreign.push(named(&name, kind)),
            }
        }
        tree.foreign = foreign;
        tree.read_hosts(out, wanted)?;
        if tree.bytes.is_none() && !tree.is_empty(out)? {
            return Err(Failure::ForeignTree {
                path: out.to_owned(),
            });
        }
        Ok(tree)
    }

    fn read_hosts(&mut self, out: &Path, wanted: &BTreeSet<String>) -> Result<(), Failure> {
        for (name, kind) in list(&out.join("hosts"))?.unwrap_or_default() {
            if wanted.contains(&name) || self.manifest.hosts.contains_key(&name) {
                self.hosts.insert(name);
            } else {
                self.foreign.push(named(&format!("hosts/{name}"), kind));
            }
        }
        Ok(())
    }

    /// Says whether a directory without a manifest holds nothing but a killed run's temporary.
    fn is_empty(&self, out: &Path) -> Result<bool, Failure> {
        let is_there = |name| kind_at(&out.join(name)).map(|kind| kind.is_some());
        Ok(self.foreign.is_empty() && !is_there("hosts")? && !is_there("operator")?)
    }
}

/// Keeps every other run out of an existing tree until it is dropped; leaves no trace in it.
///
/// A file system without such locks is written without one.
pub(crate) fn lock(out: &Path) -> Result<fs::File, Failure> {
    let directory = fs::File::open(out).map_err(|source| Failure::read(out, source))?;
    match directory.try_lock() {
        Ok(()) => Ok(directory),
        Err(TryLockError::WouldBlock) => Err(Failure::Busy {
            path: out.to_owned(),
        }),
        Err(TryLockError::Error(source)) if source.kind() == ErrorKind::Unsupported => {
            Ok(directory)
        }
        Err(TryLockError::Error(source)) => Err(Failure::read(out, source)),
    }
}

/// Lists a directory, sorted; `None` where nothing is.
fn list(directory: &Path) -> Result<Option<Vec<(String, Kind)>>, Failure> {
    let failure = |source| Failure::read(directory, source);
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(source) if source.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) if source.kind() == ErrorKind::NotADirectory => {
            let path = directory.to_owned();
            return Err(Failure::ForeignFile {
                path,
                obstacle: Obstacle::File,
            });
        }
        Err(source) => return Err(failure(source)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failure)?;
        let kind = kind_of(entry.file_type().map_err(failure)?);
        names.push((entry.file_name().to_string_lossy().into_owned(), kind));
    }
    names.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(Some(names))
}

fn named(path: &str, kind: Kind) -> String {
    if kind == Kind::Directory {
        format!("{path}/")
    } else {
        path.to_owned()
    }
}
