//! Clusters that want one host's watchdog.

use std::collections::BTreeMap;

use super::super::resolver::Resolver;
use crate::model::{HostId, Watchdog};
use crate::pointer::At;
use crate::report::{Code, Diagnostic};

/// A host has one `/dev/watchdog`, and one program at a time can open it.
pub(super) fn check(resolver: &mut Resolver<'_>) {
    let clusters = At::ROOT.key("patroni_clusters");
    let mut holders: BTreeMap<HostId, &str> = BTreeMap::new();
    let mut found = Vec::new();
    for cluster in &resolver.model.patroni_clusters {
        if cluster.watchdog != Watchdog::Device {
            continue;
        }
        let hosts = cluster.members.iter();
        let mut hosts = hosts.map(|member| resolver.model[member.endpoint].host);
        let shared = hosts.find_map(|host| {
            let holder = *holders.entry(host).or_insert(cluster.name.as_str());
            (holder != cluster.name).then_some((host, holder))
        });
        if let Some((host, holder)) = shared {
            let message = format!(
                "host `{}` has one `/dev/watchdog`, and cluster `{holder}` has it already",
                resolver.model[host].name
            );
            let at = clusters.key(&cluster.name);
            let help =
                "write `\"watchdog\": \"container\"` in one of the two, which needs no device";
            found.push(
                Diagnostic::new(Code::WatchdogShared, at.key("watchdog"), message).help(help),
            );
        }
    }
    resolver.report.extend(found);
}
