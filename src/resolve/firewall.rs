//! Firewall rules and peers: what services need of each other, and what the user wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::resolver::Kind;
use super::resolver::{Resolver, add_peer, add_rule};
use crate::description::{self, FirewallProto};
use crate::model::{EndpointId, FirewallRule, Model, PatroniId, Peer, Ports, Proto};
use crate::name;
use crate::platform::{ports, services};
use crate::pointer::At;
use crate::report::{Code, Diagnostic};

const POSTGRES: Ports = only(ports::POSTGRES);
const PROXY: Ports = Ports::Range(ports::PROXY_PRIMARY, ports::PROXY_READ_ONLY);
const PROXY_STATS: Ports = only(ports::PROXY_STATS);
const PATRONI_API: Ports = only(ports::PATRONI_API);
const ETCD_CLIENT: Ports = only(ports::ETCD_CLIENT);
const ETCD_PEER: Ports = only(ports::ETCD_PEER);

const fn only(port: u16) -> Ports {
    Ports::Range(port, port)
}

pub(super) fn resolve(resolver: &mut Resolver<'_>) {
    etcd(resolver);
    patroni(resolver);
    barman(resolver);
    exports(resolver);
    pods(resolver);
    hosts(resolver);
}

fn tcp(ports: Ports, peer: Peer) -> FirewallRule {
    FirewallRule {
        ports,
        proto: Proto::Tcp,
        peer,
    }
}

fn group(name: &Arc<str>) -> Peer {
    Peer::Group(Arc::clone(name))
}

/// Returns the groups of a list, each once.
fn groups(list: &[String]) -> BTreeSet<Arc<str>> {
    list.iter().map(|name| Arc::from(name.as_str())).collect()
}

fn inbound(model: &mut Model, id: EndpointId, rule: FirewallRule) {
    if let Some(endpoint) = model.endpoints.get_mut(id.0) {
        add_rule(&mut endpoint.inbound, rule);
    }
}

fn outbound(model: &mut Model, id: EndpointId, rule: FirewallRule) {
    if let Some(endpoint) = model.endpoints.get_mut(id.0) {
        add_rule(&mut endpoint.outbound, rule);
    }
}

fn peers(model: &mut Model, id: EndpointId, others: &[EndpointId]) {
    if let Some(endpoint) = model.endpoints.get_mut(id.0) {
        for other in others.iter().filter(|other| **other != id) {
            add_peer(&mut endpoint.peers, *other);
        }
    }
}

/// etcd members talk to each other; Patroni members are clients.
fn etcd(resolver: &mut Resolver<'_>) {
    let mut clients: BTreeMap<usize, Vec<Arc<str>>> = BTreeMap::new();
    for cluster in &resolver.model.patroni_clusters {
        clients
            .entry(cluster.etcd.0)
            .or_default()
            .push(services::patroni(&cluster.name).into());
    }
    let model = &mut resolver.model;
    for index in 0..model.etcd_clusters.len() {
        let Some(cluster) = model.etcd_clusters.get(index) else {
            continue;
        };
        let own: Arc<str> = services::etcd(&cluster.name).into();
        let members: Vec<EndpointId> = cluster.members.iter().map(|it| it.endpoint).collect();
        for member in &members {
            for ports in [ETCD_CLIENT, ETCD_PEER] {
                inbound(model, *member, tcp(ports, group(&own)));
                outbound(model, *member, tcp(ports, group(&own)));
            }
            for client in clients.get(&index).into_iter().flatten() {
                inbound(model, *member, tcp(ETCD_CLIENT, group(client)));
            }
            peers(model, *member, &members);
        }
    }
}

/// Members talk to each other and to etcd, proxies to members, clients to proxies.
fn patroni(resolver: &mut Resolver<'_>) {
    let description = resolver.description;
    let model = &mut resolver.model;
    for index in 0..model.patroni_clusters.len() {
        let cluster = &model[PatroniId(index)];
        let own: Arc<str> = services::patroni(&cluster.name).into();
        let proxy_group: Arc<str> = services::proxy(&cluster.name).into();
        let members: Vec<EndpointId> = cluster.members.iter().map(|it| it.endpoint).collect();
        let proxies = cluster.proxies.clone();
        let etcd = model.etcd_clusters.get(cluster.etcd.0);
        let etcd_group: Option<Arc<str>> = etcd.map(|it| services::etcd(&it.name).into());
        let etcd: Vec<EndpointId> = etcd
            .into_iter()
            .flat_map(|it| &it.members)
            .map(|it| it.endpoint)
            .collect();
        let Some(written) = description.patroni_clusters.get(&cluster.name) else {
            continue;
        };
        let (clients, readers) = (
            groups(&written.client_groups),
            groups(&written.patroni_api_groups),
        );
        for member in &members {
            for ports in [POSTGRES, PATRONI_API] {
                inbound(model, *member, tcp(ports, group(&own)));
                inbound(model, *member, tcp(ports, group(&proxy_group)));
                outbound(model, *member, tcp(ports, group(&own)));
            }
            for reader in &readers {
                inbound(model, *member, tcp(PATRONI_API, group(reader)));
            }
            if let Some(etcd_group) = &etcd_group {
                outbound(model, *member, tcp(ETCD_CLIENT, group(etcd_group)));
            }
            peers(model, *member, &members);
            peers(model, *member, &etcd);
        }
        for proxy in &proxies {
            for client in &clients {
                inbound(model, *proxy, tcp(PROXY, group(client)));
                inbound(model, *proxy, tcp(PROXY_STATS, group(client)));
            }
            for reader in &readers {
                inbound(model, *proxy, tcp(PROXY_STATS, group(reader)));
            }
            for ports in [POSTGRES, PATRONI_API] {
                outbound(model, *proxy, tcp(ports, group(&own)));
            }
            peers(model, *proxy, &members);
        }
    }
}

/// Barman reads through the proxy of each of its sources.
fn barman(resolver: &mut Resolver<'_>) {
    let model = &mut resolver.model;
    for index in 0..model.barman_servers.len() {
        let Some(server) = model.barman_servers.get(index) else {
            continue;
        };
        let own: Arc<str> = services::barman_group(&server.name).into();
        let endpoint = server.endpoint;
        let proxies: Vec<EndpointId> = server.sources.iter().map(|it| it.proxy).collect();
        for proxy in proxies {
            let proxy_name = model[proxy].hostname.clone();
            inbound(model, proxy, tcp(POSTGRES, group(&own)));
            outbound(
                model,
                endpoint,
                tcp(POSTGRES, Peer::Host(proxy_name.into())),
            );
            peers(model, endpoint, &[proxy]);
        }
    }
}

/// The clients of an export's PostgreSQL talk to it. It has nobody to dial.
fn exports(resolver: &mut Resolver<'_>) {
    let description = resolver.description;
    let mut clients = Vec::new();
    for server in &resolver.model.barman_servers {
        let written = description.barman_servers.get(&server.name);
        for export in &server.exports {
            let written = written.and_then(|it| it.exports.get(&export.name));
            let postgres = written.and_then(|it| it.postgres.as_ref());
            clients.extend(export.postgres.zip(postgres.map(|it| &it.client_groups)));
        }
    }
    for (endpoint, groups) in clients {
        for client in self::groups(groups) {
            inbound(
                &mut resolver.model,
                endpoint,
                tcp(POSTGRES, Peer::Group(client)),
            );
        }
    }
}

/// A pod talks to the proxies of the clusters it uses, and as its own rules say.
fn pods(resolver: &mut Resolver<'_>) {
    let description = resolver.description;
    for index in 0..resolver.model.pods.len() {
        let Some(pod) = resolver.model.pods.get(index) else {
            continue;
        };
        let (endpoint, uses, name) = (pod.endpoint, pod.uses.clone(), pod.name.clone());
        let Some(written) = description.pods.get(&name) else {
            continue;
        };
        let model = &mut resolver.model;
        for (_, proxy) in uses {
            let (pod_name, proxy_name) = (
                model[endpoint].hostname.clone(),
                model[proxy].hostname.clone(),
            );
            inbound(model, proxy, tcp(PROXY, Peer::Host(pod_name.into())));
            outbound(model, endpoint, tcp(PROXY, Peer::Host(proxy_name.into())));
            peers(model, endpoint, &[proxy]);
        }
        let pods = At::ROOT.key("pods");
        let at = pods.key(&name);
        user_rules(resolver, at.key("firewall"), (endpoint, &written.firewall));
    }
}

/// A host's own endpoint talks as its rules say.
fn hosts(resolver: &mut Resolver<'_>) {
    let description = resolver.description;
    for index in 0..resolver.model.endpoints.len() {
        if resolver
            .endpoints
            .get(index)
            .is_none_or(|place| place.kind != Kind::Host)
        {
            continue;
        }
        let endpoint = &resolver.model[EndpointId(index)];
        let host = resolver.model[endpoint.host].name.clone();
        let network = resolver.model[endpoint.network].name.clone();
        let written = description
            .hosts
            .get(&host)
            .and_then(|it| it.endpoints.get(&network));
        let Some(written) = written else { continue };
        let hosts = At::ROOT.key("hosts");
        let entry = hosts.key(&host);
        let endpoints = entry.key("endpoints");
        let at = endpoints.key(&network);
        user_rules(
            resolver,
            at.key("firewall"),
            (EndpointId(index), &written.firewall),
        );
    }
}

fn user_rules(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    (endpoint, firewall): (EndpointId, &description::Firewall),
) {
    for (key, rules) in [
        ("inbound", &firewall.inbound),
        ("outbound", &firewall.outbound),
    ] {
        let list = at.key(key);
        let rules = rules.iter().enumerate();
        let rules: BTreeSet<FirewallRule> = rules
            .filter_map(|(index, written)| user_rule(resolver, list.index(index), written))
            .collect();
        for rule in rules {
            if key == "inbound" {
                inbound(&mut resolver.model, endpoint, rule);
            } else {
                outbound(&mut resolver.model, endpoint, rule);
            }
        }
    }
}

fn user_rule(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    written: &description::FirewallRule,
) -> Option<FirewallRule> {
    let ports = super::pod::ports(resolver, at.key("port"), &written.port);
    let proto = match written.proto {
        FirewallProto::Tcp => Proto::Tcp,
        FirewallProto::Udp => Proto::Udp,
        FirewallProto::Icmp => Proto::Icmp,
        FirewallProto::Any => Proto::Any,
    };
    let peer = match (&written.group, &written.host, &written.cidr) {
        (Some(group), None, None) => resolver
            .check(
                Code::BadGroup,
                at.key("group"),
                ("Nebula group", group, name::group(group)),
            )
            .then(|| Peer::Group(group.as_str().into())),
        (None, Some(host), None) if host == "any" => Some(Peer::Any),
        (None, Some(host), None) => resolver
            .check(
                Code::BadHostname,
                at.key("host"),
                ("host name", host, name::hostname(host)),
            )
            .then(|| Peer::Host(host.as_str().into())),
        (None, None, Some(cidr)) => {
            super::address::cidr(resolver, at.key("cidr"), cidr).map(Peer::Cidr)
        }
        (None, None, None)
        | (Some(_), Some(_), _)
        | (Some(_), _, Some(_))
        | (_, Some(_), Some(_)) => {
            let message = "a firewall rule has exactly one of `group`, `host` and `cidr`";
            let help = "write a rule for each: Nebula joins rules by OR, and fields of one by AND";
            resolver
                .report
                .push(Diagnostic::new(Code::OneOf, at, message).help(help));
            None
        }
    };
    Some(FirewallRule {
        ports: ports?,
        proto,
        peer: peer?,
    })
}
