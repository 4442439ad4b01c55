//! The unit files of every host, so that no two of them have one name.

use std::collections::BTreeMap;

use super::Resolver;
use super::endpoint::Kind;
use crate::model::{EndpointId, HostId};
use crate::pointer::{At, Pointer};
use crate::report::{Code, Diagnostic};

/// Unit files that every host has.
const HOST_UNITS: [&str; 4] = [
    "underlay.network",
    "containerops-pods.target",
    "containerops-secrets.service",
    "containerops-underlay.service",
];

/// Hosts by the unit files that they have.
pub(super) type Units = BTreeMap<String, Vec<HostId>>;

/// Reports unit files of one host that would share a name, as files or as services. Returns
/// every unit file with its hosts.
pub(super) fn check(resolver: &mut Resolver<'_>) -> Units {
    let mut units = Units::new();
    let mut claims: Vec<(HostId, String, Option<Pointer>)> = Vec::new();
    for index in 0..resolver.model.endpoints.len() {
        let id = EndpointId(index);
        let host = resolver.model[id].host;
        let Some(place) = resolver.endpoints.get(index) else {
            continue;
        };
        let pointer = place.pointer.clone();
        for (file, pointer) in files(resolver, id, &pointer) {
            claims.push((host, service(&file), Some(pointer)));
            units.entry(file).or_default().push(host);
        }
    }
    for index in 0..resolver.model.hosts.len() {
        for file in HOST_UNITS {
            claims.push((HostId(index), service(file), None));
            units
                .entry(file.to_owned())
                .or_default()
                .push(HostId(index));
        }
    }
    claims.sort();
    for pair in claims.windows(2) {
        let [(host, name, first), (other_host, other_name, second)] = pair else {
            continue;
        };
        if (host, name) != (other_host, other_name) {
            continue;
        }
        let Some(second) = second else { continue };
        let host = resolver.model[*host].name.clone();
        let message = format!("host `{host}` would have two units named `{name}`");
        let diagnostic = Diagnostic::at_pointer(Code::UnitCollision, second.clone(), message);
        let diagnostic = match first {
            Some(first) => diagnostic
                .help("give one of the two another name")
                .note_at(first.clone(), "the other unit comes from here"),
            None => diagnostic.help("choose another name: every host has a unit of this one"),
        };
        resolver.report.push(diagnostic);
    }
    units
}

/// Returns the unit files of one endpoint, each with the place it comes from.
fn files(resolver: &Resolver<'_>, id: EndpointId, pointer: &Pointer) -> Vec<(String, Pointer)> {
    let endpoint = &resolver.model[id];
    let name = &endpoint.name;
    let kind = resolver.endpoints.get(id.0).map(|place| place.kind);
    if kind == Some(Kind::Host) {
        return vec![(format!("{name}.container"), pointer.clone())];
    }
    let mut files = vec![
        (format!("{name}.pod"), pointer.clone()),
        (format!("{name}-nebula.container"), pointer.clone()),
    ];
    if kind == Some(Kind::User) {
        let containers = At::ROOT.key("pods");
        let place = containers.key(name);
        let place = place.key("containers");
        let pod = resolver.description.pods.get(name);
        for container in pod.into_iter().flat_map(|pod| pod.containers.keys()) {
            let file = format!("{name}-{container}.container");
            files.push((file, place.key(container).to_pointer()));
        }
    } else {
        files.push((format!("{name}-main.container"), pointer.clone()));
    }
    files
}

/// Returns the systemd service that Quadlet makes of a unit file.
fn service(file: &str) -> String {
    match file.rsplit_once('.') {
        Some((stem, "container")) => format!("{stem}.service"),
        Some((stem, "pod")) => format!("{stem}-pod.service"),
        Some((stem, "network")) => format!("{stem}-network.service"),
        Some((stem, "build")) => format!("{stem}-build.service"),
        Some(_) | None => file.to_owned(),
    }
}
