//! `watchfire replay`: the same input gives the same output, and nothing goes wrong silently.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use testkit::{Fault, Step, Workload};

use crate::workspace::watchfire;

const CONFIG: &str = "
receivers: {hostmetrics: {scrapers: {load: {}}}}
processors: {detect: {emit_scores: true}, correlate: {}}
exporters: {debug: {use_internal_logger: false, verbosity: detailed, output_paths: [OUT]}}
service: {pipelines: {all: {receivers: [hostmetrics], processors: [detect, correlate], exporters: [debug]}}}
";

/// Only what was found out reaches the file.
const EVENTS: &str = "
receivers: {hostmetrics: {scrapers: {load: {}}}}
processors: {detect: {emit_scores: true}, correlate: {}}
connectors: {forward: {}}
exporters: {file: {path: OUT}}
service:
  pipelines:
    all: {receivers: [hostmetrics], processors: [detect, correlate], exporters: [forward]}
    events: {receivers: [forward], exporters: [file]}
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
fn the_events_are_the_same_bytes_on_any_number_of_threads_and_however_the_input_is_packed() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name).to_str().expect("a UTF-8 path").to_owned();
    let plain = recording(directory.path());
    let text = std::fs::read(&plain).expect("the recording can be read");
    let (gzip, zstd) = (path("recorded.gz"), path("recorded.zst"));
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&text).expect("memory takes it");
    std::fs::write(&gzip, packed.finish().expect("memory takes it")).expect("a file");
    std::fs::write(&zstd, zstd::encode_all(&text[..], 1).expect("it packs")).expect("a file");
    let run = |input: &str, threads: &str| {
        let out = path("events.jsonl");
        let config = format!("yaml:{}", EVENTS.replace("OUT", &out));
        let output = Command::new(env!("CARGO_BIN_EXE_watchfire"))
            .args(["replay", "--config", &config, input])
            .env("TOKIO_WORKER_THREADS", threads)
            .stdin(File::open(&plain).expect("the recording can be read"))
            .output()
            .expect("the binary runs");
        assert!(output.status.success(), "{input}: {}", String::from_utf8_lossy(&output.stderr));
        std::fs::read(out).expect("the events are there")
    };
    let first = run(&plain, "1");
    let events = String::from_utf8_lossy(&first);
    assert!(events.contains("cart") && events.lines().count() > 20, "{events}");
    for (input, threads) in [(plain.as_str(), "2"), (&plain, "7"), (&gzip, "2"), (&zstd, "2"), ("-", "2")] {
        assert!(run(input, threads) == first, "{input} on {threads} threads gives something else");
    }
}

#[test]
fn memory_does_not_grow_with_the_input() {
    const EARLY: usize = 4 << 20;
    const LATE: usize = 24 << 20;
    let config = format!("yaml:{}", EVENTS.replace("OUT", "/dev/null"));
    let mut child = Command::new(env!("CARGO_BIN_EXE_watchfire"))
        .args(["replay", "--config", &config, "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let mut input = child.stdin.take().expect("it is piped");
    let workload = Workload { services: 4, requests: 100, ..Workload::default() };
    let mut batches = workload.steps().flat_map(Step::into_batches);
    let mut written = 0;
    // What the process has not read yet fits into the pipe, so that it has seen nearly all that was written.
    let mut peak_after = |size| {
        while written < size {
            let mut line = Vec::new();
            pdata::json::to_json(&batches.next().expect("a workload has no end"), &mut line);
            line.push(b'\n');
            input.write_all(&line).expect("the process reads");
            written += line.len();
        }
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it runs");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line about memory");
        peak.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") << 10
    };
    let (early, late) = (peak_after(EARLY), peak_after(LATE));
    drop(input);
    assert!(child.wait().expect("it ends").success());
    assert!(late < early + (LATE - EARLY) / 2, "{} MiB became {} MiB", early >> 20, late >> 20);
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

#[test]
fn lines_of_log_files_are_played_as_records_beside_telemetry() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name).to_str().expect("a UTF-8 path").to_owned();
    let (log, out) = (path("app.log"), path("out.jsonl"));
    let lines =
        "2026-01-05T09:00:00Z ERROR out of memory\n\tat main\n2026-01-05T09:00:01Z INFO begins again\n";
    std::fs::write(&log, lines).expect("a file");
    let config = format!(
        "
receivers: {{otlp: {{protocols: {{grpc: }}}}}}
exporters: {{file: {{path: {out}}}}}
service: {{pipelines: {{logs: {{receivers: [otlp], exporters: [file]}}}}}}
"
    );
    let output = replay(&config, &[&log, &recording(directory.path()), "--service", "till"]);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains("replayed 183 lines of 2 inputs, 0 of them malformed"), "{stderr}");
    let written = std::fs::read_to_string(&out).expect("the output is there");
    let written: Vec<_> = written.lines().filter(|line| line.contains(r#""stringValue":"till""#)).collect();
    assert!(
        written[0].contains(r#""stringValue":"2026-01-05T09:00:00Z ERROR out of memory""#),
        "{written:?}"
    );
    assert!(
        written[0].contains(r#""severityNumber":17"#) && written[0].contains("\"app.log\""),
        "{written:?}"
    );
    assert_eq!(replay(&config, &[&log, "--input", "otlp", "--strict"]).status.code(), Some(1));
}
