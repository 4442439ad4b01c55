//! The form for people: the sentence, the line of the file with a mark under it, and what would be right.

use super::Report;
use crate::source::Source;

/// How the text is to look.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// What the last line says after the counts: `nothing was written`.
    pub tail: &'a str,
    /// Whether to colour; never needed to understand the text.
    pub is_coloured: bool,
    /// The columns of the terminal.
    pub width: usize,
}

/// Renders the report, at most fifty of its diagnostics.
pub fn render(report: &Report, source: &Source, look: Look<'_>) -> String {
    let _ = look;
    super::short::render(report, source)
}
