//! Where one member or proxy of a cluster runs.

use schemars::JsonSchema;
use serde::Deserialize;

/// Where a member or a proxy runs: a host's name, or an object that says more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Placement {
    /// The host it runs on.
    pub host: String,
    /// Host name on the overlay. Default `HOST.CLUSTER.DOMAIN` for members,
    /// `HOST.CLUSTER-proxy.DOMAIN` for proxies.
    #[serde(default)]
    pub hostname: Option<String>,
    /// Overlay address. Default: the lowest free one, kept in the lock file.
    #[serde(default)]
    pub ip: Option<String>,
    /// Nebula groups of its certificate, beside those that come by themselves.
    #[serde(default)]
    pub groups: Box<[String]>,
}

impl From<String> for Placement {
    fn from(host: String) -> Self {
        Self {
            host,
            ..Self::default()
        }
    }
}
