//! Pods of the user's own.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::endpoint::Claim;
use super::resolver::Kind;
use super::resolver::Resolver;
use crate::description::{self, EgressProto, PublishProto};
use crate::model::{
    EgressRule, EndpointId, HostId, NetworkId, PatroniId, Pod, Ports, Proto, PublishedPort,
};
use crate::name;
use crate::platform::paths;
use crate::pointer::{At, Pointer};
use crate::report::{Code, Diagnostic};

/// Directories of our own beside those of the pods.
const RESERVED: [&str; 4] = ["bin", "host", "images", "nebula"];

/// Published ports of all hosts: the address and the place of each.
type Published = BTreeMap<(HostId, Proto, u16), Vec<(Ipv4Addr, Pointer)>>;

pub(super) fn resolve(resolver: &mut Resolver<'_>) {
    let description = resolver.description;
    let mut published = Published::new();
    for (name, pod) in &description.pods {
        let pods = At::ROOT.key("pods");
        let at = pods.key(name);
        resolver.check_key(
            Code::BadName,
            at,
            ("name for a pod", name, name::label(name)),
        );
        if RESERVED.contains(&name.as_str()) {
            let ours = paths::ETC;
            let message = format!("no pod can be named `{name}`: `{ours}/{name}` is ours");
            let diagnostic = Diagnostic::new(Code::ReservedName, at, message).on_key();
            resolver
                .report
                .push(diagnostic.help("give the pod another name"));
        }
        let host = resolver.host(at.key("host"), &pod.host);
        let network = resolver.network(at, pod.network.as_deref());
        let egress = egress(resolver, at, pod);
        let publish = publish(resolver, at, (host, pod), &mut published);
        let containers = super::container::resolve(resolver, at, (name, pod));
        if pod.containers.is_empty() && !resolver.has_failed(at.key("containers")) {
            let message = format!("pod `{name}` has no container");
            let diagnostic = Diagnostic::new(Code::NoContainers, at.key("containers"), message);
            let help = "add a container with an `image`, or take the pod out";
            resolver.report.push(diagnostic.help(help));
        }
        let (Some(host), Some(network)) = (host, network) else {
            continue;
        };
        let uses = uses(resolver, at, (host, network, pod));
        let domain = resolver.domain(network);
        let endpoint = resolver.claim(Claim {
            kind: Kind::User,
            network,
            host,
            name: name.clone(),
            hostname: pod.hostname.as_deref(),
            default_hostname: format!("{name}.{domain}"),
            ip: pod.ip.as_deref(),
            groups: &pod.groups,
            own_group: None,
            at,
        });
        let name = name.clone();
        resolver.model.pods.push(Pod {
            name,
            endpoint,
            uses,
            publish,
            egress,
            containers,
        });
    }
}

/// Finds the proxy, on the pod's own host, of each cluster that the pod uses.
fn uses(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    (host, network, pod): (HostId, NetworkId, &description::Pod),
) -> Vec<(PatroniId, EndpointId)> {
    let at = at.key("uses");
    let mut found: Vec<(PatroniId, EndpointId)> = Vec::new();
    for (index, name) in pod.uses.iter().enumerate() {
        let at = at.index(index);
        let Some(cluster) = resolver.patroni_cluster(at, name) else {
            continue;
        };
        if found.iter().any(|(other, _)| *other == cluster) {
            resolver.error(
                Code::DuplicateMember,
                at,
                format!("cluster `{name}` is listed twice"),
            );
            continue;
        }
        if resolver.patroni_networks.get(cluster.0) != Some(&network) {
            let theirs = resolver.patroni_networks.get(cluster.0).copied();
            let theirs = theirs.map_or("", |id| &resolver.model[id].name);
            let ours = &resolver.model[network].name;
            let message =
                format!("cluster `{name}` is on network `{theirs}`, this pod on `{ours}`");
            let help = "put both on one network: there is no way between two";
            resolver
                .report
                .push(Diagnostic::new(Code::NetworksDiffer, at, message).help(help));
            continue;
        }
        let Some(proxies) = resolver
            .model
            .patroni_clusters
            .get(cluster.0)
            .map(|it| &it.proxies)
        else {
            continue;
        };
        let proxy = proxies
            .iter()
            .copied()
            .find(|proxy| resolver.model[*proxy].host == host);
        let clusters = At::ROOT.key("patroni_clusters");
        let entry = clusters.key(name);
        if let Some(proxy) = proxy {
            found.push((cluster, proxy));
        } else if !resolver.has_failed(entry.key("proxies")) {
            let message = format!(
                "cluster `{name}` has no proxy on `{}`, this pod's host",
                pod.host
            );
            let help = format!("add `{}` to the cluster's `proxies`", pod.host);
            let diagnostic = Diagnostic::new(Code::NoProxyForPod, at, message).help(help);
            resolver.report.push(diagnostic.note(entry, "the cluster"));
        }
    }
    found.sort_unstable();
    found
}

fn publish(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    (host, pod): (Option<HostId>, &description::Pod),
    published: &mut Published,
) -> Vec<PublishedPort> {
    let at = at.key("publish");
    let mut ports = Vec::new();
    for (index, port) in pod.publish.iter().enumerate() {
        let at = at.index(index);
        for (key, number) in [("host_port", port.host_port), ("port", port.port)] {
            if number == 0 {
                let diagnostic = Diagnostic::new(Code::BadPort, at.key(key), "0 is no port");
                resolver.report.push(diagnostic.allowed_text("1 to 65535"));
            }
        }
        let Some(address) = super::address::ipv4(resolver, at.key("address"), &port.address) else {
            continue;
        };
        let proto = match port.proto {
            PublishProto::Tcp => Proto::Tcp,
            PublishProto::Udp => Proto::Udp,
        };
        if let Some(host) = host {
            let others = published.entry((host, proto, port.host_port)).or_default();
            let clash = others.iter().find(|(other, _)| {
                other.is_unspecified() || address.is_unspecified() || *other == address
            });
            let place = at.key("host_port");
            if let Some((_, first)) = clash {
                let message = format!(
                    "port {} of host `{}` is published twice",
                    port.host_port, pod.host
                );
                let diagnostic = Diagnostic::new(Code::PortPublishedTwice, place, message)
                    .help("give one of them another `host_port`")
                    .note_at(first.clone(), "the other pod's port");
                resolver.report.push(diagnostic);
            } else {
                others.push((address, place.to_pointer()));
            }
        }
        let (host_port, port) = (port.host_port, port.port);
        ports.push(PublishedPort {
            address,
            host_port,
            port,
            proto,
        });
    }
    ports.sort_unstable();
    ports
}

fn egress(resolver: &mut Resolver<'_>, at: At<'_>, pod: &description::Pod) -> Vec<EgressRule> {
    let at = at.key("egress");
    let mut rules = Vec::new();
    for (index, rule) in pod.egress.iter().enumerate() {
        let at = at.index(index);
        let cidr = super::address::cidr(resolver, at.key("cidr"), &rule.cidr);
        let ports = ports(resolver, at.key("port"), &rule.port);
        let proto = match rule.proto {
            EgressProto::Tcp => Proto::Tcp,
            EgressProto::Udp => Proto::Udp,
        };
        if let (Some(cidr), Some(ports)) = (cidr, ports) {
            rules.push(EgressRule { cidr, ports, proto });
        }
    }
    rules.sort_unstable();
    rules.dedup();
    rules
}

/// Reads a port, a range of ports or `any`.
pub(super) fn ports(resolver: &mut Resolver<'_>, at: At<'_>, text: &str) -> Option<Ports> {
    if text == "any" {
        return Some(Ports::Any);
    }
    let number = |text: &str| {
        let is_plain = text.chars().all(|c| c.is_ascii_digit()) && !text.starts_with('0');
        text.parse::<u16>().ok().filter(|_| is_plain)
    };
    let range = match text.split_once('-') {
        Some((first, last)) => number(first).zip(number(last)).filter(|(a, b)| a <= b),
        None => number(text).map(|port| (port, port)),
    };
    if range.is_none() {
        let diagnostic = Diagnostic::new(
            Code::BadPort,
            at,
            format!("`{}` is no port", text.escape_debug()),
        );
        let allowed = "a port from 1 to 65535, a range such as `8000-8010`, or `any`";
        resolver.report.push(diagnostic.allowed_text(allowed));
    }
    range.map(|(first, last)| Ports::Range(first, last))
}
