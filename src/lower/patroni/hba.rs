//! Who may log in from where: each role from the overlay addresses that hold it, and from no other.
//!
//! <https://www.postgresql.org/docs/17/auth-pg-hba-conf.html>

use crate::plan::{PatroniPlan, Placed};
use crate::platform::roles::{
    self, BARMAN, BARMAN_CANARY, BARMAN_STREAMING, DATABASE, REPLICATION, REWIND, SUPERUSER,
};

/// Returns the roles that nobody becomes through a proxy; Barman's own lines come first.
pub(in crate::lower) fn never_proxied() -> String {
    [roles::OF_PATRONI, roles::OF_BARMAN].concat().join(",")
}

/// Returns the lines of `pg_hba.conf`; the first that fits decides.
pub(super) fn lines(plan: &PatroniPlan) -> Vec<String> {
    // Patroni's own way in comes before the user's lines, which could otherwise lock it out of its own database.
    let local = [
        format!("local all {SUPERUSER} peer"),
        format!("local replication {REPLICATION} scram-sha-256"),
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
        format!("host replication {REPLICATION} {address}/32 scram-sha-256"),
        format!("host {DATABASE} {REWIND} {address}/32 scram-sha-256"),
        format!("host all {SUPERUSER} {address}/32 scram-sha-256"),
    ]
}

fn of_barman_proxy(proxy: &Placed) -> Vec<String> {
    let Placed { host: _, address } = proxy;
    vec![
        format!("host replication {BARMAN_STREAMING} {address}/32 scram-sha-256"),
        format!("host {DATABASE} {BARMAN} {address}/32 scram-sha-256"),
        format!("host {DATABASE} {BARMAN_CANARY} {address}/32 scram-sha-256"),
    ]
}

/// `all` as database leaves replication out.
fn of_proxy(proxy: &Placed) -> Vec<String> {
    let Placed { host: _, address } = proxy;
    vec![
        format!("host all {} {address}/32 reject", never_proxied()),
        format!("host all all {address}/32 scram-sha-256"),
    ]
}
