//! Restores that are made once, and plain PostgreSQL on what they made.

use schemars::JsonSchema;
use serde::Deserialize;

/// A restore that is made once, into `/var/containerops/data/barman_restored/NAME` of Barman's host: the database as it was at
/// one moment, or at the latest without any. A directory of that name is never made anew and never removed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// The Patroni cluster, one of this Barman server's sources.
    pub cluster: String,
    /// A moment, with its zone: `2026-11-24 10:00:00+00`.
    #[serde(default)]
    pub target_time: Option<String>,
    /// A place in the WAL, such as `0/3000120`.
    #[serde(default)]
    pub target_lsn: Option<String>,
    /// The commit of a transaction.
    #[serde(default)]
    pub target_xid: Option<u64>,
    /// A restore point, made before by `pg_create_restore_point`.
    #[serde(default)]
    pub target_name: Option<String>,
    /// Whether it stops just before the time, LSN or transaction, and not just after. Default false.
    #[serde(default)]
    pub exclusive: bool,
    /// The backup to start from. Default: the last one before the target.
    #[serde(default)]
    pub backup_id: Option<String>,
    /// Plain PostgreSQL that runs on the restored directory, without Patroni. Default: none.
    #[serde(default)]
    pub postgres: Option<ExportPostgres>,
}

/// A pod of plain PostgreSQL, `postgres-NAME`, on port 5432 of its own overlay address. Roles have the passwords that they had.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportPostgres {
    /// Host name on the overlay. Default `NAME.SERVER-export.DOMAIN`.
    #[serde(default)]
    pub hostname: Option<String>,
    /// Overlay address. Default: the lowest free one, kept in the lock file.
    #[serde(default)]
    pub ip: Option<String>,
    /// Nebula groups of its certificate.
    #[serde(default)]
    pub groups: Box<[String]>,
    /// Nebula groups that may talk to it.
    #[serde(default)]
    pub client_groups: Box<[String]>,
}
