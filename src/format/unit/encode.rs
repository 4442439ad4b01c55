//! Encodes values by the rule of their key's reader, and says what a reader can't carry.
//!
//! Encoding is total: what [`can_carry`] refuses is still written without breaking the line or the file.

use std::fmt::Write as _;

use super::key::{Encoding, Flag, Key};
use super::section::Section;
use crate::format::template::is_line_breaking;

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

/// The longest argument that Linux passes to a program, in bytes.
const LONGEST_ARGUMENT: usize = 128 * 1024 - 1;

/// Says whether `value`, pushed alone, arrives unchanged; the reason completes "the value …".
pub fn can_carry<K: Key>(key: K, value: &str) -> Result<(), &'static str> {
    can_carry_words(key, &[value])
}

/// Says whether `words`, pushed together, arrive unchanged; the reason completes "the value …".
pub fn can_carry_words<K: Key, W: AsRef<str>>(key: K, words: &[W]) -> Result<(), &'static str> {
    if words.is_empty() {
        return Err("is empty, which would reset the key");
    }
    for word in words {
        let word = word.as_ref();
        carries_anywhere(word)?;
        carries_encoded(key.encoding(), word)?;
        carries_flag(key.flag(), word)?;
        if K::SECTION == Section::Pod && word.contains('\u{80}') {
            return Err("holds U+0080, which Quadlet breaks");
        }
    }
    if key.encoding() == Encoding::JsonHealthCommand {
        carries_health_command(words)?;
    }
    Ok(())
}

/// Says whether `part` fits as one part of a composed value: a side of a volume, a field of a secret.
pub fn can_carry_part<K: Key>(key: K, part: &str) -> Result<(), &'static str> {
    if part.is_empty() {
        return Err("is empty");
    }
    can_carry(key, part)?;
    match key.flag() {
        Flag::Volume => refuse(
            part,
            |c| matches!(c, ':' | ','),
            "holds `:` or `,`, which separate the parts",
        ),
        Flag::Secret => refuse(
            part,
            |c| matches!(c, ',' | '='),
            "holds `,` or `=`, which separate the parts",
        ),
        Flag::Assignment => refuse(part, |c| c == '=', "holds `=`, which ends the name"),
        Flag::Whole | Flag::Csv => Ok(()),
    }
}

/// Says whether a line of a user's override can be written as it is.
pub fn can_carry_written(value: &str) -> Result<(), &'static str> {
    refuse(
        value,
        |c| c.is_control() && c != '\t',
        "holds a control character",
    )?;
    refuse(value, is_noncharacter, NONCHARACTER)?;
    if value.ends_with('\\') {
        return Err("ends in `\\`, which would join it with the next line");
    }
    Ok(())
}

const NONCHARACTER: &str = "holds a Unicode noncharacter, for which systemd drops the line";

fn carries_anywhere(word: &str) -> Result<(), &'static str> {
    refuse(word, |c| c == '\0', "holds a NUL character")?;
    refuse(word, is_noncharacter, NONCHARACTER)?;
    if word.len() > LONGEST_ARGUMENT {
        return Err("is longer than an argument of a program may be, 128 KiB");
    }
    Ok(())
}

fn carries_encoded(encoding: Encoding, word: &str) -> Result<(), &'static str> {
    match encoding {
        Encoding::JsonWords
        | Encoding::JsonHealthCommand
        | Encoding::LastWords
        | Encoding::SystemdCommand => Ok(()),
        Encoding::EachWords if word.is_empty() => Err("is empty, and Quadlet drops empty words"),
        Encoding::EachWords => Ok(()),
        Encoding::SystemdWords => refuse(
            word,
            |c| c.is_ascii_control() && !matches!(c, '\n' | '\t'),
            "holds a control character, which systemd refuses",
        ),
        Encoding::Text => {
            carries_one_line(word)?;
            if word.starts_with('"') || word.ends_with('"') {
                return Err("begins or ends with a double quote, which Quadlet removes");
            }
            Ok(())
        }
        Encoding::EachText | Encoding::Plain | Encoding::SystemdText => {
            carries_one_line(word)?;
            if word.trim() != word {
                return Err("begins or ends with a blank, which its reader removes");
            }
            if word.ends_with('\\') {
                return Err("ends in `\\`, which would join it with the next line");
            }
            Ok(())
        }
        Encoding::EachStrings | Encoding::SystemdStrings => carries_one_line(word),
    }
}

fn carries_one_line(word: &str) -> Result<(), &'static str> {
    if word.is_empty() {
        return Err("is empty, which would reset the key");
    }
    if word == ";" {
        return Err("is a lone `;`, which would end the command");
    }
    refuse(
        word,
        is_line_breaking,
        "holds a newline or another control character, which its key can't carry",
    )
}

fn carries_flag(flag: Flag, word: &str) -> Result<(), &'static str> {
    match flag {
        Flag::Whole | Flag::Secret => Ok(()),
        Flag::Csv => refuse(
            word,
            |c| matches!(c, ',' | '"' | '\n' | '\r'),
            "holds `,` or `\"`, where podman would split it",
        ),
        Flag::Assignment => match word.split_once('=') {
            Some((name, _)) if !name.is_empty() && name.trim_start() == name => Ok(()),
            Some(_) => Err("has an empty name, or one that begins with a blank"),
            None => Err("is no assignment: it has no `=`"),
        },
        Flag::Volume => {
            refuse(
                word,
                |c| c.is_whitespace() || matches!(c, '"' | '\'' | '\\'),
                "holds a blank, a quote or a backslash, where Quadlet would break its mount dependency",
            )?;
            if word.split(':').count() > 3 {
                return Err("has more than three parts between its `:`");
            }
            Ok(())
        }
    }
}

fn carries_health_command<W: AsRef<str>>(words: &[W]) -> Result<(), &'static str> {
    let first = words.first().map_or("", AsRef::as_ref);
    if words.len() > 1 && ["CMD", "CMD-SHELL", "NONE"].contains(&first.to_uppercase().as_str()) {
        return Err("begins with a word that podman takes for the kind of the command");
    }
    Ok(())
}

fn refuse(
    text: &str,
    bad: impl Fn(char) -> bool,
    reason: &'static str,
) -> Result<(), &'static str> {
    if text.chars().any(bad) {
        Err(reason)
    } else {
        Ok(())
    }
}

/// Says whether systemd counts `c` as no valid character of a unit file.
pub(super) fn is_noncharacter(c: char) -> bool {
    let code = u32::from(c);
    (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe
}

/// Returns the right sides of the lines that carry `words`.
pub(super) fn lines(encoding: Encoding, words: &[&str], expansion: Expansion) -> Vec<String> {
    let literal = |word: &str| match expansion {
        Expansion::Off => double(encoding, word),
        Expansion::On => word.to_owned(),
    };
    let joined = |quote: fn(&str) -> String| {
        let quoted: Vec<String> = words.iter().map(|word| quote(&literal(word))).collect();
        vec![quoted.join(" ")]
    };
    match encoding {
        Encoding::Text => vec![protect(&literal(&words.join(" ")))],
        Encoding::JsonWords => vec![literal(&json(words))],
        Encoding::JsonHealthCommand => match words {
            [shell] => vec![literal(&json(&["CMD-SHELL", shell]))],
            _ => vec![literal(&json(words))],
        },
        Encoding::EachText => words.iter().map(|word| literal(word)).collect(),
        Encoding::Plain | Encoding::SystemdText => vec![literal(&words.join(" "))],
        Encoding::EachStrings | Encoding::SystemdStrings => joined(quote_strings),
        Encoding::EachWords | Encoding::LastWords => {
            let quoted: Vec<String> = words
                .iter()
                .map(|word| quote_words(&stand_in(&literal(word))))
                .collect();
            vec![quoted.join(" ")]
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

fn stand_in(word: &str) -> String {
    match word {
        "" => "${EMPTY}".to_owned(),
        ";" => ";${EMPTY}".to_owned(),
        _ => word.replace('\u{80}', "${U0080}"),
    }
}

/// Doubles what systemd would expand: `%` everywhere, `$` in command lines.
fn double(encoding: Encoding, word: &str) -> String {
    match encoding {
        Encoding::Plain => word.to_owned(),
        Encoding::SystemdText | Encoding::SystemdStrings | Encoding::SystemdWords => {
            word.replace('%', "%%")
        }
        Encoding::Text
        | Encoding::JsonWords
        | Encoding::JsonHealthCommand
        | Encoding::EachText
        | Encoding::EachStrings
        | Encoding::EachWords
        | Encoding::LastWords
        | Encoding::SystemdCommand => word.replace('%', "%%").replace('$', "$$"),
    }
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
fn quote_strings(word: &str) -> String {
    if is_bare(word) {
        return word.to_owned();
    }
    if !word.contains('"') {
        return format!("\"{word}\"");
    }
    if !word.contains('\'') {
        return format!("'{word}'");
    }
    let pieces: Vec<String> = word
        .split('"')
        .map(|piece| format!("\"{piece}\""))
        .collect();
    pieces.join("'\"'")
}

/// Quotes a word for a reader that resolves C escapes.
fn quote_words(word: &str) -> String {
    if is_bare(word) {
        return word.to_owned();
    }
    let mut quoted = String::with_capacity(word.len() + 2);
    quoted.push('"');
    for c in word.chars() {
        push_escaped(&mut quoted, c);
    }
    quoted.push('"');
    quoted
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
