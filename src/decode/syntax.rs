//! Says what JSON wants where a file isn't JSON.

use std::ops::Range;

use crate::pointer::Pointer;
use crate::report::{Code, Diagnostic, Note};
use crate::source::Source;

/// Says that the file has bytes that are no text.
pub(super) fn not_utf8(offset: usize) -> Diagnostic {
    let message = "the file isn't UTF-8 text: the byte here can't stand in it";
    Diagnostic::at_pointer(Code::NotUtf8, Pointer::default(), message)
        .on_span(offset..offset + 1)
        .help("save the file as UTF-8")
}

/// Says that values are nested so deeply that reading them could exhaust the stack.
pub(super) fn too_deep(span: Range<usize>) -> Diagnostic {
    let message = "values are nested too deeply, more than 126 levels";
    Diagnostic::at_pointer(Code::Syntax, Pointer::default(), message).on_span(span)
}

/// Says what `serde_json` said, for what no wording of ours fits.
pub(super) fn other(source: &Source, error: &serde_json::Error) -> Diagnostic {
    let offset = source.offset(error.line(), error.column());
    Diagnostic::at_pointer(Code::MalformedValue, Pointer::default(), stripped(error))
        .on_span(offset..offset + 1)
}

/// Says why the file can't be read at all.
pub(super) fn diagnose(source: &Source, error: &serde_json::Error) -> Diagnostic {
    let spot = Spot::new(source, source.offset(error.line(), error.column()));
    let found = spot
        .bom()
        .or_else(|| spot.end(error))
        .or_else(|| spot.character());
    let found = found.or_else(|| spot.by_message(&stripped(error)));
    let found = found.unwrap_or_else(|| Found::new(stripped(error), spot.whole()));
    let diagnostic = Diagnostic::at_pointer(Code::Syntax, Pointer::default(), found.message);
    let mut diagnostic = diagnostic.on_span(found.span);
    diagnostic.help = found.help.map(ToOwned::to_owned);
    diagnostic.notes.extend(found.note);
    diagnostic
}

/// Returns serde's sentence without the position it appends.
fn stripped(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ")
        .map_or(text.clone(), |(message, _)| message.to_owned())
}

struct Found {
    message: String,
    span: Range<usize>,
    help: Option<&'static str>,
    note: Option<Note>,
}

impl Found {
    fn new(message: impl Into<String>, span: Range<usize>) -> Self {
        Self {
            message: message.into(),
            span,
            help: None,
            note: None,
        }
    }

    fn help(mut self, help: &'static str) -> Self {
        self.help = Some(help);
        self
    }
}

/// The place where `serde_json` stopped.
struct Spot<'a> {
    before: &'a str,
    rest: &'a str,
    offset: usize,
    /// The text up to where it stopped, without going back to the start of a word.
    stop: &'a str,
}

impl<'a> Spot<'a> {
    fn new(source: &'a Source, offset: usize) -> Self {
        let text = source.text();
        // It may stop inside a bad word: go back to the word's start.
        let (head, tail) = text.split_at_checked(offset).unwrap_or((text, ""));
        let is_inside = tail.starts_with(is_word);
        let offset = if is_inside {
            head.trim_end_matches(is_word).len()
        } else {
            head.len()
        };
        let (before, rest) = text.split_at_checked(offset).unwrap_or((text, ""));
        Self {
            before,
            rest,
            offset,
            stop: head,
        }
    }

    /// Returns the bytes of the word or character at the place.
    fn whole(&self) -> Range<usize> {
        let length = match self.word().len() {
            0 => self.rest.chars().next().map_or(0, char::len_utf8),
            length => length,
        };
        self.offset..self.offset + length
    }

    fn word(&self) -> &'a str {
        let end = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
        self.rest.get(..end).unwrap_or_default()
    }

    fn bom(&self) -> Option<Found> {
        let starts = if self.before.is_empty() {
            self.rest
        } else {
            self.before
        };
        starts.starts_with('\u{feff}').then(|| {
            Found::new(
                "the file starts with a byte order mark, which JSON doesn't allow",
                0..3,
            )
            .help("save the file as UTF-8 without a byte order mark")
        })
    }

    /// The file ends too early: says what is still open.
    fn end(&self, error: &serde_json::Error) -> Option<Found> {
        if !error.is_eof() {
            return None;
        }
        let text_end = self.before.len() + self.rest.len();
        let whole = self.before.trim_end().len() + self.rest.trim_end().len();
        if self.before.trim().is_empty() && self.rest.trim().is_empty() {
            return Some(Found::new("the file is empty", 0..0).help("`cops-gen init` writes one"));
        }
        let last = whole.saturating_sub(1)..whole.min(text_end);
        let mut found = Found::new("the file ends in the middle of a value", last);
        found.note = self.innermost_open().map(|(open, offset)| Note {
            pointer: Pointer::default(),
            message: format!("this `{open}` is never closed"),
            span: Some(offset..offset + 1),
        });
        Some(found)
    }

    /// Tells common mistakes by the character that stands there.
    fn character(&self) -> Option<Found> {
        let comma = self.before.trim_end().strip_suffix(',').map(str::len);
        if let Some(comma) = comma.filter(|_| self.rest.starts_with(['}', ']'])) {
            let message = "JSON allows no comma behind the last entry";
            return Some(Found::new(message, comma..comma + 1).help("remove the comma"));
        }
        let comment = ["//", "/*", "#"]
            .iter()
            .any(|start| self.rest.starts_with(start))
            || (self.before.ends_with('/') && self.rest.starts_with(['/', '*']));
        if comment {
            let help = "remove it, or generate the file from a language that has comments";
            return Some(Found::new("JSON has no comments", self.whole()).help(help));
        }
        if self.rest.starts_with('\'') {
            let message = "JSON wants strings in double quotes";
            return Some(Found::new(message, self.whole()).help("write `\"` instead of `'`"));
        }
        let word = self.word();
        let instead = match word.to_ascii_lowercase().as_str() {
            "true" | "false" | "null" => "JSON writes `true`, `false` and `null` in lower case",
            "none" | "nil" | "undefined" => "JSON writes `null` for nothing",
            "yes" | "no" | "on" | "off" => "JSON writes `true` and `false`",
            "nan" | "infinity" => "JSON has no such number",
            _ => return None,
        };
        Some(Found::new(format!("`{word}` is no JSON value"), self.whole()).help(instead))
    }

    fn by_message(&self, message: &str) -> Option<Found> {
        let found = match message {
            "key must be a string" => {
                Found::new("JSON wants every key in double quotes", self.whole())
            }
            "expected `,` or `}`" | "expected `,` or `]`" => self.separator(message),
            "expected `:`" => Found::new("a `:` is missing behind the key", self.whole()),
            "expected value" | "expected ident" => {
                Found::new("a value is missing here", self.whole())
                    .help("a string stands in double quotes")
            }
            "invalid number" => Found::new("JSON doesn't write numbers like this", self.number())
                .help("no leading zeros or `+`, and digits on both sides of the point"),
            "invalid escape" => Found::new("JSON has no such escape", self.whole())
                .help("a backslash itself is written `\\\\`"),
            "trailing characters" => Found::new(
                "something stands behind the end of the document",
                self.whole(),
            ),
            other if other.starts_with("control character") => {
                // Here it stops before the character, elsewhere behind it.
                let end = self.stop.len() + 1;
                Found::new(
                    "a string can't hold a line break or control character",
                    end..end + 1,
                )
                .help("write a line break as `\\n`, a tab as `\\t`")
            }
            _ => return None,
        };
        Some(found)
    }

    /// Two entries without a comma, or a bracket of the wrong kind.
    fn separator(&self, message: &str) -> Found {
        if self.rest.starts_with(['}', ']']) {
            let mut found = Found::new("this bracket closes nothing that is open", self.whole());
            found.note = self.innermost_open().map(|(open, offset)| Note {
                pointer: Pointer::default(),
                message: format!("this `{open}` is open"),
                span: Some(offset..offset + 1),
            });
            return found;
        }
        let end = self.before.trim_end().len();
        if self.rest.starts_with(['"', '{', '[', '-']) || !self.word().is_empty() {
            return Found::new(
                "a comma is missing behind this entry",
                end.saturating_sub(1)..end,
            )
            .help("put a comma between two entries");
        }
        Found::new(message, self.whole())
    }

    fn number(&self) -> Range<usize> {
        let legal = |c: char| is_word(c) || "+-.".contains(c);
        let start = self.before.trim_end_matches(legal).len();
        let length = self.rest.find(|c| !legal(c)).unwrap_or(self.rest.len());
        start..self.offset + length.max(1).min(self.rest.len())
    }

    /// Returns the innermost bracket that is open at the place.
    fn innermost_open(&self) -> Option<(char, usize)> {
        let mut open = Vec::new();
        let mut is_string = false;
        let mut is_escaped = false;
        for (offset, c) in self.before.char_indices() {
            match c {
                _ if is_escaped => is_escaped = false,
                '\\' if is_string => is_escaped = true,
                '"' => is_string = !is_string,
                '{' | '[' if !is_string => open.push((c, offset)),
                '}' | ']' if !is_string => {
                    let _closed = open.pop();
                }
                _ => {}
            }
        }
        open.pop()
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
