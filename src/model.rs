//! What the description means: every name resolved, every value checked, every address known.

mod barman;
mod patroni;

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::platform::images;
use ipnet::Ipv4Net;

pub use barman::{BarmanServer, BarmanSource, Compression, Drill, Export, ExportTarget};
pub use patroni::{Size, Timing, Watchdog};

/// The whole platform.
#[derive(Debug, Default)]
pub struct Model {
    /// Overlay networks, sorted by name.
    pub networks: Vec<Network>,
    /// Hosts, sorted by name.
    pub hosts: Vec<Host>,
    /// Every endpoint of every network.
    pub endpoints: Vec<Endpoint>,
    /// Secrets, sorted by name.
    pub secrets: Vec<SecretSource>,
    /// etcd clusters, sorted by name.
    pub etcd_clusters: Vec<EtcdCluster>,
    /// Patroni clusters, sorted by name.
    pub patroni_clusters: Vec<PatroniCluster>,
    /// Barman servers, sorted by name.
    pub barman_servers: Vec<BarmanServer>,
    /// Pods of the user's own, sorted by name.
    pub pods: Vec<Pod>,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $id:ident => $field:ident: $item:ty;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $id(pub usize);

        impl std::ops::Index<$id> for Model {
            type Output = $item;
            #[expect(clippy::indexing_slicing, reason = "resolve makes an id from a position")]
            fn index(&self, id: $id) -> &$item {
                &self.$field[id.0]
            }
        }
    )*};
}

ids! {
    /// Position of a network.
    NetworkId => networks: Network;
    /// Position of a host.
    HostId => hosts: Host;
    /// Position of an endpoint.
    EndpointId => endpoints: Endpoint;
    /// Position of a secret.
    SecretId => secrets: SecretSource;
    /// Position of an etcd cluster.
    EtcdId => etcd_clusters: EtcdCluster;
    /// Position of a Patroni cluster.
    PatroniId => patroni_clusters: PatroniCluster;
}

impl Model {
    /// Returns the newest major version of PostgreSQL that a Barman server backs up: the client programs that it needs.
    pub fn client_version(&self, server: &BarmanServer) -> u16 {
        let versions = server.sources.iter();
        let versions = versions.map(|source| self[source.cluster].postgres_version);
        versions.max().unwrap_or(images::POSTGRES_VERSION)
    }
}

/// An overlay network.
#[derive(Debug)]
pub struct Network {
    /// Its name.
    pub name: String,
    /// The overlay's addresses.
    pub cidr: Ipv4Net,
    /// MTU of the overlay device in bytes.
    pub mtu: u16,
    /// Whether endpoints keep NAT mappings open.
    pub nat_punch: bool,
    /// Fingerprints of refused certificates, sorted, lower-case.
    pub blocklist: Vec<String>,
    /// The CA that signs.
    pub epoch: u32,
    /// The CAs that are trusted, sorted.
    pub trusted_epochs: Vec<u32>,
    /// Version of issued certificates.
    pub certificate_version: u8,
    /// The endpoints that are lighthouses.
    pub lighthouses: Vec<EndpointId>,
}

/// A machine.
#[derive(Debug)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// What other hosts dial, where they can.
    pub address: Option<String>,
    /// The address of its own interface, where that is another.
    pub underlay_address: Option<Ipv4Addr>,
    /// The bridge of its pods.
    pub underlay_subnet: Ipv4Net,
    /// Podman's version.
    pub podman_version: PodmanVersion,
    /// The processor architecture.
    pub arch: Arch,
    /// Drop-ins for its units, sorted by unit file.
    pub overrides: Vec<Override>,
}

/// A processor architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arch {
    /// 64-bit x86.
    Amd64,
    /// 64-bit ARM.
    Arm64,
}

/// Podman's version, as `MAJOR.MINOR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodmanVersion {
    /// The first number.
    pub major: u16,
    /// The second number.
    pub minor: u16,
}

impl std::fmt::Display for PodmanVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A place on an overlay network.
#[derive(Debug)]
pub struct Endpoint {
    /// The network.
    pub network: NetworkId,
    /// The host it is on.
    pub host: HostId,
    /// Name of the pod, or `host-NETWORK` for a host's own endpoint.
    pub name: String,
    /// Host name on the overlay.
    pub hostname: String,
    /// Overlay address.
    pub address: Ipv4Addr,
    /// UDP port on the host.
    pub port: u16,
    /// Address on the host's bridge; none for a host's own endpoint.
    pub bridge_address: Option<Ipv4Addr>,
    /// Groups of its certificate, sorted.
    pub groups: Vec<String>,
    /// Rules of traffic that comes in.
    pub inbound: Vec<FirewallRule>,
    /// Rules of traffic that goes out.
    pub outbound: Vec<FirewallRule>,
    /// Endpoints that it may dial by an address that it knows.
    pub peers: Vec<EndpointId>,
}

/// One Nebula firewall rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FirewallRule {
    /// The ports.
    pub ports: Ports,
    /// The protocol.
    pub proto: Proto,
    /// Who is at the other end.
    pub peer: Peer,
}

/// Ports of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ports {
    /// Every port.
    Any,
    /// From the first to the last; one port where they are equal.
    Range(u16, u16),
}

/// A protocol of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proto {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP.
    Icmp,
    /// Every protocol.
    Any,
}

/// Who is at the other end of a rule. Rules share the name of a group that many of them have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// Everybody on the network.
    Any,
    /// Every endpoint with this group.
    Group(Arc<str>),
    /// The endpoint with this host name.
    Host(Arc<str>),
    /// Every endpoint with such an address.
    Cidr(Ipv4Net),
}

/// Where a secret's value lies on a host.
#[derive(Debug, PartialEq, Eq)]
pub struct SecretSource {
    /// Its name.
    pub name: String,
    /// Absolute path of the file.
    pub source: String,
    /// Key of one top-level string, where the file is JSON.
    pub json_key: Option<String>,
}

/// An etcd cluster.
#[derive(Debug)]
pub struct EtcdCluster {
    /// Its name.
    pub name: String,
    /// The members, sorted by host.
    pub members: Vec<EtcdMember>,
    /// Image, where the description names one.
    pub image: Option<String>,
}

/// An etcd member.
#[derive(Debug)]
pub struct EtcdMember {
    /// Its place.
    pub endpoint: EndpointId,
    /// Whether it joins a running cluster.
    pub joins: bool,
}

/// A Patroni cluster.
#[derive(Debug)]
pub struct PatroniCluster {
    /// Its name.
    pub name: String,
    /// The etcd cluster.
    pub etcd: EtcdId,
    /// Members and read replicas, sorted by host.
    pub members: Vec<PatroniMember>,
    /// The proxies, sorted by host.
    pub proxies: Vec<EndpointId>,
    /// The proxies that Barman reads through.
    pub barman_proxies: Vec<EndpointId>,
    /// Seconds after which a WAL segment is closed, where the cluster is backed up.
    pub archive_timeout: Option<u32>,
    /// Seconds of Patroni's loop.
    pub timing: Timing,
    /// What resets a primary that does not stop by itself.
    pub watchdog: Watchdog,
    /// How commits wait for other members.
    pub synchronous: Synchronous,
    /// The WAL that a replica may be behind and still be read through the proxies; none for any.
    pub replica_max_lag: Option<Size>,
    /// Whether a new cluster has data checksums.
    pub data_checksums: bool,
    /// The user's parameters, sorted by name.
    pub parameters: Vec<(String, serde_json::Value)>,
    /// The user's lines of `pg_hba.conf`.
    pub pg_hba: Vec<String>,
    /// Major version of PostgreSQL.
    pub postgres_version: u16,
    /// The member that restores, and the path there.
    pub restore: Option<(HostId, String)>,
    /// The superuser's password.
    pub superuser_secret: SecretId,
    /// The password of `replicator`.
    pub replication_secret: SecretId,
    /// The password of `rewind`.
    pub rewind_secret: SecretId,
    /// The password of Barman's roles.
    pub barman_secret: Option<SecretId>,
    /// Login roles and their passwords, sorted.
    pub roles: Vec<(String, SecretId)>,
    /// Databases and their owners, sorted.
    pub databases: Vec<(String, String)>,
    /// Image of Patroni, where the description names one.
    pub image: Option<String>,
    /// Image of HAProxy, where the description names one.
    pub proxy_image: Option<String>,
    /// Seconds that a reloaded proxy leaves its open sessions alone.
    pub proxy_drain_timeout: u32,
}

/// A Patroni member.
#[derive(Debug)]
pub struct PatroniMember {
    /// Its place.
    pub endpoint: EndpointId,
    /// Whether it never becomes the primary.
    pub is_read_replica: bool,
    /// Whether it gets read traffic only when no other can serve it.
    pub is_backup_replica: bool,
}

/// How commits wait for other members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synchronous {
    /// They don't.
    Off,
    /// For one synchronous standby.
    On,
    /// For a quorum.
    Quorum,
}

/// A pod of the user's own.
#[derive(Debug)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Its place.
    pub endpoint: EndpointId,
    /// Clusters it uses, and their proxy on its host, sorted by name.
    pub uses: Vec<(PatroniId, EndpointId)>,
    /// Ports that the host's real network reaches.
    pub publish: Vec<PublishedPort>,
    /// Ways out beside the overlay.
    pub egress: Vec<EgressRule>,
    /// Containers, sorted by name.
    pub containers: Vec<Container>,
}

/// A port of a pod that the host's real network reaches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublishedPort {
    /// Address on the host.
    pub address: Ipv4Addr,
    /// Port on the host.
    pub host_port: u16,
    /// Port in the pod.
    pub port: u16,
    /// TCP or UDP.
    pub proto: Proto,
}

/// One way out of a pod beside the overlay.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EgressRule {
    /// Addresses that may be reached.
    pub cidr: Ipv4Net,
    /// The ports.
    pub ports: Ports,
    /// TCP or UDP.
    pub proto: Proto,
}

/// One container of a user's pod.
#[derive(Debug)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// The image.
    pub image: String,
    /// Program and first arguments; empty for the image's own.
    pub entrypoint: Vec<String>,
    /// Arguments; empty for the image's own.
    pub command: Vec<String>,
    /// Environment variables, sorted by name.
    pub environment: Vec<(String, String)>,
    /// Secrets.
    pub secrets: Vec<ContainerSecret>,
    /// Volumes.
    pub volumes: Vec<Volume>,
    /// Config files: the directory in the container, then name and content, sorted.
    pub config_files: Vec<(String, Vec<(String, String)>)>,
    /// Containers of the pod that are started before, sorted.
    pub after: Vec<String>,
    /// Signal that makes it read its config files again.
    pub reload_signal: Option<String>,
    /// Seconds before it is started again.
    pub restart_delay: u32,
    /// Capabilities to add, as `CAP_…`.
    pub capabilities: Vec<String>,
    /// Devices.
    pub devices: Vec<String>,
    /// Kernel parameters, sorted by name.
    pub sysctls: Vec<(String, String)>,
}

/// A secret in a container.
#[derive(Debug)]
pub struct ContainerSecret {
    /// The secret.
    pub secret: SecretId,
    /// Name in Podman.
    pub podman_name: String,
    /// Where the container finds it.
    pub target: SecretTarget,
}

/// Where a container finds a secret.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretTarget {
    /// In an environment variable.
    Env(String),
    /// In a file.
    Mount {
        /// Absolute path in the container.
        path: String,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
        /// Permission bits.
        mode: u32,
    },
}

/// A volume of a container.
#[derive(Debug)]
pub struct Volume {
    /// What it is on the host.
    pub source: VolumeSource,
    /// Absolute path in the container.
    pub mount: String,
    /// Whether the container can't write to it.
    pub is_read_only: bool,
}

/// What a volume is on the host.
#[derive(Debug, PartialEq, Eq)]
pub enum VolumeSource {
    /// `/var/containerops/data/pods/POD/NAME`, made with owner and permission bits.
    Named {
        /// Its name.
        name: String,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
        /// Permission bits.
        mode: u32,
    },
    /// A directory that exists.
    Path(String),
}

/// Keys of a section, each with its raw lines.
pub type KeyLines = Vec<(String, Vec<String>)>;

/// A drop-in for one unit.
#[derive(Debug, PartialEq, Eq)]
pub struct Override {
    /// The unit file, such as `patroni-app-main.container`.
    pub unit_file: String,
    /// Section, then key and raw lines.
    pub sections: Vec<(String, KeyLines)>,
}
