//! Spans, read in place.

use std::time::Duration;

use super::{AnyValueView, Attributes, Item};
use crate::Timestamp;
use crate::wire::{Extent, Fields, Repeated, Value, text};

/// What part a span plays between services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SpanKind {
    /// The sender did not say.
    #[default]
    Unspecified,
    /// Work inside a process.
    Internal,
    /// Handling of a request.
    Server,
    /// Making of a request.
    Client,
    /// Sending of a message.
    Producer,
    /// Handling of a message.
    Consumer,
}

impl SpanKind {
    /// From OTLP's number; numbers that OTLP does not have count as unspecified.
    pub const fn from_number(number: i32) -> Self {
        match number {
            1 => Self::Internal,
            2 => Self::Server,
            3 => Self::Client,
            4 => Self::Producer,
            5 => Self::Consumer,
            _ => Self::Unspecified,
        }
    }
}

/// How a span ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StatusCode {
    /// Nobody said otherwise.
    #[default]
    Unset,
    /// The application says it went well.
    Ok,
    /// It failed.
    Error,
}

impl StatusCode {
    /// From OTLP's number; numbers that OTLP does not have count as unset.
    pub const fn from_number(number: i32) -> Self {
        match number {
            1 => Self::Ok,
            2 => Self::Error,
            _ => Self::Unset,
        }
    }
}

/// A span.
#[derive(Clone, Copy, Debug, Default)]
pub struct SpanView<'a> {
    start: u64,
    end: u64,
    kind: i32,
    flags: u32,
    dropped_attributes_count: u32,
    dropped_events_count: u32,
    dropped_links_count: u32,
    trace_id: &'a [u8],
    span_id: &'a [u8],
    parent_span_id: &'a [u8],
    trace_state: &'a [u8],
    name: &'a [u8],
    status: Option<&'a [u8]>,
    attributes: Repeated<'a>,
    events: Repeated<'a>,
    links: Repeated<'a>,
    bytes: &'a [u8],
}

const ATTRIBUTES: u32 = 9;
const EVENTS: u32 = 11;
const LINKS: u32 = 13;

impl<'a> Item<'a> for SpanView<'a> {
    fn read(bytes: &'a [u8]) -> Self {
        let mut span = Self { bytes, ..Self::default() };
        let [mut attributes, mut events, mut links] = [Extent::default(); 3];
        let mut fields = Fields::of(bytes);
        loop {
            let before = fields.remaining();
            let Some(field) = fields.next() else { break };
            match field {
                (1, Value::Bytes(id)) => span.trace_id = id,
                (2, Value::Bytes(id)) => span.span_id = id,
                (3, Value::Bytes(state)) => span.trace_state = state,
                (4, Value::Bytes(id)) => span.parent_span_id = id,
                (5, Value::Bytes(name)) => span.name = name,
                (6, Value::Varint(kind)) => span.kind = kind as i32,
                (7, Value::Fixed64(nanos)) => span.start = nanos,
                (8, Value::Fixed64(nanos)) => span.end = nanos,
                (ATTRIBUTES, Value::Bytes(_)) => attributes.add(bytes.len(), before, fields.remaining()),
                (10, Value::Varint(count)) => span.dropped_attributes_count = count as u32,
                (EVENTS, Value::Bytes(_)) => events.add(bytes.len(), before, fields.remaining()),
                (12, Value::Varint(count)) => span.dropped_events_count = count as u32,
                (LINKS, Value::Bytes(_)) => links.add(bytes.len(), before, fields.remaining()),
                (14, Value::Varint(count)) => span.dropped_links_count = count as u32,
                (15, Value::Bytes(status)) => span.status = Some(status),
                (16, Value::Fixed32(flags)) => span.flags = flags,
                _ => {}
            }
        }
        span.attributes = attributes.of(bytes);
        span.events = events.of(bytes);
        span.links = links.of(bytes);
        span
    }
}

impl<'a> SpanView<'a> {
    /// The trace it belongs to: sixteen bytes.
    pub const fn trace_id(self) -> &'a [u8] {
        self.trace_id
    }

    /// Its own id: eight bytes.
    pub const fn span_id(self) -> &'a [u8] {
        self.span_id
    }

    /// Its parent's id; empty for the root of a trace.
    pub const fn parent_span_id(self) -> &'a [u8] {
        self.parent_span_id
    }

    /// W3C trace state.
    pub fn trace_state(self) -> &'a str {
        text(self.trace_state)
    }

    /// W3C trace flags in the lower eight bits, then whether the parent is remote.
    pub const fn flags(self) -> u32 {
        self.flags
    }

    /// What was done.
    pub fn name(self) -> &'a str {
        text(self.name)
    }

    /// What part it plays between services.
    pub const fn kind(self) -> SpanKind {
        SpanKind::from_number(self.kind)
    }

    /// The kind's number as it was sent.
    pub const fn kind_number(self) -> i32 {
        self.kind
    }

    /// When it began.
    pub const fn start(self) -> Timestamp {
        Timestamp(self.start)
    }

    /// When it ended.
    pub const fn end(self) -> Timestamp {
        Timestamp(self.end)
    }

    /// How long it took; zero if it ended before it began.
    pub const fn duration(self) -> Duration {
        Duration::from_nanos(self.end.saturating_sub(self.start))
    }

    /// How it ended.
    pub fn status_code(self) -> StatusCode {
        StatusCode::from_number(self.status_code_number())
    }

    /// The status code's number as it was sent.
    pub fn status_code_number(self) -> i32 {
        let mut code = 0;
        for field in Fields::of(self.status.unwrap_or_default()) {
            if let (3, Value::Varint(number)) = field {
                code = number as i32;
            }
        }
        code
    }

    /// Why it failed, for people.
    pub fn status_message(self) -> &'a str {
        Repeated::within(self.status.unwrap_or_default()).slices(2).last().map(text).unwrap_or_default()
    }

    /// Whether the sender gave a status at all.
    pub const fn has_status(self) -> bool {
        self.status.is_some()
    }

    /// The attributes.
    pub const fn attributes(self) -> Attributes<'a> {
        Attributes::new(self.attributes, ATTRIBUTES)
    }

    /// The first attribute with this key.
    pub fn attribute(self, key: &str) -> Option<AnyValueView<'a>> {
        self.attributes().get(key)
    }

    /// What happened on the way.
    pub fn events(self) -> impl Iterator<Item = SpanEventView<'a>> + Clone {
        self.events.slices(EVENTS).map(SpanEventView::read)
    }

    /// Other spans it has to do with.
    pub fn links(self) -> impl Iterator<Item = LinkView<'a>> + Clone {
        self.links.slices(LINKS).map(LinkView::read)
    }

    /// How many attributes the sender left out.
    pub const fn dropped_attributes_count(self) -> u32 {
        self.dropped_attributes_count
    }

    /// How many events the sender left out.
    pub const fn dropped_events_count(self) -> u32 {
        self.dropped_events_count
    }

    /// How many links the sender left out.
    pub const fn dropped_links_count(self) -> u32 {
        self.dropped_links_count
    }

    /// The encoded span.
    pub const fn bytes(self) -> &'a [u8] {
        self.bytes
    }
}

/// Something that happened during a span.
#[derive(Clone, Copy, Debug, Default)]
pub struct SpanEventView<'a> {
    time: u64,
    dropped_attributes_count: u32,
    name: &'a [u8],
    bytes: &'a [u8],
}

impl<'a> SpanEventView<'a> {
    fn read(bytes: &'a [u8]) -> Self {
        let mut event = Self { bytes, ..Self::default() };
        for field in Fields::of(bytes) {
            match field {
                (1, Value::Fixed64(nanos)) => event.time = nanos,
                (2, Value::Bytes(name)) => event.name = name,
                (4, Value::Varint(count)) => event.dropped_attributes_count = count as u32,
                _ => {}
            }
        }
        event
    }

    /// When.
    pub const fn time(self) -> Timestamp {
        Timestamp(self.time)
    }

    /// What.
    pub fn name(self) -> &'a str {
        text(self.name)
    }

    /// The attributes.
    pub const fn attributes(self) -> Attributes<'a> {
        Attributes::new(Repeated::within(self.bytes), 3)
    }

    /// How many attributes the sender left out.
    pub const fn dropped_attributes_count(self) -> u32 {
        self.dropped_attributes_count
    }
}

/// A reference to another span.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinkView<'a> {
    flags: u32,
    dropped_attributes_count: u32,
    trace_id: &'a [u8],
    span_id: &'a [u8],
    trace_state: &'a [u8],
    bytes: &'a [u8],
}

impl<'a> LinkView<'a> {
    fn read(bytes: &'a [u8]) -> Self {
        let mut link = Self { bytes, ..Self::default() };
        for field in Fields::of(bytes) {
            match field {
                (1, Value::Bytes(id)) => link.trace_id = id,
                (2, Value::Bytes(id)) => link.span_id = id,
                (3, Value::Bytes(state)) => link.trace_state = state,
                (5, Value::Varint(count)) => link.dropped_attributes_count = count as u32,
                (6, Value::Fixed32(flags)) => link.flags = flags,
                _ => {}
            }
        }
        link
    }

    /// The other span's trace.
    pub const fn trace_id(self) -> &'a [u8] {
        self.trace_id
    }

    /// The other span.
    pub const fn span_id(self) -> &'a [u8] {
        self.span_id
    }

    /// W3C trace state.
    pub fn trace_state(self) -> &'a str {
        text(self.trace_state)
    }

    /// W3C trace flags.
    pub const fn flags(self) -> u32 {
        self.flags
    }

    /// The attributes.
    pub const fn attributes(self) -> Attributes<'a> {
        Attributes::new(Repeated::within(self.bytes), 4)
    }

    /// How many attributes the sender left out.
    pub const fn dropped_attributes_count(self) -> u32 {
        self.dropped_attributes_count
    }
}
