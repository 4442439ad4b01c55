//! Restores that are made once, and plain PostgreSQL on what they made.

use ipnet::Ipv4Net;

use crate::model::{BarmanServer, EndpointId, Export, ExportTarget, Model};

/// A restore that is made once.
#[derive(Debug)]
pub struct ExportPlan<'m> {
    /// Its name, and that of the directory that it makes.
    pub name: &'m str,
    /// The Patroni cluster.
    pub cluster: &'m str,
    /// Where recovery stops.
    pub target: &'m ExportTarget,
    /// Whether it stops just before the target, and not just after.
    pub exclusive: bool,
    /// The backup to start from, where the description names one.
    pub backup_id: Option<&'m str>,
    /// Whether PostgreSQL runs on what was made.
    pub has_postgres: bool,
}

/// Plain PostgreSQL on what an export made.
#[derive(Debug)]
pub struct PostgresPlan<'m> {
    /// The export.
    pub export: &'m str,
    /// The overlay's addresses.
    pub cidr: Ipv4Net,
    /// Major version of PostgreSQL.
    pub postgres_version: u16,
    /// Image of Patroni and PostgreSQL, where the cluster's description names one.
    pub image: Option<&'m str>,
}

/// Plans the exports of a Barman server.
pub(super) fn plans<'m>(model: &'m Model, server: &'m BarmanServer) -> Vec<ExportPlan<'m>> {
    let exports = server.exports.iter().map(|export| {
        let Export {
            name,
            cluster,
            target,
            exclusive,
            backup_id,
            postgres,
        } = export;
        ExportPlan {
            name,
            cluster: &model[*cluster].name,
            target,
            exclusive: *exclusive,
            backup_id: backup_id.as_deref(),
            has_postgres: postgres.is_some(),
        }
    });
    exports.collect()
}

/// Plans the PostgreSQL of an export at `endpoint`.
pub(super) fn postgres<'m>(
    model: &'m Model,
    export: &'m Export,
    endpoint: EndpointId,
) -> PostgresPlan<'m> {
    let cluster = &model[export.cluster];
    PostgresPlan {
        export: &export.name,
        cidr: model[model[endpoint].network].cidr,
        postgres_version: cluster.postgres_version,
        image: cluster.image.as_deref(),
    }
}
