//! When a cron schedule is due, in the words of `OnCalendar=`.
//!
//! <https://www.freedesktop.org/software/systemd/man/latest/systemd.time.html#Calendar%20Events>

use std::collections::BTreeSet;

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/// Returns the events of five cron fields, in UTC. Where both day of month and day of week are set, cron takes either: two events.
///
/// Resolve has seen that the fields are good; a part that isn't names nothing here.
pub(super) fn events(schedule: &str) -> Vec<String> {
    let mut fields = schedule.split_whitespace();
    let mut field = || fields.next().unwrap_or("*");
    let (minute, hour, day, month, weekday) = (field(), field(), field(), field(), field());
    let time = format!("{}:{}:00 UTC", list(hour, 0, 23), list(minute, 0, 59));
    let month = list(month, 1, 12);
    let on_days = format!("*-{month}-{} {time}", list(day, 1, 31));
    let on_weekdays = format!("{} *-{month}-* {time}", weekdays(weekday));
    match (day == "*", weekday == "*") {
        (true | false, true) => vec![on_days],
        (true, false) => vec![on_weekdays],
        (false, false) => vec![on_days, on_weekdays],
    }
}

/// Writes each number that a field means, or `*` for all of them.
fn list(field: &str, first: u8, last: u8) -> String {
    let numbers = numbers(field, first, last);
    if numbers.len() == usize::from(last - first) + 1 {
        return "*".to_owned();
    }
    let numbers: Vec<String> = numbers
        .iter()
        .map(|number| format!("{number:02}"))
        .collect();
    numbers.join(",")
}

fn weekdays(field: &str) -> String {
    let days: BTreeSet<u8> = numbers(field, 0, 7).iter().map(|day| day % 7).collect();
    let names = WEEKDAYS
        .iter()
        .zip(0..)
        .filter(|(_, day)| days.contains(day));
    let names: Vec<&str> = names.map(|(name, _)| *name).collect();
    names.join(",")
}

/// Returns the numbers of a field: lists of `*`, numbers and ranges, each maybe with a step.
fn numbers(field: &str, first: u8, last: u8) -> BTreeSet<u8> {
    let parts = field.split(',');
    let ranges = parts.filter_map(|part| {
        let (span, step) = part
            .split_once('/')
            .map_or((part, None), |(span, step)| (span, Some(step)));
        let (low, high) = match span.split_once('-') {
            _ if span == "*" => (first, last),
            Some((low, high)) => (low.parse().ok()?, high.parse().ok()?),
            // A number with a step goes on to the end.
            None if step.is_some() => (span.parse().ok()?, last),
            None => (span.parse().ok()?, span.parse().ok()?),
        };
        let step = step.map_or(Some(1), |step| step.parse().ok())?;
        Some((low.max(first)..=high.min(last)).step_by(usize::from(u8::max(step, 1))))
    });
    ranges.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_written_as_explicit_lists() {
        let table: [(&str, &[&str]); 11] = [
            ("30 3 * * *", &["*-*-* 03:30:00 UTC"]),
            ("* * * * *", &["*-*-* *:*:00 UTC"]),
            ("0 5 * * 0", &["Sun *-*-* 05:00:00 UTC"]),
            ("0 5 * * 7", &["Sun *-*-* 05:00:00 UTC"]),
            ("0 5 * * 5-7", &["Sun,Fri,Sat *-*-* 05:00:00 UTC"]),
            (
                "*/20 0-6/3,22 * 1-3 *",
                &["*-01,02,03-* 00,03,06,22:00,20,40:00 UTC"],
            ),
            ("5/20 4 * * *", &["*-*-* 04:05,25,45:00 UTC"]),
            ("0 3 1,15 * *", &["*-*-01,15 03:00:00 UTC"]),
            (
                "0 3 13 * 5",
                &["*-*-13 03:00:00 UTC", "Fri *-*-* 03:00:00 UTC"],
            ),
            (
                "0 3 */2 2 1-5",
                &[
                    "*-02-01,03,05,07,09,11,13,15,17,19,21,23,25,27,29,31 03:00:00 UTC",
                    "Mon,Tue,Wed,Thu,Fri *-02-* 03:00:00 UTC",
                ],
            ),
            (
                "0 3 * * 0-7",
                &["Sun,Mon,Tue,Wed,Thu,Fri,Sat *-*-* 03:00:00 UTC"],
            ),
        ];
        for (schedule, expected) in table {
            assert_eq!(events(schedule), expected, "{schedule}");
        }
    }
}
