//! Restores that are made once, and the plain PostgreSQL on what they make.

use chrono::{DateTime, FixedOffset, NaiveDateTime, Utc};

use super::endpoint::Claim;
use super::resolver::Kind;
use super::resolver::{Resolver, shown};
use crate::description;
use crate::model::{EndpointId, Export, ExportTarget, HostId, NetworkId};
use crate::name;
use crate::platform::services;
use crate::pointer::At;
use crate::report::{Code, Diagnostic};

/// Transactions below are PostgreSQL's own; none of them commits.
const FIRST_XID: u64 = 3;

type Server<'d> = (&'d str, &'d description::BarmanServer, (HostId, NetworkId));

/// Resolves the exports of a Barman server at `at`.
pub(super) fn resolve(resolver: &mut Resolver<'_>, at: At<'_>, server: Server<'_>) -> Vec<Export> {
    let exports = at.key("exports");
    let mut found = Vec::new();
    for (name, written) in &server.1.exports {
        let at = exports.key(name);
        resolver.check_key(
            Code::BadName,
            at,
            ("name for an export", name, name::label(name)),
        );
        check_source(resolver, at, (server, written));
        check_backup_id(resolver, at, written);
        let target = target(resolver, at, written);
        let endpoint = written
            .postgres
            .as_ref()
            .map(|postgres| claim(resolver, at.key("postgres"), (name, server, postgres)));
        let cluster = resolver.patroni_ids.get(written.cluster.as_str()).copied();
        if let (Some(cluster), Some(target)) = (cluster, target) {
            found.push(Export {
                name: name.clone(),
                cluster,
                target,
                exclusive: written.exclusive,
                backup_id: written.backup_id.clone(),
                postgres: endpoint,
            });
        }
    }
    found
}

/// Reports a cluster that the server doesn't back up.
fn check_source(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    ((name, server, _), written): (Server<'_>, &description::Export),
) {
    let at = at.key("cluster");
    if resolver.patroni_cluster(at, &written.cluster).is_none() {
        return;
    }
    let mut sources = server.sources.iter().map(|source| &source.cluster);
    let servers = At::ROOT.key("barman_servers");
    let entry = servers.key(name);
    let place = entry.key("sources");
    if sources.any(|source| *source == written.cluster) || resolver.has_failed(place) {
        return;
    }
    let message = format!(
        "Barman server `{name}` does not back cluster `{}` up",
        written.cluster
    );
    let sources = server.sources.iter().map(|source| &source.cluster);
    let diagnostic = Diagnostic::new(Code::ExportWithoutSource, at, message)
        .suggest(&written.cluster, sources.clone().map(String::as_str))
        .allowed(sources)
        .note(place, "what it backs up");
    resolver.report.push(diagnostic);
}

fn check_backup_id(resolver: &mut Resolver<'_>, at: At<'_>, written: &description::Export) {
    if let Some(id) = &written.backup_id {
        resolver.check(
            Code::BadBackupId,
            at.key("backup_id"),
            ("name of a backup", id, name::backup_id(id)),
        );
    }
}

/// Reads where the recovery stops.
fn target(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    written: &description::Export,
) -> Option<ExportTarget> {
    let description::Export {
        target_time,
        target_lsn,
        target_xid,
        target_name,
        exclusive,
        cluster: _,
        backup_id: _,
        postgres: _,
    } = written;
    let given = [
        ("target_time", target_time.is_some()),
        ("target_lsn", target_lsn.is_some()),
        ("target_xid", target_xid.is_some()),
        ("target_name", target_name.is_some()),
    ];
    let mut given = given.iter().filter(|(_, is_given)| *is_given);
    let first = given.next();
    if let (Some((first, _)), Some((second, _))) = (first, given.next()) {
        let message = format!("`{first}` and `{second}` are two targets, and recovery stops once");
        let diagnostic = Diagnostic::new(Code::SeveralTargets, at.key(second), message);
        let help = "leave one, or declare an export for each";
        resolver.report.push(
            diagnostic
                .help(help)
                .note(at.key(first), "the other target"),
        );
        return None;
    }
    if *exclusive && (first.is_none() || target_name.is_some()) {
        let message = "`exclusive` has nothing to stop before";
        let diagnostic =
            Diagnostic::new(Code::ExclusiveWithoutTarget, at.key("exclusive"), message);
        let help = "it goes with `target_time`, `target_lsn` or `target_xid`";
        resolver.report.push(diagnostic.help(help));
    }
    match (target_time, target_lsn, target_xid, target_name) {
        (Some(text), _, _, _) => {
            time(resolver, at.key("target_time"), text).map(ExportTarget::Time)
        }
        (None, Some(text), _, _) => {
            let lsn = ("place in the WAL", text.as_str(), name::lsn(text));
            let fits = resolver.check(Code::BadTarget, at.key("target_lsn"), lsn);
            fits.then(|| ExportTarget::Lsn(text.to_ascii_uppercase()))
        }
        (None, None, Some(xid), _) => self::xid(resolver, at.key("target_xid"), *xid),
        (None, None, None, Some(text)) => {
            let point = (
                "name of a restore point",
                text.as_str(),
                name::restore_point(text),
            );
            let fits = resolver.check(Code::BadTarget, at.key("target_name"), point);
            fits.then(|| ExportTarget::Name(text.clone()))
        }
        (None, None, None, None) => Some(ExportTarget::Latest),
    }
}

fn xid(resolver: &mut Resolver<'_>, at: At<'_>, xid: u64) -> Option<ExportTarget> {
    if xid >= FIRST_XID {
        return Some(ExportTarget::Xid(xid));
    }
    let message = format!("no transaction {xid} ever commits");
    let diagnostic = Diagnostic::new(Code::BadTarget, at, message);
    let allowed =
        format!("{FIRST_XID} or more, as `pg_waldump` and `pg_current_xact_id()` show it");
    resolver.report.push(diagnostic.allowed_text(allowed));
    None
}

/// Reads a moment that says its zone, and returns it in UTC.
fn time(resolver: &mut Resolver<'_>, at: At<'_>, text: &str) -> Option<String> {
    let diagnostic = match moment(text) {
        Some(Moment::Zoned(moment)) => {
            let moment = moment.with_timezone(&Utc);
            return Some(moment.format("%Y-%m-%dT%H:%M:%S%.f+00:00").to_string());
        }
        Some(Moment::Local) => {
            let message = format!("`{}` has no zone, so it is a moment in none", shown(text));
            let help = format!("write `{text}+00` if it is UTC, else the offset that it has");
            Diagnostic::new(Code::TargetWithoutZone, at, message).help(help)
        }
        None => {
            let message = format!("`{}` is no moment", shown(text));
            let allowed = "date, time and zone, to the microsecond: `2026-11-24 10:00:00+00`, \
                           `2026-11-24T11:00:00.5+01:00`, `2026-11-24T10:00:00Z`";
            Diagnostic::new(Code::BadTarget, at, message).allowed_text(allowed)
        }
    };
    resolver.report.push(diagnostic);
    None
}

#[derive(Debug, PartialEq)]
enum Moment {
    Zoned(DateTime<FixedOffset>),
    Local,
}

fn moment(text: &str) -> Option<Moment> {
    // PostgreSQL counts microseconds: what is finer, or of another calendar, is a slip.
    let legal = |c: char| c.is_ascii_digit() || "-:+.TZ ".contains(c);
    let digits = |rest: &str| rest.chars().take_while(char::is_ascii_digit).count();
    let is_coarse = text
        .split_once('.')
        .is_none_or(|(_, rest)| (1..=6).contains(&digits(rest)));
    let is_plain = text.get(..4).is_some_and(|year| digits(year) == 4);
    if !is_plain || !is_coarse || !text.chars().all(legal) {
        return None;
    }
    let mut zoned = ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z"].into_iter();
    if let Some(moment) = zoned.find_map(|form| DateTime::parse_from_str(text, form).ok()) {
        return Some(Moment::Zoned(moment));
    }
    let mut local = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"].into_iter();
    let is_local = local.any(|form| NaiveDateTime::parse_from_str(text, form).is_ok());
    is_local.then_some(Moment::Local)
}

/// Makes the endpoint of plain PostgreSQL, on Barman's own host.
fn claim(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    (name, (server, _, (host, network)), postgres): (
        &str,
        Server<'_>,
        &description::ExportPostgres,
    ),
) -> EndpointId {
    let domain = resolver.domain(network);
    let groups = at.key("client_groups");
    for (index, group) in postgres.client_groups.iter().enumerate() {
        resolver.check(
            Code::BadGroup,
            groups.index(index),
            ("Nebula group", group, name::group(group)),
        );
    }
    if postgres.client_groups.is_empty() && !resolver.has_failed(groups) {
        let message = format!("no client can reach the PostgreSQL of export `{name}`");
        let help = "name its clients' group in `client_groups`; on the host itself, `export-psql` looks into it";
        resolver
            .report
            .push(Diagnostic::new(Code::UnreachableExport, at, message).help(help));
    }
    resolver.claim(Claim {
        kind: Kind::Postgres,
        network,
        host,
        name: services::postgres(name),
        hostname: postgres.hostname.as_deref(),
        default_hostname: format!("{name}.{server}-export.{domain}"),
        ip: postgres.ip.as_deref(),
        groups: &postgres.groups,
        own_group: None,
        at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> Option<String> {
        match moment(text) {
            Some(Moment::Zoned(moment)) => Some(moment.with_timezone(&Utc).to_rfc3339()),
            Some(Moment::Local) => Some("no zone".to_owned()),
            None => None,
        }
    }

    #[test]
    fn a_moment_is_read_with_its_zone() {
        for (text, expected) in [
            ("2026-11-24 10:00:00+00", Some("2026-11-24T10:00:00+00:00")),
            ("2026-11-24T10:00:00Z", Some("2026-11-24T10:00:00+00:00")),
            (
                "2026-11-24 11:30:00.25+01:30",
                Some("2026-11-24T10:00:00.250+00:00"),
            ),
            (
                "2026-11-23 23:00:00-1100",
                Some("2026-11-24T10:00:00+00:00"),
            ),
            ("2026-11-24 10:00:00", Some("no zone")),
            ("2026-11-24T10:00:00.123456", Some("no zone")),
            ("2026-11-24", None),
            ("2026-11-24 10:00+00", None),
            ("2026-02-30 10:00:00+00", None),
            ("2026-11-24 10:00:00.1234567+00", None),
            ("2026-11-24 10:00:00 CET", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(utc(text).as_deref(), expected, "{text:?}");
        }
    }
}
