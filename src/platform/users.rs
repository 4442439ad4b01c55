//! Users by number: what a container runs as, and who owns its data on the host. A user's gid is its uid.

/// Nebula; nobody else may run as it, since the egress lock lets it out.
pub const NEBULA: u32 = 4242;
/// etcd; images of all makers run as it.
pub const ETCD: u32 = 2379;
/// HAProxy, as the official image has it; a Debian-built image needs none of its own.
pub const HAPROXY: u32 = 99;
/// PostgreSQL and Barman alike, so that a restored directory needs no new owner.
pub const POSTGRES: u32 = 5432;
