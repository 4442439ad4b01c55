//! Upstream's official images, pinned. What each holds, and where that is read: `tests/validators/images.json`.

use std::ops::RangeInclusive;

/// etcd: distroless, no shell, no entrypoint, runs as root unless told otherwise, programs in `/usr/local/bin`.
pub const ETCD: &str = "gcr.io/etcd-development/etcd:v3.6.15";

/// HAProxy: Debian, uid 99, entrypoint a shell script that we pass by, program in `/usr/local/sbin`, `STOPSIGNAL SIGUSR1`,
/// which waits for every session to end. 3.2 gets fixes until 2030.
pub const HAPROXY: &str = "docker.io/library/haproxy:3.2.24";

/// Nebula: distroless, entrypoint `/nebula`, no user of its own, `VOLUME /config`
/// (<https://github.com/slackhq/nebula/blob/v1.11.0/docker/Dockerfile>); its tags are Nebula's versions
/// (<https://hub.docker.com/r/nebulaoss/nebula/tags>).
pub const NEBULA: &str = "docker.io/nebulaoss/nebula:1.11.0";

/// The major version of PostgreSQL that built images hold: Debian 13's.
pub const POSTGRES_VERSION: u16 = 17;

/// The major versions that an image of the user's own may hold.
pub const POSTGRES_VERSIONS: RangeInclusive<u16> = 14..=18;

/// The image with Patroni and PostgreSQL, which the host builds.
pub const PATRONI: &str = "patroni";
/// The image with Barman, which the host builds.
pub const BARMAN: &str = "barman";

/// Returns the name of an image that the host builds, for a major version of PostgreSQL.
pub fn build(program: &str, postgres_version: u16) -> String {
    format!("{program}-{postgres_version}")
}

/// Returns the tag of a built image; `hash` is of what it is built from.
pub fn tag(program: &str, postgres_version: u16, hash: &str) -> String {
    format!("localhost/containerops/{program}:{postgres_version}-{hash}")
}
