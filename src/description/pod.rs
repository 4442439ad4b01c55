//! Pods of the user's own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::unique_map::UniqueMap;

/// A pod of your own: containers that share one endpoint of the overlay.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pod {
    /// The host it runs on.
    pub host: String,
    /// The overlay network. May be left out where only one exists.
    #[serde(default)]
    pub network: Option<String>,
    /// Host name on the overlay. Default `NAME.DOMAIN`.
    #[serde(default)]
    pub hostname: Option<String>,
    /// Overlay address. Default: the lowest free one, kept in the lock file.
    #[serde(default)]
    pub ip: Option<String>,
    /// Nebula groups of its certificate.
    #[serde(default)]
    pub groups: Box<[String]>,
    /// Patroni clusters whose proxy on this host it talks to. The firewall rule, the proxy's name
    /// and, where it is one cluster, `PGHOST` come by themselves.
    #[serde(default)]
    pub uses: Box<[String]>,
    /// Firewall rules of its endpoint on the overlay.
    #[serde(default)]
    pub firewall: Firewall,
    /// Ports that the host's real network reaches.
    #[serde(default)]
    pub publish: Box<[PublishedPort]>,
    /// Ways out of the pod beside the overlay.
    #[serde(default)]
    pub egress: Box<[EgressRule]>,
    /// The containers, by name.
    pub containers: UniqueMap<Box<Container>>,
}

/// Nebula firewall rules. Everything that no rule allows is dropped, but for ping, which every endpoint answers.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Firewall {
    /// Who may connect to this endpoint.
    #[serde(default)]
    pub inbound: Box<[FirewallRule]>,
    /// Where this endpoint may connect to.
    #[serde(default)]
    pub outbound: Box<[FirewallRule]>,
}

/// One rule: exactly one of `group`, `host` and `cidr` says who is at the other end.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FirewallRule {
    /// A port (`"8080"`), a range (`"8000-8010"`) or `"any"`.
    pub port: String,
    /// The protocol. Default `tcp`.
    #[serde(default)]
    pub proto: FirewallProto,
    /// A Nebula group.
    #[serde(default)]
    pub group: Option<String>,
    /// An overlay host name, or `any`.
    #[serde(default)]
    pub host: Option<String>,
    /// Overlay addresses, such as `10.2.57.0/28`.
    #[serde(default)]
    pub cidr: Option<String>,
}

/// A protocol that Nebula's firewall knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FirewallProto {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// ICMP.
    Icmp,
    /// Every protocol.
    Any,
}

/// A port of the pod that the host's real network reaches.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishedPort {
    /// Port on the host.
    pub host_port: u16,
    /// Port in the pod.
    pub port: u16,
    /// The protocol. Default `tcp`.
    #[serde(default)]
    pub proto: PublishProto,
    /// IPv4 address on the host. Default `0.0.0.0`, every address.
    #[serde(default = "every_address")]
    pub address: String,
}

/// A protocol of a published port.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PublishProto {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}

/// One way out of the pod beside the overlay.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EgressRule {
    /// IPv4 addresses that may be reached, such as `198.51.100.0/24`.
    pub cidr: String,
    /// A port (`"443"`), a range (`"8000-8010"`) or `"any"`.
    pub port: String,
    /// The protocol. Default `tcp`.
    #[serde(default)]
    pub proto: EgressProto,
}

/// A protocol of a way out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EgressProto {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}

/// One container of a pod.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Container {
    /// The image, with its registry.
    pub image: String,
    /// The program and its first arguments. Default: the image's own.
    #[serde(default)]
    pub entrypoint: Box<[String]>,
    /// Arguments. Default: the image's own.
    #[serde(default)]
    pub command: Box<[String]>,
    /// Environment variables, by name.
    #[serde(default)]
    pub environment: UniqueMap<String>,
    /// Secrets, each as an environment variable or as a file.
    #[serde(default)]
    pub secrets: Box<[ContainerSecret]>,
    /// Directories that outlive the container.
    #[serde(default)]
    pub volumes: Box<[Volume]>,
    /// Config files by directory and name. Each directory is mounted read-only as a whole.
    #[serde(default)]
    pub config_files: UniqueMap<UniqueMap<String>>,
    /// Containers of the same pod that are started before this one.
    #[serde(default)]
    pub after: Box<[String]>,
    /// Signal that makes it read its config files again, such as `HUP`. Without one, a changed
    /// config file restarts the container.
    #[serde(default)]
    pub reload_signal: Option<String>,
    /// Seconds before a container that ended is started again. Default 2.
    #[serde(default = "restart_delay")]
    pub restart_delay: u32,
    /// Linux capabilities to add, such as `CAP_NET_BIND_SERVICE`. `NET_ADMIN` and those that imply
    /// it are refused: they would open the egress lock.
    #[serde(default)]
    pub capabilities: Box<[String]>,
    /// Devices of the host, as `/dev/fuse` or `/dev/a:/dev/b:rw`.
    #[serde(default)]
    pub devices: Box<[String]>,
    /// Kernel parameters of the container, by name.
    #[serde(default)]
    pub sysctls: UniqueMap<String>,
}

/// A secret in a container: exactly one of `env` and `mount` says where.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContainerSecret {
    /// The secret's name in `secrets`.
    pub secret: String,
    /// Environment variable that holds the value.
    #[serde(default)]
    pub env: Option<String>,
    /// Absolute path of a file in the container that holds the value.
    #[serde(default)]
    pub mount: Option<String>,
    /// Numeric owner of the file. Default 0.
    #[serde(default)]
    pub uid: Option<u32>,
    /// Numeric group of the file. Default 0.
    #[serde(default)]
    pub gid: Option<u32>,
    /// Octal mode of the file. Default `0400`.
    #[serde(default)]
    pub mode: Option<String>,
}

/// A directory in a container: exactly one of `name` and `source` says what it is on the host.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// Name of a directory of the pod's own, kept below `/var/containerops/data/pods/POD`.
    #[serde(default)]
    pub name: Option<String>,
    /// Absolute path of a directory of the host that exists already.
    #[serde(default)]
    pub source: Option<String>,
    /// Absolute path in the container.
    pub mount: String,
    /// Numeric owner of a directory with a `name`. Default 0.
    #[serde(default)]
    pub uid: Option<u32>,
    /// Numeric group of a directory with a `name`. Default 0.
    #[serde(default)]
    pub gid: Option<u32>,
    /// Octal mode of a directory with a `name`. Default `0750`.
    #[serde(default)]
    pub mode: Option<String>,
    /// Whether the container can't write to it. Default false.
    #[serde(default)]
    pub read_only: bool,
}

fn every_address() -> String {
    "0.0.0.0".to_owned()
}

fn restart_delay() -> u32 {
    2
}
