//! The lock file: addresses and ports that were given away. An entry never moves: hosts keep
//! their addresses in their certificates.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::unique_map::UniqueMap;

/// The lock file, as it stands beside the description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// The version of this format. Always 1.
    pub version: u32,
    /// Entries by network and host name on the overlay.
    pub networks: UniqueMap<UniqueMap<LockEntry>>,
}

/// What one endpoint was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LockEntry {
    /// The host that the endpoint is, or was, on.
    pub host: String,
    /// Overlay address.
    pub address: Ipv4Addr,
    /// UDP port on the host.
    pub port: u16,
    /// Address on the host's bridge; a host's own endpoint has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bridge_address: Option<Ipv4Addr>,
}

impl Default for Lock {
    fn default() -> Self {
        Self {
            version: 1,
            networks: UniqueMap::default(),
        }
    }
}

impl Lock {
    /// Returns the entry of an endpoint.
    pub fn entry(&self, network: &str, hostname: &str) -> Option<&LockEntry> {
        self.networks.get(network)?.get(hostname)
    }

    /// Returns the file's text: sorted, pretty, with a final newline.
    pub fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Lists what differs between two locks, a line each.
    pub fn changes(&self, newer: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        let (old, new) = (self.flat(), newer.flat());
        for (key, entry) in &new {
            match old.get(key) {
                None => lines.push(format!("add `{}` of network `{}`", key.1, key.0)),
                Some(before) if before != entry => {
                    lines.push(format!("change `{}` of network `{}`", key.1, key.0));
                }
                Some(_) => {}
            }
        }
        for key in old.keys().filter(|key| !new.contains_key(*key)) {
            lines.push(format!("remove `{}` of network `{}`", key.1, key.0));
        }
        lines
    }

    fn flat(&self) -> BTreeMap<(&str, &str), &LockEntry> {
        self.networks
            .iter()
            .flat_map(|(network, entries)| {
                entries
                    .iter()
                    .map(move |(name, entry)| ((network.as_str(), name.as_str()), entry))
            })
            .collect()
    }
}
