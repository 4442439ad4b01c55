//! The JSON Schema of the description, generated from its types.

use schemars::generate::SchemaSettings;

use crate::description::Description;

/// Returns the schema's text, pretty, with a final newline.
pub fn text() -> String {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let schema = generator.into_root_schema_for::<Description>();
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
