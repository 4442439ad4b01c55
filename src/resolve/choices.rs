//! What a Patroni cluster says, or its platform's edition chooses: Patroni's timing, synchronous commits, lag of replicas, the watchdog.

use super::resolver::{Resolver, shown};
use crate::description::{self, SynchronousMode, TimingName};
use crate::edition::Choices;
use crate::model::{Size, Synchronous, Timing, Watchdog};
use crate::pointer::At;
use crate::report::{Code, Diagnostic};

/// The shortest lock that the start program lets Patroni have; Patroni by itself has 20.
const LEAST_TTL: u32 = 8;

/// `replica_max_lag` for no limit.
const NO_LIMIT: &str = "off";

pub(super) fn check(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    cluster: &description::PatroniCluster,
) {
    check_timing(resolver, at, cluster);
    check_synchronous(resolver, at, cluster);
    check_max_lag(resolver, at, cluster);
}

/// Returns the three numbers: each as it was written, else as the named timing has it, else as the edition does.
pub(super) fn timing(cluster: &description::PatroniCluster, choices: Choices) -> Timing {
    let named = match cluster.timing {
        Some(TimingName::Fast) => Timing::FAST,
        Some(TimingName::Steady) => Timing::STEADY,
        None => choices.timing,
    };
    Timing {
        ttl: cluster.ttl.unwrap_or(named.ttl),
        loop_wait: cluster.loop_wait.unwrap_or(named.loop_wait),
        retry_timeout: cluster.retry_timeout.unwrap_or(named.retry_timeout),
    }
}

/// Returns how commits wait: what was written, else what fits the number of members.
pub(super) fn synchronous(cluster: &description::PatroniCluster, choices: Choices) -> Synchronous {
    let members = cluster.members.len();
    let fitting = if choices.quorum_from.is_some_and(|least| members >= least) {
        Synchronous::Quorum
    } else if members >= 2 {
        Synchronous::On
    } else {
        Synchronous::Off
    };
    cluster
        .synchronous_mode
        .map_or(fitting, |written| match written {
            SynchronousMode::Off => Synchronous::Off,
            SynchronousMode::On => Synchronous::On,
            SynchronousMode::Quorum => Synchronous::Quorum,
        })
}

/// Returns the limit of lag; none where a replica is read however far it is behind.
pub(super) fn replica_max_lag(
    cluster: &description::PatroniCluster,
    choices: Choices,
) -> Option<Size> {
    match cluster.replica_max_lag.as_deref() {
        None => choices.replica_max_lag,
        Some(NO_LIMIT) => None,
        Some(text) => Size::parse(text),
    }
}

pub(super) fn watchdog(cluster: &description::PatroniCluster) -> Watchdog {
    match cluster.watchdog {
        description::Watchdog::Container => Watchdog::Container,
        description::Watchdog::Device => Watchdog::Device,
    }
}

fn check_timing(resolver: &mut Resolver<'_>, at: At<'_>, cluster: &description::PatroniCluster) {
    let timing = timing(cluster, resolver.choices);
    let Timing {
        ttl,
        loop_wait,
        retry_timeout,
    } = timing;
    let numbers = [
        ("ttl", cluster.ttl, ttl, LEAST_TTL),
        ("loop_wait", cluster.loop_wait, loop_wait, 1),
        ("retry_timeout", cluster.retry_timeout, retry_timeout, 3),
    ];
    for (key, _, seconds, least) in numbers {
        if !(least..=86_400).contains(&seconds) {
            let message = format!("`{key}` of {seconds} seconds is outside of its bounds");
            let diagnostic = Diagnostic::new(Code::OutOfRange, at.key(key), message);
            resolver
                .report
                .push(diagnostic.allowed_text(format!("{least} to 86400 seconds")));
            return;
        }
    }
    let mut keys = numbers.iter().map(|(key, ..)| *key).chain(["timing"]);
    if keys.any(|key| resolver.has_failed(at.key(key))) {
        return;
    }
    let needed = timing.least_ttl();
    if needed > u64::from(ttl) {
        let message = format!(
            "`ttl` of {ttl} seconds is less than `loop_wait` + 2 × `retry_timeout` = {loop_wait} + 2 × {retry_timeout} = {needed}"
        );
        let written = numbers.iter().find(|(_, written, ..)| written.is_some());
        let key = written.map_or("timing", |(key, ..)| *key);
        let help = if cluster.loop_wait.is_none()
            && cluster.retry_timeout.is_none()
            && u64::from(ttl) >= Timing::FAST.least_ttl()
        {
            format!("write `\"timing\": \"fast\"`, or set `ttl` to {needed} or more")
        } else {
            format!("set `ttl` to {needed} or more, or the other two lower")
        };
        resolver
            .report
            .push(Diagnostic::new(Code::TtlTooShort, at.key(key), message).help(help));
    }
}

fn check_synchronous(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    cluster: &description::PatroniCluster,
) {
    let wanted = match cluster.synchronous_mode {
        None | Some(SynchronousMode::Off) => return,
        Some(SynchronousMode::On) => "on",
        Some(SynchronousMode::Quorum) => "quorum",
    };
    if cluster.members.len() >= 2 || resolver.has_failed(at.key("members")) {
        return;
    }
    let message = format!(
        "synchronous mode `{wanted}` needs two members, and there is {}",
        cluster.members.len()
    );
    let help = "add a member, or write `\"synchronous_mode\": \"off\"`; read replicas are never \
                synchronous";
    let diagnostic = Diagnostic::new(Code::TooFewForSync, at.key("synchronous_mode"), message);
    resolver
        .report
        .push(diagnostic.help(help).note(at.key("members"), "the members"));
}

/// A limit of nothing would take every replica away.
fn check_max_lag(resolver: &mut Resolver<'_>, at: At<'_>, cluster: &description::PatroniCluster) {
    let Some(text) = cluster.replica_max_lag.as_deref() else {
        return;
    };
    let is_size = Size::parse(text).is_some_and(|size| size.bytes() > 0);
    if !is_size && text != NO_LIMIT {
        let message = format!("`{}` is no size", shown(text));
        let allowed =
            "a whole number above 0 with `B`, `kB`, `MB`, `GB` or `TB`, such as `64MB`; or `off`";
        let diagnostic = Diagnostic::new(Code::BadSize, at.key("replica_max_lag"), message);
        resolver.report.push(diagnostic.allowed_text(allowed));
    }
}
