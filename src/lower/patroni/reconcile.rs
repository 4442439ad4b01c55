//! Roles, passwords and databases as one SQL file that may run at any time. It holds no password.

use serde::Serialize;

use crate::format::template::{Line, Template, render};
use crate::plan::PatroniPlan;
use crate::platform::roles;

/// The fields of `reconcile.tera`.
#[derive(Serialize)]
struct Reconcile {
    cluster: Line,
    created_roles: Vec<CreatedRole>,
    roles: Vec<Role>,
    is_backed_up: bool,
    databases: Vec<Database>,
}

/// A role that is made where it is missing. Patroni makes its own.
#[derive(Serialize)]
struct CreatedRole {
    name: Literal,
    attributes: &'static str,
}

/// A role, and the file of its password.
#[derive(Serialize)]
struct Role {
    name: Literal,
    file: Line,
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
    let barman: &[(&str, &'static str)] = if plan.has_barman_roles {
        &[
            (roles::BARMAN, "LOGIN"),
            (roles::BARMAN_STREAMING, "LOGIN REPLICATION"),
            (roles::BARMAN_CANARY, "LOGIN"),
        ]
    } else {
        &[]
    };
    let own = plan.roles.iter().map(|name| (*name, "LOGIN"));
    let created: Vec<(&str, &'static str)> = barman.iter().copied().chain(own).collect();
    let all = roles::OF_PATRONI
        .into_iter()
        .chain(created.iter().map(|(name, _)| *name));
    let values = Reconcile {
        cluster: Line::of(plan.cluster),
        roles: all.map(role).collect(),
        created_roles: created.iter().map(created_role).collect(),
        is_backed_up: plan.has_barman_roles,
        databases: plan.databases.iter().map(database).collect(),
    };
    render(Template::PatroniReconcile, &values)
}

fn role(name: &str) -> Role {
    Role {
        name: Literal::of(name),
        file: Line::of(name),
    }
}

fn created_role((name, attributes): &(&str, &'static str)) -> CreatedRole {
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
