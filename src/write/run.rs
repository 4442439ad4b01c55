//! One run over a whole tree: what comes before its hosts, between them and after them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rayon::prelude::*;

use crate::bundle::Bundle;
use crate::compare;
use crate::failure::Failure;
use crate::manifest::{Digest, FILE_NAME, HostEntry, HostManifest, TreeManifest};
use crate::survey::{
    self, Late, Scope, Survey, TEMPORARY, Tree, Wanted, host_root, label, late, vanished,
};
use crate::write::apply::{self, Site};
use crate::write::disk::Disk;
use crate::write::{Changes, host_changes, site_changes};

/// A run that found nothing in its way, and has changed nothing yet.
///
/// An existing tree is held against other runs until this is dropped.
pub struct Prepared<'a, L> {
    out: &'a Path,
    wanted: Wanted<'a, L>,
    /// The operator's files.
    operator: BTreeMap<String, Late<'a>>,
    tree: Tree,
    lock: Option<fs::File>,
    /// Hosts that are as they should be, with their digests.
    done: BTreeMap<String, (Digest, Changes)>,
    pub(super) disk: Disk,
}

/// Compares the tree with what is wanted, and finds everything that stands in the way.
pub fn prepare<'a, L>(out: &'a Path, wanted: Wanted<'a, L>) -> Result<Prepared<'a, L>, Vec<Failure>>
where
    L: Fn(&str) -> Bundle + Sync,
{
    let lock = if out.exists() {
        Some(survey::lock(out).map_err(one)?)
    } else {
        None
    };
    let tree = Tree::read(out, wanted.scope.hosts()).map_err(one)?;
    let mut prepared = Prepared {
        out,
        operator: late(wanted.operator),
        wanted,
        tree,
        lock,
        done: BTreeMap::new(),
        disk: Disk::default(),
    };
    let found: Vec<_> = prepared
        .existing()
        .par_iter()
        .map(|name| prepared.compare(name))
        .collect();
    let mut failures = Vec::new();
    for result in found {
        match result {
            Ok(Some((name, done))) => {
                prepared.done.insert(name, done);
            }
            Ok(None) => {}
            Err(conflicts) => failures.extend(conflicts),
        }
    }
    match prepared.survey_operator() {
        Ok(survey) => failures.extend(survey.into_iter().flat_map(|survey| survey.conflicts)),
        Err(failure) => failures.push(failure),
    }
    if failures.is_empty() {
        Ok(prepared)
    } else {
        Err(failures)
    }
}

fn one(failure: Failure) -> Vec<Failure> {
    vec![failure]
}

impl<L> Prepared<'_, L>
where
    L: Fn(&str) -> Bundle + Sync,
{
    /// Returns the hosts that have a directory, wanted or vanished.
    fn existing(&self) -> Vec<String> {
        let vanished = vanished(&self.tree, self.wanted.scope);
        let wanted = self.wanted.scope.hosts();
        let existing = self.tree.hosts.iter();
        existing
            .filter(|name| wanted.contains(*name) || vanished.contains(*name))
            .cloned()
            .collect()
    }

    /// Compares one host; returns it if nothing is to be done.
    #[expect(
        clippy::type_complexity,
        reason = "a host's name and what is known of it"
    )]
    fn compare(&self, name: &str) -> Result<Option<(String, (Digest, Changes))>, Vec<Failure>> {
        let root = host_root(self.out, name);
        if !self.wanted.scope.hosts().contains(name) {
            survey::host(&root, name, &BTreeMap::new(), &[]).map_err(one)?;
            return Ok(None);
        }
        let bundle = (self.wanted.lower)(name);
        let manifest = HostManifest::of(&bundle).to_bytes();
        let survey = survey::host(&root, name, &bundle.files, &manifest).map_err(one)?;
        if !survey.conflicts.is_empty() {
            return Err(survey.conflicts);
        }
        if survey.is_changed() {
            return Ok(None);
        }
        Ok(Some((
            name.to_owned(),
            (Digest::of(&manifest), host_changes(name, &survey)),
        )))
    }

    fn survey_operator(&self) -> Result<Option<Survey>, Failure> {
        match self.wanted.scope {
            Scope::All(_) => survey::operator_of(self.out, &self.tree, &self.operator).map(Some),
            Scope::Hosts(_) => Ok(None),
        }
    }

    /// Writes what differs; returns what that was.
    pub fn commit(mut self) -> Result<Changes, Failure> {
        self.hold()?;
        let operator = self.survey_operator()?;
        self.mark(operator.as_ref())?;
        let mut changes = Changes {
            kept_foreign: self.tree.foreign.clone(),
            ..Changes::default()
        };
        let digests = self.write_hosts(&mut changes)?;
        let vanished = vanished(&self.tree, self.wanted.scope);
        for name in &vanished {
            self.remove_host(name, &mut changes)?;
        }
        if let Some(survey) = operator {
            self.write_operator(&survey, &mut changes)?;
        }
        self.finish(digests, &mut changes)?;
        changes.written.sort_unstable();
        changes.removed.sort_unstable();
        changes.kept_foreign.sort_unstable();
        Ok(changes)
    }

    /// Makes the directory if need be, and keeps other runs out.
    fn hold(&mut self) -> Result<(), Failure> {
        if self.lock.is_some() {
            return Ok(());
        }
        self.disk.create_dirs(self.out)?;
        self.lock = Some(survey::lock(self.out)?);
        let now = Tree::read(self.out, self.wanted.scope.hosts())?;
        if now.bytes.is_some() {
            return Err(Failure::Busy {
                path: self.out.to_owned(),
            });
        }
        Ok(())
    }

    /// Marks the tree as unfinished where its manifest does not yet name what comes.
    fn mark(&mut self, operator: Option<&Survey>) -> Result<(), Failure> {
        if self.tree.has_temporary {
            self.disk.remove_file(&self.out.join(TEMPORARY))?;
        }
        let manifest = &self.tree.manifest;
        let names_hosts = self
            .wanted
            .scope
            .hosts()
            .iter()
            .all(|name| manifest.hosts.contains_key(name));
        let operator_is_same = operator.is_none_or(|survey| !survey.is_changed());
        if self.tree.bytes.is_some() && names_hosts && operator_is_same {
            return Ok(());
        }
        let mut marked = manifest.clone();
        marked.unfinished = true;
        for name in self.wanted.scope.hosts() {
            marked
                .hosts
                .entry(name.clone())
                .or_insert(HostEntry { sha256: None });
        }
        if operator.is_some() {
            for (path, file) in &self.operator {
                marked
                    .files
                    .entry(label("operator", path))
                    .or_insert(file.entry);
            }
        }
        self.replace_manifest(&marked)
    }

    fn replace_manifest(&mut self, manifest: &TreeManifest) -> Result<(), Failure> {
        let bytes = manifest.to_bytes();
        if self.tree.bytes.as_ref() != Some(&bytes) {
            let temporary = self.out.join(TEMPORARY);
            self.disk.create(&temporary, 0o644, &bytes)?;
            self.disk.rename(&temporary, &self.out.join(FILE_NAME))?;
            self.tree.bytes = Some(bytes);
        }
        Ok(())
    }

    fn write_hosts(&mut self, changes: &mut Changes) -> Result<BTreeMap<String, Digest>, Failure> {
        if !self.wanted.scope.hosts().is_subset(&self.tree.hosts) {
            self.disk.create_dir(&self.out.join("hosts"))?;
        }
        let mut digests = BTreeMap::new();
        for (name, (digest, same)) in std::mem::take(&mut self.done) {
            digests.insert(name, digest);
            changes.extend(same);
        }
        let due: Vec<&String> = self
            .wanted
            .scope
            .hosts()
            .iter()
            .filter(|name| !digests.contains_key(*name))
            .collect();
        let written: Vec<(String, Digest, Changes)> = due
            .into_par_iter()
            .map(|name| self.write_host(name))
            .collect::<Result<_, _>>()?;
        for (name, digest, change) in written {
            digests.insert(name, digest);
            changes.extend(change);
        }
        Ok(digests)
    }

    fn write_host(&self, name: &str) -> Result<(String, Digest, Changes), Failure> {
        let bundle = (self.wanted.lower)(name);
        let manifest = HostManifest::of(&bundle).to_bytes();
        let root = host_root(self.out, name);
        let site = Site::host(&self.disk, &root, &bundle.files);
        let survey = apply::recovered(&site, name, &manifest)?;
        let digest = Digest::of(&manifest);
        if !survey.is_changed() {
            return Ok((name.to_owned(), digest, host_changes(name, &survey)));
        }
        site.write_host(&survey, &manifest)?;
        Ok((name.to_owned(), digest, host_changes(name, &survey)))
    }

    fn remove_host(&self, name: &str, changes: &mut Changes) -> Result<(), Failure> {
        let root = host_root(self.out, name);
        let files = BTreeMap::new();
        let survey = survey::host(&root, name, &files, &[])?;
        if !survey.exists {
            return Ok(());
        }
        let site = Site::host(&self.disk, &root, &files);
        if site.remove_host(&survey)? {
            changes.removed.push(format!("hosts/{name}/"));
        } else {
            let prefix = format!("hosts/{name}");
            changes
                .removed
                .extend(survey.obsolete.iter().map(|path| label(&prefix, path)));
            changes
                .kept_foreign
                .extend(survey.foreign.iter().map(|path| label(&prefix, path)));
        }
        Ok(())
    }

    fn write_operator(&self, survey: &Survey, changes: &mut Changes) -> Result<(), Failure> {
        let vanishes = survey.exists && self.operator.is_empty();
        let vanishes = vanishes && !self.tree.manifest.files.is_empty();
        if !survey.is_changed() && !vanishes {
            changes.extend(site_changes("operator", survey));
            return Ok(());
        }
        let root = self.out.join("operator");
        let temporary = self.out.join(TEMPORARY);
        let site = Site {
            disk: &self.disk,
            root: &root,
            temporary,
            files: &self.operator,
        };
        if !self.operator.is_empty() {
            self.disk.create_dir(&root)?;
        }
        site.write_files(survey)?;
        if vanishes {
            self.disk.remove_empty_dir(&root)?;
        }
        changes.extend(site_changes("operator", survey));
        Ok(())
    }

    /// Writes the manifest of the tree, last of all.
    fn finish(
        &mut self,
        digests: BTreeMap<String, Digest>,
        changes: &mut Changes,
    ) -> Result<(), Failure> {
        let mut manifest = self.tree.manifest.clone();
        match self.wanted.scope {
            Scope::All(_) => {
                let operator = self.operator.iter();
                manifest = TreeManifest {
                    files: operator
                        .map(|(path, file)| (label("operator", path), file.entry))
                        .collect(),
                    ..TreeManifest::empty()
                };
            }
            Scope::Hosts(hosts) => {
                let mut others = manifest
                    .hosts
                    .iter()
                    .filter(|(name, _)| !hosts.contains(*name));
                let waits = others.any(|(_, entry)| entry.sha256.is_none());
                manifest.unfinished = manifest.unfinished
                    && (waits || !compare::verify_operator(self.out, &manifest)?.is_empty());
                changes.unfinished = manifest.unfinished;
            }
        }
        let entries = digests.into_iter().map(|(name, digest)| {
            let sha256 = Some(digest);
            (name, HostEntry { sha256 })
        });
        manifest.hosts.extend(entries);
        if manifest.hosts.is_empty() && !self.tree.manifest.hosts.is_empty() {
            self.disk.remove_empty_dir(&self.out.join("hosts"))?;
        }
        if self.tree.bytes.as_deref() != Some(manifest.to_bytes().as_slice()) {
            changes.written.push(FILE_NAME.to_owned());
        }
        self.replace_manifest(&manifest)
    }
}
