//! The message of a log record: where it is in the body, and what it is without secrets.

use std::borrow::Cow;

use analysis::logs::mask::{self, Masker};
use pdata::proto::common::{AnyValue, KeyValue, any_value::Value};
use pdata::view::{AnyValueView, Attributes};

use crate::values;

/// What redaction took out: the kinds of secrets.
pub(super) type Redacted = Vec<&'static str>;

/// The message in `body`: its text, the text under `field` if it is a map, or all of it as JSON. `None` if there is no
/// body.
pub(super) fn message<'a>(body: AnyValueView<'a>, field: &str) -> Option<Cow<'a, str>> {
    match body {
        AnyValueView::Empty => None,
        AnyValueView::KvList(list) if !field.is_empty() => Some(list.get(field).unwrap_or(body).to_text()),
        value => Some(value.to_text()),
    }
}

/// A list or map without its secrets; `None` if there are none in it, or if it is something else.
pub(super) fn redacted(
    value: AnyValueView<'_>,
    masker: &mut Masker,
    done: &mut Redacted,
) -> Option<AnyValue> {
    if !matches!(value, AnyValueView::Array(_) | AnyValueView::KvList(_)) {
        return None;
    }
    let n_before = done.len();
    let mut value = value.to_owned();
    redact(&mut value, masker, done);
    (done.len() > n_before).then_some(value)
}

/// Attributes that hold no secret: many are the same from record to record, such as the name of the file.
#[derive(Default)]
pub(super) struct Clean {
    /// Texts by their place in the record.
    texts: Vec<(String, String)>,
    /// All attributes of a record, encoded.
    all: Vec<u8>,
}

impl Clean {
    /// How many, and how long each may be.
    const MOST: usize = 32;
    const LONGEST: usize = 256;

    fn has(&self, place: usize, key: &str, text: &str) -> bool {
        self.texts.get(place).is_some_and(|known| known.0 == key && known.1 == text)
    }

    fn note(&mut self, place: usize, key: &str, text: &str) {
        if place >= Self::MOST || key.len() + text.len() > Self::LONGEST {
            return;
        }
        if self.texts.len() <= place {
            self.texts.resize_with(place + 1, Default::default);
        }
        let known = &mut self.texts[place];
        known.0.clear();
        known.0.push_str(key);
        known.1.clear();
        known.1.push_str(text);
    }

    fn note_all(&mut self, attributes: &[u8]) {
        if attributes.len() <= Self::MOST * Self::LONGEST {
            self.all.clear();
            self.all.extend_from_slice(attributes);
        }
    }
}

/// The attributes that held secrets, without them.
pub(super) fn redacted_attributes(
    attributes: Attributes<'_>,
    masker: &mut Masker,
    clean: &mut Clean,
    done: &mut Redacted,
) -> Vec<KeyValue> {
    let mut changed = Vec::new();
    let encoded = attributes.bytes();
    if clean.all == encoded {
        return changed;
    }
    for (place, (key, value)) in attributes.enumerate() {
        let n_before = done.len();
        let new = match value {
            AnyValueView::Empty | AnyValueView::Bytes(_) => continue,
            AnyValueView::Str(text) if clean.has(place, key, text) => continue,
            AnyValueView::Str(text) if !mask::is_secret_key(key) => {
                // The usual case, without a copy.
                let masked = masker.mask(text);
                if masked.redactions.is_empty() {
                    clean.note(place, key, text);
                    continue;
                }
                done.extend(masked.redactions.iter().map(|redaction| redaction.name));
                values::string(masked.text)
            }
            value => {
                let mut value = value.to_owned();
                redact_entry(key, &mut value, masker, done);
                value
            }
        };
        if done.len() > n_before {
            changed.push(KeyValue { key: key.to_owned(), value: Some(new), ..KeyValue::default() });
        }
    }
    if changed.is_empty() {
        clean.note_all(encoded);
    }
    changed
}

/// Takes the secrets out of a body that is not just a text.
fn redact(value: &mut AnyValue, masker: &mut Masker, done: &mut Redacted) {
    match &mut value.value {
        Some(Value::StringValue(text)) => redact_text(text, masker, done),
        Some(Value::ArrayValue(list)) => list.values.iter_mut().for_each(|value| redact(value, masker, done)),
        Some(Value::KvlistValue(list)) => redact_entries(&mut list.values, masker, done),
        _ => {}
    }
}

/// Takes the secrets out of attributes. A value whose key says that it is secret goes as a whole.
fn redact_entries(entries: &mut [KeyValue], masker: &mut Masker, done: &mut Redacted) {
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
