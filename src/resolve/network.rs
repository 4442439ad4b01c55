//! Overlay networks.

use ipnet::Ipv4Net;

use super::resolver::Resolver;
use crate::description;
use crate::model::{EndpointId, Network, NetworkId};
use crate::name;
use crate::pointer::At;
use crate::report::{Code, Diagnostic};

pub(super) fn resolve(resolver: &mut Resolver<'_>) {
    let description = resolver.description;
    for (name, network) in &description.networks {
        let networks = At::ROOT.key("networks");
        let at = networks.key(name);
        resolver.check_key(
            Code::BadName,
            at,
            ("name for a network", name, name::label(name)),
        );
        let Some(cidr) = cidr(resolver, at, network) else {
            continue;
        };
        check_settings(resolver, at, network);
        overlaps(resolver, at.key("cidr"), (name, cidr));
        let mut trusted_epochs = network.trusted_epochs.to_vec();
        if trusted_epochs.is_empty() {
            trusted_epochs.push(network.epoch);
        }
        trusted_epochs.sort_unstable();
        trusted_epochs.dedup();
        let mut blocklist: Vec<String> = network
            .blocklist
            .iter()
            .map(|print| print.to_ascii_lowercase())
            .collect();
        blocklist.sort();
        blocklist.dedup();
        resolver
            .network_ids
            .insert(name, NetworkId(resolver.model.networks.len()));
        resolver.model.networks.push(Network {
            name: name.clone(),
            cidr,
            mtu: network.mtu,
            nat_punch: network.nat_punch,
            blocklist,
            epoch: network.epoch,
            trusted_epochs,
            certificate_version: network.certificate_version,
            lighthouses: Vec::new(),
        });
    }
}

fn cidr(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    network: &description::Network,
) -> Option<Ipv4Net> {
    let at = at.key("cidr");
    let cidr = super::address::cidr(resolver, at, &network.cidr)?;
    if cidr.prefix_len() > 30 || cidr.prefix_len() < 8 {
        let message = format!("`{cidr}` is no size for an overlay network");
        let diagnostic = Diagnostic::new(Code::BadCidr, at, message);
        resolver
            .report
            .push(diagnostic.allowed_text("a prefix length from 8 to 30"));
        return None;
    }
    Some(cidr)
}

fn check_settings(resolver: &mut Resolver<'_>, at: At<'_>, network: &description::Network) {
    let domain = at.key("dns_domain");
    resolver.check(
        Code::BadHostname,
        domain,
        (
            "domain",
            &network.dns_domain,
            name::hostname(&network.dns_domain),
        ),
    );
    let [first, last] = network.underlay_port_range;
    if first > last || first < 1024 {
        let message = format!("from {first} to {last} is no range of ports");
        let diagnostic = Diagnostic::new(Code::BadPort, at.key("underlay_port_range"), message);
        resolver
            .report
            .push(diagnostic.allowed_text("two ports from 1024 to 65535, the lower first"));
    }
    if !(576..=9000).contains(&network.mtu) {
        let message = format!("an MTU of {} can't carry the overlay", network.mtu);
        let diagnostic = Diagnostic::new(Code::OutOfRange, at.key("mtu"), message);
        resolver.report.push(diagnostic.allowed_text("576 to 9000"));
    }
    if !(1..=2).contains(&network.certificate_version) {
        let message = format!(
            "Nebula has no certificates of version {}",
            network.certificate_version
        );
        let diagnostic = Diagnostic::new(Code::OutOfRange, at.key("certificate_version"), message);
        resolver.report.push(diagnostic.allowed(["1", "2"]));
    }
    if !network.trusted_epochs.is_empty() && !network.trusted_epochs.contains(&network.epoch) {
        let message = format!(
            "epoch {} signs the certificates but isn't trusted",
            network.epoch
        );
        let help = format!("add {} to `trusted_epochs`", network.epoch);
        let diagnostic = Diagnostic::new(Code::EpochNotTrusted, at.key("trusted_epochs"), message);
        resolver.report.push(
            diagnostic
                .help(help)
                .note(at.key("epoch"), "the epoch that signs"),
        );
    }
    let blocklist = at.key("blocklist");
    for (index, print) in network.blocklist.iter().enumerate() {
        let place = blocklist.index(index);
        resolver.check(
            Code::BadFingerprint,
            place,
            (
                "fingerprint of a certificate",
                print,
                name::fingerprint(print),
            ),
        );
    }
}

/// Reports a network whose addresses another has too.
fn overlaps<'d>(resolver: &mut Resolver<'d>, at: At<'_>, (name, cidr): (&'d str, Ipv4Net)) {
    if let Some((other, other_name)) = resolver.overlapping(cidr) {
        let message = format!("`{cidr}` overlaps `{other}` of network `{other_name}`");
        let networks = At::ROOT.key("networks");
        let note = networks.key(other_name);
        let diagnostic = Diagnostic::new(Code::NetworkOverlap, at, message)
            .help("give each network addresses of its own")
            .note(note.key("cidr"), "the other network");
        resolver.report.push(diagnostic);
    }
    resolver.cidrs.insert(cidr.network(), (cidr, name));
}

/// Finds each network's lighthouses among the hosts' endpoints.
pub(super) fn resolve_lighthouses(resolver: &mut Resolver<'_>) {
    let description = resolver.description;
    let own = super::endpoint::own_endpoints(resolver);
    for (name, network) in &description.networks {
        let networks = At::ROOT.key("networks");
        let entry = networks.key(name);
        let at = entry.key("lighthouses");
        let id = resolver.network_ids.get(name.as_str()).copied();
        if network.lighthouses.is_empty() && !resolver.has_failed(at) {
            let message = format!("network `{name}` has no lighthouse");
            let help = "name two hosts with an endpoint on this network";
            resolver
                .report
                .push(Diagnostic::new(Code::NoLighthouse, at, message).help(help));
        }
        let mut lighthouses: Vec<EndpointId> = Vec::new();
        for (index, host_name) in network.lighthouses.iter().enumerate() {
            let at = at.index(index);
            let Some(host) = resolver.host(at, host_name) else {
                continue;
            };
            let Some(id) = id else { continue };
            check_lighthouse_host(resolver, at, (host_name, name));
            match own.get(&(host, id)) {
                Some(endpoint) if lighthouses.contains(endpoint) => {
                    let message = format!("host `{host_name}` is a lighthouse already");
                    resolver.error(Code::DuplicateMember, at, message);
                }
                Some(endpoint) => lighthouses.push(*endpoint),
                None => {}
            }
        }
        if let Some(network) = id.and_then(|id| resolver.model.networks.get_mut(id.0)) {
            lighthouses.sort_unstable();
            network.lighthouses = lighthouses;
        }
    }
}

fn check_lighthouse_host(resolver: &mut Resolver<'_>, at: At<'_>, (host, network): (&str, &str)) {
    let Some(written) = resolver.description.hosts.get(host) else {
        return;
    };
    let hosts = At::ROOT.key("hosts");
    let place = hosts.key(host);
    if !written.endpoints.contains_key(network) && !resolver.has_failed(place.key("endpoints")) {
        let message = format!("lighthouse `{host}` has no endpoint on network `{network}`");
        let help = format!("add `\"endpoints\": {{ \"{network}\": {{}} }}` to the host");
        let diagnostic = Diagnostic::new(Code::LighthouseWithoutEndpoint, at, message).help(help);
        resolver.report.push(diagnostic.note(place, "the host"));
    }
    if written.address.is_none() && !resolver.has_failed(place.key("address")) {
        let message = format!("lighthouse `{host}` has no address that others could dial");
        let help = "give the host an `address`, or name another lighthouse";
        let diagnostic = Diagnostic::new(Code::LighthouseWithoutAddress, at, message).help(help);
        resolver.report.push(diagnostic.note(place, "the host"));
    }
}
