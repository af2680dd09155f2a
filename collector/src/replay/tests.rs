//! Everything that is an input is read, in the order of time, and what is not is reported.

mod text;

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use engine::Recorded;
use pdata::{Batch, Event, Logs, Metrics, Signal, Timestamp, Traces};

use super::source::Source;
use super::text::Text;
use super::{Form, InputError, Inputs, Options, Tally};
use testkit::Workload;

fn gauge(second: u64, service: &str) -> String {
    format!(
        r#"{{"resourceMetrics":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"{service}"}}}}]}},"scopeMetrics":[{{"metrics":[{{"name":"m","gauge":{{"dataPoints":[{{"timeUnixNano":"{second}000000000","asDouble":1}}]}}}}]}}]}}]}}"#
    )
}

fn write(directory: &Path, name: &str, contents: &[u8]) -> PathBuf {
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, contents).unwrap();
    path
}

#[derive(Debug)]
struct Read {
    batches: Vec<Recorded>,
    reports: Vec<String>,
    tally: Tally,
}

fn read(paths: &[PathBuf], strict: bool) -> Result<Read, InputError> {
    read_as(paths, &Options { strict, ..Options::default() })
}

fn read_as(paths: &[PathBuf], options: &Options) -> Result<Read, InputError> {
    let reports = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&reports);
    let mut inputs = Inputs::open(paths, options, move |found| sink.lock().unwrap().push(found.to_string()))?;
    let batches = inputs.by_ref().collect::<Result<_, _>>()?;
    let reports = reports.lock().unwrap().clone();
    Ok(Read { batches, reports, tally: inputs.tally() })
}

/// Contents in memory, told by their beginning.
fn source(name: &str, contents: impl Into<Vec<u8>>) -> Source {
    let text = || Text::new(Path::new(name), WRITTEN, &Options::default());
    Source::new(name, Cursor::new(contents.into()), Form::Auto, text).unwrap()
}

/// When the contents in memory were written.
const WRITTEN: Timestamp = Timestamp::from_secs(1_767_603_600);

const SECOND: std::time::Duration = std::time::Duration::from_secs(1);

fn seconds(read: &Read) -> Vec<u64> {
    read.batches.iter().map(|recorded| recorded.time.as_nanos() / 1_000_000_000).collect()
}

fn services(read: &Read) -> String {
    let service = |recorded: &Recorded| match &recorded.batch {
        Batch::Metrics(metrics) => {
            metrics.view().resources().map(|group| group.resource().service_name().to_owned()).collect()
        }
        other => format!("{other:?}"),
    };
    read.batches.iter().map(service).collect()
}

#[test]
fn lines_of_all_inputs_come_in_the_order_of_time_and_of_the_inputs() {
    let directory = tempfile::tempdir().unwrap();
    let lines = |lines: &[(u64, &str)]| {
        lines.iter().map(|(second, service)| gauge(*second, service) + "\n").collect::<String>()
    };
    let a = write(directory.path(), "a", lines(&[(1, "a"), (4, "b"), (2, "c"), (9, "d")]).as_bytes());
    let b = write(directory.path(), "b", lines(&[(2, "w"), (3, "x"), (4, "y"), (10, "z")]).as_bytes());
    let read = read(&[a, b], true).unwrap();
    assert_eq!(services(&read), "awxbcydz");
    assert_eq!(seconds(&read), [1, 2, 3, 4, 2, 4, 9, 10]);
}

#[test]
fn compression_and_framing_do_not_matter() {
    let text = Workload { requests: 3, ..Workload::default() }.json_lines(3);
    let gzip = |plain: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = |plain: &[u8]| zstd::encode_all(plain, 1).unwrap();
    let framed = |contents: Vec<Vec<u8>>| {
        let frame = |body: Vec<u8>| [&(body.len() as u32).to_be_bytes(), &body[..]].concat();
        contents.into_iter().flat_map(frame).collect::<Vec<u8>>()
    };
    let lines = || text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let protobuf = |line| match pdata::json::from_json(pdata::json::detect(line).unwrap(), line).unwrap() {
        Batch::Traces(traces) => traces.bytes().to_vec(),
        Batch::Metrics(metrics) => metrics.bytes().to_vec(),
        Batch::Logs(logs) => logs.bytes().to_vec(),
        Batch::Events(_) => unreachable!("the workload has none"),
    };
    let forms: [Vec<u8>; 8] = [
        gzip(&text),
        [gzip(&text[..1000]), gzip(&text[1000..])].concat(),
        zstd(&text),
        framed(lines().map(protobuf).collect()),
        gzip(&framed(lines().map(protobuf).collect())),
        framed(lines().map(|line| zstd(&protobuf(line))).collect()),
        framed(lines().map(zstd).collect()),
        [b"\xef\xbb\xbf\r\n", &text[..]].concat(),
    ];
    let all = |form: &[u8]| {
        let mut source = source("x", form);
        std::iter::from_fn(|| source.next().unwrap()).flat_map(|record| record.unwrap().batches).collect()
    };
    let expected: Vec<Batch> = all(&text);
    assert_eq!(expected.len(), 9);
    for (i, form) in forms.iter().enumerate() {
        assert_eq!(all(form), expected, "form {i}");
    }
}

#[test]
fn malformed_lines_are_reported_with_their_place_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let text = [&gauge(1, "a"), "{\"resourceSpans\":[", "", "gibberish", "{}", &gauge(2, "b")].join("\n");
    let path = write(directory.path(), "in", text.as_bytes());
    let good = read(std::slice::from_ref(&path), false).unwrap();
    assert_eq!(services(&good), "ab");
    let name = path.display();
    assert_eq!(
        good.reports[1..],
        [format!("{name}:4: neither OTLP nor an event"), format!("{name}:5: neither OTLP nor an event"),]
    );
    assert!(good.reports[0].starts_with(&format!("{name}:2: malformed traces: ")), "{}", good.reports[0]);
    assert_eq!((good.tally.counts.records, good.tally.malformed), (5, 3));
    assert_eq!(good.tally.counts.bytes, text.len() as u64);
    let error = read(std::slice::from_ref(&path), true).unwrap_err();
    assert!(error.to_string().starts_with(&format!("{name}:2: malformed traces")), "{error}");
}

#[test]
fn broken_frames_and_broken_compression_do_not_pass_for_an_end() {
    let mut cut = source("cut", vec![0, 0, 0, 9, 1, 2]);
    assert_eq!(
        cut.next().unwrap().unwrap().unwrap_err().to_string(),
        "cut:1: the input ends in the middle of a frame"
    );
    assert!(cut.next().unwrap().is_none());
    let mut long = source("long", vec![7, 255, 255, 255, 1, 2]);
    assert!(long.next().unwrap().unwrap().is_err());
    let huge = [&[0, 0, 0, 4, 0, 0, 0, 0][..], &[8, 0, 0, 1, 1, 2]].concat();
    let mut huge = source("huge", huge);
    assert!(huge.next().unwrap().unwrap().is_err());
    assert_eq!(huge.next().unwrap().unwrap().unwrap_err().to_string(), "huge:2: longer than 128 MiB");
    assert!(huge.next().unwrap().is_none());
    let text = Workload::default().json_lines(3);
    let zstd = zstd::encode_all(&text[..], 1).unwrap();
    let mut broken = source("broken", zstd[..zstd.len() - 4].to_vec());
    assert!(broken.next().unwrap().unwrap().is_ok());
    let ended = std::iter::repeat_with(|| broken.next()).find(|read| !matches!(read, Ok(Some(_))));
    assert!(matches!(ended, Some(Err(InputError::Read { .. }))));
}

#[test]
fn directories_are_read_with_what_is_below_and_without_what_is_no_telemetry() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    write(root, "b.jsonl", gauge(2, "b").as_bytes());
    write(root, "a/x", gauge(1, "a").as_bytes());
    write(root, "c.labels.json", b"{\"cases\": []}");
    write(root, "README.md", b"# About\n");
    write(root, "empty", b"");
    write(root, ".hidden", gauge(3, "h").as_bytes());
    let found = read(&[root.to_owned()], true).unwrap();
    assert_eq!(services(&found), "ab");
    let left_out: Vec<_> = found.tally.left_out.iter().map(|name| name.rsplit('/').next().unwrap()).collect();
    assert_eq!((found.tally.inputs, left_out), (2, vec!["README.md", "c.labels.json"]));
    let nothing = tempfile::tempdir().unwrap();
    assert!(matches!(read(&[nothing.path().to_owned()], false), Err(InputError::Empty { .. })));
    assert!(matches!(read(&[root.join("absent")], false), Err(InputError::Open { .. })));
}

#[test]
fn events_are_read_as_lines_and_out_of_log_records() {
    let line = r#"{"type":"score","time_unix_nano":5000000000,"series":{},"value":1.0,"score":0.5}"#;
    let Batch::Events(events) = pdata::json::from_json(Signal::Events, line.as_bytes()).unwrap() else {
        unreachable!("asked for events")
    };
    let logs = pdata::event::to_logs(&events);
    let mut as_logs = Vec::new();
    pdata::json::to_json(&Batch::Logs(logs), &mut as_logs);
    let text = [line.as_bytes(), b"\n", &as_logs].concat();
    let mut source = source("x", text);
    let read: Vec<_> = std::iter::from_fn(|| source.next().unwrap()).map(Result::unwrap).collect();
    assert_eq!(read.len(), 2);
    for record in read {
        assert_eq!(record.time, Timestamp::from_secs(5));
        let [Batch::Events(again)] = &record.batches[..] else { unreachable!("{record:?}") };
        assert!(matches!(&again[..], [Event::Score(score)] if score.score == 0.5));
    }
}

#[test]
fn a_frame_without_times_is_taken_for_what_came_before() {
    let batches: [Batch; 3] = [Traces::empty().into(), Metrics::empty().into(), Logs::empty().into()];
    for batch in &batches {
        let read = super::record::frame(Vec::new(), batch.signal()).unwrap();
        assert_eq!(read.signal(), batch.signal());
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_a_source_panic_or_go_on_for_ever(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        for form in [Form::Auto, Form::Otlp, Form::Text] {
            let text = || Text::new(Path::new("x"), WRITTEN, &Options::default());
            if let Ok(mut source) = Source::new("x", Cursor::new(bytes.clone()), form, text) {
                let mut n = 0;
                while let Ok(Some(_)) = source.next() {
                    n += 1;
                    assert!(n <= 400);
                }
            }
        }
    }
}
