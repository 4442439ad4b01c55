//! Writes YAML that people review, and that YAML 1.1 readers (PyYAML, go-yaml) and YAML 1.2 readers read alike.

use serde::Serialize;

/// Writes `value` as block-style YAML, two spaces deep, with a final newline.
pub fn to_yaml<T: Serialize>(value: &T) -> String {
    let options = serde_saphyr::ser_options! {
        compact_list_indent: true,
        prefer_block_scalars: false,
    };
    match serde_saphyr::to_string_with_options(value, options) {
        Ok(text) => text,
        Err(error) => bug(&error),
    }
}

#[expect(
    clippy::panic,
    reason = "a value that YAML can't hold is a bug in cops-gen, not a user's mistake"
)]
fn bug(error: &dyn std::fmt::Display) -> ! {
    panic!("bug in cops-gen, please report it: writing YAML: {error}")
}
