//! Encodes values by the rule of their key's reader. Encoding is total: nothing fails here.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::key::Encoding;

/// Says whether systemd may expand specifiers and variables in a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expansion {
    /// `%` and `$` are literal.
    Off,
    /// `%` and `$` are written as they are.
    On,
}

/// A variable of the service that stands for what Quadlet's parser or writer loses.
///
/// Quadlet 5.4 to 5.8 ends a word list at an empty word, writes a lone `;` such that systemd starts a second command,
/// and writes U+0080 as a byte that is no UTF-8. systemd replaces `${NAME}` after all of that, in place and unsplit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum StandIn {
    /// Stands for nothing.
    Empty,
    /// Stands for U+0080.
    PaddingCharacter,
}

impl StandIn {
    /// Returns the variable's name.
    pub(super) fn variable(self) -> &'static str {
        match self {
            Self::Empty => "EMPTY",
            Self::PaddingCharacter => "U0080",
        }
    }

    /// Returns what the variable holds.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Empty => "",
            Self::PaddingCharacter => "\u{80}",
        }
    }
}

/// Returns the right sides of the lines that carry `words`.
pub(super) fn lines(encoding: Encoding, words: &[&str], expansion: Expansion) -> Vec<String> {
    let doubles = match expansion {
        Expansion::Off => doubled_by(encoding),
        Expansion::On => "",
    };
    let joined = |quote: fn(&str, &mut String)| {
        let length: usize = words.iter().map(|word| word.len() + 8).sum();
        let mut line = String::with_capacity(length);
        for (index, word) in words.iter().enumerate() {
            if index > 0 {
                line.push(' ');
            }
            quote(&double(word, doubles), &mut line);
        }
        vec![line]
    };
    match encoding {
        Encoding::Text => vec![protect(&double(&words.join(" "), doubles))],
        Encoding::JsonWords => vec![double(&json(words), doubles).into_owned()],
        Encoding::JsonHealthCommand => match words {
            [shell] => vec![double(&json(&["CMD-SHELL", shell]), doubles).into_owned()],
            _ => vec![double(&json(words), doubles).into_owned()],
        },
        Encoding::EachText => words
            .iter()
            .map(|word| double(word, doubles).into_owned())
            .collect(),
        Encoding::Plain | Encoding::SystemdText => {
            vec![double(&words.join(" "), doubles).into_owned()]
        }
        Encoding::EachStrings | Encoding::SystemdStrings => joined(quote_strings),
        Encoding::EachWords | Encoding::LastWords => {
            joined(|word, line| quote_words(&stand_in(word), line))
        }
        Encoding::SystemdWords | Encoding::SystemdCommand => joined(quote_words),
    }
}

/// Returns the stand-ins that [`lines`] uses for `words`.
pub(super) fn stand_ins(encoding: Encoding, words: &[&str]) -> Vec<StandIn> {
    if !matches!(encoding, Encoding::EachWords | Encoding::LastWords) {
        return Vec::new();
    }
    let empty = words
        .iter()
        .any(|word| matches!(*word, "" | ";"))
        .then_some(StandIn::Empty);
    let padding = words
        .iter()
        .any(|word| word.contains('\u{80}'))
        .then_some(StandIn::PaddingCharacter);
    empty.into_iter().chain(padding).collect()
}

fn stand_in(word: &str) -> Cow<'_, str> {
    match word {
        "" => Cow::Borrowed("${EMPTY}"),
        ";" => Cow::Borrowed(";${EMPTY}"),
        _ if word.contains('\u{80}') => Cow::Owned(word.replace('\u{80}', "${U0080}")),
        _ => Cow::Borrowed(word),
    }
}

/// Returns the characters that systemd would expand: `%` everywhere, `$` in command lines.
fn doubled_by(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Plain => "",
        Encoding::SystemdText | Encoding::SystemdStrings | Encoding::SystemdWords => "%",
        Encoding::Text
        | Encoding::JsonWords
        | Encoding::JsonHealthCommand
        | Encoding::EachText
        | Encoding::EachStrings
        | Encoding::EachWords
        | Encoding::LastWords
        | Encoding::SystemdCommand => "%$",
    }
}

/// Doubles each character of `doubles`.
fn double<'w>(word: &'w str, doubles: &str) -> Cow<'w, str> {
    if !word.bytes().any(|byte| matches!(byte, b'%' | b'$')) {
        return Cow::Borrowed(word);
    }
    let mut text = String::with_capacity(word.len() + 8);
    for c in word.chars() {
        text.push(c);
        if doubles.contains(c) {
            text.push(c);
        }
    }
    Cow::Owned(text)
}

/// Wraps a whole text in the quotes that Quadlet takes off, where its end would be lost.
fn protect(text: &str) -> String {
    if text.trim() != text || text.ends_with('\\') {
        format!("\"{text}\"")
    } else {
        text.to_owned()
    }
}

/// Quotes a word for a reader that keeps backslashes: quotes of one kind protect the other.
fn quote_strings(word: &str, line: &mut String) {
    if is_bare(word) {
        line.push_str(word);
        return;
    }
    let quote = if word.contains('"') && !word.contains('\'') {
        '\''
    } else {
        '"'
    };
    line.push(quote);
    for c in word.chars() {
        if c == quote {
            line.push_str("\"'\"'\"");
        } else {
            line.push(c);
        }
    }
    line.push(quote);
}

/// Quotes a word for a reader that resolves C escapes.
fn quote_words(word: &str, line: &mut String) {
    if is_bare(word) {
        line.push_str(word);
        return;
    }
    line.push('"');
    for c in word.chars() {
        push_escaped(line, c);
    }
    line.push('"');
}

fn is_bare(word: &str) -> bool {
    let plain =
        |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '\\') || c.is_alphanumeric();
    !word.is_empty() && word != ";" && word.chars().all(plain)
}

fn push_escaped(text: &mut String, c: char) {
    match c {
        '"' | '\\' => text.extend(['\\', c]),
        '\n' => text.push_str("\\n"),
        '\t' => text.push_str("\\t"),
        '\r' => text.push_str("\\r"),
        ' ' => text.push(' '),
        _ if c.is_ascii_control() => push_code(text, 'x', 2, c),
        _ if !is_invisible(c) => text.push(c),
        '\0'..='\u{ffff}' => push_code(text, 'u', 4, c),
        '\u{10000}'..=char::MAX => push_code(text, 'U', 8, c),
    }
}

#[expect(
    clippy::let_underscore_must_use,
    reason = "writing to a String can't fail"
)]
fn push_code(text: &mut String, kind: char, width: usize, c: char) {
    let _ = write!(text, "\\{kind}{:0width$x}", u32::from(c));
}

/// Says whether a reviewer could miss or misread `c`: controls, odd blanks, marks of direction.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || c.is_whitespace()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// Writes a JSON list; what a reviewer could miss is written as an escape.
fn json(words: &[&str]) -> String {
    let mut text = String::from("[");
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        text.push('"');
        for c in word.chars() {
            match c {
                '"' | '\\' => text.extend(['\\', c]),
                '\n' => text.push_str("\\n"),
                '\t' => text.push_str("\\t"),
                ' ' => text.push(' '),
                _ if !is_invisible(c) => text.push(c),
                _ => c
                    .encode_utf16(&mut [0; 2])
                    .iter()
                    .for_each(|unit| push_utf16(&mut text, *unit)),
            }
        }
        text.push('"');
    }
    text.push(']');
    text
}

#[expect(
    clippy::let_underscore_must_use,
    reason = "writing to a String can't fail"
)]
fn push_utf16(text: &mut String, unit: u16) {
    let _ = write!(text, "\\u{unit:04x}");
}
