//! Turns a pod and what its service adds into units. Nobody else writes `.pod`, `.container` and `.build` files.

mod container;

use crate::format::unit::{BuildKey, InstallKey, PodKey, ServiceKey, Unit, UnitKey};
use crate::plan::{HostPlan, PodPlan, Proto, PublishedPort};
use crate::platform::{paths, units};

use super::nebula;
use super::output::Output;
use super::part::{Build, ConfigChange, ContainerPart, Part, text};

/// Seconds that a pod has to stop after its containers have.
const STOP_TIMEOUT_SECS: u32 = 60;

/// Adds the pod, its Nebula sidecar and its egress lock, its containers and their files.
pub(super) fn lower(output: &mut Output, host: &HostPlan, (pod, mut part): (&PodPlan, Part)) {
    for (place, file) in std::mem::take(&mut part.files) {
        output.place(&place, file);
    }
    lower_pod(output, host, (pod, &part));
    nebula::lower_sidecar(output, host, pod);
    for container in &part.containers {
        lower_container(output, host, (pod, container));
    }
    for build in &part.builds {
        lower_build(output, build);
    }
}

fn lower_pod(output: &mut Output, host: &HostPlan, (pod, part): (&PodPlan, &Part)) {
    let rules = paths::egress(&pod.name);
    let holes = nebula::egress::rules(pod, &part.publish, &part.egress);
    output.place(&rules, text(holes));
    let lock = format!("{}/pod-egress", paths::SCRIPTS);
    let file = units::pod(&pod.name);
    output
        .place_unit(
            &file,
            &format!("Pod {}", pod.name),
            &pod_unit(host, (pod, part), &lock),
        )
        .reloads_on(&rules)
        .reloads_on(&lock)
        .starts_after(&[&units::service(units::NETWORK), units::SECRETS])
        .changed_by(Part::most_careful([part]));
}

fn pod_unit(host: &HostPlan, (pod, added): (&PodPlan, &Part), lock: &str) -> Unit {
    let mut unit = Unit::new();
    // Wants, not Requires: a secret that can't be loaded yet holds up the containers that use it, and no others.
    unit.push(UnitKey::Description, format_args!("Pod {}", pod.name))
        .push(UnitKey::Wants, units::SECRETS)
        .push(UnitKey::After, units::SECRETS)
        .push(UnitKey::StartLimitIntervalSec, 0)
        .push(PodKey::PodName, &pod.name)
        .push(PodKey::Network, units::NETWORK)
        .push(PodKey::IP, pod.bridge_address);
    let udp_port = pod.endpoint.port;
    let address = host
        .underlay_address
        .map(|address| format!("{address}:"))
        .unwrap_or_default();
    unit.push(
        PodKey::PublishPort,
        format_args!("{address}{udp_port}:{udp_port}/udp"),
    );
    for published in &added.publish {
        let PublishedPort {
            address,
            host_port,
            port,
            proto,
        } = published;
        for proto in transports(*proto) {
            let value = format!("{address}:{host_port}:{port}/{proto}");
            unit.push(PodKey::PublishPort, value);
        }
    }
    for (name, address) in &added.add_hosts {
        unit.push(PodKey::AddHost, format_args!("{name}:{address}"));
    }
    if let Some(size) = added.shm_size_mib {
        unit.push(PodKey::ShmSize, format_args!("{size}m"));
    }
    // The lock closes before any container starts; when it doesn't, the pod has failed.
    unit.push_words(ServiceKey::ExecStartPost, &[lock, pod.name.as_str()])
        .push_words(ServiceKey::ExecReload, &[lock, pod.name.as_str()])
        .push(ServiceKey::Restart, "always")
        .push(ServiceKey::RestartSec, 2)
        .push(ServiceKey::TimeoutStopSec, STOP_TIMEOUT_SECS)
        .push(InstallKey::WantedBy, units::BOOT_TARGET);
    unit
}

fn transports(proto: Proto) -> &'static [&'static str] {
    match proto {
        Proto::Tcp => &["tcp"],
        Proto::Udp => &["udp"],
        Proto::Any => &["tcp", "udp"],
        // ICMP has no ports.
        Proto::Icmp => &[],
    }
}

fn lower_container(output: &mut Output, host: &HostPlan, (pod, part): (&PodPlan, &ContainerPart)) {
    let others = part.after.iter();
    let others = others.map(|other| units::container(&pod.name, other));
    let after: Vec<String> = std::iter::once(units::sidecar(&pod.name))
        .chain(others)
        .map(|file| units::service(&file))
        .collect();
    let about = format!("Container {} of pod {}", part.name, pod.name);
    let unit = container::unit(host, (pod, part), &after);
    let config: Vec<(ConfigChange, Vec<String>)> = part
        .config
        .iter()
        .map(|directory| (directory.on_change, output.files_below(&directory.path)))
        .collect();
    // New passwords of roles are set in the running cluster.
    let member = part.member.as_ref();
    let passwords = member.and_then(|member| member.passwords.as_ref());
    let mut row = output
        .place_unit(&units::container(&pod.name, &part.name), &about, &unit)
        .starts_after(&after)
        .starts_after(&[units::service(&units::pod(&pod.name))])
        .starts_after(&part.requires)
        .in_background(!part.requires.is_empty())
        .changed_by(part.on_change)
        .uses_secrets(
            part.secrets
                .iter()
                .map(|(name, _)| name)
                .filter(|name| passwords != Some(*name)),
        )
        .member_of(part.member.clone());
    for (change, files) in &config {
        for file in files {
            row = match change {
                ConfigChange::Reload if part.reload.is_some() => row.reloads_on(file),
                ConfigChange::Reload | ConfigChange::Restart => row.restarts_on(file),
                ConfigChange::Nothing => row,
            };
        }
    }
}

/// An image is built where it is missing, at boot too, and no container depends on it: a host whose mirror is gone boots.
fn lower_build(output: &mut Output, build: &Build) {
    let Build {
        name,
        tag,
        directory,
    } = build;
    let is_missing = [
        "/bin/sh",
        "-c",
        "! podman image exists \"$1\"",
        "sh",
        tag.as_str(),
    ];
    let mut unit = Unit::new();
    unit.push(UnitKey::Description, format_args!("Build of {tag}"))
        .push(UnitKey::Wants, units::service(units::NETWORK))
        .push(UnitKey::After, units::service(units::NETWORK))
        .push(UnitKey::StartLimitIntervalSec, 0)
        .push(BuildKey::ImageTag, tag)
        .push(BuildKey::SetWorkingDirectory, directory)
        .push(BuildKey::Network, "host")
        .push_words(ServiceKey::ExecCondition, &is_missing)
        .push(ServiceKey::Restart, "on-failure")
        .push(ServiceKey::RestartSec, 60)
        .push(InstallKey::WantedBy, units::BOOT_TARGET);
    let files = output.files_below(directory);
    let about = format!("Build of {tag}");
    let row = output
        .place_unit(&units::build(name), &about, &unit)
        .starts_after(&[units::service(units::NETWORK)]);
    files.iter().fold(row, |row, file| row.restarts_on(file));
}
