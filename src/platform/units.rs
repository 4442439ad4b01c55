//! Unit files, by the names of what they run, and the systemd units that come of them.

use super::{paths, services};

/// The target that pulls in what runs after boot.
pub const BOOT_TARGET: &str = "multi-user.target";
/// The target that containers are ordered after, so that they stop before the pods' networks.
pub const SHUTDOWN_TARGET: &str = "containerops-pods.target";
/// The bridge of a host's pods.
pub const NETWORK: &str = "underlay.network";
/// The rules of what comes in from the real network.
pub const UNDERLAY: &str = "containerops-underlay.service";
/// The loader of secrets.
pub const SECRETS: &str = "containerops-secrets.service";

/// The drop-in of ours for a unit of the system's.
pub const DROP_IN: &str = "10-containerops.conf";

/// Unit files that every host has.
pub const OF_EVERY_HOST: [&str; 4] = [NETWORK, SHUTDOWN_TARGET, SECRETS, UNDERLAY];

/// Returns the unit file of a pod.
pub fn pod(pod: &str) -> String {
    format!("{pod}.pod")
}

/// Returns the name of a container of a pod, in Podman and as the stem of its unit file.
pub fn container_name(pod: &str, container: &str) -> String {
    format!("{pod}-{container}")
}

/// Returns the unit file of a container of a pod.
pub fn container(pod: &str, container: &str) -> String {
    container_name(pod, container) + ".container"
}

/// Returns the unit file of a pod's place on the overlay.
pub fn sidecar(pod: &str) -> String {
    container(pod, services::SIDECAR)
}

/// Returns the unit file of a host's own endpoint, by [`services::host_endpoint`].
pub fn endpoint(name: &str) -> String {
    format!("{name}.container")
}

/// Returns the unit file of an image that the host builds, by the build's name.
pub fn build(name: &str) -> String {
    format!("{name}.build")
}

/// Returns the unit file of an export.
pub fn export(name: &str) -> String {
    format!("export-{name}.service")
}

/// Returns the stem of the timer, and of what it runs, that checks a cluster's backups.
pub fn backup_check(cluster: &str) -> String {
    format!("backup-check-{cluster}")
}

/// Returns the stem of the timer, and of what it runs, that tries a cluster's backups.
pub fn drill(cluster: &str) -> String {
    format!("drill-{cluster}")
}

/// Returns the two unit files of a timer.
pub fn timer(stem: &str) -> [String; 2] {
    [format!("{stem}.timer"), format!("{stem}.service")]
}

/// Returns the systemd unit of a unit file.
///
/// Reference: <https://docs.podman.io/en/latest/markdown/podman-systemd.unit.5.html>
pub fn service(file: &str) -> String {
    match file.rsplit_once('.') {
        Some((stem, "container" | "kube")) => format!("{stem}.service"),
        Some((stem, kind @ ("pod" | "network" | "volume" | "image" | "build"))) => {
            format!("{stem}-{kind}.service")
        }
        Some(_) | None => file.to_owned(),
    }
}

/// Returns where a unit file lies on the host: with Quadlet's where Quadlet reads it, else with systemd's.
pub fn path(file: &str) -> String {
    let directory = match file.rsplit_once('.') {
        Some((_, "container" | "pod" | "network" | "volume" | "image" | "build" | "kube")) => {
            paths::QUADLET
        }
        Some(_) | None => paths::SYSTEMD,
    };
    format!("{directory}/{file}")
}

/// Returns where a drop-in of a unit file lies on the host.
pub fn drop_in(file: &str, name: &str) -> String {
    path(file) + ".d/" + name
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
            assert_eq!(path(file), place);
        }
    }
}
