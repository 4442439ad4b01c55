//! Places on a host, and the same in containers where both have them at one path.

/// Our own files.
pub const ETC: &str = "/etc/containerops";
/// Our scripts.
pub const SCRIPTS: &str = "/etc/containerops/bin";
/// What each Podman secret is made of.
pub const SECRETS: &str = "/etc/containerops/secrets.json";
/// The loader's directory below `/run`.
pub const SECRETS_RUN: &str = "containerops-secrets";
/// The rules of what comes in from the real network.
pub const UNDERLAY: &str = "/etc/containerops/host/underlay.nft";
/// The directories that `systemd-tmpfiles` makes.
pub const TMPFILES: &str = "/etc/tmpfiles.d/containerops.conf";
/// Commands of clusters that have a member here.
pub const COMMANDS: &str = "/usr/local/bin";
/// What Quadlet reads.
pub const QUADLET: &str = "/etc/containers/systemd";
/// What systemd reads.
pub const SYSTEMD: &str = "/etc/systemd/system";

/// All that is ours and grows. What a user names for himself must lie elsewhere.
pub const VAR: &str = "/var/containerops";
/// Barman's backups and WAL.
pub const BARMAN: &str = "/var/containerops/data/barman";
/// What was restored. The same path in the container as on the host: Barman writes absolute paths into it.
pub const RESTORED: &str = "/var/containerops/data/barman_restored";
/// What checks and drills found. Everybody may read it, as `node_exporter` does.
pub const REPORTS: &str = "/var/containerops/data/barman_reports";
/// Where drills restore to unless the description says where.
pub const SCRATCH: &str = "/var/containerops/data/barman_scratch";

/// The data of etcd members, a directory for each cluster.
pub const ETCD: &str = "/var/containerops/data/etcd";
/// The data of Patroni members, a directory for each cluster.
pub const PATRONI: &str = "/var/containerops/data/patroni";

/// Returns where an etcd member's data lies.
pub fn etcd_data(cluster: &str) -> String {
    format!("{ETCD}/{cluster}")
}

/// Returns where a Patroni member's data lies.
pub fn patroni_data(cluster: &str) -> String {
    format!("{PATRONI}/{cluster}")
}

/// Returns where a volume of a user's pod lies.
pub fn volume(pod: &str, name: &str) -> String {
    format!("{VAR}/data/pods/{pod}/{name}")
}

/// Returns where the files of a container lie.
pub fn config(pod: &str, container: &str) -> String {
    format!("{ETC}/{pod}/{container}")
}

/// Returns the egress lock of a pod.
pub fn egress(pod: &str) -> String {
    format!("{ETC}/{pod}/egress.nft")
}

/// Returns where an image is built.
pub fn build(name: &str) -> String {
    format!("{ETC}/images/{name}")
}

/// Returns what the drill of a cluster reads.
pub fn drill(cluster: &str) -> String {
    format!("{ETC}/barman/drills/{cluster}.json")
}

/// Returns the directory of an endpoint's `config.yml` and its `pki`.
pub fn endpoint(network: &str, hostname: &str) -> String {
    format!("{ETC}/nebula/networks/{network}/endpoint/{hostname}")
}

/// Returns the directory of an endpoint's certificates and key.
pub fn pki(network: &str, hostname: &str) -> String {
    endpoint(network, hostname) + "/pki"
}

/// The versions of PostgreSQL in the images.
pub const POSTGRES: &str = "/usr/lib/postgresql";

/// Returns where the images have the programs of a major version of PostgreSQL.
pub fn postgres_programs(major: u16) -> String {
    format!("{POSTGRES}/{major}/bin")
}

/// Says whether a path of a host is one of ours.
pub fn is_ours(path: &str) -> bool {
    path.strip_prefix(VAR)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
