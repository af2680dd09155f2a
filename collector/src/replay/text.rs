//! Lines of text as log records.
//!
//! A record's body is its line. It has the severity, the trace and the span that the line names, and is observed when the line
//! says it was written; its own time is left to whoever works with lines, as `drain` does: a line that has both a severity and
//! a time would be a record that is complete. A line that says no time is observed at that of the line before. Lines that
//! come before the first time in their file are observed then, if it is within the first batch. In a file without any times all
//! is observed when the file was last written.
//!
//! Times that go backwards are left as they are: a record says what its line says. A batch is due at its earliest
//! time, and as event time never goes back, such records are late for whoever works in windows.

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use analysis::logs::format::Sniffer;
use pdata::{Batch, Logs, Timestamp};

use super::encode::{self, Place};
use super::names;
use super::options::{FileOf, Options};
use super::source::Record;

/// The longest line; what is beyond is cut off.
pub(super) const LONGEST_LINE: usize = 1 << 20;

/// How much a batch holds at most.
const BATCH_LINES: usize = 4096;
const BATCH_BYTES: usize = 1 << 20;
/// How far the times in a batch lie apart: inputs are merged a batch at a time.
const BATCH_SPAN: Duration = Duration::from_secs(10);

/// Makes batches of lines.
pub(super) struct Text {
    /// Encoded: the resource, and the attributes that every record has.
    resource: Vec<u8>,
    attributes: Vec<u8>,
    sniffer: Sniffer,
    scratch: Vec<u8>,
    /// Stands in for times until there is one.
    written: Timestamp,
    /// The time of the line before; unknown until a line has one.
    time: Timestamp,
    batch: Records,
    /// A record that is too far away in time to be in the same batch.
    early: Records,
}

/// Encoded records.
#[derive(Default)]
struct Records {
    bytes: Vec<u8>,
    lines: usize,
    /// The time of the first record that has one.
    begins: Timestamp,
    /// The earliest and the latest time.
    extent: Option<(Timestamp, Timestamp)>,
    /// Where records end that came before the first time.
    untimed: Vec<usize>,
}

impl Text {
    /// For the lines of the file at `path`, which was last written at `written`.
    pub(super) fn new(path: &Path, written: Timestamp, options: &Options) -> Self {
        let service = options.service.clone().unwrap_or_else(|| names::service(path));
        let (mut resource, mut attributes) = (Vec::new(), Vec::new());
        encode::attribute(Place::Resource, "service.name", &service, &mut resource);
        if path != Path::new("-") {
            let (place, out) = match options.file_of {
                FileOf::Record => (Place::Record, &mut attributes),
                FileOf::Resource => (Place::Resource, &mut resource),
            };
            encode::attribute(place, "log.file.name", &names::name(path), out);
            encode::attribute(place, "log.file.path", &path.to_string_lossy(), out);
        }
        Self {
            resource,
            attributes,
            sniffer: Sniffer::default(),
            scratch: Vec::new(),
            written,
            time: Timestamp::default(),
            batch: Records::default(),
            early: Records::default(),
        }
    }

    /// Whether the batch is to be taken before another line comes.
    pub(super) const fn is_full(&self) -> bool {
        self.early.lines > 0 || self.batch.lines >= BATCH_LINES || self.batch.bytes.len() >= BATCH_BYTES
    }

    /// Takes a line in, without its end. Says whether it was UTF-8; what is not is replaced.
    pub(super) fn push(&mut self, line: &[u8]) -> bool {
        let text = String::from_utf8_lossy(line);
        let is_utf8 = matches!(text, Cow::Borrowed(_));
        let text = without_colours(text);
        let lifted = self.sniffer.lift(&text, self.written);
        self.time = lifted.time.filter(|time| !time.is_unknown()).unwrap_or(self.time);
        let to = if self.batch.is_near(self.time) { &mut self.batch } else { &mut self.early };
        let bytes = &mut to.bytes;
        let end = encode::record(&text, &lifted, self.time, &self.attributes, &mut self.scratch, bytes);
        to.note(self.time, end);
        is_utf8
    }

    /// The batch so far; nothing if there is none.
    pub(super) fn take(&mut self) -> Option<Record> {
        let mut batch = std::mem::replace(&mut self.batch, std::mem::take(&mut self.early));
        if batch.lines == 0 {
            return None;
        }
        let known = if batch.begins.is_unknown() { self.written } else { batch.begins };
        for end in std::mem::take(&mut batch.untimed) {
            encode::set_observed(end, known, &mut batch.bytes);
        }
        let (time, until) = batch.extent.unwrap_or((known, known));
        let bytes = encode::logs(&self.resource, &batch.bytes);
        // Bytes of this module's own making are what they should be; a test holds it to that.
        let logs = Logs::from_bytes(bytes.into()).unwrap_or_else(|_| Logs::empty());
        Some(Record { time, until, batches: vec![Batch::Logs(logs)] })
    }
}

/// The line without what would give it colours on a terminal (SGR, ECMA-48 8.3.117): colours say nothing that the words do
/// not say, and would keep timestamps and severities from being found.
fn without_colours(line: Cow<'_, str>) -> Cow<'_, str> {
    if !line.contains("\x1b[") {
        return line;
    }
    let mut parts = line.split("\x1b[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let parameters =
            part.bytes().take_while(|byte| byte.is_ascii_digit() || b";:".contains(byte)).count();
        match part.as_bytes().get(parameters) {
            Some(b'm' | b'K') => plain.push_str(part.get(parameters + 1..).unwrap_or_default()),
            _ => {
                plain.push_str("\x1b[");
                plain.push_str(part);
            }
        }
    }
    Cow::Owned(plain)
}

impl Records {
    /// Whether a record of this time may be in the same batch.
    fn is_near(&self, time: Timestamp) -> bool {
        let begins = self.begins;
        begins.is_unknown() || time.since(begins).max(begins.since(time)) <= BATCH_SPAN
    }

    /// A record was added that ends at `end`.
    fn note(&mut self, observed: Timestamp, end: usize) {
        self.lines += 1;
        if observed.is_unknown() {
            self.untimed.push(end);
            return;
        }
        if self.begins.is_unknown() {
            self.begins = observed;
        }
        let (first, last) = self.extent.unwrap_or((observed, observed));
        self.extent = Some((first.min(observed), last.max(observed)));
    }
}
