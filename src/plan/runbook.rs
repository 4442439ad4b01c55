//! What the operator's runbook of one Patroni cluster has to know: names, hosts and addresses.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use crate::model::{BarmanServer, BarmanSource, EndpointId, Model, PatroniCluster};
use crate::platform::roles;

/// A runbook that is not planned yet: at any time only those that are being written need room.
#[derive(Debug, Clone, Copy)]
pub struct Runbook<'m> {
    model: &'m Model,
    cluster: &'m PatroniCluster,
    archive: Option<(&'m BarmanServer, &'m BarmanSource)>,
}

impl<'m> Runbook<'m> {
    /// Returns the cluster's name.
    pub fn cluster(&self) -> &'m str {
        &self.cluster.name
    }

    /// Plans it.
    pub fn plan(&self) -> RunbookPlan<'m> {
        let archive = self
            .archive
            .map(|(server, source)| archive(self.model, server, source));
        plan(self.model, self.cluster, archive)
    }
}

/// One Patroni cluster, as people who keep it running see it.
#[derive(Debug)]
pub struct RunbookPlan<'m> {
    /// The cluster's name.
    pub cluster: &'m str,
    /// Members and read replicas, sorted by host, and whether each is a read replica.
    pub members: Vec<(PlacePlan<'m>, bool)>,
    /// The proxies, sorted by host.
    pub proxies: Vec<PlacePlan<'m>>,
    /// The etcd cluster's name.
    pub etcd_cluster: &'m str,
    /// The etcd members, sorted by host.
    pub etcd: Vec<PlacePlan<'m>>,
    /// Hosts that have a part in the cluster, sorted.
    pub hosts: BTreeSet<&'m str>,
    /// A database of the cluster.
    pub database: &'m str,
    /// Major version of PostgreSQL.
    pub postgres_version: u16,
    /// Image of Patroni and PostgreSQL, where the description names one.
    pub image: Option<&'m str>,
    /// Who backs the cluster up.
    pub archive: Option<ArchivePlan<'m>>,
}

/// A place of a service on the overlay.
#[derive(Debug, Clone, Copy)]
pub struct PlacePlan<'m> {
    /// The host.
    pub host: &'m str,
    /// Host name on the overlay.
    pub hostname: &'m str,
    /// Overlay address.
    pub address: Ipv4Addr,
}

/// The Barman server that backs a cluster up.
#[derive(Debug)]
pub struct ArchivePlan<'m> {
    /// Its name.
    pub server: &'m str,
    /// Its place.
    pub place: PlacePlan<'m>,
    /// The proxy that it reads through.
    pub proxy: PlacePlan<'m>,
    /// Five cron fields, in UTC.
    pub frequency: &'m str,
    /// Days back to which the cluster can be restored.
    pub recovery_window: u32,
    /// Exports of this cluster that run PostgreSQL, sorted: name and place.
    pub exports: Vec<(&'m str, PlacePlan<'m>)>,
}

/// Returns the runbook of each Patroni cluster.
pub(super) fn all(model: &Model) -> Vec<Runbook<'_>> {
    let mut archives = vec![None; model.patroni_clusters.len()];
    for server in &model.barman_servers {
        for source in &server.sources {
            if let Some(slot) = archives.get_mut(source.cluster.0) {
                *slot = Some((server, source));
            }
        }
    }
    let clusters = model.patroni_clusters.iter().zip(archives);
    clusters
        .map(|(cluster, archive)| Runbook {
            model,
            cluster,
            archive,
        })
        .collect()
}

fn place(model: &Model, id: EndpointId) -> PlacePlan<'_> {
    let endpoint = &model[id];
    PlacePlan {
        host: &model[endpoint.host].name,
        hostname: &endpoint.hostname,
        address: endpoint.address,
    }
}

fn archive<'m>(
    model: &'m Model,
    server: &'m BarmanServer,
    source: &'m BarmanSource,
) -> ArchivePlan<'m> {
    let exports = server.exports.iter();
    let own = exports.filter(|export| export.cluster == source.cluster);
    ArchivePlan {
        server: &server.name,
        place: place(model, server.endpoint),
        proxy: place(model, source.proxy),
        frequency: &source.frequency,
        recovery_window: source.recovery_window,
        exports: own
            .filter_map(|export| Some((export.name.as_str(), place(model, export.postgres?))))
            .collect(),
    }
}

fn plan<'m>(
    model: &'m Model,
    cluster: &'m PatroniCluster,
    archive: Option<ArchivePlan<'m>>,
) -> RunbookPlan<'m> {
    let etcd = &model[cluster.etcd];
    let members = cluster.members.iter();
    let members: Vec<(PlacePlan<'m>, bool)> = members
        .map(|member| (place(model, member.endpoint), member.is_read_replica))
        .collect();
    let proxies: Vec<PlacePlan<'m>> = cluster.proxies.iter().map(|id| place(model, *id)).collect();
    let etcd_members = etcd.members.iter().map(|it| place(model, it.endpoint));
    let etcd_members: Vec<PlacePlan<'m>> = etcd_members.collect();
    let places = members.iter().map(|(place, _)| place).chain(&proxies);
    let places = places.chain(archive.as_ref().map(|it| &it.place));
    RunbookPlan {
        cluster: &cluster.name,
        hosts: places.map(|place| place.host).collect(),
        members,
        proxies,
        etcd_cluster: &etcd.name,
        etcd: etcd_members,
        database: cluster
            .databases
            .first()
            .map_or(roles::DATABASE, |(name, _)| name),
        postgres_version: cluster.postgres_version,
        image: cluster.image.as_deref(),
        archive,
    }
}
