//! A serde reader of the tree of values: it knows where it is, and it can leave values out.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer,
    MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::fault::{Fault, Kind};
use super::strict::Strict;
use crate::source::{Source, tree};

/// What is known of a file while its mistakes are searched.
pub(super) struct Walk<'de> {
    source: &'de Source,
    left_out: BTreeSet<usize>,
    /// Entries of maps that fit: a map's entries don't depend on each other, so they are read once, not each round.
    fitting: RefCell<BTreeSet<usize>>,
    is_last: bool,
}

impl<'de> Walk<'de> {
    pub(super) fn new(source: &'de Source) -> Self {
        Self {
            source,
            left_out: BTreeSet::new(),
            fitting: RefCell::default(),
            is_last: false,
        }
    }

    /// Looks for the next mistake; the value has only what wasn't looked at before.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        T::deserialize(Strict(self.value(tree::ROOT)))
    }

    /// Reads all that isn't left out.
    pub(super) fn read_whole<T: DeserializeOwned>(&mut self) -> Result<T, Fault> {
        self.is_last = true;
        self.read()
    }

    /// Leaves a value out from now on; `false` if it is already.
    pub(super) fn leave_out(&mut self, node: usize) -> bool {
        self.left_out.insert(node)
    }

    /// Returns the keys of the members of `node` that are left out.
    pub(super) fn left_out_children(&self, node: usize) -> impl Iterator<Item = &str> {
        let tree = self.source.tree();
        let below = self.left_out.range(node + 1..tree.after(node));
        below
            .filter(move |child| tree.get(**child).is_some_and(|child| child.parent == node))
            .filter_map(|child| tree.key(self.source.text(), *child))
    }

    /// Says whether anything in `node` is left out.
    pub(super) fn has_left_out(&self, node: usize) -> bool {
        self.left_out
            .range(node + 1..self.source.tree().after(node))
            .next()
            .is_some()
    }

    pub(super) fn into_left_out(self) -> BTreeSet<usize> {
        self.left_out
    }

    fn value(&self, node: usize) -> Value<'_> {
        Value { walk: self, node }
    }

    fn children(&self, node: usize) -> impl Iterator<Item = usize> {
        self.source
            .tree()
            .children(node)
            .filter(|child| !self.left_out.contains(child))
    }

    fn fits(&self, node: usize) -> bool {
        !self.is_last && self.fitting.borrow().contains(&node)
    }

    fn text(&self, node: usize) -> &str {
        let value = self.source.tree().get(node).map(|node| node.value.clone());
        value
            .and_then(|value| self.source.text().get(value))
            .unwrap_or_default()
    }
}

/// One value that is to be read.
#[derive(Clone, Copy)]
struct Value<'de> {
    walk: &'de Walk<'de>,
    node: usize,
}

impl<'de> Value<'de> {
    fn first_byte(self) -> u8 {
        self.walk.text(self.node).bytes().next().unwrap_or_default()
    }

    /// Reads a string; text without escapes is lent.
    fn string(self) -> Result<Cow<'de, str>, Fault> {
        let written = self.walk.text(self.node);
        let plain = written
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        match plain.filter(|plain| !plain.contains('\\')) {
            Some(plain) => Ok(Cow::Borrowed(plain)),
            None => serde_json::from_str(written)
                .map(Cow::Owned)
                .map_err(|_| Fault::custom("an escape in it stands for no character")),
        }
    }

    fn number<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let written = self.walk.text(self.node);
        if let Ok(number) = written.parse::<u64>() {
            return visitor.visit_u64(number);
        }
        if let Ok(number) = written.parse::<i64>() {
            return visitor.visit_i64(number);
        }
        match serde_json::from_str::<f64>(written) {
            Ok(number) => visitor.visit_f64(number),
            Err(_) => Err(Fault::invalid_value(Unexpected::Other(written), &visitor)),
        }
    }

    fn members<V: Visitor<'de>>(self, visitor: V, is_map: bool) -> Result<V::Value, Fault> {
        let children = Box::new(self.walk.children(self.node));
        visitor.visit_map(Members {
            walk: self.walk,
            children,
            member: self.node,
            is_map,
        })
    }

    fn elements<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let children = Box::new(self.walk.children(self.node));
        visitor.visit_seq(Elements {
            walk: self.walk,
            children,
        })
    }

    fn read<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.first_byte() {
            b'"' => match self.string()? {
                Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
                Cow::Owned(text) => visitor.visit_string(text),
            },
            b'{' => self.members(visitor, false),
            b'[' => self.elements(visitor),
            b't' => visitor.visit_bool(true),
            b'f' => visitor.visit_bool(false),
            b'n' => visitor.visit_unit(),
            _ => self.number(visitor),
        }
    }
}

impl<'de> Deserializer<'de> for Value<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.read(visitor)
            .map_err(|fault| fault.or_at(self.node, false))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.first_byte() == b'n' {
            return visitor.visit_none();
        }
        visitor
            .visit_some(self)
            .map_err(|fault| fault.or_at(self.node, false))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor
            .visit_newtype_struct(self)
            .map_err(|fault| fault.or_at(self.node, false))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.first_byte() != b'{' {
            return self.deserialize_any(visitor);
        }
        self.members(visitor, true)
            .map_err(|fault| fault.or_at(self.node, false))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let text = self.walk.text(self.node);
        let mut members = self.walk.children(self.node);
        let result = match (self.first_byte(), members.next(), members.next()) {
            (b'"', ..) => self.string().and_then(|word| {
                visitor.visit_enum(IntoDeserializer::<Fault>::into_deserializer(word))
            }),
            (b'{', Some(member), None) => visitor.visit_enum(Variant {
                walk: self.walk,
                member,
            }),
            (first, ..) => {
                let found = match first {
                    b'{' => "an object with other than one field".to_owned(),
                    b'[' => "a list".to_owned(),
                    _ => format!("`{text}`"),
                };
                let expected = one_of(variants);
                Err(Fault::new(Kind::WrongType { found, expected }))
            }
        };
        result.map_err(|fault| fault.or_at(self.node, false))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct struct identifier
    }
}

fn one_of(variants: &[&str]) -> String {
    let words: Vec<String> = variants.iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => "nothing".to_owned(),
    }
}

type Children<'de> = Box<dyn Iterator<Item = usize> + 'de>;

struct Elements<'de> {
    walk: &'de Walk<'de>,
    children: Children<'de>,
}

impl<'de> SeqAccess<'de> for Elements<'de> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Fault> {
        let Some(node) = self.children.next() else {
            return Ok(None);
        };
        let element = seed.deserialize(self.walk.value(node));
        element.map(Some).map_err(|fault| fault.or_at(node, false))
    }
}

struct Members<'de> {
    walk: &'de Walk<'de>,
    children: Children<'de>,
    /// The member whose key was read last.
    member: usize,
    is_map: bool,
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = Fault;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Fault> {
        let walk = self.walk;
        let Some(member) = self.children.find(|member| !walk.fits(*member)) else {
            return Ok(None);
        };
        self.member = member;
        let key = seed.deserialize(Key::of(walk, member));
        key.map(Some).map_err(|fault| fault.or_at(member, true))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let value = seed.deserialize(self.walk.value(self.member));
        if self.is_map && value.is_ok() {
            self.walk.fitting.borrow_mut().insert(self.member);
        }
        value.map_err(|fault| fault.or_at(self.member, false))
    }
}

/// A member's key that is to be read.
struct Key<'de>(&'de str);

impl<'de> Key<'de> {
    fn of(walk: &'de Walk<'de>, member: usize) -> Self {
        Self(
            walk.source
                .tree()
                .key(walk.source.text(), member)
                .unwrap_or_default(),
        )
    }
}

/// Reads numbers that are written as keys, as `serde_json` does.
macro_rules! read_numbers {
    ($($method:ident $visit:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            match self.0.parse() {
                Ok(number) => visitor.$visit(number),
                Err(_) => Err(Fault::invalid_type(Unexpected::Str(self.0), &visitor)),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_enum(BorrowedStrDeserializer::<Fault>::new(self.0))
    }

    read_numbers! {
        deserialize_u8 visit_u8 deserialize_u16 visit_u16 deserialize_u32 visit_u32
        deserialize_u64 visit_u64 deserialize_i8 visit_i8 deserialize_i16 visit_i16
        deserialize_i32 visit_i32 deserialize_i64 visit_i64
    }

    forward_to_deserialize_any! {
        bool i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// A variant with a value: an object with one member.
struct Variant<'de> {
    walk: &'de Walk<'de>,
    member: usize,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Fault> {
        let word = seed.deserialize(Key::of(self.walk, self.member));
        let member = self.member;
        word.map(|word| (word, self))
            .map_err(|fault| fault.or_at(member, true))
    }
}

impl<'de> Variant<'de> {
    fn value(&self) -> Value<'de> {
        self.walk.value(self.member)
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        serde::Deserialize::deserialize(self.value())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Fault> {
        seed.deserialize(self.value())
            .map_err(|fault| fault.or_at(self.member, false))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _length: usize, visitor: V) -> Result<V::Value, Fault> {
        self.value().deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.value().deserialize_any(visitor)
    }
}
