//! Who may log in from where: each role from the overlay addresses that hold it, and from no other.
//!
//! <https://www.postgresql.org/docs/17/auth-pg-hba-conf.html>

use crate::plan::{PatroniPlan, Placed};

/// Roles that nobody becomes through a proxy; Barman's own lines come first.
pub(in crate::lower) const NEVER_PROXIED: &str =
    "postgres,replicator,rewind,barman,streaming_barman,barman_canary";

/// Returns the lines of `pg_hba.conf`; the first that fits decides.
pub(super) fn lines(plan: &PatroniPlan) -> Vec<String> {
    // Patroni's own way in comes before the user's lines, which could otherwise lock it out of its own database.
    let local = [
        "local all postgres peer".to_owned(),
        "local replication replicator scram-sha-256".to_owned(),
    ];
    local
        .into_iter()
        .chain(plan.pg_hba.iter().cloned())
        .chain(plan.members.iter().flat_map(of_member))
        .chain(plan.barman_proxies.iter().flat_map(of_barman_proxy))
        .chain(plan.proxies.iter().flat_map(of_proxy))
        .collect()
}

fn of_member(member: &Placed) -> Vec<String> {
    let Placed { host: _, address } = member;
    vec![
        format!("host replication replicator {address}/32 scram-sha-256"),
        format!("host postgres rewind {address}/32 scram-sha-256"),
        format!("host all postgres {address}/32 scram-sha-256"),
    ]
}

fn of_barman_proxy(proxy: &Placed) -> Vec<String> {
    let Placed { host: _, address } = proxy;
    vec![
        format!("host replication streaming_barman {address}/32 scram-sha-256"),
        format!("host postgres barman {address}/32 scram-sha-256"),
        format!("host postgres barman_canary {address}/32 scram-sha-256"),
    ]
}

/// `all` as database leaves replication out.
fn of_proxy(proxy: &Placed) -> Vec<String> {
    let Placed { host: _, address } = proxy;
    vec![
        format!("host all {NEVER_PROXIED} {address}/32 reject"),
        format!("host all all {address}/32 scram-sha-256"),
    ]
}
