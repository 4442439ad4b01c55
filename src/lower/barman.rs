//! A Barman server: streaming only, through proxies, run by a crontab of its own without root.
//!
//! <https://docs.pgbarman.org/release/3.13.3/user_guide/configuration.html>; nothing here is newer than Barman 3.13.

mod calendar;
mod drill;
mod export;

use serde::Serialize;

use crate::bundle::File;
use crate::format::template::{Line, Template, render};
use crate::plan::{BarmanPlan, Compression, HostPlan, PodPlan, SecretTarget, SourcePlan};
use crate::platform::{paths, ports, roles, services, users};

use super::images;
use super::part::{
    CommandPart, ConfigChange, ConfigDirectory, ContainerPart, DataDirectory, Image, Part, Relabel,
    VolumePart, script, text,
};

const CONFIG: &str = "/etc/barman";
const HOME: &str = "/var/lib/barman";
const PASSFILE: &str = "/run/secrets/passfile";

/// Returns the files of `templates/programs/barman/` that are the same for every Barman server, each with its name.
macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../templates/programs/barman/", $name)))),+]
    };
}

/// What every Barman server has the same; programs among it are run by name.
const TEXTS: &[(&str, &str)] = files![
    "archive.py",
    "barman.conf",
    "canary.sql",
    "check.py",
    "crond.py",
    "drill.py",
    "drops.py",
    "report.py",
    "restore.py",
];

/// As [`TEXTS`], and run by their path.
const SCRIPTS: &[(&str, &str)] = files![
    "backup.sh",
    "drill-postgres.sh",
    "finish-backups.py",
    "keep-streaming.sh",
    "resume-wal.sh",
];

/// Lowers one Barman server.
pub(super) fn lower(_host: &HostPlan, pod: &PodPlan, plan: &BarmanPlan) -> Part {
    let BarmanPlan {
        compression,
        sources,
        exports,
        passfile_secret,
        postgres_version,
        image,
    } = plan;
    let provided = images::barman(*image, *postgres_version);
    let care = drill::care(sources, &provided.image);
    let path = paths::config(&pod.name, services::MAIN);
    let mut files = provided.files;
    let mut builds = provided.builds;
    // What is restored is tried in drills and can be looked at on the spot, by its own cluster's image.
    for source in sources {
        let postgres = images::patroni(source.patroni_image, source.postgres_version);
        files.extend(postgres.files);
        if !builds.iter().any(|build| postgres.builds.contains(build)) {
            builds.extend(postgres.builds);
        }
    }
    files.extend(config_files(
        &path,
        sources,
        *compression,
        *postgres_version,
    ));
    files.extend(care.files);
    files.extend(export::files(exports));

    let container = container(provided.image, passfile_secret, path);
    Part {
        containers: vec![container],
        files,
        directories: vec![
            directory(paths::BARMAN, 0o700),
            directory(paths::RESTORED, 0o700),
            directory(paths::REPORTS, 0o755),
        ],
        builds,
        timers: care.timers,
        once: exports.iter().map(export::once).collect(),
        commands: commands(),
        ..Part::default()
    }
}

fn commands() -> Vec<CommandPart> {
    vec![
        CommandPart {
            name: "barman",
            words: "barman barman",
        },
        CommandPart {
            name: "barman-restore",
            words: "barman python3 /etc/barman/restore.py",
        },
        CommandPart {
            name: "barman-drops",
            words: "barman python3 /etc/barman/drops.py",
        },
    ]
}

fn container(image: Image, passfile_secret: &str, config: String) -> ContainerPart {
    let mut container = ContainerPart::new(services::MAIN, image);
    container.entrypoint = vec!["python3".to_owned()];
    container.command = vec![format!("{CONFIG}/crond.py"), format!("{CONFIG}/crontab")];
    container.user = Some((users::POSTGRES, users::POSTGRES));
    container.environment = vec![
        ("HOME".to_owned(), HOME.to_owned()),
        ("TZ".to_owned(), "UTC".to_owned()),
    ];
    container.secrets = vec![(passfile_secret.to_owned(), passfile())];
    container.volumes = vec![
        volume(paths::BARMAN, HOME, Relabel::Private),
        volume(paths::RESTORED, paths::RESTORED, Relabel::Shared),
        volume(paths::REPORTS, paths::REPORTS, Relabel::Shared),
    ];
    // Barman reads its config anew at each run, and crond.py the crontab each minute. A changed crond.py waits for the
    // next start: restarting for it would break off a backup.
    container.config = vec![ConfigDirectory {
        path: config,
        mount: CONFIG.to_owned(),
        on_change: ConfigChange::Nothing,
    }];
    container.drops_capabilities = true;
    container.is_read_only = true;
    // Barman's processes outlive the `barman cron` that started them; something must reap them.
    container.runs_init = true;
    container.stop_timeout_secs = 30;
    container
}

fn passfile() -> SecretTarget {
    SecretTarget::Mount {
        path: PASSFILE.to_owned(),
        uid: users::POSTGRES,
        gid: users::POSTGRES,
        mode: 0o400,
    }
}

fn volume(source: &str, mount: &str, relabel: Relabel) -> VolumePart {
    VolumePart {
        source: source.to_owned(),
        mount: mount.to_owned(),
        is_read_only: false,
        relabel,
    }
}

fn directory(path: &str, mode: u32) -> DataDirectory {
    DataDirectory {
        path: path.to_owned(),
        mode,
        uid: users::POSTGRES,
        gid: users::POSTGRES,
    }
}

fn config_files(
    path: &str,
    sources: &[SourcePlan],
    compression: Compression,
    postgres_version: u16,
) -> Vec<(String, File)> {
    let bin_dir = paths::postgres_programs(postgres_version);
    let crontab = Crontab {
        psql: format!("{bin_dir}/psql"),
        sources: sources.iter().map(scheduled).collect(),
    };
    let fixed = TEXTS.iter().map(|(name, content)| (*name, text(*content)));
    let scripts = SCRIPTS
        .iter()
        .map(|(name, content)| (*name, script(*content)));
    let mut files: Vec<(String, File)> = fixed
        .chain(scripts)
        .map(|(name, file)| (name.to_owned(), file))
        .collect();
    files.push((
        "crontab".to_owned(),
        text(render(Template::BarmanCrontab, &crontab)),
    ));
    files.extend(sources.iter().map(|source| {
        let server = server(source, compression, postgres_version);
        let name = format!("barman.d/{}.conf", source.cluster);
        (name, text(render(Template::BarmanServer, &server)))
    }));
    files
        .into_iter()
        .map(|(name, file)| (format!("{path}/{name}"), file))
        .collect()
}

/// The fields of `crontab.tera`.
#[derive(Serialize)]
struct Crontab {
    psql: String,
    sources: Vec<Scheduled>,
}

/// When one cluster is backed up.
#[derive(Serialize)]
struct Scheduled {
    cluster: Line,
    frequency: Line,
    /// How its canary logs in.
    canary: String,
}

fn scheduled(source: &SourcePlan) -> Scheduled {
    Scheduled {
        cluster: Line::of(source.cluster),
        frequency: Line::of(source.frequency),
        canary: format!(
            "host={} port={} user={} dbname={} {}",
            source.proxy,
            ports::PROXY_PRIMARY,
            roles::BARMAN_CANARY,
            roles::DATABASE,
            connection()
        ),
    }
}

/// What every connection says of itself, in libpq's words.
fn connection() -> String {
    format!(
        "passfile={PASSFILE} connect_timeout=10 \
         keepalives_idle=30 keepalives_interval=5 keepalives_count=3 tcp_user_timeout=20000"
    )
}

/// The fields of `server.tera`.
#[derive(Serialize)]
struct Server {
    cluster: Line,
    proxy: Line,
    conninfo: String,
    bin_dir: String,
    compressions: Vec<&'static str>,
    recovery_window: u32,
    minimum_redundancy: u32,
    last_backup_maximum_age: &'static str,
    last_wal_maximum_age: &'static str,
}

fn server(source: &SourcePlan, compression: Compression, client_version: u16) -> Server {
    let SourcePlan {
        cluster,
        proxy,
        frequency,
        minimum_redundancy,
        recovery_window,
        // The newest client programs read every older server.
        postgres_version: _,
        patroni_image: _,
        drill: _,
    } = source;
    Server {
        cluster: Line::of(cluster),
        proxy: Line::of(proxy),
        conninfo: connection(),
        bin_dir: paths::postgres_programs(client_version),
        compressions: compression_name(compression).into_iter().collect(),
        recovery_window: *recovery_window,
        minimum_redundancy: *minimum_redundancy,
        last_backup_maximum_age: maximum_age(frequency),
        last_wal_maximum_age: "1 DAYS",
    }
}

fn compression_name(compression: Compression) -> Option<&'static str> {
    match compression {
        Compression::None => None,
        Compression::Gzip => Some("gzip"),
        Compression::Bzip2 => Some("bzip2"),
        Compression::Xz => Some("xz"),
        Compression::Zstd => Some("zstd"),
        Compression::Lz4 => Some("lz4"),
    }
}

/// Returns an age that the newest backup never reaches while each one of `frequency` succeeds and takes less than a day.
fn maximum_age(frequency: &str) -> &'static str {
    let mut fields = frequency
        .split_whitespace()
        .skip(2)
        .map(|field| field == "*");
    let any_day = fields.next().unwrap_or(true);
    let any_month = fields.next().unwrap_or(true);
    let any_weekday = fields.next().unwrap_or(true);
    match (any_month, any_weekday, any_day) {
        (true, true, true) => "2 DAYS",
        (true, false, true | false) => "8 DAYS",
        (true, true, false) => "63 DAYS",
        (false, true | false, true | false) => "367 DAYS",
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn source() -> SourcePlan<'static> {
        SourcePlan {
            cluster: "app",
            proxy: Ipv4Addr::new(10, 2, 57, 33),
            frequency: "30 3 * * *",
            minimum_redundancy: 1,
            recovery_window: 30,
            postgres_version: 17,
            patroni_image: None,
            drill: None,
        }
    }

    fn content(files: &[(String, File)], name: &str) -> String {
        let (_, file) = files
            .iter()
            .find(|(path, _)| path == &format!("/c/{name}"))
            .unwrap();
        String::from_utf8(file.bytes.to_vec()).unwrap()
    }

    #[test]
    fn a_server_streams_through_its_proxy_with_a_passfile() {
        let files = config_files("/c", &[source()], Compression::Zstd, 17);
        let server = content(&files, "barman.d/app.conf");
        for line in [
            "[app]",
            "backup_method = postgres",
            "streaming_archiver = on",
            "slot_name = barman",
            "create_slot = manual",
            "compression = zstd",
            "retention_policy = RECOVERY WINDOW OF 30 DAYS",
        ] {
            assert!(
                server.lines().any(|found| found == line),
                "{line}\n{server}"
            );
        }
        assert!(server.contains(
            "conninfo = host=10.2.57.33 port=5432 user=barman dbname=postgres \
             passfile=/run/secrets/passfile "
        ));
    }

    #[test]
    fn no_compression_leaves_the_option_out() {
        let files = config_files("/c", &[source()], Compression::None, 17);
        assert!(!content(&files, "barman.d/app.conf").contains("compression"));
    }

    #[test]
    fn the_crontab_has_the_users_frequency_and_the_minute() {
        let files = config_files("/c", &[source()], Compression::Gzip, 17);
        let crontab = content(&files, "crontab");
        assert!(crontab.contains("\n30 3 * * * /etc/barman/backup.sh app\n"));
        assert!(crontab.contains("\n* * * * * barman -c /etc/barman/barman.conf -q cron "));
        assert!(crontab.contains("\n* * * * * /etc/barman/backup.sh app --owed\n"));
    }

    #[test]
    fn a_backups_maximum_age_follows_its_frequency() {
        for (frequency, age) in [
            ("30 3 * * *", "2 DAYS"),
            ("0 */6 * * *", "2 DAYS"),
            ("0 3 * * sun", "8 DAYS"),
            ("0 3 1 * *", "63 DAYS"),
            ("0 3 1 * 1", "8 DAYS"),
            ("0 3 1 6 *", "367 DAYS"),
        ] {
            assert_eq!(maximum_age(frequency), age, "{frequency}");
        }
    }
}
