//! The names that the user wrote, those of entries with a wrong shape included.

use std::collections::BTreeSet;

use crate::description::Description;
use crate::pointer::{At, Pointer};
use crate::report::Code;
use crate::source::Source;

/// Up to so many errors, names are listed and guessed; later ones would only cost time.
pub(super) const FEW: usize = 200;

/// A section of the description whose names are referred to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Section {
    Networks,
    Hosts,
    Secrets,
    EtcdClusters,
    PatroniClusters,
}

impl Section {
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Networks => "networks",
            Self::Hosts => "hosts",
            Self::Secrets => "secrets",
            Self::EtcdClusters => "etcd_clusters",
            Self::PatroniClusters => "patroni_clusters",
        }
    }

    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Networks => "network",
            Self::Hosts => "host",
            Self::Secrets => "secret",
            Self::EtcdClusters => "etcd cluster",
            Self::PatroniClusters => "Patroni cluster",
        }
    }

    pub(super) fn unknown(self) -> Code {
        match self {
            Self::Networks => Code::UnknownNetwork,
            Self::Hosts => Code::UnknownHost,
            Self::Secrets => Code::UnknownSecret,
            Self::EtcdClusters => Code::UnknownEtcdCluster,
            Self::PatroniClusters => Code::UnknownPatroniCluster,
        }
    }
}

/// Names by section: those that decoded, and those that were written but did not.
pub(super) struct Names<'d> {
    description: &'d Description,
    undecoded: Vec<BTreeSet<String>>,
}

const SECTIONS: [Section; 5] = [
    Section::Networks,
    Section::Hosts,
    Section::Secrets,
    Section::EtcdClusters,
    Section::PatroniClusters,
];

impl<'d> Names<'d> {
    /// Reads the names of a description and, where the shape of something in it is wrong, of its text.
    pub(super) fn new(description: &'d Description, source: &Source, failed: &[Pointer]) -> Self {
        let written = |section: Section| {
            if failed.is_empty() {
                return BTreeSet::new();
            }
            let pointer = At::ROOT.key(section.key()).to_pointer();
            source.keys_of(&pointer).into_iter().collect()
        };
        Self {
            description,
            undecoded: SECTIONS.into_iter().map(written).collect(),
        }
    }

    fn written(&self, section: Section) -> Option<&BTreeSet<String>> {
        self.undecoded.get(section as usize)
    }

    fn decoded(&self, section: Section) -> Box<dyn Iterator<Item = &'d str> + 'd> {
        let description = self.description;
        match section {
            Section::Networks => Box::new(description.networks.keys().map(String::as_str)),
            Section::Hosts => Box::new(description.hosts.keys().map(String::as_str)),
            Section::Secrets => Box::new(description.secrets.keys().map(String::as_str)),
            Section::EtcdClusters => Box::new(description.etcd_clusters.keys().map(String::as_str)),
            Section::PatroniClusters => {
                Box::new(description.patroni_clusters.keys().map(String::as_str))
            }
        }
    }

    pub(super) fn contains(&self, section: Section, name: &str) -> bool {
        let description = self.description;
        let is_decoded = match section {
            Section::Networks => description.networks.contains_key(name),
            Section::Hosts => description.hosts.contains_key(name),
            Section::Secrets => description.secrets.contains_key(name),
            Section::EtcdClusters => description.etcd_clusters.contains_key(name),
            Section::PatroniClusters => description.patroni_clusters.contains_key(name),
        };
        is_decoded
            || self
                .written(section)
                .is_some_and(|names| names.contains(name))
    }

    pub(super) fn listed(&self, section: Section) -> Vec<String> {
        match self.written(section) {
            Some(written) if !written.is_empty() => written.iter().cloned().collect(),
            _ => self.decoded(section).map(str::to_owned).collect(),
        }
    }

    pub(super) fn count_networks(&self) -> usize {
        let written = self.written(Section::Networks).map_or(0, BTreeSet::len);
        written.max(self.description.networks.len())
    }
}
