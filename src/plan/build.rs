//! Builds the plan of one host from the model.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::{
    BarmanPlan, Bootstrap, CertificatePlan, EndpointPlan, EtcdPlan, HostPlan, NetworkPlan,
    PassfileLine, PatroniPlan, Placed, PodPlan, ProxyPlan, SecretContent, SecretPlan, Service,
    SourcePlan, UserPlan,
};
use crate::model::{
    BarmanServer, EndpointId, EtcdCluster, EtcdMember, Export, HostId, Model, PatroniCluster,
    PatroniMember, Pod, SecretId, SecretSource,
};
use crate::platform::{self, roles};

/// What an endpoint is there for, as a place in the model.
#[derive(Debug, Clone, Copy)]
pub(super) enum Runs<'m> {
    Endpoint,
    Etcd(&'m EtcdCluster, &'m EtcdMember),
    Patroni(&'m PatroniCluster, &'m PatroniMember),
    Proxy(&'m PatroniCluster),
    Barman(&'m BarmanServer),
    Postgres(&'m Export),
    User(&'m Pod),
}

/// Lists what each host runs.
pub(super) fn index(model: &Model) -> Vec<Vec<(EndpointId, Runs<'_>)>> {
    let mut runs: Vec<Runs<'_>> = vec![Runs::Endpoint; model.endpoints.len()];
    let mut set = |id: EndpointId, what| {
        if let Some(slot) = runs.get_mut(id.0) {
            *slot = what;
        }
    };
    for cluster in &model.etcd_clusters {
        for member in &cluster.members {
            set(member.endpoint, Runs::Etcd(cluster, member));
        }
    }
    for cluster in &model.patroni_clusters {
        for member in &cluster.members {
            set(member.endpoint, Runs::Patroni(cluster, member));
        }
        for proxy in &cluster.proxies {
            set(*proxy, Runs::Proxy(cluster));
        }
    }
    for server in &model.barman_servers {
        set(server.endpoint, Runs::Barman(server));
        for export in &server.exports {
            if let Some(endpoint) = export.postgres {
                set(endpoint, Runs::Postgres(export));
            }
        }
    }
    for pod in &model.pods {
        set(pod.endpoint, Runs::User(pod));
    }
    let mut by_host: Vec<Vec<(EndpointId, Runs<'_>)>> = vec![Vec::new(); model.hosts.len()];
    for (position, (endpoint, what)) in model.endpoints.iter().zip(runs).enumerate() {
        if let Some(list) = by_host.get_mut(endpoint.host.0) {
            list.push((EndpointId(position), what));
        }
    }
    by_host
}

/// Lists the certificates of each network.
pub(super) fn networks(model: &Model) -> Vec<NetworkPlan<'_>> {
    let networks = model.networks.iter();
    let mut plans: Vec<NetworkPlan<'_>> = networks
        .map(|network| NetworkPlan {
            network,
            certificates: Vec::new(),
        })
        .collect();
    for endpoint in &model.endpoints {
        if let Some(plan) = plans.get_mut(endpoint.network.0) {
            plan.certificates.push(CertificatePlan {
                hostname: &endpoint.hostname,
                host: &model[endpoint.host].name,
                address: endpoint.address,
                groups: &endpoint.groups,
            });
        }
    }
    for plan in &mut plans {
        plan.certificates.sort_unstable();
    }
    plans
}

/// Builds the plan of one host.
pub(super) fn host<'m>(
    model: &'m Model,
    id: HostId,
    runs: &[(EndpointId, Runs<'m>)],
) -> HostPlan<'m> {
    let host = &model[id];
    let mut endpoints = Vec::new();
    let mut pods = Vec::new();
    let mut secrets = Secrets {
        model,
        by_name: BTreeMap::new(),
    };
    for (id, what) in runs {
        let endpoint = endpoint_plan(model, *id);
        match service(model, (*id, *what), &mut secrets) {
            Some(service) => pods.push(PodPlan {
                name: endpoint.name.clone(),
                bridge_address: model[*id].bridge_address.unwrap_or(Ipv4Addr::UNSPECIFIED),
                endpoint,
                service,
            }),
            None => endpoints.push(endpoint),
        }
    }
    endpoints.sort_by(|a, b| a.name.cmp(&b.name));
    pods.sort_by(|a, b| a.name.cmp(&b.name));
    let secrets = secrets.by_name.into_iter();
    HostPlan {
        name: &host.name,
        arch: host.arch,
        podman_version: host.podman_version,
        underlay_subnet: host.underlay_subnet,
        underlay_address: host.underlay_address,
        endpoints,
        pods,
        secrets: secrets
            .map(|(name, content)| SecretPlan { name, content })
            .collect(),
        overrides: host.overrides.iter().collect(),
    }
}

fn endpoint_plan(model: &Model, id: EndpointId) -> EndpointPlan<'_> {
    let endpoint = &model[id];
    let network = &model[endpoint.network];
    let is_lighthouse = network.lighthouses.contains(&id);
    let known = network.lighthouses.iter().chain(&endpoint.peers).copied();
    let others: BTreeSet<EndpointId> = known.filter(|other| *other != id).collect();
    let mut static_hosts: Vec<(Ipv4Addr, String)> = others
        .into_iter()
        .filter_map(|other| Some((model[other].address, dialled(model, id, other)?)))
        .collect();
    static_hosts.sort();
    let lighthouses = network.lighthouses.iter().filter(|_| !is_lighthouse);
    let address = model[endpoint.host].address.as_ref();
    EndpointPlan {
        name: endpoint.name.clone(),
        network,
        hostname: &endpoint.hostname,
        address: endpoint.address,
        port: endpoint.port,
        advertised: address.map(|address| format!("{address}:{}", endpoint.port)),
        is_lighthouse,
        lighthouses: lighthouses.map(|id| model[*id].address).collect(),
        static_hosts,
        groups: &endpoint.groups,
        inbound: &endpoint.inbound,
        outbound: &endpoint.outbound,
    }
}

/// Returns where one endpoint dials another, where it can: on its own host by the address of the
/// interface, since a 1:1 NAT may not lead back.
fn dialled(model: &Model, from: EndpointId, to: EndpointId) -> Option<String> {
    let (from, to) = (&model[from], &model[to]);
    let host = &model[to.host];
    match host.underlay_address {
        Some(own) if from.host == to.host => Some(format!("{own}:{}", to.port)),
        Some(_) | None => host
            .address
            .as_ref()
            .map(|address| format!("{address}:{}", to.port)),
    }
}

fn placed(model: &Model, id: EndpointId) -> Placed<'_> {
    let endpoint = &model[id];
    Placed {
        host: &model[endpoint.host].name,
        address: endpoint.address,
    }
}

fn placed_all(model: &Model, ids: impl IntoIterator<Item = EndpointId>) -> Vec<Placed<'_>> {
    ids.into_iter().map(|id| placed(model, id)).collect()
}

/// The Podman secrets that a host's containers use.
struct Secrets<'m> {
    model: &'m Model,
    by_name: BTreeMap<String, SecretContent<'m>>,
}

impl<'m> Secrets<'m> {
    /// Adds a secret of the description, and returns its name in Podman.
    fn value(&mut self, id: SecretId) -> String {
        let source: &SecretSource = &self.model[id];
        let name = platform::secrets::of(&source.name);
        self.by_name
            .insert(name.clone(), SecretContent::Value(source));
        name
    }

    /// Adds the passwords of a cluster's roles, and returns their name in Podman.
    fn passwords(&mut self, cluster: &'m PatroniCluster) -> String {
        let own = [
            (roles::SUPERUSER, cluster.superuser_secret),
            (roles::REPLICATION, cluster.replication_secret),
            (roles::REWIND, cluster.rewind_secret),
        ];
        let barman = cluster
            .barman_secret
            .into_iter()
            .flat_map(|id| roles::OF_BARMAN.map(|role| (role, id)));
        let roles = cluster.roles.iter().map(|(name, id)| (name.as_str(), *id));
        let passwords = own.into_iter().chain(barman).chain(roles);
        let passwords = passwords
            .map(|(role, id)| (role, &self.model[id]))
            .collect();
        let name = platform::secrets::passwords(&cluster.name);
        self.by_name
            .insert(name.clone(), SecretContent::Passwords(passwords));
        name
    }
}

fn service<'m>(
    model: &'m Model,
    (endpoint, runs): (EndpointId, Runs<'m>),
    secrets: &mut Secrets<'m>,
) -> Option<Service<'m>> {
    Some(match runs {
        Runs::Endpoint => return None,
        Runs::Etcd(cluster, member) => Service::Etcd(EtcdPlan {
            cluster: &cluster.name,
            member: placed(model, endpoint),
            members: placed_all(model, cluster.members.iter().map(|it| it.endpoint)),
            joins: member.joins,
            image: cluster.image.as_deref(),
        }),
        Runs::Patroni(cluster, member) => {
            Service::Patroni(Box::new(patroni(model, (cluster, member), secrets)))
        }
        Runs::Proxy(cluster) => {
            let members = cluster.members.iter();
            let server = |it: &PatroniMember| (placed(model, it.endpoint), it.is_backup_replica);
            Service::Proxy(ProxyPlan {
                cluster: &cluster.name,
                servers: members.map(server).collect(),
                replica_max_lag: cluster.replica_max_lag,
                drain_timeout: cluster.proxy_drain_timeout,
                image: cluster.proxy_image.as_deref(),
            })
        }
        Runs::Barman(server) => Service::Barman(barman(model, server, secrets)),
        Runs::Postgres(export) => {
            Service::Postgres(super::export::postgres(model, export, endpoint))
        }
        Runs::User(pod) => Service::User(user(model, pod, secrets)),
    })
}

fn patroni<'m>(
    model: &'m Model,
    (cluster, member): (&'m PatroniCluster, &'m PatroniMember),
    secrets: &mut Secrets<'m>,
) -> PatroniPlan<'m> {
    let host = model[member.endpoint].host;
    let databases = cluster.databases.iter();
    PatroniPlan {
        cluster: &cluster.name,
        member: placed(model, member.endpoint),
        is_read_replica: member.is_read_replica,
        members: placed_all(model, cluster.members.iter().map(|it| it.endpoint)),
        etcd: placed_all(
            model,
            model[cluster.etcd].members.iter().map(|it| it.endpoint),
        ),
        proxies: placed_all(model, cluster.proxies.iter().copied()),
        barman_proxies: placed_all(model, cluster.barman_proxies.iter().copied()),
        archive_timeout: cluster.archive_timeout,
        timing: cluster.timing,
        watchdog: cluster.watchdog,
        synchronous: cluster.synchronous,
        data_checksums: cluster.data_checksums,
        parameters: &cluster.parameters,
        pg_hba: &cluster.pg_hba,
        postgres_version: cluster.postgres_version,
        bootstrap: match &cluster.restore {
            None => Bootstrap::Empty,
            Some((restorer, path)) if *restorer == host => Bootstrap::Restore(path),
            Some(_) => Bootstrap::Wait,
        },
        superuser_secret: secrets.value(cluster.superuser_secret),
        replication_secret: secrets.value(cluster.replication_secret),
        rewind_secret: secrets.value(cluster.rewind_secret),
        passwords_secret: secrets.passwords(cluster),
        has_barman_roles: cluster.barman_secret.is_some(),
        roles: cluster
            .roles
            .iter()
            .map(|(name, _)| name.as_str())
            .collect(),
        databases: databases
            .map(|(name, owner)| (name.as_str(), owner.as_str()))
            .collect(),
        image: cluster.image.as_deref(),
    }
}

fn barman<'m>(
    model: &'m Model,
    server: &'m BarmanServer,
    secrets: &mut Secrets<'m>,
) -> BarmanPlan<'m> {
    let mut lines = Vec::new();
    let mut sources = Vec::new();
    for source in &server.sources {
        let cluster = &model[source.cluster];
        let proxy = model[source.proxy].address;
        if let Some(secret) = cluster.barman_secret {
            let password = &model[secret];
            for user in roles::OF_BARMAN {
                lines.push(PassfileLine {
                    address: proxy,
                    user,
                    password,
                });
            }
        }
        sources.push(SourcePlan {
            cluster: &cluster.name,
            proxy,
            frequency: &source.frequency,
            minimum_redundancy: source.minimum_redundancy,
            recovery_window: source.recovery_window,
            postgres_version: cluster.postgres_version,
            patroni_image: cluster.image.as_deref(),
            drill: source.drill.as_ref(),
        });
    }
    let passfile_secret = platform::secrets::passfile(&server.name);
    secrets
        .by_name
        .insert(passfile_secret.clone(), SecretContent::Passfile(lines));
    BarmanPlan {
        compression: server.compression,
        postgres_version: model.client_version(server),
        sources,
        exports: super::export::plans(model, server),
        passfile_secret,
        image: server.image.as_deref(),
    }
}

fn user<'m>(model: &'m Model, pod: &'m Pod, secrets: &mut Secrets<'m>) -> UserPlan<'m> {
    for secret in pod
        .containers
        .iter()
        .flat_map(|container| &container.secrets)
    {
        secrets.value(secret.secret);
    }
    let uses = pod.uses.iter().map(|(cluster, proxy)| {
        let proxy = &model[*proxy];
        (
            model[*cluster].name.as_str(),
            proxy.hostname.as_str(),
            proxy.address,
        )
    });
    UserPlan {
        containers: &pod.containers,
        uses: uses.collect(),
        publish: &pod.publish,
        egress: &pod.egress,
    }
}
