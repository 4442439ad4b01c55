//! Writes what the host runs once: a unit for each, which the unit of the pod's container pulls in.

use crate::format::unit::{ServiceKey, Unit, UnitKey};
use crate::plan::PodPlan;
use crate::platform::{services, units};

use super::output::Output;
use super::part::{OncePart, Part, text};

/// Adds what each pod's part has to run once.
pub(super) fn lower(output: &mut Output, parts: &[(&PodPlan, Part)]) {
    for (pod, part) in parts.iter().filter(|(_, part)| !part.once.is_empty()) {
        lower_pod(output, pod, &part.once);
    }
}

fn lower_pod(output: &mut Output, pod: &PodPlan, all: &[OncePart]) {
    let container = units::service(&units::container(&pod.name, services::MAIN));
    for once in all {
        let unit = unit(once, &container).render(&once.about);
        output.place(&units::path(&once.unit_file), text(unit));
        // No file restarts it: what is under way goes on, and what is done stays.
        output
            .row(&once.unit_file)
            .starts_after(&[&container])
            .in_background(true);
    }
    // A drop-in, so that a new one doesn't restart the container.
    let names: Vec<&String> = all.iter().map(|once| &once.unit_file).collect();
    let mut pull = Unit::new();
    pull.push_words(UnitKey::Wants, &names);
    output.place(
        &units::drop_in(&container, "10-exports.conf"),
        text(pull.render("What Barman makes once it is there")),
    );
}

/// It may take hours, and it may fail.
fn unit(once: &OncePart, container: &str) -> Unit {
    let wants = std::iter::once(container).chain(once.wants.as_deref());
    let mut unit = Unit::new();
    unit.push(UnitKey::Description, &once.description)
        .push_words(UnitKey::Wants, &wants.collect::<Vec<_>>())
        .push(UnitKey::After, container)
        .push(ServiceKey::Type, "oneshot")
        .push(ServiceKey::RemainAfterExit, "yes")
        .push(ServiceKey::TimeoutStartSec, "infinity")
        .push_words(ServiceKey::ExecStart, &once.command);
    unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs_after_the_container_and_is_never_run_again_by_itself() {
        let once = OncePart {
            unit_file: "export-before.service".into(),
            about: "x".into(),
            description: "x".into(),
            wants: Some("postgres-before-main.service".into()),
            command: vec!["/bin/export".into(), "--target-name=a b".into()],
        };
        let text = unit(&once, "barman-main.service").render("x");
        for line in [
            "Wants=barman-main.service postgres-before-main.service",
            "After=barman-main.service",
            "TimeoutStartSec=infinity",
            "ExecStart=/bin/export \"--target-name=a b\"",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(!text.contains("Restart="), "{text}");
    }
}
