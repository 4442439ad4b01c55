//! What serde says of a value that doesn't fit, kept as data until it is put in words.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

/// One mistake in the shape of a file.
#[derive(Debug)]
pub(super) struct Fault {
    /// The value it concerns, and whether its key is at fault; filled in by the innermost reader that knows.
    pub(super) place: Option<(usize, bool)>,
    /// What is wrong.
    pub(super) kind: Kind,
}

/// What is wrong with a value.
#[derive(Debug)]
pub(super) enum Kind {
    /// The object needs this field.
    MissingField(Required),
    /// Nobody reads this field; these are read.
    UnknownField {
        field: String,
        allowed: &'static [&'static str],
    },
    /// The word is none of these.
    UnknownVariant {
        variant: String,
        allowed: &'static [&'static str],
    },
    /// The value has another type.
    WrongType { found: String, expected: String },
    /// The list has another length.
    WrongLength { found: usize, expected: String },
    /// The value has the type, but is too large or small.
    OutOfRange { found: String, expected: String },
    /// The field's own reader refuses the value.
    Malformed(String),
}

/// A field that an object needs.
#[derive(Debug)]
pub(super) struct Required {
    pub(super) field: String,
    /// Its documentation, where it is known.
    pub(super) description: Option<String>,
}

impl Fault {
    pub(super) fn new(kind: Kind) -> Self {
        Self { place: None, kind }
    }

    /// Says where it is, unless somebody further in has said so.
    pub(super) fn or_at(mut self, node: usize, on_key: bool) -> Self {
        self.place.get_or_insert((node, on_key));
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Kind::Malformed(message.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let (found, expected) = (in_words(found), expected.to_string());
        Self::new(Kind::WrongType { found, expected })
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let (found, expected) = (in_words(found), expected.to_string());
        Self::new(Kind::OutOfRange { found, expected })
    }

    fn invalid_length(found: usize, expected: &dyn Expected) -> Self {
        Self::new(Kind::WrongLength {
            found,
            expected: expected.to_string(),
        })
    }

    fn unknown_variant(variant: &str, allowed: &'static [&'static str]) -> Self {
        Self::new(Kind::UnknownVariant {
            variant: variant.to_owned(),
            allowed,
        })
    }

    fn unknown_field(field: &str, allowed: &'static [&'static str]) -> Self {
        Self::new(Kind::UnknownField {
            field: field.to_owned(),
            allowed,
        })
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Kind::MissingField(Required {
            field: field.to_owned(),
            description: None,
        }))
    }

    fn duplicate_field(field: &'static str) -> Self {
        // Equal keys are left out before reading; this is an alias beside its name.
        Self::new(Kind::Malformed(format!(
            "`{field}` stands there under another name too"
        )))
    }
}

/// Names what was found, in JSON's words.
fn in_words(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unsigned(value) => value.to_string(),
        Unexpected::Signed(value) => value.to_string(),
        Unexpected::Float(value) => value.to_string(),
        Unexpected::Char(value) => format!("the string `{value}`"),
        Unexpected::Str(value) if value.chars().count() > 40 => "a long string".to_owned(),
        Unexpected::Str(value) => format!("the string `{value}`"),
        Unexpected::Unit | Unexpected::Option => "`null`".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "an object".to_owned(),
        Unexpected::UnitVariant | Unexpected::Enum => "a word without a value".to_owned(),
        Unexpected::NewtypeVariant | Unexpected::TupleVariant | Unexpected::StructVariant => {
            "a word with a value".to_owned()
        }
        Unexpected::NewtypeStruct => "a value of its own type".to_owned(),
        Unexpected::Bytes(_) => "bytes".to_owned(),
        Unexpected::Other(other) => other.to_owned(),
    }
}
