//! The configuration as a tree whose every node knows where it was written.

use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Serialize, Serializer};

/// A place in a source of configuration.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Location {
    /// The file's name as it was given, `--set`, or `default`.
    pub source: Arc<str>,
    /// From 1; 0 if the source has no lines.
    pub line: u32,
    /// In characters, from 1; 0 if the source has no lines.
    pub column: u32,
}

impl Location {
    /// A place in a source without lines.
    pub fn nowhere(source: &str) -> Self {
        Self { source: source.into(), line: 0, column: 0 }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            f.write_str(&self.source)
        } else {
            write!(f, "{}:{}:{}", self.source, self.line, self.column)
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it starts.
    pub location: Location,
    /// The text of the substitution that this number, boolean or nothing came from: what a field that wants text gets,
    /// so that `${env:PASSWORD}` is text even if it looks like a number.
    pub written: Option<Arc<str>>,
}

/// A value of the configuration.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing: `key:` without a value.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    String(String),
    /// A list.
    List(Vec<Node>),
    /// Keys, each with its own place, in the order in which they were written.
    Map(IndexMap<String, (Location, Node)>),
}

impl Serialize for Node {
    /// For people: the values without their places, in the order in which they were written.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            // A field that wants text gets `0123`, not 83.
            Value::Int(value) if self.written.as_ref().is_some_and(|text| **text != *value.to_string()) => {
                serializer.collect_str(self.written.as_deref().unwrap_or_default())
            }
            Value::Int(value) => serializer.serialize_i64(*value),
            Value::Float(value) => serializer.serialize_f64(*value),
            Value::String(text) => serializer.serialize_str(text),
            Value::List(nodes) => serializer.collect_seq(nodes),
            Value::Map(map) => serializer.collect_map(map.iter().map(|(key, (_, node))| (key, node))),
        }
    }
}

impl Node {
    /// A value without a place.
    pub fn new(value: Value, location: Location) -> Self {
        Self { value, location, written: None }
    }

    /// The value under `key`, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(map) => map.get(key).map(|(_, node)| node),
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::List(_) => None,
        }
    }

    /// The same tree, all of it at one place.
    #[must_use]
    pub fn at(self, location: &Location) -> Self {
        let value = match self.value {
            Value::List(nodes) => Value::List(nodes.into_iter().map(|node| node.at(location)).collect()),
            Value::Map(map) => Value::Map(
                map.into_iter()
                    .map(|(key, (_, node))| (key, (location.clone(), node.at(location))))
                    .collect(),
            ),
            value => value,
        };
        Self { value, location: location.clone(), written: self.written }
    }

    /// Whether both hold the same values, wherever these were written.
    pub fn is_same_as(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Value::List(mine), Value::List(theirs)) => {
                mine.len() == theirs.len()
                    && mine.iter().zip(theirs).all(|(mine, theirs)| mine.is_same_as(theirs))
            }
            (Value::Map(mine), Value::Map(theirs)) => {
                mine.len() == theirs.len()
                    && mine.iter().all(|(key, (_, node))| {
                        theirs.get(key).is_some_and(|(_, other)| node.is_same_as(other))
                    })
            }
            (mine, theirs) => mine == theirs && self.written == other.written,
        }
    }

    /// What kind of value it is, for messages: `a number`, `a map`.
    pub const fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Int(_) | Value::Float(_) => "a number",
            Value::String(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// The same tree without places.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Int(value) => (*value).into(),
            Value::Float(value) => (*value).into(),
            Value::String(value) => value.as_str().into(),
            Value::List(nodes) => nodes.iter().map(Self::to_json).collect(),
            Value::Map(map) => map.iter().map(|(key, (_, node))| (key.clone(), node.to_json())).collect(),
        }
    }
}
