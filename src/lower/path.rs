//! Names the places of a host that files lie at, and the units that systemd makes of unit files.

/// Where our own files lie on a host.
pub(super) const ROOT: &str = "/etc/containerops";

/// Returns the path in the bundle of a path on the host.
pub(super) fn in_bundle(path: &str) -> String {
    format!("rootfs{path}")
}

/// Returns the path on the host of a path in the bundle's tree.
pub(super) fn on_host(path: &str) -> Option<&str> {
    path.strip_prefix("rootfs")
}

/// Returns where a unit file lies on the host: with Quadlet's where Quadlet reads it, else with systemd's.
pub(super) fn unit_file(file: &str) -> String {
    match file.rsplit_once('.') {
        Some((_, "container" | "pod" | "network" | "volume" | "image" | "build" | "kube")) => {
            format!("/etc/containers/systemd/{file}")
        }
        Some(_) | None => format!("/etc/systemd/system/{file}"),
    }
}

/// Returns the systemd unit of a unit file.
///
/// Reference: <https://docs.podman.io/en/latest/markdown/podman-systemd.unit.5.html>
pub(super) fn service(file: &str) -> String {
    match file.rsplit_once('.') {
        Some((stem, "container" | "kube")) => format!("{stem}.service"),
        Some((stem, kind @ ("pod" | "network" | "volume" | "image" | "build"))) => {
            format!("{stem}-{kind}.service")
        }
        Some(_) | None => file.to_owned(),
    }
}

/// Returns the directory on the host that holds an endpoint's `config.yml` and its `pki`.
pub(super) fn endpoint(network: &str, hostname: &str) -> String {
    format!("{ROOT}/nebula/networks/{network}/endpoint/{hostname}")
}

/// Returns the directory on the host that holds an endpoint's certificates and key.
pub(super) fn pki(network: &str, hostname: &str) -> String {
    endpoint(network, hostname) + "/pki"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_file_has_one_service_and_one_place() {
        let table = [
            (
                "web.pod",
                "web-pod.service",
                "/etc/containers/systemd/web.pod",
            ),
            (
                "web-main.container",
                "web-main.service",
                "/etc/containers/systemd/web-main.container",
            ),
            (
                "underlay.network",
                "underlay-network.service",
                "/etc/containers/systemd/underlay.network",
            ),
            (
                "data.volume",
                "data-volume.service",
                "/etc/containers/systemd/data.volume",
            ),
            (
                "patroni.build",
                "patroni-build.service",
                "/etc/containers/systemd/patroni.build",
            ),
            (
                "pg.image",
                "pg-image.service",
                "/etc/containers/systemd/pg.image",
            ),
            (
                "a.b.container",
                "a.b.service",
                "/etc/containers/systemd/a.b.container",
            ),
            (
                "drill.timer",
                "drill.timer",
                "/etc/systemd/system/drill.timer",
            ),
            (
                "drill.service",
                "drill.service",
                "/etc/systemd/system/drill.service",
            ),
        ];
        for (file, unit, place) in table {
            assert_eq!(service(file), unit);
            assert_eq!(unit_file(file), place);
        }
    }
}
