//! Writes Quadlet and systemd units: sections of keys whose values arrive unchanged where they are meant to.
//!
//! A value passes up to three readers: Quadlet's parser, systemd's reader of the `ExecStart=` that Quadlet writes, and
//! podman's own option. Each key knows its readers ([`key`]), [`can_carry`] says before what they can't transport, and
//! [`Unit::push`] quotes the rest.

mod carry;
mod encode;
pub mod key;
pub mod known;
#[cfg(test)]
mod read;
mod section;
#[cfg(test)]
mod tests;
mod value;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use serde::Serialize;

use super::template::{Line, Template, is_line_breaking, render};
use encode::{Expansion, StandIn};
#[cfg(test)]
use key::Encoding;

pub use carry::{can_carry, can_carry_part, can_carry_words, can_carry_written};
pub use key::{
    BuildKey, ContainerKey, InstallKey, Key, NetworkKey, PodKey, QuadletKey, ServiceKey, TimerKey,
    UnitKey,
};
pub use known::{PodmanVersion, known_keys, known_since};
pub use section::Section;
pub use value::{assign, secret_env, secret_mount, volume};

/// A unit file, or a drop-in of one: sections in a fixed order, keys in the order in which they were pushed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unit {
    /// The lines of each section, with a newline between two.
    sections: BTreeMap<Section, String>,
    stand_ins: BTreeSet<StandIn>,
}

impl Unit {
    /// Starts an empty unit.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one value: one word of a key that takes words, else the whole text.
    ///
    /// Every `%` and `$` arrives as written: the value isn't expanded by anybody.
    pub fn push<K: Key>(&mut self, key: K, value: impl Display) -> &mut Self {
        let value = value.to_string();
        debug_assert_eq!(can_carry(key, &value), Ok(()), "{}={value:?}", key.name());
        self.add(key, &[&value], Expansion::Off)
    }

    /// Adds several words on one line (a line each where the key takes one value per line).
    pub fn push_words<K: Key, W: AsRef<str>>(&mut self, key: K, words: &[W]) -> &mut Self {
        let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
        debug_assert_eq!(
            can_carry_words(key, &words),
            Ok(()),
            "{}={words:?}",
            key.name()
        );
        self.add(key, &words, Expansion::Off)
    }

    /// As [`Unit::push_words`], but systemd expands specifiers (`%t`) and, in command lines, variables (`${MAINPID}`).
    ///
    /// A literal `%` is written `%%` here, and a literal `$` in a command line `$$`.
    pub fn push_expanded<K: Key, W: AsRef<str>>(&mut self, key: K, words: &[W]) -> &mut Self {
        let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
        self.add(key, &words, Expansion::On)
    }

    /// Adds a line of a user's override exactly as written; [`can_carry_written`] has passed it.
    pub fn push_written(&mut self, section: Section, key: &str, value: &str) -> &mut Self {
        debug_assert_eq!(can_carry_written(value), Ok(()), "{key}={value:?}");
        self.line(section, key, value)
    }

    /// Says whether nothing was pushed.
    pub fn is_empty(&self) -> bool {
        self.sections.is_empty()
    }

    /// Renders the file; its first line says what it is `about`, as in "The pod of etcd member db1".
    pub fn render(&self, about: impl Display) -> String {
        let mut unit = Cow::Borrowed(self);
        for stand_in in &self.stand_ins {
            unit.to_mut().push(
                ServiceKey::Environment,
                assign(stand_in.variable(), stand_in.text()),
            );
        }
        let sections = unit
            .sections
            .iter()
            .map(|(section, lines)| RenderedSection {
                heading: section.heading(),
                lines,
            })
            .collect();
        let mut text = render(
            Template::QuadletUnit,
            &RenderedUnit {
                about: Line::of(about),
                sections,
            },
        );
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    }

    fn add<K: Key>(&mut self, key: K, words: &[&str], expansion: Expansion) -> &mut Self {
        for value in encode::lines(key.encoding(), words, expansion) {
            self.line(K::SECTION, key.name(), &value);
        }
        if expansion == Expansion::Off {
            self.stand_ins
                .extend(encode::stand_ins(key.encoding(), words));
        }
        self
    }

    fn line(&mut self, section: Section, key: &str, value: &str) -> &mut Self {
        let lines = self.sections.entry(section).or_default();
        if !lines.is_empty() {
            lines.push('\n');
        }
        lines.extend([key, "=", &one_line(value)]);
        self
    }
}

/// Makes a value that resolve should have refused harmless: it can't end or continue the line.
fn one_line(value: &str) -> Cow<'_, str> {
    if !value.contains(is_line_breaking) && !value.ends_with('\\') {
        return Cow::Borrowed(value);
    }
    let mut line = value.replace(is_line_breaking, "\u{fffd}");
    if line.ends_with('\\') {
        line.push('\u{fffd}');
    }
    Cow::Owned(line)
}

#[derive(Serialize)]
struct RenderedUnit<'u> {
    about: Line,
    sections: Vec<RenderedSection<'u>>,
}

#[derive(Serialize)]
struct RenderedSection<'u> {
    heading: &'static str,
    /// All lines as one text, which no value can break: a template's loop costs as much as what it prints.
    lines: &'u str,
}
