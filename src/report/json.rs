//! The form for programs: one JSON object a line.

use serde::Serialize;

use super::place::{note_span, sorted};
use super::{Note, Report};
use crate::source::Source;

#[derive(Serialize)]
struct Object<'a> {
    severity: &'a str,
    code: &'a str,
    message: &'a str,
    file: &'a str,
    line: usize,
    column: usize,
    end_column: usize,
    pointer: &'a str,
    allowed: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_text: Option<&'a str>,
    help: Option<&'a str>,
    notes: Vec<NoteObject<'a>>,
}

#[derive(Serialize)]
struct NoteObject<'a> {
    message: &'a str,
    line: usize,
    column: usize,
    end_column: usize,
    pointer: &'a str,
}

/// Renders the whole report.
pub fn render(report: &Report, source: &Source) -> String {
    let mut text = String::new();
    for (span, diagnostic) in sorted(report, source) {
        let object = Object {
            severity: diagnostic.severity.as_str(),
            code: diagnostic.code.as_str(),
            message: &diagnostic.message,
            file: source.name(),
            line: span.line,
            column: span.column,
            end_column: span.end_column,
            pointer: diagnostic.pointer.as_str(),
            allowed: &diagnostic.allowed,
            allowed_text: diagnostic.allowed_text.as_deref(),
            help: diagnostic.help.as_deref(),
            notes: diagnostic
                .notes
                .iter()
                .map(|note| note_object(note, source))
                .collect(),
        };
        // Strings and numbers always serialize.
        text.push_str(&serde_json::to_string(&object).unwrap_or_default());
        text.push('\n');
    }
    text
}

fn note_object<'a>(note: &'a Note, source: &Source) -> NoteObject<'a> {
    let span = note_span(note, source);
    NoteObject {
        message: &note.message,
        line: span.line,
        column: span.column,
        end_column: span.end_column,
        pointer: note.pointer.as_str(),
    }
}
