//! Plain PostgreSQL, without Patroni, on the directory that an export made. What is this pod's own stands on the command line, so
//! that the directory stays movable.
//!
//! <https://www.postgresql.org/docs/17/app-postgres.html>

use crate::plan::{HostPlan, PodPlan, PostgresPlan};
use crate::platform::{paths, ports, services, units, users};

use super::part::{
    CommandPart, ConfigChange, ConfigDirectory, ContainerPart, Part, Relabel, Reload, VolumePart,
    text,
};
use super::{images, patroni};

const CONFIG: &str = "/etc/postgres";
const DATA: &str = "/var/lib/postgresql/data";

/// Lowers plain PostgreSQL.
pub(super) fn lower(_host: &HostPlan, pod: &PodPlan, plan: &PostgresPlan) -> Part {
    let PostgresPlan {
        export,
        cidr: _,
        postgres_version,
        image,
    } = plan;
    let provided = images::patroni(*image, *postgres_version);
    let path = paths::config(&pod.name, services::MAIN);
    let mut files = provided.files;
    files.push((format!("{path}/pg_hba.conf"), text(hba(plan))));

    let mut container = ContainerPart::new(services::MAIN, provided.image);
    container.entrypoint = vec![format!(
        "{}/postgres",
        paths::postgres_programs(*postgres_version)
    )];
    container.command = command();
    container.user = Some((users::POSTGRES, users::POSTGRES));
    container.volumes = vec![VolumePart {
        source: format!("{}/{export}", paths::RESTORED),
        mount: DATA.to_owned(),
        is_read_only: false,
        relabel: Relabel::Shared,
    }];
    container.config = vec![ConfigDirectory {
        path,
        mount: CONFIG.to_owned(),
        on_change: ConfigChange::Reload,
    }];
    container.tmpfs = vec![format!("{}:mode=1777", patroni::SOCKETS)];
    container.drops_capabilities = true;
    container.is_read_only = true;
    // SIGTERM would wait for every session to end.
    container.stop_signal = Some("INT");
    container.stop_timeout_secs = patroni::STOP_TIMEOUT_SECS;
    container.reload = Some(Reload::Signal("HUP".to_owned()));
    container.requires = vec![units::export(export)];
    Part {
        containers: vec![container],
        files,
        shm_size_mib: Some(patroni::SHM_SIZE_MIB),
        builds: provided.builds,
        commands: vec![CommandPart {
            name: "export-psql",
            words: "postgres psql",
        }],
        ..Part::default()
    }
}

/// Nothing of the old cluster's archiving and logging goes on: its commands and paths are not ours.
fn command() -> Vec<String> {
    let hba_file = format!("hba_file={CONFIG}/pg_hba.conf");
    let sockets = format!("unix_socket_directories={}", patroni::SOCKETS);
    let port = format!("port={}", ports::POSTGRES);
    let settings = [
        hba_file.as_str(),
        "listen_addresses=*",
        &port,
        &sockets,
        "archive_mode=off",
        "logging_collector=off",
        "log_destination=stderr",
    ];
    let settings = settings.iter().flat_map(|it| ["-c", it]);
    ["-D", DATA]
        .into_iter()
        .chain(settings)
        .map(str::to_owned)
        .collect()
}

/// Who may log in: the superuser on the host itself, everybody else with the password that he had.
fn hba(plan: &PostgresPlan) -> String {
    let (own, cidr) = (patroni::never_proxied(), plan.cidr);
    format!(
        "# Who may log in to the export {}; the firewall says from where. Written by cops-gen.\n\
         local all all peer\n\
         host all {own} {cidr} reject\n\
         host all all {cidr} scram-sha-256\n",
        plan.export
    )
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::plan::Service;

    #[test]
    fn it_runs_on_what_the_export_made_and_starts_after_it() {
        let mut pod = sample::user_pod(Vec::new());
        "postgres-before".clone_into(&mut pod.name);
        pod.service = Service::Postgres(PostgresPlan {
            export: "before",
            cidr: "10.2.57.0/24".parse().unwrap(),
            postgres_version: 17,
            image: None,
        });
        let mut plan = sample::host();
        plan.pods = vec![pod];
        let bundle = super::super::lower(&plan);
        let units = "rootfs/etc/containers/systemd";
        let unit = sample::text_of(&bundle, &format!("{units}/postgres-before-main.container"));
        for line in [
            "Requires=export-before.service",
            "Entrypoint=[\"/usr/lib/postgresql/17/bin/postgres\"]",
            "StopSignal=INT",
            "ReadOnly=true",
            "Volume=/var/containerops/data/barman_restored/before:/var/lib/postgresql/data:z",
        ] {
            assert!(unit.lines().any(|found| found == line), "{line}\n{unit}");
        }
        assert!(
            bundle
                .files
                .contains_key(&format!("{units}/patroni-17.build"))
        );
        let row = &bundle.units["postgres-before-main.service"];
        assert!(row.in_background && row.after.contains("export-before.service"));
        // It must not be made before the export is: that one would find it there.
        let tmpfiles = sample::text_of(&bundle, "rootfs/etc/tmpfiles.d/containerops.conf");
        assert!(!tmpfiles.contains("barman_restored/before"), "{tmpfiles}");
        let hba = "rootfs/etc/containerops/postgres-before/main/pg_hba.conf";
        let rules: Vec<String> = sample::text_of(&bundle, hba)
            .lines()
            .skip(1)
            .map(str::to_owned)
            .collect();
        assert_eq!(rules[0], "local all all peer");
        assert!(rules[1].starts_with("host all postgres,") && rules[1].ends_with(" reject"));
        assert_eq!(rules[2], "host all all 10.2.57.0/24 scram-sha-256");
    }
}
