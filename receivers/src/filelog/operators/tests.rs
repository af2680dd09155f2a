//! Operators as a user writes them.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::entry::Map;
use super::*;

fn operators(json: serde_json::Value) -> Vec<Operator> {
    serde_json::from_value(json).unwrap()
}

fn pipeline(json: serde_json::Value) -> Pipeline {
    Pipeline::new(&operators(json)).unwrap().unwrap()
}

fn entry(file: u64, start: u64, body: &str) -> Entry {
    let path: Arc<str> = "/var/log/pods/shop_cart-7d_0a1b-2c/main/3.log".into();
    let origin =
        Origin { file: FileId(file), path: Arc::clone(&path), start, records: start, replayed: false };
    let attributes = Map::from_iter([("log.file.path".into(), Value::String(path.as_ref().into()))]);
    Entry { origin, body: body.into(), attributes, observed: 1_767_322_800_000_000_000, ..Entry::default() }
}

const NOW: Timestamp = Timestamp::from_secs(100);

/// Each body is a record of the same file; then time passes.
fn run(pipeline: &mut Pipeline, bodies: &[&str]) -> Vec<Entry> {
    let mut out = Vec::new();
    for (start, body) in bodies.iter().enumerate() {
        pipeline.process(entry(1, start as u64, body), NOW, &mut out);
    }
    pipeline.flush(NOW + std::time::Duration::from_secs(60), None, &mut out);
    out
}

fn bodies(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(|entry| entry.body.to_text().into()).collect()
}

fn refusal(json: serde_json::Value) -> String {
    match serde_json::from_value::<Vec<Operator>>(json) {
        Err(error) => error.to_string(),
        Ok(operators) => Pipeline::new(&operators).unwrap_err().to_string(),
    }
}

#[test]
fn a_json_record_is_taken_apart() {
    let mut pipeline = pipeline(json!([
        {"type": "json_parser", "timestamp": {"parse_from": "attributes.ts", "layout_type": "epoch", "layout": "ms"},
         "severity": {"parse_from": "attributes.level"}, "body": "attributes.msg", "scope_name": {"parse_from": "attributes.logger"},
         "trace": {"trace_id": {"parse_from": "attributes.trace"}}},
        {"type": "move", "from": "attributes.user.id", "to": "attributes[\"user.id\"]"},
        {"type": "remove", "field": "attributes.user"},
        {"type": "add", "field": "resource.env", "value": "prod"},
        {"type": "copy", "from": "body", "to": "attributes.copy"},
    ]));
    let text = r#"{"ts":1700000000123,"level":"warn","msg":"slow","logger":"db","user":{"id":7},
        "trace":"0102030405060708090a0b0c0d0e0f10"}"#;
    let out = run(&mut pipeline, &[text]);
    let entry = &out[0];
    assert_eq!((entry.time, entry.severity), (Some(1_700_000_000_123_000_000), 13));
    assert_eq!((entry.body.clone(), entry.scope_name.as_str()), ("slow".into(), "db"));
    assert_eq!(entry.trace_id, (1..=16).collect::<Vec<u8>>());
    assert_eq!(entry.attributes["user.id"], Value::Int(7));
    assert!(!entry.attributes.contains_key("user"));
    assert_eq!((&entry.attributes["copy"], &entry.resource["env"]), (&"slow".into(), &"prod".into()));
}

#[test]
fn groups_of_a_pattern_become_attributes() {
    let mut pipeline = pipeline(json!([
        {"type": "regex_parser", "regex": r"^(?P<time>\S+ \S+) (?P<level>\w+) (?P<text>.*)$"},
        {"type": "time_parser", "parse_from": "attributes.time", "layout": "%Y-%m-%d %H:%M:%S"},
        {"type": "severity_parser", "parse_from": "attributes.level", "mapping": {"fatal": "boom"}},
        {"type": "filter", "expr": "attributes.text contains 'secret'"},
    ]));
    let out = run(
        &mut pipeline,
        &["2024-02-29 01:02:03 BOOM it fell", "2024-02-29 01:02:03 INFO a secret", "no match"],
    );
    assert_eq!(bodies(&out), ["2024-02-29 01:02:03 BOOM it fell", "no match"]);
    assert_eq!((out[0].time, out[0].severity), (Some(1_709_168_523_000_000_000), 21));
    // What cannot be dealt with goes on as it is.
    assert_eq!((out[1].time, out[1].severity), (None, 0));
}

#[test]
fn what_cannot_be_dealt_with_goes_where_the_user_says_and_is_counted() {
    for (on_error, n_out, n_counted) in
        [("send", 1, 1), ("drop", 0, 1), ("send_quiet", 1, 0), ("drop_quiet", 0, 0)]
    {
        let mut pipeline = pipeline(json!([{"type": "json_parser", "on_error": on_error}]));
        let telemetry = component::Telemetry::default();
        let counter = telemetry.counter("errors", "Errors.", &[]);
        pipeline.count_errors(counter.clone());
        assert_eq!(run(&mut pipeline, &["{"]).len(), n_out, "{on_error}");
        assert_eq!(counter.get(), n_counted, "{on_error}");
    }
}

#[test]
fn docker_lines_are_joined_for_each_stream() {
    let mut pipeline = pipeline(json!([{"type": "container"}]));
    let line = |log: &str, stream: &str| {
        json!({"log": log, "stream": stream, "time": "2026-01-02T03:04:05.5Z"}).to_string()
    };
    let lines = [
        line("a", "stdout"),
        line("x", "stderr"),
        line("b\n", "stdout"),
        line("y\n", "stderr"),
        line("c\n", "stdout"),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let out = run(&mut pipeline, &lines);
    assert_eq!(bodies(&out), ["ab", "xy", "c"]);
    assert_eq!(out[1].attributes["log.iostream"], "stderr".into());
    assert_eq!(out[0].time, Some(1_767_323_045_500_000_000));
}

#[test]
fn cri_lines_are_joined_and_the_path_names_the_pod() {
    let mut pipeline = pipeline(json!([{"type": "container", "format": "containerd"}]));
    let out = run(
        &mut pipeline,
        &[
            "2026-01-02T03:04:05.5Z stdout P one ",
            "2026-01-02T03:04:05.5+01:00 stderr F other",
            "2026-01-02T03:04:05.6Z stdout P two ",
            "2026-01-02T03:04:05.7Z stdout F three",
            "2026-01-02T03:04:05.8Z stdout F ",
            "not a line of a container",
            "2026-01-02T03:04:05.9Z stdout P never ended",
        ],
    );
    assert_eq!(bodies(&out), ["other", "one two three", "", "not a line of a container", "never ended"]);
    let resource = &out[1].resource;
    for (key, value) in [
        ("k8s.namespace.name", "shop"),
        ("k8s.pod.name", "cart-7d"),
        ("k8s.pod.uid", "0a1b-2c"),
        ("k8s.container.name", "main"),
        ("k8s.container.restart_count", "3"),
    ] {
        assert_eq!(resource[key], value.into(), "{key}");
    }
    assert_eq!(out[0].time, Some(1_767_319_445_500_000_000));
}

#[test]
fn what_waits_is_known_and_files_are_kept_apart() {
    let mut pipeline = pipeline(
        json!([{"type": "recombine", "combine_field": "body", "is_first_entry": "body matches '^[^\\\\s]'"}]),
    );
    let mut out = Vec::new();
    pipeline.process(entry(1, 0, "a"), NOW, &mut out);
    pipeline.process(entry(2, 7, "b"), NOW, &mut out);
    pipeline.process(entry(1, 2, " a2"), NOW, &mut out);
    assert!(out.is_empty());
    assert_eq!(pipeline.pending(FileId(1)).map(|origin| origin.start), Some(0));
    assert_eq!(pipeline.pending(FileId(2)).map(|origin| origin.start), Some(7));
    pipeline.process(entry(1, 6, "c"), NOW, &mut out);
    assert_eq!(bodies(&out), ["a\n a2"]);
    assert_eq!(pipeline.pending(FileId(1)).map(|origin| origin.start), Some(6));
    pipeline.flush(NOW, Some(FileId(2)), &mut out);
    assert_eq!(bodies(&out), ["a\n a2", "b"]);
    assert!(pipeline.pending(FileId(2)).is_none());
}

#[test]
fn records_are_joined_up_to_their_last_one() {
    let mut pipeline = pipeline(json!([{"type": "recombine", "combine_field": "body", "combine_with": "|",
        "is_last_entry": "body endsWith ';'", "overwrite_with": "oldest", "max_batch_size": 3}]));
    assert_eq!(
        bodies(&run(&mut pipeline, &["a", "b;", "c;", "d", "e", "f", "g"])),
        ["a|b;", "c;", "d|e|f", "g"]
    );
}

#[test]
fn groups_that_wait_take_no_more_memory_than_allowed() {
    let mut combiner = Combiner::new(combine::Rules {
        field: Field::body(),
        with: String::new(),
        max_entries: usize::MAX,
        max_unmatched: 0,
        overwrite: config::Overwrite::Newest,
        timeout: std::time::Duration::from_secs(5),
        max_groups: usize::MAX,
        max_bytes: 0,
        max_total: 10_000,
    });
    let (mut out, text) = (Vec::new(), "x".repeat(1000));
    for file in 0..100 {
        combiner.push(entry(file, 0, &text), "", combine::Role::Middle, 0, &mut out);
    }
    // The oldest went on, in order; the youngest few still wait.
    let files: Vec<u64> = out.iter().map(|entry| entry.origin.file.0).collect();
    assert_eq!(files, (0..94).collect::<Vec<_>>());
}

#[test]
fn records_are_sent_on_by_conditions() {
    let mut pipeline = pipeline(json!([
        {"type": "router", "routes": [{"expr": "body startsWith '{'", "output": "json"}, {"expr": "body == 'x'", "output": "end"}]},
        {"type": "json_parser", "id": "json", "output": "end"},
        {"type": "add", "field": "attributes.never", "value": true},
        {"type": "noop", "id": "end"},
    ]));
    let out = run(&mut pipeline, &["{\"a\":1}", "x", "gone"]);
    assert_eq!(bodies(&out), ["{\"a\":1}", "x"]);
    assert_eq!(out[0].attributes["a"], Value::Int(1));
    assert!(out.iter().all(|entry| !entry.attributes.contains_key("never")));
}

#[test]
fn what_does_not_exist_is_refused_by_name() {
    let unknown = refusal(json!([{"type": "csv_parser"}]));
    assert!(unknown.contains("csv_parser") && unknown.contains("json_parser"), "{unknown}");
    for (json, expected) in [
        (json!([{"type": "json_parser", "parse_fromm": "body"}]), "parse_fromm"),
        (json!([{"type": "json_parser", "parse_from": "boddy"}]), "boddy"),
        (json!([{"type": "regex_parser", "regex": "x"}]), "named group"),
        (json!([{"type": "regex_parser", "regex": "(?P<a>"}]), "regular expression"),
        (json!([{"type": "add", "value": 1}]), "`field` is required"),
        (json!([{"type": "noop", "output": "nowhere"}]), "nowhere"),
        (json!([{"type": "noop", "id": "a"}, {"type": "noop", "output": "a"}]), "no later operator"),
        (json!([{"type": "noop", "id": "a"}, {"type": "noop", "id": "a"}]), "another operator"),
        (json!([{"type": "filter", "expr": "body +"}]), "body +"),
        (json!([{"type": "recombine", "combine_field": "body"}]), "is_first_entry"),
        (json!([{"type": "time_parser", "parse_from": "body", "layout": "%Q"}]), "%Q"),
        (json!([{"type": "severity_parser"}]), "parse_from"),
    ] {
        let error = refusal(json);
        assert!(error.contains(expected), "{error}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_a_parser_panic(text in "\\PC{0,60}", stream in "std(out|err)", tag in "[FP](:x)?") {
        let mut pipeline = pipeline(json!([
            {"type": "container", "on_error": "send_quiet"},
            {"type": "json_parser", "on_error": "send_quiet"},
            {"type": "regex_parser", "regex": "(?P<a>.)(?P<b>.*)", "on_error": "send_quiet"},
            {"type": "trace_parser", "on_error": "send_quiet"},
        ]));
        let cri = format!("2026-01-02T03:04:05Z {stream} {tag} {text}");
        let out = run(&mut pipeline, &[&text, &format!("{{{text}"), &cri]);
        prop_assert_eq!(out.len(), 3);
    }
}
