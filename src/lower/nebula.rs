//! Lowers Nebula endpoints: the sidecar of a pod, and the container of a host's own endpoint.

mod config;
pub(super) mod egress;

use crate::bundle::Endpoint;
use crate::format::unit::{ContainerKey, InstallKey, ServiceKey, Unit, UnitKey, volume};
use crate::format::yaml::to_yaml;
use crate::plan::{EndpointPlan, HostPlan, PodPlan};

use super::output::Output;
use super::part::{Image, Reload, text};
use super::{host, path, unit};

/// The official image: distroless, entrypoint `/nebula`, no user of its own, `VOLUME /config`
/// (<https://github.com/slackhq/nebula/blob/v1.11.0/docker/Dockerfile>); its tags are Nebula's versions
/// (<https://hub.docker.com/r/nebulaoss/nebula/tags>).
const IMAGE: &str = "docker.io/nebulaoss/nebula:1.11.0";

/// Uid and gid that Nebula runs as; nobody else may, since the egress lock lets it out.
pub(super) const UID: u32 = 4242;

/// Nebula's device in a pod.
pub(super) const DEVICE: &str = "nebula1";

/// Where the endpoint's directory is mounted: the official image declares a volume there.
const MOUNT: &str = "/config";

/// Adds the sidecar of a pod, its config and the pod's egress lock.
pub(super) fn lower_sidecar(output: &mut Output, host: &HostPlan, pod: &PodPlan) {
    let name = format!("{}-nebula", pod.name);
    let file = format!("{name}.container");
    let config = place_config(output, &pod.endpoint, (&file, DEVICE));
    let about = format!("Nebula of pod {}", pod.name);
    let mut unit = endpoint_unit(host, &pod.endpoint, (&name, &about));
    unit.push(ContainerKey::Pod, format_args!("{}.pod", pod.name));
    output
        .place_unit(&file, &about, &unit)
        .reloads_on(&config)
        .starts_after(&[path::service(&format!("{}.pod", pod.name))]);
}

/// Adds an endpoint of the host itself, in the host's network namespace.
pub(super) fn lower_host_endpoint(output: &mut Output, host: &HostPlan, endpoint: &EndpointPlan) {
    let device = host_device(endpoint);
    let file = format!("{}.container", endpoint.name);
    let config = place_config(output, endpoint, (&file, &device));
    // Neither its port nor its device can be reloaded: they are part of the unit, so that a change of them restarts it.
    let about = format!(
        "Nebula endpoint {} on UDP port {}",
        endpoint.hostname, endpoint.port
    );
    let mut unit = endpoint_unit(host, endpoint, (&endpoint.name, &about));
    // Podman's first command after a power cut may fail: let it be the network unit's, which tries again.
    unit.push(UnitKey::Wants, path::service(host::NETWORK));
    unit.push(UnitKey::After, path::service(host::NETWORK));
    unit.push(ContainerKey::Network, "host");
    unit.push(InstallKey::WantedBy, host::BOOT_TARGET);
    output
        .place_unit(&file, &about, &unit)
        .reloads_on(&config)
        .starts_after(&[path::service(host::NETWORK)]);
}

/// Nebula's device of a host's own endpoint.
pub(super) fn host_device(endpoint: &EndpointPlan) -> String {
    format!("nebula{}", endpoint.port)
}

/// The part that a sidecar and a host's own endpoint have in common.
fn endpoint_unit(
    host: &HostPlan,
    endpoint: &EndpointPlan,
    (container, about): (&str, &str),
) -> Unit {
    let directory = path::endpoint(&endpoint.network.name, endpoint.hostname);
    let mut unit = Unit::new();
    unit.push(UnitKey::Description, about);
    unit::push_ordering(&mut unit, &[]);
    unit.push(ContainerKey::ContainerName, container);
    unit::push_image(&mut unit, &Image::pulled(IMAGE));
    unit.push(ContainerKey::Notify, true)
        .push(ContainerKey::User, UID)
        .push(ContainerKey::Group, UID)
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
    let directory = path::endpoint(&network.name, endpoint.hostname);
    let place = format!("{directory}/config.yml");
    output.place(&place, text(to_yaml(&config::config(endpoint, device))));
    let certificate = Endpoint {
        network: network.name.clone(),
        address: format!("{}/{}", endpoint.address, network.cidr.prefix_len()),
        groups: endpoint.groups.to_vec(),
        unit: path::service(unit),
        directory: format!("{directory}/pki"),
    };
    let endpoints = &mut output.bundle.endpoints;
    endpoints.insert(endpoint.hostname.to_owned(), certificate);
    place
}
