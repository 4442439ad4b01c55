//! How people keep one Patroni cluster running: its own names, hosts and commands.

use std::net::Ipv4Addr;

use serde::Serialize;

use crate::format::template::{Line, Template, render};
use crate::plan::{ArchivePlan, PlacePlan, RunbookPlan};

use super::super::images;
use crate::platform::paths;

/// The fields of `runbook.tera`.
#[derive(Serialize)]
struct Runbook {
    cluster: Line,
    places: Vec<Row>,
    proxies: Vec<Proxy>,
    has_proxies: bool,
    /// The first proxy, where there is one.
    some_proxy: Vec<Proxy>,
    etcd_cluster: Line,
    version: u16,
    image: Line,
    pull: &'static str,
    bin_dir: String,
    database: Line,
    /// Hosts that have a part in the cluster, with blanks between.
    hosts: Line,
    /// A host with a member.
    member: Line,
    last_member: Line,
    /// Who could take the primary's part over, where somebody could.
    candidates: Vec<Line>,
    etcd_member: Line,
    /// The etcd member that stands for the one that is lost, where the others can do without one.
    lost_etcd: Vec<LostEtcd>,
    /// Who backs the cluster up, where somebody does.
    archives: Vec<Archive>,
}

/// A line of the table of places.
#[derive(Serialize)]
struct Row {
    what: Line,
    host: Line,
    hostname: Line,
    address: Ipv4Addr,
}

#[derive(Serialize)]
struct Proxy {
    host: Line,
    hostname: Line,
    is_last: bool,
}

#[derive(Serialize)]
struct LostEtcd {
    host: Line,
    address: Ipv4Addr,
    /// A host with another member.
    other: Line,
}

#[derive(Serialize)]
struct Archive {
    server: Line,
    host: Line,
    frequency: Line,
    recovery_window: u32,
    /// The host that a new cluster would start on: Barman's own, if it may become primary there.
    restorer: Line,
    restorer_is_elsewhere: bool,
}

/// Returns the runbook of a cluster, as Markdown.
pub(super) fn runbook(plan: &RunbookPlan) -> String {
    let provided = images::patroni(plan.image, plan.postgres_version);
    let first = |places: &[PlacePlan]| Line::of(places.first().map_or("", |it| it.host));
    let members: Vec<PlacePlan> = plan.members.iter().map(|(place, _)| *place).collect();
    let eligible = plan.members.iter().filter(|(_, is_replica)| !is_replica);
    let eligible: Vec<PlacePlan> = eligible.map(|(place, _)| *place).collect();
    let values = Runbook {
        cluster: Line::of(plan.cluster),
        places: places(plan),
        proxies: proxies(&plan.proxies),
        has_proxies: !plan.proxies.is_empty(),
        some_proxy: proxies(plan.proxies.get(..1).unwrap_or_default()),
        etcd_cluster: Line::of(plan.etcd_cluster),
        version: plan.postgres_version,
        pull: provided.image.pull_policy(),
        image: Line::of(provided.image.reference),
        bin_dir: paths::postgres_programs(plan.postgres_version),
        database: Line::of(plan.database),
        hosts: Line::of(plan.hosts.iter().copied().collect::<Vec<_>>().join(" ")),
        member: first(&members),
        last_member: Line::of(members.last().map_or("", |it| it.host)),
        candidates: eligible
            .get(1)
            .map(|it| Line::of(it.host))
            .into_iter()
            .collect(),
        etcd_member: first(&plan.etcd),
        lost_etcd: lost_etcd(&plan.etcd).into_iter().collect(),
        archives: plan
            .archive
            .iter()
            .map(|it| archive(it, &eligible))
            .collect(),
    };
    render(Template::Runbook, &values)
}

fn places(plan: &RunbookPlan) -> Vec<Row> {
    let row = |what: &str, place: &PlacePlan| Row {
        what: Line::of(what),
        host: Line::of(place.host),
        hostname: Line::of(place.hostname),
        address: place.address,
    };
    let members = plan.members.iter().map(|(place, is_replica)| {
        row(
            if *is_replica {
                "read replica"
            } else {
                "member"
            },
            place,
        )
    });
    let proxies = plan.proxies.iter().map(|place| row("proxy", place));
    let etcd = plan.etcd.iter().map(|place| row("etcd member", place));
    let archive = plan.archive.iter().flat_map(|archive| {
        let barman = row(
            &format!("Barman server `{}`", archive.server),
            &archive.place,
        );
        let through = row("the proxy that Barman reads through", &archive.proxy);
        let exports = archive.exports.iter();
        let exports = exports.map(|(name, place)| row(&format!("export `{name}`"), place));
        [barman, through].into_iter().chain(exports)
    });
    members.chain(proxies).chain(etcd).chain(archive).collect()
}

fn proxies(places: &[PlacePlan]) -> Vec<Proxy> {
    let count = places.len();
    let numbered = places.iter().enumerate();
    let proxies = numbered.map(|(index, place)| Proxy {
        host: Line::of(place.host),
        hostname: Line::of(place.hostname),
        is_last: index + 1 == count,
    });
    proxies.collect()
}

fn lost_etcd(members: &[PlacePlan]) -> Option<LostEtcd> {
    match members {
        [other, _, .., lost] => Some(LostEtcd {
            host: Line::of(lost.host),
            address: lost.address,
            other: Line::of(other.host),
        }),
        _ => None,
    }
}

fn archive(plan: &ArchivePlan, eligible: &[PlacePlan]) -> Archive {
    let ArchivePlan {
        server,
        place,
        proxy: _,
        frequency,
        recovery_window,
        exports: _,
    } = plan;
    let own = eligible.iter().find(|member| member.host == place.host);
    let restorer = own.or(eligible.first()).map_or("", |it| it.host);
    Archive {
        server: Line::of(server),
        host: Line::of(place.host),
        frequency: Line::of(frequency),
        recovery_window: *recovery_window,
        restorer: Line::of(restorer),
        restorer_is_elsewhere: restorer != place.host,
    }
}
