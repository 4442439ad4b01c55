//! Roles, passwords and databases as one SQL file that may run at any time. It holds no password.

use serde::Serialize;

use crate::format::template::{Line, Template, render};
use crate::plan::PatroniPlan;

/// The fields of `reconcile.tera`.
#[derive(Serialize)]
struct Reconcile {
    cluster: Line,
    created_roles: Vec<CreatedRole>,
    passwords: Vec<Password>,
    is_backed_up: bool,
    databases: Vec<Database>,
}

/// A role that is made where it is missing. Patroni makes its own.
#[derive(Serialize)]
struct CreatedRole {
    name: Literal,
    attributes: &'static str,
}

/// A role, and the mounted secret that holds its password.
#[derive(Serialize)]
struct Password {
    name: Literal,
    secret: Line,
}

/// A database and its owner.
#[derive(Serialize)]
struct Database {
    name: Literal,
    owner: Literal,
}

/// A string constant of SQL, read with `standard_conforming_strings`; psql replaces nothing in it.
#[derive(Serialize)]
#[serde(transparent)]
struct Literal(Line);

impl Literal {
    fn of(text: &str) -> Self {
        Self(Line::of(format!("'{}'", text.replace('\'', "''"))))
    }
}

/// Returns the content of `reconcile.sql`.
pub(super) fn sql(plan: &PatroniPlan) -> String {
    let barman = plan.barman_secret.iter().flat_map(|secret| {
        [
            ("barman", "LOGIN", secret),
            ("streaming_barman", "LOGIN REPLICATION", secret),
        ]
    });
    let roles = plan
        .roles
        .iter()
        .map(|(name, secret)| (*name, "LOGIN", secret));
    let created: Vec<(&str, &'static str, &String)> = barman.chain(roles).collect();
    let of_patroni = [
        ("postgres", &plan.superuser_secret),
        ("replicator", &plan.replication_secret),
        ("rewind", &plan.rewind_secret),
    ];
    let passwords = of_patroni
        .into_iter()
        .chain(created.iter().map(|(name, _, secret)| (*name, *secret)));
    let values = Reconcile {
        cluster: Line::of(plan.cluster),
        passwords: passwords.map(password).collect(),
        created_roles: created.iter().map(created_role).collect(),
        is_backed_up: plan.barman_secret.is_some(),
        databases: plan.databases.iter().map(database).collect(),
    };
    render(Template::PatroniReconcile, &values)
}

fn password((name, secret): (&str, &String)) -> Password {
    Password {
        name: Literal::of(name),
        secret: Line::of(secret),
    }
}

fn created_role((name, attributes, _): &(&str, &'static str, &String)) -> CreatedRole {
    CreatedRole {
        name: Literal::of(name),
        attributes,
    }
}

fn database((name, owner): &(&str, &str)) -> Database {
    Database {
        name: Literal::of(name),
        owner: Literal::of(owner),
    }
}
