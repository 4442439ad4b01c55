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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pointer::At;
    use crate::report::{Code, Diagnostic};

    #[test]
    fn a_line_has_all_that_is_known() {
        let mut report = Report::default();
        let hosts = At::ROOT.key("hosts");
        let diagnostic = Diagnostic::new(Code::OutOfRange, hosts.key("a"), "`a` is too large");
        report.push(
            diagnostic
                .allowed_text("1 to 5")
                .help("use `5`")
                .note(hosts, "of these"),
        );
        let source = Source::new("c.json", "{\"hosts\":\n {\"a\": 77}}");
        let expected = "{\"severity\":\"error\",\"code\":\"out-of-range\",\"message\":\"`a` is too large\",\
            \"file\":\"c.json\",\"line\":2,\"column\":8,\"end_column\":10,\"pointer\":\"/hosts/a\",\
            \"allowed\":[],\"allowed_text\":\"1 to 5\",\"help\":\"use `5`\",\
            \"notes\":[{\"message\":\"of these\",\"line\":2,\"column\":2,\"end_column\":11,\"pointer\":\"/hosts\"}]}\n";
        assert_eq!(render(&report, &source), expected);
        let short = "c.json:2:8: error[out-of-range]: `a` is too large\n";
        assert_eq!(crate::report::short::render(&report, &source), short);
    }
}
