//! The lock file: addresses and ports that were given away. An entry never moves: hosts keep
//! their addresses in their certificates. Beside them stands the platform's edition.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::edition::Edition;
use crate::unique_map::UniqueMap;

/// The lock file, as it stands beside the description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// The version of this format. Always 1.
    pub version: u32,
    /// The edition of the platform's defaults. A lock without one is of edition 1, and stays as it is.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub edition: u32,
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

/// A new lock: of the newest edition.
impl Default for Lock {
    fn default() -> Self {
        Self {
            version: 1,
            edition: Edition::NEWEST.number(),
            networks: UniqueMap::default(),
        }
    }
}

impl Lock {
    /// Returns the entry of an endpoint.
    pub fn entry(&self, network: &str, hostname: &str) -> Option<&LockEntry> {
        self.networks.get(network)?.get(hostname)
    }

    /// Returns the edition. Reading a lock has refused a number that isn't known.
    pub fn edition(&self) -> Edition {
        Edition::of(self.edition).unwrap_or(Edition::NEWEST)
    }

    /// Returns the same lock in another edition.
    #[must_use]
    pub fn in_edition(mut self, edition: Edition) -> Self {
        self.edition = edition.number();
        self
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
        if self.edition != newer.edition {
            lines.push(format!(
                "move from edition {} to edition {}",
                self.edition, newer.edition
            ));
        }
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

fn first() -> u32 {
    Edition::V1.number()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_first(edition: &u32) -> bool {
    *edition == first()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_of_the_first_edition_has_no_number_and_keeps_none() {
        let old = "{\n  \"version\": 1,\n  \"networks\": {}\n}\n";
        let lock: Lock = serde_json::from_str(old).unwrap();
        assert_eq!(lock.edition(), Edition::V1);
        assert_eq!(lock.to_text(), old);
        let moved = lock.clone().in_edition(Edition::V2);
        assert!(moved.to_text().contains("\"edition\": 2"));
        assert_eq!(
            lock.changes(&moved),
            ["move from edition 1 to edition 2".to_owned()]
        );
        assert_eq!(moved.in_edition(Edition::V1).to_text(), old);
    }

    #[test]
    fn a_new_lock_is_of_the_newest_edition() {
        assert_eq!(Lock::default().edition(), Edition::NEWEST);
    }
}
