//! What one host gets: files as bytes, and what a change of each means to its units.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// All files of one host, and the table of its units.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bundle {
    /// The host's name.
    pub host: String,
    /// The Podman version the units are written for, such as `5.4`.
    pub podman_version: String,
    /// Files by their path relative to the bundle (`rootfs/etc/…`), always with `/`.
    pub files: BTreeMap<String, File>,
    /// Units by their systemd name (`patroni-app-main.service`).
    pub units: BTreeMap<String, UnitChange>,
}

/// One file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The permission bits, such as `0o644`.
    pub mode: u32,
    /// The content.
    pub bytes: Cow<'static, [u8]>,
}

/// What a change of files means to one unit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitChange {
    /// Paths in the bundle whose change restarts the unit.
    pub restart: BTreeSet<String>,
    /// Paths in the bundle whose change only reloads the unit.
    pub reload: BTreeSet<String>,
    /// Whether a restart is safe unattended.
    pub on_change: OnChange,
    /// Units of this bundle that are started before this one.
    pub after: BTreeSet<String>,
}

/// Who restarts a unit when its files changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnChange {
    /// A restart is safe unattended.
    #[default]
    Restart,
    /// Database and etcd members: rolled one host at a time, by the operator.
    Operator,
}
