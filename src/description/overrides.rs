//! Drop-ins for generated units.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::unique_map::UniqueMap;

/// Overrides by unit file (`patroni-app-main.container`), section (`Container`) and key.
pub type Overrides = UniqueMap<UniqueMap<UniqueMap<OverrideValue>>>;

/// The value of an overridden key: one line, or a list of lines of the same key, each as the
/// unit file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverrideValue(pub Box<[String]>);

impl<'de> Deserialize<'de> for OverrideValue {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = OverrideValue;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or a list of strings")
            }
            fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
                Ok(OverrideValue([value.to_owned()].into()))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                seq: A,
            ) -> Result<Self::Value, A::Error> {
                Deserialize::deserialize(serde::de::value::SeqAccessDeserializer::new(seq))
                    .map(OverrideValue)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for OverrideValue {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "OverrideValue".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "One line of the key, or a list of lines, each as the unit file has it.",
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }]
        })
    }
}
