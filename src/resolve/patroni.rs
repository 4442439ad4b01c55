//! Patroni clusters: where members and proxies run, and what they refer to.

use std::collections::BTreeMap;

use super::endpoint::{Claim, placed_host};
use super::resolver::Kind;
use super::resolver::Resolver;
use crate::description::{self, Placement};
use crate::model::{
    EndpointId, EtcdId, HostId, NetworkId, PatroniCluster, PatroniId, PatroniMember, SecretId,
};
use crate::name;
use crate::platform::services;
use crate::pointer::{At, Pointer};
use crate::report::{Code, Diagnostic};
use crate::shorthand::Shorthand;

/// Names that are servers of Barman's own.
const RESERVED: [&str; 2] = ["barman", "all"];

pub(super) fn resolve(resolver: &mut Resolver<'_>) {
    let description = resolver.description;
    for (name, cluster) in &description.patroni_clusters {
        let clusters = At::ROOT.key("patroni_clusters");
        let at = clusters.key(name);
        resolver.check_key(
            Code::BadName,
            at,
            ("name for a Patroni cluster", name, name::label(name)),
        );
        if RESERVED.contains(&name.as_str()) {
            let message = format!("no cluster can be named `{name}`: Barman uses that name itself");
            let diagnostic = Diagnostic::new(Code::ReservedName, at, message).on_key();
            resolver.report.push(diagnostic);
        }
        super::postgres::check(resolver, at, cluster);
        let secrets = secrets(resolver, at, cluster);
        let etcd = resolver.etcd_cluster(at.key("etcd_cluster"), &cluster.etcd_cluster);
        let network = resolver.network(at, cluster.network.as_deref());
        check_groups(resolver, at, cluster);
        let Some(network) = network else { continue };
        check_etcd_network(resolver, at, (etcd, network));
        resolver
            .patroni_ids
            .insert(name, PatroniId(resolver.model.patroni_clusters.len()));
        resolver.patroni_networks.push(network);
        let place = Place { name, network, at };
        let members = members(resolver, place, cluster);
        let proxies = proxies(resolver, place, cluster);
        let restore = restore(resolver, at, cluster);
        let [superuser_secret, replication_secret, rewind_secret] = secrets;
        let barman_secret = barman_secret(resolver, at, cluster);
        let (roles, databases) = super::postgres::roles_and_databases(resolver, at, cluster);
        resolver.model.patroni_clusters.push(PatroniCluster {
            name: name.clone(),
            etcd: etcd.unwrap_or(EtcdId(usize::MAX)),
            members,
            proxies,
            barman_proxies: Vec::new(),
            archive_timeout: None,
            timing: super::choices::timing(cluster, resolver.choices),
            watchdog: super::choices::watchdog(cluster),
            synchronous: super::choices::synchronous(cluster, resolver.choices),
            replica_max_lag: super::choices::replica_max_lag(cluster, resolver.choices),
            data_checksums: cluster.postgres_config.data_checksums,
            parameters: super::postgres::parameters(cluster),
            pg_hba: cluster.postgres_config.pg_hba.to_vec(),
            postgres_version: cluster.postgres_version,
            restore,
            superuser_secret,
            replication_secret,
            rewind_secret,
            barman_secret,
            roles,
            databases,
            image: cluster.image.clone(),
            proxy_image: cluster.proxy_image.clone(),
            proxy_drain_timeout: cluster.proxy_drain_timeout,
        });
    }
}

#[derive(Clone, Copy)]
struct Place<'p> {
    name: &'p str,
    network: NetworkId,
    at: At<'p>,
}

fn secrets(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    cluster: &description::PatroniCluster,
) -> [SecretId; 3] {
    let written = [
        ("superuser_secret", &cluster.superuser_secret),
        ("replication_secret", &cluster.replication_secret),
        ("rewind_secret", &cluster.rewind_secret),
    ];
    written.map(|(key, name)| {
        resolver
            .secret(at.key(key), name)
            .unwrap_or(SecretId(usize::MAX))
    })
}

fn barman_secret(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    cluster: &description::PatroniCluster,
) -> Option<SecretId> {
    let name = cluster.barman_secret.as_ref()?;
    resolver.secret(at.key("barman_secret"), name)
}

fn check_groups(resolver: &mut Resolver<'_>, at: At<'_>, cluster: &description::PatroniCluster) {
    let lists = [
        ("client_groups", &cluster.client_groups),
        ("patroni_api_groups", &cluster.patroni_api_groups),
    ];
    for (key, groups) in lists {
        let at = at.key(key);
        for (index, group) in groups.iter().enumerate() {
            let place = at.index(index);
            resolver.check(
                Code::BadGroup,
                place,
                ("Nebula group", group, name::group(group)),
            );
        }
    }
}

fn check_etcd_network(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    (etcd, network): (Option<EtcdId>, NetworkId),
) {
    let Some(etcd) = etcd else { return };
    let Some(etcd_network) = resolver.etcd_networks.get(etcd.0).copied() else {
        return;
    };
    if etcd_network != network {
        let (theirs, ours) = (
            &resolver.model[etcd_network].name,
            &resolver.model[network].name,
        );
        let message =
            format!("the etcd cluster is on network `{theirs}`, its Patroni cluster on `{ours}`");
        let help = "members reach etcd over the overlay: put both on one network";
        let diagnostic = Diagnostic::new(Code::NetworksDiffer, at.key("etcd_cluster"), message);
        resolver.report.push(diagnostic.help(help));
    }
}

fn members(
    resolver: &mut Resolver<'_>,
    place: Place<'_>,
    cluster: &description::PatroniCluster,
) -> Vec<PatroniMember> {
    let backups = backup_hosts(resolver, place.at, cluster);
    let mut seen = BTreeMap::new();
    let mut members = Vec::new();
    for (key, list) in [
        ("members", &cluster.members),
        ("read_replicas", &cluster.read_replicas),
    ] {
        for (host, endpoint) in place_all(resolver, place, (key, list), &mut seen) {
            members.push((
                host,
                PatroniMember {
                    endpoint,
                    is_read_replica: key == "read_replicas",
                    is_backup_replica: backups.contains_key(&host),
                },
            ));
        }
    }
    let at = place.at.key("members");
    if cluster.members.is_empty() && !resolver.has_failed(at) {
        let name = place.name;
        let message = format!("cluster `{name}` has no member that may become the primary");
        let help = "name hosts in `members`; read replicas never become the primary";
        let diagnostic = Diagnostic::new(Code::NoMembers, at, message);
        resolver.report.push(diagnostic.help(help));
    }
    members.sort_by_key(|(host, _)| *host);
    members.into_iter().map(|(_, member)| member).collect()
}

fn proxies(
    resolver: &mut Resolver<'_>,
    place: Place<'_>,
    cluster: &description::PatroniCluster,
) -> Vec<EndpointId> {
    let list = ("proxies", &*cluster.proxies);
    let mut proxies = place_all(resolver, place, list, &mut BTreeMap::new());
    proxies.sort_unstable();
    proxies.into_iter().map(|(_, endpoint)| endpoint).collect()
}

fn place_all(
    resolver: &mut Resolver<'_>,
    place: Place<'_>,
    (key, list): (&str, &[Shorthand<Placement>]),
    seen: &mut BTreeMap<HostId, Pointer>,
) -> Vec<(HostId, EndpointId)> {
    let Place { name, network, at } = place;
    let is_proxy = key == "proxies";
    let (kind, pod, infix) = if is_proxy {
        (Kind::Proxy, services::proxy(name), "-proxy")
    } else {
        (Kind::Patroni, services::patroni(name), "")
    };
    let at = at.key(key);
    let mut placed = Vec::new();
    for (index, member) in list.iter().enumerate() {
        let at = at.index(index);
        let written = (member.host.as_str(), member.is_object());
        let Some(host) = placed_host(resolver, at, written, seen) else {
            continue;
        };
        let domain = resolver.domain(network);
        let endpoint = resolver.claim(Claim {
            kind,
            network,
            host,
            name: pod.clone(),
            hostname: member.hostname.as_deref(),
            default_hostname: format!("{}.{name}{infix}.{domain}", member.host),
            ip: member.ip.as_deref(),
            groups: &member.groups,
            own_group: Some(pod.clone()),
            at,
        });
        placed.push((host, endpoint));
    }
    placed
}

fn backup_hosts(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    cluster: &description::PatroniCluster,
) -> BTreeMap<HostId, Pointer> {
    let all = || {
        cluster
            .members
            .iter()
            .chain(&cluster.read_replicas)
            .map(|it| it.host.as_str())
    };
    let is_silent =
        resolver.has_failed(at.key("members")) || resolver.has_failed(at.key("read_replicas"));
    let at = at.key("backup_replicas");
    let mut seen = BTreeMap::new();
    for (index, name) in cluster.backup_replicas.iter().enumerate() {
        let at = at.index(index);
        let placed = placed_host(resolver, at, (name, false), &mut seen);
        if placed.is_some() && !is_silent && !all().any(|host| host == name) {
            let message = format!(
                "backup replica `{name}` is neither a member nor a read replica of this cluster"
            );
            let diagnostic = Diagnostic::new(Code::BackupReplicaNotMember, at, message);
            resolver
                .report
                .push(diagnostic.suggest(name, all()).allowed(all()));
        }
    }
    seen
}

fn restore(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    cluster: &description::PatroniCluster,
) -> Option<(HostId, String)> {
    let restore = cluster.restore_from_backup.as_ref()?;
    let (members, replicas) = (at.key("members"), at.key("read_replicas"));
    let is_silent = resolver.has_failed(members) || resolver.has_failed(replicas);
    let at = at.key("restore_from_backup");
    resolver.check(
        Code::BadPath,
        at.key("path"),
        ("path on a host", &restore.path, name::path(&restore.path)),
    );
    let at = at.key("host");
    let host = resolver.host(at, &restore.host)?;
    let listed = |list: &[Shorthand<Placement>]| list.iter().any(|it| it.host == restore.host);
    if is_silent || listed(&cluster.members) {
        return Some((host, restore.path.clone()));
    }
    let message = if listed(&cluster.read_replicas) {
        format!(
            "read replica `{}` never becomes the primary, so it can't restore the cluster",
            restore.host
        )
    } else {
        format!(
            "`{}` is no member of this cluster, so it can't restore",
            restore.host
        )
    };
    let allowed = cluster.members.iter().map(|it| it.host.as_str());
    resolver
        .report
        .push(Diagnostic::new(Code::BadRestoreHost, at, message).allowed(allowed));
    None
}
