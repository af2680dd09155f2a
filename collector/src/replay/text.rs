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

use analysis::logs::format::{Lifted, Sniffer};
use pdata::proto::common::{AnyValue, KeyValue, any_value::Value};
use pdata::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use pdata::proto::resource::Resource;
use pdata::{Batch, Logs, Timestamp};
use prost::Message as _;

use super::names;
use super::options::Options;
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
    resource: Resource,
    /// What every record has.
    attributes: Vec<KeyValue>,
    sniffer: Sniffer,
    /// Stands in for times until there is one.
    written: Timestamp,
    /// The time of the line before; unknown until a line has one.
    time: Timestamp,
    batch: Records,
    /// A record that is too far away in time to be in the same batch.
    early: Records,
}

#[derive(Default)]
struct Records {
    records: Vec<LogRecord>,
    /// About how many bytes they take.
    bytes: usize,
    /// The time of the first record that has one.
    begins: Timestamp,
    /// The earliest and the latest time.
    extent: Option<(Timestamp, Timestamp)>,
}

impl Text {
    /// For the lines of the file at `path`, which was last written at `written`.
    pub(super) fn new(path: &Path, written: Timestamp, options: &Options) -> Self {
        let service = options.service.clone().unwrap_or_else(|| names::service(path));
        let mut attributes = Vec::new();
        if path != Path::new("-") {
            attributes.push(attribute("log.file.name", names::name(path)));
            attributes.push(attribute("log.file.path", path.to_string_lossy().into_owned()));
        }
        Self {
            resource: Resource {
                attributes: vec![attribute("service.name", service)],
                ..Resource::default()
            },
            attributes,
            sniffer: Sniffer::default(),
            written,
            time: Timestamp::default(),
            batch: Records::default(),
            early: Records::default(),
        }
    }

    /// Whether the batch is to be taken before another line comes.
    pub(super) const fn is_full(&self) -> bool {
        !self.early.records.is_empty()
            || self.batch.records.len() >= BATCH_LINES
            || self.batch.bytes >= BATCH_BYTES
    }

    /// Takes a line in, without its end. Says whether it was UTF-8; what is not is replaced.
    pub(super) fn push(&mut self, line: &[u8]) -> bool {
        let text = String::from_utf8_lossy(line);
        let is_utf8 = matches!(text, Cow::Borrowed(_));
        let text = without_colours(text);
        let Lifted { severity, time, trace_id, span_id, .. } = self.sniffer.lift(&text, self.written);
        self.time = time.filter(|time| !time.is_unknown()).unwrap_or(self.time);
        let (severity_number, severity_text) = severity
            .map_or((0, String::new()), |severity| (i32::from(severity.number), severity.text.into_owned()));
        let record = LogRecord {
            observed_time_unix_nano: self.time.as_nanos(),
            severity_number,
            severity_text,
            trace_id: trace_id.map(Vec::from).unwrap_or_default(),
            span_id: span_id.map(Vec::from).unwrap_or_default(),
            attributes: self.attributes.clone(),
            body: Some(string(text.into_owned())),
            ..LogRecord::default()
        };
        let to = if self.batch.is_near(self.time) { &mut self.batch } else { &mut self.early };
        to.push(record);
        is_utf8
    }

    /// The batch so far; nothing if there is none.
    pub(super) fn take(&mut self) -> Option<Record> {
        let Records { mut records, begins, extent, .. } =
            std::mem::replace(&mut self.batch, std::mem::take(&mut self.early));
        if records.is_empty() {
            return None;
        }
        let known = if begins.is_unknown() { self.written } else { begins };
        for record in records.iter_mut().filter(|record| record.observed_time_unix_nano == 0) {
            record.observed_time_unix_nano = known.as_nanos();
        }
        let (time, until) = extent.unwrap_or((known, known));
        let scope = ScopeLogs { log_records: records, ..ScopeLogs::default() };
        let group = ResourceLogs {
            resource: Some(self.resource.clone()),
            scope_logs: vec![scope],
            ..ResourceLogs::default()
        };
        let logs = Logs::from_message(LogsData { resource_logs: vec![group] });
        Some(Record { time, until, batches: vec![Batch::Logs(logs)] })
    }
}

fn string(text: String) -> AnyValue {
    AnyValue { value: Some(Value::StringValue(text)) }
}

fn attribute(key: &str, text: String) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(string(text)), ..KeyValue::default() }
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

    fn push(&mut self, record: LogRecord) {
        let time = Timestamp(record.observed_time_unix_nano);
        if !time.is_unknown() {
            if self.begins.is_unknown() {
                self.begins = time;
            }
            let (first, last) = self.extent.unwrap_or((time, time));
            self.extent = Some((first.min(time), last.max(time)));
        }
        self.bytes += record.encoded_len();
        self.records.push(record);
    }
}
