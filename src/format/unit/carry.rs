//! Says which values a key can't carry unchanged through all of its readers, so that resolve can refuse them.

use super::key::{Encoding, Flag, Key};
use super::section::Section;
use crate::format::template::is_line_breaking;

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
    if has_lone_percent(value) {
        return Err("holds a `%` that begins no specifier: a literal one is `%%`");
    }
    Ok(())
}

/// Says whether a `%` is followed by neither a letter nor another `%`: systemd then drops the unit.
fn has_lone_percent(value: &str) -> bool {
    let pieces = value.replace("%%", "");
    let mut rest = pieces.split('%').skip(1);
    rest.any(|after| !after.starts_with(|c: char| c.is_ascii_alphabetic()))
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
        | Encoding::EachWords
        | Encoding::LastWords
        | Encoding::SystemdCommand => Ok(()),
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
            Some((name, _)) if name.is_empty() || name.trim_start() != name => {
                Err("has an empty name, or one that begins with a blank")
            }
            // Seen with 5.4.2; every other line break arrives.
            Some((_, value)) if value.contains("\r\n") => {
                Err("holds a carriage return before a newline, which podman would drop")
            }
            Some(_) => Ok(()),
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
