//! The message of a log record: where it is in the body, and how it is written back.

use std::borrow::Cow;

use analysis::logs::mask::{self, Masker};
use pdata::proto::common::{AnyValue, KeyValue, any_value::Value};

use crate::values;

/// What redaction took out: the kinds of secrets.
pub(super) type Redacted = Vec<&'static str>;

/// The message in `body`: its text, the text under `field` if it is a map, or all of it as JSON.
pub(super) fn message<'a>(body: &'a AnyValue, field: &str) -> Option<Cow<'a, str>> {
    match body.value.as_ref()? {
        Value::StringValue(text) => Some(Cow::Borrowed(text)),
        Value::KvlistValue(list) if !field.is_empty() => match values::get(&list.values, field) {
            Some(Value::StringValue(text)) => Some(Cow::Borrowed(text)),
            Some(value) => values::scalar_text(value),
            None => Some(Cow::Owned(values::to_json(body).to_string())),
        },
        value => {
            let text = values::scalar_text(value).map(|text| Cow::Owned(text.into_owned()));
            Some(text.unwrap_or_else(|| Cow::Owned(values::to_json(body).to_string())))
        }
    }
}

/// Takes the secrets out of a body that is not just a text.
pub(super) fn redact(value: &mut AnyValue, masker: &mut Masker, done: &mut Redacted) {
    match &mut value.value {
        Some(Value::StringValue(text)) => redact_text(text, masker, done),
        Some(Value::ArrayValue(list)) => list.values.iter_mut().for_each(|value| redact(value, masker, done)),
        Some(Value::KvlistValue(list)) => redact_entries(&mut list.values, masker, done),
        _ => {}
    }
}

/// Takes the secrets out of attributes. A value whose key says that it is secret goes as a whole.
pub(super) fn redact_entries(entries: &mut [KeyValue], masker: &mut Masker, done: &mut Redacted) {
    for KeyValue { key, value, .. } in entries {
        if let Some(value) = value {
            redact_entry(key, value, masker, done);
        }
    }
}

fn redact_entry(key: &str, value: &mut AnyValue, masker: &mut Masker, done: &mut Redacted) {
    match &mut value.value {
        Some(Value::ArrayValue(list)) => {
            list.values.iter_mut().for_each(|value| redact_entry(key, value, masker, done));
            return;
        }
        Some(scalar) => {
            if let Some(name) = values::scalar_text(scalar).and_then(|text| announced(key, &text, masker)) {
                done.push(name);
                *value = values::string(analysis::logs::template::SECRET);
                return;
            }
        }
        None => return,
    }
    redact(value, masker, done);
}

/// What kind of secret `text` is because of its key: looked at as `key="text"` would be.
fn announced(key: &str, text: &str, masker: &mut Masker) -> Option<&'static str> {
    if !mask::is_secret_key(key) {
        return None;
    }
    let pair = format!("{key}=\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    masker.mask(&pair).redactions.first().map(|redaction| redaction.name)
}

fn redact_text(text: &mut String, masker: &mut Masker, done: &mut Redacted) {
    let masked = masker.mask(text);
    if !masked.redactions.is_empty() {
        done.extend(masked.redactions.iter().map(|redaction| redaction.name));
        *text = masked.text.to_owned();
    }
}
