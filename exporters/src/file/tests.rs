//! What is in the files afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use component::{Clock, Context, Exporter as _, Kind};
use config::Validate as _;
use pdata::event::{Change, Score};
use pdata::proto::common::{AnyValue, any_value::Value};
use pdata::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use pdata::{Batch, Event, Logs, Timestamp};
use proptest::prelude::*;

use super::writer::Writer;
use super::{Compression, Config, FileExporter, Format, Rotation};

const START: Timestamp = Timestamp::from_secs(1_700_000_000);

fn context() -> Context {
    Context { clock: Clock::manual(START), ..Context::detached(Kind::Exporter, "file") }
}

fn exporter(config: &Config) -> FileExporter {
    FileExporter::new(config.clone(), &context())
}

fn logs(bodies: &[&str]) -> Batch {
    let record = |body: &&str| LogRecord {
        body: Some(AnyValue { value: Some(Value::StringValue((*body).to_owned())) }),
        ..LogRecord::default()
    };
    let scope = ScopeLogs { log_records: bodies.iter().map(record).collect(), ..ScopeLogs::default() };
    let resource = ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() };
    Logs::from_message(LogsData { resource_logs: vec![resource] }).into()
}

fn change(message: &str) -> Event {
    Event::Change(Change {
        time: START,
        service: "cart".to_owned(),
        kind: "deploy".to_owned(),
        attributes: serde_json::Map::new(),
        message: message.to_owned(),
    })
}

/// The path in a fresh directory, which lives as long as the first value.
fn target() -> (tempfile::TempDir, Config) {
    let directory = tempfile::tempdir().unwrap();
    let config = Config { path: directory.path().join("out.jsonl"), ..Config::default() };
    (directory, config)
}

async fn write(config: &Config, batches: &[Batch]) {
    let exporter = exporter(config);
    exporter.start().await.unwrap();
    for batch in batches {
        exporter.export(batch.clone()).await.unwrap();
    }
    exporter.shutdown().await.unwrap();
}

/// The bodies of the log records in lines of OTLP/JSON.
fn bodies(text: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(text).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{text:?} has no end");
    let batches =
        text.lines().map(|line| pdata::json::logs_from_json(line.as_bytes()).unwrap().into_message());
    let records =
        batches.flat_map(|batch| batch.resource_logs).flat_map(|r| r.scope_logs).flat_map(|s| s.log_records);
    records
        .map(|record| match record.body.and_then(|body| body.value) {
            Some(Value::StringValue(body)) => body,
            other => panic!("{other:?} is no text"),
        })
        .collect()
}

/// Every file in the directory, oldest first: rotated ones sort by their time, the one at the path comes last.
fn files(path: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn all_bodies(path: &Path) -> Vec<String> {
    files(path).iter().flat_map(|file| bodies(&fs::read(file).unwrap())).collect()
}

#[tokio::test]
async fn telemetry_and_events_stand_in_order_one_a_line() {
    let (_directory, config) = target();
    let score = Score {
        time: START,
        series: serde_json::Map::new(),
        value: 2.0,
        score: 0.5,
        expected: None,
        unit: String::new(),
        why: Vec::new(),
    };
    let events = vec![change("one"), Event::Score(score)];
    write(&config, &[logs(&["a", "b\nc"]), Batch::events(events.clone()), logs(&[]), logs(&["d"])]).await;
    let text = fs::read_to_string(&config.path).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert_eq!(bodies(format!("{}\n", lines[0]).as_bytes()), ["a", "b\nc"]);
    for (line, event) in lines[1..3].iter().zip(&events) {
        let mut expected = Vec::new();
        event.to_json(&mut expected);
        assert_eq!(line.as_bytes(), expected);
        assert_eq!(serde_json::from_str::<Event>(line).unwrap(), *event);
    }
    assert_eq!(bodies(format!("{}\n", lines[3]).as_bytes()), ["d"]);
}

#[tokio::test]
async fn protobuf_stands_behind_its_length() {
    let (_directory, mut config) = target();
    config.format = Format::Proto;
    let events = vec![change("one")];
    write(&config, &[logs(&["a"]), Batch::events(events.clone())]).await;
    let data = fs::read(&config.path).unwrap();
    let mut rest = &data[..];
    let mut frames = Vec::new();
    while let Some((length, tail)) = rest.split_first_chunk() {
        let (frame, tail) = tail.split_at(u32::from_be_bytes(*length) as usize);
        frames.push(Logs::from_bytes(frame.to_vec().into()).unwrap());
        rest = tail;
    }
    assert!(rest.is_empty());
    assert_eq!(Batch::from(frames[0].clone()), logs(&["a"]));
    assert_eq!(pdata::event::from_logs(frames[1].clone()), (events, None));
}

#[tokio::test]
async fn compressed_files_read_as_one() {
    for compression in [Compression::Gzip, Compression::Zstd] {
        let (_directory, mut config) = target();
        config.compression = compression;
        write(&config, &[logs(&["a"]), logs(&["b"])]).await;
        let data = bytes::Bytes::from(fs::read(&config.path).unwrap());
        let encoding = match compression {
            Compression::Gzip => transport::compression::Encoding::Gzip,
            _ => transport::compression::Encoding::Zstd,
        };
        assert_eq!(bodies(&encoding.decode(data, 1 << 20).unwrap()), ["a", "b"], "{compression:?}");
    }
}

#[tokio::test]
async fn a_restart_empties_the_file_unless_told_to_append() {
    let (_directory, mut config) = target();
    write(&config, &[logs(&["a"])]).await;
    write(&config, &[logs(&["b"])]).await;
    assert_eq!(all_bodies(&config.path), ["b"]);
    config.append = true;
    write(&config, &[logs(&["c"])]).await;
    assert_eq!(all_bodies(&config.path), ["b", "c"]);
}

#[tokio::test]
async fn a_reload_empties_nothing() {
    let (_directory, config) = target();
    let context = context();
    for body in ["a", "b"] {
        let exporter = FileExporter::new(config.clone(), &context);
        exporter.start().await.unwrap();
        exporter.export(logs(&[body])).await.unwrap();
        exporter.shutdown().await.unwrap();
    }
    assert_eq!(all_bodies(&config.path), ["a", "b"]);
}

#[tokio::test]
async fn a_line_that_a_killed_run_left_is_taken_back_and_others_are_kept() {
    let (_directory, mut config) = target();
    config.append = true;
    write(&config, &[logs(&["a"])]).await;
    let whole = fs::read(&config.path).unwrap();
    for cut in 1..whole.len() {
        fs::write(&config.path, [&whole[..], &whole[..cut]].concat()).unwrap();
        write(&config, &[logs(&["b"])]).await;
        // All of it but the end of line is still all of it.
        let expected = if cut == whole.len() - 1 { vec!["a", "a", "b"] } else { vec!["a", "b"] };
        assert_eq!(all_bodies(&config.path), expected, "{cut}");
    }
    fs::write(&config.path, "somebody else's").unwrap();
    write(&config, &[logs(&["b"])]).await;
    let text = fs::read_to_string(&config.path).unwrap();
    assert_eq!(bodies(text.strip_prefix("somebody else's\n").unwrap().as_bytes()), ["b"]);
}

#[tokio::test]
async fn a_file_that_cannot_be_added_to_is_put_aside() {
    let (_directory, mut config) = target();
    config.rotation = Some(Rotation::default());
    config.compression = Compression::Gzip;
    fs::write(&config.path, "half a member").unwrap();
    write(&config, &[logs(&["a"])]).await;
    let files = files(&config.path);
    assert!(files[0].ends_with("out-2023-11-14T22-13-20.000.jsonl"), "{files:?}");
    assert_eq!(fs::read(&files[0]).unwrap(), b"half a member");
    config.compression = Compression::None;
    config.format = Format::Proto;
    fs::write(&config.path, [0, 0, 0, 9, 1]).unwrap();
    write(&config, &[logs(&["a"])]).await;
    assert_eq!(
        fs::read(config.path.with_file_name("out-2023-11-14T22-13-20.001.jsonl")).unwrap(),
        [0, 0, 0, 9, 1]
    );
}

#[tokio::test]
async fn a_full_disk_is_an_error_that_may_be_retried() {
    let (_directory, mut config) = target();
    config.path = "/dev/full".into();
    let exporter = exporter(&config);
    exporter.start().await.unwrap();
    let error = exporter.export(logs(&["a"])).await.unwrap_err();
    assert!(
        matches!(&error, component::ExportError::Retryable { reason, .. } if reason.contains("/dev/full")),
        "{error}"
    );
}

#[tokio::test]
async fn a_directory_is_created_only_if_asked_for() {
    let (directory, mut config) = target();
    config.path = directory.path().join("a/b/out.jsonl");
    assert!(exporter(&config).start().await.is_err());
    config.create_directory = true;
    write(&config, &[logs(&["a"])]).await;
    assert_eq!(all_bodies(&config.path), ["a"]);
}

#[tokio::test]
async fn a_file_that_somebody_moved_is_begun_anew() {
    let (directory, config) = target();
    let exporter = exporter(&config);
    exporter.start().await.unwrap();
    exporter.export(logs(&["a"])).await.unwrap();
    fs::rename(&config.path, directory.path().join("moved")).unwrap();
    exporter.export(logs(&["b"])).await.unwrap();
    assert_eq!(bodies(&fs::read(directory.path().join("moved")).unwrap()), ["a"]);
    assert_eq!(bodies(&fs::read(&config.path).unwrap()), ["b"]);
}

#[test]
fn old_and_surplus_files_are_deleted_and_no_others() {
    let (directory, mut config) = target();
    config.rotation = Some(Rotation { max_megabytes: 1, max_days: 1, max_backups: 2, ..Rotation::default() });
    fs::write(directory.path().join("out-notes.jsonl"), "mine").unwrap();
    let clock = Clock::manual(START);
    let mut writer = Writer::open(config.clone(), clock.clone(), false).unwrap();
    let block = vec![b'x'; 1 << 20];
    let names = || -> Vec<_> {
        let names = files(&config.path)
            .into_iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
        names.filter(|name| name != "out.jsonl" && name != "out-notes.jsonl").collect()
    };
    for minute in 1..6 {
        writer.write(&block).unwrap();
        clock.advance_to(START + Duration::from_mins(minute));
    }
    assert_eq!(names(), ["out-2023-11-14T22-16-20.000.jsonl", "out-2023-11-14T22-17-20.000.jsonl"]);
    clock.advance_to(START + Duration::from_hours(48));
    writer.write(&block).unwrap();
    assert_eq!(names(), ["out-2023-11-16T22-13-20.000.jsonl"]);
    assert!(directory.path().join("out-notes.jsonl").exists());
}

#[test]
fn wrong_settings_are_refused_by_name() {
    let valid = Config { path: "out".into(), ..Config::default() };
    assert_eq!(valid.validate(), Ok(()));
    let rotation = Some(Rotation { max_megabytes: 0, ..Rotation::default() });
    let wrong = [
        ("path", Config::default()),
        ("rotation.max_megabytes", Config { rotation, ..valid.clone() }),
        ("append", Config { append: true, compression: Compression::Zstd, ..valid.clone() }),
        ("directory_permissions", Config { directory_permissions: "rwx".to_owned(), ..valid }),
    ];
    for (field, config) in wrong {
        assert_eq!(config.validate().unwrap_err().field, field);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever the sizes and however often it is reopened: every line once, in order, no file too large.
    #[test]
    fn rotation_loses_and_splits_nothing(
        blocks in prop::collection::vec((1..900_000usize, 0..10u8), 1..12), step in 0..2u64,
    ) {
        let (_directory, mut config) = target();
        config.rotation = Some(Rotation { max_megabytes: 1, ..Rotation::default() });
        let clock = Clock::manual(START);
        let open = || Writer::open(config.clone(), clock.clone(), false).unwrap();
        let mut writer = open();
        for (n, (len, reopen)) in blocks.iter().enumerate() {
            if *reopen == 0 {
                writer = open();
            }
            let line = format!("{n} {}\n", "x".repeat(*len));
            writer.write(line.as_bytes()).unwrap();
            clock.advance_to(START + Duration::from_millis(step * n as u64));
        }
        let mut numbers = Vec::new();
        for file in files(&config.path) {
            let text = fs::read_to_string(&file).unwrap();
            prop_assert!(text.len() <= 1 << 20);
            prop_assert!(text.is_empty() || text.ends_with('\n'));
            for line in text.lines() {
                let (number, rest) = line.split_once(' ').unwrap();
                let number: usize = number.parse().unwrap();
                prop_assert_eq!(rest.len(), blocks[number].0);
                numbers.push(number);
            }
        }
        prop_assert_eq!(numbers, (0..blocks.len()).collect::<Vec<_>>());
    }
}
