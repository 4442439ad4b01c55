//! Lowers secrets: a table of what each Podman secret is made of, and the unit that makes them on the host. No value is here.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use serde::Serialize;

use crate::format::unit::{ServiceKey, Unit, UnitKey};
use crate::plan::{HostPlan, PassfileLine, PodPlan, SecretContent, SecretPlan, SecretSource};
use crate::platform::{paths, units};

use super::output::Output;
use super::part::{Part, script, text};

/// What `load-secrets` reads.
#[derive(Serialize)]
struct Table<'p> {
    secrets: Vec<Secret<'p>>,
}

#[derive(Serialize)]
struct Secret<'p> {
    name: &'p str,
    /// Whether Patroni sets it as a password of its own roles: it can't set every one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    for_patroni: bool,
    #[serde(flatten)]
    content: Content<'p>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Content<'p> {
    Value(Source<'p>),
    Passfile(Vec<Login<'p>>),
    Passwords(Vec<RolePassword<'p>>),
}

#[derive(Serialize)]
struct RolePassword<'p> {
    role: &'p str,
    password: Source<'p>,
}

#[derive(Serialize)]
struct Login<'p> {
    address: Ipv4Addr,
    user: &'p str,
    password: Source<'p>,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the description's own names")]
struct Source<'p> {
    secret: &'p str,
    source: &'p str,
    #[serde(skip_serializing_if = "Option::is_none")]
    json_key: Option<&'p str>,
}

/// Adds the table, the script and the unit.
pub(super) fn lower(output: &mut Output, plan: &HostPlan, parts: &[(&PodPlan, Part)]) {
    let parts = parts.iter().map(|(_, part)| part);
    output.place(paths::SECRETS, text(table(plan, parts)));
    let loader = format!("{}/load-secrets", paths::SCRIPTS);
    output.place(
        &loader,
        script(include_str!("../../templates/programs/host/load-secrets")),
    );
    let mut unit = Unit::new();
    unit.push(UnitKey::Description, "Podman secrets of this host")
        .push(UnitKey::Wants, units::service(units::NETWORK))
        .push(UnitKey::After, units::service(units::NETWORK))
        .push(UnitKey::StartLimitIntervalSec, 0)
        .push(ServiceKey::Type, "oneshot")
        .push(ServiceKey::RemainAfterExit, "yes")
        .push(ServiceKey::RuntimeDirectory, paths::SECRETS_RUN)
        .push(ServiceKey::RuntimeDirectoryMode, "0700")
        // A changed value waits for `activate`: it has to reach the database first.
        .push_words(ServiceKey::ExecStart, &[loader.as_str(), "--missing"])
        .push(ServiceKey::Restart, "on-failure")
        .push(ServiceKey::RestartSec, 5);
    output
        .place_unit(units::SECRETS, "The Podman secrets of this host", &unit)
        .restarts_on(paths::SECRETS)
        .restarts_on(&loader)
        .starts_after(&[units::service(units::NETWORK)]);
}

fn table<'p>(plan: &HostPlan, parts: impl Iterator<Item = &'p Part>) -> String {
    let patronis: BTreeSet<&str> = parts
        .flat_map(|part| &part.patroni_passwords)
        .map(String::as_str)
        .collect();
    let secrets = plan
        .secrets
        .iter()
        .map(|one| secret(one, patronis.contains(one.name.as_str())))
        .collect();
    // Its own types hold nothing but strings and lists: there is nothing that JSON can't hold.
    let mut text = serde_json::to_string_pretty(&Table { secrets }).unwrap_or_default();
    text.push('\n');
    text
}

fn secret<'p>(secret: &'p SecretPlan, for_patroni: bool) -> Secret<'p> {
    let SecretPlan { name, content } = secret;
    let content = match content {
        SecretContent::Value(value) => Content::Value(source(value)),
        SecretContent::Passfile(lines) => Content::Passfile(lines.iter().map(login).collect()),
        SecretContent::Passwords(passwords) => Content::Passwords(
            passwords
                .iter()
                .map(|(role, password)| RolePassword {
                    role,
                    password: source(password),
                })
                .collect(),
        ),
    };
    Secret {
        name,
        for_patroni,
        content,
    }
}

fn login<'p>(line: &PassfileLine<'p>) -> Login<'p> {
    let PassfileLine {
        address,
        user,
        password,
    } = line;
    Login {
        address: *address,
        user,
        password: source(password),
    }
}

fn source(source: &SecretSource) -> Source<'_> {
    let SecretSource {
        name,
        source,
        json_key,
    } = source;
    Source {
        secret: name,
        source,
        json_key: json_key.as_deref(),
    }
}
