//! Barman servers and what they back up.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use croner::Cron;

use super::endpoint::Claim;
use super::resolver::Kind;
use super::resolver::{Resolver, shown};
use crate::description;
use crate::model::{
    BarmanServer, BarmanSource, Compression, Drill, EndpointId, HostId, NetworkId, PatroniId,
};
use crate::name;
use crate::platform::{images, paths, roles, services};
use crate::pointer::{At, Pointer};
use crate::report::{Code, Diagnostic};

/// What was seen of all servers.
#[derive(Default)]
struct Seen<'d> {
    hosts: BTreeMap<HostId, Pointer>,
    clusters: BTreeMap<&'d str, Pointer>,
    /// Schedules that are good: many servers have the same, and looking for the next time is slow.
    frequencies: BTreeSet<&'d str>,
}

#[derive(Clone, Copy)]
struct Place<'p> {
    name: &'p str,
    host: Option<HostId>,
    network: Option<NetworkId>,
    at: At<'p>,
}

pub(super) fn resolve(resolver: &mut Resolver<'_>) {
    let description = resolver.description;
    let mut seen = Seen::default();
    for (name, server) in &description.barman_servers {
        let servers = At::ROOT.key("barman_servers");
        let at = servers.key(name);
        resolver.check_key(
            Code::BadName,
            at,
            ("name for a Barman server", name, name::label(name)),
        );
        if let Some(image) = &server.image {
            resolver.check(
                Code::BadImage,
                at.key("image"),
                ("image", image, name::image(image)),
            );
        }
        let host = resolver.host(at.key("host"), &server.host);
        let network = resolver.network(at, server.network.as_deref());
        let is_first = check_host(resolver, at, (host, &server.host), &mut seen);
        let place = Place {
            name,
            host,
            network,
            at,
        };
        let sources = sources(resolver, place, server, &mut seen);
        let (Some(host), Some(network), true) = (host, network, is_first) else {
            continue;
        };
        let domain = resolver.domain(network);
        let endpoint = resolver.claim(Claim {
            kind: Kind::Barman,
            network,
            host,
            name: services::BARMAN.to_owned(),
            hostname: server.hostname.as_deref(),
            default_hostname: format!("{name}.{domain}"),
            ip: server.ip.as_deref(),
            groups: &server.groups,
            own_group: Some(services::barman_group(name)),
            at,
        });
        let exports = super::export::resolve(resolver, at, (name, server, (host, network)));
        resolver.model.barman_servers.push(BarmanServer {
            name: name.clone(),
            endpoint,
            compression: compression(server.compression),
            sources,
            exports,
            image: server.image.clone(),
        });
    }
}

fn compression(written: description::Compression) -> Compression {
    match written {
        description::Compression::None => Compression::None,
        description::Compression::Gzip => Compression::Gzip,
        description::Compression::Bzip2 => Compression::Bzip2,
        description::Compression::Xz => Compression::Xz,
        description::Compression::Zstd => Compression::Zstd,
        description::Compression::Lz4 => Compression::Lz4,
    }
}

/// Reports a host that runs a Barman server already. Returns whether it runs none.
fn check_host(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    (host, name): (Option<HostId>, &str),
    seen: &mut Seen<'_>,
) -> bool {
    let Some(host) = host else { return true };
    let at = at.key("host");
    if let Some(first) = seen.hosts.get(&host) {
        let message = format!("host `{name}` runs another Barman server already");
        let diagnostic = Diagnostic::new(Code::TwoBarmanOnHost, at, message)
            .help("name the sources in one server, or take another host")
            .note_at(first.clone(), "the other server");
        resolver.report.push(diagnostic);
        return false;
    }
    seen.hosts.insert(host, at.to_pointer());
    true
}

fn sources<'d>(
    resolver: &mut Resolver<'d>,
    place: Place<'_>,
    server: &'d description::BarmanServer,
    seen: &mut Seen<'d>,
) -> Vec<BarmanSource> {
    let sources = place.at.key("sources");
    let mut found = Vec::new();
    for (index, source) in server.sources.iter().enumerate() {
        let at = sources.index(index);
        check_numbers(resolver, at, source);
        check_frequency(resolver, at.key("frequency"), &source.frequency, seen);
        let drill = source
            .drill
            .as_ref()
            .map(|drill| self::drill(resolver, at.key("drill"), drill, seen));
        let cluster = resolver.patroni_cluster(at.key("cluster"), &source.cluster);
        check_twice(resolver, at, &source.cluster, seen);
        let Some(cluster) = cluster else { continue };
        check_cluster(resolver, Place { at, ..place }, (source, cluster));
        check_tools(resolver, at, (server, cluster));
        let Some(proxy) = proxy(resolver, Place { at, ..place }, (source, cluster)) else {
            continue;
        };
        found.push(BarmanSource {
            cluster,
            proxy,
            frequency: one_blank_apart(&source.frequency),
            minimum_redundancy: source.minimum_redundancy,
            recovery_window: source.recovery_window,
            drill,
        });
        if let Some(cluster) = resolver.model.patroni_clusters.get_mut(cluster.0) {
            cluster.barman_proxies.push(proxy);
            cluster.archive_timeout = Some(source.archive_timeout);
        }
    }
    found.sort_by_key(|source| source.cluster);
    found
}

/// Reports a cluster whose version the default image has no tools for.
fn check_tools(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    (server, cluster): (&description::BarmanServer, PatroniId),
) {
    let Some(cluster) = resolver.model.patroni_clusters.get(cluster.0) else {
        return;
    };
    let version = cluster.postgres_version;
    // Without an image of its own, the cluster's version was refused already.
    if server.image.is_none() && cluster.image.is_some() && version != images::POSTGRES_VERSION {
        let message = format!("Barman's default image has no tools of PostgreSQL {version}");
        let help = "give the Barman server an `image` with them";
        let diagnostic = Diagnostic::new(Code::UnsupportedPostgres, at.key("cluster"), message);
        resolver.report.push(diagnostic.help(help));
    }
}

fn check_numbers(resolver: &mut Resolver<'_>, at: At<'_>, source: &description::BarmanSource) {
    if source.recovery_window == 0 {
        let message = "a recovery window of 0 days keeps nothing to restore";
        let diagnostic =
            Diagnostic::new(Code::NoRecoveryWindow, at.key("recovery_window"), message);
        resolver
            .report
            .push(diagnostic.allowed_text("1 day or more"));
    }
    if source.recovery_window > 36_500 {
        let message = format!(
            "a recovery window of {} days is too long",
            source.recovery_window
        );
        let diagnostic = Diagnostic::new(Code::OutOfRange, at.key("recovery_window"), message);
        resolver
            .report
            .push(diagnostic.allowed_text("1 to 36500 days"));
    }
    if !(1..=86_400).contains(&source.archive_timeout) {
        let message = format!(
            "WAL can't be closed every {} seconds",
            source.archive_timeout
        );
        let diagnostic = Diagnostic::new(Code::OutOfRange, at.key("archive_timeout"), message);
        resolver
            .report
            .push(diagnostic.allowed_text("1 to 86400 seconds"));
    }
}

fn one_blank_apart(schedule: &str) -> String {
    schedule.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Checks when the backups are tried, and where.
fn drill<'d>(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    written: &'d description::Drill,
    seen: &mut Seen<'d>,
) -> Drill {
    check_frequency(resolver, at.key("schedule"), &written.schedule, seen);
    let path = written.scratch_path.as_deref().unwrap_or(paths::SCRATCH);
    let at = at.key("scratch_path");
    resolver.check(
        Code::BadPath,
        at,
        ("path on a host", path, name::path(path)),
    );
    if path != paths::SCRATCH && paths::is_ours(path) {
        let message = format!(
            "`{path}` is among the platform's own data, and a drill cleans up after itself"
        );
        let help = format!(
            "leave it out, which means `{}`, or take a directory elsewhere",
            paths::SCRATCH
        );
        let diagnostic = Diagnostic::new(Code::BadPath, at, message);
        resolver.report.push(diagnostic.help(help));
    }
    Drill {
        schedule: one_blank_apart(&written.schedule),
        scratch_path: path.to_owned(),
    }
}

/// Reports a schedule that is none, unless it was seen to be good before.
fn check_frequency<'d>(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    text: &'d str,
    seen: &mut Seen<'d>,
) {
    if !seen.frequencies.contains(text) && is_schedule(resolver, at, text) {
        seen.frequencies.insert(text);
    }
}

/// Reports a schedule that cron can't read, and one that never fires. Returns whether it is good.
fn is_schedule(resolver: &mut Resolver<'_>, at: At<'_>, text: &str) -> bool {
    let fields: Vec<&str> = text.split(' ').filter(|field| !field.is_empty()).collect();
    let legal = |c: char| c.is_ascii_digit() || matches!(c, '*' | ',' | '-' | '/');
    let is_plain = fields.len() == 5 && fields.iter().all(|field| field.chars().all(legal));
    let schedule = if is_plain {
        fields.join(" ").parse::<Cron>().ok()
    } else {
        None
    };
    let Some(schedule) = schedule else {
        let diagnostic = Diagnostic::new(
            Code::BadSchedule,
            at,
            format!("`{}` is no schedule of cron", shown(text)),
        );
        let allowed = "minute (0-59), hour (0-23), day of month (1-31), month (1-12), day of week \
                       (0-7), as numbers with `*`, `,`, `-` and `/`: `30 3 * * *`";
        resolver.report.push(diagnostic.allowed_text(allowed));
        return false;
    };
    let start: DateTime<Utc> = DateTime::UNIX_EPOCH;
    let fires = schedule.find_next_occurrence(&start, true).is_ok();
    if !fires {
        let message = format!("`{text}` never fires: no month that it names has such a day");
        let help = "name a day that exists; `0 3 28 2 *` fires every February";
        resolver
            .report
            .push(Diagnostic::new(Code::ScheduleNeverFires, at, message).help(help));
    }
    fires
}

fn check_twice<'d>(resolver: &mut Resolver<'_>, at: At<'_>, cluster: &'d str, seen: &mut Seen<'d>) {
    let at = at.key("cluster");
    if let Some(first) = seen.clusters.get(cluster) {
        let message = format!("cluster `{cluster}` is backed up already");
        let diagnostic = Diagnostic::new(Code::BackedUpTwice, at, message)
            .help("a cluster has one slot for one Barman source: take one of the two out")
            .note_at(first.clone(), "the other source");
        resolver.report.push(diagnostic);
    } else {
        seen.clusters.insert(cluster, at.to_pointer());
    }
}

/// Checks what a backed up cluster must have.
fn check_cluster(
    resolver: &mut Resolver<'_>,
    place: Place<'_>,
    (source, id): (&description::BarmanSource, PatroniId),
) {
    let at = place.at.key("cluster");
    let clusters = At::ROOT.key("patroni_clusters");
    let entry = clusters.key(&source.cluster);
    let Some(cluster) = resolver.description.patroni_clusters.get(&source.cluster) else {
        return;
    };
    if cluster.barman_secret.is_none() && !resolver.has_failed(entry.key("barman_secret")) {
        let message = format!(
            "cluster `{}` is backed up but has no `barman_secret`",
            source.cluster
        );
        let diagnostic = Diagnostic::new(Code::NoBarmanSecret, at, message)
            .help("give the cluster a `barman_secret`: the password Barman logs in with")
            .note(entry, "the cluster");
        resolver.report.push(diagnostic);
    }
    let members = cluster.members.iter().chain(&cluster.read_replicas);
    if members
        .into_iter()
        .any(|member| member.host == roles::BARMAN_SLOT)
    {
        let message = format!(
            "member `barman` of cluster `{}` has a slot of that name, and Barman's slot is `barman`",
            source.cluster
        );
        let diagnostic = Diagnostic::new(Code::SlotCollision, at, message)
            .help("give the host another name")
            .note(entry, "the cluster");
        resolver.report.push(diagnostic);
    }
    let theirs = resolver.patroni_networks.get(id.0).copied();
    if let (Some(ours), Some(theirs)) = (place.network, theirs)
        && ours != theirs
    {
        let (ours, theirs) = (&resolver.model[ours].name, &resolver.model[theirs].name);
        let message = format!(
            "cluster `{}` is on network `{theirs}`, Barman server `{}` on `{ours}`",
            source.cluster, place.name
        );
        let help = "a Barman server backs up clusters of its own network: add a server there";
        let diagnostic = Diagnostic::new(Code::BarmanNetworksDiffer, at, message).help(help);
        resolver.report.push(diagnostic);
    }
}

/// Finds the proxy that a source reads through.
fn proxy(
    resolver: &mut Resolver<'_>,
    place: Place<'_>,
    (source, id): (&description::BarmanSource, PatroniId),
) -> Option<EndpointId> {
    let wanted = match &source.proxy {
        Some(name) => resolver.host(place.at.key("proxy"), name)?,
        None => place.host?,
    };
    let cluster = resolver.model.patroni_clusters.get(id.0)?;
    let mut proxies = cluster.proxies.iter().copied();
    let found = proxies.find(|proxy| resolver.model[*proxy].host == wanted);
    let clusters = At::ROOT.key("patroni_clusters");
    let entry = clusters.key(&source.cluster);
    if found.is_some() || resolver.has_failed(entry.key("proxies")) {
        return found;
    }
    let host = resolver.model[wanted].name.clone();
    let known: Vec<String> = cluster
        .proxies
        .iter()
        .map(|proxy| resolver.model[resolver.model[*proxy].host].name.clone())
        .collect();
    let message = format!("cluster `{}` has no proxy on `{host}`", source.cluster);
    let help = format!("add `{host}` to the cluster's `proxies`, or name another here as `proxy`");
    let written = place.at.key("proxy");
    let at = if source.proxy.is_some() {
        written
    } else {
        place.at
    };
    let diagnostic = Diagnostic::new(Code::NoBarmanProxy, at, message)
        .help(help)
        .allowed(known);
    resolver.report.push(diagnostic.note(entry, "the cluster"));
    None
}
