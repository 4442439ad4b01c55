//! `docs/description.md`, the reference of the description: made from the JSON Schema, and current.

use std::fmt::Write;

use serde_json::{Map, Value};

use crate::support::{Expected, path};

const OPENING: &str = "\
# The description: `cluster.json`

Made from the JSON Schema (`cops-gen schema`), so it says exactly what is read. Names are
snake_case, unknown keys are errors, maps are keyed by name, and lists keep no order unless the
text says so. A field without **needed** may be left out. Rules between fields are explained one by
one: `cops-gen explain` lists them, `cops-gen explain CODE` says why each is there. A default that
depends on the edition says so: [editions.md](editions.md).
";

#[test]
fn the_reference_says_what_the_schema_says() {
    let schema: Value = serde_json::from_str(&cops_gen::schema::text()).unwrap();
    let mut text = OPENING.to_owned();
    section(&mut text, "The file", &schema);
    for (name, definition) in object(&schema, "$defs") {
        section(&mut text, name, definition);
    }
    let mut expected = Expected::default();
    expected.compare(&path("docs/description.md"), &text);
    expected.compare(
        &path("modules/cluster.schema.json"),
        &cops_gen::schema::text(),
    );
    expected.finish();
}

fn object<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = (&'v String, &'v Value)> {
    value
        .get(key)
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(Map::iter)
}

/// One heading per definition: a table of fields, or a table of words.
fn section(text: &mut String, name: &str, definition: &Value) {
    write!(text, "\n## {name}\n\n{}\n\n", prose(definition)).unwrap();
    if definition.get("properties").is_some() {
        text.push_str("| field | value | meaning |\n|---|---|---|\n");
        for (field, schema) in object(definition, "properties") {
            let is_needed = definition["required"]
                .as_array()
                .is_some_and(|needed| needed.iter().any(|it| it.as_str() == Some(field)));
            let needed = if is_needed { ", **needed**" } else { "" };
            writeln!(
                text,
                "| `{field}` | {}{needed} | {} |",
                kind(schema),
                prose(schema)
            )
            .unwrap();
        }
    } else if let Some(words) = definition["oneOf"].as_array() {
        text.push_str("| word | meaning |\n|---|---|\n");
        for word in words {
            writeln!(
                text,
                "| `{}` | {} |",
                word["const"].as_str().unwrap(),
                prose(word)
            )
            .unwrap();
        }
    } else {
        writeln!(text, "Written as {}.", kind(definition)).unwrap();
    }
}

fn prose(schema: &Value) -> String {
    schema["description"]
        .as_str()
        .unwrap_or_default()
        .replace('\n', " ")
}

/// Says in words what a value looks like.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.trim_start_matches("#/$defs/");
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let choices = choices.iter().filter(|choice| choice["type"] != "null");
        return choices.map(kind).collect::<Vec<_>>().join(" or ");
    }
    let names: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => vec![],
    };
    let words: Vec<String> = names
        .into_iter()
        .filter(|name| *name != "null")
        .map(|name| match name {
            "array" => format!("list of {}", kind(&schema["items"])),
            "object" => format!("map of name to {}", kind(&schema["additionalProperties"])),
            "integer" => whole_number(schema),
            other => other.to_owned(),
        })
        .collect();
    words.join(" or ")
}

fn whole_number(schema: &Value) -> String {
    match schema["maximum"].as_u64() {
        Some(most) => format!("whole number to {most}"),
        None => "whole number".to_owned(),
    }
}
