//! What is mounted into a container: volumes, secrets and config files.

use std::collections::BTreeMap;

use super::resolver::Resolver;
use crate::description::{self, ContainerSecret, Volume};
use crate::model;
use crate::model::{SecretTarget, VolumeSource};
use crate::name;
use crate::platform::secrets;
use crate::pointer::{At, Pointer};
use crate::report::{Code, Diagnostic};

/// Reports two things that are mounted at one path.
pub(super) fn check_mounts(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    container: &description::Container,
) {
    let mut mounts: Vec<(&str, Pointer)> = Vec::new();
    let volumes = at.key("volumes");
    for (index, volume) in container.volumes.iter().enumerate() {
        let entry = volumes.index(index);
        mounts.push((&volume.mount, entry.key("mount").to_pointer()));
    }
    let secrets = at.key("secrets");
    for (index, secret) in container.secrets.iter().enumerate() {
        let entry = secrets.index(index);
        if let Some(mount) = &secret.mount {
            mounts.push((mount, entry.key("mount").to_pointer()));
        }
    }
    let directories = at.key("config_files");
    for (directory, files) in &container.config_files {
        let at = directories.key(directory);
        resolver.check_key(
            Code::BadPath,
            at,
            ("path in a container", directory, name::path(directory)),
        );
        mounts.push((directory, at.to_pointer()));
        for name in files.keys() {
            resolver.check_key(
                Code::BadName,
                at.key(name),
                ("name for a file", name, name::file_name(name)),
            );
        }
        if files.is_empty() {
            let message = format!("directory `{directory}` has no file");
            resolver.error(Code::BadPath, at, message);
        }
    }
    check_nested(resolver, (directories, container));
    let mut seen: BTreeMap<&str, Pointer> = BTreeMap::new();
    for (path, pointer) in mounts {
        if let Some(first) = seen.get(path) {
            let message = format!("`{path}` is mounted twice in this container");
            let diagnostic = Diagnostic::at_pointer(Code::PathCollision, pointer, message);
            resolver.report.push(
                diagnostic
                    .help("mount one of the two elsewhere")
                    .note_at(first.clone(), "the other mount"),
            );
        } else {
            seen.insert(path, pointer);
        }
    }
}

/// Reports a file of one config directory where another config directory must stand.
fn check_nested(resolver: &mut Resolver<'_>, (at, container): (At<'_>, &description::Container)) {
    for (directory, files) in &container.config_files {
        for name in files.keys() {
            let path = format!("{directory}/{name}");
            let nested = format!("{path}/");
            let clash = container
                .config_files
                .keys()
                .find(|other| **other == path || other.starts_with(&nested));
            if let Some(other) = clash {
                let message = format!("`{path}` is a file here and a directory below `{other}`");
                let place = at.key(directory);
                resolver.error(Code::PathCollision, place.key(name), message);
            }
        }
    }
}

pub(super) fn secrets(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    container: &description::Container,
) -> Vec<model::ContainerSecret> {
    let at = at.key("secrets");
    let mut found = Vec::new();
    for (index, written) in container.secrets.iter().enumerate() {
        let at = at.index(index);
        let id = resolver.secret(at.key("secret"), &written.secret);
        let target = secret_target(resolver, at, written);
        if let (Some(secret), Some(target)) = (id, target) {
            let podman_name = secrets::of(&written.secret);
            found.push(model::ContainerSecret {
                secret,
                podman_name,
                target,
            });
        }
    }
    // The order that was written means nothing, so it may change nothing.
    found.sort_by(|a, b| (&a.podman_name, &a.target).cmp(&(&b.podman_name, &b.target)));
    found
}

fn secret_target(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    written: &ContainerSecret,
) -> Option<SecretTarget> {
    let has_owner = written.uid.is_some() || written.gid.is_some() || written.mode.is_some();
    match (&written.env, &written.mount) {
        (Some(name), None) if !has_owner => Some(SecretTarget::Env(name.clone())),
        (None, Some(path)) => {
            let is_path = resolver.check(
                Code::BadPath,
                at.key("mount"),
                ("path in a container", path, name::path(path)),
            );
            let mode = mode(resolver, at, written.mode.as_deref().unwrap_or("0400"))?;
            let (uid, gid) = (written.uid.unwrap_or(0), written.gid.unwrap_or(0));
            is_path.then(|| SecretTarget::Mount {
                path: path.clone(),
                uid,
                gid,
                mode,
            })
        }
        (Some(_), None) => {
            let message = "`uid`, `gid` and `mode` belong to a secret with a `mount`";
            resolver.error(Code::OneOf, at, message);
            None
        }
        (Some(_), Some(_)) | (None, None) => {
            let message = "a secret of a container has either `env` or `mount`";
            let help = "`\"env\": \"PGPASSWORD\"` or `\"mount\": \"/run/secrets/password\"`";
            resolver
                .report
                .push(Diagnostic::new(Code::OneOf, at, message).help(help));
            None
        }
    }
}

fn mode(resolver: &mut Resolver<'_>, at: At<'_>, text: &str) -> Option<u32> {
    match name::mode(text) {
        Ok(mode) => Some(mode),
        Err(allowed) => {
            let message = format!("`{}` is no mode", text.escape_debug());
            let diagnostic = Diagnostic::new(Code::BadMode, at.key("mode"), message);
            resolver.report.push(diagnostic.allowed_text(allowed));
            None
        }
    }
}

pub(super) fn volumes(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    container: &description::Container,
) -> Vec<model::Volume> {
    let at = at.key("volumes");
    let mut found = Vec::new();
    for (index, written) in container.volumes.iter().enumerate() {
        let at = at.index(index);
        resolver.check(
            Code::BadPath,
            at.key("mount"),
            (
                "path in a container",
                &written.mount,
                name::path(&written.mount),
            ),
        );
        let Some(source) = volume_source(resolver, at, written) else {
            continue;
        };
        let (mount, is_read_only) = (written.mount.clone(), written.read_only);
        found.push(model::Volume {
            source,
            mount,
            is_read_only,
        });
    }
    found.sort_by(|a, b| a.mount.cmp(&b.mount));
    found
}

fn volume_source(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    written: &Volume,
) -> Option<VolumeSource> {
    let has_owner = written.uid.is_some() || written.gid.is_some() || written.mode.is_some();
    match (&written.name, &written.source) {
        (Some(name), None) => {
            resolver.check(
                Code::BadName,
                at.key("name"),
                ("name for a volume", name, name::label(name)),
            );
            let mode = mode(resolver, at, written.mode.as_deref().unwrap_or("0750"))?;
            let (uid, gid) = (written.uid.unwrap_or(0), written.gid.unwrap_or(0));
            Some(VolumeSource::Named {
                name: name.clone(),
                uid,
                gid,
                mode,
            })
        }
        (None, Some(source)) if !has_owner => {
            resolver.check(
                Code::BadPath,
                at.key("source"),
                ("path on a host", source, name::path(source)),
            );
            Some(VolumeSource::Path(source.clone()))
        }
        (None, Some(_)) => {
            let message = "`uid`, `gid` and `mode` belong to a volume with a `name`";
            resolver.error(Code::OneOf, at, message);
            None
        }
        (Some(_), Some(_)) | (None, None) => {
            let message = "a volume has either a `name` or a `source`";
            let help = "`name` makes a directory of the pod's own, `source` takes one of the host";
            resolver
                .report
                .push(Diagnostic::new(Code::OneOf, at, message).help(help));
            None
        }
    }
}

/// Reports a volume that two places of a pod give different owners or modes.
pub(super) fn check_volume_owners(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    (pod_name, pod): (&str, &description::Pod),
) {
    let mut seen: BTreeMap<&str, (&Volume, Pointer)> = BTreeMap::new();
    for (name, container) in &pod.containers {
        let entry = at.key(name);
        let volumes = entry.key("volumes");
        for (index, volume) in container.volumes.iter().enumerate() {
            let Some(volume_name) = &volume.name else {
                continue;
            };
            let place = volumes.index(index);
            let Some((first, pointer)) = seen.get(volume_name.as_str()) else {
                seen.insert(volume_name, (volume, place.to_pointer()));
                continue;
            };
            let owner = |it: &Volume| (it.uid, it.gid, it.mode.clone());
            if owner(first) != owner(volume) {
                let message = format!(
                    "volume `{volume_name}` of pod `{pod_name}` has another owner or mode here"
                );
                let diagnostic = Diagnostic::new(Code::VolumeOwners, place, message)
                    .help("write the same `uid`, `gid` and `mode` at both places")
                    .note_at(pointer.clone(), "the other place");
                resolver.report.push(diagnostic);
            }
        }
    }
}
