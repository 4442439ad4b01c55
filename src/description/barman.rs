//! Barman servers and what they back up.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Export;
use crate::unique_map::UniqueMap;

/// One Barman server: streams WAL and takes full backups of one or more clusters.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BarmanServer {
    /// The overlay network. May be left out where only one exists.
    #[serde(default)]
    pub network: Option<String>,
    /// The host it runs on. A host runs one Barman server at most.
    pub host: String,
    /// Host name on the overlay. Default `NAME.DOMAIN`.
    #[serde(default)]
    pub hostname: Option<String>,
    /// Overlay address. Default: the lowest free one, kept in the lock file.
    #[serde(default)]
    pub ip: Option<String>,
    /// Nebula groups of its certificate, beside those that come by themselves.
    #[serde(default)]
    pub groups: Box<[String]>,
    /// Image of Barman. Default: built on the host from Debian's packages.
    #[serde(default)]
    pub image: Option<String>,
    /// Compression of archived WAL. Default `gzip`.
    #[serde(default)]
    pub compression: Compression,
    /// The clusters that are backed up.
    pub sources: Box<[BarmanSource]>,
    /// Restores that are made once, by name: each into `/var/containerops/data/barman_restored/NAME` of Barman's host.
    #[serde(default)]
    pub exports: UniqueMap<Export>,
}

/// Compression of archived WAL, by Barman's own names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// No compression.
    None,
    /// gzip.
    #[default]
    Gzip,
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
    /// zstd.
    Zstd,
    /// lz4.
    Lz4,
}

/// One cluster that is backed up.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BarmanSource {
    /// The Patroni cluster.
    pub cluster: String,
    /// When full backups are taken: five cron fields, in UTC.
    pub frequency: String,
    /// Number of backups that are always kept. Default 1.
    #[serde(default = "minimum_redundancy")]
    pub minimum_redundancy: u32,
    /// Days back to which the cluster can be restored.
    pub recovery_window: u32,
    /// Host of the proxy that Barman reads through. Default: the one on Barman's own host.
    #[serde(default)]
    pub proxy: Option<String>,
    /// Seconds after which a WAL segment is closed though it isn't full. Default 60.
    #[serde(default = "archive_timeout")]
    pub archive_timeout: u32,
    /// Restores that are made by schedule, to show that the backups are good. Default: none.
    #[serde(default)]
    pub drill: Option<Drill>,
}

/// Restores into scratch space on Barman's host, started without a network, looked through and removed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drill {
    /// When: five cron fields, in UTC.
    pub schedule: String,
    /// Directory on Barman's host with room for a whole restored cluster. Below `/var/containerops` only the default will do:
    /// `/var/containerops/data/barman_scratch`.
    #[serde(default)]
    pub scratch_path: Option<String>,
}

fn minimum_redundancy() -> u32 {
    1
}

fn archive_timeout() -> u32 {
    60
}
