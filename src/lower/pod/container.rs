//! Writes the unit of one container of a pod.

use crate::format::unit::{
    ContainerKey, ServiceKey, Unit, UnitKey, assign, secret_env, secret_mount, volume,
};
use crate::plan::{HostPlan, PodPlan, SecretTarget};
use crate::platform::units;

use super::super::part::{ConfigDirectory, ContainerPart, Health, Relabel, VolumePart};
use super::super::unit as common;

/// Returns the unit of a container of `pod` that is started after the units `after`.
pub(super) fn unit(
    host: &HostPlan,
    (pod, part): (&PodPlan, &ContainerPart),
    after: &[String],
) -> Unit {
    let ContainerPart {
        name,
        image,
        entrypoint,
        command,
        user,
        environment,
        environment_files,
        secrets,
        volumes,
        config,
        tmpfs,
        drops_capabilities,
        capabilities,
        devices,
        sysctls,
        is_read_only,
        runs_init,
        health,
        stop_signal,
        stop_timeout_secs,
        reload,
        on_change: _,
        member: _,
        after: _,
        requires,
        restart_delay_secs,
        before_start,
        nice,
    } = part;
    let container = units::container_name(&pod.name, name);
    let mut unit = Unit::new();
    unit.push(
        UnitKey::Description,
        format_args!("Container {name} of pod {}", pod.name),
    );
    push_ordering(&mut unit, after, requires);
    unit.push(ContainerKey::ContainerName, &container)
        .push(ContainerKey::Pod, units::pod(&pod.name));
    common::push_image(&mut unit, image);
    push_program(&mut unit, entrypoint, command, *user);
    push_environment(&mut unit, environment, environment_files);
    push_secrets(&mut unit, secrets);
    push_mounts(&mut unit, config, volumes, tmpfs);
    push_privileges(&mut unit, *drops_capabilities, capabilities, devices);
    push_sysctls(&mut unit, sysctls);
    push_switches(&mut unit, *is_read_only, *runs_init);
    push_health(&mut unit, health.as_ref());
    // Podman would hand a container the proxy that the host goes out by, and etcd would look for its peers there.
    unit.push(ContainerKey::PodmanArgs, "--http-proxy=false")
        .push(ContainerKey::LogDriver, "journald");
    if let Some(signal) = stop_signal {
        unit.push(ContainerKey::StopSignal, signal);
    }
    if let Some(reload) = reload {
        common::push_reload(&mut unit, host, &container, reload);
    }
    push_before_start(&mut unit, before_start);
    push_restart(&mut unit, *restart_delay_secs, *nice);
    common::push_timeouts(&mut unit, *stop_timeout_secs);
    unit
}

fn push_restart(unit: &mut Unit, delay_secs: u32, nice: Option<i8>) {
    unit.push(ServiceKey::Restart, "always")
        .push(ServiceKey::RestartSec, delay_secs);
    if let Some(nice) = nice {
        unit.push(ServiceKey::Nice, nice);
    }
}

fn push_sysctls(unit: &mut Unit, sysctls: &[(String, String)]) {
    for (parameter, value) in sysctls {
        unit.push(ContainerKey::Sysctl, assign(parameter, value));
    }
}

fn push_before_start(unit: &mut Unit, commands: &[Vec<String>]) {
    for command in commands {
        let words = ["/usr/bin/env"]
            .into_iter()
            .chain(command.iter().map(String::as_str));
        unit.push_words(ServiceKey::ExecStartPre, &words.collect::<Vec<_>>());
    }
}

fn push_ordering(unit: &mut Unit, after: &[String], requires: &[String]) {
    common::push_ordering(unit, after);
    if !requires.is_empty() {
        unit.push_words(UnitKey::Requires, requires)
            .push_words(UnitKey::After, requires);
    }
}

fn push_program(
    unit: &mut Unit,
    entrypoint: &[String],
    command: &[String],
    user: Option<(u32, u32)>,
) {
    if !entrypoint.is_empty() {
        unit.push_words(ContainerKey::Entrypoint, entrypoint);
    }
    if !command.is_empty() {
        unit.push_words(ContainerKey::Exec, command);
    }
    if let Some((uid, gid)) = user {
        unit.push(ContainerKey::User, uid)
            .push(ContainerKey::Group, gid);
    }
}

fn push_environment(
    unit: &mut Unit,
    environment: &[(String, String)],
    environment_files: &[String],
) {
    for (variable, value) in environment {
        unit.push(ContainerKey::Environment, assign(variable, value));
    }
    for file in environment_files {
        unit.push(ContainerKey::EnvironmentFile, file);
    }
}

fn push_privileges(
    unit: &mut Unit,
    drops_capabilities: bool,
    capabilities: &[String],
    devices: &[String],
) {
    if drops_capabilities {
        unit.push(ContainerKey::DropCapability, "all")
            .push(ContainerKey::NoNewPrivileges, true);
    }
    for capability in capabilities {
        unit.push(ContainerKey::AddCapability, capability);
    }
    for device in devices {
        unit.push(ContainerKey::AddDevice, device);
    }
}

fn push_secrets(unit: &mut Unit, secrets: &[(String, SecretTarget)]) {
    for (secret, target) in secrets {
        let value = match target {
            SecretTarget::Env(variable) => secret_env(secret, variable),
            SecretTarget::Mount {
                path,
                uid,
                gid,
                mode,
            } => {
                // Permission bits fit: resolve has refused more than four octal digits.
                let mode = u16::try_from(*mode & 0o7777).unwrap_or(0o400);
                secret_mount(secret, path, (*uid, *gid), mode)
            }
        };
        unit.push(ContainerKey::Secret, value);
    }
}

fn push_mounts(
    unit: &mut Unit,
    config: &[ConfigDirectory],
    volumes: &[VolumePart],
    tmpfs: &[String],
) {
    for directory in config {
        let ConfigDirectory {
            path,
            mount,
            on_change: _,
        } = directory;
        unit.push(ContainerKey::Volume, volume(path, mount, &["ro", "Z"]));
    }
    for one in volumes {
        let VolumePart {
            source,
            mount,
            is_read_only,
            relabel,
        } = one;
        let access = is_read_only.then_some("ro");
        let label = match relabel {
            Relabel::Private => Some("Z"),
            Relabel::Shared => Some("z"),
            Relabel::Never => None,
        };
        let options: Vec<&str> = access.into_iter().chain(label).collect();
        unit.push(ContainerKey::Volume, volume(source, mount, &options));
    }
    for place in tmpfs {
        unit.push(ContainerKey::Tmpfs, place);
    }
}

fn push_switches(unit: &mut Unit, is_read_only: bool, runs_init: bool) {
    if is_read_only {
        unit.push(ContainerKey::ReadOnly, true);
    }
    if runs_init {
        unit.push(ContainerKey::RunInit, true);
    }
}

fn push_health(unit: &mut Unit, health: Option<&Health>) {
    if let Some(Health {
        command,
        interval_secs,
        timeout_secs,
    }) = health
    {
        unit.push_words(ContainerKey::HealthCmd, command)
            .push(
                ContainerKey::HealthInterval,
                format_args!("{interval_secs}s"),
            )
            .push(ContainerKey::HealthTimeout, format_args!("{timeout_secs}s"))
            .push(ContainerKey::HealthOnFailure, "none");
    }
}
