//! Reads what is new in a file: bytes to records to batches.
//!
//! One buffer serves all files; what is incomplete at the end of a file is read again when there is more of it, so memory
//! does not grow with the number of files.

use std::io;
use std::sync::Arc;

use pdata::Timestamp;

use super::batcher::{Batcher, Packet};
use super::encode::{self, Body, Line};
use super::encoding::Encoding;
use super::identity::{Mark, Print, TAIL};
use super::operators::Pipeline;
use super::operators::entry::{Entry, Map, Origin, Value};
use super::settings::Settings;
use super::split::Token;
use super::tracked::{OpenError, Tracked, begins_with, read_fully};

/// Bytes read at once.
const CHUNK: usize = 256 << 10;
/// A batch goes out when it is this large: about 900 lines, so that what becomes of it fits into a processor's cache.
const BATCH: usize = 128 << 10;

/// Nobody takes batches any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nobody takes batches any more")]
pub(super) struct Stopped;

/// Takes batches, waiting while there is no room for more.
pub(super) trait Sink {
    /// Takes one batch.
    ///
    /// # Errors
    /// If no more is wanted.
    fn put(&mut self, packet: Packet) -> Result<(), Stopped>;
}

/// Why a file was not read to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// Its content is no longer what was read before.
    #[error("the file was rewritten")]
    Rewritten,
    /// Its name belongs to another file.
    #[error("the file is gone")]
    Gone,
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Nobody takes batches any more.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl From<OpenError> for ReadError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Gone => Self::Gone,
            OpenError::Rewritten => Self::Rewritten,
            OpenError::Io(error) => Self::Io(error),
        }
    }
}

/// How a visit of a file is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visit {
    /// Now.
    pub(super) now: Timestamp,
    /// Whether what is incomplete at the end is complete now.
    pub(super) flush: bool,
    /// After so many bytes others get a turn.
    pub(super) budget: u64,
}

/// Turns bytes into batches.
pub(super) struct Reader {
    buffer: Vec<u8>,
    batcher: Batcher,
    pipeline: Option<Pipeline>,
    entries: Vec<Entry>,
    /// The last resource, and how it is encoded.
    resource: Option<(Arc<Map>, Arc<[u8]>)>,
    own_attributes: Vec<u8>,
    scratch: Vec<u8>,
}

impl Reader {
    /// With the operators of the configuration, if there are any.
    pub(super) fn new(pipeline: Option<Pipeline>) -> Self {
        Self {
            buffer: Vec::new(),
            batcher: Batcher::default(),
            pipeline,
            entries: Vec::new(),
            resource: None,
            own_attributes: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Reads what is new. Says whether there may be more.
    pub(super) fn read(
        &mut self,
        file: &mut Tracked,
        settings: &Settings,
        visit: Visit,
        sink: &mut dyn Sink,
    ) -> Result<bool, ReadError> {
        let most = settings.splitter.max_len + CHUNK + TAIL;
        if self.buffer.is_empty() {
            self.buffer.resize(CHUNK + TAIL, 0);
        }
        let begin = file.mark.offset;
        // The bytes before the place show that it is still the same place.
        let mut from = file.mark.tail.len.min(TAIL);
        let mut base = begin.saturating_sub(from as u64);
        let mut filled = read_fully(file.open()?, base, &mut self.buffer[..from])?;
        let head = file.head.clone();
        // Lines of a length and with the same end are common: what the file begins with tells more. Of a compressed file it
        // would have to be decompressed again.
        let is_same = (file.mark.tail.len == 0 || file.mark.tail.begins(&self.buffer[..filled]))
            && ((file.mark.tail.len > 0 && file.gzip) || begins_with(file.open()?, &head)?);
        if !is_same {
            return if file.is_copy { Ok(false) } else { Err(ReadError::Rewritten) };
        }
        file.is_copy = false;
        loop {
            if filled == self.buffer.len() && filled < most {
                self.buffer.resize((filled * 2).min(most), 0);
            }
            let n = self.read_on(file, base, filled)?;
            filled += n;
            let is_end = n == 0;
            from = self.split(
                file,
                settings,
                Span { base, from, filled },
                visit.flush && is_end,
                visit.now,
                sink,
            )?;
            // At once, so that nothing is read twice if the next bytes cannot be read.
            self.mark(file, base, from);
            if is_end || base + from as u64 - begin >= visit.budget {
                return Ok(!is_end);
            }
            let keep = from.saturating_sub(TAIL);
            self.buffer.copy_within(keep..filled, 0);
            base += keep as u64;
            from -= keep;
            filled -= keep;
        }
    }

    /// Reads on behind the `filled` bytes in the buffer, which are from `base` on; returns how many bytes there were.
    ///
    /// The last of the bytes before are read again in the same call, or those that the file began with: since they were read
    /// it may have been truncated and written anew, and what comes then must not be taken for the rest of what was.
    fn read_on(&mut self, file: &mut Tracked, base: u64, filled: usize) -> Result<usize, ReadError> {
        let source = file.open()?;
        let again = if source.is_plain() { filled.min(TAIL) } else { 0 };
        let from = filled - again;
        let mut known = [0; TAIL];
        known[..again].copy_from_slice(&self.buffer[from..filled]);
        let n = source.read_at(base + from as u64, &mut self.buffer[from..])?;
        let is_plain = source.is_plain();
        let read = &self.buffer[from..from + n];
        let is_begin = is_plain && base + filled as u64 == 0;
        if !read.starts_with(&known[..again]) || (is_begin && !file.head.begins(read)) {
            return Err(ReadError::Rewritten);
        }
        Ok(n - again)
    }

    /// Takes all complete records out of a part of the buffer; returns where the rest begins.
    fn split(
        &mut self,
        file: &mut Tracked,
        settings: &Settings,
        span: Span,
        flush: bool,
        now: Timestamp,
        sink: &mut dyn Sink,
    ) -> Result<usize, Stopped> {
        let mut from = span.from;
        // Taken out for as long as it is borrowed.
        let buffer = std::mem::take(&mut self.buffer);
        let data = &buffer[..span.filled];
        let mut result = Ok(());
        while let Some(token) = settings.splitter.next(data, from, flush) {
            let start = from;
            from = token.next;
            if token.is_cut {
                settings.counters.cut.add(1);
            }
            self.record(file, settings, data, &token, span.base + start as u64..span.base + from as u64, now);
            if self.batcher.len() >= BATCH {
                self.mark_in(file, data, span.base, from);
                result = self.send(sink);
                if result.is_err() {
                    break;
                }
            }
        }
        self.buffer = buffer;
        result.map(|()| from)
    }

    fn record(
        &mut self,
        file: &mut Tracked,
        settings: &Settings,
        data: &[u8],
        token: &Token,
        place: std::ops::Range<u64>,
        now: Timestamp,
    ) {
        let bytes = &data[token.start..token.end];
        if settings.splitter.encoding == Encoding::Nop {
            self.deliver(file, settings, Body::Bytes(bytes), place, now);
        } else if settings.splitter.encoding == Encoding::Utf8
            && let Ok(text) = simdutf8::basic::from_utf8(settings.trim_bytes(bytes))
        {
            self.deliver(file, settings, Body::Text(text), place, now);
        } else {
            let text = settings.splitter.encoding.decode(bytes);
            self.deliver(file, settings, Body::Text(settings.trim(&text)), place, now);
        }
    }

    fn deliver(
        &mut self,
        file: &mut Tracked,
        settings: &Settings,
        body: Body<'_>,
        place: std::ops::Range<u64>,
        now: Timestamp,
    ) {
        // A blank line is no record.
        if matches!(body, Body::Text("") | Body::Bytes([])) {
            return;
        }
        file.mark.records += 1;
        if let Some(pipeline) = &mut self.pipeline {
            let entry = new_entry(file, settings, body, place, now);
            pipeline.process(entry, now, &mut self.entries);
            self.drain_entries();
            return;
        }
        self.own_attributes.clear();
        if settings.include_record_number {
            let number = Value::Int(file.mark.records.cast_signed());
            encode::record_attribute(&mut self.own_attributes, RECORD_NUMBER, &number);
        }
        if settings.include_record_offset {
            let offset = Value::Int(place.start.cast_signed());
            encode::record_attribute(&mut self.own_attributes, RECORD_OFFSET, &offset);
        }
        let line = Line {
            observed: now.as_nanos(),
            time: None,
            body,
            attributes: &file.labels.encoded_attributes,
            own_attributes: &self.own_attributes,
        };
        encode::line(self.batcher.records(&file.labels.encoded_resource, ""), &line);
        self.batcher.count(1);
    }

    /// Encodes what came out of the operators.
    fn drain_entries(&mut self) {
        for mut entry in self.entries.drain(..) {
            if entry.origin.replayed {
                continue;
            }
            entry.limit_depth();
            let resource = match &self.resource {
                Some((before, encoded)) if Arc::ptr_eq(before, &entry.resource) => encoded,
                _ => {
                    let encoded = encode::resource(&entry.resource).into();
                    &self.resource.insert((Arc::clone(&entry.resource), encoded)).1
                }
            };
            let records = self.batcher.records(resource, &entry.scope_name);
            encode::entry(records, &entry, &mut self.scratch);
            self.batcher.count(1);
        }
    }

    /// Sends what operators have held back for long enough; of `file`, everything.
    pub(super) fn flush_operators(&mut self, now: Timestamp, file: Option<&Tracked>) {
        if let Some(pipeline) = &mut self.pipeline {
            pipeline.flush(now, file.map(|file| file.id), &mut self.entries);
            self.drain_entries();
        }
    }

    /// Notes that all before the place has been read.
    fn mark(&mut self, file: &mut Tracked, base: u64, from: usize) {
        let buffer = std::mem::take(&mut self.buffer);
        self.mark_in(file, &buffer, base, from);
        self.buffer = buffer;
    }

    fn mark_in(&mut self, file: &mut Tracked, data: &[u8], base: u64, from: usize) {
        let offset = base + from as u64;
        if offset != file.mark.offset {
            let tail = Print::of(&data[from.saturating_sub(TAIL)..from]);
            let delivered = offset.max(file.replay_until);
            file.mark = Mark { offset, delivered, records: file.mark.records, tail };
        }
        self.note(file);
    }

    /// Lets the next batch carry how far the file has been read.
    pub(super) fn note(&mut self, file: &mut Tracked) {
        let pending = self.pipeline.as_ref().and_then(|pipeline| pipeline.pending(file.id));
        let mark = match pending {
            None => file.mark.clone(),
            // Reading must begin again where the oldest part that waits begins.
            Some(origin) => Mark {
                offset: origin.start,
                delivered: file.mark.offset.max(file.replay_until),
                records: origin.records.saturating_sub(1),
                tail: Print::default(),
            },
        };
        if mark != file.noted {
            file.noted = mark.clone();
            self.batcher.mark(file.id, mark);
        }
    }

    /// Whether operators hold back parts of records of this file.
    pub(super) fn is_pending(&self, file: &Tracked) -> bool {
        self.pipeline.as_ref().is_some_and(|pipeline| pipeline.pending(file.id).is_some())
    }

    /// Sends what has been collected.
    pub(super) fn send(&mut self, sink: &mut dyn Sink) -> Result<(), Stopped> {
        self.batcher.take().map_or(Ok(()), |packet| sink.put(packet))
    }
}

/// A part of a file in the buffer.
#[derive(Clone, Copy)]
struct Span {
    /// The place in the file where the buffer begins.
    base: u64,
    /// What is before here has been dealt with.
    from: usize,
    /// What is behind here is not of the file.
    filled: usize,
}

const RECORD_NUMBER: &str = "log.file.record_number";
const RECORD_OFFSET: &str = "log.file.record_offset";

fn new_entry(
    file: &Tracked,
    settings: &Settings,
    body: Body<'_>,
    place: std::ops::Range<u64>,
    now: Timestamp,
) -> Entry {
    // With room for what operators add.
    let room = file.labels.attributes.len() + 8;
    let mut attributes = Map::with_capacity(room);
    attributes.extend(file.labels.attributes.iter().map(|(key, value)| (key.clone(), value.clone())));
    if settings.include_record_number {
        attributes.insert(RECORD_NUMBER.into(), Value::Int(file.mark.records.cast_signed()));
    }
    if settings.include_record_offset {
        attributes.insert(RECORD_OFFSET.into(), Value::Int(place.start.cast_signed()));
    }
    let replayed = place.end <= file.replay_until;
    Entry {
        origin: Origin {
            file: file.id,
            path: Arc::clone(&file.labels.path),
            start: place.start,
            records: file.mark.records,
            replayed,
        },
        observed: now.as_nanos(),
        body: match body {
            Body::Text(text) => Value::String(text.into()),
            Body::Bytes(bytes) => Value::Bytes(bytes.to_owned()),
        },
        attributes,
        resource: Arc::clone(&file.labels.resource),
        ..Entry::default()
    }
}
