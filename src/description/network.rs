//! Nebula overlay networks.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::platform::ports;

/// One Nebula overlay network.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// The overlay's IPv4 addresses, such as `10.2.57.0/24`.
    pub cidr: String,
    /// The domain that overlay host names end in, such as `example.internal`.
    pub dns_domain: String,
    /// Number of the CA that signs the network's certificates. Default 1.
    #[serde(default = "first_epoch")]
    pub epoch: u32,
    /// Numbers of the CAs that are trusted. Default: `epoch` alone. To rotate the CA: trust both,
    /// sign with the new one, drop the old one, one render apart.
    #[serde(default)]
    pub trusted_epochs: Box<[u32]>,
    /// Hosts whose endpoint on this network is a lighthouse. Two are advised.
    pub lighthouses: Box<[String]>,
    /// First and last UDP port on the real network that endpoints may get. Default 12500 to 13000.
    #[serde(default = "underlay_port_range")]
    pub underlay_port_range: [u16; 2],
    /// Whether endpoints keep NAT mappings open (Nebula's `punchy`). Default false.
    #[serde(default)]
    pub nat_punch: bool,
    /// SHA-256 fingerprints (64 hex digits) of certificates that every endpoint refuses.
    #[serde(default)]
    pub blocklist: Box<[String]>,
    /// MTU of the overlay device in bytes. Default 1300, which fits every underlay.
    #[serde(default = "mtu")]
    pub mtu: u16,
    /// Version of the certificates that are issued: 1, or 2 where every Nebula is 1.10 or newer.
    /// Default 1.
    #[serde(default = "certificate_version")]
    pub certificate_version: u8,
}

fn first_epoch() -> u32 {
    1
}

fn underlay_port_range() -> [u16; 2] {
    ports::NEBULA
}

fn mtu() -> u16 {
    1300
}

fn certificate_version() -> u8 {
    1
}
