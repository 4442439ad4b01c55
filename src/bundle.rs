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
    /// The certificates that the host needs, by host name on the overlay.
    pub endpoints: BTreeMap<String, Endpoint>,
}

/// One file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The permission bits, such as `0o644`.
    pub mode: u32,
    /// The content.
    pub bytes: Cow<'static, [u8]>,
}

/// Makes a file, the same each time. What is large and many is made when it is needed, and not kept.
pub type Recipe<'a> = Box<dyn Fn() -> File + Send + Sync + 'a>;

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
    /// Whether it is a job, or waits for one: nobody waits until it runs, and its failure fails nothing else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_background: bool,
    /// Podman secrets whose change restarts the unit.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub secrets: BTreeSet<String>,
    /// The cluster that falls ill when the unit stops, where it runs a member of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<Member>,
}

/// The cluster that a unit runs a member of; the member has the host's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// What kind of cluster.
    pub kind: ClusterKind,
    /// Its name.
    pub cluster: String,
    /// Major version of PostgreSQL, of a Patroni cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres_version: Option<u16>,
    /// Podman secret of the passwords of its roles, of a Patroni cluster: changed in the running cluster, not by a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passwords: Option<String>,
}

/// The kinds of clusters whose members are restarted one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClusterKind {
    /// etcd.
    Etcd,
    /// Patroni.
    Patroni,
}

/// What the certificate of an endpoint must say, and where it lies on the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// The overlay network.
    pub network: String,
    /// Overlay address with the network's prefix length.
    pub address: String,
    /// Groups, sorted.
    pub groups: Vec<String>,
    /// The unit of its Nebula.
    pub unit: String,
    /// The directory of `ca.crt`, `host.crt` and `host.key`.
    pub directory: String,
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
