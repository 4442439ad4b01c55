//! Lowers pods of the user's own: what the description says of each container, and the way to its databases.

use std::net::Ipv4Addr;

use crate::bundle::OnChange;
use crate::plan::{
    Container, ContainerSecret, HostPlan, PodPlan, SecretTarget, UserPlan, Volume, VolumeSource,
};
use crate::platform::paths;

use super::part::{
    ConfigChange, ConfigDirectory, ContainerPart, DataDirectory, Image, Part, Relabel, Reload,
    VolumePart, text,
};

/// Returns the containers of a user's pod.
pub(super) fn lower(_host: &HostPlan, pod: &PodPlan, plan: &UserPlan) -> Part {
    let UserPlan {
        containers,
        uses,
        publish,
        egress,
    } = plan;
    let mut part = Part {
        publish: publish.to_vec(),
        egress: egress.to_vec(),
        ..Part::default()
    };
    for (_, hostname, address) in uses {
        part.add_hosts.push(((*hostname).to_owned(), *address));
    }
    let database = match uses.as_slice() {
        [(_, _, address)] => Some(*address),
        [] | [_, _, ..] => None,
    };
    for container in *containers {
        lower_container(&mut part, pod, (container, database));
    }
    part
}

fn lower_container(
    part: &mut Part,
    pod: &PodPlan,
    (container, database): (&Container, Option<Ipv4Addr>),
) {
    let Container {
        name,
        image,
        entrypoint,
        command,
        environment,
        secrets,
        volumes,
        config_files,
        after,
        reload_signal,
        restart_delay,
        capabilities,
        devices,
        sysctls,
    } = container;
    let config = lower_config(part, &paths::config(&pod.name, name), config_files);
    let volumes = volumes
        .iter()
        .map(|volume| lower_volume(part, &pod.name, volume))
        .collect();
    part.containers.push(ContainerPart {
        entrypoint: entrypoint.clone(),
        command: command.clone(),
        environment: with_database(environment, secrets, database),
        secrets: secrets.iter().map(lower_secret).collect(),
        volumes,
        config,
        capabilities: capabilities.clone(),
        devices: devices.clone(),
        sysctls: sysctls.clone(),
        reload: reload_signal.clone().map(Reload::Signal),
        on_change: OnChange::Restart,
        after: after.clone(),
        restart_delay_secs: *restart_delay,
        ..ContainerPart::new(name, Image::pulled(image))
    });
}

/// Adds `PGHOST`, the proxy of the only cluster that the pod uses, where the user has none.
///
/// It is the address and not the name: it never moves, and an image without `/etc/hosts` in its resolver's order works too.
fn with_database(
    environment: &[(String, String)],
    secrets: &[ContainerSecret],
    database: Option<Ipv4Addr>,
) -> Vec<(String, String)> {
    let is_set = environment.iter().any(|(name, _)| name == "PGHOST")
        || secrets
            .iter()
            .any(|secret| secret.target == SecretTarget::Env("PGHOST".to_owned()));
    let added = database
        .filter(|_| !is_set)
        .map(|address| ("PGHOST".to_owned(), address.to_string()));
    let mut all: Vec<(String, String)> = environment.iter().cloned().chain(added).collect();
    all.sort();
    all
}

/// Places the files below the container's config directory, at the paths that they have in the container.
fn lower_config(
    part: &mut Part,
    root: &str,
    directories: &[(String, Vec<(String, String)>)],
) -> Vec<ConfigDirectory> {
    let mut config = Vec::new();
    for (mount, files) in directories {
        let path = format!("{root}{mount}");
        for (name, content) in files {
            part.files
                .push((format!("{path}/{name}"), text(content.clone())));
        }
        let on_change = ConfigChange::Reload;
        config.push(ConfigDirectory {
            path,
            mount: mount.clone(),
            on_change,
        });
    }
    config
}

fn lower_secret(secret: &ContainerSecret) -> (String, SecretTarget) {
    let ContainerSecret {
        secret: _,
        podman_name,
        target,
    } = secret;
    let target = match target {
        SecretTarget::Env(variable) => SecretTarget::Env(variable.clone()),
        SecretTarget::Mount {
            path,
            uid,
            gid,
            mode,
        } => SecretTarget::Mount {
            path: path.clone(),
            uid: *uid,
            gid: *gid,
            mode: *mode,
        },
    };
    (podman_name.clone(), target)
}

fn lower_volume(part: &mut Part, pod: &str, volume: &Volume) -> VolumePart {
    let Volume {
        source,
        mount,
        is_read_only,
    } = volume;
    let (source, relabel) = match source {
        VolumeSource::Named {
            name,
            uid,
            gid,
            mode,
        } => {
            let path = paths::volume(pod, name);
            part.directories.push(DataDirectory {
                path: path.clone(),
                mode: *mode,
                uid: *uid,
                gid: *gid,
            });
            (path, Relabel::Shared)
        }
        // It is the host's: a new label could lock its other users out.
        VolumeSource::Path(path) => (path.clone(), Relabel::Never),
    };
    VolumePart {
        source,
        mount: mount.clone(),
        is_read_only: *is_read_only,
        relabel,
    }
}
