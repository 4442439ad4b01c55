//! What is allowed but will hurt one day.

use std::collections::BTreeSet;

use super::super::resolver::Resolver;
use crate::description::SynchronousMode;
use crate::model::{EndpointId, NetworkId, PatroniCluster, PatroniId, Synchronous};
use crate::pointer::At;
use crate::report::{Code, Diagnostic};

pub(super) fn check(resolver: &mut Resolver<'_>) {
    // Who is missing is known only where everybody could be placed.
    let has_all_backups = !resolver.has_errors_in("barman_servers");
    let has_all_clients = !["pods", "hosts", "patroni_clusters"]
        .iter()
        .any(|section| resolver.has_errors_in(section));
    lighthouses(resolver);
    etcd_clusters(resolver);
    let wanted = wanted(resolver);
    for index in 0..resolver.model.patroni_clusters.len() {
        let id = PatroniId(index);
        members(resolver, id);
        if has_all_backups {
            backups(resolver, id);
        }
        if has_all_clients {
            clients(resolver, id, wanted.contains(&id));
        }
    }
    barman_hosts(resolver);
    if has_all_backups && has_all_clients {
        super::unmatched::warn(resolver);
    }
}

/// Returns the clusters that a pod uses, or that an endpoint may reach by its groups.
fn wanted(resolver: &Resolver<'_>) -> BTreeSet<PatroniId> {
    let endpoints = resolver.model.endpoints.iter();
    let groups: BTreeSet<(NetworkId, &str)> = endpoints
        .flat_map(|it| it.groups.iter().map(|group| (it.network, group.as_str())))
        .collect();
    let used = resolver.model.pods.iter().flat_map(|pod| &pod.uses);
    let mut wanted: BTreeSet<PatroniId> = used.map(|(id, _)| *id).collect();
    let clusters = resolver.model.patroni_clusters.iter();
    for (index, (cluster, network)) in clusters.zip(&resolver.patroni_networks).enumerate() {
        let written = resolver.description.patroni_clusters.get(&cluster.name);
        let mut clients = written.iter().flat_map(|it| &it.client_groups);
        if clients.any(|group| groups.contains(&(*network, group.as_str()))) {
            wanted.insert(PatroniId(index));
        }
    }
    wanted
}

fn warn(resolver: &mut Resolver<'_>, code: Code, at: At<'_>, (message, help): (String, &str)) {
    resolver
        .report
        .push(Diagnostic::new(code, at, message).help(help));
}

fn lighthouses(resolver: &mut Resolver<'_>) {
    for (name, network) in &resolver.description.networks {
        if let [only] = &*network.lighthouses {
            let networks = At::ROOT.key("networks");
            let at = networks.key(name);
            let message = format!(
                "network `{name}` has one lighthouse; hosts can't find each other while `{only}` \
                 is down"
            );
            let help = "name a second host with an endpoint on this network";
            warn(
                resolver,
                Code::SingleLighthouse,
                at.key("lighthouses"),
                (message, help),
            );
        }
    }
}

fn etcd_clusters(resolver: &mut Resolver<'_>) {
    for (name, cluster) in &resolver.description.etcd_clusters {
        let clusters = At::ROOT.key("etcd_clusters");
        let entry = clusters.key(name);
        let at = entry.key("members");
        if cluster.members.len() == 1 {
            let message = format!("etcd cluster `{name}` has one member and survives no loss");
            warn(
                resolver,
                Code::EtcdOfOne,
                at,
                (message, "three members survive one loss"),
            );
            continue;
        }
        let hosts = &resolver.description.hosts;
        let addresses: Vec<Option<&String>> = cluster
            .members
            .iter()
            .filter_map(|member| hosts.get(&member.host))
            .map(|host| host.address.as_ref())
            .collect();
        if let [Some(first), rest @ ..] = addresses.as_slice()
            && !rest.is_empty()
            && rest.iter().all(|other| *other == Some(*first))
        {
            let message = format!("all members of etcd cluster `{name}` are at address `{first}`");
            let help = "one lost machine takes them all; use hosts that fail apart";
            warn(resolver, Code::EtcdOnOneAddress, at, (message, help));
        }
    }
}

fn hosts_of<'r>(resolver: &'r Resolver<'_>, endpoints: &[EndpointId]) -> BTreeSet<&'r str> {
    endpoints
        .iter()
        .map(|id| resolver.model[resolver.model[*id].host].name.as_str())
        .collect()
}

fn member_endpoints(cluster: &PatroniCluster) -> Vec<EndpointId> {
    cluster
        .members
        .iter()
        .map(|member| member.endpoint)
        .collect()
}

fn members(resolver: &mut Resolver<'_>, id: PatroniId) {
    let cluster = &resolver.model[id];
    let name = cluster.name.clone();
    let clusters = At::ROOT.key("patroni_clusters");
    let at = clusters.key(&name);
    let proxies = hosts_of(resolver, &cluster.proxies);
    let members = hosts_of(resolver, &member_endpoints(cluster));
    let missing: Vec<String> = members
        .difference(&proxies)
        .map(|host| format!("`{host}`"))
        .collect();
    let synchronous = cluster.synchronous;
    if !missing.is_empty() && !resolver.has_failed(at.key("proxies")) {
        let hosts = missing.join(", ");
        let message = format!("cluster `{name}` has members but no proxy on {hosts}");
        let help = "add the host to `proxies`: programs there have no local way to the database";
        warn(
            resolver,
            Code::NoProxyOnMember,
            at.key("proxies"),
            (message, help),
        );
    }
    let written = resolver.description.patroni_clusters.get(&name);
    let is_two = written.is_some_and(|it| {
        it.members.len() == 2 && it.synchronous_mode == Some(SynchronousMode::Off)
    });
    if is_two && synchronous == Synchronous::Off {
        let message = format!("a failover of cluster `{name}` may lose acknowledged rows");
        let help = "write `\"synchronous_mode\": \"on\"`, or take the line out";
        warn(
            resolver,
            Code::TwoMembersAsync,
            at.key("synchronous_mode"),
            (message, help),
        );
    }
}

fn backups(resolver: &mut Resolver<'_>, id: PatroniId) {
    let cluster = &resolver.model[id];
    let name = cluster.name.clone();
    let barman = At::ROOT.key("barman_servers");
    if cluster.barman_proxies.is_empty() && !resolver.has_failed(barman) {
        let sources = || {
            resolver
                .description
                .barman_servers
                .values()
                .flat_map(|it| &it.sources)
        };
        if sources().any(|source| source.cluster == name) {
            return;
        }
        let clusters = At::ROOT.key("patroni_clusters");
        let at = clusters.key(&name);
        let message = format!("nothing backs cluster `{name}` up");
        let help = "name it in the `sources` of a Barman server";
        warn(resolver, Code::NoBackups, at, (message, help));
    }
}

fn clients(resolver: &mut Resolver<'_>, id: PatroniId, is_wanted: bool) {
    let cluster = &resolver.model[id];
    let name = cluster.name.clone();
    let has_proxy = !cluster.proxies.is_empty();
    let Some(written) = resolver.description.patroni_clusters.get(&name) else {
        return;
    };
    if has_proxy && is_wanted {
        return;
    }
    let clusters = At::ROOT.key("patroni_clusters");
    let at = clusters.key(&name);
    let (key, message, help) = if has_proxy && written.client_groups.is_empty() {
        let message = format!(
            "no client can reach cluster `{name}`: it has no `client_groups`, and no pod uses it"
        );
        (
            "client_groups",
            message,
            "name it in a pod's `uses`, or its clients' group in `client_groups`",
        )
    } else if has_proxy {
        let message = format!("no client can reach cluster `{name}`: nobody has its client groups");
        (
            "client_groups",
            message,
            "give an endpoint one of these groups, or name the cluster in a pod's `uses`",
        )
    } else {
        let message = format!("no client can reach cluster `{name}`: it has no proxies");
        (
            "proxies",
            message,
            "add `proxies` on the hosts of its clients",
        )
    };
    let inner = at.key(key);
    let place = if key == "proxies" || written.client_groups.is_empty() {
        at
    } else {
        inner
    };
    warn(resolver, Code::UnreachableCluster, place, (message, help));
}

fn barman_hosts(resolver: &mut Resolver<'_>) {
    for index in 0..resolver.model.barman_servers.len() {
        let Some(server) = resolver.model.barman_servers.get(index) else {
            continue;
        };
        let name = server.name.clone();
        let host = resolver.model[resolver.model[server.endpoint].host]
            .name
            .clone();
        let clusters: Vec<PatroniId> = server.sources.iter().map(|it| it.cluster).collect();
        for cluster in clusters {
            let cluster = &resolver.model[cluster];
            let hosts = hosts_of(resolver, &member_endpoints(cluster));
            if hosts.len() == 1 && hosts.contains(host.as_str()) {
                let message = format!(
                    "cluster `{}` and its backups are all on host `{host}`",
                    cluster.name
                );
                let servers = At::ROOT.key("barman_servers");
                let at = servers.key(&name);
                let help = "one lost disk takes both; run Barman on another host";
                warn(
                    resolver,
                    Code::BarmanOnOnlyHost,
                    at.key("host"),
                    (message, help),
                );
            }
        }
    }
}
