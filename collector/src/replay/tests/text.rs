//! Lines of text become records, each of its time and of its file.

use pdata::{Batch, Timestamp};

use super::super::text::LONGEST_LINE;
use super::*;

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
