//! Log records of lines, written as protobuf bytes without building messages first.

use pdata::Timestamp;
use pdata::proto::common::{AnyValue, KeyValue, any_value::Value};
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

/// Fields of `LogRecord`, as far as lines have them, of `ScopeLogs` and of what is around them.
const TIME: u32 = 1;
const BODY: u32 = 5;
const ATTRIBUTES: u32 = 6;
const OBSERVED: u32 = 11;
const STRING: u32 = 1;
const RECORDS: u32 = 2;
const RESOURCE: u32 = 1;
const SCOPES: u32 = 2;
const GROUPS: u32 = 1;

/// A fixed-size field: key and value.
const FIXED: usize = 9;

/// What comes in front of a field whose tag is below 16.
const fn head_len(len: usize) -> usize {
    1 + encoded_len_varint(len as u64)
}

fn delimited(tag: u32, len: usize, out: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(len as u64, out);
}

fn fixed(tag: u32, value: u64, out: &mut Vec<u8>) {
    encode_key(tag, WireType::SixtyFourBit, out);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a record as a field of `ScopeLogs`. `attributes` are encoded ones. Returns where its time of observation is: the
/// end of the record.
pub(super) fn record(
    time: Option<Timestamp>,
    observed: Timestamp,
    body: &str,
    attributes: &[u8],
    out: &mut Vec<u8>,
) -> usize {
    let text = head_len(body.len()) + body.len();
    let times = FIXED + if time.is_some() { FIXED } else { 0 };
    let len = times + head_len(text) + text + attributes.len();
    delimited(RECORDS, len, out);
    if let Some(time) = time {
        fixed(TIME, time.as_nanos(), out);
    }
    delimited(BODY, text, out);
    delimited(STRING, body.len(), out);
    out.extend_from_slice(body.as_bytes());
    out.extend_from_slice(attributes);
    fixed(OBSERVED, observed.as_nanos(), out);
    out.len()
}

/// Says of the record that ends at `end` when it was observed.
pub(super) fn set_observed(end: usize, observed: Timestamp, out: &mut [u8]) {
    if let Some(place) = end.checked_sub(8).and_then(|start| out.get_mut(start..end)) {
        place.copy_from_slice(&observed.as_nanos().to_le_bytes());
    }
}

/// All of `LogsData`: encoded records of one resource.
pub(super) fn logs(resource: &[u8], records: &[u8]) -> Vec<u8> {
    let scope = head_len(records.len()) + records.len();
    let group = head_len(resource.len()) + resource.len() + scope;
    let mut out = Vec::with_capacity(group + 2 * head_len(group));
    delimited(GROUPS, group, &mut out);
    delimited(RESOURCE, resource.len(), &mut out);
    out.extend_from_slice(resource);
    delimited(SCOPES, records.len(), &mut out);
    out.extend_from_slice(records);
    out
}

/// A text attribute as a field of a record, or of a resource if it is the first field there.
pub(super) fn attribute(place: Place, key: &str, value: &str, out: &mut Vec<u8>) {
    let value = AnyValue { value: Some(Value::StringValue(value.to_owned())) };
    let pair = KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() };
    delimited(place as u32, pair.encoded_len(), out);
    out.extend_from_slice(&pair.encode_to_vec());
}

/// What has attributes, by the number of their field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A resource.
    Resource = 1,
    /// A log record.
    Record = ATTRIBUTES as isize,
}
