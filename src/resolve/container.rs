//! Containers of the user's pods.

use std::collections::{BTreeMap, BTreeSet};

use super::resolver::Resolver;
use crate::description;
use crate::format::unit::{ContainerKey, can_carry, can_carry_words};
use crate::model::Container;
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
    let mut found = Vec::with_capacity(pod.containers.len());
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
        super::mount::check_mounts(resolver, at, container);
        let (secrets, volumes) = (
            super::mount::secrets(resolver, at, container),
            super::mount::volumes(resolver, at, container),
        );
        found.push(Container {
            name: name.clone(),
            image: container.image.clone(),
            entrypoint: container.entrypoint.to_vec(),
            command: container.command.to_vec(),
            environment: pairs(&container.environment),
            secrets,
            volumes,
            config_files: config_files(container),
            after: sorted(container.after.iter().cloned()),
            reload_signal: container
                .reload_signal
                .as_ref()
                .map(|signal| signal.strip_prefix("SIG").unwrap_or(signal).to_owned()),
            restart_delay: container.restart_delay,
            capabilities: sorted(container.capabilities.iter().map(|it| capability(it))),
            devices: sorted(container.devices.iter().cloned()),
            sysctls: pairs(&container.sysctls),
        });
    }
    check_cycles(resolver, containers, pod);
    super::mount::check_volume_owners(resolver, containers, (pod_name, pod));
    found
}

fn pairs(map: &crate::unique_map::UniqueMap<String>) -> Vec<(String, String)> {
    map.iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Returns what a list holds whose order means nothing.
fn sorted(list: impl Iterator<Item = String>) -> Vec<String> {
    list.collect::<BTreeSet<_>>().into_iter().collect()
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
        .map(|(name, container)| (name.as_str(), &*container.after))
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
            resolver.report.push(
                diagnostic
                    .help("take one of the two out")
                    .note_at(first, "the other value"),
            );
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
