//! Component ids: `type` or `type/name`.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A component's id in the configuration: `otlp`, `otlp/internal`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct ComponentId {
    kind: String,
    name: Option<String>,
}

impl ComponentId {
    /// The id `kind/name`, or `kind` alone.
    pub fn new(kind: impl Into<String>, name: Option<&str>) -> Self {
        Self { kind: kind.into(), name: name.map(str::to_owned) }
    }

    /// What stands before the slash: the component's type.
    pub fn type_name(&self) -> &str {
        &self.kind
    }

    /// What stands after the slash.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

impl fmt::Display for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            None => f.write_str(&self.kind),
            Some(name) => write!(f, "{}/{name}", self.kind),
        }
    }
}

/// Why a text is not a component id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a component id: write `type` or `type/name`")]
pub struct InvalidId(String);

impl FromStr for ComponentId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let (kind, name) = match text.split_once('/') {
            None => (text.trim(), None),
            Some((kind, name)) => (kind.trim(), Some(name.trim())),
        };
        let valid_kind = kind.starts_with(|c: char| c.is_ascii_alphabetic())
            && kind.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !valid_kind || name.is_some_and(str::is_empty) {
            return Err(InvalidId(text.to_owned()));
        }
        Ok(Self::new(kind, name))
    }
}

impl TryFrom<String> for ComponentId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<ComponentId> for String {
    fn from(id: ComponentId) -> Self {
        id.to_string()
    }
}
