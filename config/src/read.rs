//! Reading a map key by key while collecting everything that is wrong.

use std::str::FromStr;

use indexmap::IndexMap;

use crate::{ComponentId, ConfigError, Duration, Errors, Location, Node, Value};

/// A node, its key path, and where complaints go.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) node: &'a Node,
    pub(crate) path: &'a str,
}

/// Joins a key path and a key.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The nearest of `known` to `name`, as a hint.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().max(name.len()) / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

/// `did you mean ...?`, or what there is if nothing is near and there is little.
pub(crate) fn hint<'a>(name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Option<String> {
    if let Some(near) = nearest(name, known.clone()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let names: Vec<_> = known.into_iter().map(|name| format!("`{name}`")).collect();
    match names.len() {
        1..=12 => Some(format!("expected one of {}", names.join(", "))),
        _ => None,
    }
}

/// An error at a place.
pub(crate) fn error(
    location: &Location,
    path: &str,
    message: impl Into<String>,
    hint: Option<String>,
) -> ConfigError {
    ConfigError { location: location.clone(), path: path.to_owned(), message: message.into(), hint }
}

static EMPTY: std::sync::LazyLock<IndexMap<String, (Location, Node)>> =
    std::sync::LazyLock::new(IndexMap::new);

impl<'a> At<'a> {
    fn wrong(&self, expected: &str, errors: &mut Errors) {
        let message = format!("expected {expected}, found {}", self.node.kind());
        errors.0.push(error(&self.node.location, self.path, message, None));
    }

    /// The entries of the map; none for nothing.
    pub(crate) fn map(&self, errors: &mut Errors) -> &'a IndexMap<String, (Location, Node)> {
        match &self.node.value {
            Value::Map(map) => map,
            Value::Null => &EMPTY,
            _ => {
                self.wrong("a map", errors);
                &EMPTY
            }
        }
    }

    /// The entries of the map, of which only `known` may exist.
    pub(crate) fn keys(&self, known: &[&str], errors: &mut Errors) -> &'a IndexMap<String, (Location, Node)> {
        let map = self.map(errors);
        for (key, (location, _)) in map {
            if !known.contains(&key.as_str()) {
                let hint = hint(key, known.iter().copied());
                errors.0.push(error(location, &join(self.path, key), "unknown key", hint));
            }
        }
        map
    }

    /// The text, if there is any.
    pub(crate) fn text(&self, errors: &mut Errors) -> Option<String> {
        match (&self.node.value, &self.node.written) {
            (Value::String(text), _) => Some(text.clone()),
            (Value::Null, None) => None,
            (_, Some(written)) => Some(written.to_string()).filter(|text| !text.is_empty()),
            _ => {
                self.wrong("text", errors);
                None
            }
        }
    }

    /// One of some names.
    pub(crate) fn one_of<T: Copy>(&self, choices: &[(&str, T)], errors: &mut Errors) -> Option<T> {
        let text = self.text(errors)?;
        let found =
            choices.iter().find(|(name, _)| name.eq_ignore_ascii_case(&text)).map(|(_, value)| *value);
        if found.is_none() {
            let hint = hint(&text, choices.iter().map(|(name, _)| *name));
            errors.0.push(error(&self.node.location, self.path, format!("unknown value `{text}`"), hint));
        }
        found
    }

    /// Anything that parses from text.
    pub(crate) fn parse<T: FromStr<Err: std::fmt::Display>>(&self, errors: &mut Errors) -> Option<T> {
        let parsed = self.text(errors)?.parse();
        parsed
            .map_err(|wrong| {
                let message = ToString::to_string(&wrong);
                errors.0.push(error(&self.node.location, self.path, message, None));
            })
            .ok()
    }

    /// A list of component ids, each with its place.
    pub(crate) fn ids(&self, errors: &mut Errors) -> Vec<(ComponentId, Location)> {
        let nodes = match &self.node.value {
            Value::List(nodes) => nodes.as_slice(),
            Value::Null => &[],
            _ => {
                self.wrong("a list of component ids", errors);
                &[]
            }
        };
        let mut ids: Vec<(ComponentId, Location)> = Vec::with_capacity(nodes.len());
        for (i, node) in nodes.iter().enumerate() {
            let path = join(self.path, &i.to_string());
            let at = At { node, path: &path };
            let before = errors.0.len();
            match at.parse::<ComponentId>(errors) {
                Some(id) if ids.iter().any(|(known, _)| *known == id) => {
                    errors.0.push(error(
                        &node.location,
                        &path,
                        format!("`{id}` is already in this list"),
                        None,
                    ));
                }
                Some(id) => ids.push((id, node.location.clone())),
                None if errors.0.len() == before => at.wrong("a component id", errors),
                None => {}
            }
        }
        ids
    }

    /// A duration.
    pub(crate) fn duration(&self, errors: &mut Errors) -> Option<Duration> {
        if self.node.value == Value::Null {
            return None;
        }
        let json = self.node.to_json();
        let parsed = serde_json::from_value(json);
        parsed
            .map_err(|wrong| {
                let message = ToString::to_string(&wrong);
                errors.0.push(error(&self.node.location, self.path, message, None));
            })
            .ok()
    }

    /// A whole number of at least 1.
    pub(crate) fn positive(&self, errors: &mut Errors) -> Option<usize> {
        match self.node.value {
            Value::Null => None,
            Value::Int(number) if number > 0 => usize::try_from(number).ok(),
            _ => {
                self.wrong("a whole number of at least 1", errors);
                None
            }
        }
    }
}
