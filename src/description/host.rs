//! The machines.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Firewall;
use crate::unique_map::UniqueMap;

/// One machine.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// IPv4 address under which the other hosts reach this one. A host without one
    /// is found through the lighthouses.
    #[serde(default)]
    pub address: Option<String>,
    /// IPv4 address that this host's own interface has, where a 1:1 NAT lies between. Default:
    /// `address`.
    #[serde(default)]
    pub underlay_address: Option<String>,
    /// IPv4 network of the bridge that this host's pods are attached to. Default
    /// `172.30.200.0/24`.
    #[serde(default = "underlay_subnet")]
    pub underlay_subnet: String,
    /// Podman's version on this host, as `MAJOR.MINOR`. Decides which Quadlet keys are written.
    /// Default 5.4, Debian 13's.
    #[serde(default = "podman_version")]
    pub podman_version: String,
    /// The processor architecture. Default `amd64`.
    #[serde(default)]
    pub arch: Arch,
    /// Endpoints of the host itself, by network: its own place on the overlay.
    #[serde(default)]
    pub endpoints: UniqueMap<Box<HostEndpoint>>,
}

/// A processor architecture, in Debian's spelling.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Arch {
    /// 64-bit x86.
    #[default]
    Amd64,
    /// 64-bit ARM.
    Arm64,
}

/// A host's own endpoint on one network.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostEndpoint {
    /// Host name on the overlay. Default `HOST.DOMAIN`.
    #[serde(default)]
    pub hostname: Option<String>,
    /// Overlay address. Default: the lowest free one, kept in the lock file.
    #[serde(default)]
    pub ip: Option<String>,
    /// Nebula groups of the endpoint's certificate.
    #[serde(default)]
    pub groups: Box<[String]>,
    /// Firewall rules of the endpoint, beside those that come by themselves.
    #[serde(default)]
    pub firewall: Firewall,
}

fn underlay_subnet() -> String {
    "172.30.200.0/24".to_owned()
}

fn podman_version() -> String {
    "5.4".to_owned()
}
