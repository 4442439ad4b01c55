//! Writes what all container units have in common.

use std::sync::LazyLock;

use crate::format::unit::{ContainerKey, Key, PodmanVersion, ServiceKey, Unit, UnitKey};
use crate::plan::HostPlan;
use crate::platform::units;

use super::part::{Image, Reload};

/// Seconds that a unit has to start: the first time it pulls its image.
const START_TIMEOUT_SECS: u32 = 900;

/// Seconds that systemd waits longer than Podman does before it kills a container.
const STOP_MARGIN_SECS: u32 = 30;

/// Orders a container after the shutdown target and `after`, without falling with them, and lets it be retried for ever.
pub(super) fn push_ordering(unit: &mut Unit, after: &[String]) {
    let mut others: Vec<&str> = after.iter().map(String::as_str).collect();
    others.push(units::SHUTDOWN_TARGET);
    unit.push_words(UnitKey::Wants, &others)
        .push_words(UnitKey::After, &others)
        .push(UnitKey::StartLimitIntervalSec, 0);
}

/// Names the image, and whether it may be pulled.
pub(super) fn push_image(unit: &mut Unit, image: &Image) {
    let Image {
        reference,
        is_built: _,
    } = image;
    unit.push(ContainerKey::Image, reference);
    unit.push(ContainerKey::Pull, image.pull_policy());
}

/// Says how a container reads its config again, in the way that the host's Podman knows.
pub(super) fn push_reload(unit: &mut Unit, host: &HostPlan, container: &str, reload: &Reload) {
    static SINCE: LazyLock<PodmanVersion> = LazyLock::new(|| ContainerKey::ReloadSignal.since());
    let Reload::Signal(signal) = reload;
    if (host.podman_version.major, host.podman_version.minor) >= (SINCE.0, SINCE.1) {
        unit.push(ContainerKey::ReloadSignal, signal);
    } else {
        let words = [
            "/usr/bin/env",
            "podman",
            "kill",
            "--signal",
            signal,
            container,
        ];
        unit.push_words(ServiceKey::ExecReload, &words);
    }
}

/// Gives a container time to pull its image, and to stop by itself.
pub(super) fn push_timeouts(unit: &mut Unit, stop_timeout_secs: u32) {
    unit.push(ContainerKey::StopTimeout, stop_timeout_secs)
        .push(ServiceKey::TimeoutStartSec, START_TIMEOUT_SECS)
        .push(
            ServiceKey::TimeoutStopSec,
            stop_timeout_secs.saturating_add(STOP_MARGIN_SECS),
        );
}
