//! Reads a JSON file into its type and finds every independent mistake in its shape at once.
//!
//! A good file is read by `serde_json` alone. A bad one is read again from its tree of values: each mistake is noted
//! at its place, its value is left out, and reading starts over until what is left fits.

mod fault;
mod schema;
mod strict;
mod syntax;
mod walk;
mod wording;

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::de::{DeserializeOwned, IgnoredAny};

use self::fault::{Kind, Required};
use self::schema::Schema;
use self::strict::Strict;
use self::walk::Walk;
use crate::pointer::Pointer;
use crate::report::{Code, Diagnostic, Note, Report, nearest};
use crate::source::{Source, tree};

/// After so many mistakes reading stops: nobody reads more, and each costs another round.
const MOST_MISTAKES: usize = 200;

/// `serde_json` goes no deeper than this, and no description needs to.
const MOST_LEVELS: usize = 126;

/// What came out of reading a file.
#[derive(Debug)]
pub struct Decoded<T> {
    /// What could be read: without the failed parts; `None` if nothing is left.
    pub value: Option<T>,
    /// The mistakes in the shape.
    pub report: Report,
    /// The places that were left out because something in them failed.
    pub failed: Vec<Pointer>,
    /// The list elements among them, sorted: later elements of their lists have moved up in `value`.
    moved_up: Vec<(Pointer, usize)>,
}

impl<T> Decoded<T> {
    /// Says whether what stands at `pointer` rests on a failed value: it holds one, or is part of one.
    pub fn failed_under(&self, pointer: &Pointer) -> bool {
        self.failed
            .iter()
            .any(|failed| failed.starts_with(pointer) || pointer.starts_with(failed))
    }

    /// Takes a later stage's report on `value` and makes it one on the file.
    ///
    /// What rests on a failed value is dropped, and the indices of lists with left-out elements are put right.
    #[must_use]
    pub fn settle(&self, mut report: Report) -> Report {
        report.relocate(|pointer| self.written_at(pointer));
        report.retain(|diagnostic| !self.failed_under(&diagnostic.pointer));
        report
    }

    /// Returns where in the file the value stands that `value` has at `pointer`.
    pub fn written_at(&self, pointer: &Pointer) -> Pointer {
        let mut written = Pointer::default();
        for segment in pointer.segments() {
            let mut moved = self
                .moved_up
                .iter()
                .filter(|(list, _)| *list == written)
                .peekable();
            let index = moved.peek().and_then(|_| segment.parse::<usize>().ok());
            written = match index {
                Some(index) => {
                    let original = moved.fold(index, |at, (_, gone)| at + usize::from(*gone <= at));
                    written.child(&original.to_string())
                }
                None => written.child(&segment),
            };
        }
        written
    }
}

/// Reads `source`; what is left out of the value is named, so that nobody reports it twice.
pub fn decode<T: DeserializeOwned + JsonSchema>(source: &Source) -> Decoded<T> {
    if let Some(offset) = source.broken_at() {
        return fatal(syntax::not_utf8(offset));
    }
    let error = match read_text(source.text()) {
        Ok(value) => return success(value),
        Err(error) => error,
    };
    if let Err(error) = serde_json::from_str::<IgnoredAny>(source.text()) {
        return fatal(syntax::diagnose(source, &error));
    }
    let (depth, node) = source.tree().deepest();
    if depth > MOST_LEVELS {
        return fatal(syntax::too_deep(source.mark(node, false)));
    }
    let mut salvage = Salvage::new(source);
    let value = salvage.run();
    if salvage.report.is_empty() {
        // Our reader takes what serde_json's refuses. Believe the stricter one.
        return fatal(syntax::other(source, &error));
    }
    salvage.finish(value)
}

/// Reads a good file; of a bad one it says little.
fn read_text<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = T::deserialize(Strict(&mut reader))?;
    reader.end()?;
    Ok(value)
}

fn success<T>(value: T) -> Decoded<T> {
    Decoded {
        value: Some(value),
        report: Report::default(),
        failed: Vec::new(),
        moved_up: Vec::new(),
    }
}

fn fatal<T>(diagnostic: Diagnostic) -> Decoded<T> {
    let mut report = Report::default();
    report.push(diagnostic);
    Decoded {
        value: None,
        report,
        failed: vec![Pointer::default()],
        moved_up: Vec::new(),
    }
}

/// Reads a file that has mistakes, round by round.
struct Salvage<'a> {
    source: &'a Source,
    walk: Walk<'a>,
    /// Made for the first object that lacks a field.
    schema: Option<Schema>,
    report: Report,
}

impl<'a> Salvage<'a> {
    fn new(source: &'a Source) -> Self {
        Self {
            source,
            walk: Walk::new(source),
            schema: None,
            report: Report::default(),
        }
    }

    /// Returns what fits once all mistakes are left out.
    fn run<T: DeserializeOwned + JsonSchema>(&mut self) -> Option<T> {
        for (second, first) in self.source.tree().duplicates(self.source.text()) {
            self.report.push(self.duplicate(second, first));
            self.walk.leave_out(second);
        }
        while self.report.errors() < MOST_MISTAKES {
            let Err(fault) = self.walk.read::<T>() else {
                return self.walk.read_whole().ok();
            };
            let (node, on_key) = fault.place.unwrap_or((tree::ROOT, false));
            let mistakes = if let Kind::MissingField(first) = fault.kind {
                self.missing::<T>(node, first)
            } else if self.is_consequence(node, &fault.kind) {
                Vec::new()
            } else {
                vec![fault.kind]
            };
            for kind in mistakes {
                let diagnostic = wording::diagnose(self.pointer(node), &kind, on_key);
                self.report.push(diagnostic);
            }
            if node == tree::ROOT || !self.walk.leave_out(node) {
                return None;
            }
        }
        None
    }

    /// Returns all that is missing from the object that lacks the field `first`, but for what stands there mistyped.
    fn missing<T: JsonSchema>(&mut self, node: usize, first: Required) -> Vec<Kind> {
        let pointer = self.pointer(node);
        let schema = self.schema.get_or_insert_with(Schema::of::<T>);
        let mut missing = schema.required(&pointer, first);
        let (tree, text) = (self.source.tree(), self.source.text());
        missing.retain(|required| tree.find(text, node, &required.field).is_none());
        let unknown = self.report.iter().filter(|told| {
            told.code == Code::UnknownField && told.pointer.parent().as_ref() == Some(&pointer)
        });
        for key in unknown.filter_map(|told| told.pointer.segments().next_back()) {
            let fields = missing.iter().map(|required| required.field.as_str());
            if let Some(meant) = nearest(&key, fields).map(ToOwned::to_owned) {
                missing.retain(|required| required.field != meant);
            }
        }
        missing.into_iter().map(Kind::MissingField).collect()
    }

    /// Says whether a mistake is there only because something was left out, or would be cured with another.
    fn is_consequence(&self, node: usize, kind: &Kind) -> bool {
        match kind {
            Kind::Malformed(_) | Kind::WrongLength { .. } => self.walk.has_left_out(node),
            // A variant's only field was left out.
            Kind::WrongType { .. } => self.walk.left_out_children(node).next().is_some(),
            Kind::MissingField(_)
            | Kind::UnknownField { .. }
            | Kind::UnknownVariant { .. }
            | Kind::OutOfRange { .. } => false,
        }
    }

    fn duplicate(&self, second: usize, first: usize) -> Diagnostic {
        let key = self
            .source
            .tree()
            .key(self.source.text(), second)
            .unwrap_or_default();
        let message = format!("the key `{key}` stands twice in one object");
        let mut diagnostic =
            Diagnostic::at_pointer(Code::DuplicateKey, self.pointer(second), message)
                .on_key()
                .on_span(self.source.mark(second, true));
        diagnostic.notes.push(Note {
            pointer: self.pointer(first),
            message: "first written here".to_owned(),
            span: Some(self.source.mark(first, true)),
        });
        diagnostic
    }

    fn pointer(&self, node: usize) -> Pointer {
        self.source.tree().pointer(self.source.text(), node)
    }

    fn finish<T>(self, value: Option<T>) -> Decoded<T> {
        let left_out: BTreeSet<usize> = self.walk.into_left_out();
        let (tree, text) = (self.source.tree(), self.source.text());
        let mut failed = Vec::new();
        let mut moved_up = Vec::new();
        for node in left_out {
            failed.push(tree.pointer(text, node));
            if let Some(element) = tree.get(node).filter(|_| tree.key(text, node).is_none()) {
                moved_up.push((tree.pointer(text, element.parent), element.ordinal));
            }
        }
        if value.is_none() {
            failed.push(Pointer::default());
        }
        Decoded {
            value,
            report: self.report,
            failed,
            moved_up,
        }
    }
}

#[cfg(test)]
mod tests;
