//! Containers of the user's pods.

use std::collections::BTreeMap;

use super::Resolver;
use crate::description::{self, ContainerSecret, Volume};
use crate::format::unit::{ContainerKey, can_carry, can_carry_words};
use crate::model;
use crate::model::{Container, SecretTarget, VolumeSource};
use crate::name;
use crate::pointer::{At, Pointer};
use crate::report::{Code, Diagnostic};

/// Capabilities that would open the egress lock, with or without a detour.
const FORBIDDEN: [&str; 6] = [
    "ALL",
    "NET_ADMIN",
    "SYS_ADMIN",
    "SYS_MODULE",
    "SYS_PTRACE",
    "BPF",
];

pub(super) fn resolve(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    (pod_name, pod): (&str, &description::Pod),
) -> Vec<Container> {
    let mut found = Vec::new();
    let containers = at.key("containers");
    for (name, container) in &pod.containers {
        let at = containers.key(name);
        if name == "infra" {
            let message = "no container can be named `infra`: Podman makes one in every pod";
            let diagnostic = Diagnostic::new(Code::ReservedName, at, message).on_key();
            resolver
                .report
                .push(diagnostic.help("give the container another name"));
        }
        resolver.check_key(
            Code::BadName,
            at,
            ("name for a container", name, name::label(name)),
        );
        resolver.check(
            Code::BadImage,
            at.key("image"),
            ("image", &container.image, name::image(&container.image)),
        );
        check_texts(resolver, at, container);
        check_after(resolver, at, (name, container), pod);
        check_environment(resolver, at, container);
        check_kernel(resolver, at, container);
        check_mounts(resolver, at, container);
        let (secrets, volumes) = (
            secrets(resolver, at, container),
            volumes(resolver, at, container),
        );
        found.push(Container {
            name: name.clone(),
            image: container.image.clone(),
            entrypoint: container.entrypoint.clone(),
            command: container.command.clone(),
            environment: pairs(&container.environment),
            secrets,
            volumes,
            config_files: config_files(container),
            after: container.after.clone(),
            reload_signal: container
                .reload_signal
                .as_ref()
                .map(|signal| signal.strip_prefix("SIG").unwrap_or(signal).to_owned()),
            restart_delay: container.restart_delay,
            capabilities: container
                .capabilities
                .iter()
                .map(|name| capability(name))
                .collect(),
            devices: container.devices.clone(),
            sysctls: pairs(&container.sysctls),
        });
    }
    check_cycles(resolver, containers, pod);
    check_volume_owners(resolver, containers, (pod_name, pod));
    found
}

fn pairs(map: &crate::unique_map::UniqueMap<String>) -> Vec<(String, String)> {
    map.iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn capability(name: &str) -> String {
    format!("CAP_{}", name.strip_prefix("CAP_").unwrap_or(name))
}

fn config_files(container: &description::Container) -> Vec<(String, Vec<(String, String)>)> {
    let directories = container.config_files.iter();
    directories
        .map(|(directory, files)| (directory.clone(), pairs(files)))
        .collect()
}

/// Checks texts that arrive unchanged, whatever they hold: only NUL can't be carried.
fn check_texts(resolver: &mut Resolver<'_>, at: At<'_>, container: &description::Container) {
    let words = at.key("entrypoint");
    for (index, word) in container.entrypoint.iter().enumerate() {
        check_text(
            resolver,
            words.index(index),
            can_carry(ContainerKey::Exec, word),
        );
    }
    if container.entrypoint.first().is_some_and(String::is_empty) {
        resolver.error(
            Code::BadCharacter,
            words.index(0),
            "an entrypoint needs a program",
        );
    } else if let Err(reason) = can_carry_words(ContainerKey::Entrypoint, &container.entrypoint)
        && !container.entrypoint.is_empty()
    {
        check_text(resolver, words, Err(reason));
    }
    let words = at.key("command");
    for (index, word) in container.command.iter().enumerate() {
        check_text(
            resolver,
            words.index(index),
            can_carry(ContainerKey::Exec, word),
        );
    }
    let environment = at.key("environment");
    for (name, value) in &container.environment {
        let assignment = format!("{name}={value}");
        let result = can_carry(ContainerKey::Environment, &assignment);
        check_text(resolver, environment.key(name), result);
    }
}

fn check_text(resolver: &mut Resolver<'_>, at: At<'_>, result: Result<(), &'static str>) {
    if let Err(reason) = result {
        let message = format!("no program can be given this text: it {reason}");
        resolver.error(Code::BadCharacter, at, message);
    }
}

fn check_after(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    (name, container): (&str, &description::Container),
    pod: &description::Pod,
) {
    let at = at.key("after");
    for (index, other) in container.after.iter().enumerate() {
        let at = at.index(index);
        if !pod.containers.contains_key(other) {
            let known = || {
                pod.containers
                    .keys()
                    .map(String::as_str)
                    .filter(|it| *it != name)
            };
            let message = format!("no container of this pod is named `{other}`");
            let diagnostic = Diagnostic::new(Code::UnknownContainer, at, message);
            resolver
                .report
                .push(diagnostic.suggest(other, known()).allowed(known()));
        }
    }
}

/// Reports a container that waits for itself, over others too.
fn check_cycles(resolver: &mut Resolver<'_>, at: At<'_>, pod: &description::Pod) {
    let mut left: BTreeMap<&str, &[String]> = pod
        .containers
        .iter()
        .map(|(name, container)| (name.as_str(), container.after.as_slice()))
        .collect();
    loop {
        let ready: Vec<&str> = left
            .iter()
            .filter(|(_, after)| !after.iter().any(|other| left.contains_key(other.as_str())))
            .map(|(name, _)| *name)
            .collect();
        if ready.is_empty() {
            break;
        }
        left.retain(|name, _| !ready.contains(name));
    }
    let names: Vec<String> = left.keys().map(|name| format!("`{name}`")).collect();
    if let Some(first) = left.keys().next() {
        let message = format!("containers wait for each other: {}", names.join(", "));
        let place = at.key(first);
        let help = "take one name out of an `after`";
        let diagnostic = Diagnostic::new(Code::DependencyCycle, place.key("after"), message);
        resolver.report.push(diagnostic.help(help));
    }
}

fn check_environment(resolver: &mut Resolver<'_>, at: At<'_>, container: &description::Container) {
    let environment = at.key("environment");
    let mut seen: BTreeMap<&str, Pointer> = BTreeMap::new();
    for name in container.environment.keys() {
        let at = environment.key(name);
        resolver.check_key(
            Code::BadName,
            at,
            (
                "name for an environment variable",
                name,
                name::environment_variable(name),
            ),
        );
        seen.insert(name, at.to_pointer());
    }
    let secrets = at.key("secrets");
    for (index, secret) in container.secrets.iter().enumerate() {
        let Some(name) = &secret.env else { continue };
        let entry = secrets.index(index);
        let at = entry.key("env");
        resolver.check_key(
            Code::BadName,
            at,
            (
                "name for an environment variable",
                name,
                name::environment_variable(name),
            ),
        );
        if let Some(first) = seen.insert(name, at.to_pointer()) {
            let message = format!("variable `{name}` is set twice");
            let diagnostic = Diagnostic::new(Code::VariableTwice, at, message);
            resolver
                .report
                .push(diagnostic.note_at(first, "the first time"));
        }
    }
}

fn check_kernel(resolver: &mut Resolver<'_>, at: At<'_>, container: &description::Container) {
    let capabilities = at.key("capabilities");
    for (index, name) in container.capabilities.iter().enumerate() {
        let at = capabilities.index(index);
        resolver.check(
            Code::BadCapability,
            at,
            ("capability", name, name::capability(name)),
        );
        if FORBIDDEN.contains(&name.strip_prefix("CAP_").unwrap_or(name)) {
            let message = format!("capability `{name}` would open the pod's egress lock");
            let help = "ask for the narrower capability that the program needs; for ways out of \
                        the pod there is `egress`";
            let diagnostic = Diagnostic::new(Code::ForbiddenCapability, at, message).help(help);
            resolver.report.push(diagnostic);
        }
    }
    let devices = at.key("devices");
    for (index, device) in container.devices.iter().enumerate() {
        resolver.check(
            Code::BadDevice,
            devices.index(index),
            ("device", device, name::device(device)),
        );
    }
    let sysctls = at.key("sysctls");
    for (name, value) in &container.sysctls {
        let at = sysctls.key(name);
        resolver.check_key(
            Code::BadName,
            at,
            ("kernel parameter of a container", name, name::sysctl(name)),
        );
        if let Err(reason) = can_carry(ContainerKey::Sysctl, &format!("{name}={value}")) {
            let message = format!("`Sysctl=` can't carry this value: it {reason}");
            resolver.error(Code::UncarriableValue, at, message);
        }
    }
    if let Some(signal) = &container.reload_signal {
        resolver.check(
            Code::BadSignal,
            at.key("reload_signal"),
            ("signal", signal, name::signal(signal)),
        );
    }
    if container.restart_delay > 3600 {
        let message = format!(
            "a restart can't wait for {} seconds",
            container.restart_delay
        );
        let diagnostic = Diagnostic::new(Code::OutOfRange, at.key("restart_delay"), message);
        resolver
            .report
            .push(diagnostic.allowed_text("0 to 3600 seconds"));
    }
}

/// Reports two things that are mounted at one path.
fn check_mounts(resolver: &mut Resolver<'_>, at: At<'_>, container: &description::Container) {
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
            resolver
                .report
                .push(diagnostic.note_at(first.clone(), "the first time"));
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

fn secrets(
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
            let podman_name = model::podman_secret(&written.secret);
            found.push(model::ContainerSecret {
                secret,
                podman_name,
                target,
            });
        }
    }
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

fn volumes(
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
fn check_volume_owners(
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
                    .note_at(pointer.clone(), "the first place");
                resolver.report.push(diagnostic);
            }
        }
    }
}
