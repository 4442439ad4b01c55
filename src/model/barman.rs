//! Barman servers: what they back up, and what they restore.

use super::{EndpointId, PatroniId};

/// A Barman server.
#[derive(Debug)]
pub struct BarmanServer {
    /// Its name.
    pub name: String,
    /// Its place.
    pub endpoint: EndpointId,
    /// Compression of archived WAL.
    pub compression: Compression,
    /// What is backed up, sorted by cluster.
    pub sources: Vec<BarmanSource>,
    /// Restores that are made once, sorted by name.
    pub exports: Vec<Export>,
    /// Image, where the description names one.
    pub image: Option<String>,
}

/// A cluster that is backed up.
#[derive(Debug)]
pub struct BarmanSource {
    /// The cluster.
    pub cluster: PatroniId,
    /// The proxy that Barman reads through.
    pub proxy: EndpointId,
    /// Five cron fields, in UTC.
    pub frequency: String,
    /// Number of backups that are always kept.
    pub minimum_redundancy: u32,
    /// Days back to which the cluster can be restored.
    pub recovery_window: u32,
    /// The restores that show whether the backups are good.
    pub drill: Option<Drill>,
}

/// Restores by schedule.
#[derive(Debug, PartialEq, Eq)]
pub struct Drill {
    /// Five cron fields, in UTC.
    pub schedule: String,
    /// Directory on Barman's host for what is restored.
    pub scratch_path: String,
}

/// Compression of archived WAL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// No compression.
    None,
    /// gzip.
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

/// A restore that is made once.
#[derive(Debug)]
pub struct Export {
    /// Its name, and that of the directory that it makes.
    pub name: String,
    /// The cluster.
    pub cluster: PatroniId,
    /// Where recovery stops.
    pub target: ExportTarget,
    /// Whether it stops just before the target, and not just after.
    pub exclusive: bool,
    /// The backup to start from, where the description names one.
    pub backup_id: Option<String>,
    /// The place of plain PostgreSQL on what was made, where there is one.
    pub postgres: Option<EndpointId>,
}

/// Where the recovery of an export stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportTarget {
    /// At the end of all that has arrived.
    Latest,
    /// At a moment, in UTC: `2026-11-24T10:00:00+00:00`.
    Time(String),
    /// At a place in the WAL.
    Lsn(String),
    /// At the commit of a transaction.
    Xid(u64),
    /// At a restore point.
    Name(String),
}
