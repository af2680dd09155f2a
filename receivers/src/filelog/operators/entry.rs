//! A log record on its way through the operators.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use compact_str::ToCompactString as _;
use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::filelog::config::Scalar;
use crate::filelog::identity::FileId;

pub(in crate::filelog) use super::map::{Map, Text};

/// A value: what OTLP calls `AnyValue`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::filelog) enum Value {
    /// Nothing.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Double(f64),
    /// Text.
    String(Text),
    /// Anything.
    Bytes(Vec<u8>),
    /// Several values.
    List(Vec<Self>),
    /// Values with names.
    Map(Map),
}

impl Value {
    /// Values nest no deeper than this: what is deeper is kept as text.
    pub(in crate::filelog) const MAX_DEPTH: usize = 32;

    /// The text, if it is text.
    pub(in crate::filelog) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// As text: numbers as they are written, nothing as nothing, values with names as JSON.
    pub(in crate::filelog) fn to_text(&self) -> Text {
        match self {
            Self::Null => Text::default(),
            Self::Bool(value) => value.to_compact_string(),
            Self::Int(value) => value.to_compact_string(),
            // Not as `CompactString` writes it: that has an exponent where this has none.
            Self::Double(value) => value.to_string().into(),
            Self::String(text) => text.clone(),
            Self::Bytes(bytes) => Text::from_utf8_lossy(bytes),
            Self::List(_) | Self::Map(_) => self.to_json().to_string().into(),
        }
    }

    /// The text, without copying it if it is text already.
    pub(in crate::filelog) fn text(&self) -> Cow<'_, str> {
        self.as_str().map_or_else(|| Cow::Owned(self.to_text().into()), Cow::Borrowed)
    }

    /// From parsed JSON.
    pub(in crate::filelog) fn from_json(json: serde_json::Value) -> Self {
        Self::from_json_at(json, 0)
    }

    fn from_json_at(json: serde_json::Value, depth: usize) -> Self {
        use serde_json::Value as Json;
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(value),
            Json::Number(number) => {
                number.as_i64().map_or_else(|| Self::Double(number.as_f64().unwrap_or(f64::NAN)), Self::Int)
            }
            Json::String(text) => Self::String(text.into()),
            deep if depth >= Self::MAX_DEPTH => Self::String(deep.to_string().into()),
            Json::Array(values) => {
                Self::List(values.into_iter().map(|value| Self::from_json_at(value, depth + 1)).collect())
            }
            Json::Object(map) => Self::Map(
                map.into_iter()
                    .map(|(key, value)| (key.into(), Self::from_json_at(value, depth + 1)))
                    .collect(),
            ),
        }
    }

    /// From the text of JSON.
    ///
    /// # Errors
    /// If it is not JSON.
    pub(in crate::filelog) fn parse_json(text: &str) -> Result<Self, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let value = AtDepth(0).deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(value)
    }

    fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => (*value).into(),
            Self::Int(value) => (*value).into(),
            Self::Double(value) => (*value).into(),
            Self::String(text) => text.as_str().into(),
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes).into(),
            Self::List(values) => values.iter().map(Self::to_json).collect(),
            Self::Map(map) => map.iter().map(|(key, value)| (key.to_string(), value.to_json())).collect(),
        }
    }

    /// How deep the value nests.
    pub(in crate::filelog) fn depth(&self) -> usize {
        match self {
            Self::List(values) => 1 + values.iter().map(Self::depth).max().unwrap_or(0),
            Self::Map(map) => 1 + map.values().map(Self::depth).max().unwrap_or(0),
            _ => 0,
        }
    }
}

/// Reads a value that is nested this deep.
#[derive(Clone, Copy)]
struct AtDepth(usize);

impl<'de> DeserializeSeed<'de> for AtDepth {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.0 >= Value::MAX_DEPTH {
            return serde_json::Value::deserialize(deserializer)
                .map(|json| Value::from_json_at(json, self.0));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AtDepth {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or_else(|_| Value::Double(value as f64), Value::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Double(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.into()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = access.next_element_seed(Self(self.0 + 1))? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::with_capacity(14);
        while let Some(key) = access.next_key::<Text>()? {
            map.insert(key, access.next_value_seed(Self(self.0 + 1))?);
        }
        Ok(Value::Map(map))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<&Scalar> for Value {
    fn from(scalar: &Scalar) -> Self {
        match scalar {
            Scalar::Bool(value) => Self::Bool(*value),
            Scalar::Int(value) => Self::Int(*value),
            Scalar::Double(value) => Self::Double(*value),
            Scalar::String(text) => Self::String(text.as_str().into()),
        }
    }
}

/// Where an entry is from.
#[derive(Clone, Debug)]
pub(in crate::filelog) struct Origin {
    /// The file.
    pub(in crate::filelog) file: FileId,
    /// The file's name.
    pub(in crate::filelog) path: Arc<str>,
    /// The place of its first byte.
    pub(in crate::filelog) start: u64,
    /// Its number in the file, from 1.
    pub(in crate::filelog) records: u64,
    /// Whether it was delivered before a restart already, and is only needed to complete others.
    pub(in crate::filelog) replayed: bool,
}

impl Default for Origin {
    fn default() -> Self {
        Self { file: FileId(0), path: Arc::default(), start: 0, records: 0, replayed: false }
    }
}

/// A log record on its way through the operators.
#[derive(Clone, Debug, Default)]
pub(in crate::filelog) struct Entry {
    /// Where it is from.
    pub(in crate::filelog) origin: Origin,
    /// When it was read.
    pub(in crate::filelog) observed: u64,
    /// When it was written, if that is known.
    pub(in crate::filelog) time: Option<u64>,
    /// How severe it is, as OTLP counts; 0 if that is not known.
    pub(in crate::filelog) severity: u8,
    /// How severe it is, in its own words.
    pub(in crate::filelog) severity_text: Text,
    /// What it says.
    pub(in crate::filelog) body: Value,
    /// What else it says.
    pub(in crate::filelog) attributes: Map,
    /// Whose it is.
    pub(in crate::filelog) resource: Arc<Map>,
    /// The trace that it belongs to.
    pub(in crate::filelog) trace_id: Vec<u8>,
    /// The span that it belongs to.
    pub(in crate::filelog) span_id: Vec<u8>,
    /// The trace's flags.
    pub(in crate::filelog) flags: Option<u8>,
    /// The logger's name.
    pub(in crate::filelog) scope_name: Text,
}

impl Entry {
    /// Makes text of what moving values into one another has nested too deeply for others to read.
    pub(in crate::filelog) fn limit_depth(&mut self) {
        let is_deep = |value: &Value| value.depth() > Value::MAX_DEPTH + 8;
        let limit = |value: &mut Value| {
            if is_deep(value) {
                *value = Value::String(value.to_text());
            }
        };
        self.attributes.values_mut().chain([&mut self.body]).for_each(limit);
        // It is shared by most records, which changing it would end.
        if self.resource.values().any(is_deep) {
            Arc::make_mut(&mut self.resource).values_mut().for_each(limit);
        }
    }
}
