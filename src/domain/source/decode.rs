//! [`Node`]s into typed values through serde, with a place for every error and as many errors as can be told at once.
//!
//! The format stands in one place, the serde types: this reads what serde says is wrong and where. After an unknown
//! field or a wrong optional one, the field is put aside and the rest is looked at again.

use serde::de::{self, DeserializeOwned, IntoDeserializer};

use super::fault::SourceError;
use super::nearest;
use super::node::{Entry, Node, Place, SourceName, Value};

/// More errors in one value than anybody mends at once.
const MOST: usize = 20;

/// The value of a node, or everything that is wrong with it. `what` names the thing in errors, as in `a task`.
pub(crate) fn decode<T: DeserializeOwned>(node: &Node, what: &str) -> Result<T, Vec<SourceError>> {
    let mut errors: Vec<SourceError> = Vec::new();
    let mut node = node.clone();
    // Fields that are missing only because they were put aside or mistyped: no errors of their own.
    let mut excused: Vec<String> = Vec::new();
    loop {
        let fault = match T::deserialize(&node) {
            Ok(value) if errors.is_empty() => return Ok(value),
            Ok(_) => return Err(errors),
            Err(fault) => fault,
        };
        let place = fault.place.unwrap_or(node.place);
        let source = fault.source.clone().unwrap_or_else(|| node.source.clone());
        let (said, mend) = fault.words(&node, what);
        let error = SourceError::new(&source, place, said, mend);
        let again = !errors.contains(&error) && errors.len() < MOST;
        match &fault.kind {
            Kind::Missing(field) if excused.iter().any(|e| e == field) => {}
            Kind::Unknown { field, known } => {
                excused.extend(nearest(field, known.iter().copied()).map(str::to_owned));
                errors.push(error);
            }
            _ => {
                excused.extend(fault.key.clone());
                errors.push(error);
            }
        }
        if !again || !put_aside(&mut node, &fault) {
            return Err(errors);
        }
    }
}

/// Takes the field an error is about out of the tree.
fn put_aside(node: &mut Node, fault: &Fault) -> bool {
    let (Some(key), Value::Map(entries)) = (&fault.key, &mut node.value) else { return false };
    let before = entries.len();
    match fault.path.first() {
        Some(first) if first != key => {
            entries.iter_mut().any(|e| e.key == *first && put_aside(&mut e.node, &fault.below()))
                || remove(entries, first, before)
        }
        _ => remove(entries, key, before),
    }
}

fn remove(entries: &mut Vec<Entry>, key: &str, before: usize) -> bool {
    entries.retain(|e| e.key != key);
    entries.len() < before
}

/// What serde found wrong.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    kind: Kind,
    /// Where; the value's start when nothing nearer is known.
    place: Option<Place>,
    source: Option<SourceName>,
    /// The field it is about.
    key: Option<String>,
    /// The keys on the way down to it.
    path: Vec<String>,
}

#[derive(Clone, Debug)]
enum Kind {
    Unknown { field: String, known: &'static [&'static str] },
    Missing(&'static str),
    Type { expected: String },
    Variant { found: String, known: &'static [&'static str] },
    Other(String),
}

impl Fault {
    fn new(kind: Kind) -> Self {
        Self { kind, place: None, source: None, key: None, path: Vec::new() }
    }

    /// With a place, unless it has a nearer one.
    fn at(mut self, place: Place, source: &SourceName) -> Self {
        self.place.get_or_insert(place);
        self.source.get_or_insert_with(|| source.clone());
        self
    }

    fn under(mut self, entry: &Entry) -> Self {
        self.path.insert(0, entry.key.clone());
        self.key.get_or_insert_with(|| entry.key.clone());
        self
    }

    fn below(&self) -> Self {
        let mut below = self.clone();
        below.path.remove(0);
        below.key = below.path.last().cloned().or(below.key);
        below
    }

    /// What is wrong and how to mend it.
    fn words(&self, root: &Node, what: &str) -> (String, String) {
        let key = self.path.last();
        match &self.kind {
            Kind::Unknown { field, known } => {
                let mend = match nearest(field, known.iter().copied()) {
                    Some(name) => format!("did you mean `{name}`?"),
                    None => format!("use one of: {}", known.join(", ")),
                };
                let place = self.path.iter().rev().nth(1).map_or_else(|| what.to_owned(), |k| format!("`{k}`"));
                (format!("`{field}` is no field of {place}"), mend)
            }
            Kind::Missing(field) => {
                let place = key.map_or_else(|| what.to_owned(), |k| format!("`{k}`"));
                (format!("{place} has no `{field}`"), format!("add `{field}: …`").replace(": …", &assign(root)))
            }
            Kind::Type { expected } => {
                let found = self.node(root).map_or_else(|| "something else".into(), Node::kind);
                let name = key.map_or_else(|| what.to_owned(), |k| format!("`{k}`"));
                (format!("{name} is {found}, and {expected} is expected"), format!("write {expected}"))
            }
            Kind::Variant { found, known } => {
                let name = key.map_or_else(|| what.to_owned(), |k| format!("`{k}`"));
                let mend = match nearest(found, known.iter().copied()) {
                    Some(near) => format!("did you mean {near}? It is one of: {}", known.join(", ")),
                    None => format!("use one of: {}", known.join(", ")),
                };
                (format!("{name} can't be `{found}`"), mend)
            }
            Kind::Other(message) => self.id_words(message, root, key),
        }
    }

    /// Errors of ids carry their mend in the message; a slug is added, which is surer than a rule.
    fn id_words(&self, message: &str, root: &Node, key: Option<&String>) -> (String, String) {
        let name = key.map(|k| format!("`{k}`: ")).unwrap_or_default();
        let slug = self.node(root).and_then(Node::text).map(crate::domain::protocol::Name::slug);
        match (message.split_once("; use "), slug) {
            (Some((what, rule)), Some(slug)) => (format!("{name}{what}"), format!("use {rule}, as in {slug}")),
            (Some((what, rule)), None) => (format!("{name}{what}"), format!("use {rule}")),
            (None, _) => (format!("{name}{message}"), "correct the value".into()),
        }
    }

    fn node<'a>(&self, root: &'a Node) -> Option<&'a Node> {
        let place = self.place?;
        fn find(node: &Node, place: Place) -> Option<&Node> {
            if node.place == place && !matches!(node.value, Value::Map(_)) {
                return Some(node);
            }
            let inner = node.items().iter().chain(node.entries().iter().map(|e| &e.node));
            inner.into_iter().find_map(|n| find(n, place))
        }
        find(root, place).or_else(|| self.path.iter().try_fold(root, |node, key| node.get(key)))
    }
}

/// How a value is given in the language of the file: TOML writes `=`.
fn assign(root: &Node) -> String {
    if root.source.ends_with(".toml") { " = …".into() } else { ": …".into() }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.kind)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::new(Kind::Other(message.to_string()))
    }
    fn invalid_type(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(Kind::Type { expected: plain(&expected.to_string()) })
    }
    fn invalid_value(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(Kind::Type { expected: plain(&expected.to_string()) })
    }
    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Kind::Variant { found: variant.to_owned(), known: expected })
    }
    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Kind::Unknown { field: field.to_owned(), known: expected })
    }
    fn missing_field(field: &'static str) -> Self {
        Self::new(Kind::Missing(field))
    }
}

/// serde's names of types in words for people.
fn plain(expected: &str) -> String {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a string" | "a borrowed string" => "text",
        "a boolean" => "true or false",
        "a sequence" => "a list, as in [a, b]",
        "a map" => "a group of named values",
        "an id" => "a name, as in my-task",
        other if other.starts_with("struct ") => "a group of named values",
        other if other.starts_with("enum ") || other.contains("variant") => "one of its words",
        other => other,
    }
    .to_owned()
}

struct Map<'a> {
    entries: std::slice::Iter<'a, Entry>,
    current: Option<&'a Entry>,
}

impl<'de> de::MapAccess<'de> for Map<'_> {
    type Error = Fault;
    fn next_key_seed<K: de::DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        self.current = self.entries.next();
        let Some(entry) = self.current else { return Ok(None) };
        let key = seed.deserialize(entry.key.as_str().into_deserializer());
        key.map(Some).map_err(|fault: Fault| fault.at(entry.place, &entry.node.source).under(entry))
    }
    fn next_value_seed<V: de::DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let Some(entry) = self.current else { return Err(de::Error::custom("a value without a key")) };
        seed.deserialize(&entry.node).map_err(|fault| fault.at(entry.node.place, &entry.node.source).under(entry))
    }
}

struct Items<'a>(std::slice::Iter<'a, Node>);

impl<'de> de::SeqAccess<'de> for Items<'_> {
    type Error = Fault;
    fn next_element_seed<T: de::DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(node) = self.0.next() else { return Ok(None) };
        seed.deserialize(node).map(Some).map_err(|fault| fault.at(node.place, &node.source))
    }
}

impl<'de> de::Deserializer<'de> for &Node {
    type Error = Fault;

    fn deserialize_any<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let result = match &self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(b) => visitor.visit_bool(*b),
            Value::Integer(n) => visitor.visit_i64(*n),
            Value::Float(n) => visitor.visit_f64(*n),
            Value::Text(text) => visitor.visit_str(text),
            Value::List(items) => visitor.visit_seq(Items(items.iter())),
            Value::Map(entries) => visitor.visit_map(Map { entries: entries.iter(), current: None }),
        };
        result.map_err(|fault: Fault| match fault.kind {
            // A missing field has no place but that of the thing itself.
            Kind::Missing(_) | Kind::Type { .. } | Kind::Other(_) => fault.at(self.place, &self.source),
            _ => fault,
        })
    }

    fn deserialize_option<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    /// A text that YAML took for a number (`goal: 42`, `id: 7`) is text where text is wanted.
    fn deserialize_string<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value {
            Value::Integer(n) => visitor.visit_str(&n.to_string()),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_str<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_string(visitor)
    }

    fn deserialize_enum<V: de::Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.value {
            Value::Text(word) => {
                let word: de::value::StrDeserializer<'_, Fault> = word.as_str().into_deserializer();
                visitor.visit_enum(word).map_err(|fault: Fault| fault.at(self.place, &self.source))
            }
            Value::Map(entries) if entries.len() == 1 => visitor
                .visit_enum(de::value::MapAccessDeserializer::new(Map { entries: entries.iter(), current: None })),
            _ => Err(Fault::new(Kind::Type { expected: "one word".into() }).at(self.place, &self.source)),
        }
    }

    fn deserialize_newtype_struct<V: de::Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}
