//! The tree a Compose file becomes: every key and value knows where it stands and how it was written. What it means is decided elsewhere.

use crate::diagnostic::{Diagnostic, Position};
use indexmap::IndexMap;
use std::sync::Arc;

/// A value and where it came from.
#[derive(Debug, Clone)]
pub struct Node {
    /// The value itself.
    pub value: Value,
    /// Where it begins.
    pub position: Position,
    /// Characters it takes on its first line; at least 1.
    pub width: u32,
    /// `!reset` or `!override`; other tags were applied when the file was read.
    pub tag: Option<Tag>,
    /// The text as written, where it has variables; a long form that was made of such a text keeps it too.
    pub raw: Option<Arc<str>>,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other finite number.
    Float(f64),
    /// Text.
    String(String),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values, in the file's order.
    Mapping(Mapping),
}

/// Compose's two tags for merging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// The key is deleted, in the files before as well.
    Reset,
    /// The value replaces the one of the files before.
    Override,
}

/// Keys with their place, and values, in the file's order.
#[derive(Debug, Clone, Default)]
pub struct Mapping {
    entries: IndexMap<String, Entry>,
}

/// One key of a mapping with its value.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Where the key stands.
    pub key_position: Position,
    /// The key as written, where it was made of a text with variables (`depends_on: [$DB]`); keys themselves are not interpolated.
    pub key_raw: Option<Arc<str>>,
    /// Its value.
    pub value: Node,
}

/// Two nodes are equal when they say the same; where they stand does not count.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// The order of keys does not count.
impl PartialEq for Mapping {
    fn eq(&self, other: &Self) -> bool {
        self.entries.len() == other.entries.len()
            && self
                .iter()
                .all(|(key, entry)| other.get(key) == Some(&entry.value))
    }
}

impl Node {
    /// A node at a place.
    pub fn new(value: Value, position: Position) -> Self {
        Self {
            value,
            position,
            width: 1,
            tag: None,
            raw: None,
        }
    }

    /// A text at the place of another node.
    pub fn string_at(text: impl Into<String>, place: &Node) -> Self {
        Self {
            width: place.width,
            ..Self::new(Value::String(text.into()), place.position.clone())
        }
    }

    /// An empty mapping at the place of another node.
    pub fn mapping_at(place: &Node) -> Self {
        Self {
            width: place.width,
            ..Self::new(Value::Mapping(Mapping::default()), place.position.clone())
        }
    }

    /// An error about this node.
    pub fn error(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(&self.position, message).with_width(self.width)
    }

    /// A warning about this node.
    pub fn warning(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::warning(&self.position, message).with_width(self.width)
    }

    /// The value of a key, where this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_mapping().and_then(|mapping| mapping.get(key))
    }

    /// The value at the end of a path of keys.
    pub fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The text, where this is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value, where this is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self.value {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The items, where this is a list.
    pub fn as_sequence(&self) -> Option<&[Node]> {
        match &self.value {
            Value::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The mapping, where this is one.
    pub fn as_mapping(&self) -> Option<&Mapping> {
        match &self.value {
            Value::Mapping(mapping) => Some(mapping),
            _ => None,
        }
    }

    /// The mapping, where this is one.
    pub fn as_mapping_mut(&mut self) -> Option<&mut Mapping> {
        match &mut self.value {
            Value::Mapping(mapping) => Some(mapping),
            _ => None,
        }
    }

    /// Is it `null`?
    pub fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// A scalar as text, the way it would stand in an environment; `None` for `null`, lists and mappings.
    pub fn scalar_text(&self) -> Option<String> {
        match &self.value {
            Value::String(text) => Some(text.clone()),
            Value::Bool(value) => Some(value.to_string()),
            Value::Int(value) => Some(value.to_string()),
            Value::Float(value) => Some(value.to_string()),
            Value::Null | Value::Sequence(_) | Value::Mapping(_) => None,
        }
    }

    /// A scalar as it was written, variables not filled in; `None` for `null`, lists and mappings.
    pub fn written_text(&self) -> Option<String> {
        match &self.raw {
            Some(raw) => Some(raw.to_string()),
            None => self.scalar_text(),
        }
    }

    /// The kind of value, in YAML's words.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Int(_) => "integer",
            Value::Float(_) => "number",
            Value::String(_) => "string",
            Value::Sequence(_) => "list",
            Value::Mapping(_) => "mapping",
        }
    }

    /// How much room this tree takes: a value counts one, and one more for each KiB of text.
    pub(crate) fn weight(&self) -> usize {
        1 + match &self.value {
            Value::String(text) => text.len() / 1024,
            Value::Sequence(items) => items.iter().map(Self::weight).sum(),
            Value::Mapping(mapping) => mapping.iter().map(|(_, entry)| entry.value.weight()).sum(),
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => 0,
        }
    }

    /// As JSON; keys in the tree's order.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Int(value) => (*value).into(),
            Value::Float(value) => (*value).into(),
            Value::String(text) => text.as_str().into(),
            Value::Sequence(items) => items.iter().map(Self::to_json).collect(),
            Value::Mapping(mapping) => serde_json::Value::Object(
                mapping
                    .iter()
                    .map(|(key, entry)| (key.clone(), entry.value.to_json()))
                    .collect(),
            ),
        }
    }

    /// The same with every `$` of its texts doubled, so that what is printed of it can be loaded again.
    #[must_use]
    pub fn escaped(&self) -> Self {
        let mut copy = self.clone();
        copy.escape();
        copy
    }

    fn escape(&mut self) {
        match &mut self.value {
            Value::String(text) => *text = text.replace('$', "$$"),
            Value::Sequence(items) => items.iter_mut().for_each(Self::escape),
            Value::Mapping(mapping) => mapping
                .iter_mut()
                .for_each(|(_, entry)| entry.value.escape()),
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => {}
        }
    }

    /// As canonical YAML: keys sorted, two spaces a level.
    pub fn to_yaml(&self) -> String {
        crate::yaml_text::print(self)
    }
}

impl Mapping {
    /// Keys and entries in the file's order.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Entry)> {
        self.entries.iter()
    }

    /// Keys and entries in the file's order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&String, &mut Entry)> {
        self.entries.iter_mut()
    }

    /// Keys in the file's order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries.get(key).map(|entry| &entry.value)
    }

    /// The value of a key.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.entries.get_mut(key).map(|entry| &mut entry.value)
    }

    /// The key's place and its value.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// Sets a key; an existing one keeps its rank.
    pub fn insert(&mut self, key: impl Into<String>, entry: Entry) {
        self.entries.insert(key.into(), entry);
    }

    /// Sets a key whose place is that of its value.
    pub fn set(&mut self, key: impl Into<String>, value: Node) {
        let key_position = value.position.clone();
        self.insert(
            key,
            Entry {
                key_position,
                key_raw: None,
                value,
            },
        );
    }

    /// Replaces the value of a key and leaves the key where it stands.
    pub fn set_value(&mut self, key: &str, value: Node) {
        match self.entries.get_mut(key) {
            Some(entry) => entry.value = value,
            None => self.set(key, value),
        }
    }

    /// Takes a key out; the order of the others stays.
    pub fn remove(&mut self, key: &str) -> Option<Entry> {
        self.entries.shift_remove(key)
    }

    /// Keeps the entries for which `keep` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &mut Entry) -> bool) {
        self.entries.retain(|key, entry| keep(key, entry));
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Has it no key?
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl IntoIterator for Mapping {
    type Item = (String, Entry);
    type IntoIter = indexmap::map::IntoIter<String, Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl FromIterator<(String, Entry)> for Mapping {
    fn from_iter<T: IntoIterator<Item = (String, Entry)>>(entries: T) -> Self {
        Self {
            entries: entries.into_iter().collect(),
        }
    }
}
