//! A value that is written as a string where its object form would have one field.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// A `T` that may be written as a string. Unlike an untagged enum it keeps the place of errors.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shorthand<T> {
    value: T,
    is_object: bool,
}

impl<T> Shorthand<T> {
    /// Whether it was written as an object.
    pub fn is_object(&self) -> bool {
        self.is_object
    }
}

impl<T> Deref for Shorthand<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

struct StringOrObject<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + From<String>> Visitor<'de> for StringOrObject<T> {
    type Value = Shorthand<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an object")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Shorthand {
            value: T::from(text.to_owned()),
            is_object: false,
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let value = T::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Shorthand {
            value,
            is_object: true,
        })
    }
}

impl<'de, T: Deserialize<'de> + From<String>> Deserialize<'de> for Shorthand<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StringOrObject(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Shorthand<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("StringOr{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string" }, generator.subschema_for::<T>()] })
    }
}
