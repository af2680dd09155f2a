//! What must hold for any bytes in a file and any configuration: the fuzz target `filelog` and the tests call it.
//!
//! In: on the first line a configuration as JSON, in the rest what a file holds. If the first line is no configuration, all
//! of it is read with every kind of operator.

use component::Telemetry;
use config::Section;
use pdata::{Logs, Timestamp};
use serde_json::json;

use super::operators::Pipeline;
use super::operators::entry::{Entry, Origin, Value};
use super::settings::Settings;
use super::{Config, encode};

const NOW: Timestamp = Timestamp::from_secs(1_767_322_800);

/// Every byte is in one record, and what becomes of the records is valid OTLP.
pub fn filelog(data: &[u8]) {
    let own = data.iter().position(|byte| *byte == b'\n').and_then(|end| {
        let json = serde_json::from_slice(&data[..end]).ok()?;
        Some((config(json)?, &data[end + 1..]))
    });
    match own {
        Some((config, file)) => read(config, file),
        None => read(every_operator(), data),
    }
}

fn config(mut json: serde_json::Value) -> Option<Config> {
    json.as_object_mut()?.insert("include".to_owned(), json!(["/nowhere"]));
    Section::from_json("filelog", &json).parse().ok()
}

fn every_operator() -> Config {
    let operators = json!([
        {"type": "container", "on_error": "send_quiet"},
        {"type": "recombine", "combine_field": "body", "is_first_entry": "body matches '^[a-z]'", "on_error": "send_quiet"},
        {"type": "json_parser", "on_error": "send_quiet"},
        {"type": "regex_parser", "regex": "(?P<when>[0-9-]+) (?P<level>[a-z]+) (?P<trace>.*)", "on_error": "send_quiet"},
        {"type": "time_parser", "parse_from": "attributes.when", "layout": "%Y-%m-%d", "on_error": "send_quiet"},
        {"type": "severity_parser", "parse_from": "attributes.level", "on_error": "send_quiet"},
        {"type": "trace_parser", "trace_id": {"parse_from": "attributes.trace"}, "on_error": "send_quiet"},
        {"type": "move", "from": "attributes.a", "to": "resource.a", "on_error": "send_quiet"},
        {"type": "filter", "expr": "body contains 'drop'"},
    ]);
    config(json!({"operators": operators})).expect("these operators are valid")
}

fn read(config: Config, file: &[u8]) {
    let Ok(mut pipeline) = Pipeline::new(&config.operators) else {
        panic!("validated operators are refused")
    };
    let Ok(settings) = Settings::new(config, &Telemetry::default(), "filelog") else {
        panic!("validated patterns are refused")
    };
    let mut entries = Vec::new();
    let mut from = 0;
    while let Some(token) = settings.splitter.next(file, from, true) {
        assert!(
            from <= token.start && token.start <= token.end && token.end <= token.next && token.next > from
        );
        let text = settings.splitter.encoding.decode(&file[token.start..token.end]);
        let entry = Entry {
            origin: Origin {
                path: "/var/log/pods/a_b_c/d/0.log".into(),
                start: from as u64,
                ..Origin::default()
            },
            observed: NOW.as_nanos(),
            body: Value::String(settings.trim(&text).into()),
            ..Entry::default()
        };
        from = token.next;
        match &mut pipeline {
            Some(pipeline) => pipeline.process(entry, NOW, &mut entries),
            None => entries.push(entry),
        }
    }
    assert_eq!(from, file.len(), "bytes are left over");
    if let Some(pipeline) = &mut pipeline {
        pipeline.flush(NOW, Some(Origin::default().file), &mut entries);
    }
    let (mut bytes, mut scratch, n) = (Vec::new(), Vec::new(), entries.len());
    for mut entry in entries {
        entry.limit_depth();
        let mut records = Vec::new();
        encode::entry(&mut records, &entry, &mut scratch);
        encode::resource_logs(&mut bytes, &encode::resource(&entry.resource), &entry.scope_name, &records);
    }
    let logs = Logs::from_bytes(bytes.into()).expect("records are valid OTLP");
    assert_eq!(logs.items(), n);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    #[test]
    fn the_seeds_of_the_fuzz_target_pass() {
        crate::fuzzing::seeds("filelog", super::filelog);
    }

    proptest! {
        #[test]
        fn any_file_under_any_configuration_becomes_valid_otlp(
            keys in proptest::sample::subsequence(KEYS, 0..=3),
            operators in proptest::sample::subsequence(OPERATORS, 0..=4),
            file in proptest::collection::vec(prop_oneof![
                3 => "[a-z0-9 :{}\\[\\]\",TFPZ.=-]{0,20}\n?".prop_map(String::into_bytes),
                1 => proptest::collection::vec(any::<u8>(), 0..12),
                1 => proptest::sample::select(LINES).prop_map(|line| line.as_bytes().to_vec()),
            ], 0..8),
        ) {
            let config = format!("{{{}}}", [keys, vec![&format!("\"operators\": [{}]", operators.join(","))]].concat().join(","));
            super::filelog(&[config.as_bytes(), b"\n", &file.concat()].concat());
        }

        #[test]
        fn any_bytes_become_valid_otlp(file in proptest::collection::vec(any::<u8>(), 0..200)) {
            super::filelog(&file);
        }
    }

    const KEYS: &[&str] = &[
        "\"encoding\": \"utf-16le\"",
        "\"encoding\": \"latin-1\"",
        "\"encoding\": \"nop\"",
        "\"multiline\": {\"line_start_pattern\": \"^[a-z]*\"}",
        "\"multiline\": {\"line_end_pattern\": \"\\\\s\", \"omit_pattern\": true}",
        "\"max_log_size\": 7",
        "\"preserve_leading_whitespaces\": true",
    ];
    const OPERATORS: &[&str] = &[
        r#"{"type": "container", "add_metadata_from_filepath": true}"#,
        r#"{"type": "container", "format": "crio", "on_error": "drop"}"#,
        r#"{"type": "json_parser", "parse_to": "body"}"#,
        r#"{"type": "recombine", "combine_field": "body", "is_last_entry": "body matches '[a-z]$'", "max_log_size": 20}"#,
        r#"{"type": "recombine", "combine_field": "body", "is_first_entry": "attributes['a'] == nil", "max_batch_size": 2}"#,
        r#"{"type": "regex_parser", "regex": "^(?P<a>[^ ]*) ?(?P<b>.*)$"}"#,
        r#"{"type": "move", "from": "body", "to": "attributes.a.b"}"#,
        r#"{"type": "copy", "from": "attributes", "to": "attributes.a"}"#,
        r#"{"type": "time_parser", "parse_from": "body", "layout_type": "epoch", "layout": "s.ns"}"#,
        r#"{"type": "time_parser", "parse_from": "attributes.a", "layout_type": "gotime", "layout": "2006-01-02T15:04:05Z07:00"}"#,
        r#"{"type": "severity_parser", "parse_from": "attributes.a"}"#,
        r#"{"type": "trace_parser", "span_id": {"parse_from": "attributes.b"}}"#,
        r#"{"type": "filter", "expr": "body startsWith 'a' and not (attributes.a != nil)", "drop_ratio": 0.5}"#,
    ];
    const LINES: &[&str] = &[
        "{\"log\":\"half \",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:05.6Z\"}\n",
        "{\"log\":\"a line\\n\",\"stream\":\"stderr\",\"time\":\"2026-01-02T03:04:05Z\"}\n",
        "2026-01-02T03:04:05.678901234+01:00 stdout P half a \n",
        "2026-01-02T03:04:05Z stdout F line\n",
        "1767322800.999999999\n",
        "{\"a\": {\"a\": [{}, 1e400, -0]}, \"b\": \"00f067aa0ba902b7\"}\n",
    ];
}
