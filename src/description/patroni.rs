//! Patroni clusters: members, replicas, proxies, roles and databases.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Placement;
use crate::platform::images;
use crate::shorthand::Shorthand;
use crate::unique_map::UniqueMap;

/// One PostgreSQL cluster, kept highly available by Patroni.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatroniCluster {
    /// The overlay network. May be left out where only one exists.
    #[serde(default)]
    pub network: Option<String>,
    /// The etcd cluster that Patroni keeps its state in. It is on the same network.
    pub etcd_cluster: String,
    /// Members that may become the primary.
    pub members: Box<[Shorthand<Placement>]>,
    /// Members that never become the primary (`nofailover`, `nosync`).
    #[serde(default)]
    pub read_replicas: Box<[Shorthand<Placement>]>,
    /// Hosts, among members and read replicas, whose member gets read traffic only when no other
    /// can serve it.
    #[serde(default)]
    pub backup_replicas: Box<[String]>,
    /// Hosts that run a proxy of the cluster. Clients talk to the one on their own host.
    #[serde(default)]
    pub proxies: Box<[Shorthand<Placement>]>,
    /// Nebula groups that may talk to the proxies.
    #[serde(default)]
    pub client_groups: Box<[String]>,
    /// Nebula groups that may read Patroni's REST API.
    #[serde(default)]
    pub patroni_api_groups: Box<[String]>,
    /// Secret with the password of the superuser `postgres`.
    pub superuser_secret: String,
    /// Secret with the password of the role `replicator`.
    pub replication_secret: String,
    /// Secret with the password of the role `rewind`.
    pub rewind_secret: String,
    /// Secret with the password of the roles `barman` and `streaming_barman`. Needed when a
    /// Barman source names this cluster.
    #[serde(default)]
    pub barman_secret: Option<String>,
    /// Login roles, by name, made on the leader.
    #[serde(default)]
    pub roles: UniqueMap<Role>,
    /// Databases, by name, made on the leader.
    #[serde(default)]
    pub databases: UniqueMap<Database>,
    /// Synchronous replication. Default: `on` from two members, else `off`; from edition 2 on `quorum` from three members.
    #[serde(default)]
    pub synchronous_mode: Option<SynchronousMode>,
    /// PostgreSQL's own settings.
    #[serde(default)]
    pub postgres_config: PostgresConfig,
    /// How quickly a lost primary is replaced, as a named set of the three numbers below. Default: in edition 1 `ttl` 20, `loop_wait` 5 and
    /// `retry_timeout` 5, which have no name; from edition 2 on `steady`.
    #[serde(default)]
    pub timing: Option<TimingName>,
    /// Seconds that a leader's lock lives, 8 or more. Default: what `timing` says.
    #[serde(default)]
    pub ttl: Option<u32>,
    /// Seconds between two rounds of Patroni's loop. Default: what `timing` says.
    #[serde(default)]
    pub loop_wait: Option<u32>,
    /// Seconds that Patroni retries etcd and PostgreSQL, 3 or more. Default: what `timing` says.
    #[serde(default)]
    pub retry_timeout: Option<u32>,
    /// What resets a primary that has lost its lock and does not stop by itself. Default `container`.
    #[serde(default)]
    pub watchdog: Watchdog,
    /// WAL that a replica may be behind and still be read through the proxies: a whole number with `kB`, `MB` or `GB`, or `off`. A replica that no
    /// longer streams serves until the primary has written so much more. Default: `off` in edition 1, `64MB` from edition 2 on.
    #[serde(default)]
    pub replica_max_lag: Option<String>,
    /// Physical backup, on one host, that a new cluster starts from.
    #[serde(default)]
    pub restore_from_backup: Option<RestoreFromBackup>,
    /// Major version of PostgreSQL. Default 17.
    #[serde(default = "postgres_version")]
    pub postgres_version: u16,
    /// Image of Patroni and PostgreSQL. Default: built on the host from Debian's packages.
    #[serde(default)]
    pub image: Option<String>,
    /// Image of HAProxy. Default: the official image.
    #[serde(default)]
    pub proxy_image: Option<String>,
    /// Seconds that a reloaded proxy leaves its open sessions alone. Default 43200 (12 hours).
    #[serde(default = "proxy_drain_timeout")]
    pub proxy_drain_timeout: u32,
}

/// A login role.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Secret with the role's password.
    pub secret: String,
}

/// A database.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Role that owns the database.
    pub owner: String,
}

/// How commits wait for other members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SynchronousMode {
    /// Commits wait for nobody. A failover may lose acknowledged rows; a standby that lacks more than 1 MiB of WAL never leads.
    Off,
    /// Commits wait for one synchronous standby. When its host is lost they stand still until the primary gives it up, 10 s later
    /// (`wal_sender_timeout`), and Patroni's next round.
    On,
    /// Commits wait for a quorum of the standbys that may be synchronous.
    Quorum,
}

/// A named set of Patroni's three numbers. Each can be written beside it, and then counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimingName {
    /// `ttl` 9, `loop_wait` 3, `retry_timeout` 3: the shortest gap when a primary is lost, and less patience with a slow etcd or a host that
    /// stands still.
    Fast,
    /// `ttl` 20, `loop_wait` 10, `retry_timeout` 5: a stall of etcd or of the host may take 10 s.
    Steady,
}

/// What resets a primary that has lost its lock and does not stop by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Watchdog {
    /// Process 1 of the member's container, which ends everything in it. Needs nothing of the host.
    #[default]
    Container,
    /// The host's own `/dev/watchdog`, which resets the whole host. Its driver is loaded, nothing else holds it, and one cluster a host can have it;
    /// a member that cannot open it never becomes the primary. No real device was ever tried.
    Device,
}

/// PostgreSQL's own settings.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresConfig {
    /// Whether a new cluster has data checksums. Default true.
    #[serde(default = "data_checksums")]
    pub data_checksums: bool,
    /// Parameters of postgresql.conf, by name. `wal_keep_size` is by default as large as `max_wal_size`, so that an old primary's WAL reaches back
    /// to where `pg_rewind` has to begin.
    #[serde(default)]
    pub parameters: UniqueMap<ParameterValue>,
    /// Lines of `pg_hba.conf` that are read before the generated ones.
    #[serde(default)]
    pub pg_hba: Box<[String]>,
}

impl Default for PostgresConfig {
    fn default() -> Self {
        Self {
            data_checksums: data_checksums(),
            parameters: UniqueMap::default(),
            pg_hba: Box::default(),
        }
    }
}

/// A physical backup that a new cluster starts from.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreFromBackup {
    /// The member's host that holds the backup. Only it bootstraps; the others wait for it.
    pub host: String,
    /// Absolute path of the restored directory on that host.
    pub path: String,
}

/// A parameter's value: a string, a number or a boolean.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ParameterValue {
    /// A boolean, written `on` or `off`.
    Bool(bool),
    /// A number.
    Number(serde_json::Number),
    /// A string, with its unit where it has one.
    Text(String),
}

fn postgres_version() -> u16 {
    images::POSTGRES_VERSION
}

fn proxy_drain_timeout() -> u32 {
    43_200
}

fn data_checksums() -> bool {
    true
}

impl<'de> Deserialize<'de> for ParameterValue {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = ParameterValue;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string, a number or a boolean")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
                Ok(ParameterValue::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
                Ok(ParameterValue::Number(value.into()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
                Ok(ParameterValue::Number(value.into()))
            }
            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Self::Value, E> {
                serde_json::Number::from_f64(value)
                    .map(ParameterValue::Number)
                    .ok_or_else(|| E::custom("a number must be finite"))
            }
            fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
                Ok(ParameterValue::Text(value.to_owned()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for ParameterValue {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ParameterValue".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A parameter's value: a string, a number or a boolean.",
            "type": ["string", "number", "boolean"]
        })
    }
}
