//! `watchfire replay`: the same input gives the same output, and nothing goes wrong silently.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use testkit::{Fault, Workload};

use crate::workspace::watchfire;

const CONFIG: &str = "
receivers: {hostmetrics: {scrapers: {load: {}}}}
processors: {detect: {emit_scores: true}, correlate: {}}
exporters: {debug: {use_internal_logger: false, verbosity: detailed, output_paths: [OUT]}}
service: {pipelines: {all: {receivers: [hostmetrics], processors: [detect, correlate], exporters: [debug]}}}
";

/// Ten minutes of four services, of which one becomes slow after six.
fn recording(directory: &Path) -> String {
    let fault = Fault {
        service: 2,
        from: Duration::from_secs(360),
        until: Duration::from_secs(480),
        slowdown: 15.0,
        failures: 0.3,
    };
    let workload = Workload { services: 4, requests: 20, faults: vec![fault], ..Workload::default() };
    let path = directory.join("recorded.jsonl");
    std::fs::write(&path, workload.json_lines(60)).expect("the recording can be written");
    path.to_str().expect("a UTF-8 path").to_owned()
}

fn replay(config: &str, arguments: &[&str]) -> Output {
    watchfire(&[&["replay", "--config", &format!("yaml:{config}")], arguments].concat())
}

#[test]
fn a_replay_gives_the_same_bytes_on_every_run() {
    let directory = tempfile::tempdir().expect("a directory");
    let input = recording(directory.path());
    let run = |name: &str| {
        let out = directory.path().join(name);
        let output = replay(&CONFIG.replace("OUT", out.to_str().expect("a UTF-8 path")), &[&input]);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{stderr}");
        assert!(stderr.contains("replayed 180 lines of 1 inputs, 0 of them malformed"), "{stderr}");
        (std::fs::read(out).expect("the output is there"), stderr)
    };
    let ((first, stderr), (second, _)) = (run("first"), run("second"));
    assert!(first == second, "two runs differ");
    assert!(stderr.contains("600 seconds of event time"), "{stderr}");
    let text = String::from_utf8(first).expect("UTF-8");
    assert!(text.contains("incident") && text.contains("cart"), "the fault was not found: {stderr}");
}

#[test]
fn malformed_lines_are_reported_and_fatal_only_if_strict() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("in.jsonl");
    let text = [b"{\"resourceLogs\": 1}\n", &Workload::default().json_lines(1)[..]].concat();
    std::fs::write(&path, text).expect("the input can be written");
    let input = path.to_str().expect("a UTF-8 path");
    let config = CONFIG.replace("OUT", "/dev/null");
    let lenient = replay(&config, &[input]);
    let stderr = String::from_utf8_lossy(&lenient.stderr).into_owned();
    assert!(lenient.status.success(), "{stderr}");
    assert!(stderr.contains(&format!("{input}:1: malformed logs")), "{stderr}");
    assert!(stderr.contains("replayed 4 lines of 1 inputs, 1 of them malformed"), "{stderr}");
    assert_eq!(replay(&config, &["--strict", input]).status.code(), Some(1));
    assert_eq!(replay(&config, &["/nowhere"]).status.code(), Some(1));
    assert_eq!(
        replay("service: {pipelines: {logs: {receivers: [nowhere]}}}", &[input]).status.code(),
        Some(2)
    );
}

#[test]
fn an_exporter_that_takes_nothing_fails_the_replay() {
    let directory = tempfile::tempdir().expect("a directory");
    let input = recording(directory.path());
    let output = replay(&CONFIG.replace("OUT", "/dev/full"), &[&input]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("exporter:debug did not take everything: cannot write"), "{stderr}");
}
