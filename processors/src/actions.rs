//! The collector's attribute actions, which `attributes` and `resource` share.

use config::Invalid;
use pdata::proto::common::{AnyValue, KeyValue, any_value::Value};
use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{matching, values};

/// What is done to an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ActionKind {
    /// Sets it if it does not exist.
    #[serde(alias = "INSERT")]
    Insert,
    /// Sets it if it exists.
    #[serde(alias = "UPDATE")]
    Update,
    /// Sets it.
    #[serde(alias = "UPSERT")]
    Upsert,
    /// Removes it, and all whose keys match `pattern`.
    #[serde(alias = "DELETE")]
    Delete,
    /// Replaces its value, and those whose keys match `pattern`, by the SHA-256 of the value in hexadecimal.
    #[serde(alias = "HASH")]
    Hash,
    /// Sets an attribute for every named group of `pattern`, which is matched against its text.
    #[serde(alias = "EXTRACT")]
    Extract,
    /// Converts its value to `converted_type`; what cannot be converted stays.
    #[serde(alias = "CONVERT")]
    Convert,
}

/// The type that `convert` converts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ConvertedType {
    /// A whole number.
    Int,
    /// A floating-point number.
    Double,
    /// Text.
    String,
}

/// One thing to do to an attribute.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionConfig {
    /// The attribute. May be left out for `delete` and `hash` with a `pattern`.
    #[serde(default)]
    pub key: String,
    /// What to do: `insert`, `update`, `upsert`, `delete`, `hash`, `extract` or `convert`.
    pub action: ActionKind,
    /// The value to set: text, a number, a truth value, a list or a map.
    #[serde(default)]
    pub value: Option<serde_json::Value>,
    /// The attribute whose value to set; nothing happens if there is none.
    #[serde(default)]
    pub from_attribute: Option<String>,
    /// Refused: the sender's request metadata does not travel with the data here.
    #[serde(default)]
    pub from_context: Option<String>,
    /// A regular expression: for `extract` with named groups, for `delete` and `hash` over keys.
    #[serde(default, alias = "RegexPattern")]
    pub pattern: Option<String>,
    /// What `convert` converts to.
    #[serde(default)]
    pub converted_type: Option<ConvertedType>,
}

/// Compiled actions, in order.
#[derive(Clone, Debug)]
pub(crate) struct Actions(Vec<Action>);

#[derive(Clone, Debug)]
struct Action {
    key: String,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Set { source: Source, if_absent: bool, if_present: bool },
    Delete(Option<Regex>),
    Hash(Option<Regex>),
    Extract(Regex),
    Convert(ConvertedType),
}

#[derive(Clone, Debug)]
enum Source {
    Value(AnyValue),
    Attribute(String),
}

impl Actions {
    /// Compiles `configs`, which stand under the key `field`.
    pub(crate) fn new(configs: &[ActionConfig], field: &str) -> Result<Self, Invalid> {
        let compile = |(i, config): (usize, &ActionConfig)| {
            Action::new(config).map_err(|message| Invalid::new(field, format!("entry {}: {message}", i + 1)))
        };
        configs.iter().enumerate().map(compile).collect::<Result<_, _>>().map(Self)
    }

    /// Carries all of them out.
    pub(crate) fn apply(&self, attributes: &mut Vec<KeyValue>) {
        for action in &self.0 {
            action.apply(attributes);
        }
    }
}

impl Action {
    fn new(config: &ActionConfig) -> Result<Self, String> {
        let pattern =
            |pattern: &String| matching::regex(pattern, "pattern").map_err(|invalid| invalid.message);
        let key_needed =
            config.pattern.is_none() || !matches!(config.action, ActionKind::Delete | ActionKind::Hash);
        if key_needed && config.key.is_empty() {
            return Err("`key` is missing".to_owned());
        }
        if config.from_context.is_some() {
            return Err("`from_context` is not available: request metadata does not travel with the data; \
                        set the value with `value` or `from_attribute`"
                .to_owned());
        }
        let what = match config.action {
            ActionKind::Insert => What::Set { source: source(config)?, if_absent: true, if_present: false },
            ActionKind::Update => What::Set { source: source(config)?, if_absent: false, if_present: true },
            ActionKind::Upsert => What::Set { source: source(config)?, if_absent: true, if_present: true },
            ActionKind::Delete => What::Delete(config.pattern.as_ref().map(pattern).transpose()?),
            ActionKind::Hash => What::Hash(config.pattern.as_ref().map(pattern).transpose()?),
            ActionKind::Extract => {
                let text = config.pattern.as_ref().ok_or("`extract` needs a `pattern` with named groups")?;
                What::Extract(named_groups(pattern(text)?)?)
            }
            ActionKind::Convert => {
                let to =
                    config.converted_type.ok_or("`convert` needs `converted_type`: int, double or string")?;
                What::Convert(to)
            }
        };
        Ok(Self { key: config.key.clone(), what })
    }

    fn apply(&self, attributes: &mut Vec<KeyValue>) {
        match &self.what {
            What::Set { source, if_absent, if_present } => {
                let exists = values::has(attributes, &self.key);
                if (exists && !if_present) || (!exists && !if_absent) {
                    return;
                }
                let value = match source {
                    Source::Value(value) => Some(value.clone()),
                    Source::Attribute(from) => attributes
                        .iter()
                        .find(|attribute| attribute.key == *from)
                        .and_then(|attribute| attribute.value.clone()),
                };
                if let Some(value) = value {
                    values::set(attributes, &self.key, value);
                }
            }
            What::Delete(pattern) => {
                attributes.retain(|attribute| !self.concerns(pattern.as_ref(), attribute))
            }
            What::Hash(pattern) => attributes
                .iter_mut()
                .filter(|attribute| self.concerns(pattern.as_ref(), attribute))
                .for_each(hash),
            What::Extract(pattern) => extract(pattern, &self.key, attributes),
            What::Convert(to) => {
                if let Some(attribute) = attributes.iter_mut().find(|attribute| attribute.key == self.key) {
                    let converted = attribute.value.as_ref().and_then(|value| convert(value, *to));
                    if let Some(converted) = converted {
                        attribute.value = Some(AnyValue { value: Some(converted) });
                    }
                }
            }
        }
    }

    fn concerns(&self, pattern: Option<&Regex>, attribute: &KeyValue) -> bool {
        attribute.key == self.key || pattern.is_some_and(|pattern| pattern.is_match(&attribute.key))
    }
}

fn source(config: &ActionConfig) -> Result<Source, String> {
    match (&config.value, &config.from_attribute) {
        (Some(_), Some(_)) => Err("give either `value` or `from_attribute`, not both".to_owned()),
        (Some(value), None) => Ok(Source::Value(values::from_json(value))),
        (None, Some(from)) => Ok(Source::Attribute(from.clone())),
        (None, None) => Err("`value` or `from_attribute` is missing".to_owned()),
    }
}

fn named_groups(pattern: Regex) -> Result<Regex, String> {
    let mut groups = pattern.capture_names().skip(1).peekable();
    if groups.peek().is_none() {
        return Err("the pattern of `extract` has no named group `(?P<name>...)`".to_owned());
    }
    if groups.any(|name| name.is_none()) {
        return Err(
            "every group in the pattern of `extract` must be named: `(?P<name>...)`, or `(?:...)` to \
                    group without extracting"
                .to_owned(),
        );
    }
    Ok(pattern)
}

/// The collector hashes the text's bytes, and numbers in little-endian order; what is none of these becomes empty.
fn hash(attribute: &mut KeyValue) {
    let bytes = match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.as_bytes().to_vec(),
        Some(Value::BoolValue(value)) => vec![u8::from(*value)],
        Some(Value::IntValue(value)) => value.to_le_bytes().to_vec(),
        Some(Value::DoubleValue(value)) => value.to_le_bytes().to_vec(),
        _ => Vec::new(),
    };
    let mut text = String::new();
    if !bytes.is_empty() {
        for byte in Sha256::digest(&bytes) {
            text.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
            text.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
        }
    }
    attribute.value = Some(values::string(text));
}

fn extract(pattern: &Regex, key: &str, attributes: &mut Vec<KeyValue>) {
    let Some(text) = values::text(attributes, key) else { return };
    let Some(captures) = pattern.captures(text) else { return };
    let found: Vec<(String, String)> = pattern
        .capture_names()
        .flatten()
        .map(|name| {
            let text = captures.name(name).map_or("", |group| group.as_str());
            (name.to_owned(), text.to_owned())
        })
        .collect();
    for (name, text) in found {
        values::set(attributes, &name, values::string(text));
    }
}

fn convert(value: &AnyValue, to: ConvertedType) -> Option<Value> {
    let value = value.value.as_ref()?;
    match (to, value) {
        (ConvertedType::Int, Value::StringValue(text)) => text.parse().ok().map(Value::IntValue),
        // `as` saturates, which is what is wanted of a number out of range.
        (ConvertedType::Int, Value::DoubleValue(value)) => Some(Value::IntValue(*value as i64)),
        (ConvertedType::Int, Value::BoolValue(value)) => Some(Value::IntValue(i64::from(*value))),
        (ConvertedType::Double, Value::StringValue(text)) => text.parse().ok().map(Value::DoubleValue),
        (ConvertedType::Double, Value::IntValue(value)) => Some(Value::DoubleValue(*value as f64)),
        (ConvertedType::Double, Value::BoolValue(value)) => {
            Some(Value::DoubleValue(f64::from(u8::from(*value))))
        }
        (ConvertedType::String, Value::ArrayValue(_) | Value::KvlistValue(_)) => {
            let json = values::to_json(&AnyValue { value: Some(value.clone()) });
            Some(Value::StringValue(json.to_string()))
        }
        (ConvertedType::String, value) => {
            values::scalar_text(value).map(|text| Value::StringValue(text.into_owned()))
        }
        _ => None,
    }
}
