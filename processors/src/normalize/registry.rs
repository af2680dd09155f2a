//! The service registry: a file that says more about services than their telemetry does.
//!
//! In: the text of a YAML or JSON file. Out: attributes to add to a resource.

use std::collections::BTreeMap;

use pdata::proto::common::KeyValue;
use regex::Regex;
use serde::Deserialize;

use crate::values;

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

/// What a registry says.
pub(super) struct Registry(Vec<Rule>);

impl Registry {
    /// Reads the text of a registry; the error says which entry is wrong.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        // JSON is YAML.
        let file: File = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        let rule =
            |(i, entry): (usize, Entry)| entry.rule().map_err(|reason| format!("entry {}{reason}", i + 1));
        file.services.into_iter().enumerate().map(rule).collect::<Result<_, _>>().map(Self)
    }

    /// Adds what is known about the service; what is there already stays. Every entry that matches counts; the first
    /// one that sets an attribute wins.
    pub(super) fn enrich(&self, attributes: &mut Vec<KeyValue>) {
        for rule in self.0.iter().filter(|rule| rule.matches(attributes)).collect::<Vec<_>>() {
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

impl Entry {
    fn rule(self) -> Result<Rule, String> {
        if self.r#match.is_empty() {
            return Err(" has nothing under `match`".to_owned());
        }
        let condition = |(key, pattern): (String, String)| glob(&pattern).map(|regex| (key, regex));
        let conditions = self.r#match.into_iter().map(condition).collect::<Result<_, _>>();
        let conditions = conditions.map_err(|error| format!(": {error}"))?;
        Ok(Rule { conditions, attributes: self.attributes.into_iter().collect() })
    }
}

/// A pattern in which `*` stands for any text.
fn glob(pattern: &str) -> Result<Regex, regex::Error> {
    let parts: Vec<_> = pattern.split('*').map(regex::escape).collect();
    Regex::new(&format!("(?s)^{}$", parts.join(".*")))
}
