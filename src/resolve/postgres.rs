//! What a Patroni cluster says about `PostgreSQL`.

use super::resolver::{Resolver, shown};
use crate::description::{self, ParameterValue};
use crate::model::SecretId;
use crate::name;
use crate::platform::{images, roles};
use crate::pointer::At;
use crate::report::{Code, Diagnostic};

/// Parameters that Patroni or cops-gen set, or that would take the data away from them.
const RESERVED_PARAMETERS: [&str; 21] = [
    "archive_cleanup_command",
    "archive_timeout",
    "cluster_name",
    "config_file",
    "data_directory",
    "external_pid_file",
    "hba_file",
    "hot_standby",
    "ident_file",
    "listen_addresses",
    "port",
    "primary_conninfo",
    "primary_slot_name",
    "promote_trigger_file",
    "restore_command",
    "standby_mode",
    "synchronous_standby_names",
    "trigger_file",
    "unix_socket_directories",
    "wal_keep_segments",
    "wal_log_hints",
];

/// Words that PostgreSQL takes for no role.
const NO_ROLES: [&str; 2] = ["none", "public"];

const HBA_TYPES: [&str; 6] = [
    "local",
    "host",
    "hostssl",
    "hostnossl",
    "hostgssenc",
    "hostnogssenc",
];

pub(super) fn check(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    cluster: &description::PatroniCluster,
) {
    super::choices::check(resolver, at, cluster);
    check_version(resolver, at, cluster);
    check_config(
        resolver,
        at.key("postgres_config"),
        &cluster.postgres_config,
    );
    for (key, image) in [
        ("image", &cluster.image),
        ("proxy_image", &cluster.proxy_image),
    ] {
        if let Some(image) = image {
            resolver.check(
                Code::BadImage,
                at.key(key),
                ("image", image, name::image(image)),
            );
        }
    }
    if !(1..=604_800).contains(&cluster.proxy_drain_timeout) {
        let message = format!(
            "sessions can't be left alone for {} seconds",
            cluster.proxy_drain_timeout
        );
        let place = at.key("proxy_drain_timeout");
        let diagnostic = Diagnostic::new(Code::OutOfRange, place, message);
        resolver
            .report
            .push(diagnostic.allowed_text("1 to 604800 seconds"));
    }
}

fn check_version(resolver: &mut Resolver<'_>, at: At<'_>, cluster: &description::PatroniCluster) {
    let version = cluster.postgres_version;
    let built = images::POSTGRES_VERSION;
    let (first, last) = (
        images::POSTGRES_VERSIONS.start(),
        images::POSTGRES_VERSIONS.end(),
    );
    let (allowed, fits) = if cluster.image.is_some() {
        let fits = images::POSTGRES_VERSIONS.contains(&version);
        (format!("{first} to {last}"), fits)
    } else {
        let allowed = format!("{built}, or {first} to {last} with an `image` of your own");
        (allowed, version == built)
    };
    if !fits {
        let message = if cluster.image.is_some() {
            format!("PostgreSQL {version} is not supported")
        } else {
            format!("Debian 13 has no PostgreSQL {version} to build the image from")
        };
        let place = at.key("postgres_version");
        let diagnostic = Diagnostic::new(Code::UnsupportedPostgres, place, message);
        resolver.report.push(diagnostic.allowed_text(allowed));
    }
}

/// Reports a value that Patroni or replication can't live with.
fn check_minimum(resolver: &mut Resolver<'_>, at: At<'_>, (name, value): (&str, &ParameterValue)) {
    let least: u64 = match name {
        "max_connections" => 25,
        "max_locks_per_transaction" => 32,
        "max_replication_slots" => 4,
        "max_wal_senders" => 3,
        "max_worker_processes" => 2,
        "wal_level" => {
            let fits = matches!(value, ParameterValue::Text(level) if level == "replica" || level == "logical");
            if !fits {
                let message = "replication needs more WAL than this level writes";
                let diagnostic = Diagnostic::new(Code::OutOfRange, at, message);
                resolver
                    .report
                    .push(diagnostic.allowed(["replica", "logical"]));
            }
            return;
        }
        _ => return,
    };
    let number = match value {
        ParameterValue::Number(number) => number.as_u64(),
        ParameterValue::Text(text) => text.parse().ok(),
        ParameterValue::Bool(_) => None,
    };
    if number.is_none_or(|number| number < least) {
        let message = format!("`{name}` is less than Patroni runs with");
        let diagnostic = Diagnostic::new(Code::OutOfRange, at, message);
        resolver
            .report
            .push(diagnostic.allowed_text(format!("{least} or more")));
    }
}

/// Whether a line of `pg_hba.conf` reads names from a file.
fn names_file(line: &str) -> bool {
    line.split([' ', '\t', ','])
        .any(|word| word.trim_start_matches('"').starts_with('@'))
}

fn check_config(resolver: &mut Resolver<'_>, at: At<'_>, config: &description::PostgresConfig) {
    let parameters = at.key("parameters");
    for (name, value) in &config.parameters {
        let at = parameters.key(name);
        resolver.check_key(
            Code::BadName,
            at,
            ("name of a parameter", name, name::parameter(name)),
        );
        let lower = name.to_ascii_lowercase();
        if RESERVED_PARAMETERS.contains(&lower.as_str()) || lower.starts_with("recovery_") {
            let message = format!("parameter `{name}` is Patroni's to set");
            let help = if lower == "archive_timeout" {
                "write `archive_timeout` in the Barman source that names this cluster"
            } else {
                "take it out: Patroni sets what this cluster needs"
            };
            let diagnostic = Diagnostic::new(Code::ReservedParameter, at, message).on_key();
            resolver.report.push(diagnostic.help(help));
        }
        if let ParameterValue::Text(text) = value {
            resolver.check(
                Code::BadCharacter,
                at,
                ("line of text", text, name::line(text)),
            );
        }
        check_minimum(resolver, at, (name, value));
    }
    let lines = at.key("pg_hba");
    for (index, line) in config.pg_hba.iter().enumerate() {
        let at = lines.index(index);
        if !resolver.check(
            Code::BadCharacter,
            at,
            ("line of text", line, name::line(line)),
        ) {
            continue;
        }
        let first = line.split_whitespace().next().unwrap_or_default();
        if !HBA_TYPES.contains(&first) || line.ends_with('\\') || names_file(line) {
            let message = format!("`{}` is no line of pg_hba.conf", shown(line));
            let diagnostic = Diagnostic::new(Code::BadHbaLine, at, message);
            let allowed = "`TYPE DATABASE USER [ADDRESS] METHOD`, TYPE being `local`, `host`, \
                           `hostssl`, `hostnossl`, `hostgssenc` or `hostnogssenc`; no `@file`";
            resolver.report.push(diagnostic.allowed_text(allowed));
        }
    }
}

/// Returns the user's parameters as JSON values.
pub(super) fn parameters(
    cluster: &description::PatroniCluster,
) -> Vec<(String, serde_json::Value)> {
    let value = |value: &ParameterValue| match value {
        ParameterValue::Bool(is_on) => serde_json::Value::Bool(*is_on),
        ParameterValue::Number(number) => serde_json::Value::Number(number.clone()),
        ParameterValue::Text(text) => serde_json::Value::String(text.clone()),
    };
    let parameters = cluster.postgres_config.parameters.iter();
    parameters
        .map(|(name, written)| (name.clone(), value(written)))
        .collect()
}

/// Checks roles and databases, and returns those that are right.
#[expect(clippy::type_complexity, reason = "two lists that are made together")]
pub(super) fn roles_and_databases(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    cluster: &description::PatroniCluster,
) -> (Vec<(String, SecretId)>, Vec<(String, String)>) {
    let mut own_roles = Vec::new();
    let places = at.key("roles");
    for (name, role) in &cluster.roles {
        let at = places.key(name);
        resolver.check_key(
            Code::BadName,
            at,
            ("name for a role", name, name::sql_identifier(name)),
        );
        if is_reserved_role(name) {
            let message =
                format!("no role can be named `{name}`: the cluster has its own of that name");
            let diagnostic = Diagnostic::new(Code::ReservedName, at, message).on_key();
            resolver.report.push(diagnostic);
        }
        if let Some(secret) = resolver.secret(at.key("secret"), &role.secret) {
            own_roles.push((name.clone(), secret));
        }
    }
    let mut databases = Vec::new();
    let written = at.key("roles");
    let places = at.key("databases");
    for (name, database) in &cluster.databases {
        let at = places.key(name);
        resolver.check_key(
            Code::BadName,
            at,
            ("name for a database", name, name::sql_identifier(name)),
        );
        if [roles::DATABASE, "template0", "template1"].contains(&name.as_str()) {
            let message = format!("no database can be named `{name}`: every cluster has one");
            let diagnostic = Diagnostic::new(Code::ReservedName, at, message).on_key();
            resolver.report.push(diagnostic);
        }
        let owner = database.owner.as_str();
        let is_known = owner == roles::SUPERUSER || cluster.roles.contains_key(owner);
        let is_told = resolver.has_failed(written.key(owner)) || resolver.may_be_mistyped(written);
        if !is_known && !is_told {
            let known = || {
                cluster
                    .roles
                    .keys()
                    .map(String::as_str)
                    .chain([roles::SUPERUSER])
            };
            let message = format!("no role of this cluster is named `{owner}`");
            let diagnostic = Diagnostic::new(Code::UnknownRole, at.key("owner"), message);
            resolver
                .report
                .push(diagnostic.suggest(owner, known()).allowed(known()));
        }
        databases.push((name.clone(), owner.to_owned()));
    }
    (own_roles, databases)
}

/// Says whether a role is PostgreSQL's own, or one that the cluster makes for itself.
fn is_reserved_role(name: &str) -> bool {
    let ours = roles::OF_PATRONI.iter().chain(&roles::OF_BARMAN);
    NO_ROLES.iter().chain(ours).any(|role| *role == name) || name.starts_with("pg_")
}
