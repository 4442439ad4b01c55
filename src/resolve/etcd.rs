//! etcd clusters.

use std::collections::BTreeMap;

use super::endpoint::{Claim, placed_host};
use super::resolver::Kind;
use super::resolver::Resolver;
use crate::description::{self, InitialClusterState};
use crate::model::{EtcdCluster, EtcdId, EtcdMember};
use crate::name;
use crate::platform::services;
use crate::pointer::At;
use crate::report::{Code, Diagnostic};

pub(super) fn resolve(resolver: &mut Resolver<'_>) {
    let description = resolver.description;
    for (name, cluster) in &description.etcd_clusters {
        let clusters = At::ROOT.key("etcd_clusters");
        let at = clusters.key(name);
        resolver.check_key(
            Code::BadName,
            at,
            ("name for an etcd cluster", name, name::label(name)),
        );
        if let Some(image) = &cluster.image {
            resolver.check(
                Code::BadImage,
                at.key("image"),
                ("image", image, name::image(image)),
            );
        }
        check_count(resolver, at, (name, cluster));
        check_joining(resolver, at, (name, cluster));
        let Some(network) = resolver.network(at, cluster.network.as_deref()) else {
            continue;
        };
        resolver
            .etcd_ids
            .insert(name, EtcdId(resolver.model.etcd_clusters.len()));
        resolver.etcd_networks.push(network);
        let members = at.key("members");
        let mut seen = BTreeMap::new();
        let mut found = Vec::new();
        for (index, member) in cluster.members.iter().enumerate() {
            let at = members.index(index);
            let written = (member.host.as_str(), member.is_object());
            let Some(host) = placed_host(resolver, at, written, &mut seen) else {
                continue;
            };
            let domain = resolver.domain(network);
            let endpoint = resolver.claim(Claim {
                kind: Kind::Etcd,
                network,
                host,
                name: services::etcd(name),
                hostname: member.hostname.as_deref(),
                default_hostname: format!("{}.{name}-etcd.{domain}", member.host),
                ip: member.ip.as_deref(),
                groups: &member.groups,
                own_group: Some(services::etcd(name)),
                at,
            });
            let joins = joins(member);
            found.push((host, EtcdMember { endpoint, joins }));
        }
        found.sort_by_key(|(host, _)| *host);
        resolver.model.etcd_clusters.push(EtcdCluster {
            name: name.clone(),
            members: found.into_iter().map(|(_, member)| member).collect(),
            image: cluster.image.clone(),
        });
    }
}

/// Returns how many members a cluster can lose, in words.
fn losses(count: usize) -> String {
    match count.saturating_sub(1) / 2 {
        0 => "no loss".to_owned(),
        1 => "one loss".to_owned(),
        more => format!("{more} losses"),
    }
}

fn check_count(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    (name, cluster): (&str, &description::EtcdCluster),
) {
    let at = at.key("members");
    let count = cluster.members.len();
    if resolver.has_failed(at) || count % 2 == 1 {
        return;
    }
    if count == 0 {
        let help = "name three hosts";
        let message = format!("etcd cluster `{name}` has no members");
        let diagnostic = Diagnostic::new(Code::EvenQuorum, at, message);
        resolver.report.push(diagnostic.help(help));
    } else if cluster.members.iter().any(|member| joins(member)) {
        let message = format!(
            "etcd cluster `{name}` survives {} while a member joins",
            losses(count)
        );
        let help = "when it has joined, go on to the next odd number";
        resolver
            .report
            .push(Diagnostic::new(Code::GrowingQuorum, at, message).help(help));
    } else {
        let message = format!(
            "etcd cluster `{name}` has {count} members, which survive no more losses than {}",
            count - 1
        );
        let diagnostic = Diagnostic::new(Code::EvenQuorum, at, message);
        resolver
            .report
            .push(diagnostic.allowed_text("an odd number of members: 3 or 5"));
    }
}

/// Reports members that join together: each starts only when the cluster's members are exactly the described ones.
fn check_joining(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    (name, cluster): (&str, &description::EtcdCluster),
) {
    let members = at.key("members");
    let mut joining = (0..).zip(&cluster.members).filter(|(_, it)| joins(it));
    let first = joining.next();
    for (index, _) in joining {
        let message = format!("several members join etcd cluster `{name}` at once");
        let mut diagnostic = Diagnostic::new(Code::JoiningTogether, members.index(index), message)
            .help(
                "let one join; when it has, take its `initial_cluster_state` out and add the next",
            );
        if let Some((index, _)) = first {
            diagnostic = diagnostic.note_at(members.index(index).to_pointer(), "the first");
        }
        resolver.report.push(diagnostic);
    }
}

fn joins(member: &description::EtcdMember) -> bool {
    member.initial_cluster_state == InitialClusterState::Existing
}
