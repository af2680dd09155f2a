//! From OTLP's bytes to OTLP/JSON, by the tables of [`crate::schema`], without building structs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::lex::plain_run;
use super::records::Records;
use crate::schema::{Field, Form, KEY_VALUE, Kind, LOG_RECORD, Schema};
use crate::wire::{Fields, MAX_DEPTH, Repeated, Value, varint, zigzag32};

/// Prints a message.
pub(super) fn message(schema: &'static Schema, bytes: &[u8], depth: u32, out: &mut Vec<u8>) {
    if depth > MAX_DEPTH {
        // No batch from outside is so deep. One made here may be; what cannot be read back is better left out.
        out.extend_from_slice(b"{}");
        return;
    }
    if std::ptr::eq(schema, &raw const KEY_VALUE)
        && let Some((key, text)) = text_entry(bytes)
    {
        return entry(key, text, out);
    }
    let start = out.len();
    if !in_one_pass(schema, bytes, depth, out) {
        out.truncate(start);
        in_two_passes(schema, bytes, depth, out);
    }
}

/// Key and text of a `KeyValue` that holds just these, in this order: what most attributes are.
pub(super) fn text_entry(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    /// The key of field 1 and of field 2, if they hold bytes.
    const FIRST: u8 = 1 << 3 | 2;
    const SECOND: u8 = 2 << 3 | 2;
    fn field(key: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
        let mut rest = bytes.strip_prefix(&[key])?;
        let len = usize::try_from(varint(&mut rest)?).ok()?;
        rest.split_at_checked(len)
    }
    let (key, rest) = field(FIRST, bytes)?;
    let (value, rest) = field(SECOND, rest).filter(|(_, rest)| rest.is_empty())?;
    let (text, behind) = field(FIRST, value)?;
    (rest.is_empty() && behind.is_empty()).then_some((key, text))
}

/// Prints a `KeyValue` that holds a text.
pub(super) fn entry(key: &[u8], text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"key\":");
    string(key, out);
    out.extend_from_slice(b",\"value\":{\"stringValue\":");
    string(text, out);
    out.extend_from_slice(b"}}");
}

/// Prints a message in a message that was printed in two passes. In one pass it was tried already: to try that again at every
/// depth would take exponential time.
fn message_again(schema: &'static Schema, bytes: &[u8], depth: u32, out: &mut Vec<u8>) {
    if depth > MAX_DEPTH {
        out.extend_from_slice(b"{}");
        return;
    }
    in_two_passes(schema, bytes, depth, out);
}

/// How messages in a message are printed.
type Print = fn(&'static Schema, &[u8], u32, &mut Vec<u8>);

/// Prints a message as it is read. Gives up, false, if a field occurs again where it should not, or two of which there may be
/// one.
fn in_one_pass(schema: &'static Schema, bytes: &[u8], depth: u32, out: &mut Vec<u8>) -> bool {
    let mut seen = 0_u32;
    let mut fields = Fields::of(bytes);
    out.push(b'{');
    loop {
        let before = fields;
        let Some((tag, value)) = fields.next() else { break };
        let Some(field) = schema.field(tag) else { continue };
        let bit = 1 << tag;
        let rivals = if schema.oneof & bit == 0 { bit } else { schema.oneof };
        if seen & rivals != 0 {
            return false;
        }
        name(field, seen == 0, out);
        seen |= bit;
        match (field.kind, value) {
            (Kind::Many(inner), _) if std::ptr::eq(inner, &raw const LOG_RECORD) => {
                let mut records = Records::default();
                fields = run(tag, before, out, |bytes, out| records.print(bytes, depth + 1, out));
            }
            (Kind::Many(inner), _) => {
                fields = run(tag, before, out, |bytes, out| message(inner, bytes, depth + 1, out));
            }
            (Kind::Texts, _) => fields = run(tag, before, out, string),
            (Kind::Fixed64s | Kind::Varints, _) => return false,
            _ => field_value(field, tag, value, before, (depth, message), out),
        }
    }
    out.push(b'}');
    true
}

/// Prints the elements of a list that follow each other. Returns what is behind them.
fn run<'a>(
    tag: u32,
    mut fields: Fields<'a>,
    out: &mut Vec<u8>,
    mut print: impl FnMut(&'a [u8], &mut Vec<u8>),
) -> Fields<'a> {
    out.push(b'[');
    let mut first = true;
    loop {
        let before = fields;
        match fields.next() {
            Some((found, Value::Bytes(bytes))) if found == tag => {
                if !std::mem::take(&mut first) {
                    out.push(b',');
                }
                print(bytes, out);
            }
            _ => {
                out.push(b']');
                return before;
            }
        }
    }
}

/// Prints a message whatever order its fields come in.
fn in_two_passes(schema: &'static Schema, bytes: &[u8], depth: u32, out: &mut Vec<u8>) {
    let mut seen = 0_u32;
    let mut again = 0_u32;
    let mut chosen = 0;
    for (tag, _) in Fields::of(bytes) {
        if schema.field(tag).is_some() {
            again |= seen & 1 << tag;
            seen |= 1 << tag;
            if schema.oneof & 1 << tag != 0 {
                chosen = tag;
            }
        }
    }
    out.push(b'{');
    let mut rest = Fields::of(bytes);
    let mut first = true;
    while seen != 0 {
        let before = rest;
        let Some((tag, value)) = rest.next() else { break };
        let Some(field) = schema.field(tag).filter(|_| seen & 1 << tag != 0) else { continue };
        seen &= !(1 << tag);
        if schema.oneof & 1 << tag != 0 && tag != chosen {
            continue;
        }
        name(field, std::mem::take(&mut first), out);
        let value = if again & 1 << tag == 0 { value } else { last(before, tag, value) };
        field_value(field, tag, value, before, (depth, message_again), out);
    }
    out.push(b'}');
}

/// The last occurrence of a field.
fn last<'a>(fields: Fields<'a>, wanted: u32, otherwise: Value<'a>) -> Value<'a> {
    fields.filter(|(tag, _)| *tag == wanted).last().map_or(otherwise, |(_, value)| value)
}

fn field_value(
    field: &Field,
    tag: u32,
    value: Value<'_>,
    from_here: Fields<'_>,
    (depth, message): (u32, Print),
    out: &mut Vec<u8>,
) {
    let all = Repeated::within(from_here.rest());
    match (field.kind, value) {
        (Kind::One(inner), Value::Bytes(bytes)) => message(inner, bytes, depth + 1, out),
        (Kind::Many(inner), _) => {
            list(all.slices(tag), out, |bytes, out| message(inner, bytes, depth + 1, out));
        }
        (Kind::Texts, _) => list(all.slices(tag), out, string),
        (Kind::Fixed64s, _) => list(all.fixed64s(tag), out, |bits, out| number(field.form, bits, out)),
        (Kind::Varints, _) => list(all.varints(tag), out, |bits, out| number(field.form, bits, out)),
        (Kind::Text | Kind::EventName, Value::Bytes(text)) => string(text, out),
        (Kind::Bytes, Value::Bytes(bytes)) => match field.form {
            Form::Hex => hex(bytes, out),
            _ => base64(bytes, out),
        },
        (_, Value::Varint(bits) | Value::Fixed64(bits)) => number(field.form, bits, out),
        (_, Value::Fixed32(bits)) => number(field.form, u64::from(bits), out),
        // Scanned bytes hold nothing else.
        _ => out.extend_from_slice(b"null"),
    }
}

fn list<T>(elements: impl Iterator<Item = T>, out: &mut Vec<u8>, mut print: impl FnMut(T, &mut Vec<u8>)) {
    out.push(b'[');
    for (i, element) in elements.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        print(element, out);
    }
    out.push(b']');
}

/// A field's name, behind a comma if it is not the first. Names need no escapes.
fn name(field: &Field, is_first: bool, out: &mut Vec<u8>) {
    let start = field.start.as_bytes();
    out.extend_from_slice(start.get(usize::from(is_first)..).unwrap_or_default());
}

fn number(form: Form, bits: u64, out: &mut Vec<u8>) {
    let mut buffer = itoa::Buffer::new();
    let mut quoted = |text: &str| {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    };
    match form {
        Form::I64 => quoted(buffer.format(bits.cast_signed())),
        Form::U64 => quoted(buffer.format(bits)),
        Form::F64 => match f64::from_bits(bits) {
            number if number.is_nan() => quoted("NaN"),
            f64::INFINITY => quoted("Infinity"),
            f64::NEG_INFINITY => quoted("-Infinity"),
            number => out.extend_from_slice(ryu::Buffer::new().format_finite(number).as_bytes()),
        },
        Form::Bool => out.extend_from_slice(if bits == 0 { b"false" } else { b"true" }),
        Form::Zigzag => out.extend_from_slice(buffer.format(zigzag32(bits)).as_bytes()),
        Form::U32 => out.extend_from_slice(buffer.format(bits as u32).as_bytes()),
        Form::I32 | Form::Enum(_) | Form::Text | Form::Hex | Form::Base64 | Form::Object => {
            out.extend_from_slice(buffer.format(bits as i32).as_bytes());
        }
    }
}

/// Hexadecimal text.
pub(super) fn hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
    out.push(b'"');
}

fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut text = String::new();
    STANDARD.encode_string(bytes, &mut text);
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// Text with what escapes it needs.
pub(super) fn string(mut text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    loop {
        let (plain, rest) = text.split_at(plain_run(text));
        out.extend_from_slice(plain);
        let Some((special, rest)) = rest.split_first() else { break };
        match special {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => {
                out.extend_from_slice(b"\\u00");
                out.push(b'0' + (control >> 4));
                out.push(b"0123456789abcdef"[usize::from(control & 15)]);
            }
        }
        text = rest;
    }
    out.push(b'"');
}
