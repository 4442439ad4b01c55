//! The unit files of every host, so that no two of them have one name.

use std::collections::BTreeMap;

use super::super::resolver::{Kind, Resolver};
use crate::model::{EndpointId, HostId, PatroniCluster};
use crate::platform::{images, services, units};
use crate::pointer::{At, Pointer};
use crate::report::{Code, Diagnostic};

/// The images that hosts build: unit files, each once however many use it, with a place that it comes from.
type Builds = BTreeMap<HostId, BTreeMap<String, Pointer>>;

/// Hosts by the unit files that they have.
pub(in crate::resolve) type Units = BTreeMap<String, Vec<HostId>>;

/// Reports unit files of one host that would share a name, as files or as services.
pub(super) fn check(resolver: &mut Resolver<'_>) {
    let builds = builds(resolver);
    for endpoints in by_host(resolver).chunk_by(|(host, _), (other, _)| host == other) {
        check_host(resolver, endpoints, &builds);
    }
}

fn by_host(resolver: &Resolver<'_>) -> Vec<(HostId, EndpointId)> {
    let endpoints = resolver.model.endpoints.iter().enumerate();
    let mut places: Vec<(HostId, EndpointId)> = endpoints
        .map(|(index, endpoint)| (endpoint.host, EndpointId(index)))
        .collect();
    places.sort_unstable();
    places
}

/// Reports the clashes of one host, so that the names of only one are in memory.
fn check_host(resolver: &mut Resolver<'_>, endpoints: &[(HostId, EndpointId)], builds: &Builds) {
    let Some((host, _)) = endpoints.first() else {
        return;
    };
    let mut claims: Vec<(String, Option<Pointer>)> = units::OF_EVERY_HOST
        .iter()
        .map(|file| (units::service(file), None))
        .collect();
    for (_, id) in endpoints {
        let files = files(resolver, *id).into_iter();
        claims.extend(files.map(|(file, pointer)| (units::service(&file), Some(pointer))));
    }
    let builds = builds.get(host).into_iter().flatten();
    claims.extend(builds.map(|(file, pointer)| (units::service(file), Some(pointer.clone()))));
    claims.sort_unstable();
    for pair in claims.windows(2) {
        let [(name, first), (other_name, second)] = pair else {
            continue;
        };
        let (true, Some(second)) = (name == other_name, second) else {
            continue;
        };
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
}

/// Returns every unit file with its hosts.
pub(in crate::resolve) fn all(resolver: &Resolver<'_>) -> Units {
    let mut units = Units::new();
    for (index, endpoint) in resolver.model.endpoints.iter().enumerate() {
        for (file, _) in files(resolver, EndpointId(index)) {
            units.entry(file).or_default().push(endpoint.host);
        }
    }
    for (host, files) in builds(resolver) {
        for (file, _) in files {
            units.entry(file).or_default().push(host);
        }
    }
    for file in units::OF_EVERY_HOST {
        let hosts = (0..resolver.model.hosts.len()).map(HostId);
        units.entry(file.to_owned()).or_default().extend(hosts);
    }
    units
}

/// Returns the unit files of one endpoint, each with the place it comes from.
fn files(resolver: &Resolver<'_>, id: EndpointId) -> Vec<(String, Pointer)> {
    let Some(place) = resolver.endpoints.get(id.0) else {
        return Vec::new();
    };
    let (name, pointer) = (&resolver.model[id].name, &place.pointer);
    let containers: &[&str] = match place.kind {
        Kind::Host => return vec![(units::endpoint(name), pointer.clone())],
        Kind::Etcd | Kind::Proxy | Kind::Barman | Kind::Postgres => &[services::MAIN],
        Kind::Patroni => &[services::MAIN, services::KEEPER],
        Kind::User => &[],
    };
    let mut files = vec![units::pod(name), units::sidecar(name)];
    let containers = containers.iter();
    files.extend(containers.map(|container| units::container(name, container)));
    if place.kind == Kind::Barman {
        files.extend(timers(resolver, id));
    }
    let mut files: Vec<(String, Pointer)> = files
        .into_iter()
        .map(|file| (file, pointer.clone()))
        .collect();
    if place.kind == Kind::User {
        files.extend(own_containers(resolver, name));
    }
    if place.kind == Kind::Barman {
        files.extend(exports(resolver, pointer));
    }
    files
}

/// Returns the unit files of the containers of a user's pod.
fn own_containers(resolver: &Resolver<'_>, pod: &str) -> Vec<(String, Pointer)> {
    let pods = At::ROOT.key("pods");
    let place = pods.key(pod);
    let place = place.key("containers");
    let written = resolver.description.pods.get(pod).into_iter();
    let containers = written.flat_map(|it| it.containers.keys());
    containers
        .map(|name| (units::container(pod, name), place.key(name).to_pointer()))
        .collect()
}

/// Returns the unit files of the exports of the Barman server at `pointer`.
fn exports(resolver: &Resolver<'_>, pointer: &Pointer) -> Vec<(String, Pointer)> {
    let server = pointer.segments().next_back().unwrap_or_default();
    let server = resolver.description.barman_servers.get(&server);
    let exports = server.into_iter().flat_map(|it| it.exports.keys());
    let place = pointer.child("exports");
    exports
        .map(|name| (units::export(name), place.child(name)))
        .collect()
}

/// Returns the unit files of what looks after a Barman server's backups.
fn timers(resolver: &Resolver<'_>, id: EndpointId) -> Vec<String> {
    let mut servers = resolver.model.barman_servers.iter();
    let server = servers.find(|server| server.endpoint == id);
    let mut files = Vec::new();
    for source in server.into_iter().flat_map(|server| &server.sources) {
        let cluster = &resolver.model[source.cluster].name;
        files.extend(units::timer(&units::backup_check(cluster)));
        if source.drill.is_some() {
            files.extend(units::timer(&units::drill(cluster)));
        }
    }
    files
}

fn builds(resolver: &Resolver<'_>) -> Builds {
    let model = &resolver.model;
    let mut builds = Builds::new();
    let mut add = |endpoint: EndpointId, program: &str, version: u16| {
        if let Some(place) = resolver.endpoints.get(endpoint.0) {
            let files = builds.entry(model[endpoint].host).or_default();
            files
                .entry(units::build(&images::build(program, version)))
                .or_insert_with(|| place.pointer.clone());
        }
    };
    let is_built = |cluster: &PatroniCluster| cluster.image.is_none();
    for cluster in model.patroni_clusters.iter().filter(|it| is_built(it)) {
        for member in &cluster.members {
            add(member.endpoint, images::PATRONI, cluster.postgres_version);
        }
    }
    for server in &model.barman_servers {
        if server.image.is_none() {
            add(
                server.endpoint,
                images::BARMAN,
                model.client_version(server),
            );
        }
        let sources = server
            .sources
            .iter()
            .map(|it| (server.endpoint, it.cluster));
        let exports = server.exports.iter();
        let exports = exports.filter_map(|it| Some((it.postgres?, it.cluster)));
        for (endpoint, cluster) in sources.chain(exports) {
            let cluster = &model[cluster];
            if is_built(cluster) {
                add(endpoint, images::PATRONI, cluster.postgres_version);
            }
        }
    }
    builds
}
