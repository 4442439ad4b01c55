//! The description as it was written: one type per JSON object, nothing checked beyond its shape.
//!
//! The JSON Schema and the reference in `docs/` are generated from these types and their doc
//! comments, so every line of documentation here is read by users.
//!
//! Lists are boxed slices: a `Vec` keeps the room that it grew by, which adds up over thousands of hosts.

mod barman;
mod etcd;
mod export;
mod host;
mod network;
mod overrides;
mod patroni;
mod placement;
mod pod;
mod secret;

pub use barman::{BarmanServer, BarmanSource, Compression, Drill};
pub use etcd::{EtcdCluster, EtcdMember, InitialClusterState};
pub use export::{Export, ExportPostgres};
pub use host::{Arch, Host, HostEndpoint};
pub use network::Network;
pub use overrides::{OverrideValue, Overrides};
pub use patroni::{
    Database, ParameterValue, PatroniCluster, PostgresConfig, RestoreFromBackup, Role,
    SynchronousMode, TimingName, Watchdog,
};
pub use placement::Placement;
pub use pod::{
    Container, ContainerSecret, EgressProto, EgressRule, Firewall, FirewallProto, FirewallRule,
    Pod, PublishProto, PublishedPort, Volume,
};
pub use secret::Secret;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::unique_map::UniqueMap;

/// The whole description: `cluster.json`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// Path or address of this schema, for editors. Not read by cops-gen.
    #[serde(rename = "$schema", default)]
    pub schema: Option<String>,
    /// The version of this format. Always 1.
    pub version: u32,
    /// Nebula overlay networks, by name.
    pub networks: UniqueMap<Network>,
    /// The machines, by name.
    pub hosts: UniqueMap<Box<Host>>,
    /// References to secret values that lie on the hosts, by name.
    #[serde(default)]
    pub secrets: UniqueMap<Secret>,
    /// etcd clusters, by name. Patroni uses them as its DCS.
    #[serde(default)]
    pub etcd_clusters: UniqueMap<EtcdCluster>,
    /// Patroni clusters, by name. The name is Patroni's scope and Barman's server name.
    #[serde(default)]
    pub patroni_clusters: UniqueMap<Box<PatroniCluster>>,
    /// Barman servers, by name.
    #[serde(default)]
    pub barman_servers: UniqueMap<BarmanServer>,
    /// Pods of your own, by name.
    #[serde(default)]
    pub pods: UniqueMap<Box<Pod>>,
    /// Drop-ins by unit file, section and key: the escape hatch for what this format doesn't know.
    #[serde(default)]
    pub overrides: Overrides,
}
