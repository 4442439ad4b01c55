//! Lowers overrides: drop-ins of the user's own, one per unit. They are the escape hatch; nobody edits generated files.

use crate::format::unit::{Section, Unit};
use crate::plan::Override;
use crate::platform::units;

use super::output::Output;
use super::part::text;

/// Adds a drop-in per override; a change of it restarts the unit.
pub(super) fn lower(output: &mut Output, overrides: &[&Override]) {
    for change in overrides {
        let Override {
            unit_file,
            sections,
        } = change;
        let mut drop_in = Unit::new();
        for (heading, keys) in sections {
            // Resolve has refused every section that doesn't exist.
            let Some(section) = Section::parse(heading) else {
                continue;
            };
            for (key, values) in keys {
                for value in values {
                    drop_in.push_written(section, key, value);
                }
            }
        }
        let place = units::drop_in(unit_file, "50-override.conf");
        output.place(
            &place,
            text(drop_in.render(format_args!("What is overridden in {unit_file}"))),
        );
        let row = with_row(output, unit_file);
        output.row(&row).restarts_on(&place);
    }
}

/// What a timer runs has no row of its own.
fn with_row(output: &Output, unit_file: &str) -> String {
    let timer = unit_file
        .strip_suffix(".service")
        .map(|stem| format!("{stem}.timer"));
    timer
        .filter(|timer| output.bundle.units.contains_key(timer))
        .unwrap_or_else(|| unit_file.to_owned())
}
