//! What a user says about a log template over HTTP is what the next records of it are classified by.

use pdata::json::logs_from_json;
use reqwest::Client;
use transport::http::ClientSettings;

use crate::support::{Collector, free_address, until};

const CONFIG: &str = "
extensions: {log_feedback: {endpoint: ADDRESS, file: feedback.jsonl}}
receivers: {filelog: {include: [app.log], start_at: beginning, poll_interval: 50ms}}
processors:
  drain: {hold_records: 0}
  log_classify: {feedback_file: feedback.jsonl, reload_interval: 100ms}
exporters: {file: {path: out.jsonl, flush_interval: 50ms}}
service:
  extensions: [log_feedback]
  pipelines: {logs: {receivers: [filelog], processors: [drain, log_classify], exporters: [file]}}
";

/// The classes of the last record that was written.
async fn last_classes(collector: &Collector) -> Option<String> {
    let text = std::fs::read_to_string(collector.folder().join("out.jsonl")).unwrap_or_default();
    let logs = logs_from_json(text.lines().last()?.as_bytes()).ok()?;
    let (_, _, record) = logs.view().items().last()?;
    let classes = record.attribute("watchfire.log.class");
    Some(classes.map_or_else(String::new, |classes| classes.to_text().into_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn feedback_by_http_changes_how_records_are_classified() {
    let address = free_address();
    let collector = Collector::start(&CONFIG.replace("ADDRESS", &address)).await;
    let mut n = 0;
    let mut jam = || {
        n += 1;
        let text = (1..=n).map(|tray| format!("paper jam in tray {tray}\n")).collect::<String>();
        std::fs::write(collector.folder().join("app.log"), text).expect("the log can be written");
    };
    jam();
    until("a record without a class", || last_classes(&collector), |classes| classes.as_deref() == Some(""))
        .await;

    let client: Client = transport::http::client(&ClientSettings::default()).expect("a client");
    let entry = r#"{"template": "paper jam in tray <*>", "add": ["hardware"]}"#;
    let url = format!("http://{address}/v1/log/feedback");
    let answer = client.put(url).body(entry).send().await.expect("an answer");
    assert_eq!(answer.status(), 201);
    let taken_up = async || {
        let url = format!("http://{}/metrics", collector.own_metrics());
        client.get(url).send().await.expect("metrics").text().await.expect("text")
    };
    let reloaded = r#"otelcol_processor_log_classify_feedback_reloads{outcome="success"#;
    until("the processor learns", taken_up, |page| {
        page.lines().any(|line| line.starts_with(reloaded) && !line.ends_with(" 0"))
    })
    .await;
    jam();
    until(
        "a record with the class",
        || last_classes(&collector),
        |classes| classes.as_deref() == Some(r#"["hardware"]"#),
    )
    .await;
}
