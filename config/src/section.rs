//! One component's part of the configuration.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::de::{DeError, Entries};
use crate::{ComponentId, ConfigError, Errors, Invalid, Location, Node, Validate, Value};

/// One component's part of the configuration, not yet parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// The component's id.
    pub id: ComponentId,
    /// The key path: `receivers.otlp`.
    pub path: String,
    /// Where its key is written.
    pub location: Location,
    /// The tree below it. `Null` for a component that is only named.
    pub node: Node,
}

impl Section {
    /// A section without a file, for tests and built-in configurations.
    ///
    /// # Panics
    /// If `json` is not an object or null, or `id` is not a component id: it is meant for literals.
    pub fn from_json(id: &str, json: &serde_json::Value) -> Self {
        let location = Location::nowhere("inline");
        let node = Node::from_json(json, &location);
        Self { id: id.parse().expect("a component id"), path: id.to_owned(), location, node }
    }

    /// Whether both say the same, wherever they were written: then the component need not be restarted.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.id == other.id && self.node.is_same_as(&other.node)
    }

    /// Parses and validates the section.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub fn parse<C: DeserializeOwned + Validate>(&self) -> Result<C, Errors> {
        let config = C::deserialize(Entries(&self.node)).map_err(|error| self.unfit(&error))?;
        config.validate().map_err(|invalid| self.invalid(&invalid))?;
        Ok(config)
    }

    /// Takes `keys` out into a section of their own: what the engine handles for every component.
    #[must_use]
    pub fn split_off(&mut self, keys: &[&str]) -> Self {
        let mut taken = indexmap::IndexMap::new();
        if let Value::Map(map) = &mut self.node.value {
            for key in keys {
                if let Some((key, entry)) = map.shift_remove_entry(*key) {
                    taken.insert(key, entry);
                }
            }
        }
        let node = Node::new(Value::Map(taken), self.node.location.clone());
        Self { id: self.id.clone(), path: self.path.clone(), location: self.location.clone(), node }
    }

    /// An error at `path` below this section; at the section itself if there is no such key.
    pub fn error(&self, path: &str, message: impl Into<String>) -> Errors {
        let mut node = &self.node;
        let mut full = self.path.clone();
        for key in path.split('.').filter(|key| !key.is_empty()) {
            full.push('.');
            full.push_str(key);
            node = node.get(key).unwrap_or(node);
        }
        ConfigError { location: node.location.clone(), path: full, message: message.into(), hint: None }
            .into()
    }

    fn unfit(&self, error: &DeError) -> Errors {
        let below = error.path();
        let path = if below.is_empty() { self.path.clone() } else { format!("{}.{below}", self.path) };
        let location = error.location.clone().unwrap_or_else(|| self.node.location.clone());
        ConfigError { location, path, message: error.message.clone(), hint: None }.into()
    }

    /// Parses and validates the section; what does not fit is reported all at once, by the type's schema.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place, what was expected, and the nearest valid name.
    pub fn check<C: DeserializeOwned + Validate + JsonSchema>(&self) -> Result<C, Errors> {
        self.parse().map_err(|parse: Errors| {
            let schema = schemars::SchemaGenerator::default().into_root_schema_for::<C>();
            let mut errors = crate::check::check(schema.as_value(), &self.node, &self.path);
            // The schema does not know everything that the type does.
            for error in parse.0 {
                if errors.0.iter().all(|known| known.path != error.path) {
                    errors.0.push(error);
                }
            }
            errors.0.sort_by(|a, b| a.location.cmp(&b.location));
            errors
        })
    }

    fn invalid(&self, invalid: &Invalid) -> Errors {
        self.error(&invalid.field, invalid.message.clone())
    }
}

/// For `#[serde(deserialize_with = "config::present")]` on an `Option` that the mere key turns on, as in the collector's
/// `protocols: {grpc: , http: }`: a key without value is the default, only an absent key (with `#[serde(default)]`) is `None`.
///
/// # Errors
/// If the value does not fit.
pub fn present<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de> + Default,
    D: Deserializer<'de>,
{
    Ok(Some(Option::<T>::deserialize(deserializer)?.unwrap_or_default()))
}

impl Node {
    /// A tree from JSON, every node at the same place.
    pub fn from_json(json: &serde_json::Value, location: &Location) -> Self {
        let value = match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Bool(*value),
            serde_json::Value::Number(number) => {
                number.as_i64().map_or_else(|| Value::Float(number.as_f64().unwrap_or(f64::NAN)), Value::Int)
            }
            serde_json::Value::String(text) => Value::String(text.clone()),
            serde_json::Value::Array(values) => {
                Value::List(values.iter().map(|value| Self::from_json(value, location)).collect())
            }
            serde_json::Value::Object(map) => Value::Map(
                map.iter()
                    .map(|(key, value)| (key.clone(), (location.clone(), Self::from_json(value, location))))
                    .collect(),
            ),
        };
        Self::new(value, location.clone())
    }
}
