//! Restores that are made once: a unit for each, which Barman's own unit pulls in.

use crate::format::unit::{ServiceKey, Unit, UnitKey};
use crate::plan::{ExportPlan, ExportTarget, HostPlan, Service};

use super::output::Output;
use super::part::{script, text};
use super::{host, path};

/// The unit that runs Barman's container.
const BARMAN: &str = "barman-main.service";

/// Pulls the exports in beside Barman. A drop-in, so that a new export doesn't restart Barman.
const PULL: &str = "/etc/systemd/system/barman-main.service.d/10-exports.conf";

/// Adds the exports of a host's Barman.
pub(super) fn lower(output: &mut Output, plan: &HostPlan) {
    for pod in &plan.pods {
        match &pod.service {
            Service::Barman(barman) if !barman.exports.is_empty() => {
                lower_all(output, &barman.exports);
            }
            Service::Barman(_)
            | Service::Etcd(_)
            | Service::Patroni(_)
            | Service::Proxy(_)
            | Service::Postgres(_)
            | Service::User(_) => {}
        }
    }
}

/// Returns the unit of an export.
pub(super) fn unit_name(export: &str) -> String {
    format!("export-{export}.service")
}

fn lower_all(output: &mut Output, exports: &[ExportPlan]) {
    let program = format!("{}/export", host::SCRIPTS);
    output.place(
        &program,
        script(include_str!("../../templates/host/export")),
    );
    for export in exports {
        let name = unit_name(export.name);
        let unit = unit(export, &program).render(format_args!("Export {}", export.name));
        output.place(&path::unit_file(&name), text(unit));
        // No file restarts it: what is under way goes on, and what is done stays.
        output
            .row(&name)
            .starts_after(&[BARMAN])
            .in_background(true);
    }
    let names: Vec<String> = exports.iter().map(|it| unit_name(it.name)).collect();
    let mut pull = Unit::new();
    pull.push_words(UnitKey::Wants, &names);
    output.place(
        PULL,
        text(pull.render("What Barman makes once it is there")),
    );
}

/// It may take hours, and it may fail: nothing but its own PostgreSQL waits for it.
fn unit(export: &ExportPlan, program: &str) -> Unit {
    let mut unit = Unit::new();
    unit.push(
        UnitKey::Description,
        format_args!("Export {} of cluster {}", export.name, export.cluster),
    );
    if export.has_postgres {
        // An export that failed and was mended brings its PostgreSQL along.
        let container = format!("postgres-{}-main.service", export.name);
        unit.push_words(UnitKey::Wants, &[BARMAN, &container]);
    } else {
        unit.push(UnitKey::Wants, BARMAN);
    }
    unit.push(UnitKey::After, BARMAN)
        .push(ServiceKey::Type, "oneshot")
        .push(ServiceKey::RemainAfterExit, "yes")
        .push(ServiceKey::TimeoutStartSec, "infinity")
        .push_words(ServiceKey::ExecStart, &command(export, program));
    unit
}

fn command(export: &ExportPlan, program: &str) -> Vec<String> {
    let ExportPlan {
        name,
        cluster,
        target,
        exclusive,
        backup_id,
        has_postgres: _,
    } = export;
    // One word each, so that no value can pass for an option.
    let target = match target {
        ExportTarget::Latest => "--latest".to_owned(),
        ExportTarget::Time(time) => format!("--target-time={time}"),
        ExportTarget::Lsn(lsn) => format!("--target-lsn={lsn}"),
        ExportTarget::Xid(xid) => format!("--target-xid={xid}"),
        ExportTarget::Name(point) => format!("--target-name={point}"),
    };
    let exclusive = exclusive.then(|| "--exclusive".to_owned());
    let backup_id = backup_id.map(|id| format!("--backup-id={id}"));
    [program, cluster, name]
        .map(str::to_owned)
        .into_iter()
        .chain([target])
        .chain(exclusive)
        .chain(backup_id)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export(target: &ExportTarget) -> ExportPlan<'_> {
        ExportPlan {
            name: "before",
            cluster: "app",
            target,
            exclusive: false,
            backup_id: None,
            has_postgres: false,
        }
    }

    #[test]
    fn a_target_is_one_word() {
        for (target, expected) in [
            (ExportTarget::Latest, "--latest"),
            (
                ExportTarget::Time("2026-11-24T10:00:00+00:00".into()),
                "--target-time=2026-11-24T10:00:00+00:00",
            ),
            (
                ExportTarget::Lsn("0/3000120".into()),
                "--target-lsn=0/3000120",
            ),
            (ExportTarget::Xid(751), "--target-xid=751"),
            (ExportTarget::Name("a 'b'".into()), "--target-name=a 'b'"),
        ] {
            let words = command(&export(&target), "/bin/export");
            assert_eq!(words, ["/bin/export", "app", "before", expected]);
        }
    }

    #[test]
    fn a_mended_export_brings_its_postgres_along() {
        let mut export = export(&ExportTarget::Latest);
        export.exclusive = true;
        export.backup_id = Some("20261124T033000");
        export.has_postgres = true;
        let text = unit(&export, "/bin/export").render("x");
        for line in [
            "Wants=barman-main.service postgres-before-main.service",
            "TimeoutStartSec=infinity",
            "ExecStart=/bin/export app before --latest --exclusive --backup-id=20261124T033000",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(!text.contains("Restart="), "{text}");
    }
}
