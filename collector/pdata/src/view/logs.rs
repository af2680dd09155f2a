//! Log records, read in place.

use super::{AnyValueView, Attributes, Item};
use crate::Timestamp;
use crate::wire::{Extent, Fields, Repeated, Value, text};

/// A log record.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogRecordView<'a> {
    time: u64,
    observed_time: u64,
    severity_number: i32,
    flags: u32,
    dropped_attributes_count: u32,
    severity_text: &'a [u8],
    body: Option<&'a [u8]>,
    event_name: &'a [u8],
    trace_id: &'a [u8],
    span_id: &'a [u8],
    attributes: Repeated<'a>,
    bytes: &'a [u8],
}

const ATTRIBUTES: u32 = 6;

impl<'a> Item<'a> for LogRecordView<'a> {
    fn read(bytes: &'a [u8]) -> Self {
        let mut record = Self { bytes, ..Self::default() };
        let mut attributes = Extent::default();
        let mut fields = Fields::of(bytes);
        loop {
            let before = fields.remaining();
            let Some(field) = fields.next() else { break };
            match field {
                (1, Value::Fixed64(nanos)) => record.time = nanos,
                (2, Value::Varint(number)) => record.severity_number = number as i32,
                (3, Value::Bytes(text)) => record.severity_text = text,
                (5, Value::Bytes(body)) => record.body = Some(body),
                (ATTRIBUTES, Value::Bytes(_)) => attributes.add(bytes.len(), before, fields.remaining()),
                (7, Value::Varint(count)) => record.dropped_attributes_count = count as u32,
                (8, Value::Fixed32(flags)) => record.flags = flags,
                (9, Value::Bytes(id)) => record.trace_id = id,
                (10, Value::Bytes(id)) => record.span_id = id,
                (11, Value::Fixed64(nanos)) => record.observed_time = nanos,
                (12, Value::Bytes(name)) => record.event_name = name,
                _ => {}
            }
        }
        record.attributes = attributes.of(bytes);
        record
    }
}

impl<'a> LogRecordView<'a> {
    /// When it happened; zero if unknown.
    pub const fn time(self) -> Timestamp {
        Timestamp(self.time)
    }

    /// When it was first seen by a collector or an SDK; zero if unknown.
    pub const fn observed_time(self) -> Timestamp {
        Timestamp(self.observed_time)
    }

    /// When it happened or, if that is unknown, when it was first seen.
    pub const fn time_or_observed(self) -> Timestamp {
        Timestamp(if self.time == 0 { self.observed_time } else { self.time })
    }

    /// How bad it is: 1 to 4 trace, 5 to 8 debug, 9 to 12 info, 13 to 16 warning, 17 to 20 error, 21 to 24 fatal.
    pub const fn severity_number(self) -> i32 {
        self.severity_number
    }

    /// How bad it is, in the source's own word.
    pub fn severity_text(self) -> &'a str {
        text(self.severity_text)
    }

    /// What it says.
    pub fn body(self) -> AnyValueView<'a> {
        self.body.map_or(AnyValueView::Empty, AnyValueView::read)
    }

    /// Whether there is a body, be it an empty one.
    pub const fn has_body(self) -> bool {
        self.body.is_some()
    }

    /// The event's name, if it is an event.
    pub fn event_name(self) -> &'a str {
        text(self.event_name)
    }

    /// The trace it belongs to: sixteen bytes, or none.
    pub const fn trace_id(self) -> &'a [u8] {
        self.trace_id
    }

    /// The span it belongs to: eight bytes, or none.
    pub const fn span_id(self) -> &'a [u8] {
        self.span_id
    }

    /// W3C trace flags in the lower eight bits.
    pub const fn flags(self) -> u32 {
        self.flags
    }

    /// How many attributes the sender left out.
    pub const fn dropped_attributes_count(self) -> u32 {
        self.dropped_attributes_count
    }

    /// The attributes.
    pub const fn attributes(self) -> Attributes<'a> {
        Attributes::new(self.attributes, ATTRIBUTES)
    }

    /// The first attribute with this key.
    pub fn attribute(self, key: &str) -> Option<AnyValueView<'a>> {
        self.attributes().get(key)
    }

    /// The encoded record.
    pub const fn bytes(self) -> &'a [u8] {
        self.bytes
    }
}
