//! A Patroni member: its config, the cluster's dynamic configuration, and what makes roles and databases.
//!
//! <https://patroni.readthedocs.io/en/latest/yaml_configuration.html>; nothing here is newer than Patroni 4.0.

mod config;
mod dynamic;
mod hba;
mod keeper;
mod reconcile;
#[cfg(test)]
mod tests;

use crate::bundle::{ClusterKind, File, Member, OnChange};
use crate::plan::{Bootstrap, HostPlan, PatroniPlan, PodPlan, SecretTarget, Watchdog};
use crate::platform::{paths, services, users};

pub(super) use hba::never_proxied;

use super::images;
use super::part::{
    CommandPart, ConfigChange, ConfigDirectory, ContainerPart, DataDirectory, Health, Part,
    Relabel, Reload, VolumePart, script, text,
};

/// The volume; the data directory is below it, since Patroni may rename or remove that one.
const HOME: &str = "/var/lib/postgresql";
const CONFIG: &str = "/etc/patroni";
/// What is applied to the running cluster, never by a reload of one member.
const CLUSTER_CONFIG: &str = paths::ETC;
const RESTORED: &str = "/restored";
/// The program that starts Patroni. A changed one reaches a member by its restart.
const START: &str = "/usr/local/lib/containerops";
/// What both the program that starts Patroni and the keeper compare histories by.
const HISTORY: &str = include_str!("../../templates/programs/patroni/history.py");
pub(super) const SOCKETS: &str = "/run/postgresql";
/// After a freeze the fence has to be there before anybody writes. What it starts has 0.
const FENCE_NICE: i8 = -15;
const WATCHDOG_DEVICE: &str = "/dev/watchdog";
/// Tells what starts Patroni that the host's watchdog is required.
const WATCHDOG_VARIABLE: &str = "CONTAINEROPS_WATCHDOG";
const PASSWORDS: &str = "/run/secrets/passwords";
/// PostgreSQL's shared memory of parallel queries lies in `/dev/shm`. A limit; nothing is set aside.
pub(super) const SHM_SIZE_MIB: u32 = 1024;
pub(super) const STOP_TIMEOUT_SECS: u32 = 120;

/// Lowers one Patroni member.
pub(super) fn lower(_host: &HostPlan, pod: &PodPlan, plan: &PatroniPlan) -> Part {
    let provided = images::patroni(plan.image, plan.postgres_version);
    let data = paths::patroni_data(plan.cluster);
    let path = paths::config(&pod.name, services::MAIN);
    let cluster_path = paths::config(&pod.name, "dynamic");
    let start_path = paths::config(&pod.name, "start");
    let (keeper, keeper_files) = keeper::lower(pod, plan, provided.image.clone());
    let mut files = provided.files;
    files.extend(config_files(plan, &path, &cluster_path));
    files.push((
        format!("{start_path}/start.py"),
        text(include_str!("../../templates/programs/patroni/start.py")),
    ));
    files.push((format!("{start_path}/history.py"), text(HISTORY)));
    files.extend(keeper_files);

    let mut container = ContainerPart::new(services::MAIN, provided.image);
    container.entrypoint = vec!["python3".to_owned(), format!("{START}/start.py")];
    container.command = vec![format!("{CONFIG}/patroni.yml")];
    container.user = Some((users::POSTGRES, users::POSTGRES));
    container.environment = vec![(
        "PATRONICTL_CONFIG_FILE".to_owned(),
        format!("{CONFIG}/patroni.yml"),
    )];
    if plan.watchdog == Watchdog::Device {
        pass_device(&mut container);
    }
    container.secrets = secrets(plan);
    container.volumes = volumes(&data, plan.bootstrap);
    container.config = vec![
        config_directory(path, CONFIG, ConfigChange::Reload),
        config_directory(cluster_path, CLUSTER_CONFIG, ConfigChange::Nothing),
        config_directory(start_path, START, ConfigChange::Restart),
    ];
    // Whatever the image has there, the socket's directory is there and writable.
    container.tmpfs = vec![format!("{SOCKETS}:mode=1777")];
    container.drops_capabilities = true;
    container.is_read_only = true;
    container.health = Some(health());
    container.stop_timeout_secs = STOP_TIMEOUT_SECS;
    container.nice = Some(FENCE_NICE);
    container.reload = Some(Reload::Signal("HUP".to_owned()));
    container.on_change = OnChange::Operator;
    container.member = Some(Member {
        kind: ClusterKind::Patroni,
        cluster: plan.cluster.to_owned(),
        postgres_version: Some(plan.postgres_version),
        passwords: Some(plan.passwords_secret.clone()),
    });
    Part {
        containers: vec![container, keeper],
        files,
        directories: directories(data, plan.bootstrap),
        shm_size_mib: Some(SHM_SIZE_MIB),
        builds: provided.builds,
        commands: commands(),
        patroni_passwords: own_secrets(plan).map(|(name, _)| name.clone()).to_vec(),
        ..Part::default()
    }
}

/// Gives the container the host's watchdog, and Patroni the right to open it: the node in the container has owner and mode of the host's, which udev
/// makes root's alone. They are set at each start, since udev makes the node anew whenever the driver is loaded.
fn pass_device(container: &mut ContainerPart) {
    container
        .environment
        .push((WATCHDOG_VARIABLE.to_owned(), "device".to_owned()));
    container.devices = vec![WATCHDOG_DEVICE.to_owned()];
    let group = users::POSTGRES.to_string();
    container.before_start = [
        ["chgrp", group.as_str(), WATCHDOG_DEVICE],
        ["chmod", "0660", WATCHDOG_DEVICE],
    ]
    .map(|command| command.map(str::to_owned).to_vec())
    .to_vec();
}

fn config_files(plan: &PatroniPlan, path: &str, cluster_path: &str) -> Vec<(String, File)> {
    vec![
        (
            format!("{path}/patroni.yml"),
            text(config::patroni_yml(plan)),
        ),
        (
            format!("{path}/reconcile.sh"),
            script(include_str!(
                "../../templates/programs/patroni/reconcile.sh"
            )),
        ),
        (
            format!("{path}/apply.py"),
            text(include_str!("../../templates/programs/patroni/apply.py")),
        ),
        (
            format!("{path}/restore.sh"),
            script(include_str!("../../templates/programs/patroni/restore.sh")),
        ),
        (
            format!("{path}/rewind.py"),
            script(include_str!("../../templates/programs/patroni/rewind.py")),
        ),
        (
            format!("{path}/liveness.sh"),
            script(include_str!("../../templates/programs/patroni/liveness.sh")),
        ),
        (
            format!("{cluster_path}/dynamic.json"),
            text(format!("{:#}\n", dynamic::configuration(plan))),
        ),
        (
            format!("{cluster_path}/reconcile.sql"),
            text(reconcile::sql(plan)),
        ),
    ]
}

fn config_directory(path: String, mount: &str, on_change: ConfigChange) -> ConfigDirectory {
    ConfigDirectory {
        path,
        mount: mount.to_owned(),
        on_change,
    }
}

/// Patroni reads its passwords from its environment (and keeps them from PostgreSQL's); `reconcile.sh` reads those of all
/// roles from one file, so that a new role changes no unit.
fn secrets(plan: &PatroniPlan) -> Vec<(String, SecretTarget)> {
    let in_environment = own_secrets(plan)
        .map(|(name, variable)| (name.clone(), SecretTarget::Env(variable.to_owned())));
    let passwords = SecretTarget::Mount {
        path: PASSWORDS.to_owned(),
        uid: users::POSTGRES,
        gid: users::POSTGRES,
        mode: 0o400,
    };
    in_environment
        .into_iter()
        .chain([(plan.passwords_secret.clone(), passwords)])
        .collect()
}

/// The passwords of Patroni's own roles, each with its variable.
fn own_secrets<'p>(plan: &'p PatroniPlan) -> [(&'p String, &'static str); 3] {
    [
        (&plan.superuser_secret, "PATRONI_SUPERUSER_PASSWORD"),
        (&plan.replication_secret, "PATRONI_REPLICATION_PASSWORD"),
        (&plan.rewind_secret, "PATRONI_REWIND_PASSWORD"),
    ]
}

fn commands() -> Vec<CommandPart> {
    vec![
        CommandPart {
            name: "patronictl",
            words: "patroni patronictl",
        },
        // Not `psql`: the host may have its own.
        CommandPart {
            name: "patroni-psql",
            words: "patroni psql",
        },
    ]
}

fn volumes(data: &str, bootstrap: Bootstrap) -> Vec<VolumePart> {
    let own = VolumePart {
        source: data.to_owned(),
        mount: HOME.to_owned(),
        is_read_only: false,
        relabel: Relabel::Private,
    };
    let restored = restored(bootstrap).map(|path| VolumePart {
        source: path.to_owned(),
        mount: RESTORED.to_owned(),
        is_read_only: true,
        relabel: Relabel::Shared,
    });
    std::iter::once(own).chain(restored).collect()
}

/// A restored directory among our own is made where it is missing, so that the member starts without it once
/// the restore is done.
fn directories(data: String, bootstrap: Bootstrap) -> Vec<DataDirectory> {
    let restored = restored(bootstrap)
        .filter(|path| paths::is_ours(path) && *path != paths::VAR)
        .map(str::to_owned);
    std::iter::once(data)
        .chain(restored)
        .map(|path| DataDirectory {
            path,
            mode: 0o700,
            uid: users::POSTGRES,
            gid: users::POSTGRES,
        })
        .collect()
}

fn restored(bootstrap: Bootstrap<'_>) -> Option<&str> {
    match bootstrap {
        Bootstrap::Restore(path) => Some(path),
        Bootstrap::Empty | Bootstrap::Wait => None,
    }
}

fn health() -> Health {
    Health {
        command: vec!["bash".to_owned(), format!("{CONFIG}/liveness.sh")],
        interval_secs: 30,
        timeout_secs: 5,
    }
}
