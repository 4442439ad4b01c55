//! Gives endpoints their addresses and ports. What is in the lock never changes: hosts keep it in
//! their certificates.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::resolver::Kind;
use super::resolver::Resolver;
use crate::lock::{Lock, LockEntry};
use crate::model::{Endpoint, EndpointId, HostId, NetworkId};
use crate::pointer::At;
use crate::report::{Code, Diagnostic};

/// What is taken, so that the lowest free value can be found.
#[derive(Default)]
struct Taken {
    /// Addresses by network, each with the endpoint or the host name it is kept for.
    addresses: BTreeMap<NetworkId, BTreeMap<Ipv4Addr, String>>,
    /// The address below which all of a network are taken.
    cursors: BTreeMap<NetworkId, u32>,
    /// UDP ports by host name.
    ports: BTreeMap<String, BTreeSet<u16>>,
    /// Bridge addresses by host name.
    bridges: BTreeMap<String, BTreeSet<Ipv4Addr>>,
}

/// Gives every endpoint its address and ports: what the description says, else what the lock
/// keeps, else the lowest free value. Returns the lock with the new entries, where there are any.
pub(super) fn allocate(resolver: &mut Resolver<'_>, lock: &Lock) -> Option<Lock> {
    resolver.check_hostnames();
    // All are claimed: what grew by doubling gives the rest back.
    resolver.model.endpoints.shrink_to_fit();
    resolver.endpoints.shrink_to_fit();
    let mut taken = Taken::default();
    keep_locked(resolver, lock, &mut taken);
    let order: Vec<EndpointId> = (0..resolver.model.endpoints.len())
        .map(EndpointId)
        .collect();
    check_reservations(resolver, &mut taken, &order);
    for id in &order {
        place_locked(resolver, lock, &mut taken, *id);
    }
    for id in &order {
        place_rest(resolver, &mut taken, *id);
    }
    newer(resolver, lock)
}

/// Takes what the lock keeps, for endpoints that are gone too.
fn keep_locked(resolver: &mut Resolver<'_>, lock: &Lock, taken: &mut Taken) {
    for (network_name, entries) in &lock.networks {
        let id = resolver.network_ids.get(network_name.as_str()).copied();
        let mut outside = 0_usize;
        for (hostname, entry) in entries {
            taken
                .ports
                .entry(entry.host.clone())
                .or_default()
                .insert(entry.port);
            if let Some(bridge) = entry.bridge_address {
                taken
                    .bridges
                    .entry(entry.host.clone())
                    .or_default()
                    .insert(bridge);
            }
            let Some(id) = id else { continue };
            if !resolver.model[id].cidr.contains(&entry.address) {
                outside += 1;
            }
            taken
                .addresses
                .entry(id)
                .or_default()
                .insert(entry.address, hostname.clone());
        }
        if let (Some(id), 1..) = (id, outside) {
            let cidr = resolver.model[id].cidr;
            let networks = At::ROOT.key("networks");
            let at = networks.key(network_name);
            let what = if outside == 1 { "address" } else { "addresses" };
            let message = format!("the lock file keeps {outside} {what} outside of `{cidr}`");
            let help = format!(
                "write the old `cidr` back, or delete network `{network_name}` from the lock file \
                 to number it anew (every certificate is then issued again)"
            );
            let diagnostic = Diagnostic::new(Code::LockOutsideNetwork, at.key("cidr"), message);
            resolver.report.push(diagnostic.help(help));
        }
    }
}

/// Takes the addresses that the user wrote, and reports those that somebody else has.
fn check_reservations(resolver: &mut Resolver<'_>, taken: &mut Taken, order: &[EndpointId]) {
    let mut writers: BTreeMap<(NetworkId, Ipv4Addr), usize> = BTreeMap::new();
    for id in order {
        let Some(place) = resolver.endpoints.get(id.0) else {
            continue;
        };
        if !place.reserved_address {
            continue;
        }
        let endpoint = &resolver.model[*id];
        let pointer = place.pointer.child("ip");
        let (address, network) = (endpoint.address, endpoint.network);
        let addresses = taken.addresses.entry(network).or_default();
        let kept_for = addresses
            .get(&address)
            .filter(|kept| **kept != endpoint.hostname);
        let message = format!("address `{address}` is taken");
        let diagnostic = Diagnostic::at_pointer(Code::DuplicateAddress, pointer, message);
        let writer = writers.insert((network, address), id.0);
        if let Some(first) = writer.and_then(|index| resolver.endpoints.get(index)) {
            let note = first.pointer.child("ip");
            resolver.report.push(
                diagnostic
                    .help("give one of them another `ip`")
                    .note_at(note, "the other endpoint with this address"),
            );
        } else if let Some(kept) = kept_for.cloned() {
            resolver
                .report
                .push(diagnostic.help(kept_help(resolver, network, &kept)));
        } else {
            addresses.insert(address, endpoint.hostname.clone());
        }
    }
}

fn kept_help(resolver: &Resolver<'_>, network: NetworkId, kept: &str) -> String {
    let mut endpoints = resolver.model.endpoints.iter();
    if endpoints.any(|it| it.network == network && it.hostname == kept) {
        format!("the lock file keeps it for `{kept}`; take another, or move that one by its `ip`")
    } else {
        format!("the lock file keeps it for `{kept}`, which is gone: `cops-gen lock --prune`")
    }
}

/// Gives an endpoint what the lock keeps for it.
fn place_locked(resolver: &mut Resolver<'_>, lock: &Lock, taken: &mut Taken, id: EndpointId) {
    let endpoint = &resolver.model[id];
    let network = resolver.model[endpoint.network].name.as_str();
    let Some(entry) = lock.entry(network, &endpoint.hostname) else {
        return;
    };
    let host = &resolver.model[endpoint.host];
    let has_moved = entry.host != host.name;
    let mut port = Some(entry.port);
    let mut bridge = entry
        .bridge_address
        .filter(|address| host.underlay_subnet.contains(address));
    if has_moved {
        let ports = taken.ports.entry(host.name.clone()).or_default();
        port = port.filter(|port| ports.insert(*port));
        let bridges = taken.bridges.entry(host.name.clone()).or_default();
        bridge = bridge.filter(|address| bridges.insert(*address));
    }
    let is_reserved = resolver
        .endpoints
        .get(id.0)
        .is_some_and(|place| place.reserved_address);
    let is_host = resolver
        .endpoints
        .get(id.0)
        .is_some_and(|place| place.kind == Kind::Host);
    if let Some(endpoint) = resolver.model.endpoints.get_mut(id.0) {
        if !is_reserved {
            endpoint.address = entry.address;
        }
        endpoint.port = port.unwrap_or(0);
        endpoint.bridge_address = bridge.filter(|_| !is_host);
    }
    if let Some(place) = resolver.endpoints.get_mut(id.0) {
        place.is_placed = true;
    }
}

/// Gives an endpoint the lowest free values for what it still lacks.
fn place_rest(resolver: &mut Resolver<'_>, taken: &mut Taken, id: EndpointId) {
    let endpoint = &resolver.model[id];
    let (host, written) = (resolver.model[endpoint.host].name.clone(), endpoint.address);
    let (kept_port, kept_bridge) = (endpoint.port, endpoint.bridge_address);
    let is_host = resolver
        .endpoints
        .get(id.0)
        .is_some_and(|place| place.kind == Kind::Host);
    let address = if written.is_unspecified() {
        free_address(resolver, taken, id)
    } else {
        Some(written)
    };
    let port = if kept_port == 0 {
        free_port(resolver, taken.ports.entry(host.clone()).or_default(), id)
    } else {
        Some(kept_port)
    };
    let bridge = if is_host || kept_bridge.is_some() {
        kept_bridge
    } else {
        free_bridge_address(resolver, taken.bridges.entry(host).or_default(), id)
    };
    if let Some(endpoint) = resolver.model.endpoints.get_mut(id.0) {
        endpoint.address = address.unwrap_or(written);
        endpoint.port = port.unwrap_or(0);
        endpoint.bridge_address = bridge;
    }
}

fn exhausted(resolver: &mut Resolver<'_>, code: Code, at: At<'_>, (what, help): (String, &str)) {
    let pointer = at.to_pointer();
    if !resolver
        .report
        .iter()
        .any(|it| it.code == code && it.pointer == pointer)
    {
        resolver
            .report
            .push(Diagnostic::new(code, at, what).help(help));
    }
}

fn free_address(
    resolver: &mut Resolver<'_>,
    taken: &mut Taken,
    id: EndpointId,
) -> Option<Ipv4Addr> {
    let network = resolver.model[id].network;
    let cidr = resolver.model[network].cidr;
    let cursor = taken
        .cursors
        .entry(network)
        .or_insert(u32::from(cidr.network()) + 1);
    let addresses = taken.addresses.entry(network).or_default();
    let last = u32::from(cidr.broadcast());
    while *cursor < last && addresses.contains_key(&Ipv4Addr::from(*cursor)) {
        *cursor += 1;
    }
    if *cursor < last {
        let address = Ipv4Addr::from(*cursor);
        addresses.insert(address, resolver.model[id].hostname.clone());
        return Some(address);
    }
    let name = resolver.model[network].name.clone();
    let networks = At::ROOT.key("networks");
    let at = networks.key(&name);
    let message = format!("network `{name}` has no free address left in `{cidr}`");
    let help = "make the network larger, or free what gone endpoints keep: `cops-gen lock --prune`";
    exhausted(
        resolver,
        Code::AddressesExhausted,
        at.key("cidr"),
        (message, help),
    );
    None
}

fn free_port(
    resolver: &mut Resolver<'_>,
    ports: &mut BTreeSet<u16>,
    id: EndpointId,
) -> Option<u16> {
    let network = resolver.model[resolver.model[id].network].name.clone();
    let [first, last] = resolver
        .description
        .networks
        .get(&network)?
        .underlay_port_range;
    if first > last {
        return None;
    }
    if let Some(port) = (first..=last).find(|port| !ports.contains(port)) {
        ports.insert(port);
        return Some(port);
    }
    let host = resolver.model[resolver.model[id].host].name.clone();
    let networks = At::ROOT.key("networks");
    let at = networks.key(&network);
    let message = format!(
        "host `{host}` has no UDP port left for network `{network}` from {first} to {last}"
    );
    let help = "widen the range, or free what gone endpoints keep: `cops-gen lock --prune`";
    exhausted(
        resolver,
        Code::PortsExhausted,
        at.key("underlay_port_range"),
        (message, help),
    );
    None
}

fn free_bridge_address(
    resolver: &mut Resolver<'_>,
    bridges: &mut BTreeSet<Ipv4Addr>,
    id: EndpointId,
) -> Option<Ipv4Addr> {
    let host: HostId = resolver.model[id].host;
    let subnet = resolver.model[host].underlay_subnet;
    // The first address is the bridge's own.
    if let Some(address) = subnet
        .hosts()
        .skip(1)
        .find(|address| !bridges.contains(address))
    {
        bridges.insert(address);
        return Some(address);
    }
    let name = resolver.model[host].name.clone();
    let hosts = At::ROOT.key("hosts");
    let at = hosts.key(&name);
    let message = format!("host `{name}` has no free bridge address left in `{subnet}`");
    let help = "give the host a larger `underlay_subnet`";
    exhausted(
        resolver,
        Code::BridgeExhausted,
        at.key("underlay_subnet"),
        (message, help),
    );
    None
}

/// Returns a copy of the lock with what the endpoints were given, if that is anything new.
fn newer(resolver: &Resolver<'_>, lock: &Lock) -> Option<Lock> {
    let given = |endpoint: &Endpoint| LockEntry {
        host: resolver.model[endpoint.host].name.clone(),
        address: endpoint.address,
        port: endpoint.port,
        bridge_address: endpoint.bridge_address,
    };
    let network = |endpoint: &Endpoint| resolver.model[endpoint.network].name.as_str();
    let endpoints = resolver.model.endpoints.iter();
    let mut new: Vec<&Endpoint> = endpoints
        .filter(|it| lock.entry(network(it), &it.hostname) != Some(&given(it)))
        .collect();
    if new.is_empty() {
        return None;
    }
    new.sort_by_key(|endpoint| endpoint.network);
    let mut newer = lock.clone();
    for endpoints in new.chunk_by(|one, other| one.network == other.network) {
        let entries = endpoints.iter().map(|it| (it.hostname.clone(), given(it)));
        let Some(first) = endpoints.first() else {
            continue;
        };
        let known = newer.networks.entry(network(first).to_owned());
        // All at once: one by one, each would move those behind it.
        known.or_default().extend(entries);
    }
    Some(newer)
}
