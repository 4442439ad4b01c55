//! `patroni.yml`: what is this member's own, and how a cluster that doesn't exist yet starts.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::format::yaml::to_yaml;
use crate::plan::{self, Bootstrap, PatroniPlan, Placed, Timing};
use crate::platform::{paths, ports, roles};

use super::{CONFIG, HOME, SOCKETS, dynamic, hba};

/// Seconds between the end that the fence makes and the first moment at which another member can have the lock.
const FENCE_MARGIN: u32 = 1;
/// WAL that the slots of members that are away may keep; more would fill the disk and stop the primary.
const MAX_SLOT_WAL_KEEP_SIZE: &str = "10GB";

/// How long each end of a replication connection waits for the other.
const REPLICATION_TIMEOUT: &str = "10s";

/// The whole file.
#[derive(Serialize)]
struct PatroniYml<'a> {
    scope: &'a str,
    namespace: &'static str,
    name: &'a str,
    log: Log,
    restapi: RestApi,
    etcd3: Etcd3,
    #[serde(skip_serializing_if = "Option::is_none")]
    bootstrap: Option<BootstrapSection>,
    postgresql: Postgresql,
    watchdog: Watchdog,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<&'static str, bool>,
}

#[derive(Serialize)]
struct Log {
    level: &'static str,
    format: &'static str,
}

#[derive(Serialize)]
struct RestApi {
    listen: String,
    connect_address: String,
    /// Who may change anything; reading is the firewall's business.
    allowlist: Vec<String>,
    allowlist_include_members: bool,
}

#[derive(Serialize)]
struct Etcd3 {
    hosts: Vec<String>,
}

/// Read once in the life of a cluster.
#[derive(Serialize)]
struct BootstrapSection {
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restore: Option<Restore>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    initdb: Vec<Value>,
    dcs: Value,
    post_bootstrap: String,
}

#[derive(Serialize)]
struct Restore {
    command: String,
    no_params: bool,
    keep_existing_recovery_conf: bool,
}

#[derive(Serialize)]
struct Postgresql {
    listen: String,
    connect_address: String,
    use_unix_socket: bool,
    use_unix_socket_repl: bool,
    data_dir: String,
    bin_dir: String,
    /// Programs that take the place of `PostgreSQL`'s.
    bin_name: BTreeMap<&'static str, String>,
    pgpass: &'static str,
    basebackup: Vec<BTreeMap<&'static str, &'static str>>,
    authentication: BTreeMap<&'static str, Username>,
    parameters: Map<String, Value>,
    pg_hba: Vec<String>,
}

#[derive(Serialize)]
struct Watchdog {
    mode: &'static str,
    safety_margin: u32,
}

/// The password is in the environment.
#[derive(Serialize)]
struct Username {
    username: &'static str,
}

/// Returns the content of `patroni.yml`.
pub(super) fn patroni_yml(plan: &PatroniPlan) -> String {
    let PatroniPlan {
        cluster,
        member,
        is_read_replica,
        members,
        etcd,
        proxies: _,
        barman_proxies: _,
        archive_timeout,
        timing,
        watchdog: fence,
        synchronous: _,
        data_checksums: _,
        parameters: _,
        pg_hba: _,
        postgres_version: _,
        bootstrap: _,
        superuser_secret: _,
        replication_secret: _,
        rewind_secret: _,
        passwords_secret: _,
        has_barman_roles: _,
        roles: _,
        databases: _,
        image: _,
    } = plan;
    let file = PatroniYml {
        scope: cluster,
        namespace: "/patroni/",
        name: member.host,
        log: Log {
            level: "INFO",
            format: "%(levelname)s: %(message)s",
        },
        restapi: rest_api(*member, members),
        etcd3: Etcd3 {
            hosts: etcd.iter().map(client_address).collect(),
        },
        bootstrap: bootstrap(plan),
        postgresql: postgresql(plan, *archive_timeout),
        watchdog: watchdog(*fence, *timing),
        tags: tags(*is_read_replica),
    };
    format!(
        "# Member {} of the Patroni cluster {cluster}. Written by cops-gen.\n{}",
        member.host,
        to_yaml(&file)
    )
}

fn postgresql(plan: &PatroniPlan, archive_timeout: Option<u32>) -> Postgresql {
    Postgresql {
        listen: format!("0.0.0.0:{}", ports::POSTGRES),
        connect_address: format!("{}:{}", plan.member.address, ports::POSTGRES),
        use_unix_socket: true,
        use_unix_socket_repl: true,
        data_dir: format!("{HOME}/data"),
        bin_dir: paths::postgres_programs(plan.postgres_version),
        bin_name: BTreeMap::from([("pg_rewind", format!("{CONFIG}/rewind.py"))]),
        pgpass: "/tmp/pgpass",
        basebackup: vec![BTreeMap::from([("checkpoint", "fast")])],
        authentication: authentication(),
        parameters: local_parameters(archive_timeout, plan.parameters),
        pg_hba: hba::lines(plan),
    }
}

fn rest_api(member: Placed, members: &[Placed]) -> RestApi {
    let allowed = members
        .iter()
        .map(|member| format!("{}/32", member.address));
    RestApi {
        listen: format!("0.0.0.0:{}", ports::PATRONI_API),
        connect_address: format!("{}:{}", member.address, ports::PATRONI_API),
        allowlist: std::iter::once("127.0.0.1/32".to_owned())
            .chain(allowed)
            .collect(),
        allowlist_include_members: true,
    }
}

fn client_address(member: &Placed) -> String {
    let Placed { host: _, address } = member;
    format!("{address}:{}", ports::ETCD_CLIENT)
}

fn bootstrap(plan: &PatroniPlan) -> Option<BootstrapSection> {
    let (method, restore, initdb) = match plan.bootstrap {
        Bootstrap::Wait => return None,
        Bootstrap::Empty => (None, None, initdb(plan)),
        Bootstrap::Restore(_) => (Some("restore"), Some(restore()), Vec::new()),
    };
    Some(BootstrapSection {
        method,
        restore,
        initdb,
        dcs: dynamic::configuration(plan),
        post_bootstrap: format!("{CONFIG}/reconcile.sh"),
    })
}

fn initdb(plan: &PatroniPlan) -> Vec<Value> {
    // From version 18 on, checksums are initdb's own default.
    let checksums = match (plan.data_checksums, plan.postgres_version) {
        (true, _) => Some("data-checksums"),
        (false, 18..) => Some("no-data-checksums"),
        (false, ..18) => None,
    };
    [
        json!({ "encoding": "UTF8" }),
        json!({ "locale": "C.UTF-8" }),
        json!({ "auth-local": "peer" }),
        json!({ "auth-host": "scram-sha-256" }),
    ]
    .into_iter()
    .chain(checksums.map(Value::from))
    .collect()
}

/// Barman has written the recovery settings, `restore.sh` has mended them; Patroni is to leave both alone.
fn restore() -> Restore {
    Restore {
        command: format!("{CONFIG}/restore.sh"),
        no_params: true,
        keep_existing_recovery_conf: true,
    }
}

fn authentication() -> BTreeMap<&'static str, Username> {
    [
        ("superuser", roles::SUPERUSER),
        ("replication", roles::REPLICATION),
        ("rewind", roles::REWIND),
    ]
    .into_iter()
    .map(|(purpose, username)| (purpose, Username { username }))
    .collect()
}

/// Parameters that each member reads from its own file, and takes over with a reload where PostgreSQL can.
fn local_parameters(
    archive_timeout: Option<u32>,
    of_user: &[(String, Value)],
) -> Map<String, Value> {
    let ours = [
        ("max_slot_wal_keep_size", json!(MAX_SLOT_WAL_KEEP_SIZE)),
        ("password_encryption", json!("scram-sha-256")),
        // A client that is gone is found within a minute, and Nebula's connection tracking stays awake.
        ("tcp_keepalives_idle", json!(30)),
        ("tcp_keepalives_interval", json!(5)),
        ("tcp_keepalives_count", json!(3)),
        ("unix_socket_directories", json!(SOCKETS)),
        // A standby whose host lost its power holds up commits, and its own slot when it is back, until the primary gives it up:
        // PostgreSQL takes 60 s for that.
        ("wal_receiver_timeout", json!(REPLICATION_TIMEOUT)),
        ("wal_sender_timeout", json!(REPLICATION_TIMEOUT)),
    ];
    let archive_timeout = archive_timeout.map(|seconds| ("archive_timeout", json!(seconds)));
    let of_user = of_user
        .iter()
        .filter(|(name, _)| !dynamic::is_dynamic(name))
        .map(|(name, value)| (name.clone(), value.clone()));
    ours.into_iter()
        .chain(archive_timeout)
        .map(|(name, value)| (name.to_owned(), value))
        .chain(of_user)
        .collect()
}

/// How long before the end of its lock a primary is reset that does not stop by itself.
///
/// The container's fence counts from before the renewal was asked for. Patroni's own driver counts from the answer, which may come `retry_timeout` after
/// etcd has counted it: with less, the successor could be there first.
///
/// The mode is never `required` here: a member reads this file again at any `activate`, and one that still runs in its old container, without a
/// watchdog, would give up its primary at once. `start.py` in the new container requires a device by itself.
fn watchdog(watchdog: plan::Watchdog, timing: Timing) -> Watchdog {
    Watchdog {
        mode: "automatic",
        safety_margin: match watchdog {
            plan::Watchdog::Container => FENCE_MARGIN,
            plan::Watchdog::Device => timing.retry_timeout,
        },
    }
}

/// A read replica never becomes the primary, and no commit waits for it.
fn tags(is_read_replica: bool) -> BTreeMap<&'static str, bool> {
    if is_read_replica {
        BTreeMap::from([("nofailover", true), ("nosync", true)])
    } else {
        BTreeMap::new()
    }
}
