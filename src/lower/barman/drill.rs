//! What looks after the backups of each cluster, by timers of the host: a check, and drills that restore.

use serde::Serialize;

use crate::bundle::File;
use crate::plan::{Drill, SourcePlan};
use crate::platform::paths::{self, SCRIPTS};
use crate::platform::units;

use super::super::images;
use super::super::part::{Elapses, Image, TimerPart, script, text};
use super::calendar;

/// What `drill` and `activate` read of one cluster.
#[derive(Serialize)]
struct Config<'p> {
    /// The image that restores: Barman's own, which is here.
    barman_image: &'p str,
    /// The image that runs what was restored: the cluster's own.
    image: &'p str,
    /// Whether that may be pulled, as Podman has it.
    pull: &'static str,
    scratch_path: &'p str,
}

/// What drills and checks add to Barman's host.
#[derive(Default)]
pub(super) struct Care {
    /// Files by their path on the host.
    pub(super) files: Vec<(String, File)>,
    /// Timers, in the order of the clusters.
    pub(super) timers: Vec<TimerPart>,
}

/// Returns the care for the backups of all `sources`.
pub(super) fn care(sources: &[SourcePlan], barman_image: &Image) -> Care {
    let mut care = Care::default();
    if !sources.is_empty() {
        let check = script(include_str!(
            "../../../templates/programs/host/backup-check"
        ));
        care.files.push((format!("{SCRIPTS}/backup-check"), check));
    }
    for source in sources {
        care.timers.push(check(source.cluster));
        if let Some(drill) = source.drill {
            let provided = images::patroni(source.patroni_image, source.postgres_version);
            let config = Config {
                barman_image: &barman_image.reference,
                image: &provided.image.reference,
                pull: provided.image.pull_policy(),
                scratch_path: &drill.scratch_path,
            };
            care.files.extend(files(source.cluster, &config));
            care.timers.push(timer(source.cluster, drill));
        }
    }
    care
}

fn files(cluster: &str, config: &Config) -> [(String, File); 2] {
    // Its own types hold nothing but strings: there is nothing that JSON can't hold.
    let config = serde_json::to_string_pretty(config).unwrap_or_default();
    [
        (
            format!("{SCRIPTS}/drill"),
            script(include_str!("../../../templates/programs/host/drill")),
        ),
        (paths::drill(cluster), text(config + "\n")),
    ]
}

/// Often enough to be told before the disk is full, and late enough after a start that everything can be well.
fn check(cluster: &str) -> TimerPart {
    TimerPart {
        name: units::backup_check(cluster),
        about: format!("Check of the backups of cluster {cluster}"),
        elapses: Elapses::Every { secs: 300 },
        command: vec![format!("{SCRIPTS}/backup-check"), cluster.to_owned()],
        timeout_secs: Some(240),
        needs_path: None,
    }
}

fn timer(cluster: &str, drill: &Drill) -> TimerPart {
    let Drill {
        schedule,
        scratch_path,
    } = drill;
    TimerPart {
        name: units::drill(cluster),
        about: format!("Restore drill of cluster {cluster}"),
        elapses: Elapses::Calendar(calendar::events(schedule)),
        command: vec![format!("{SCRIPTS}/drill"), cluster.to_owned()],
        timeout_secs: None,
        needs_path: Some(scratch_path.clone()),
    }
}
