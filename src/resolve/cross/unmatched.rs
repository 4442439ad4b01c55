//! Firewall rules that nobody can match.

use std::collections::BTreeSet;

use ipnet::Ipv4Net;

use super::super::resolver::Resolver;
use crate::description;
use crate::model::{Model, NetworkId};
use crate::pointer::At;
use crate::report::{Code, Diagnostic};

/// Finds who exists on each network, and warns about rules that none of them can match.
pub(super) fn warn(resolver: &mut Resolver<'_>) {
    let found = unmatched(resolver);
    resolver.report.extend(found);
}

fn unmatched(resolver: &Resolver<'_>) -> Vec<Diagnostic> {
    let description = resolver.description;
    let mut found = Vec::new();
    let present = Present::new(&resolver.model);
    for (name, pod) in &description.pods {
        let place = resolver
            .model
            .pods
            .binary_search_by(|it| it.name.as_str().cmp(name));
        let endpoint = place
            .ok()
            .and_then(|at| resolver.model.pods.get(at))
            .map(|it| it.endpoint);
        let Some(network) = endpoint.map(|id| resolver.model[id].network) else {
            continue;
        };
        let pods = At::ROOT.key("pods");
        let at = pods.key(name);
        let cidr = resolver.model[network].cidr;
        found.extend(of_rules(
            at.key("firewall"),
            (&present, network, cidr),
            &pod.firewall,
        ));
    }
    for (name, host) in &description.hosts {
        let hosts = At::ROOT.key("hosts");
        let entry = hosts.key(name);
        let endpoints = entry.key("endpoints");
        for (network_name, written) in &host.endpoints {
            let id = resolver.network_ids.get(network_name.as_str()).copied();
            let Some(network) = id else { continue };
            let at = endpoints.key(network_name);
            let cidr = resolver.model[network].cidr;
            found.extend(of_rules(
                at.key("firewall"),
                (&present, network, cidr),
                &written.firewall,
            ));
        }
    }
    found
}

/// Groups and host names by network.
struct Present<'m> {
    groups: BTreeSet<(NetworkId, &'m str)>,
    hostnames: BTreeSet<(NetworkId, &'m str)>,
}

impl<'m> Present<'m> {
    fn new(model: &'m Model) -> Self {
        let groups = model.endpoints.iter().flat_map(|endpoint| {
            endpoint
                .groups
                .iter()
                .map(|group| (endpoint.network, group.as_str()))
        });
        let hostnames = model
            .endpoints
            .iter()
            .map(|endpoint| (endpoint.network, endpoint.hostname.as_str()));
        Self {
            groups: groups.collect(),
            hostnames: hostnames.collect(),
        }
    }
}

/// Returns what to say of the rules of one endpoint.
fn of_rules(
    at: At<'_>,
    (present, network, cidr): (&Present<'_>, NetworkId, Ipv4Net),
    firewall: &description::Firewall,
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (key, rules) in [
        ("inbound", &firewall.inbound),
        ("outbound", &firewall.outbound),
    ] {
        let list = at.key(key);
        for (index, rule) in rules.iter().enumerate() {
            let at = list.index(index);
            let (place, nobody, help) = match (&rule.group, &rule.host, &rule.cidr) {
                (Some(group), _, _) if !present.groups.contains(&(network, group.as_str())) => (
                    "group",
                    format!("no endpoint of this network has group `{group}`"),
                    "give an endpoint this group, mend its name, or take the rule out",
                ),
                (_, Some(host), _)
                    if host != "any" && !present.hostnames.contains(&(network, host.as_str())) =>
                {
                    (
                        "host",
                        format!("no endpoint of this network is named `{host}`"),
                        "mend the name, or take the rule out",
                    )
                }
                (_, _, Some(text)) => match text.parse::<Ipv4Net>() {
                    Ok(other) if !cidr.contains(&other) && !other.contains(&cidr) => (
                        "cidr",
                        format!("`{other}` is outside of the network's `{cidr}`"),
                        "firewall rules see overlay addresses only: write one of these, or take \
                         the rule out",
                    ),
                    Ok(_) | Err(_) => continue,
                },
                (Some(_) | None, Some(_) | None, None) => continue,
            };
            let diagnostic = Diagnostic::new(Code::UnmatchedRule, at.key(place), nobody);
            found.push(diagnostic.help(help));
        }
    }
    found
}
