//! One host's bundle on its own: what `hosts/NAME` of a tree holds, in a directory of any name.

use std::fs;
use std::path::Path;

use crate::bundle::Bundle;
use crate::failure::Failure;
use crate::manifest::{FILE_NAME, HostManifest};
use crate::survey::{self, Survey};
use crate::write::Changes;
use crate::write::apply::{self, Site};
use crate::write::disk::Disk;

/// A bundle that found nothing in its way. An existing directory is held until this is dropped.
#[derive(Debug)]
pub struct PreparedBundle<'a> {
    root: &'a Path,
    host: &'a str,
    bundle: &'a Bundle,
    manifest: Vec<u8>,
    lock: Option<fs::File>,
    pub(super) disk: Disk,
}

/// Compares the directory with the bundle, and finds everything that stands in the way.
pub fn prepare_bundle<'a>(
    root: &'a Path,
    host: &'a str,
    bundle: &'a Bundle,
) -> Result<PreparedBundle<'a>, Vec<Failure>> {
    let one = |failure| vec![failure];
    let lock = match survey::kind_at(root).map_err(one)? {
        Some(_) => Some(survey::lock(root).map_err(one)?),
        None => None,
    };
    let manifest = HostManifest::of(bundle).to_bytes();
    let survey = survey::host(root, host, &bundle.files, &manifest).map_err(one)?;
    if is_foreign(&survey) {
        return Err(one(Failure::ForeignTree {
            path: root.to_owned(),
        }));
    }
    if !survey.conflicts.is_empty() {
        return Err(survey.conflicts);
    }
    Ok(PreparedBundle {
        root,
        host,
        bundle,
        manifest,
        lock,
        disk: Disk::default(),
    })
}

/// Says whether a directory holds something and no run of ours was ever there.
fn is_foreign(survey: &Survey) -> bool {
    let is_empty =
        survey.foreign.is_empty() && survey.unchanged == 0 && survey.conflicts.is_empty();
    !survey.has_manifest && survey.leftovers.is_empty() && !is_empty
}

impl PreparedBundle<'_> {
    /// Writes what differs; returns what that was, with paths relative to the directory.
    pub fn commit(mut self) -> Result<Changes, Failure> {
        if self.lock.is_none() {
            self.disk.create_dirs(self.root)?;
            self.lock = Some(survey::lock(self.root)?);
        }
        let site = Site::host(&self.disk, self.root, &self.bundle.files);
        let survey = apply::recovered(&site, self.host, &self.manifest)?;
        if survey.is_changed() {
            site.write_host(&survey, &self.manifest)?;
        }
        let manifest = (!survey.manifest_is_current).then(|| FILE_NAME.to_owned());
        Ok(Changes {
            written: survey.actions.keys().cloned().chain(manifest).collect(),
            removed: survey.obsolete.iter().cloned().collect(),
            kept_foreign: survey.foreign.clone(),
            files_written: survey.actions.len(),
            unchanged: survey.unchanged,
            unfinished: false,
        })
    }
}
