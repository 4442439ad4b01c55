//! What the platform is, whatever a description says: its names, ports, users, roles and places. Each fact stands here once.

pub mod images;
pub mod paths;
pub mod ports;
pub mod roles;
pub mod secrets;
pub mod services;
pub mod units;
pub mod users;

use serde_json::{Value, json};

/// Returns the facts that templates use, as `platform` in each.
pub fn facts() -> Value {
    json!({
        "ports": {
            "postgres": ports::POSTGRES,
            "proxy_primary": ports::PROXY_PRIMARY,
            "proxy_replicas": ports::PROXY_REPLICAS,
            "proxy_read_only": ports::PROXY_READ_ONLY,
            "proxy_stats": ports::PROXY_STATS,
            "patroni_api": ports::PATRONI_API,
            "etcd_peer": ports::ETCD_PEER,
            "conntrack_zone": ports::CONNTRACK_ZONE,
        },
        "users": {
            "nebula": users::NEBULA,
            "postgres": users::POSTGRES,
        },
        "roles": {
            "database": roles::DATABASE,
            "barman": roles::BARMAN,
            "barman_streaming": roles::BARMAN_STREAMING,
            "barman_canary": roles::BARMAN_CANARY,
            "barman_slot": roles::BARMAN_SLOT,
        },
        "paths": {
            "scripts": paths::SCRIPTS,
            "var": paths::VAR,
            "etcd": paths::ETCD,
            "patroni": paths::PATRONI,
            "barman": paths::BARMAN,
            "postgres": paths::POSTGRES,
            "restored": paths::RESTORED,
            "reports": paths::REPORTS,
        },
        "units": {
            "secrets": units::SECRETS,
        },
        "overlay_device": services::OVERLAY_DEVICE,
    })
}
