//! Joins positions to diagnostics, and keeps what could command a terminal out of the text.

use super::{Diagnostic, Note, Report};
use crate::source::{Source, Span};

/// Returns the diagnostics with their places, sorted by position, then code.
pub(super) fn sorted<'a>(report: &'a Report, source: &Source) -> Vec<(Span, &'a Diagnostic)> {
    let mut places: Vec<_> = report
        .iter()
        .map(|found| (span(found, source), found))
        .collect();
    places.sort_by(|(left_span, left), (right_span, right)| {
        let position = left_span.bytes.start.cmp(&right_span.bytes.start);
        position.then_with(|| left.code.as_str().cmp(right.code.as_str()))
    });
    places
}

/// Returns where a note stands.
pub(super) fn note_span(note: &Note, source: &Source) -> Span {
    match note.span.clone() {
        Some(bytes) => source.span(bytes),
        None => source.span_of(&note.pointer, false),
    }
}

fn span(diagnostic: &Diagnostic, source: &Source) -> Span {
    match diagnostic.span.clone() {
        Some(bytes) => source.span(bytes),
        None => source.span_of(&diagnostic.pointer, diagnostic.on_key),
    }
}

/// Returns the text with everything escaped that a terminal would obey or hide.
pub(super) fn safe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Says whether a character is a control, has no width of its own or turns the direction of writing.
pub(super) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_that_it_would_obey() {
        let cases = [
            ("plain ä 漢", "plain ä 漢"),
            ("\u{1b}[2J\n\t", "\\u{1b}[2J\\u{a}\\u{9}"),
            (
                "a\u{202e}b\u{200b}c\u{feff}",
                "a\\u{202e}b\\u{200b}c\\u{feff}",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(safe(text), expected);
        }
    }
}
