//! The table of codes: each rule of the program has one word, stable forever, and one page that explains it.

use std::fmt;

use super::Severity;

/// Makes the table: a line is the severity, the variant and the word; the page is `docs/codes/WORD.md`.
macro_rules! codes {
    ($($(#[$doc:meta])* $severity:ident $variant:ident $word:literal;)*) => {
        /// The rule a diagnostic speaks for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[$doc])* $variant,)*
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the code's word in kebab-case.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// Returns the code with this word.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.as_str() == word)
            }

            /// Returns how grave a breach of the rule is.
            pub const fn severity(self) -> Severity {
                match self {
                    $(Self::$variant => Severity::$severity,)*
                }
            }

            /// Returns the page that explains the rule, in Markdown.
            pub const fn explanation(self) -> &'static str {
                match self {
                    $(Self::$variant => {
                        include_str!(concat!("../../docs/codes/", $word, ".md"))
                    })*
                }
            }
        }
    };
}

codes! {
    /// A key stands twice in one object.
    Error DuplicateKey "duplicate-key";
    /// A value has the right type but not the form its field wants.
    Error MalformedValue "malformed-value";
    /// A field that is needed isn't there.
    Error MissingField "missing-field";
    /// The file isn't UTF-8 text.
    Error NotUtf8 "not-utf8";
    /// A number lies outside what its field can hold.
    Error OutOfRange "out-of-range";
    /// The file isn't JSON.
    Error Syntax "syntax";
    /// An object has a field that nobody reads.
    Error UnknownField "unknown-field";
    /// A word is none of those its field knows.
    Error UnknownVariant "unknown-variant";
    /// The description's `version` is one this program doesn't know.
    Error UnsupportedVersion "unsupported-version";
    /// A value has another type than its field wants.
    Error WrongType "wrong-type";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_kebab_case_and_used_once() {
        for code in Code::ALL {
            let word = code.as_str();
            assert_eq!(Code::parse(word), Some(*code), "{word} is used twice");
            let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(word.chars().all(legal), "{word}");
        }
        assert_eq!(Code::parse("no-such-code"), None);
    }

    #[test]
    fn every_page_starts_with_its_word_and_shows_both_sides() {
        for code in Code::ALL {
            let (word, page) = (code.as_str(), code.explanation());
            assert!(page.starts_with(&format!("# {word}\n")), "{word}: heading");
            assert!(page.contains("\nWrong:\n"), "{word}: a wrong example");
            assert!(page.contains("\nRight:\n"), "{word}: a right example");
            assert!(
                page.ends_with('\n') && !page.ends_with("\n\n"),
                "{word}: final newline"
            );
        }
    }
}
