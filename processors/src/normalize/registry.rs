//! The service registry: a file that says more about services than their telemetry does.
//!
//! In: a YAML or JSON file. Out: attributes to add to a resource. A changed file is read again; one that has become
//! unreadable leaves the last good one in force.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pdata::proto::common::KeyValue;
use regex::Regex;
use serde::Deserialize;

use crate::values;

/// Why the registry cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum RegistryError {
    /// The file could not be read.
    #[error("cannot read the service registry {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("the service registry {} is not usable: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    services: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    r#match: BTreeMap<String, String>,
    attributes: BTreeMap<String, serde_json::Value>,
}

struct Rule {
    conditions: Vec<(String, Regex)>,
    attributes: Vec<(String, serde_json::Value)>,
}

/// What tells one version of a file from another.
type Version = (Option<SystemTime>, u64);

/// A registry and the file that it was read from.
pub(super) struct Registry {
    path: PathBuf,
    version: Version,
    rules: Vec<Rule>,
}

impl Registry {
    /// Reads the file.
    pub(super) fn open(path: &Path) -> Result<Self, RegistryError> {
        let version = version(path)?;
        Ok(Self { path: path.to_owned(), version, rules: read(path)? })
    }

    /// Reads the file again if it has changed; returns whether it has. A file that is wrong is tried again only after
    /// its next change.
    pub(super) fn reload(&mut self) -> Result<bool, RegistryError> {
        let version = version(&self.path)?;
        if version == self.version {
            return Ok(false);
        }
        self.version = version;
        self.rules = read(&self.path)?;
        Ok(true)
    }

    /// Adds what is known about the service; what is there already stays. Every entry that matches counts; the first
    /// one that sets an attribute wins.
    pub(super) fn enrich(&self, attributes: &mut Vec<KeyValue>) {
        for rule in self.rules.iter().filter(|rule| rule.matches(attributes)).collect::<Vec<_>>() {
            for (key, value) in &rule.attributes {
                if !values::has(attributes, key) {
                    values::set(attributes, key, values::from_json(value));
                }
            }
        }
    }
}

impl Rule {
    fn matches(&self, attributes: &[KeyValue]) -> bool {
        self.conditions.iter().all(|(key, pattern)| {
            let value = values::get(attributes, key).and_then(values::scalar_text);
            value.is_some_and(|value| pattern.is_match(&value))
        })
    }
}

fn version(path: &Path) -> Result<Version, RegistryError> {
    let metadata =
        std::fs::metadata(path).map_err(|source| RegistryError::Read { path: path.to_owned(), source })?;
    Ok((metadata.modified().ok(), metadata.len()))
}

fn read(path: &Path) -> Result<Vec<Rule>, RegistryError> {
    let malformed = |reason: String| RegistryError::Malformed { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path)
        .map_err(|source| RegistryError::Read { path: path.to_owned(), source })?;
    // JSON is YAML.
    let file: File = serde_saphyr::from_str(&text).map_err(|error| malformed(error.to_string()))?;
    let rule = |(i, entry): (usize, Entry)| {
        if entry.r#match.is_empty() {
            return Err(malformed(format!("entry {} has nothing under `match`", i + 1)));
        }
        let conditions = entry
            .r#match
            .into_iter()
            .map(|(key, pattern)| glob(&pattern).map(|regex| (key, regex)))
            .collect::<Result<_, regex::Error>>()
            .map_err(|error| malformed(format!("entry {}: {error}", i + 1)))?;
        Ok(Rule { conditions, attributes: entry.attributes.into_iter().collect() })
    };
    file.services.into_iter().enumerate().map(rule).collect()
}

/// A pattern in which `*` stands for any text.
fn glob(pattern: &str) -> Result<Regex, regex::Error> {
    let parts: Vec<_> = pattern.split('*').map(regex::escape).collect();
    Regex::new(&format!("(?s)^{}$", parts.join(".*")))
}
