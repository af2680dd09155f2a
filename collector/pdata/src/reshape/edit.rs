//! Log records edited by their bytes, without decoding the batch.
//!
//! An edit is a list of fields to leave out and of fields to add; what it does not touch is copied as it is. Fields
//! that are added come last in the record, attributes that are set behind the other attributes.

use std::ops::Range;

use bytes::BufMut;
use prost::Message;
use prost::encoding::{encode_varint, encoded_len_varint};
use smallvec::SmallVec;

use super::parts::{bytes_field, fields, message_key};
use crate::proto::common::AnyValue;
use crate::view::{Item, LogRecordView, ResourceView};
use crate::wire::Repeated;
use crate::{Logs, Timestamp};

const TIME: u32 = 1;
const SEVERITY_NUMBER: u32 = 2;
const SEVERITY_TEXT: u32 = 3;
const BODY: u32 = 5;
const ATTRIBUTES: u32 = 6;
const TRACE_ID: u32 = 9;
const SPAN_ID: u32 = 10;

/// What is to change about one log record. It starts empty for each.
#[derive(Debug, Default)]
pub struct RecordEdit {
    /// Encoded fields to add and keys to leave out, one after the other.
    bytes: Vec<u8>,
    /// Fields that are to be added; a later one with the same name replaces an earlier one.
    fields: SmallVec<[(u32, Range<usize>); 4]>,
    attributes: SmallVec<[Attribute; 8]>,
    /// One bit for each tag whose fields are left out.
    replaced: u16,
    is_removed: bool,
}

/// An attribute that is to be left out and, perhaps, added anew: where in the edit's bytes its parts are.
#[derive(Clone, Debug)]
struct Attribute {
    key: Range<usize>,
    /// The encoded field; nothing if it is only to be left out.
    field: Range<usize>,
}

/// Attributes that many records get: encoded once, see [`RecordEdit::set_encoded`].
#[derive(Clone, Debug, Default)]
pub struct EncodedAttributes {
    bytes: Vec<u8>,
    attributes: SmallVec<[Attribute; 2]>,
}

impl EncodedAttributes {
    /// The same and an attribute with a text. Each key is to be given once.
    #[must_use]
    pub fn with_text(mut self, key: &str, text: &str) -> Self {
        let attribute = put_attribute(&mut self.bytes, key, string_len(text), |out| put_string(text, out));
        self.attributes.push(attribute);
        self
    }
}

impl RecordEdit {
    /// Sets attributes that are encoded already.
    pub fn set_encoded(&mut self, encoded: &EncodedAttributes) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&encoded.bytes);
        let behind = |range: &Range<usize>| range.start + start..range.end + start;
        for Attribute { key, field } in &encoded.attributes {
            self.put(Attribute { key: behind(key), field: behind(field) });
        }
    }

    /// Sets an attribute to a text.
    pub fn set_text(&mut self, key: &str, text: &str) {
        let value = string_len(text);
        self.attribute(key, value, |out| put_string(text, out));
    }

    /// Sets an attribute.
    pub fn set_attribute(&mut self, key: &str, value: &AnyValue) {
        self.attribute(key, value.encoded_len(), |out| value.encode_raw(out));
    }

    /// Takes an attribute away.
    pub fn remove_attribute(&mut self, key: &str) {
        let key = self.push(|out| out.put_slice(key.as_bytes()));
        self.put(Attribute { key, field: 0..0 });
    }

    /// Gives the record another body.
    pub fn set_body(&mut self, body: &AnyValue) {
        self.field(BODY, body.encoded_len(), |out| body.encode_raw(out));
    }

    /// Makes a text the record's body.
    pub fn set_body_text(&mut self, text: &str) {
        self.field(BODY, string_len(text), |out| put_string(text, out));
    }

    /// Sets when it happened.
    pub fn set_time(&mut self, time: Timestamp) {
        let field = self.push(|out| {
            encode_varint(u64::from(TIME << 3 | 1), out);
            out.put_u64_le(time.as_nanos());
        });
        self.replace(TIME, field);
    }

    /// Sets how bad it is: the number, 1 to 24, and the source's own word for it.
    pub fn set_severity(&mut self, number: i32, text: &str) {
        let field = self.push(|out| {
            encode_varint(u64::from(SEVERITY_NUMBER << 3), out);
            encode_varint(i64::from(number).cast_unsigned(), out);
        });
        self.replace(SEVERITY_NUMBER, field);
        self.field(SEVERITY_TEXT, text.len(), |out| out.put_slice(text.as_bytes()));
    }

    /// Sets the trace it belongs to.
    pub fn set_trace_id(&mut self, id: [u8; 16]) {
        self.field(TRACE_ID, id.len(), |out| out.put_slice(&id));
    }

    /// Sets the span it belongs to.
    pub fn set_span_id(&mut self, id: [u8; 8]) {
        self.field(SPAN_ID, id.len(), |out| out.put_slice(&id));
    }

    /// Takes the record out of the batch.
    pub const fn remove(&mut self) {
        self.is_removed = true;
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.fields.clear();
        self.attributes.clear();
        self.replaced = 0;
        self.is_removed = false;
    }

    fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.attributes.is_empty()
    }

    fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Range<usize> {
        let start = self.bytes.len();
        write(&mut self.bytes);
        start..self.bytes.len()
    }

    fn field(&mut self, tag: u32, len: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let field = self.push(|out| {
            start_field(tag, len, out);
            write(out);
        });
        self.replace(tag, field);
    }

    fn replace(&mut self, tag: u32, field: Range<usize>) {
        if self.replaced & 1 << tag != 0 {
            self.fields.retain(|(other, _)| *other != tag);
        }
        self.replaced |= 1 << tag;
        self.fields.push((tag, field));
    }

    fn attribute(&mut self, key: &str, value_len: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let attribute = put_attribute(&mut self.bytes, key, value_len, write);
        self.put(attribute);
    }

    fn put(&mut self, attribute: Attribute) {
        self.replaced |= 1 << ATTRIBUTES;
        let bytes = &self.bytes;
        self.attributes.retain(|other| bytes[other.key.clone()] != bytes[attribute.key.clone()]);
        self.attributes.push(attribute);
    }

    /// Whether a field of the record is left out.
    fn drops(&self, tag: u32, message: Option<&[u8]>) -> bool {
        if tag >= u16::BITS || self.replaced & 1 << tag == 0 {
            return false;
        }
        if tag != ATTRIBUTES {
            return true;
        }
        let key = Repeated::within(message.unwrap_or_default()).slices(1).last().unwrap_or_default();
        self.attributes.iter().any(|attribute| &self.bytes[attribute.key.clone()] == key)
    }

    /// Writes the edited record. Attributes that are set stand behind those that stay: readers expect a list in one piece.
    fn write(&self, record: &[u8], out: &mut Vec<u8>) {
        // Neighbours that stay are copied together.
        let mut parts: SmallVec<[Range<usize>; 4]> = SmallVec::new();
        let (mut start, mut read, mut end_of_attributes) = (0, 0, 0);
        for (tag, field, message) in fields(record) {
            let at = read;
            read += field.len();
            if self.drops(tag, message) {
                parts.push(start..at);
                start = read;
            } else if tag == ATTRIBUTES {
                end_of_attributes = read;
            }
        }
        parts.push(start..record.len());
        let n_before = parts.iter().filter(|part| part.start < end_of_attributes).count();
        let (before, behind) = parts.split_at(n_before);
        before.iter().for_each(|part| out.put_slice(&record[part.start..part.end.min(end_of_attributes)]));
        if end_of_attributes > 0 {
            self.attributes.iter().for_each(|it| out.put_slice(&self.bytes[it.field.clone()]));
        }
        if let Some(last) = before.last() {
            out.put_slice(&record[end_of_attributes..last.end]);
        }
        behind.iter().for_each(|part| out.put_slice(&record[part.clone()]));
        if end_of_attributes == 0 {
            self.attributes.iter().for_each(|it| out.put_slice(&self.bytes[it.field.clone()]));
        }
        self.fields.iter().for_each(|(_, field)| out.put_slice(&self.bytes[field.clone()]));
    }
}

/// What stands in front of a field that holds bytes. Nearly all are short, and their length takes one byte.
#[inline]
fn start_field(tag: u32, len: usize, out: &mut Vec<u8>) {
    match (u8::try_from(message_key(tag)), u8::try_from(len)) {
        (Ok(key), Ok(len)) if key < 0x80 && len < 0x80 => out.extend_from_slice(&[key, len]),
        _ => {
            encode_varint(u64::from(message_key(tag)), out);
            encode_varint(len as u64, out);
        }
    }
}

/// Appends an attribute as a field of a record.
fn put_attribute(
    out: &mut Vec<u8>,
    key: &str,
    value_len: usize,
    write: impl FnOnce(&mut Vec<u8>),
) -> Attribute {
    let start = out.len();
    let len = 1 + encoded_len_varint(key.len() as u64) + key.len();
    let len = len + 1 + encoded_len_varint(value_len as u64) + value_len;
    start_field(ATTRIBUTES, len, out);
    start_field(1, key.len(), out);
    let key_start = out.len();
    out.put_slice(key.as_bytes());
    start_field(2, value_len, out);
    write(out);
    Attribute { key: key_start..key_start + key.len(), field: start..out.len() }
}

/// The encoded length of a text as a value.
fn string_len(text: &str) -> usize {
    1 + encoded_len_varint(text.len() as u64) + text.len()
}

/// Writes a text as a value. Even an empty text is written: it is not the same as no value.
fn put_string(text: &str, out: &mut Vec<u8>) {
    start_field(1, text.len(), out);
    out.put_slice(text.as_bytes());
}

impl Logs {
    /// A batch whose records are changed as `edit` says; it is called for each record in order. Everything that it
    /// does not change stays byte for byte. Scopes and resources that lose all their records go too. If nothing
    /// changes the batch is shared.
    #[must_use]
    pub fn edit(&self, mut edit: impl FnMut(ResourceView<'_>, LogRecordView<'_>, &mut RecordEdit)) -> Self {
        // Most edits add little.
        self.edit_encoded(self.encoded_len() / 4, |resource, record, scratch| {
            edit(resource, LogRecordView::read(record), scratch);
        })
    }

    /// The same for who need not look at the records and knows by about how many bytes they will grow together.
    #[must_use]
    pub fn edit_unread(&self, growth: usize, mut edit: impl FnMut(&mut RecordEdit)) -> Self {
        self.edit_encoded(growth, |_, _, scratch| edit(scratch))
    }

    fn edit_encoded(
        &self,
        growth: usize,
        mut edit: impl FnMut(ResourceView<'_>, &[u8], &mut RecordEdit),
    ) -> Self {
        let mut editor = Editor {
            out: Vec::with_capacity(self.encoded_len() + growth),
            scratch: RecordEdit::default(),
            is_changed: false,
            items: 0,
            edit: &mut edit,
        };
        for (tag, field, group) in fields(self.bytes()) {
            match group {
                Some(group) if tag == 1 => editor.resource(group),
                _ => editor.out.put_slice(field),
            }
        }
        if !editor.is_changed {
            return self.clone();
        }
        Self::from_scanned(editor.out.into(), editor.items, self.may_hold_events())
    }
}

/// Writes a batch anew.
struct Editor<'e, E> {
    out: Vec<u8>,
    scratch: RecordEdit,
    is_changed: bool,
    items: usize,
    edit: &'e mut E,
}

impl<E: FnMut(ResourceView<'_>, &[u8], &mut RecordEdit)> Editor<'_, E> {
    fn resource(&mut self, group: &[u8]) {
        let resource = ResourceView::new(bytes_field(group, 1));
        self.container(1, group, |editor, scope| editor.scope(resource, scope));
    }

    fn scope(&mut self, resource: ResourceView<'_>, group: &[u8]) {
        self.container(2, group, |editor, record| editor.record(resource, record));
    }

    /// Writes a message with what is in its field 2 changed; if all of it goes, so does the message.
    fn container(&mut self, tag: u32, group: &[u8], mut child: impl FnMut(&mut Self, &[u8])) {
        let start = self.out.len();
        let (mut n_before, mut n_after) = (0, 0);
        self.message(tag, group.len(), |editor| {
            for (tag, field, message) in fields(group) {
                match message {
                    Some(message) if tag == 2 => {
                        let before = editor.out.len();
                        child(editor, message);
                        n_before += 1;
                        n_after += usize::from(editor.out.len() > before);
                    }
                    _ => editor.out.put_slice(field),
                }
            }
        });
        if n_before > 0 && n_after == 0 {
            self.out.truncate(start);
        }
    }

    fn record(&mut self, resource: ResourceView<'_>, record: &[u8]) {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        (self.edit)(resource, record, &mut scratch);
        self.is_changed |= scratch.is_removed || !scratch.is_empty();
        if !scratch.is_removed {
            self.items += 1;
            self.message(2, record.len() + scratch.bytes.len(), |editor| {
                scratch.write(record, &mut editor.out)
            });
        }
        self.scratch = scratch;
    }

    /// Writes a field that holds a message. Its length is known only when it has been written: room is left for one
    /// like that of `len`, and the message is moved if it needs more or less.
    fn message(&mut self, tag: u32, len: usize, write: impl FnOnce(&mut Self)) {
        encode_varint(u64::from(message_key(tag)), &mut self.out);
        let at = self.out.len();
        let start = at + encoded_len_varint(len as u64);
        self.out.resize(start, 0);
        write(self);
        let len = self.out.len() - start;
        let room = encoded_len_varint(len as u64);
        if at + room != start {
            self.out.resize((at + room + len).max(start + len), 0);
            self.out.copy_within(start..start + len, at + room);
            self.out.truncate(at + room + len);
        }
        encode_varint(len as u64, &mut &mut self.out[at..at + room]);
    }
}
