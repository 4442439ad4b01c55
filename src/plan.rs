//! What each host runs: the model, seen from one host. Nothing here can fail.

mod build;
mod export;
mod runbook;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use build::Runs;

use crate::model::{EndpointId, HostId, Model};

pub use export::{ExportPlan, PostgresPlan};
pub use runbook::{ArchivePlan, PlacePlan, Runbook, RunbookPlan};

pub use crate::model::{
    Arch, Compression, Container, ContainerSecret, Drill, EgressRule, ExportTarget, FirewallRule,
    Network, Override, Peer, PodmanVersion, Ports, Proto, PublishedPort, SecretSource,
    SecretTarget, Size, Synchronous, Timing, Volume, VolumeSource, Watchdog,
};

/// The plans of all hosts. Each is built when it is asked for, so that many hosts need little
/// memory.
#[derive(Debug)]
pub struct Plan<'m> {
    model: &'m Model,
    runs: Vec<Vec<(EndpointId, Runs<'m>)>>,
    hosts_by_name: BTreeMap<&'m str, HostId>,
}

/// Plans what every host runs.
pub fn plan(model: &Model) -> Plan<'_> {
    let hosts = model.hosts.iter().enumerate();
    Plan {
        model,
        runs: build::index(model),
        hosts_by_name: hosts
            .map(|(at, host)| (host.name.as_str(), HostId(at)))
            .collect(),
    }
}

impl<'m> Plan<'m> {
    /// Returns the names of the hosts, sorted.
    pub fn host_names(&self) -> impl Iterator<Item = &'m str> + '_ {
        self.hosts_by_name.keys().copied()
    }

    /// Returns the plan of a host.
    pub fn host(&self, name: &str) -> Option<HostPlan<'m>> {
        let id = *self.hosts_by_name.get(name)?;
        let runs = self.runs.get(id.0)?;
        Some(build::host(self.model, id, runs))
    }

    /// Returns the runbook of each Patroni cluster, sorted by cluster.
    pub fn runbooks(&self) -> Vec<Runbook<'m>> {
        runbook::all(self.model)
    }

    /// Returns the networks, sorted by name, with the certificates that each needs.
    pub fn networks(&self) -> Vec<NetworkPlan<'m>> {
        build::networks(self.model)
    }
}

/// One overlay network and the certificates of its endpoints.
#[derive(Debug)]
pub struct NetworkPlan<'m> {
    /// The network.
    pub network: &'m Network,
    /// Its certificates, sorted by host name.
    pub certificates: Vec<CertificatePlan<'m>>,
}

/// What one certificate says, and the host it belongs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CertificatePlan<'m> {
    /// Host name on the overlay: the certificate's name.
    pub hostname: &'m str,
    /// The host that the endpoint is on.
    pub host: &'m str,
    /// Overlay address.
    pub address: Ipv4Addr,
    /// Groups, sorted.
    pub groups: &'m [String],
}

/// Everything that one host runs.
#[derive(Debug)]
pub struct HostPlan<'m> {
    /// The host's name.
    pub name: &'m str,
    /// The processor architecture.
    pub arch: Arch,
    /// Decides which Quadlet keys may be written.
    pub podman_version: PodmanVersion,
    /// The bridge that the host's pods are attached to. Its gateway is the first address.
    pub underlay_subnet: Ipv4Net,
    /// IPv4 address of the host's own interface, where the description names it.
    pub underlay_address: Option<Ipv4Addr>,
    /// Endpoints of the host itself, one container each in the host's network namespace.
    pub endpoints: Vec<EndpointPlan<'m>>,
    /// Pods, sorted by name.
    pub pods: Vec<PodPlan<'m>>,
    /// Podman secrets that this host's containers use, sorted by name.
    pub secrets: Vec<SecretPlan<'m>>,
    /// Drop-ins for this host's units, sorted by unit file.
    pub overrides: Vec<&'m Override>,
}

/// One Nebula endpoint: a pod's, or the host's own.
#[derive(Debug)]
pub struct EndpointPlan<'m> {
    /// `host-NETWORK` for a host's own, else the pod's name.
    pub name: String,
    /// The overlay network.
    pub network: &'m Network,
    /// Host name on the overlay.
    pub hostname: &'m str,
    /// Overlay address.
    pub address: Ipv4Addr,
    /// UDP port on the host's real network, inside and outside of the pod alike.
    pub port: u16,
    /// Where others dial it, where they can: `ADDRESS:PORT` of the real network.
    pub advertised: Option<String>,
    /// Whether it is a lighthouse.
    pub is_lighthouse: bool,
    /// Overlay addresses of the lighthouses; empty for a lighthouse.
    pub lighthouses: Vec<Ipv4Addr>,
    /// Overlay address and `ADDRESS:PORT` of the lighthouses and of every peer it may dial,
    /// sorted by overlay address, without itself.
    pub static_hosts: Vec<(Ipv4Addr, String)>,
    /// Groups of its certificate, sorted.
    pub groups: &'m [String],
    /// Rules of traffic that comes in.
    pub inbound: &'m [FirewallRule],
    /// Rules of traffic that goes out.
    pub outbound: &'m [FirewallRule],
}

/// One pod: a Nebula sidecar, an egress lock and what the service adds.
#[derive(Debug)]
pub struct PodPlan<'m> {
    /// Name of the pod and stem of its unit files.
    pub name: String,
    /// Address on the host's bridge.
    pub bridge_address: Ipv4Addr,
    /// The pod's endpoint.
    pub endpoint: EndpointPlan<'m>,
    /// What runs in it.
    pub service: Service<'m>,
}

/// What runs in a pod.
#[derive(Debug)]
pub enum Service<'m> {
    /// An etcd member.
    Etcd(EtcdPlan<'m>),
    /// A Patroni member.
    Patroni(Box<PatroniPlan<'m>>),
    /// A proxy of a Patroni cluster.
    Proxy(ProxyPlan<'m>),
    /// A Barman server.
    Barman(BarmanPlan<'m>),
    /// Plain PostgreSQL on what an export made.
    Postgres(PostgresPlan<'m>),
    /// Containers of the user's own.
    User(UserPlan<'m>),
}

/// A member or server with its place on the overlay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed<'m> {
    /// Name of the host it runs on; members are called so.
    pub host: &'m str,
    /// Overlay address.
    pub address: Ipv4Addr,
}

/// One etcd member.
#[derive(Debug)]
pub struct EtcdPlan<'m> {
    /// The etcd cluster's name; data lies in `/var/containerops/data/etcd/CLUSTER`.
    pub cluster: &'m str,
    /// This member.
    pub member: Placed<'m>,
    /// All members, sorted by host, this one included.
    pub members: Vec<Placed<'m>>,
    /// Whether it joins a running cluster (`existing`).
    pub joins: bool,
    /// Image, where the description names one.
    pub image: Option<&'m str>,
}

/// One Patroni member.
#[derive(Debug)]
pub struct PatroniPlan<'m> {
    /// Patroni's scope; data lies in `/var/containerops/data/patroni/CLUSTER`.
    pub cluster: &'m str,
    /// This member.
    pub member: Placed<'m>,
    /// Whether it never becomes the primary (`nofailover`, `nosync`).
    pub is_read_replica: bool,
    /// All members and read replicas, sorted by host, this one included.
    pub members: Vec<Placed<'m>>,
    /// The etcd members.
    pub etcd: Vec<Placed<'m>>,
    /// The cluster's proxies.
    pub proxies: Vec<Placed<'m>>,
    /// The proxies that Barman reads through; empty when nothing backs the cluster up.
    pub barman_proxies: Vec<Placed<'m>>,
    /// Seconds after which a WAL segment is closed, where the cluster is backed up.
    pub archive_timeout: Option<u32>,
    /// Seconds of Patroni's loop.
    pub timing: Timing,
    /// What resets a primary that does not stop by itself.
    pub watchdog: Watchdog,
    /// How commits wait for other members.
    pub synchronous: Synchronous,
    /// Whether a new cluster has data checksums.
    pub data_checksums: bool,
    /// The user's parameters, sorted by name; they win over ours.
    pub parameters: &'m [(String, serde_json::Value)],
    /// The user's lines of `pg_hba.conf`.
    pub pg_hba: &'m [String],
    /// Major version of PostgreSQL.
    pub postgres_version: u16,
    /// How the cluster starts.
    pub bootstrap: Bootstrap<'m>,
    /// Podman secret of the superuser's password.
    pub superuser_secret: String,
    /// Podman secret of the password of `replicator`.
    pub replication_secret: String,
    /// Podman secret of the password of `rewind`.
    pub rewind_secret: String,
    /// Podman secret of the passwords of all its roles.
    pub passwords_secret: String,
    /// Whether the cluster has the roles `barman` and `streaming_barman`.
    pub has_barman_roles: bool,
    /// Login roles, sorted.
    pub roles: Vec<&'m str>,
    /// Databases and their owners, sorted.
    pub databases: Vec<(&'m str, &'m str)>,
    /// Image, where the description names one.
    pub image: Option<&'m str>,
}

/// How a cluster that doesn't exist yet starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bootstrap<'m> {
    /// Any member may initialise it empty.
    Empty,
    /// This member starts it from the restored directory at this path of the host.
    Restore(&'m str),
    /// Another member starts it; this one waits.
    Wait,
}

/// One proxy.
#[derive(Debug)]
pub struct ProxyPlan<'m> {
    /// The Patroni cluster.
    pub cluster: &'m str,
    /// The members, sorted by host, and whether each is a backup replica.
    pub servers: Vec<(Placed<'m>, bool)>,
    /// The WAL that a replica may be behind and still be read; none for any.
    pub replica_max_lag: Option<Size>,
    /// Seconds that a reload leaves open sessions alone.
    pub drain_timeout: u32,
    /// Image, where the description names one.
    pub image: Option<&'m str>,
}

/// One Barman server.
#[derive(Debug)]
pub struct BarmanPlan<'m> {
    /// Compression of archived WAL.
    pub compression: Compression,
    /// What is backed up, sorted by cluster.
    pub sources: Vec<SourcePlan<'m>>,
    /// Restores that are made once, sorted by name.
    pub exports: Vec<ExportPlan<'m>>,
    /// Podman secret with the passfile of all sources.
    pub passfile_secret: String,
    /// Newest PostgreSQL major among the sources: the client tools that are needed.
    pub postgres_version: u16,
    /// Image, where the description names one.
    pub image: Option<&'m str>,
}

/// One cluster that a Barman server backs up.
#[derive(Debug)]
pub struct SourcePlan<'m> {
    /// The Patroni cluster, and Barman's server name.
    pub cluster: &'m str,
    /// Overlay address of the proxy that Barman reads through.
    pub proxy: Ipv4Addr,
    /// Five cron fields, in UTC.
    pub frequency: &'m str,
    /// Number of backups that are always kept.
    pub minimum_redundancy: u32,
    /// Days back to which the cluster can be restored.
    pub recovery_window: u32,
    /// Major version of PostgreSQL.
    pub postgres_version: u16,
    /// Image of Patroni, where the description names one.
    pub patroni_image: Option<&'m str>,
    /// The restores that show whether the backups are good.
    pub drill: Option<&'m Drill>,
}

/// A pod of the user's own.
#[derive(Debug)]
pub struct UserPlan<'m> {
    /// Containers, sorted by name.
    pub containers: &'m [Container],
    /// The proxies of the clusters it uses: cluster, the proxy's overlay host name and address.
    pub uses: Vec<(&'m str, &'m str, Ipv4Addr)>,
    /// Ports that the host's real network reaches.
    pub publish: &'m [PublishedPort],
    /// Ways out beside the overlay.
    pub egress: &'m [EgressRule],
}

/// One Podman secret of a host.
#[derive(Debug, PartialEq, Eq)]
pub struct SecretPlan<'m> {
    /// Name in Podman.
    pub name: String,
    /// What it is made of.
    pub content: SecretContent<'m>,
}

/// What a Podman secret is made of.
#[derive(Debug, PartialEq, Eq)]
pub enum SecretContent<'m> {
    /// One secret of the description.
    Value(&'m SecretSource),
    /// A libpq passfile.
    Passfile(Vec<PassfileLine<'m>>),
    /// Roles and the password of each.
    Passwords(Vec<(&'m str, &'m SecretSource)>),
}

/// One line of a libpq passfile, for every port and database of a server.
#[derive(Debug, PartialEq, Eq)]
pub struct PassfileLine<'m> {
    /// The server's overlay address.
    pub address: Ipv4Addr,
    /// The role.
    pub user: &'static str,
    /// The password.
    pub password: &'m SecretSource,
}
