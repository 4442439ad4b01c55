//! What services are called: their pods, and the Nebula groups that let others know them.

/// The one container of most services' pods.
pub const MAIN: &str = "main";
/// The container beside a Patroni member that looks after it.
pub const KEEPER: &str = "keeper";
/// The container of a pod that is its place on the overlay.
pub const SIDECAR: &str = "nebula";
/// The pod of a host's Barman server.
pub const BARMAN: &str = "barman";

/// What the groups of services begin with: nobody else gets such a group.
pub const GROUP_PREFIXES: [&str; 4] = ["etcd-", "patroni-", "proxy-", "barman-"];

/// Returns the pod, and the group, of the members of an etcd cluster.
pub fn etcd(cluster: &str) -> String {
    format!("etcd-{cluster}")
}

/// Returns the pod, and the group, of the members of a Patroni cluster.
pub fn patroni(cluster: &str) -> String {
    format!("patroni-{cluster}")
}

/// Returns the pod, and the group, of the proxies of a Patroni cluster.
pub fn proxy(cluster: &str) -> String {
    format!("proxy-{cluster}")
}

/// Returns the group of a Barman server.
pub fn barman_group(server: &str) -> String {
    format!("barman-{server}")
}

/// Returns the pod of the PostgreSQL of an export.
pub fn postgres(export: &str) -> String {
    format!("postgres-{export}")
}

/// Returns the container of a host's own endpoint on a network.
pub fn host_endpoint(network: &str) -> String {
    format!("host-{network}")
}

/// Nebula's device in a pod.
pub const OVERLAY_DEVICE: &str = "nebula1";

/// Returns Nebula's device of a host's own endpoint, by its UDP port.
pub fn host_device(port: u16) -> String {
    format!("nebula{port}")
}
