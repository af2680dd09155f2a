//! Rounds driven by hand over real files.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use component::{Context, Kind};
use pdata::Timestamp;
use pdata::proto::common::any_value;
use pdata::proto::logs::{LogRecord, LogsData};
use prost::Message as _;

use super::batcher::Packet;
use super::config::{Compression, Config, Multiline, StartAt};
use super::identity::{FileId, Mark};
use super::poller::Poller;
use super::read::{Sink, Stopped};

mod rotation;
mod schedule;

const START: Timestamp = Timestamp::from_secs(1_700_000_000);
const ROUND: Duration = Duration::from_millis(200);

/// What arrived, batch by batch.
#[derive(Default)]
struct Arrived(Vec<(Vec<String>, BTreeMap<FileId, Mark>)>);

fn decode(bytes: &[u8]) -> Vec<LogRecord> {
    let logs = LogsData::decode(bytes).unwrap();
    logs.resource_logs.into_iter().flat_map(|r| r.scope_logs).flat_map(|s| s.log_records).collect()
}

fn body(record: &LogRecord) -> String {
    match record.body.as_ref().and_then(|body| body.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        other => format!("{other:?}"),
    }
}

impl Sink for Arrived {
    fn put(&mut self, packet: Packet) -> Result<(), Stopped> {
        let records = decode(&packet.bytes);
        assert_eq!(records.len(), packet.items);
        self.0.push((records.iter().map(body).collect(), packet.marks));
        Ok(())
    }
}

/// A directory, and a receiver that reads in it.
struct Bench {
    directory: tempfile::TempDir,
    config: Config,
    poller: Poller,
    now: Timestamp,
    arrived: Arrived,
    /// So many batches were acknowledged before the last kill.
    n_acknowledged: usize,
}

impl Bench {
    /// Reads `app.log*` from the beginning, unless `change` says otherwise.
    fn new(change: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config {
            include: vec!["app.log*".to_owned()],
            start_at: StartAt::Beginning,
            compression: Compression::Auto,
            ..Config::default()
        };
        change(&mut config);
        for pattern in config.include.iter_mut().chain(&mut config.exclude) {
            *pattern = directory.path().join(&*pattern).to_str().unwrap().to_owned();
        }
        let poller = poller(&config);
        Self { directory, config, poller, now: START, arrived: Arrived::default(), n_acknowledged: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn gzip(&self, name: &str) {
        let file = File::create(self.path(&format!("{name}.gz"))).unwrap();
        let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        encoder.write_all(&fs::read(self.path(name)).unwrap()).unwrap();
        encoder.finish().unwrap();
        fs::remove_file(self.path(name)).unwrap();
    }

    /// Reads all there is; gives what was new.
    fn round(&mut self) -> Vec<String> {
        let before = self.arrived.0.len();
        for _ in 0..1000 {
            self.now = self.now + ROUND;
            if !self.poller.round(self.now, &mut self.arrived).unwrap() {
                return self.arrived.0[before..].iter().flat_map(|(lines, _)| lines.clone()).collect();
            }
        }
        panic!("there is always more to read");
    }

    /// Lets time pass until what is incomplete is complete and what is gone is let go.
    fn settle(&mut self) -> Vec<String> {
        let mut new = Vec::new();
        for _ in 0..4 {
            new.extend(self.round());
            self.now = self.now + Duration::from_secs(6);
        }
        new
    }

    /// A kill after the first `n_kept` batches were acknowledged, and a new start.
    fn restart(&mut self, n_kept: usize) {
        self.arrived.0.truncate(n_kept.max(self.n_acknowledged));
        self.n_acknowledged = self.arrived.0.len();
        for (_, marks) in &self.arrived.0 {
            for (id, mark) in marks {
                self.poller.commit(*id, mark.clone());
            }
        }
        let state = serde_json::to_vec(&self.poller.state()).unwrap();
        self.poller = poller(&self.config);
        self.poller.restore(serde_json::from_slice(&state).unwrap());
        // The new receiver numbers its files anew.
        self.arrived.0.iter_mut().for_each(|(_, marks)| marks.clear());
    }

    fn lines(&self) -> Vec<String> {
        self.arrived.0.iter().flat_map(|(lines, _)| lines.clone()).collect()
    }
}

fn poller(config: &Config) -> Poller {
    super::poller(config, &Context::detached(Kind::Receiver, "filelog")).unwrap()
}

/// The records of one file with this text, read with this configuration.
fn records(text: &[u8], change: impl FnOnce(&mut Config)) -> Vec<LogRecord> {
    struct Records(Vec<LogRecord>);
    impl Sink for Records {
        fn put(&mut self, packet: Packet) -> Result<(), Stopped> {
            self.0.extend(decode(&packet.bytes));
            Ok(())
        }
    }
    let mut bench = Bench::new(change);
    fs::write(bench.path("app.log"), text).unwrap();
    let mut records = Records(Vec::new());
    for _ in 0..4 {
        bench.now = bench.now + Duration::from_secs(6);
        bench.poller.round(bench.now, &mut records).unwrap();
    }
    records.0
}

fn attributes(record: &LogRecord) -> Vec<(String, String)> {
    let text = |value: &any_value::Value| match value {
        any_value::Value::StringValue(text) => text.clone(),
        any_value::Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    let pairs = record.attributes.iter();
    pairs.map(|pair| (pair.key.clone(), text(pair.value.as_ref().unwrap().value.as_ref().unwrap()))).collect()
}

#[test]
fn lines_arrive_once_they_are_complete() {
    let mut bench = Bench::new(|_| {});
    bench.write("app.log", "one\r\n\n  two\nthr");
    assert_eq!(bench.round(), ["one", "two"]);
    bench.write("app.log", "ee\n");
    assert_eq!(bench.round(), ["three"]);
    assert!(bench.round().is_empty());
}

#[test]
fn a_line_without_end_is_complete_after_a_while() {
    let mut bench = Bench::new(|_| {});
    bench.write("app.log", "half");
    assert!(bench.round().is_empty());
    bench.now = bench.now + Duration::from_millis(500);
    assert_eq!(bench.round(), ["half"]);
    let mut bench = Bench::new(|config| config.force_flush_period = config::Duration::default());
    bench.write("app.log", "half");
    assert!(bench.settle().is_empty());
}

#[test]
fn what_was_there_before_is_left_out_only_at_the_first_start() {
    let mut bench = Bench::new(|config| config.start_at = StartAt::End);
    bench.write("app.log", "old\n");
    assert!(bench.round().is_empty());
    bench.write("app.log", "new\n");
    bench.write("app.log.2", "another\n");
    let mut new = bench.round();
    new.sort();
    assert_eq!(new, ["another", "new"]);
}

#[test]
fn long_lines_are_cut_and_memory_stays_small() {
    let mut bench = Bench::new(|config| config.max_log_size = config::ByteSize(1000));
    bench.write("app.log", &format!("{}\nnext\n", "x".repeat(2500)));
    let lines = bench.round();
    assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [1000, 1000, 500, 4]);
}

#[test]
fn records_that_begin_with_a_pattern_are_joined() {
    let multiline = Multiline { line_start_pattern: r"^\d+ ".to_owned(), ..Multiline::default() };
    let mut bench = Bench::new(|config| config.multiline = multiline);
    bench.write("app.log", "1 a\n  at b\n2 c\n");
    assert_eq!(bench.round(), ["1 a\n  at b"]);
    bench.write("app.log", "  at d\n");
    assert_eq!(bench.settle(), ["2 c\n  at d"]);
}

#[test]
fn attributes_say_where_a_record_is_from() {
    let records = records(b"one\ntwo\n", |config| {
        config.include_file_path = true;
        config.include_file_record_number = true;
        config.include_file_record_offset = true;
        config.attributes.insert("team".to_owned(), super::config::Scalar::String("shop".to_owned()));
    });
    let found = attributes(&records[1]);
    let get = |key: &str| found.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    assert_eq!(get("log.file.name"), Some("app.log"));
    assert!(get("log.file.path").is_some_and(|path| path.starts_with('/') && path.ends_with("/app.log")));
    assert_eq!((get("log.file.record_number"), get("log.file.record_offset")), (Some("2"), Some("4")));
    assert_eq!(get("team"), Some("shop"));
    assert_eq!(records[1].observed_time_unix_nano, (START + Duration::from_secs(6)).as_nanos());
}

#[test]
fn utf_16_and_bytes_are_read_as_such() {
    use super::config::Encoding;
    let text: Vec<u8> = "aä\nb\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let wide = records(&text, |config| config.encoding = Encoding::Utf16Le);
    assert_eq!(wide.iter().map(body).collect::<Vec<_>>(), ["aä", "b"]);
    let raw = records(b"\xff\n\0", |config| config.encoding = Encoding::Nop);
    let expected = any_value::Value::BytesValue(b"\xff\n\0".to_vec());
    assert_eq!(raw[0].body.as_ref().unwrap().value.as_ref(), Some(&expected));
}

#[test]
fn no_more_files_are_kept_open_than_allowed() {
    let mut bench = Bench::new(|config| config.max_concurrent_files = 3);
    for n in 0..20 {
        bench.write(&format!("app.log.{n}"), &format!("{n}\n"));
    }
    assert_eq!(bench.round().len(), 20);
    let open = bench.poller.files.values().filter(|file| file.source.is_some()).count();
    assert!(open <= 3, "{open}");
    bench.write("app.log.7", "more\n");
    assert_eq!(bench.round(), ["more"]);
}

#[test]
fn a_file_is_deleted_once_it_is_delivered() {
    let mut bench = Bench::new(|config| config.delete_after_read = true);
    bench.write("app.log", "one\n");
    bench.settle();
    assert!(bench.path("app.log").exists());
    for (_, marks) in std::mem::take(&mut bench.arrived.0) {
        marks.into_iter().for_each(|(id, mark)| bench.poller.commit(id, mark));
    }
    assert!(!bench.path("app.log").exists());
}

#[test]
fn a_refusing_pipeline_stops_the_reading_and_nothing_is_skipped() {
    struct Full(usize, Arrived);
    impl Sink for Full {
        fn put(&mut self, packet: Packet) -> Result<(), Stopped> {
            self.0 = self.0.checked_sub(1).ok_or(Stopped)?;
            self.1.put(packet)
        }
    }
    let mut bench = Bench::new(|_| {});
    let text: String = (0..40_000).map(|n| format!("{n:06} {}\n", "x".repeat(40))).collect();
    bench.write("app.log", &text);
    let mut sink = Full(3, Arrived::default());
    assert_eq!(bench.poller.round(bench.now, &mut sink), Err(Stopped));
    bench.arrived = sink.1;
    bench.restart(2);
    bench.settle();
    assert_eq!(bench.lines(), text.lines().collect::<Vec<_>>());
}
