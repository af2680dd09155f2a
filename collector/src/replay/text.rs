//! Lines of text as log records.
//!
//! A record has the time that its line says it is of, or that of the line before. Lines that come before the first time in
//! their file have that time if it is within the first batch. In a file without any times a record's own time is unknown, and
//! it counts as observed when the file was last written.
//!
//! Times that go backwards are left as they are: a record says what its line says. The batch that has them is due at
//! its earliest time, and as event time never goes back, such records are late for whoever works in windows.

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use pdata::proto::common::{AnyValue, KeyValue, any_value::Value};
use pdata::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use pdata::proto::resource::Resource;
use pdata::{Batch, Logs, Timestamp};

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
    keep_original: bool,
    /// Stands in for times until there is one.
    written: Timestamp,
    /// The time of the line before; unknown until a line has one.
    time: Timestamp,
    records: Vec<LogRecord>,
    bytes: usize,
    /// The time of the first record in the batch.
    begins: Timestamp,
    /// A record that is too far away in time to be in the same batch.
    early: Option<LogRecord>,
}

impl Text {
    /// For the lines of the file at `path`, which was last written at `written`.
    pub(super) fn new(path: &Path, written: Timestamp, options: &Options) -> Self {
        let service = options.service.clone().unwrap_or_else(|| names::service(path));
        let mut attributes = Vec::new();
        if options.name_files && path != Path::new("-") {
            attributes.push(attribute("log.file.name", names::name(path)));
            attributes.push(attribute("log.file.path", path.to_string_lossy().into_owned()));
        }
        Self {
            resource: Resource {
                attributes: vec![attribute("service.name", service)],
                ..Resource::default()
            },
            attributes,
            keep_original: options.keep_original,
            written,
            time: Timestamp::default(),
            records: Vec::new(),
            bytes: 0,
            begins: Timestamp::default(),
            early: None,
        }
    }

    /// Whether the batch is to be taken before another line comes.
    pub(super) fn is_full(&self) -> bool {
        self.early.is_some() || self.records.len() >= BATCH_LINES || self.bytes >= BATCH_BYTES
    }

    /// Takes a line in, without its end. Says whether it was UTF-8; what is not is replaced.
    pub(super) fn push(&mut self, line: &[u8]) -> bool {
        let text = String::from_utf8_lossy(line);
        let is_utf8 = matches!(text, Cow::Borrowed(_));
        let record = self.record(text);
        self.bytes += line.len();
        let time = Timestamp(record.time_unix_nano);
        let is_near = |begins: Timestamp| time.since(begins).max(begins.since(time)) <= BATCH_SPAN;
        if self.begins.is_unknown() || time.is_unknown() {
            self.begins = time;
        } else if !self.records.is_empty() && !is_near(self.begins) {
            self.early = Some(record);
            return is_utf8;
        }
        self.records.push(record);
        is_utf8
    }

    /// The batch so far; nothing if there is none.
    pub(super) fn take(&mut self) -> Option<Record> {
        let mut records = std::mem::take(&mut self.records);
        self.bytes = 0;
        self.begins = Timestamp::default();
        if let Some(early) = self.early.take() {
            self.begins = Timestamp(early.time_unix_nano);
            self.records.push(early);
        }
        let known = records.iter().map(|record| record.time_unix_nano).find(|time| *time != 0);
        let (mut time, mut until) = (u64::MAX, 0);
        for record in &mut records {
            if record.time_unix_nano == 0 {
                record.time_unix_nano = known.unwrap_or_default();
            }
            if record.time_unix_nano == 0 {
                record.observed_time_unix_nano = self.written.as_nanos();
            }
            let own = record.time_unix_nano.max(record.observed_time_unix_nano);
            (time, until) = (time.min(own), until.max(own));
        }
        if records.is_empty() {
            return None;
        }
        let scope = ScopeLogs { log_records: records, ..ScopeLogs::default() };
        let group = ResourceLogs {
            resource: Some(self.resource.clone()),
            scope_logs: vec![scope],
            ..ResourceLogs::default()
        };
        let logs = Logs::from_message(LogsData { resource_logs: vec![group] });
        Some(Record { time: Timestamp(time), until: Timestamp(until), batches: vec![Batch::Logs(logs)] })
    }

    fn record(&mut self, line: Cow<'_, str>) -> LogRecord {
        let mut attributes = self.attributes.clone();
        if self.keep_original {
            attributes.push(attribute("log.record.original", line.clone().into_owned()));
        }
        if let Some(time) = time_of(&line) {
            self.time = time;
        }
        LogRecord {
            time_unix_nano: self.time.as_nanos(),
            body: Some(string(line.into_owned())),
            attributes,
            ..LogRecord::default()
        }
    }
}

/// The time that a line says it is of.
const fn time_of(_line: &str) -> Option<Timestamp> {
    None
}

fn attribute(key: &str, value: String) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(string(value)), ..KeyValue::default() }
}

const fn string(text: String) -> AnyValue {
    AnyValue { value: Some(Value::StringValue(text)) }
}
