//! Brings one directory of the tree from what it is to what is wanted.
//!
//! Killed at any point, the directory still tells which of its files are ours: the old manifest
//! stays until everything else is done, and the next one, complete before the first file is
//! touched, names the files that come.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::bundle::File;
use crate::failure::Failure;
use crate::manifest::FILE_NAME;
use crate::survey::{self, Action, Content, NEXT, Survey, TEMPORARY, ancestors};
use crate::write::disk::Disk;

/// A directory that is to be changed.
pub(crate) struct Site<'a, C = File> {
    pub(crate) disk: &'a Disk,
    /// The directory.
    pub(crate) root: &'a Path,
    /// Where a file is written before it is renamed.
    pub(crate) temporary: PathBuf,
    /// The files that are wanted.
    pub(crate) files: &'a BTreeMap<String, C>,
}

impl<'a> Site<'a> {
    /// Returns the site of a host.
    pub(crate) fn host(disk: &'a Disk, root: &'a Path, files: &'a BTreeMap<String, File>) -> Self {
        Self {
            disk,
            root,
            temporary: root.join(TEMPORARY),
            files,
        }
    }
}

impl<C: Content> Site<'_, C> {
    /// Writes a host: its next manifest, its files, and last of all its manifest.
    pub(crate) fn write_host(&self, survey: &Survey, manifest: &[u8]) -> Result<(), Failure> {
        if !survey.exists {
            self.disk.create_dir(self.root)?;
        }
        let next = self.root.join(NEXT);
        self.disk.create(&next, 0o644, manifest)?;
        self.write_files(survey)?;
        self.disk.rename(&next, &self.root.join(FILE_NAME))
    }

    /// Writes the files that differ, and removes those that are wanted no more.
    ///
    /// Where no run was ever finished nobody reads yet, so files are written in place.
    pub(crate) fn write_files(&self, survey: &Survey) -> Result<(), Failure> {
        let (blocking, others): (Vec<_>, Vec<_>) =
            survey.obsolete.iter().partition(|path| self.blocks(path));
        for path in &blocking {
            self.disk.remove_file(&self.root.join(path))?;
        }
        if self.files.keys().any(|path| survey.emptied.contains(path)) {
            self.remove_empty(&survey.emptied)?;
        }
        self.make_directories(survey)?;
        for (path, action) in &survey.actions {
            let Some(file) = self.files.get(path) else {
                continue;
            };
            let path = self.root.join(path);
            match action {
                Action::SetMode(mode) => self.disk.set_mode(&path, *mode)?,
                Action::Create if !survey.has_manifest => {
                    self.disk.create(&path, file.mode(), &file.bytes())?;
                }
                Action::Create | Action::Replace => {
                    self.disk
                        .create(&self.temporary, file.mode(), &file.bytes())?;
                    self.disk.rename(&self.temporary, &path)?;
                }
            }
        }
        for path in others {
            self.disk.remove_file(&self.root.join(path))?;
        }
        self.remove_empty(&survey.emptied)
    }

    /// Says whether an old file stands above or below a wanted one.
    fn blocks(&self, path: &str) -> bool {
        let below = format!("{path}/");
        let is_above = self
            .files
            .range(below.clone()..)
            .next()
            .is_some_and(|(wanted, _)| wanted.starts_with(&below));
        is_above || ancestors(path).any(|directory| self.files.contains_key(directory))
    }

    fn make_directories(&self, survey: &Survey) -> Result<(), Failure> {
        let created = survey
            .actions
            .iter()
            .filter(|(_, action)| **action == Action::Create);
        let mut directories = BTreeSet::new();
        for (path, _) in created {
            // The nearest directory known means that those above it are known as well.
            for directory in ancestors(path) {
                if !directories.insert(directory) {
                    break;
                }
            }
        }
        for directory in directories {
            self.disk.create_dir(&self.root.join(directory))?;
        }
        Ok(())
    }

    /// Removes those directories that are empty, the deepest first.
    fn remove_empty(&self, directories: &BTreeSet<String>) -> Result<(), Failure> {
        for directory in directories.iter().rev() {
            self.disk.remove_empty_dir(&self.root.join(directory))?;
        }
        Ok(())
    }

    /// Takes back what a killed run had begun and nobody knew before it.
    pub(crate) fn recover(&self, survey: &Survey) -> Result<(), Failure> {
        for path in &survey.undo {
            self.disk.remove_file(&self.root.join(path))?;
        }
        self.remove_empty(&survey.undo_directories)?;
        for (path, mode) in &survey.modes {
            self.disk.set_mode(&self.root.join(path), *mode)?;
        }
        self.remove_leftovers(survey)
    }

    /// Removes temporaries; while the next manifest lies there, a run is known as unfinished.
    fn remove_leftovers(&self, survey: &Survey) -> Result<(), Failure> {
        for name in &survey.leftovers {
            self.disk.remove_file(&self.root.join(name))?;
        }
        Ok(())
    }

    /// Removes a host that is wanted no more; says whether its directory is gone.
    pub(crate) fn remove_host(&self, survey: &Survey) -> Result<bool, Failure> {
        for path in survey.undo.iter().chain(&survey.obsolete) {
            self.disk.remove_file(&self.root.join(path))?;
        }
        self.remove_empty(&survey.emptied)?;
        self.remove_leftovers(survey)?;
        if survey.has_manifest {
            self.disk.remove_file(&self.root.join(FILE_NAME))?;
        }
        self.disk.remove_empty_dir(self.root)
    }
}

/// Surveys a host, and takes back first what a killed run left there.
pub(crate) fn recovered(site: &Site<'_>, name: &str, manifest: &[u8]) -> Result<Survey, Failure> {
    let mut survey = survey::host(site.root, name, site.files, manifest)?;
    if let Some(conflict) = survey.conflicts.pop() {
        return Err(conflict);
    }
    if survey.leftovers.is_empty() {
        return Ok(survey);
    }
    site.recover(&survey)?;
    survey::host(site.root, name, site.files, manifest)
}
