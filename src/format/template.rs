//! Renders the embedded templates. A template's struct holds lists, bools and values that can't hold a newline.
//!
//! Every template is compiled in and parsed once. What could fail is found by the tests, which load and render each one:
//! a failure at run time is a bug in cops-gen and ends the program as one.

use std::fmt::{self, Display};
use std::sync::LazyLock;

use serde::Serialize;
use serde_json::Value;
use tera::{Context, Tera};

use crate::platform;

/// Declares the templates: a variant's file lies below `templates/files/`.
macro_rules! templates {
    ($($(#[$doc:meta])* $name:ident = $path:literal,)+) => {
        /// Names an embedded template.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Template { $($(#[$doc])* $name,)+ }

        impl Template {
            /// Lists every template.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Returns the template's path below `templates/files/`.
            pub fn path(self) -> &'static str {
                match self { $(Self::$name => $path,)+ }
            }

            /// Returns the template's text.
            fn text(self) -> &'static str {
                match self {
                    $(Self::$name => include_str!(concat!("../../templates/files/", $path)),)+
                }
            }
        }
    };
}

templates! {
    /// Any Quadlet or systemd unit, from encoded lines.
    QuadletUnit = "quadlet/unit.tera",
    /// One cluster that Barman backs up.
    BarmanServer = "barman/server.tera",
    /// When Barman does what.
    BarmanCrontab = "barman/crontab.tera",
    /// What may enter and leave a pod's network namespace.
    Egress = "nebula/egress.nft.tera",
    /// A proxy of a Patroni cluster.
    Haproxy = "haproxy/haproxy.tera",
    /// How the image of Barman is built.
    ImageBarman = "images/barman.tera",
    /// How the image of Patroni is built.
    ImagePatroni = "images/patroni.tera",
    /// Roles, passwords and databases of a Patroni cluster.
    PatroniReconcile = "patroni/reconcile.tera",
    /// How people keep one Patroni cluster running.
    Runbook = "operator/runbook.tera",
    /// Data directories.
    Tmpfiles = "host/tmpfiles.tera",
    /// The host's rules for its pods' UDP ports.
    Underlay = "host/underlay.nft.tera",
}

static TERA: LazyLock<Tera> = LazyLock::new(|| {
    let mut tera = Tera::default();
    tera.autoescape_on(Vec::<&str>::new());
    let texts = Template::ALL
        .iter()
        .map(|template| (template.path(), template.text()));
    match tera.add_raw_templates(texts) {
        Ok(()) => tera,
        Err(error) => bug("loading the templates", &error),
    }
});

static FACTS: LazyLock<Value> = LazyLock::new(platform::facts);

/// Renders a template with the fields of `values`, and with what the platform is as `platform`.
pub fn render<T: Serialize>(template: Template, values: &T) -> String {
    Context::from_serialize(values)
        .and_then(|mut context| {
            context.insert("platform", &*FACTS);
            TERA.render(template.path(), &context)
        })
        .unwrap_or_else(|error| bug(template.path(), &error))
}

#[expect(
    clippy::panic,
    reason = "a template that can't be rendered is a bug in cops-gen, not a user's mistake"
)]
fn bug(what: &str, error: &tera::Error) -> ! {
    panic!("bug in cops-gen, please report it: {what}: {error}")
}

/// A text without control characters, safe for one line of any template.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Line(String);

impl Line {
    /// Takes a text that has no control character (so no newline either); returns `None` otherwise.
    pub fn parse(text: &str) -> Option<Self> {
        (!text.chars().any(is_line_breaking)).then(|| Self(text.to_owned()))
    }

    /// Takes what resolve has let through: a name, an address, a number.
    ///
    /// A control character is a missing check in resolve; it becomes U+FFFD, so that no line can be broken by it.
    pub fn of(value: impl Display) -> Self {
        let text = value.to_string();
        debug_assert!(
            !text.chars().any(is_line_breaking),
            "resolve let {text:?} through"
        );
        Self(text.replace(is_line_breaking, "\u{fffd}"))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Says whether `c` could end a line for some reader, or is a control character.
pub(crate) fn is_line_breaking(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_file_is_in_the_table_and_loads() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/files");
        let mut on_disk: Vec<String> = walkdir::WalkDir::new(root)
            .into_iter()
            .map(Result::unwrap)
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| {
                entry
                    .path()
                    .strip_prefix(root)
                    .unwrap()
                    .display()
                    .to_string()
            })
            .collect();
        on_disk.sort();
        let mut in_table: Vec<&str> = Template::ALL
            .iter()
            .map(|template| template.path())
            .collect();
        in_table.sort_unstable();
        assert_eq!(on_disk, in_table);
        for template in Template::ALL {
            assert!(TERA.contains_template(template.path()));
        }
    }

    #[test]
    fn a_line_holds_no_control_character() {
        assert_eq!(
            Line::parse("db1.example \u{e9}\u{1f600}").unwrap().as_str(),
            "db1.example \u{e9}\u{1f600}"
        );
        for text in ["a\nb", "a\rb", "\t", "\u{85}", "\u{2028}", "\0", "\u{7f}"] {
            assert_eq!(Line::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn nothing_is_escaped_as_html() {
        let values = serde_json::json!({
            "about": "<&\"'>", "sections": [{"heading": "Unit", "lines": "Description=<&\"'>"}]
        });
        let text = render(Template::QuadletUnit, &values);
        assert!(text.contains("Description=<&\"'>\n"), "{text}");
    }
}
