//! Writes timers of the host, and what each runs.

use crate::format::unit::{ServiceKey, TimerKey, Unit, UnitKey};
use crate::plan::PodPlan;
use crate::platform::units;

use super::output::Output;
use super::part::{Elapses, Part, TimerPart, text};

/// Adds the timers of all pods, and what starts them at boot.
pub(super) fn lower(output: &mut Output, parts: &[(&PodPlan, Part)]) {
    let timers: Vec<&TimerPart> = parts.iter().flat_map(|(_, part)| &part.timers).collect();
    for timer in &timers {
        lower_timer(output, timer);
    }
    if timers.is_empty() {
        return;
    }
    // Nobody has to enable them.
    let names: Vec<String> = timers.iter().map(|timer| file(timer)).collect();
    let mut target = Unit::new();
    target.push_words(UnitKey::Wants, &names);
    let drop_in = target.render("Timers that are started at boot");
    output.place(
        &units::drop_in("timers.target", units::DROP_IN),
        text(drop_in),
    );
}

fn file(timer: &TimerPart) -> String {
    let [file, _] = units::timer(&timer.name);
    file
}

/// Only the timer has a row: what it runs isn't there between two runs, and a change of it waits for the next one.
fn lower_timer(output: &mut Output, timer: &TimerPart) {
    let [file, service] = units::timer(&timer.name);
    let service = units::path(&service);
    output.place(&service, text(service_unit(timer).render(&timer.about)));
    let about = format!("When: {}", timer.about);
    output
        .place_unit(&file, &about, &timer_unit(timer))
        .restarts_on(&service);
}

fn service_unit(timer: &TimerPart) -> Unit {
    let TimerPart {
        name: _,
        about,
        elapses: _,
        command,
        timeout_secs,
        needs_path,
    } = timer;
    let mut unit = Unit::new();
    // Told to stop before its containers are, at shutdown.
    unit.push(UnitKey::Description, about)
        .push(UnitKey::Wants, units::SHUTDOWN_TARGET)
        .push(UnitKey::After, units::SHUTDOWN_TARGET);
    if let Some(path) = needs_path {
        unit.push(UnitKey::RequiresMountsFor, path);
    }
    unit.push(ServiceKey::Type, "oneshot")
        .push_words(ServiceKey::ExecStart, command);
    match timeout_secs {
        Some(seconds) => unit.push(ServiceKey::TimeoutStartSec, seconds),
        None => unit.push(ServiceKey::TimeoutStartSec, "infinity"),
    };
    unit
}

fn timer_unit(timer: &TimerPart) -> Unit {
    let mut unit = Unit::new();
    unit.push(UnitKey::Description, format_args!("When: {}", timer.about));
    match &timer.elapses {
        Elapses::Calendar(events) => {
            for event in events {
                unit.push(TimerKey::OnCalendar, event);
            }
            // What was missed while the host was off is made up for.
            unit.push(TimerKey::Persistent, true);
        }
        Elapses::Every { secs } => {
            unit.push(TimerKey::OnActiveSec, secs)
                .push(TimerKey::OnUnitInactiveSec, secs);
        }
    }
    unit.push(TimerKey::AccuracySec, "1s");
    unit
}
