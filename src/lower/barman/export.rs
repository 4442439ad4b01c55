//! Restores that are made once: the program and its words for each export.

use crate::bundle::File;
use crate::plan::{ExportPlan, ExportTarget};
use crate::platform::{paths, services, units};

use super::super::part::{OncePart, script};

/// Returns the files that exports need.
pub(super) fn files(exports: &[ExportPlan]) -> Option<(String, File)> {
    let text = include_str!("../../../templates/programs/host/export");
    (!exports.is_empty()).then(|| (program(), script(text)))
}

/// Returns what makes an export.
pub(super) fn once(export: &ExportPlan) -> OncePart {
    // An export that failed and was mended brings its PostgreSQL along.
    let postgres = export.has_postgres.then(|| {
        let pod = services::postgres(export.name);
        units::service(&units::container(&pod, services::MAIN))
    });
    OncePart {
        unit_file: units::export(export.name),
        about: format!("Export {}", export.name),
        description: format!("Export {} of cluster {}", export.name, export.cluster),
        wants: postgres,
        command: command(export, &program()),
    }
}

fn program() -> String {
    format!("{}/export", paths::SCRIPTS)
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
        assert_eq!(once(&export).wants, None);
        export.exclusive = true;
        export.backup_id = Some("20261124T033000");
        export.has_postgres = true;
        let once = once(&export);
        assert_eq!(once.wants.as_deref(), Some("postgres-before-main.service"));
        assert_eq!(
            once.command[3..],
            ["--latest", "--exclusive", "--backup-id=20261124T033000"]
        );
    }
}
