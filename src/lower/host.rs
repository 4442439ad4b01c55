//! Lowers what every host has, whatever runs on it: the bridge of its pods, the rules of their ports, the target that
//! orders their shutdown, the scripts, the data directories.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::Serialize;

use crate::bundle::OnChange;
use crate::format::template::{Line, Template, render};
use crate::format::unit::{NetworkKey, ServiceKey, Unit, UnitKey};
use crate::plan::{HostPlan, PodPlan};
use crate::platform::{paths, services, units, users};

use super::output::Output;
use super::part::{CommandPart, DataDirectory, Part, script, text};

/// Adds the files that every host has.
pub(super) fn lower(output: &mut Output, plan: &HostPlan, parts: &[(&PodPlan, Part)]) {
    lower_network(
        output,
        plan,
        Part::most_careful(parts.iter().map(|(_, part)| part)),
    );
    lower_underlay(output, plan);
    lower_shutdown_order(output);
    lower_commands(output, parts);
    let egress = script(include_str!("../../templates/programs/host/pod-egress"));
    output.place(&format!("{}/pod-egress", paths::SCRIPTS), egress);
    let loops = script(include_str!("../../templates/programs/host/restart-loops"));
    output.place(&format!("{}/restart-loops", paths::SCRIPTS), loops);
    output.place(paths::TMPFILES, text(tmpfiles(plan, parts)));
}

/// The commands of clusters that have a member here, each run in the member's container.
fn lower_commands(output: &mut Output, parts: &[(&PodPlan, Part)]) {
    let runner = format!("{}/in-member", paths::SCRIPTS);
    for CommandPart { name, words } in parts.iter().flat_map(|(_, part)| &part.commands) {
        output.place(
            &format!("{}/{name}", paths::COMMANDS),
            script(format!("#!/bin/sh\nexec {runner} {words} \"$@\"\n")),
        );
        output.place(
            &runner,
            script(include_str!("../../templates/programs/host/in-member")),
        );
    }
}

/// The pods' units require the bridge's, so a restart of it restarts them all.
fn lower_network(output: &mut Output, plan: &HostPlan, on_change: OnChange) {
    let gateway = plan
        .underlay_subnet
        .hosts()
        .next()
        .unwrap_or(plan.underlay_subnet.network());
    let mut unit = Unit::new();
    unit.push(UnitKey::Description, "Bridge of this host's pods")
        .push(UnitKey::Wants, units::UNDERLAY)
        .push(UnitKey::After, units::UNDERLAY)
        .push(UnitKey::StartLimitIntervalSec, 0)
        .push(NetworkKey::NetworkName, "underlay")
        .push(NetworkKey::Driver, "bridge")
        .push(NetworkKey::Subnet, plan.underlay_subnet)
        .push(NetworkKey::Gateway, gateway)
        .push(NetworkKey::DisableDNS, true)
        .push(NetworkKey::IPv6, false);
    // Podman's first command after a power cut may panic while it cleans up (seen with 5.4.2): let it, and try again.
    unit.push_expanded(
        ServiceKey::ExecStartPre,
        &["-/bin/sh", "-c", "podman info >/dev/null 2>&1"],
    )
    .push(ServiceKey::Restart, "on-failure")
    .push(ServiceKey::RestartSec, 1)
    .push(ServiceKey::RestartMode, "direct");
    output
        .place_unit(units::NETWORK, "The bridge of this host's pods", &unit)
        .starts_after(&[units::UNDERLAY])
        .changed_by(on_change);
}

#[derive(Serialize)]
struct Underlay {
    subnet: String,
    ports: Vec<u16>,
    own: Vec<Own>,
}

/// A place of the host itself on the overlay, and the device that leads there.
#[derive(Serialize)]
struct Own {
    address: Ipv4Addr,
    device: String,
}

/// The rules are there before any packet of the network, and pulled in by the bridge: nobody has to enable them.
fn lower_underlay(output: &mut Output, plan: &HostPlan) {
    let mut ports: Vec<u16> = plan.pods.iter().map(|pod| pod.endpoint.port).collect();
    ports.sort_unstable();
    let own = plan.endpoints.iter().map(|endpoint| Own {
        address: endpoint.address,
        device: services::host_device(endpoint.port),
    });
    let rules = Underlay {
        subnet: plan.underlay_subnet.to_string(),
        ports,
        own: own.collect(),
    };
    output.place(paths::UNDERLAY, text(render(Template::Underlay, &rules)));
    let load = ["/usr/bin/env", "nft", "-f", paths::UNDERLAY];
    let mut unit = Unit::new();
    unit.push(
        UnitKey::Description,
        "Rules of what comes in from the real network",
    )
    .push(UnitKey::DefaultDependencies, "no")
    .push(UnitKey::After, "local-fs.target")
    .push(UnitKey::Wants, "network-pre.target")
    .push(UnitKey::Before, "network-pre.target")
    .push(ServiceKey::Type, "oneshot")
    .push(ServiceKey::RemainAfterExit, "yes")
    .push_words(ServiceKey::ExecStart, &load)
    .push_words(ServiceKey::ExecReload, &load);
    output
        .place_unit(
            units::UNDERLAY,
            "The rules of what comes in from the real network",
            &unit,
        )
        .reloads_on(paths::UNDERLAY);
}

/// The pods' infra containers live in scopes that nothing orders: at shutdown systemd would stop them first, and take the
/// network from under Patroni and etcd.
fn lower_shutdown_order(output: &mut Output) {
    let mut target = Unit::new();
    target.push(
        UnitKey::Description,
        "The pods' networks outlive the containers",
    );
    output.place_unit(
        units::SHUTDOWN_TARGET,
        "What containers are ordered after",
        &target,
    );
    let mut scopes = Unit::new();
    scopes.push(UnitKey::Before, units::SHUTDOWN_TARGET);
    let drop_in = scopes.render("Podman's scopes stop after the containers");
    output.place(
        &units::drop_in("libpod-.scope", units::DROP_IN),
        text(drop_in),
    );
}

#[derive(Serialize)]
struct Tmpfiles {
    lines: Vec<Line>,
}

/// Directories with their parents, each once, and the keys that only Nebula may read.
fn tmpfiles(plan: &HostPlan, parts: &[(&PodPlan, Part)]) -> String {
    let mut directories = BTreeMap::new();
    for (_, part) in parts {
        for directory in &part.directories {
            let DataDirectory {
                path,
                mode,
                uid,
                gid,
            } = directory;
            add_parents(&mut directories, path);
            directories.insert(path.clone(), (*mode, *uid, *gid));
        }
    }
    let made = directories.iter().map(|(path, (mode, uid, gid))| {
        Line::of(format_args!("d {path} {mode:04o} {uid} {gid} -"))
    });
    let pods = plan.pods.iter().map(|pod| &pod.endpoint);
    let keys = plan.endpoints.iter().chain(pods).flat_map(|endpoint| {
        let pki = paths::pki(&endpoint.network.name, endpoint.hostname);
        let uid = users::NEBULA;
        [
            Line::of(format_args!("d {pki} 0750 0 {uid} -")),
            Line::of(format_args!("z {pki}/*.crt 0644 0 0 -")),
            Line::of(format_args!("z {pki}/host.key 0400 {uid} {uid} -")),
        ]
    });
    render(
        Template::Tmpfiles,
        &Tmpfiles {
            lines: made.chain(keys).collect(),
        },
    )
}

fn add_parents(directories: &mut BTreeMap<String, (u32, u32, u32)>, path: &str) {
    let parents = std::path::Path::new(path).ancestors().skip(1);
    let ours = parents
        .filter_map(std::path::Path::to_str)
        .filter(|path| paths::is_ours(path));
    for parent in ours {
        directories
            .entry(parent.to_owned())
            .or_insert((0o755, 0, 0));
    }
}
