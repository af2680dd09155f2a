//! Values as plain JSON and as text.

use base64::Engine;
use serde_json::{Map, Number, Value};

use super::AnyValueView;

/// Base64 as OTLP/JSON has it.
pub(super) fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The shortest text that reads back as the same number.
pub(super) fn double_text(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else if number == 0.0 || (1e-6..1e21).contains(&number.abs()) {
        // As the collector prints numbers: in full within this range, and whole ones without a decimal point.
        format!("{number}")
    } else {
        ryu::Buffer::new().format_finite(number).to_owned()
    }
}

/// A value as plain JSON. Of several entries with the same key the last one stays.
pub(super) fn plain(value: AnyValueView<'_>) -> Value {
    match value {
        AnyValueView::Str(text) => Value::String(text.to_owned()),
        AnyValueView::Bool(truth) => Value::Bool(truth),
        AnyValueView::Int(number) => Value::Number(number.into()),
        AnyValueView::Double(number) => {
            Number::from_f64(number).map_or_else(|| Value::String(double_text(number)), Value::Number)
        }
        AnyValueView::Bytes(bytes) => Value::String(base64(bytes)),
        AnyValueView::Array(array) => Value::Array(array.iter().map(plain).collect()),
        AnyValueView::KvList(list) => {
            let entries = list.iter().map(|(key, value)| (key.to_owned(), plain(value)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
        AnyValueView::Empty => Value::Null,
    }
}
