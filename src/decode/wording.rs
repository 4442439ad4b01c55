//! Puts mistakes in the shape of a file in words.

use super::fault::{Kind, Required};
use crate::pointer::Pointer;
use crate::report::{Code, Diagnostic};

/// Makes the diagnostic for a mistake at `pointer`.
pub(super) fn diagnose(pointer: Pointer, kind: &Kind, on_key: bool) -> Diagnostic {
    let who = who(&pointer);
    // An unknown field or variant is a key: the sentence is about the object around it.
    let around = pointer.parent().filter(|_| on_key);
    let owner = around.map_or_else(|| who.clone(), |around| self::who(&around));
    let diagnostic = match kind {
        Kind::MissingField(Required { field, description }) => {
            let message = format!("{who} lacks the field `{field}`");
            let diagnostic = Diagnostic::at_pointer(Code::MissingField, pointer, message).on_key();
            return match description {
                Some(what) => {
                    diagnostic.help(format!("add `{field}`: {}", what.replace('\n', " ")))
                }
                None => diagnostic,
            };
        }
        Kind::UnknownField { field, allowed } => {
            let message = format!("{owner} has no field `{field}`");
            Diagnostic::at_pointer(Code::UnknownField, pointer, message)
                .allowed(allowed.iter().copied())
                .suggest(field, allowed.iter().copied())
        }
        Kind::UnknownVariant { variant, allowed } => {
            let message = format!("{owner} can't be `{variant}`");
            Diagnostic::at_pointer(Code::UnknownVariant, pointer, message)
                .allowed(allowed.iter().copied())
                .suggest(variant, allowed.iter().copied())
        }
        Kind::WrongType { found, expected } => {
            let message = format!("{who} must be {}, not {found}", in_words(expected));
            Diagnostic::at_pointer(Code::WrongType, pointer, message)
        }
        Kind::WrongLength { found, expected } => {
            let message = format!("{who} must be {}, not of {found}", in_words(expected));
            Diagnostic::at_pointer(Code::WrongType, pointer, message)
        }
        Kind::OutOfRange { found, expected } => {
            let message = format!("{who} must be {}, not {found}", in_words(expected));
            Diagnostic::at_pointer(Code::OutOfRange, pointer, message)
        }
        Kind::Malformed(reason) => {
            let subject = if on_key {
                format!("the key {who}")
            } else {
                who
            };
            let message = match reason.as_str() {
                "invalid IPv4 address syntax" => format!("{subject} is no IPv4 address"),
                reason => format!("{subject} is malformed: {reason}"),
            };
            Diagnostic::at_pointer(Code::MalformedValue, pointer, message)
        }
    };
    if on_key {
        diagnostic.on_key()
    } else {
        diagnostic
    }
}

/// Names the value at `pointer` as its reader would.
fn who(pointer: &Pointer) -> String {
    let mut segments = pointer.segments().rev();
    match (segments.next(), segments.next()) {
        (None, _) => "the file".to_owned(),
        (Some(last), Some(parent)) if last.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("an element of `{parent}`")
        }
        (Some(last), _) => format!("`{last}`"),
    }
}

/// Says in words what serde expects.
fn in_words(expected: &str) -> String {
    let words = match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number from 0 to 18446744073709551615",
        "i8" => "a whole number from -128 to 127",
        "i16" => "a whole number from -32768 to 32767",
        "i32" => "a whole number from -2147483648 to 2147483647",
        "i64" | "isize" => "a whole number of 64 bits",
        "a nonzero u8" => "a whole number from 1 to 255",
        "a nonzero u16" => "a whole number from 1 to 65535",
        "a nonzero u32" => "a whole number from 1 to 4294967295",
        "a nonzero u64" => "a whole number from 1 to 18446744073709551615",
        "f32" | "f64" => "a number",
        "a boolean" => "`true` or `false`",
        "a string" | "a borrowed string" | "string" | "a character" => "a string",
        "a map" | "map" => "an object",
        "a sequence" | "sequence" => "a list",
        "unit" => "`null`",
        "string or map" => "a string or an object",
        other => return in_other_words(other),
    };
    words.to_owned()
}

fn in_other_words(expected: &str) -> String {
    let prefixes = ["a tuple of size ", "an array of length ", "a list of "];
    let length = prefixes
        .iter()
        .find_map(|prefix| expected.strip_prefix(prefix));
    if let Some(length) = length {
        return format!("a list of {length}");
    }
    if expected.starts_with("struct ") {
        return "an object".to_owned();
    }
    if expected.starts_with("enum ") || expected.starts_with("variant ") {
        return "one of its words".to_owned();
    }
    expected.to_owned()
}
