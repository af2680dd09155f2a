//! Names of parts of an entry: `body`, `body.user.name`, `attributes["log.file.path"]`, `resource.host`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::entry::{Entry, Map, Value};

/// The name of a part of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Field {
    root: Root,
    keys: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Root {
    Body,
    Attributes,
    Resource,
}

/// Why a text is no field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a field: write `body`, `attributes` or `resource` and keys, such as `attributes[\"a.b\"].c`"
)]
pub struct InvalidField(String);

/// Keys deeper than this are refused, as values are.
const MAX_KEYS: usize = 16;

impl Field {
    /// The whole body.
    pub(super) const fn body() -> Self {
        Self { root: Root::Body, keys: Vec::new() }
    }

    /// All attributes.
    pub(super) const fn attributes() -> Self {
        Self { root: Root::Attributes, keys: Vec::new() }
    }

    /// One attribute.
    pub(super) fn attribute(key: &str) -> Self {
        Self { root: Root::Attributes, keys: vec![key.to_owned()] }
    }

    /// Whether it is all attributes.
    pub(super) fn is_attributes(&self) -> bool {
        self.root == Root::Attributes && self.keys.is_empty()
    }

    /// Whether it is all attributes, or the whole resource.
    pub(super) fn is_root_map(&self) -> bool {
        self.root != Root::Body && self.keys.is_empty()
    }

    /// The value, if there is one. All attributes together have no value that could be borrowed; see
    /// [`Field::read`].
    pub(super) fn get<'a>(&self, entry: &'a Entry) -> Option<&'a Value> {
        let (map, keys) = match (self.root, self.keys.split_first()) {
            (Root::Body, _) => return descend(&entry.body, &self.keys),
            (_, None) => return None,
            (Root::Attributes, Some((first, rest))) => (entry.attributes.get(first), rest),
            (Root::Resource, Some((first, rest))) => (entry.resource.get(first), rest),
        };
        descend(map?, keys)
    }

    /// The value, copied.
    pub(super) fn read(&self, entry: &Entry) -> Option<Value> {
        match (self.root, self.keys.is_empty()) {
            (Root::Attributes, true) => Some(Value::Map(entry.attributes.clone())),
            (Root::Resource, true) => Some(Value::Map(entry.resource.as_ref().clone())),
            _ => self.get(entry).cloned(),
        }
    }

    /// Sets the value, making what leads to it. Values with names are added to all attributes one by one.
    pub(super) fn set(&self, entry: &mut Entry, value: Value) {
        let map = match self.root {
            Root::Body if self.keys.is_empty() => {
                entry.body = value;
                return;
            }
            Root::Body => as_map(&mut entry.body),
            Root::Attributes => &mut entry.attributes,
            Root::Resource => Arc::make_mut(&mut entry.resource),
        };
        let Some((last, keys)) = self.keys.split_last() else {
            if let Value::Map(values) = value {
                map.merge(values);
            }
            return;
        };
        let map = keys.iter().fold(map, |map, key| as_map(map.get_or_default(key)));
        map.insert(last.as_str().into(), value);
    }

    /// Takes the value out.
    pub(super) fn remove(&self, entry: &mut Entry) -> Option<Value> {
        let map = match self.root {
            Root::Body if self.keys.is_empty() => return Some(std::mem::take(&mut entry.body)),
            Root::Body => match &mut entry.body {
                Value::Map(map) => map,
                _ => return None,
            },
            Root::Attributes => &mut entry.attributes,
            Root::Resource => Arc::make_mut(&mut entry.resource),
        };
        let Some((last, keys)) = self.keys.split_last() else { return Some(Value::Map(std::mem::take(map))) };
        let mut map = map;
        for key in keys {
            match map.get_mut(key) {
                Some(Value::Map(inner)) => map = inner,
                _ => return None,
            }
        }
        map.remove(last)
    }
}

fn descend<'a>(value: &'a Value, keys: &[String]) -> Option<&'a Value> {
    keys.iter().try_fold(value, |value, key| match value {
        Value::Map(map) => map.get(key),
        _ => None,
    })
}

fn as_map(value: &mut Value) -> &mut Map {
    match value {
        Value::Map(map) => map,
        other => {
            *other = Value::Map(Map::default());
            as_map(other)
        }
    }
}

impl FromStr for Field {
    type Err = InvalidField;

    fn from_str(text: &str) -> Result<Self, InvalidField> {
        let invalid = || InvalidField(text.to_owned());
        let trimmed = text.trim();
        let trimmed = trimmed.strip_prefix('$').unwrap_or(trimmed);
        let end = trimmed.find(['.', '[']).unwrap_or(trimmed.len());
        let root = match &trimmed[..end] {
            "body" => Root::Body,
            "attributes" => Root::Attributes,
            "resource" => Root::Resource,
            _ => return Err(invalid()),
        };
        let mut rest = &trimmed[end..];
        let mut keys = Vec::new();
        while !rest.is_empty() {
            if keys.len() == MAX_KEYS {
                return Err(invalid());
            }
            if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                keys.push(after[..end].to_owned());
                rest = &after[end..];
            } else {
                let after = rest.strip_prefix('[').ok_or_else(invalid)?;
                let quote = after.chars().next().filter(|c| matches!(c, '"' | '\'')).ok_or_else(invalid)?;
                let end = after[1..].find(quote).ok_or_else(invalid)? + 1;
                keys.push(after[1..end].to_owned());
                rest = after[end + 1..].strip_prefix(']').ok_or_else(invalid)?;
            }
            if keys.last().is_none_or(String::is_empty) {
                return Err(invalid());
            }
        }
        Ok(Self { root, keys })
    }
}

impl TryFrom<String> for Field {
    type Error = InvalidField;

    fn try_from(text: String) -> Result<Self, InvalidField> {
        text.parse()
    }
}

impl From<Field> for String {
    fn from(field: Field) -> Self {
        field.to_string()
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.root {
            Root::Body => "body",
            Root::Attributes => "attributes",
            Root::Resource => "resource",
        })?;
        for key in &self.keys {
            if key.contains(['.', '[', '"', '\'']) {
                let quote = if key.contains('"') { '\'' } else { '"' };
                write!(f, "[{quote}{key}{quote}]")?;
            } else {
                write!(f, ".{key}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_written_as_it_was_read() {
        for text in ["body", "body.a.b", "attributes[\"log.file.path\"]", "resource.host['a\"b'].c"] {
            let field: Field = text.parse().unwrap();
            assert_eq!(field.to_string().parse(), Ok(field), "{text}");
        }
        for text in
            ["", "boddy", "body.", "body[", "body[a]", "body[\"\"]", "attributes[\"a\"", "body[\"a\"]b"]
        {
            assert!(text.parse::<Field>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_set_is_read_and_removed_once() {
        let mut entry = Entry { body: "text".into(), ..Entry::default() };
        let field: Field = "body.a.b".parse().unwrap();
        field.set(&mut entry, Value::Int(1));
        assert_eq!(field.get(&entry), Some(&Value::Int(1)));
        assert_eq!(field.remove(&mut entry), Some(Value::Int(1)));
        assert_eq!(field.remove(&mut entry), None);
        Field::attributes().set(&mut entry, Value::Map(Map::from_iter([("k".into(), "v".into())])));
        assert_eq!(entry.attributes["k"], "v".into());
    }
}
