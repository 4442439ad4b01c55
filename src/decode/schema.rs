//! What the schema of a type says of the objects in a file: serde names only the first field that is missing.

use schemars::JsonSchema;
use serde_json::Value;

use super::fault::Required;
use crate::pointer::Pointer;

/// The schema of the type that a file is read into.
pub(super) struct Schema(Value);

impl Schema {
    pub(super) fn of<T: JsonSchema>() -> Self {
        Self(schemars::schema_for!(T).to_value())
    }

    /// Returns the fields, in their order, needed by the object at `pointer` that needs the field `first`.
    pub(super) fn required(&self, pointer: &Pointer, first: Required) -> Vec<Required> {
        let mut schemas = self.alternatives(&self.0);
        for segment in pointer.segments() {
            let children = schemas.into_iter().filter_map(|at| child(at, &segment));
            schemas = children.flat_map(|at| self.alternatives(at)).collect();
        }
        let mut all = schemas.into_iter().map(needed);
        all.find(|fields| fields.iter().any(|needed| needed.field == first.field))
            .unwrap_or_else(|| vec![first])
    }

    /// Follows references and lists the forms that a value may have.
    fn alternatives<'a>(&'a self, schema: &'a Value) -> Vec<&'a Value> {
        if let Some(reference) = schema["$ref"].as_str() {
            let target = self.0.pointer(reference.trim_start_matches('#'));
            return target.map_or_else(Vec::new, |target| self.alternatives(target));
        }
        let forms = ["anyOf", "oneOf"].map(|key| schema[key].as_array());
        match forms.into_iter().flatten().next() {
            Some(forms) => forms.iter().flat_map(|at| self.alternatives(at)).collect(),
            None => vec![schema],
        }
    }
}

/// Returns the schema of a member or element.
fn child<'a>(schema: &'a Value, segment: &str) -> Option<&'a Value> {
    let known = schema["properties"].get(segment);
    let any = ["additionalProperties", "items"].map(|key| schema.get(key));
    known.or_else(|| any.into_iter().flatten().next())
}

fn needed(schema: &Value) -> Vec<Required> {
    let fields = schema["required"].as_array().into_iter().flatten();
    let fields = fields.filter_map(Value::as_str);
    let description = |field| child(schema, field)?.get("description")?.as_str();
    fields
        .map(|field| Required {
            field: field.to_owned(),
            description: description(field).map(ToOwned::to_owned),
        })
        .collect()
}
