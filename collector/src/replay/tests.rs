//! Everything that is an input is read, in the order of time, and what is not is reported.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use engine::Recorded;
use pdata::{Batch, Event, Logs, Metrics, Signal, Timestamp, Traces};

use super::source::Source;
use super::text::{LONGEST_LINE, Text};
use super::{FileOf, Form, InputError, Inputs, Options, Tally};
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

/// The bodies of all records, each with its service.
fn bodies(read: &Read) -> Vec<String> {
    let mut bodies = Vec::new();
    for recorded in &read.batches {
        let Batch::Logs(logs) = &recorded.batch else { panic!("{recorded:?}") };
        for (resource, _, record) in logs.view().items() {
            bodies.push(format!("{}: {}", resource.service_name(), record.body().to_text()));
        }
    }
    bodies
}

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
fn what_does_not_begin_like_telemetry_is_text_and_every_line_a_record() {
    let directory = tempfile::tempdir().unwrap();
    let text = b"\n  first\r\n\n{\"msg\":\"second\"}\nnot \xff UTF-8\nlast";
    let path = write(directory.path(), "app.log.1", text);
    let found = read(std::slice::from_ref(&path), true).unwrap();
    assert_eq!(
        bodies(&found),
        ["app:   first", "app: {\"msg\":\"second\"}", "app: not \u{fffd} UTF-8", "app: last",]
    );
    let counts = found.tally.counts;
    assert_eq!((counts.records, counts.text, counts.blank, counts.replaced, counts.cut), (4, 4, 2, 1, 0));
    assert_eq!(counts.bytes, text.len() as u64);
    let Batch::Logs(logs) = &found.batches[0].batch else { panic!("{found:?}") };
    let (_, _, record) = logs.view().items().next().unwrap();
    let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
    let modified = modified.duration_since(std::time::UNIX_EPOCH).unwrap();
    assert_eq!((record.time(), record.observed_time()), (Timestamp(0), Timestamp(0) + modified));
}

#[test]
fn records_of_lines_say_which_file_they_are_from_and_whose_they_are_if_asked_to() {
    let directory = tempfile::tempdir().unwrap();
    let path = write(directory.path(), "app.log", b"a line\n");
    let options = Options { service: Some("shop".to_owned()), ..Options::default() };
    let found = read_as(std::slice::from_ref(&path), &options).unwrap();
    assert_eq!(bodies(&found), ["shop: a line"]);
    let Batch::Logs(logs) = &found.batches[0].batch else { panic!("{found:?}") };
    let (_, _, record) = logs.view().items().next().unwrap();
    let attribute = |key| record.attribute(key).map(|value| value.to_text().into_owned());
    assert_eq!(attribute("log.file.name").as_deref(), Some("app.log"));
    assert_eq!(attribute("log.file.path").as_deref(), path.to_str());
    let options = Options { file_of: FileOf::Resource, ..options };
    let found = read_as(std::slice::from_ref(&path), &options).unwrap();
    let Batch::Logs(logs) = &found.batches[0].batch else { panic!("{found:?}") };
    let (resource, _, record) = logs.view().items().next().unwrap();
    assert_eq!(record.attributes().count(), 0);
    let name = resource.attribute("log.file.name").map(|value| value.to_text().into_owned());
    assert_eq!((name.as_deref(), resource.service_name()), (Some("app.log"), "shop"));
}

#[test]
fn a_json_log_with_a_type_is_no_event_and_a_flag_decides_otherwise() {
    let directory = tempfile::tempdir().unwrap();
    let path = write(directory.path(), "x", b"{\"type\":\"log\",\"msg\":\"hello\"}\n");
    assert_eq!(read(std::slice::from_ref(&path), true).unwrap().tally.counts.text, 1);
    let options = Options { form: Form::Otlp, ..Options::default() };
    let found = read_as(std::slice::from_ref(&path), &options).unwrap();
    assert_eq!((found.batches.len(), found.tally.malformed), (0, 1));
    let telemetry = write(directory.path(), "y", (gauge(1, "a") + "\n").as_bytes());
    let options = Options { form: Form::Text, ..Options::default() };
    let found = read_as(&[telemetry], &options).unwrap();
    assert_eq!(bodies(&found), ["y: ".to_owned() + &gauge(1, "a")]);
}

#[test]
fn a_line_that_is_too_long_is_cut_between_characters_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let long = "x".repeat(LONGEST_LINE - 1) + "é and more\n";
    for text in [long.clone(), "short\n".to_owned() + &long] {
        let path = write(directory.path(), "long.log", (text + "after\n").as_bytes());
        let found = read(&[path], true).unwrap();
        let bodies = bodies(&found);
        assert_eq!(bodies.iter().filter(|body| body.len() == LONGEST_LINE - 1 + "long: ".len()).count(), 1);
        assert_eq!(bodies.last().map(String::as_str), Some("long: after"));
        assert_eq!((found.tally.counts.cut, found.tally.counts.replaced), (1, 0));
    }
}

#[test]
fn the_hole_that_truncation_leaves_is_no_part_of_a_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = write(directory.path(), "a.log", b"\0\0\0\0\0\0 one\ntwo\n");
    assert_eq!(bodies(&read(&[path], true).unwrap()), ["a:  one", "a: two"]);
}

/// The time and the time of observation of every record, in seconds after nine o'clock.
fn times(read: &Read) -> Vec<(i64, i64)> {
    let seconds = |time: Timestamp| if time.is_unknown() { -1 } else { time.since(WRITTEN).as_secs() as i64 };
    let mut times = Vec::new();
    for recorded in &read.batches {
        let Batch::Logs(logs) = &recorded.batch else { panic!("{recorded:?}") };
        let records = logs.view().items().map(|(_, _, record)| record);
        times.extend(records.map(|record| (seconds(record.time()), seconds(record.observed_time()))));
    }
    times
}

#[test]
fn a_line_without_a_time_is_of_the_time_of_the_line_before() {
    let directory = tempfile::tempdir().unwrap();
    let text = "# begins here\n2026-01-05T09:00:05Z one\n  continued\n2026-01-05T09:00:03Z back\nmore\n";
    let path = write(directory.path(), "a.log", text.as_bytes());
    let found = read(&[path], true).unwrap();
    assert_eq!(times(&found), [(-1, 5), (-1, 5), (-1, 5), (-1, 3), (-1, 3)]);
    assert_eq!((found.batches[0].time, found.batches[0].until), (WRITTEN + SECOND * 3, WRITTEN + SECOND * 5));
}

#[test]
fn colours_are_no_part_of_a_line() {
    let directory = tempfile::tempdir().unwrap();
    let text = "\x1b[2m2026-01-05T09:00:07Z\x1b[0m \x1b[1;31mERROR\x1b[0m \x1b[38:5:3mred\x1b[K\n\x1b[2Jcleared\x1b[\n";
    let path = write(directory.path(), "a.log", text.as_bytes());
    let found = read(&[path], true).unwrap();
    assert_eq!(bodies(&found), ["a: 2026-01-05T09:00:07Z ERROR red", "a: \x1b[2Jcleared\x1b["]);
    assert_eq!(times(&found), [(-1, 7), (-1, 7)]);
}

#[test]
fn lines_of_several_files_are_merged_by_their_times() {
    let directory = tempfile::tempdir().unwrap();
    let lines = |seconds: &[u64], name: &str| -> String {
        seconds.iter().map(|n| format!("2026-01-05T09:{:02}:{:02}Z {name}{n}\n", n / 60, n % 60)).collect()
    };
    let a = write(directory.path(), "a.log", lines(&[0, 5, 30, 95, 60], "a").as_bytes());
    let b = write(directory.path(), "b.log", lines(&[20, 29, 61, 62, 90], "b").as_bytes());
    let found = read(&[a, b], true).unwrap();
    let order: Vec<_> = times(&found).into_iter().map(|(_, observed)| observed).collect();
    assert_eq!(order, [0, 5, 20, 29, 30, 61, 62, 90, 95, 60]);
}

fn encoded_lines(long: &str) -> String {
    let first = r#"{"level":"error","ts":"2026-01-05T09:00:05Z","msg":"one","trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331"}"#;
    format!("{first}\n{long}\n")
}

#[test]
fn encoded_lines_are_what_protobuf_says_they_are() {
    use pdata::proto::logs::LogsData;
    use prost::Message;
    let long = "é".repeat(20_000);
    let directory = tempfile::tempdir().unwrap();
    let path = write(directory.path(), "a.log", encoded_lines(&long).as_bytes());
    let found = read(&[path], true).unwrap();
    let Batch::Logs(logs) = &found.batches[0].batch else { panic!("{found:?}") };
    let decoded = LogsData::decode(logs.bytes().clone()).unwrap();
    // Nothing is lost in decoding, and nothing was added.
    assert_eq!(decoded.encoded_len(), logs.bytes().len());
    let records: Vec<_> = logs.view().items().map(|(_, _, record)| record).collect();
    assert_eq!(records[0].severity_number(), 17);
    assert_eq!((records[0].trace_id().len(), records[0].span_id().len()), (16, 8));
    assert_eq!((records[1].body().to_text().len(), records[1].severity_number()), (long.len(), 0));
    assert_eq!(records.len(), 2);
}

#[test]
fn many_lines_become_batches_of_a_few_thousand() {
    let directory = tempfile::tempdir().unwrap();
    let text: String = (0..10_000).map(|n| format!("line {n}\n")).collect();
    let path = write(directory.path(), "a.log", text.as_bytes());
    let found = read(&[path], true).unwrap();
    let sizes: Vec<_> = found.batches.iter().map(|recorded| recorded.batch.items()).collect();
    assert_eq!(sizes, [4096, 4096, 1808]);
}

#[test]
fn log_files_in_a_directory_are_known_by_their_names_unless_any_text_will_do() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "a.log", b"one\n");
    write(directory.path(), "README.md", b"two\n");
    write(directory.path(), "b.log", b"bin\0ary\n");
    let paths = [directory.path().to_owned()];
    assert_eq!(bodies(&read(&paths, true).unwrap()), ["a: one"]);
    let any = read_as(&paths, &Options { any_text: true, ..Options::default() }).unwrap();
    let mut all = bodies(&any);
    all.sort();
    assert_eq!(all, ["README.md: two", "a: one"]);
    assert_eq!(any.tally.left_out.len(), 1);
    let forced = read_as(&paths, &Options { form: Form::Text, ..Options::default() }).unwrap();
    assert_eq!(forced.tally.inputs, 3);
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
