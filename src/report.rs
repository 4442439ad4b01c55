//! What the program has to say about the user's file: checks push diagnostics, one place makes them into text.
//!
//! A diagnostic knows a pointer, never a line. Positions are joined in when the report is rendered.

pub mod code;
pub mod human;
pub mod json;
mod place;
pub mod short;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

pub use self::code::Code;
use crate::pointer::{At, Pointer};

/// How grave a diagnostic is: an error stops, a warning does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing is written.
    Error,
    /// The user should know.
    Warning,
}

impl Severity {
    /// Returns `error` or `warning`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A second place that belongs to a diagnostic, such as the other definition of a duplicate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Where it stands.
    pub pointer: Pointer,
    /// What is to be known about it.
    pub message: String,
    pub(crate) span: Option<Range<usize>>,
}

/// One breach of one rule: where it is, what it is, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The rule.
    pub code: Code,
    /// How grave it is: the code's own severity, unless warnings are denied.
    pub severity: Severity,
    /// Where it stands.
    pub pointer: Pointer,
    /// Whether the key is to be marked rather than the value.
    pub on_key: bool,
    /// One sentence: lower-case, no full stop, names in backticks.
    pub message: String,
    /// The names that may stand there.
    pub allowed: Vec<String>,
    /// What may stand there, in words: a range, a pattern.
    pub allowed_text: Option<String>,
    /// What the user most likely wants to do.
    pub help: Option<String>,
    /// Other places that belong to it.
    pub notes: Vec<Note>,
    /// The bytes to be marked, where the pointer can't name them: a syntax error, the second of two equal keys.
    pub(crate) span: Option<Range<usize>>,
}

impl Diagnostic {
    /// Says that the rule `code` is broken at `at`.
    pub fn new(code: Code, at: At<'_>, message: impl Into<String>) -> Self {
        Self::at_pointer(code, at.to_pointer(), message)
    }

    /// Says that the rule `code` is broken at `pointer`.
    pub fn at_pointer(code: Code, pointer: Pointer, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity(),
            pointer,
            on_key: false,
            message: message.into(),
            allowed: Vec::new(),
            allowed_text: None,
            help: None,
            notes: Vec::new(),
            span: None,
        }
    }

    /// Marks the key rather than the value: an unknown field, a duplicate name.
    #[must_use]
    pub fn on_key(mut self) -> Self {
        self.on_key = true;
        self
    }

    /// Marks these bytes of the source, whatever the pointer says.
    #[must_use]
    pub(crate) fn on_span(mut self, span: Range<usize>) -> Self {
        self.span = Some(span);
        self
    }

    /// Lists the names that may stand there.
    #[must_use]
    pub fn allowed<I: IntoIterator<Item: Into<String>>>(mut self, names: I) -> Self {
        self.allowed.extend(names.into_iter().map(Into::into));
        self
    }

    /// Says in words what may stand there: a range, a pattern.
    #[must_use]
    pub fn allowed_text(mut self, text: impl Into<String>) -> Self {
        self.allowed_text = Some(text.into());
        self
    }

    /// Says what the user most likely wants to do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Offers the candidate nearest to what was typed, if one is near enough and no other is as near.
    #[must_use]
    pub fn suggest<'s>(self, typed: &str, candidates: impl IntoIterator<Item = &'s str>) -> Self {
        match nearest(typed, candidates) {
            Some(name) => {
                let help = format!("did you mean `{name}`?");
                self.help(help)
            }
            None => self,
        }
    }

    /// Adds a second place.
    #[must_use]
    pub fn note(self, at: At<'_>, message: impl Into<String>) -> Self {
        self.note_at(at.to_pointer(), message)
    }

    /// Adds a second place that is known as a pointer.
    #[must_use]
    pub fn note_at(mut self, pointer: Pointer, message: impl Into<String>) -> Self {
        self.notes.push(Note {
            pointer,
            message: message.into(),
            span: None,
        });
        self
    }
}

/// Returns the candidate nearest to `typed`: at most two edits and at most a third of the length, and no tie.
pub(crate) fn nearest<'s>(
    typed: &str,
    candidates: impl IntoIterator<Item = &'s str>,
) -> Option<&'s str> {
    let limit = typed.chars().count().div_ceil(3).min(2);
    let mut best = None;
    let mut best_distance = limit + 1;
    let mut is_tie = false;
    for candidate in candidates.into_iter().collect::<BTreeSet<_>>() {
        let distance = strsim::osa_distance(typed, candidate);
        if distance == 0 || distance > best_distance || distance > limit {
            continue;
        }
        is_tie = distance == best_distance;
        best_distance = distance;
        best = Some(candidate);
    }
    if is_tie { None } else { best }
}

/// Everything found so far, in the order it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    diagnostics: Vec<Diagnostic>,
}

impl Report {
    /// Adds one diagnostic.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Adds all of another report, or of any list of diagnostics.
    pub fn extend(&mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        self.diagnostics.extend(diagnostics);
    }

    /// Says whether anything stops the program.
    pub fn has_errors(&self) -> bool {
        self.errors() > 0
    }

    /// Says whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.diagnostics.is_empty()
    }

    /// Counts the errors.
    pub fn errors(&self) -> usize {
        self.count(Severity::Error)
    }

    /// Counts the warnings.
    pub fn warnings(&self) -> usize {
        self.count(Severity::Warning)
    }

    /// Makes every warning an error.
    pub fn deny_warnings(&mut self) {
        for diagnostic in &mut self.diagnostics {
            diagnostic.severity = Severity::Error;
        }
    }

    /// Goes through the diagnostics in the order they were found.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.diagnostics.iter()
    }

    /// Changes where diagnostics and their notes stand.
    pub(crate) fn relocate(&mut self, relocate: impl Fn(&Pointer) -> Pointer) {
        for diagnostic in &mut self.diagnostics {
            diagnostic.pointer = relocate(&diagnostic.pointer);
            for note in &mut diagnostic.notes {
                note.pointer = relocate(&note.pointer);
            }
        }
    }

    /// Keeps the diagnostics for which `keep` says so.
    pub(crate) fn retain(&mut self, keep: impl FnMut(&Diagnostic) -> bool) {
        self.diagnostics.retain(keep);
    }

    fn count(&self, severity: Severity) -> usize {
        self.diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == severity)
            .count()
    }
}

impl IntoIterator for Report {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.diagnostics.into_iter()
    }
}

impl<'a> IntoIterator for &'a Report {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guess_is_made_only_when_it_is_likely() {
        let cases: [(&str, &[&str], Option<&str>); 9] = [
            ("bd2", &["db1", "db2"], Some("db2")),
            ("bd9", &["db1", "db2"], None),
            ("db", &["db1", "db2"], None),
            ("db", &["db1", "web"], Some("db1")),
            ("hosst", &["hosts", "version"], Some("hosts")),
            ("membres", &["members", "proxies"], Some("members")),
            ("xyz", &["abc"], None),
            ("db1", &["db1", "db1"], None),
            ("", &["a"], None),
        ];
        for (typed, candidates, expected) in cases {
            assert_eq!(
                nearest(typed, candidates.iter().copied()),
                expected,
                "{typed}"
            );
        }
    }

    #[test]
    fn denied_warnings_are_errors() {
        let mut report = Report::default();
        let mut diagnostic = Diagnostic::new(Code::WrongType, At::ROOT, "odd");
        diagnostic.severity = Severity::Warning;
        report.push(diagnostic);
        assert_eq!(
            (report.errors(), report.warnings(), report.has_errors()),
            (0, 1, false)
        );
        report.deny_warnings();
        assert_eq!(
            (report.errors(), report.warnings(), report.has_errors()),
            (1, 0, true)
        );
    }
}
