//! Firewall rules that nobody can match.

use super::Resolver;
use crate::description;
use crate::model::{Model, NetworkId};
use crate::pointer::At;
use crate::report::{Code, Diagnostic};

/// Finds who exists on each network, and warns about rules that none of them can match.
pub(super) fn warn(resolver: &mut Resolver<'_>) {
    let description = resolver.description;
    let present = Present::new(&resolver.model);
    for (name, pod) in &description.pods {
        let found = resolver
            .model
            .pods
            .binary_search_by(|it| it.name.as_str().cmp(name));
        let endpoint = found
            .ok()
            .and_then(|at| resolver.model.pods.get(at))
            .map(|it| it.endpoint);
        let Some(network) = endpoint.map(|id| resolver.model[id].network) else {
            continue;
        };
        let pods = At::ROOT.key("pods");
        let at = pods.key(name);
        warn_rules(
            resolver,
            at.key("firewall"),
            (&present, network, &pod.firewall),
        );
    }
    for (name, host) in &description.hosts {
        let hosts = At::ROOT.key("hosts");
        let entry = hosts.key(name);
        let endpoints = entry.key("endpoints");
        for (network_name, written) in &host.endpoints {
            let id = resolver.network_ids.get(network_name.as_str()).copied();
            let Some(network) = id else { continue };
            let at = endpoints.key(network_name);
            warn_rules(
                resolver,
                at.key("firewall"),
                (&present, network, &written.firewall),
            );
        }
    }
}

/// Groups and host names by network.
struct Present {
    groups: std::collections::BTreeSet<(NetworkId, String)>,
    hostnames: std::collections::BTreeSet<(NetworkId, String)>,
}

impl Present {
    fn new(model: &Model) -> Self {
        let groups = model.endpoints.iter().flat_map(|endpoint| {
            endpoint
                .groups
                .iter()
                .map(|group| (endpoint.network, group.clone()))
        });
        let hostnames = model
            .endpoints
            .iter()
            .map(|endpoint| (endpoint.network, endpoint.hostname.clone()));
        Self {
            groups: groups.collect(),
            hostnames: hostnames.collect(),
        }
    }
}

fn warn_rules(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    (present, network, firewall): (&Present, NetworkId, &description::Firewall),
) {
    for (key, rules) in [
        ("inbound", &firewall.inbound),
        ("outbound", &firewall.outbound),
    ] {
        let list = at.key(key);
        for (index, rule) in rules.iter().enumerate() {
            let at = list.index(index);
            let cidr = resolver.model[network].cidr;
            let (place, nobody, help) = match (&rule.group, &rule.host, &rule.cidr) {
                (Some(group), _, _) if !present.groups.contains(&(network, group.clone())) => (
                    "group",
                    format!("no endpoint of this network has group `{group}`"),
                    "give an endpoint this group, mend its name, or take the rule out",
                ),
                (_, Some(host), _)
                    if host != "any" && !present.hostnames.contains(&(network, host.clone())) =>
                {
                    (
                        "host",
                        format!("no endpoint of this network is named `{host}`"),
                        "mend the name, or take the rule out",
                    )
                }
                (_, _, Some(text)) => match text.parse::<ipnet::Ipv4Net>() {
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
            resolver.report.push(diagnostic.help(help));
        }
    }
}
