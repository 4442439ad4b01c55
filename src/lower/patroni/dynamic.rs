//! The dynamic configuration: one for the cluster, kept in etcd, applied to the running cluster from its own file.
//!
//! <https://patroni.readthedocs.io/en/latest/dynamic_configuration.html>

use serde_json::{Map, Value, json};

use crate::plan::{PatroniPlan, Synchronous};

/// Parameters that Patroni takes from the dynamic configuration alone: `CMDLINE_OPTIONS` of its `postgresql/config.py`.
const PARAMETERS: [&str; 10] = [
    "max_connections",
    "max_locks_per_transaction",
    "max_prepared_transactions",
    "max_replication_slots",
    "max_wal_senders",
    "max_worker_processes",
    "track_commit_timestamp",
    "wal_keep_size",
    "wal_level",
    "wal_log_hints",
];

/// Bytes of WAL that a new primary may lack: what an asynchronous failover can lose, beside what `ttl` allows.
const MAXIMUM_LAG_ON_FAILOVER: u32 = 1024 * 1024;
/// Enough for fifteen members beside Barman, so that a new member needs no restart of the old ones.
const SENDERS: u32 = 20;

/// Says whether Patroni takes a parameter from the dynamic configuration alone.
pub(super) fn is_dynamic(parameter: &str) -> bool {
    PARAMETERS.contains(&parameter)
}

/// Returns the dynamic configuration, both for a new cluster and for the running one.
pub(super) fn configuration(plan: &PatroniPlan) -> Value {
    let mut slots = Map::new();
    if !plan.barman_proxies.is_empty() {
        slots.insert("barman".to_owned(), json!({ "type": "physical" }));
    }
    json!({
        "ttl": plan.ttl,
        "loop_wait": plan.loop_wait,
        "retry_timeout": plan.retry_timeout,
        "maximum_lag_on_failover": MAXIMUM_LAG_ON_FAILOVER,
        "check_timeline": true,
        "failsafe_mode": true,
        "synchronous_mode": synchronous_mode(plan.synchronous),
        "slots": slots,
        "postgresql": {
            "use_pg_rewind": true,
            "use_slots": true,
            "parameters": parameters(plan.parameters),
        },
    })
}

fn synchronous_mode(synchronous: Synchronous) -> Value {
    match synchronous {
        Synchronous::Off => json!(false),
        Synchronous::On => json!(true),
        Synchronous::Quorum => json!("quorum"),
    }
}

fn parameters(of_user: &[(String, Value)]) -> Map<String, Value> {
    let ours = [
        ("max_replication_slots", json!(SENDERS)),
        ("max_wal_senders", json!(SENDERS)),
        ("wal_level", json!("replica")),
        ("wal_log_hints", json!("on")),
    ];
    let of_user = of_user
        .iter()
        .filter(|(name, _)| is_dynamic(name))
        .map(|(name, value)| (name.clone(), value.clone()));
    ours.into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .chain(of_user)
        .collect()
}
