//! Endpoints: every place on an overlay, its host name and its groups.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::resolver::{EndpointPlace, Kind, Resolver, shown};
use crate::model::{Endpoint, EndpointId, HostId, NetworkId};
use crate::name;
use crate::platform::services;
use crate::pointer::At;
use crate::report::{Code, Diagnostic};

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
            has_hostname: claim.hostname.is_some(),
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
        let mut services = services::GROUP_PREFIXES.iter();
        if services.any(|service| group.starts_with(service)) {
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
        let address = super::address::ipv4(self, at, text)?;
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
    pub(super) fn check_hostnames(&mut self) {
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
        let place = |it: &EndpointPlace| {
            if it.has_hostname {
                it.pointer.child("hostname")
            } else {
                it.pointer.clone()
            }
        };
        let diagnostic = Diagnostic::at_pointer(code, place(other), message)
            .help("give one of them another `hostname`")
            .note_at(place(one), "the other endpoint of that name");
        self.report.push(diagnostic);
    }
}

/// Finds the host of one placement, and reports a host that was placed before.
pub(super) fn placed_host(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    (name, is_object): (&str, bool),
    seen: &mut BTreeMap<HostId, crate::pointer::Pointer>,
) -> Option<HostId> {
    let inner = at.key("host");
    let place = if is_object { inner } else { at };
    let host = resolver.host(place, name)?;
    if let Some(first) = seen.get(&host) {
        let message = format!("host `{name}` is listed twice");
        let diagnostic = Diagnostic::new(Code::DuplicateMember, place, message)
            .help("a host holds one of these at most; take one of the two out")
            .note_at(first.clone(), "the first time");
        resolver.report.push(diagnostic);
        return None;
    }
    seen.insert(host, place.to_pointer());
    Some(host)
}

/// Returns each host's own endpoint by host and network.
pub(super) fn own_endpoints(resolver: &Resolver<'_>) -> BTreeMap<(HostId, NetworkId), EndpointId> {
    let endpoints = resolver
        .model
        .endpoints
        .iter()
        .zip(&resolver.endpoints)
        .enumerate();
    endpoints
        .filter(|(_, (_, place))| place.kind == Kind::Host)
        .map(|(index, (endpoint, _))| ((endpoint.host, endpoint.network), EndpointId(index)))
        .collect()
}
