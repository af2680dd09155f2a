//! `watchfire eval`: tables and recordings with labels in, figures out.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::workspace::watchfire;

/// A day of minutes: noise around 50, and 20 minutes in which it doubles, of which the label says so if asked to.
fn table(labels: bool) -> String {
    let mut text = if labels { "time,cpu,label\n" } else { "time,cpu\n" }.to_owned();
    for minute in 0..1440_u64 {
        let noise = (minute * 7919 % 13) as f64 / 4.0;
        let odd = (900..920).contains(&minute);
        let value = if odd { 100.0 + noise } else { 50.0 + noise };
        let label = match minute {
            0..200 => "",
            _ if odd => "1",
            _ => "0",
        };
        let time = 1_700_000_000 + 60 * minute;
        let end = if labels { format!(",{label}") } else { String::new() };
        let _ = writeln!(text, "{time},{value}{end}");
    }
    text
}

fn write(directory: &Path, name: &str, contents: &[u8]) -> String {
    let path = directory.join(name);
    std::fs::write(&path, contents).expect("the file can be written");
    path.to_str().expect("a UTF-8 path").to_owned()
}

fn eval(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = watchfire(&[&["eval"], arguments].concat());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn json(arguments: &[&str]) -> Value {
    let (code, stdout, stderr) = eval(&[arguments, &["--output", "json"]].concat());
    assert_eq!(code, Some(0), "{stderr}");
    serde_json::from_str(&stdout).expect("JSON")
}

#[test]
fn a_table_with_a_fault_is_evaluated_in_every_form() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(table(true).as_bytes()).expect("memory takes it");
    let path = write(directory.path(), "cart.csv.gz", &packed.finish().expect("memory takes it"));
    let report = json(&[&path]);
    let cart = &report["services"][0];
    assert_eq!(
        (&cart["service"], &cart["points"], &cart["windows"]),
        (&"cart".into(), &1240.into(), &1.into())
    );
    assert_eq!(
        (&cart["reports"], &cart["recall"], &cart["false_reports"]),
        (&1.into(), &1.0.into(), &0.into())
    );
    assert!(cart["scores"]["auc_pr"].as_f64() > Some(0.5), "{cart}");
    assert!(report["microseconds_per_point"].as_f64() > Some(0.0));
    let (_, text, _) = eval(&[&path]);
    assert!(
        text.starts_with("SERVICE  POINTS")
            && text.contains("\ncart ")
            && text.contains("1,440 points scored in "),
        "{text}"
    );
    let (_, text, _) = eval(&[&path, "-o", "markdown"]);
    assert!(text.starts_with("| service | points |") && text.contains("\n| cart | 1,240 |"), "{text}");
}

#[test]
fn labels_may_come_from_a_file_and_settings_from_the_command_line() {
    let directory = tempfile::tempdir().expect("a directory");
    write(directory.path(), "cart.csv", table(false).as_bytes());
    write(directory.path(), "ad.csv", table(false).as_bytes());
    let inputs = directory.path().to_str().expect("a UTF-8 path");
    let labels = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(labels.path(), r#"{"cart": [["2023-11-15 13:13:20", 1700055200]], "none": []}"#)
        .expect("written");
    let labels = labels.path().to_str().expect("a UTF-8 path");
    let report = json(&[inputs, "--labels", labels]);
    let services = &report["services"];
    assert_eq!((&services[0]["service"], &services[0]["windows"]), (&"ad".into(), &Value::Null));
    assert_eq!((&services[1]["windows"], &services[1]["recall"]), (&1.into(), &1.0.into()));
    let (_, _, stderr) = eval(&[inputs, "--labels", labels]);
    assert!(stderr.contains("the labels name a service that nothing was seen of: none"), "{stderr}");
    let blind = json(&[inputs, "--labels", labels, "--set", "processors.detect.warm_up=5000"]);
    assert_eq!(blind["services"][1]["recall"], 0.0);
}

#[test]
fn the_example_of_the_documentation_is_found_and_drawn() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples/detection/checkout.csv");
    let directory = tempfile::tempdir().expect("a directory");
    let plots = directory.path().join("plots");
    let path = |path: &Path| path.to_str().expect("a UTF-8 path").to_owned();
    let report = json(&[&path(&root), "--unit", "s", "--plot", &path(&plots)]);
    let checkout = &report["services"][0];
    assert_eq!((&checkout["recall"], &checkout["false_reports"]), (&1.0.into(), &0.into()), "{checkout}");
    let page = std::fs::read_to_string(plots.join("index.html")).expect("a page");
    assert!(page.contains("data=\"checkout-http.server.request.duration.p95.svg\""), "{page}");
    let svg = std::fs::read_to_string(plots.join("checkout-http.server.request.duration.p95.svg"));
    let svg = svg.expect("a picture");
    assert!(
        svg.contains("<title>checkout: http.server.request.duration.p95 is") && svg.contains(" ms</text>")
    );
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let directory = tempfile::tempdir().expect("a directory");
    let bad = table(true).replacen("\n1700000060,", "\n1700000060,x", 1);
    let path = write(directory.path(), "cart.csv", bad.as_bytes());
    let (code, stdout, stderr) = eval(&[&path]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("cart.csv:3:12: `x") && stderr.contains("` is no number"), "{stderr}");
    assert!(stdout.contains("1 line malformed"), "{stdout}");
    assert_eq!(eval(&[&path, "--strict"]).0, Some(1));
    let labels = write(directory.path(), "labels.json", b"{\"cart\": [[2, 1]]}");
    let (code, _, stderr) = eval(&[&path, "--labels", &labels]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("labels.json:1:16: the window ends before it begins"), "{stderr}");
    let (code, _, stderr) = eval(&[&path, "--set", "processors.detect.sensitivity=0"]);
    assert_eq!(code, Some(2), "{stderr}");
    let none = write(directory.path(), "none.csv", b"1700000000,5\n");
    let (code, _, stderr) = eval(&[&none]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("none.csv:1:1: the first line must name the columns"), "{stderr}");
    assert!(stderr.contains("nothing in the inputs was scored"), "{stderr}");
}
