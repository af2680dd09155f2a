//! Spans in, requests, errors and durations out, by the binary.

use std::collections::BTreeMap;

use serde_json::Value;
use testkit::Workload;

use crate::workspace::watchfire;

const CONFIG: &str = "
receivers: {otlp: {protocols: {http: {}}}}
connectors: {spanmetrics: {metrics_flush_interval: 15s}}
exporters: {file: {path: OUT}}
service:
  pipelines:
    traces: {receivers: [otlp], exporters: [spanmetrics]}
    metrics: {receivers: [spanmetrics], exporters: [file]}
";

/// The elements of the lists at the end of `path`.
fn all<'a>(value: &'a Value, path: &[&str]) -> Vec<&'a Value> {
    path.iter().fold(vec![value], |values, key| {
        values
            .into_iter()
            .flat_map(|value| value[*key].as_array().map(Vec::as_slice).unwrap_or_default())
            .collect()
    })
}

fn text<'a>(attributes: &'a Value, key: &str) -> &'a str {
    let entries = attributes.as_array().map(Vec::as_slice).unwrap_or_default();
    let entry = entries.iter().find(|entry| entry["key"] == key);
    entry.and_then(|entry| entry["value"]["stringValue"].as_str()).unwrap_or_default()
}

#[test]
fn every_span_of_a_recording_is_counted_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let (input, out) = (directory.path().join("in.jsonl"), directory.path().join("out.jsonl"));
    let recording = Workload { services: 4, requests: 20, ..Workload::default() }.json_lines(12);
    let mut spans: BTreeMap<String, u64> = BTreeMap::new();
    for line in recording.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let line: Value = serde_json::from_slice(line).expect("a line of JSON");
        for group in all(&line, &["resourceSpans"]) {
            let service = text(&group["resource"]["attributes"], "service.name").to_owned();
            *spans.entry(service).or_default() += all(group, &["scopeSpans", "spans"]).len() as u64;
        }
    }
    assert!(spans.len() == 4 && spans.values().all(|count| *count > 0), "{spans:?}");
    std::fs::write(&input, recording).expect("the recording can be written");
    let config = format!("yaml:{}", CONFIG.replace("OUT", &out.to_string_lossy()));
    let output = watchfire(&["replay", "--config", &config, &input.to_string_lossy()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metrics = std::fs::read_to_string(out).expect("the output is there");
    assert!(metrics.lines().count() > 4, "two minutes at fifteen seconds: {metrics}");
    // Running totals: the last line has them all.
    let last: Value =
        serde_json::from_str(metrics.lines().last().unwrap_or_default()).expect("a line of JSON");
    let (mut calls, mut durations): (BTreeMap<String, u64>, BTreeMap<String, u64>) = Default::default();
    for metric in all(&last, &["resourceMetrics", "scopeMetrics", "metrics"]) {
        let (points, totals) = match metric["name"].as_str() {
            Some("traces.span.metrics.calls") => (&metric["sum"]["dataPoints"], &mut calls),
            Some("traces.span.metrics.duration") => (&metric["histogram"]["dataPoints"], &mut durations),
            other => panic!("{other:?}"),
        };
        for point in points.as_array().expect("points") {
            let count =
                point["asInt"].as_str().or(point["count"].as_str()).and_then(|text| text.parse().ok());
            let service = text(&point["attributes"], "service.name").to_owned();
            *totals.entry(service).or_default() += count.unwrap_or(0_u64);
        }
    }
    assert_eq!((&calls, &durations), (&spans, &spans));
}
