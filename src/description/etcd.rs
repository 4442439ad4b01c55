//! etcd clusters.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::shorthand::Shorthand;

/// One etcd cluster.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EtcdCluster {
    /// The overlay network. May be left out where only one exists.
    #[serde(default)]
    pub network: Option<String>,
    /// The members: an odd number, three or five.
    pub members: Box<[Shorthand<EtcdMember>]>,
    /// Image of etcd. Default: upstream's official image.
    #[serde(default)]
    pub image: Option<String>,
}

/// One etcd member: a host's name, or an object that says more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EtcdMember {
    /// The host it runs on.
    pub host: String,
    /// Host name on the overlay. Default `HOST.CLUSTER-etcd.DOMAIN`.
    #[serde(default)]
    pub hostname: Option<String>,
    /// Overlay address. Default: the lowest free one, kept in the lock file.
    #[serde(default)]
    pub ip: Option<String>,
    /// Nebula groups of its certificate, beside those that come by themselves.
    #[serde(default)]
    pub groups: Box<[String]>,
    /// `new` for a member of a new cluster, `existing` for one that joins a running cluster.
    /// Default `new`.
    #[serde(default)]
    pub initial_cluster_state: InitialClusterState,
}

/// Whether a member starts a cluster or joins one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InitialClusterState {
    /// The cluster is new.
    #[default]
    New,
    /// The member was added to a running cluster.
    Existing,
}

impl From<String> for EtcdMember {
    fn from(host: String) -> Self {
        Self {
            host,
            ..Self::default()
        }
    }
}
