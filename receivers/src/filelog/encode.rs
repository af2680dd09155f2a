//! Writes OTLP log records as protobuf bytes, without building messages first.
//!
//! In: text and values. Out: fields of `opentelemetry.proto.logs.v1` and `common.v1`, ready to be joined. Tests hold
//! every writer to what prost decodes.

use super::operators::entry::{Entry, Map, Text, Value};

const RESOURCE_LOGS_RESOURCE: u8 = 0x0a;
const RESOURCE_LOGS_SCOPE_LOGS: u8 = 0x12;
const LOGS_DATA_RESOURCE_LOGS: u8 = 0x0a;
const SCOPE_LOGS_SCOPE: u8 = 0x0a;
const SCOPE_LOGS_RECORD: u8 = 0x12;
const RESOURCE_ATTRIBUTES: u8 = 0x0a;
const RECORD_TIME: u8 = 0x09;
const RECORD_SEVERITY_NUMBER: u8 = 0x10;
const RECORD_SEVERITY_TEXT: u8 = 0x1a;
const RECORD_BODY: u8 = 0x2a;
const RECORD_ATTRIBUTES: u8 = 0x32;
const RECORD_FLAGS: u8 = 0x45;
const RECORD_TRACE_ID: u8 = 0x4a;
const RECORD_SPAN_ID: u8 = 0x52;
const RECORD_OBSERVED_TIME: u8 = 0x59;
const VALUE_STRING: u8 = 0x0a;
const VALUE_BOOL: u8 = 0x10;
const VALUE_INT: u8 = 0x18;
const VALUE_DOUBLE: u8 = 0x21;
const VALUE_ARRAY: u8 = 0x2a;
const VALUE_LIST: u8 = 0x32;
const VALUE_BYTES: u8 = 0x3a;
const LIST_VALUES: u8 = 0x0a;
const PAIR_KEY: u8 = 0x0a;
const PAIR_VALUE: u8 = 0x12;

/// Appends a base-128 varint.
pub(super) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// How many bytes [`varint`] appends.
pub(super) const fn varint_len(value: u64) -> usize {
    (63 - (value | 1).leading_zeros() as usize) / 7 + 1
}

const fn delimited_len(len: usize) -> usize {
    1 + varint_len(len as u64) + len
}

fn delimited(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn fixed64(out: &mut Vec<u8>, tag: u8, value: u64) {
    out.push(tag);
    out.extend_from_slice(&value.to_le_bytes());
}

/// What a record without operators consists of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    /// When it was read.
    pub(super) observed: u64,
    /// When it was written, if that is known.
    pub(super) time: Option<u64>,
    /// The text; bytes if it is not text.
    pub(super) body: Body<'a>,
    /// Encoded attributes that all records of the file have.
    pub(super) attributes: &'a [u8],
    /// Encoded attributes of this record.
    pub(super) own_attributes: &'a [u8],
}

/// A body.
#[derive(Clone, Copy, Debug)]
pub(super) enum Body<'a> {
    /// Text.
    Text(&'a str),
    /// Anything.
    Bytes(&'a [u8]),
}

/// Appends a record as a field of `ScopeLogs`.
pub(super) fn line(out: &mut Vec<u8>, line: &Line<'_>) {
    let (tag, body) = match line.body {
        Body::Text(text) => (VALUE_STRING, text.as_bytes()),
        Body::Bytes(bytes) => (VALUE_BYTES, bytes),
    };
    let value_len = delimited_len(body.len());
    let times = if line.time.is_some() { 18 } else { 9 };
    let len = times + delimited_len(value_len) + line.attributes.len() + line.own_attributes.len();
    out.reserve(len + 6);
    out.push(SCOPE_LOGS_RECORD);
    varint(out, len as u64);
    if let Some(time) = line.time {
        fixed64(out, RECORD_TIME, time);
    }
    out.push(RECORD_BODY);
    varint(out, value_len as u64);
    delimited(out, tag, body);
    out.extend_from_slice(line.attributes);
    out.extend_from_slice(line.own_attributes);
    fixed64(out, RECORD_OBSERVED_TIME, line.observed);
}

/// Appends an entry as a field of `ScopeLogs`.
pub(super) fn entry(out: &mut Vec<u8>, entry: &Entry, scratch: &mut Vec<u8>) {
    scratch.clear();
    if let Some(time) = entry.time {
        fixed64(scratch, RECORD_TIME, time);
    }
    if entry.severity != 0 {
        scratch.push(RECORD_SEVERITY_NUMBER);
        varint(scratch, entry.severity.into());
    }
    if !entry.severity_text.is_empty() {
        delimited(scratch, RECORD_SEVERITY_TEXT, entry.severity_text.as_bytes());
    }
    if entry.body != Value::Null {
        value(scratch, RECORD_BODY, &entry.body);
    }
    attributes(scratch, RECORD_ATTRIBUTES, &entry.attributes);
    if let Some(flags) = entry.flags {
        scratch.push(RECORD_FLAGS);
        scratch.extend_from_slice(&u32::from(flags).to_le_bytes());
    }
    for (tag, id) in
        [(RECORD_TRACE_ID, entry.trace_id.as_slice()), (RECORD_SPAN_ID, entry.span_id.as_slice())]
    {
        if !id.is_empty() {
            delimited(scratch, tag, id);
        }
    }
    fixed64(scratch, RECORD_OBSERVED_TIME, entry.observed);
    delimited(out, SCOPE_LOGS_RECORD, scratch);
}

/// The attributes of a file's records, encoded as fields of `LogRecord`.
pub(super) fn record_attributes(map: &Map) -> Vec<u8> {
    let mut out = Vec::new();
    attributes(&mut out, RECORD_ATTRIBUTES, map);
    out
}

/// Appends one attribute of a record.
pub(super) fn record_attribute(out: &mut Vec<u8>, key: &str, value: &Value) {
    pair(out, RECORD_ATTRIBUTES, key, value);
}

/// A resource, encoded as a field of `ResourceLogs`; nothing if it has no attributes.
pub(super) fn resource(map: &Map) -> Vec<u8> {
    let mut inner = Vec::new();
    attributes(&mut inner, RESOURCE_ATTRIBUTES, map);
    let mut out = Vec::with_capacity(inner.len() + 6);
    if !inner.is_empty() {
        delimited(&mut out, RESOURCE_LOGS_RESOURCE, &inner);
    }
    out
}

/// Appends `records` under `resource` as a field of `LogsData`.
pub(super) fn resource_logs(out: &mut Vec<u8>, resource: &[u8], scope_name: &str, records: &[u8]) {
    let mut scope = Vec::new();
    if !scope_name.is_empty() {
        let mut named = Vec::new();
        delimited(&mut named, PAIR_KEY, scope_name.as_bytes());
        delimited(&mut scope, SCOPE_LOGS_SCOPE, &named);
    }
    let scope_logs_len = scope.len() + records.len();
    let len = resource.len() + delimited_len(scope_logs_len);
    out.reserve(len + 6);
    out.push(LOGS_DATA_RESOURCE_LOGS);
    varint(out, len as u64);
    out.extend_from_slice(resource);
    out.push(RESOURCE_LOGS_SCOPE_LOGS);
    varint(out, scope_logs_len as u64);
    out.extend_from_slice(&scope);
    out.extend_from_slice(records);
}

fn attributes(out: &mut Vec<u8>, tag: u8, map: &Map) {
    for (key, value) in map.iter() {
        pair(out, tag, key, value);
    }
}

fn pair(out: &mut Vec<u8>, tag: u8, key: &str, content: &Value) {
    let len = delimited_len(key.len()) + delimited_len(value_len(content));
    out.push(tag);
    varint(out, len as u64);
    delimited(out, PAIR_KEY, key.as_bytes());
    value(out, PAIR_VALUE, content);
}

/// Appends an `AnyValue` as a field.
fn value(out: &mut Vec<u8>, tag: u8, value: &Value) {
    out.push(tag);
    varint(out, value_len(value) as u64);
    match value {
        Value::Null => {}
        Value::String(text) => delimited(out, VALUE_STRING, text.as_bytes()),
        Value::Bytes(bytes) => delimited(out, VALUE_BYTES, bytes),
        Value::Bool(value) => out.extend_from_slice(&[VALUE_BOOL, u8::from(*value)]),
        Value::Int(value) => {
            out.push(VALUE_INT);
            varint(out, value.cast_unsigned());
        }
        Value::Double(value) => fixed64(out, VALUE_DOUBLE, value.to_bits()),
        Value::List(values) => {
            out.push(VALUE_ARRAY);
            varint(out, list_len(values) as u64);
            values.iter().for_each(|item| self::value(out, LIST_VALUES, item));
        }
        Value::Map(map) => {
            out.push(VALUE_LIST);
            varint(out, map_len(map) as u64);
            attributes(out, LIST_VALUES, map);
        }
    }
}

fn list_len(values: &[Value]) -> usize {
    values.iter().map(|value| delimited_len(value_len(value))).sum()
}

fn map_len(map: &Map) -> usize {
    let pair_len = |(key, value): (&Text, &Value)| {
        delimited_len(delimited_len(key.len()) + delimited_len(value_len(value)))
    };
    map.iter().map(pair_len).sum()
}

/// The length of an `AnyValue`. Values nest no deeper than [`Value::MAX_DEPTH`], so this stays cheap.
fn value_len(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::String(text) => delimited_len(text.len()),
        Value::Bytes(bytes) => delimited_len(bytes.len()),
        Value::Bool(_) => 2,
        Value::Int(value) => 1 + varint_len(value.cast_unsigned()),
        Value::Double(_) => 9,
        Value::List(values) => delimited_len(list_len(values)),
        Value::Map(map) => delimited_len(map_len(map)),
    }
}

#[cfg(test)]
mod tests {
    use pdata::proto::common::any_value;
    use pdata::proto::logs::LogsData;
    use proptest::prelude::*;
    use prost::Message as _;

    use super::*;

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<i32>().prop_map(|n| Value::Double(n.into())),
            ".{0,40}".prop_map(|text| Value::String(text.into())),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
                prop::collection::vec(("[a-z]{0,8}".prop_map(Text::from), inner), 0..6)
                    .prop_map(|pairs| Value::Map(pairs.into_iter().collect())),
            ]
        })
    }

    fn same(value: &Value, decoded: Option<&any_value::Value>) -> bool {
        use any_value::Value as Proto;
        match (value, decoded) {
            (Value::Null, None) => true,
            (Value::String(a), Some(Proto::StringValue(b))) => a == b,
            (Value::Bytes(a), Some(Proto::BytesValue(b))) => a == b,
            (Value::Bool(a), Some(Proto::BoolValue(b))) => a == b,
            (Value::Int(a), Some(Proto::IntValue(b))) => a == b,
            (Value::Double(a), Some(Proto::DoubleValue(b))) => a == b,
            (Value::List(a), Some(Proto::ArrayValue(b))) => {
                a.len() == b.values.len() && a.iter().zip(&b.values).all(|(a, b)| same(a, b.value.as_ref()))
            }
            (Value::Map(a), Some(Proto::KvlistValue(b))) => {
                a.len() == b.values.len()
                    && a.iter().zip(&b.values).all(|((key, a), b)| {
                        *key == b.key && same(a, b.value.as_ref().and_then(|value| value.value.as_ref()))
                    })
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_prost_reads(
            body in values(), attributes in prop::collection::vec(("[a-z.]{1,12}".prop_map(Text::from), values()), 0..5), time in any::<Option<u64>>(),
        ) {
            let attributes: Map = attributes.into_iter().collect();
            let written = Entry {
                time, observed: 7, severity: 9, severity_text: "warn".into(), body, attributes: attributes.clone(),
                flags: Some(1), trace_id: vec![1; 16], span_id: vec![2; 8], ..Entry::default()
            };
            let (mut records, mut bytes) = (Vec::new(), Vec::new());
            entry(&mut records, &written, &mut Vec::new());
            resource_logs(&mut bytes, &resource(&attributes), "scope", &records);
            let read = LogsData::decode(bytes.as_slice()).unwrap();
            let resource = &read.resource_logs[0];
            let scope = &resource.scope_logs[0];
            prop_assert_eq!(&scope.scope.as_ref().unwrap().name, "scope");
            let record = &scope.log_records[0];
            prop_assert_eq!(record.time_unix_nano, time.unwrap_or(0));
            prop_assert_eq!((record.observed_time_unix_nano, record.severity_number, record.flags), (7, 9, 1));
            prop_assert_eq!((&record.trace_id, &record.span_id), (&vec![1; 16], &vec![2; 8]));
            prop_assert_eq!(&record.severity_text, "warn");
            prop_assert!(same(&written.body, record.body.as_ref().and_then(|body| body.value.as_ref())));
            let kept = resource.resource.as_ref().map_or(&[][..], |resource| &resource.attributes);
            for read in [kept, record.attributes.as_slice()] {
                prop_assert_eq!(read.len(), attributes.len());
                for ((key, value), pair) in attributes.iter().zip(read) {
                    prop_assert_eq!(key, &pair.key);
                    prop_assert!(same(value, pair.value.as_ref().and_then(|value| value.value.as_ref())));
                }
            }
        }

        #[test]
        fn a_line_is_what_prost_reads(text in ".{0,300}", time in any::<Option<u64>>(), number in any::<i64>()) {
            let attributes = record_attributes(&Map::from_iter([("log.file.name".into(), "a.log".into())]));
            let mut own_attributes = Vec::new();
            record_attribute(&mut own_attributes, "n", &Value::Int(number));
            let (mut records, mut bytes) = (Vec::new(), Vec::new());
            for body in [Body::Text(&text), Body::Bytes(text.as_bytes())] {
                line(&mut records, &Line { observed: 5, time, body, attributes: &attributes, own_attributes: &own_attributes });
            }
            resource_logs(&mut bytes, &[], "", &records);
            let read = LogsData::decode(bytes.as_slice()).unwrap();
            let [of_text, of_bytes] = read.resource_logs[0].scope_logs[0].log_records.as_slice() else {
                panic!("two records expected");
            };
            prop_assert_eq!(of_text.time_unix_nano, time.unwrap_or(0));
            prop_assert!(same(&text.as_str().into(), of_text.body.as_ref().unwrap().value.as_ref()));
            prop_assert!(same(&Value::Bytes(text.into()), of_bytes.body.as_ref().unwrap().value.as_ref()));
            prop_assert_eq!(of_text.attributes.len(), 2);
        }

        #[test]
        fn a_varint_is_as_long_as_announced(value in any::<u64>(), shift in 0..64u32) {
            let mut out = Vec::new();
            varint(&mut out, value >> shift);
            prop_assert_eq!(out.len(), varint_len(value >> shift));
        }
    }
}
