//! Endpoints: every place on an overlay, and the address and ports that the lock keeps for it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::{EndpointPlace, Resolver, shown};
use crate::lock::{Lock, LockEntry};
use crate::model::{Endpoint, EndpointId, HostId, NetworkId};
use crate::name;
use crate::pointer::At;
use crate::report::{Code, Diagnostic};

/// What an endpoint belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Host,
    Etcd,
    Patroni,
    Proxy,
    Barman,
    User,
}

/// One entry's wish for a place on an overlay.
pub(super) struct Claim<'c> {
    pub(super) kind: Kind,
    pub(super) network: NetworkId,
    pub(super) host: HostId,
    pub(super) name: String,
    pub(super) hostname: Option<&'c str>,
    pub(super) default_hostname: String,
    pub(super) ip: Option<&'c str>,
    pub(super) groups: &'c [String],
    pub(super) own_group: Option<String>,
    pub(super) at: At<'c>,
}

impl Resolver<'_> {
    /// Returns the domain of a network.
    pub(super) fn domain(&self, network: NetworkId) -> String {
        let name = &self.model[network].name;
        self.description
            .networks
            .get(name)
            .map_or_else(String::new, |it| it.dns_domain.clone())
    }

    /// Makes an endpoint. Its address and ports follow when all are known.
    pub(super) fn claim(&mut self, claim: Claim<'_>) -> EndpointId {
        let hostname = claim.hostname.map_or(claim.default_hostname, str::to_owned);
        // A default rests on names that have checks of their own; only its length is its own.
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
        let is_told = claim.hostname.is_none() && !hostname.chars().all(legal);
        if !is_told && name::hostname(&hostname).is_err() {
            self.bad_hostname(claim.at, claim.hostname.is_some(), &hostname);
        }
        let reserved = claim
            .ip
            .and_then(|ip| self.reservation(claim.at, claim.network, ip));
        let mut groups: BTreeSet<String> = claim.own_group.into_iter().collect();
        let at = claim.at.key("groups");
        for (index, group) in claim.groups.iter().enumerate() {
            self.group(at.index(index), group);
            groups.insert(group.clone());
        }
        let id = EndpointId(self.model.endpoints.len());
        self.endpoints.push(EndpointPlace {
            kind: claim.kind,
            pointer: claim.at.to_pointer(),
            reserved_address: reserved.is_some(),
            is_placed: false,
        });
        self.model.endpoints.push(Endpoint {
            network: claim.network,
            host: claim.host,
            name: claim.name,
            hostname,
            address: reserved.unwrap_or(Ipv4Addr::UNSPECIFIED),
            port: 0,
            bridge_address: None,
            groups: groups.into_iter().collect(),
            inbound: Vec::new(),
            outbound: Vec::new(),
            peers: Vec::new(),
        });
        id
    }

    fn bad_hostname(&mut self, at: At<'_>, is_written: bool, hostname: &str) {
        let place = if is_written { at.key("hostname") } else { at };
        let message = if hostname.len() > 63 {
            format!(
                "`{}` is no host name: {} characters",
                shown(hostname),
                hostname.len()
            )
        } else {
            format!("`{}` is no host name", shown(hostname))
        };
        let diagnostic = Diagnostic::new(Code::BadHostname, place, message);
        let allowed = name::hostname(hostname).err();
        let diagnostic = diagnostic.allowed_text(allowed.unwrap_or_default());
        self.report.push(if is_written {
            diagnostic
        } else {
            diagnostic.help("use shorter names, or write a `hostname` here")
        });
    }

    /// Checks a group that the user gives to an endpoint: those of services are not theirs.
    fn group(&mut self, at: At<'_>, group: &str) {
        if !self.check(
            Code::BadGroup,
            at,
            ("Nebula group", group, name::group(group)),
        ) {
            return;
        }
        let services = ["etcd-", "patroni-", "proxy-", "barman-"];
        if services.iter().any(|service| group.starts_with(service)) {
            let message = format!("group `{group}` would pass for a service of that name");
            let allowed =
                "a group that doesn't begin with `etcd-`, `patroni-`, `proxy-` or `barman-`";
            self.report
                .push(Diagnostic::new(Code::ReservedGroup, at, message).allowed_text(allowed));
        }
    }

    /// Reads an address that the user wrote for an endpoint.
    fn reservation(&mut self, at: At<'_>, network: NetworkId, text: &str) -> Option<Ipv4Addr> {
        let at = at.key("ip");
        let address = super::host::ipv4(self, at, text)?;
        let cidr = self.model[network].cidr;
        let message = if !cidr.contains(&address) {
            format!("`{address}` is outside of `{cidr}`")
        } else if address == cidr.network() {
            format!("`{address}` is the network address of `{cidr}`")
        } else if address == cidr.broadcast() {
            format!("`{address}` is the broadcast address of `{cidr}`")
        } else {
            return Some(address);
        };
        let code = if cidr.contains(&address) {
            Code::AddressReserved
        } else {
            Code::AddressOutsideNetwork
        };
        let mut hosts = cidr.hosts();
        let range = hosts.next().zip(hosts.next_back());
        let diagnostic = Diagnostic::new(code, at, message);
        self.report.push(match range {
            Some((first, last)) => diagnostic.allowed_text(format!("`{first}` to `{last}`")),
            None => diagnostic,
        });
        None
    }

    /// Reports two endpoints of one network with one host name.
    fn check_hostnames(&mut self) {
        let mut seen: BTreeMap<(NetworkId, &str), usize> = BTreeMap::new();
        let mut clashes = Vec::new();
        for (index, endpoint) in self.model.endpoints.iter().enumerate() {
            match seen.get(&(endpoint.network, endpoint.hostname.as_str())) {
                Some(&first) => clashes.push((first, index)),
                None => {
                    seen.insert((endpoint.network, &endpoint.hostname), index);
                }
            }
        }
        for (first, second) in clashes {
            self.hostname_clash(first, second);
        }
    }

    fn hostname_clash(&mut self, first: usize, second: usize) {
        let (Some(one), Some(other)) = (self.endpoints.get(first), self.endpoints.get(second))
        else {
            return;
        };
        let is_proxy_and_member = matches!(
            (one.kind, other.kind),
            (Kind::Patroni, Kind::Proxy) | (Kind::Proxy, Kind::Patroni)
        );
        let Some(hostname) = self.model.endpoints.get(second).map(|it| &it.hostname) else {
            return;
        };
        let (code, message) = if is_proxy_and_member {
            (
                Code::ProxyNamedAsMember,
                format!("`{hostname}` is a proxy's host name and a member's"),
            )
        } else {
            (
                Code::DuplicateHostname,
                format!("host name `{hostname}` is taken on this network"),
            )
        };
        let diagnostic = Diagnostic::at_pointer(code, other.pointer.clone(), message)
            .help("give one of them another `hostname`")
            .note_at(one.pointer.clone(), "the other endpoint of that name");
        self.report.push(diagnostic);
    }
}

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
/// keeps, else the lowest free value. Returns the lock with the new entries.
pub(super) fn allocate(resolver: &mut Resolver<'_>, lock: &Lock) -> Lock {
    resolver.check_hostnames();
    let mut taken = Taken::default();
    keep_locked(resolver, lock, &mut taken);
    let mut newer = lock.clone();
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
    for id in order {
        record(resolver, &mut newer, id);
    }
    newer
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
            resolver
                .report
                .push(diagnostic.note_at(note, "the other endpoint with this address"));
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

fn record(resolver: &Resolver<'_>, lock: &mut Lock, id: EndpointId) {
    let endpoint = &resolver.model[id];
    let network = resolver.model[endpoint.network].name.clone();
    lock.networks.entry(network).or_default().insert(
        endpoint.hostname.clone(),
        LockEntry {
            host: resolver.model[endpoint.host].name.clone(),
            address: endpoint.address,
            port: endpoint.port,
            bridge_address: endpoint.bridge_address,
        },
    );
}
