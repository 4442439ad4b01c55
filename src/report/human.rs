//! The form for people: the sentence, the line of the file with a mark under it, and what would be right.

use std::fmt::Write as _;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::place::{is_unsafe, note_span, safe, sorted};
use super::{Diagnostic, Report, Severity};
use crate::source::{Source, Span};

/// More diagnostics than this are only counted.
const MOST_SHOWN: usize = 50;

/// More allowed names than this are only counted.
const MOST_ALLOWED: usize = 8;

/// A terminal is taken to have at least and at most so many columns.
const WIDTHS: (usize, usize) = (40, 200);

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
    if report.is_empty() {
        return String::new();
    }
    let places = sorted(report, source);
    let mut text = String::new();
    for (span, diagnostic) in places.iter().take(MOST_SHOWN) {
        text.push_str(&snippet(span, diagnostic, (source, look)));
        text.push_str(&footers(span, diagnostic, source));
        text.push('\n');
    }
    let hidden = places.len().saturating_sub(MOST_SHOWN);
    if hidden > 0 {
        line(
            &mut text,
            &format!("and {hidden} more; `--format json` shows all\n"),
        );
    }
    line(&mut text, &summary(report, source, look.tail));
    text
}

/// Renders the sentence, the place and the marked line.
fn snippet(span: &Span, diagnostic: &Diagnostic, (source, look): (&Source, Look<'_>)) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let width = look.width.clamp(WIDTHS.0, WIDTHS.1);
    let (window, mark) = window(span, source, width);
    let marked = Snippet::source(window)
        .line_start(span.line)
        .annotation(AnnotationKind::Primary.span(mark));
    let title = level
        .primary_title(safe(&diagnostic.message))
        .id(diagnostic.code.as_str());
    let renderer = if look.is_coloured {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let text = renderer.term_width(width).render(&[title.element(marked)]);
    // The renderer would count the column in the window, so the place is put in here.
    let (sentence, lines) = text.split_once('\n').unwrap_or((&text, ""));
    let indent = " ".repeat(span.line.to_string().len());
    let (name, line, column) = (safe(source.name()), span.line, span.column);
    format!("{sentence}\n{indent}--> {name}:{line}:{column}\n{lines}\n")
}

/// Cuts the marked line to what can be shown, and returns the mark's bytes in it.
///
/// A file may be one line of many megabytes; the renderer would lay it out whole before it trims.
fn window(span: &Span, source: &Source, width: usize) -> (String, std::ops::Range<usize>) {
    let (_, line) = source.line_at(span.bytes.start);
    let before = source
        .text()
        .get(line.start..span.bytes.start)
        .unwrap_or_default();
    let marked = source.text().get(span.bytes.clone()).unwrap_or_default();
    let after = source
        .text()
        .get(span.bytes.end..line.end)
        .unwrap_or_default();
    let mut window: Vec<char> = before.chars().rev().take(2 * width).collect();
    window.reverse();
    let mut window: String = window.into_iter().map(visible).collect();
    let start = window.len();
    window.extend(marked.chars().take(width).map(visible));
    let end = window.len();
    if marked.chars().nth(width).is_none() {
        window.extend(after.chars().take(2 * width).map(visible));
    } else {
        window.push('…');
    }
    (window, start..end)
}

/// Replaces what a terminal would obey or hide; a tab is left to the renderer, which knows its width.
fn visible(c: char) -> char {
    if c != '\t' && is_unsafe(c) {
        char::REPLACEMENT_CHARACTER
    } else {
        c
    }
}

/// Renders the lines behind the snippet: where it is, what is allowed, what helps, what else belongs to it.
fn footers(span: &Span, diagnostic: &Diagnostic, source: &Source) -> String {
    let indent = " ".repeat(span.line.to_string().len() + 1);
    let mut text = String::new();
    let mut footer = |name: &str, value: &str| {
        line(&mut text, &format!("{indent}= {name}: {}", safe(value)));
    };
    if !diagnostic.pointer.is_root() {
        footer("at", diagnostic.pointer.as_str());
    }
    if let Some(allowed) = allowed(diagnostic) {
        footer("allowed", &allowed);
    }
    if let Some(help) = &diagnostic.help {
        footer("help", help);
    }
    for note in &diagnostic.notes {
        let place = note_span(note, source);
        let (name, message) = (source.name(), &note.message);
        footer(
            "note",
            &format!("{name}:{}:{}: {message}", place.line, place.column),
        );
    }
    text
}

fn allowed(diagnostic: &Diagnostic) -> Option<String> {
    let names: Vec<String> = diagnostic
        .allowed
        .iter()
        .take(MOST_ALLOWED)
        .map(|name| format!("`{name}`"))
        .collect();
    let hidden = diagnostic.allowed.len().saturating_sub(MOST_ALLOWED);
    let more = (hidden > 0).then(|| format!("and {hidden} more"));
    let parts: Vec<String> = diagnostic
        .allowed_text
        .iter()
        .cloned()
        .chain(names)
        .chain(more)
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn summary(report: &Report, source: &Source, tail: &str) -> String {
    let counts = [(report.errors(), "error"), (report.warnings(), "warning")];
    let counts = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| {
            let plural = if *count == 1 { "" } else { "s" };
            format!("{count} {word}{plural}")
        });
    let counts = counts.collect::<Vec<_>>().join(", ");
    let tail = if tail.is_empty() {
        String::new()
    } else {
        format!("; {tail}")
    };
    format!("{}: {counts}{tail}", safe(source.name()))
}

fn line(text: &mut String, line: &str) {
    // Writing to a string cannot fail.
    let _written = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pointer::{At, Pointer};
    use crate::report::Code;

    const PLAIN: Look<'_> = Look {
        tail: "nothing was written",
        is_coloured: false,
        width: 100,
    };

    fn found(code: Code, pointer: &str, message: &str) -> Diagnostic {
        Diagnostic::at_pointer(code, Pointer::parse(pointer).unwrap(), message)
    }

    fn rendered(text: &str, diagnostics: Vec<Diagnostic>, look: Look<'_>) -> String {
        let mut report = Report::default();
        report.extend(diagnostics);
        render(&report, &Source::new("cluster.json", text), look)
    }

    #[test]
    fn the_whole_form_is_as_designed() {
        let text = "{\n  \"hosts\": {\n    \"db1\": {}\n  },\n\n\n\n\n  \"members\": [\"db1\", \"bd2\"],\n  \"a\": { \"b\":\n 1 }\n}\n";
        let mut guess = found(
            Code::UnknownVariant,
            "/members/1",
            "cluster `app` has a member on `bd2`, which is not a host",
        )
        .allowed(["db1", "db2", "db3"])
        .suggest("bd2", ["db1", "db2", "db9"]);
        guess = guess.note(At::ROOT.key("hosts"), "hosts are named here");
        let mut warning = found(Code::MissingField, "/a", "`a` is odd");
        warning.severity = Severity::Warning;
        let expected = "\
error[unknown-variant]: cluster `app` has a member on `bd2`, which is not a host
 --> cluster.json:9:22
  |
9 |   \"members\": [\"db1\", \"bd2\"],
  |                      ^^^^^
  = at: /members/1
  = allowed: `db1`, `db2`, `db3`
  = help: did you mean `db2`?
  = note: cluster.json:2:3: hosts are named here

warning[missing-field]: `a` is odd
  --> cluster.json:10:3
   |
10 |   \"a\": { \"b\":
   |   ^^^
   = at: /a

cluster.json: 1 error, 1 warning; nothing was written
";
        assert_eq!(rendered(text, vec![warning, guess], PLAIN), expected);
    }

    #[test]
    fn a_huge_line_is_cut_around_its_mark() {
        let text = format!(
            "[{}7, {}]",
            "12, ".repeat(100_000),
            "\"é\", ".repeat(100_000)
        );
        let text = text.replace(", ]", "]");
        for width in [0, 60, 10_000] {
            let look = Look { width, ..PLAIN };
            let shown = rendered(&text, vec![found(Code::WrongType, "/100000", "no")], look);
            assert!(shown.len() < 1000, "{}", shown.len());
            assert!(shown.contains("cluster.json:1:400002\n"), "{shown}");
            let lines: Vec<&str> = shown.lines().collect();
            let column = lines[4].chars().position(|c| c == '^').unwrap();
            assert_eq!(lines[3].chars().nth(column), Some('7'), "{shown}");
        }
    }

    #[test]
    fn a_huge_value_is_marked_in_part() {
        let text = format!("{{\"a\": \"{}\", \"b\": 1}}", "x".repeat(100_000));
        let shown = rendered(&text, vec![found(Code::WrongType, "/a", "no")], PLAIN);
        assert!(shown.len() < 1000, "{shown}");
    }

    #[test]
    fn nothing_in_the_file_reaches_the_terminal_raw() {
        let text = "{\"a\u{1b}[2J\u{202e}\u{200b}\": \"\t\u{7f}\u{9b}x\"}";
        let pointer = "/a\u{1b}[2J\u{202e}\u{200b}";
        let shown = rendered(
            text,
            vec![found(Code::WrongType, pointer, "`\u{1b}[2J` is no\nname")],
            PLAIN,
        );
        assert!(shown.chars().all(|c| c == '\n' || !is_unsafe(c)), "{shown}");
        assert!(shown.contains("no\\u{a}name"), "{shown}");
    }

    #[test]
    fn marks_stand_under_wide_characters_and_tabs() {
        let shown = rendered(
            "{\"漢\":\t5}",
            vec![found(Code::WrongType, "/漢", "no")],
            PLAIN,
        );
        assert!(
            shown.contains("1 | {\"漢\":    5}\n  |           ^\n"),
            "{shown}"
        );
    }

    #[test]
    fn only_fifty_are_shown_and_names_beyond_eight_counted() {
        let many = (0..62)
            .map(|_| found(Code::WrongType, "", "no").allowed(["x"; 11]))
            .collect();
        let shown = rendered("1", many, Look { tail: "", ..PLAIN });
        assert_eq!(shown.matches("error[").count(), 50);
        assert!(shown.contains(", `x`, and 3 more\n"));
        assert!(
            shown
                .ends_with("\nand 12 more; `--format json` shows all\n\ncluster.json: 62 errors\n")
        );
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let one = || vec![found(Code::WrongType, "/0", "no").help("yes")];
        let coloured = rendered(
            "[5]",
            one(),
            Look {
                is_coloured: true,
                ..PLAIN
            },
        );
        assert!(coloured.contains('\u{1b}'));
        let stripped = anstream::adapter::strip_str(&coloured).to_string();
        assert_eq!(stripped, rendered("[5]", one(), PLAIN));
    }

    #[test]
    fn a_place_in_an_empty_file_is_shown() {
        let shown = rendered(
            "",
            vec![found(Code::Syntax, "", "the file is empty")],
            PLAIN,
        );
        assert!(shown.contains(" --> cluster.json:1:1\n"), "{shown}");
    }
}
