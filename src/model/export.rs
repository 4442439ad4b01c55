//! Restores that are made once.

use super::{EndpointId, PatroniId};

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
