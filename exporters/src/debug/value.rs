//! Values as text: attributes, ids, times and numbers.

use std::fmt::Write as _;

use pdata::Timestamp;
use pdata::proto::common::{AnyValue, KeyValue, any_value::Value};

/// An attribute's value as a person would write it.
pub(super) fn any(value: Option<&AnyValue>) -> String {
    let mut out = String::new();
    write_any(&mut out, value.and_then(|value| value.value.as_ref()), 0);
    out
}

/// Deeper values are not shown: nobody reads them, and the stack is not endless.
const MAX_DEPTH: usize = 16;

fn write_any(out: &mut String, value: Option<&Value>, depth: usize) {
    match value {
        None | Some(Value::StringValueStrindex(_)) => {}
        Some(_) if depth > MAX_DEPTH => out.push('…'),
        Some(Value::StringValue(text)) => write_text(out, text),
        Some(Value::BoolValue(value)) => put(out, value),
        Some(Value::IntValue(value)) => put(out, value),
        Some(Value::DoubleValue(value)) => put(out, value),
        Some(Value::BytesValue(bytes)) => out.push_str(&hex(bytes)),
        Some(Value::ArrayValue(array)) => {
            out.push('[');
            for (i, value) in array.values.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                write_any(out, value.value.as_ref(), depth + 1);
            }
            out.push(']');
        }
        Some(Value::KvlistValue(list)) => {
            out.push('{');
            for (i, pair) in list.values.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                write_text(out, &pair.key);
                out.push_str(": ");
                write_any(out, pair.value.as_ref().and_then(|value| value.value.as_ref()), depth + 1);
            }
            out.push('}');
        }
    }
}

/// Text from outside, without the control characters that would let it take over the terminal.
pub(super) fn write_text(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
}

/// As [`write_text`], on its own.
pub(super) fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    write_text(&mut out, text);
    out
}

/// ` key=value key=value`.
pub(super) fn write_pairs(out: &mut String, attributes: &[KeyValue]) {
    for attribute in attributes {
        out.push(' ');
        write_text(out, &attribute.key);
        out.push('=');
        out.push_str(&any(attribute.value.as_ref()));
    }
}

/// Appends `value`; writing to a string cannot fail.
pub(super) fn put(out: &mut String, value: impl std::fmt::Display) {
    let _ = write!(out, "{value}");
}

/// Bytes as the specification writes ids.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// A moment in full, UTC.
pub(super) fn date_time(time: Timestamp) -> String {
    moment(time).map_or_else(|| "-".to_owned(), |moment| moment.to_string())
}

/// The time of day, UTC.
pub(super) fn time_of_day(time: Timestamp) -> String {
    moment(time).map_or_else(|| "--:--:--".to_owned(), |moment| moment.strftime("%H:%M:%S").to_string())
}

fn moment(time: Timestamp) -> Option<jiff::Timestamp> {
    let known = Some(time).filter(|time| !time.is_unknown())?;
    jiff::Timestamp::from_nanosecond(known.as_nanos().into()).ok()
}

/// A number with three digits that matter: `0.0123`, `12.3`, `4.56k`, `812M`.
pub(super) fn number(value: f64) -> String {
    const UNITS: [(f64, &str); 5] = [(1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    if !value.is_finite() {
        return value.to_string();
    }
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    // 9999 is still read more easily than 10.0k is.
    let unit = UNITS.iter().find(|(unit, _)| size >= *unit && size >= 10_000.0);
    let (scaled, suffix) = unit.map_or((value, ""), |(unit, suffix)| (value / unit, *suffix));
    let magnitude = scaled.abs().log10().floor();
    if !(-4.0..16.0).contains(&magnitude) {
        return format!("{scaled:.2e}{suffix}");
    }
    // In range by the check above.
    let decimals = (2.0 - magnitude).clamp(0.0, 6.0) as usize;
    let digits = format!("{scaled:.decimals$}");
    let digits =
        if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { &digits };
    format!("{digits}{suffix}")
}
