//! The form for editors and build logs: one line each, `FILE:LINE:COLUMN: SEVERITY[CODE]: MESSAGE`.

use std::fmt::Write as _;

use super::Report;
use super::place::{safe, sorted};
use crate::source::Source;

/// Renders the whole report.
pub fn render(report: &Report, source: &Source) -> String {
    let mut text = String::new();
    for (span, diagnostic) in sorted(report, source) {
        let (severity, code) = (diagnostic.severity, diagnostic.code);
        let (name, message) = (safe(source.name()), safe(&diagnostic.message));
        // Writing to a string cannot fail.
        let _written = writeln!(
            text,
            "{name}:{}:{}: {severity}[{code}]: {message}",
            span.line, span.column
        );
    }
    text
}
