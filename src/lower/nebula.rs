//! Lowers Nebula endpoints: the sidecar of a pod, and the container of a host's own endpoint.

mod config;
pub(super) mod egress;

use crate::bundle::Endpoint;
use crate::format::unit::{ContainerKey, InstallKey, ServiceKey, Unit, UnitKey, volume};
use crate::format::yaml::to_yaml;
use crate::plan::{EndpointPlan, HostPlan, PodPlan};
use crate::platform::{images, paths, services, units, users};

use super::output::Output;
use super::part::{Image, Reload, text};
use super::unit;

/// Where the endpoint's directory is mounted: the official image declares a volume there.
const MOUNT: &str = "/config";

/// Adds the sidecar of a pod, its config and the pod's egress lock.
pub(super) fn lower_sidecar(output: &mut Output, host: &HostPlan, pod: &PodPlan) {
    let name = units::container_name(&pod.name, services::SIDECAR);
    let file = units::sidecar(&pod.name);
    let config = place_config(output, &pod.endpoint, (&file, services::OVERLAY_DEVICE));
    let about = format!("Nebula of pod {}", pod.name);
    let mut unit = endpoint_unit(host, &pod.endpoint, (&name, &about));
    unit.push(ContainerKey::Pod, units::pod(&pod.name));
    output
        .place_unit(&file, &about, &unit)
        .reloads_on(&config)
        .starts_after(&[units::service(&units::pod(&pod.name))]);
}

/// Adds an endpoint of the host itself, in the host's network namespace.
pub(super) fn lower_host_endpoint(output: &mut Output, host: &HostPlan, endpoint: &EndpointPlan) {
    let device = services::host_device(endpoint.port);
    let file = units::endpoint(&endpoint.name);
    let config = place_config(output, endpoint, (&file, &device));
    // Neither its port nor its device can be reloaded: they are part of the unit, so that a change of them restarts it.
    let about = format!(
        "Nebula endpoint {} on UDP port {}",
        endpoint.hostname, endpoint.port
    );
    let mut unit = endpoint_unit(host, endpoint, (&endpoint.name, &about));
    // Podman's first command after a power cut may fail: let it be the network unit's, which tries again.
    unit.push(UnitKey::Wants, units::service(units::NETWORK));
    unit.push(UnitKey::After, units::service(units::NETWORK));
    unit.push(ContainerKey::Network, "host");
    unit.push(InstallKey::WantedBy, units::BOOT_TARGET);
    output
        .place_unit(&file, &about, &unit)
        .reloads_on(&config)
        .starts_after(&[units::service(units::NETWORK)]);
}

/// The part that a sidecar and a host's own endpoint have in common.
fn endpoint_unit(
    host: &HostPlan,
    endpoint: &EndpointPlan,
    (container, about): (&str, &str),
) -> Unit {
    let directory = paths::endpoint(&endpoint.network.name, endpoint.hostname);
    let mut unit = Unit::new();
    unit.push(UnitKey::Description, about);
    unit::push_ordering(&mut unit, &[]);
    unit.push(ContainerKey::ContainerName, container);
    unit::push_image(&mut unit, &Image::pulled(images::NEBULA));
    unit.push(ContainerKey::Notify, true)
        .push(ContainerKey::User, users::NEBULA)
        .push(ContainerKey::Group, users::NEBULA)
        .push(ContainerKey::DropCapability, "all")
        .push(ContainerKey::AddCapability, "NET_ADMIN")
        .push(ContainerKey::AddDevice, "/dev/net/tun")
        .push(ContainerKey::ReadOnly, true)
        .push(ContainerKey::LogDriver, "journald")
        .push(ContainerKey::Volume, volume(directory, MOUNT, &["ro", "Z"]))
        .push_words(
            ContainerKey::Exec,
            &["-config", &format!("{MOUNT}/config.yml")],
        );
    unit::push_reload(
        &mut unit,
        host,
        container,
        &Reload::Signal("HUP".to_owned()),
    );
    unit.push(ServiceKey::Restart, "always")
        .push(ServiceKey::RestartSec, 1);
    unit::push_timeouts(&mut unit, 10);
    unit
}

/// Places the config and says which certificate `unit` needs beside it.
fn place_config(
    output: &mut Output,
    endpoint: &EndpointPlan,
    (unit, device): (&str, &str),
) -> String {
    let network = endpoint.network;
    let directory = paths::endpoint(&network.name, endpoint.hostname);
    let place = format!("{directory}/config.yml");
    output.place(&place, text(to_yaml(&config::config(endpoint, device))));
    let certificate = Endpoint {
        network: network.name.clone(),
        address: format!("{}/{}", endpoint.address, network.cidr.prefix_len()),
        groups: endpoint.groups.to_vec(),
        unit: units::service(unit),
        directory: paths::pki(&network.name, endpoint.hostname),
    };
    let endpoints = &mut output.bundle.endpoints;
    endpoints.insert(endpoint.hostname.to_owned(), certificate);
    place
}
