//! The dynamic configuration: one for the cluster, kept in etcd, applied to the running cluster from its own file.
//!
//! <https://patroni.readthedocs.io/en/latest/dynamic_configuration.html>

use serde_json::{Map, Value, json};

use crate::plan::{PatroniPlan, Synchronous, Timing};
use crate::platform::roles;

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
const ASYNCHRONOUS_LAG: u64 = 1 << 20;
/// A synchronous standby has every acknowledged row, however much of a bulk load or of a closed segment's rest is still on its way to it. With
/// Patroni's 1 MiB a primary that is lost then would have no successor.
const SYNCHRONOUS_LAG: u64 = 1 << 40;
/// `PostgreSQL`'s own `max_wal_size`.
const MAX_WAL_SIZE: &str = "1GB";
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
        slots.insert(roles::BARMAN_SLOT.to_owned(), json!({ "type": "physical" }));
    }
    let Timing {
        ttl,
        loop_wait,
        retry_timeout,
    } = plan.timing;
    json!({
        "ttl": ttl,
        "loop_wait": loop_wait,
        "retry_timeout": retry_timeout,
        "maximum_lag_on_failover": maximum_lag_on_failover(plan.synchronous),
        "check_timeline": true,
        "failsafe_mode": true,
        "synchronous_mode": synchronous_mode(plan.synchronous),
        "slots": slots,
        "postgresql": {
            "use_pg_rewind": true,
            // What is left of a failed rewind may be the last place of somebody's rows: the keeper has it copied anew, and kept.
            "remove_data_directory_on_rewind_failure": false,
            "use_slots": true,
            "parameters": parameters(plan.parameters),
        },
    })
}

fn maximum_lag_on_failover(synchronous: Synchronous) -> u64 {
    match synchronous {
        Synchronous::Off => ASYNCHRONOUS_LAG,
        Synchronous::On | Synchronous::Quorum => SYNCHRONOUS_LAG,
    }
}

fn synchronous_mode(synchronous: Synchronous) -> Value {
    match synchronous {
        Synchronous::Off => json!(false),
        Synchronous::On => json!(true),
        Synchronous::Quorum => json!("quorum"),
    }
}

fn parameters(of_user: &[(String, Value)]) -> Map<String, Value> {
    // A rewind reads an old primary's WAL back to the last checkpoint before the new timeline, and its shutdown has made a checkpoint since.
    let between_checkpoints = of_user
        .iter()
        .find(|(name, _)| name == "max_wal_size")
        .map_or_else(|| json!(MAX_WAL_SIZE), |(_, value)| value.clone());
    let ours = [
        ("max_replication_slots", json!(SENDERS)),
        ("max_wal_senders", json!(SENDERS)),
        ("wal_keep_size", between_checkpoints),
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
