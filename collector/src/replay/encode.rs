//! Log records of lines, written as protobuf bytes without building messages first.

use analysis::logs::format::{Lifted, Severity};
use pdata::Timestamp;
use pdata::proto::common::{AnyValue, KeyValue, any_value::Value};
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

/// Fields of `LogRecord`, as far as lines have them, of `ScopeLogs` and of what is around them.
const SEVERITY_NUMBER: u32 = 2;
const SEVERITY_TEXT: u32 = 3;
const BODY: u32 = 5;
const ATTRIBUTES: u32 = 6;
const TRACE_ID: u32 = 9;
const SPAN_ID: u32 = 10;
const OBSERVED: u32 = 11;
const STRING: u32 = 1;
const RECORDS: u32 = 2;
const RESOURCE: u32 = 1;
const SCOPES: u32 = 2;
const GROUPS: u32 = 1;

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

fn bytes(tag: u32, bytes: &[u8], out: &mut Vec<u8>) {
    delimited(tag, bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// Appends a record as a field of `ScopeLogs`: a line, and what it says about itself. `attributes` are encoded ones.
/// `scratch` is for its use. Returns where its time of observation is: the end of the record.
pub(super) fn record(
    line: &str,
    lifted: &Lifted<'_>,
    observed: Timestamp,
    attributes: &[u8],
    scratch: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> usize {
    scratch.clear();
    if let Some(Severity { number, text }) = &lifted.severity {
        encode_key(SEVERITY_NUMBER, WireType::Varint, scratch);
        encode_varint(u64::from(*number), scratch);
        bytes(SEVERITY_TEXT, text.as_bytes(), scratch);
    }
    lifted.trace_id.iter().for_each(|id| bytes(TRACE_ID, id, scratch));
    lifted.span_id.iter().for_each(|id| bytes(SPAN_ID, id, scratch));
    fixed(OBSERVED, observed.as_nanos(), scratch);
    let text = head_len(line.len()) + line.len();
    delimited(RECORDS, head_len(text) + text + attributes.len() + scratch.len(), out);
    delimited(BODY, text, out);
    bytes(STRING, line.as_bytes(), out);
    out.extend_from_slice(attributes);
    out.extend_from_slice(scratch);
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
    bytes(RESOURCE, resource, &mut out);
    bytes(SCOPES, records, &mut out);
    out
}

/// A text attribute as a field of a record, or of a resource if it is the first field there.
pub(super) fn attribute(place: Place, key: &str, value: &str, out: &mut Vec<u8>) {
    let value = AnyValue { value: Some(Value::StringValue(value.to_owned())) };
    let pair = KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() };
    bytes(place as u32, &pair.encode_to_vec(), out);
}

/// What has attributes, by the number of their field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A resource.
    Resource = 1,
    /// A log record.
    Record = ATTRIBUTES as isize,
}
