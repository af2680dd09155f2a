//! Attribute values in the forms that several processors need: as text, from configuration, in a list of attributes.

use std::borrow::Cow;

use pdata::proto::common::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value};

/// The value under `key`.
pub(crate) fn get<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Value> {
    attributes
        .iter()
        .find(|attribute| attribute.key == key)
        .and_then(|attribute| attribute.value.as_ref())
        .and_then(|value| value.value.as_ref())
}

/// The text under `key`; `None` if there is none or it is not text.
pub(crate) fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    match get(attributes, key) {
        Some(Value::StringValue(text)) => Some(text),
        _ => None,
    }
}

/// Whether there is an attribute `key`, even one without a value.
pub(crate) fn has(attributes: &[KeyValue], key: &str) -> bool {
    attributes.iter().any(|attribute| attribute.key == key)
}

/// Sets `key`, which may exist.
pub(crate) fn set(attributes: &mut Vec<KeyValue>, key: &str, value: AnyValue) {
    match attributes.iter_mut().find(|attribute| attribute.key == key) {
        Some(attribute) => attribute.value = Some(value),
        None => attributes.push(KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }),
    }
}

/// A text value.
pub(crate) fn string(text: impl Into<String>) -> AnyValue {
    AnyValue { value: Some(Value::StringValue(text.into())) }
}

/// The value as text; `None` for bytes, lists, maps and nothing.
pub(crate) fn scalar_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::StringValue(text) => Some(Cow::Borrowed(text)),
        Value::BoolValue(value) => Some(Cow::Owned(value.to_string())),
        Value::IntValue(value) => Some(Cow::Owned(value.to_string())),
        Value::DoubleValue(value) => Some(Cow::Owned(value.to_string())),
        _ => None,
    }
}

/// A configured value as an attribute's.
pub(crate) fn from_json(json: &serde_json::Value) -> AnyValue {
    let value = match json {
        serde_json::Value::Null => None,
        serde_json::Value::Bool(value) => Some(Value::BoolValue(*value)),
        serde_json::Value::Number(number) => Some(
            number
                .as_i64()
                .map_or_else(|| Value::DoubleValue(number.as_f64().unwrap_or(f64::NAN)), Value::IntValue),
        ),
        serde_json::Value::String(text) => Some(Value::StringValue(text.clone())),
        serde_json::Value::Array(values) => {
            Some(Value::ArrayValue(ArrayValue { values: values.iter().map(from_json).collect() }))
        }
        serde_json::Value::Object(map) => {
            let values = map
                .iter()
                .map(|(key, value)| KeyValue {
                    key: key.clone(),
                    value: Some(from_json(value)),
                    ..KeyValue::default()
                })
                .collect();
            Some(Value::KvlistValue(KeyValueList { values }))
        }
    };
    AnyValue { value }
}

/// An attribute's value as JSON; bytes become a list of numbers.
pub(crate) fn to_json(value: &AnyValue) -> serde_json::Value {
    match &value.value {
        Some(Value::StringValue(text)) => text.as_str().into(),
        Some(Value::BoolValue(value)) => (*value).into(),
        Some(Value::IntValue(value)) => (*value).into(),
        Some(Value::DoubleValue(value)) => (*value).into(),
        Some(Value::BytesValue(bytes)) => bytes.as_slice().into(),
        Some(Value::ArrayValue(array)) => array.values.iter().map(to_json).collect(),
        Some(Value::KvlistValue(list)) => list
            .values
            .iter()
            .map(|entry| (entry.key.clone(), entry.value.as_ref().map_or(serde_json::Value::Null, to_json)))
            .collect(),
        _ => serde_json::Value::Null,
    }
}
