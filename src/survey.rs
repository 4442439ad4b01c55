//! Compares a directory of the tree with what is wanted there, without changing anything.
//!
//! Links are never followed: whatever is not a plain file or directory is somebody else's.

mod content;
mod tree;
mod wanted;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::bundle::File;
use crate::failure::{Failure, Obstacle};
use crate::manifest::{FILE_NAME, HostManifest};

use content::compare;

pub(crate) use content::{Content, Late, late};
pub(crate) use tree::{Tree, lock};
pub use wanted::{Scope, Wanted};
pub(crate) use wanted::{operator_of, vanished};

/// A file on its way to another name.
pub(crate) const TEMPORARY: &str = ".cops-gen.tmp";

/// The manifest that a host will have: names every file of a run before its first one is made.
pub(crate) const NEXT: &str = ".cops-gen.next";

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Directory,
    File,
    Other(Obstacle),
}

/// Everything in a directory, by path relative to it; `None` where there is no directory.
pub(crate) type Present = BTreeMap<String, Kind>;

/// What must be done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Create,
    Replace,
    SetMode(u32),
}

/// Which files of a directory are ours, as far as its manifests say.
#[derive(Debug, Default)]
pub(crate) struct Owned {
    /// The files of the last finished run, with their modes.
    pub(crate) old: BTreeMap<String, u32>,
    /// The files of a run that was killed.
    pub(crate) pending: BTreeSet<String>,
    /// Whether a run was killed here, so that modes may be between old and new.
    pub(crate) is_unfinished: bool,
}

/// How a directory differs from what is wanted there. Paths are relative to the directory.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Whether the directory is there.
    pub(crate) exists: bool,
    /// Whether a run has ever been finished here.
    pub(crate) has_manifest: bool,
    /// Whether the manifest on disk is the wanted one.
    pub(crate) manifest_is_current: bool,
    /// Files to create, replace or repair.
    pub(crate) actions: BTreeMap<String, Action>,
    /// Files of ours that are wanted no more.
    pub(crate) obsolete: BTreeSet<String>,
    /// Files of a killed run that no finished run knew.
    pub(crate) undo: BTreeSet<String>,
    /// Directories that a killed run made and no finished run knew.
    pub(crate) undo_directories: BTreeSet<String>,
    /// Modes that a killed run may have changed, as they were.
    pub(crate) modes: BTreeMap<String, u32>,
    /// Directories of ours that no wanted file needs; removed when nothing else is in them.
    pub(crate) emptied: BTreeSet<String>,
    /// Temporaries of a killed run; the next manifest is the last of them.
    pub(crate) leftovers: Vec<&'static str>,
    /// Files that are not ours, and stay.
    pub(crate) foreign: Vec<String>,
    /// How many files are as they should be.
    pub(crate) unchanged: usize,
    /// What stands where a file must go.
    pub(crate) conflicts: Vec<Failure>,
}

impl Survey {
    /// Says whether a run would change anything here.
    pub(crate) fn is_changed(&self) -> bool {
        let same = self.manifest_is_current
            && self.actions.is_empty()
            && self.obsolete.is_empty()
            && self.undo.is_empty()
            && self.emptied.is_empty()
            && self.leftovers.is_empty();
        !same
    }
}

/// Compares the directory of a host; `manifest` is the text that its manifest shall have.
pub(crate) fn host(
    root: &Path,
    name: &str,
    files: &BTreeMap<String, File>,
    manifest: &[u8],
) -> Result<Survey, Failure> {
    let Some(mut present) = walk(root)? else {
        return survey(root, files, None, &Owned::default());
    };
    let mut owned = Owned::default();
    let old = own_file(root, FILE_NAME, &mut present)?;
    let is_current = old.as_deref() == Some(manifest);
    if is_current {
        owned.old = modes(files);
    } else if let Some(bytes) = &old {
        let manifest = HostManifest::parse(bytes, name).map_err(|reason| Failure::Manifest {
            path: root.join(FILE_NAME),
            reason,
        })?;
        let entries = manifest.files.into_iter();
        owned.old = entries
            .map(|(path, entry)| (path.into_owned(), entry.mode.0))
            .collect();
    }
    let next = own_file(root, NEXT, &mut present)?;
    let temporary = own_file(root, TEMPORARY, &mut present)?;
    if let Some(bytes) = &next {
        owned.is_unfinished = true;
        // A half-written one was never acted upon: it is complete before the first file is touched.
        if let Ok(next) = HostManifest::parse(bytes, name) {
            owned.pending = next.files.into_keys().map(Cow::into_owned).collect();
        }
    }
    let mut survey = survey(root, files, Some(present), &owned)?;
    survey.has_manifest = old.is_some();
    survey.manifest_is_current = is_current;
    survey.leftovers.extend(temporary.map(|_| TEMPORARY));
    survey.leftovers.extend(next.map(|_| NEXT));
    Ok(survey)
}

/// Compares the operator's directory, whose files the manifest of the tree names.
pub(crate) fn operator(
    root: &Path,
    files: &BTreeMap<String, Late<'_>>,
    owned: &Owned,
) -> Result<Survey, Failure> {
    let found = survey(root, files, walk(root)?, owned)?;
    Ok(Survey {
        has_manifest: true,
        manifest_is_current: true,
        ..found
    })
}

/// Returns the modes of files, by path.
fn modes(files: &BTreeMap<String, File>) -> BTreeMap<String, u32> {
    files
        .iter()
        .map(|(path, file)| (path.clone(), file.mode))
        .collect()
}

/// Takes a file with a reserved name out of what is present, and reads it.
fn own_file(root: &Path, name: &str, present: &mut Present) -> Result<Option<Vec<u8>>, Failure> {
    let path = root.join(name);
    match present.remove(name) {
        None => Ok(None),
        Some(Kind::File) => fs::read(&path)
            .map(Some)
            .map_err(|source| Failure::read(path, source)),
        Some(Kind::Directory) => Err(Failure::ForeignFile {
            path,
            obstacle: Obstacle::Directory,
        }),
        Some(Kind::Other(obstacle)) => Err(Failure::ForeignFile { path, obstacle }),
    }
}

/// Lists everything below `root`; a link or a file in its place is refused.
pub(crate) fn walk(root: &Path) -> Result<Option<Present>, Failure> {
    match kind_at(root)? {
        None => return Ok(None),
        Some(Kind::Directory) => {}
        Some(kind) => {
            return Err(Failure::ForeignFile {
                path: root.to_owned(),
                obstacle: obstacle(kind),
            });
        }
    }
    let mut present = Present::new();
    // Every path found is the root's, a slash and the rest.
    let start = root.as_os_str().len() + 1;
    for entry in WalkDir::new(root).min_depth(1) {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(root).to_owned();
            Failure::read(path, error.into())
        })?;
        let path = entry.path().as_os_str().as_encoded_bytes();
        let path = String::from_utf8_lossy(path.get(start..).unwrap_or_default());
        present.insert(path.into_owned(), kind_of(entry.file_type()));
    }
    Ok(Some(present))
}

/// Says what stands at a path, without following a link.
pub(crate) fn kind_at(path: &Path) -> Result<Option<Kind>, Failure> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(kind_of(metadata.file_type()))),
        Err(source) if source.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Failure::read(path, source)),
    }
}

pub(crate) fn kind_of(file_type: fs::FileType) -> Kind {
    if file_type.is_dir() {
        Kind::Directory
    } else if file_type.is_file() {
        Kind::File
    } else if file_type.is_symlink() {
        Kind::Other(Obstacle::Link)
    } else {
        Kind::Other(Obstacle::Special)
    }
}

pub(crate) fn obstacle(kind: Kind) -> Obstacle {
    match kind {
        Kind::Directory => Obstacle::Directory,
        Kind::File => Obstacle::File,
        Kind::Other(obstacle) => obstacle,
    }
}

/// Returns the directories above a path, the nearest first.
pub(crate) fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.rmatch_indices('/')
        .filter_map(|(end, _)| path.get(..end))
}

fn survey(
    root: &Path,
    files: &BTreeMap<String, impl Content>,
    present: Option<Present>,
    owned: &Owned,
) -> Result<Survey, Failure> {
    let Some(mut present) = present else {
        let actions = files
            .keys()
            .map(|path| (path.clone(), Action::Create))
            .collect();
        return Ok(Survey {
            actions,
            ..Survey::default()
        });
    };
    let mut result = Survey {
        exists: true,
        ..Survey::default()
    };
    let is_file = |path: &&String| present.get(*path) == Some(&Kind::File);
    let undo = owned
        .pending
        .iter()
        .filter(|path| !owned.old.contains_key(*path));
    result.undo = undo.clone().filter(is_file).cloned().collect();
    let obsolete = owned.old.keys().filter(|path| !files.contains_key(*path));
    result.obsolete = obsolete.clone().filter(is_file).cloned().collect();
    let is_directory = |path: &&str| present.get(*path) == Some(&Kind::Directory);
    let directories = |paths: &mut dyn Iterator<Item = &String>| -> BTreeSet<String> {
        let above = paths.flat_map(|path| ancestors(path));
        above.filter(is_directory).map(str::to_owned).collect()
    };
    result.undo_directories = directories(&mut undo.clone());
    if !result.undo_directories.is_empty() {
        for known in owned.old.keys().flat_map(|path| ancestors(path)) {
            result.undo_directories.remove(known);
        }
    }
    result.emptied = directories(&mut undo.chain(obsolete));
    if !result.emptied.is_empty() {
        for needed in files.keys().flat_map(|path| ancestors(path)) {
            result.emptied.remove(needed);
        }
    }
    present.retain(|path, _| !result.undo.contains(path));
    if owned.is_unfinished {
        result.modes = changed_modes(root, &present, &owned.old)?;
    }
    let is_foreign = |path: &str, kind: Kind| {
        kind != Kind::Directory && !files.contains_key(path) && !result.obsolete.contains(path)
    };
    let foreign = present
        .iter()
        .filter(|(path, kind)| is_foreign(path, **kind));
    result.foreign = foreign.map(|(path, _)| path.clone()).collect();
    compare_files(
        &Place {
            root,
            present: &present,
            owned,
        },
        files,
        &mut result,
    )?;
    Ok(result)
}

/// A directory, with what is in it and whose that is.
struct Place<'a> {
    root: &'a Path,
    present: &'a Present,
    owned: &'a Owned,
}

/// Adds to a survey what each wanted file needs, or what stands in its way.
fn compare_files(
    place: &Place<'_>,
    files: &BTreeMap<String, impl Content>,
    result: &mut Survey,
) -> Result<(), Failure> {
    let Place {
        root,
        present,
        owned,
    } = *place;
    let mut buffer = Vec::new();
    let mut in_the_way = BTreeMap::new();
    for (path, file) in files {
        let action = match present.get(path) {
            None => {
                in_the_way.extend(blocked_above(path, present, result));
                Some(Action::Create)
            }
            Some(Kind::Directory) => {
                in_the_way.extend(blocked_below(path, present, result));
                Some(Action::Create)
            }
            Some(Kind::Other(obstacle)) => {
                in_the_way.insert(path, *obstacle);
                None
            }
            Some(Kind::File) => {
                let metadata = compare(&root.join(path), file, &mut buffer)?;
                if metadata.is_none() && !owned.old.contains_key(path) {
                    in_the_way.insert(path, Obstacle::File);
                }
                repair(path, file.mode(), metadata, owned)
            }
        };
        match action {
            Some(action) => {
                result.actions.insert(path.clone(), action);
            }
            None => result.unchanged += 1,
        }
    }
    let conflict = |(path, obstacle)| Failure::ForeignFile {
        path: root.join::<&str>(path),
        obstacle,
    };
    result.conflicts = in_the_way.into_iter().map(conflict).collect();
    Ok(())
}

/// Finds the files whose mode is not the one that the old manifest names.
fn changed_modes(
    root: &Path,
    present: &Present,
    old: &BTreeMap<String, u32>,
) -> Result<BTreeMap<String, u32>, Failure> {
    let mut changed = BTreeMap::new();
    for (path, mode) in old {
        if present.get(path) == Some(&Kind::File) {
            let file = root.join(path);
            let metadata =
                fs::symlink_metadata(&file).map_err(|source| Failure::read(file, source))?;
            if metadata.permissions().mode() & 0o7777 != *mode {
                changed.insert(path.clone(), *mode);
            }
        }
    }
    Ok(changed)
}

/// Finds what stands where a directory above `path` must be.
fn blocked_above<'a>(
    path: &'a str,
    present: &Present,
    survey: &Survey,
) -> Option<(&'a str, Obstacle)> {
    ancestors(path).find_map(|directory| match present.get(directory)? {
        Kind::Directory => None,
        Kind::File if survey.obsolete.contains(directory) => None,
        kind @ (Kind::File | Kind::Other(_)) => Some((directory, obstacle(*kind))),
    })
}

/// Says whether the directory at `path` will not be gone when the file `path` is made.
fn blocked_below<'a>(
    path: &'a str,
    present: &Present,
    survey: &Survey,
) -> Option<(&'a str, Obstacle)> {
    let below = format!("{path}/");
    let goes = |path: &str, kind: Kind| match kind {
        Kind::Directory => survey.emptied.contains(path) || survey.undo_directories.contains(path),
        Kind::File => survey.obsolete.contains(path),
        Kind::Other(_) => false,
    };
    let mut inside = present
        .range(below.clone()..)
        .take_while(|(path, _)| path.starts_with(&below));
    let all_go = goes(path, Kind::Directory) && inside.all(|(path, kind)| goes(path, *kind));
    (!all_go).then_some((path, Obstacle::Directory))
}

/// Says what a file of ours needs, given its wanted mode and what [`compare`] returned.
fn repair(path: &str, wanted: u32, metadata: Option<Metadata>, owned: &Owned) -> Option<Action> {
    let Some(metadata) = metadata else {
        return Some(Action::Replace);
    };
    let mode = metadata.permissions().mode() & 0o7777;
    let was_wanted = owned.old.get(path) == Some(&wanted);
    let fits = if was_wanted && !owned.is_unfinished {
        mode_fits(mode, wanted)
    } else {
        mode == wanted
    };
    (!fits).then_some(Action::SetMode(wanted))
}

/// Says whether a mode on disk stands for the wanted one.
///
/// Git and the Nix store keep only whether a file can be executed, and the reader's umask decides
/// the rest; so only that is compared, and the bits that nobody gives by accident.
pub(crate) fn mode_fits(mode: u32, wanted: u32) -> bool {
    const KEPT: u32 = 0o7100;
    mode & KEPT == wanted & KEPT
}

/// Joins a directory's name in the tree and a path in it.
pub(crate) fn label(prefix: &str, path: &str) -> String {
    format!("{prefix}/{path}")
}

/// Returns the directory of a host.
pub(crate) fn host_root(out: &Path, name: &str) -> PathBuf {
    out.join("hosts").join(name)
}
