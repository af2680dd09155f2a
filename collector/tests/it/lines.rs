//! A log file as programs write it, klog, JSON, plain lines and stack traces in it, is tailed by the real binary: every record
//! comes out with severity and time, every trace as one record, and two traces of the same fault have one template.

use std::io::Write as _;
use std::time::Duration;

use pdata::json::logs_from_json;
use pdata::view::AnyValueView;
use tokio::time::{Instant, sleep};

use crate::support::Collector;

/// A debug build on a busy machine takes a while.
const PATIENCE: Duration = Duration::from_secs(60);

const CONFIG: &str = "
receivers: {filelog: {include: [INPUT], start_at: beginning, poll_interval: 50ms}}
processors: {drain: {hold_records: 0, join: {timeout: 30s}}}
exporters: {file: {path: out.jsonl}}
service:
  pipelines: {logs: {receivers: [filelog], processors: [drain], exporters: [file]}}
";

/// What is of interest about a record.
#[derive(Debug)]
struct Record {
    severity: (i32, String),
    /// Seconds since the epoch; 0 if unknown.
    time: u64,
    body: String,
    template: String,
    trace_id: Vec<u8>,
}

fn read(text: &str) -> Vec<Record> {
    let mut all = Vec::new();
    // The last line may be on its way.
    for line in text.rfind('\n').map_or("", |end| &text[..end]).lines() {
        let logs = logs_from_json(line.as_bytes()).expect("the output is OTLP/JSON");
        for (_, _, record) in logs.view().items() {
            let AnyValueView::Str(body) = record.body() else { panic!("{line} has no text") };
            let template = match record.attribute("log.record.template") {
                Some(AnyValueView::Str(template)) => template.to_owned(),
                _ => String::new(),
            };
            all.push(Record {
                severity: (record.severity_number(), record.severity_text().to_owned()),
                time: record.time().as_nanos() / 1_000_000_000,
                body: body.to_owned(),
                template,
                trace_id: record.trace_id().to_vec(),
            });
        }
    }
    all
}

/// The records, as soon as there are `n`.
async fn written(collector: &Collector, n: usize) -> Vec<Record> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = std::fs::read_to_string(collector.folder().join("out.jsonl")).unwrap_or_default();
        let records = read(&text);
        if records.len() >= n {
            return records;
        }
        assert!(Instant::now() < deadline, "{records:#?} only:\n{}", collector.log());
        sleep(Duration::from_millis(50)).await;
    }
}

/// A fault of the cart `id`.
fn trace(id: u32) -> String {
    format!(
        "2024-01-02 15:04:06,500 ERROR [http-{id}] org.example.Web - Request {id} failed
java.lang.IllegalStateException: cart {id} is gone
\tat org.example.Cart.load(Cart.java:41)
\tat org.example.Web.handle(Web.java:{id})
Caused by: java.io.IOException: connection to 10.0.0.{id} refused
\tat org.example.Store.open(Store.java:3)
\t... 2 more"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mixed_file_comes_out_with_severities_times_and_whole_stack_traces() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("app.log");
    let json = r#"{"level":"warn","ts":"2024-01-02T15:04:07Z","msg":"cart is slow","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}"#;
    let klog = "E0102 15:04:05.678901       1 controller.go:114] cannot sync cart 7";
    let lines =
        [klog, &trace(17), json, &trace(23), "2024-01-02 15:04:08,000 INFO  [main] org.example.App - done"];
    std::fs::write(&path, lines.join("\n") + "\n").expect("the log can be written");
    let config = CONFIG.replace("INPUT", path.to_str().expect("a UTF-8 path"));
    let mut collector = Collector::start(&config).await;
    let records = written(&collector, 5).await;

    let severities: Vec<_> = records.iter().map(|it| (it.severity.0, it.severity.1.as_str())).collect();
    assert_eq!(severities, [(17, "ERROR"), (17, "ERROR"), (13, "warn"), (17, "ERROR"), (9, "INFO")]);
    // What klog leaves out is the year.
    let times: Vec<_> = records[1..].iter().map(|it| it.time).collect();
    assert_eq!(times, [1_704_207_846, 1_704_207_847, 1_704_207_846, 1_704_207_848]);
    assert_ne!(records[0].time, 0);
    assert_eq!(records[2].trace_id, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes());
    // The receiver takes the white space around lines away.
    let stripped = |text: &str| text.lines().map(str::trim).collect::<Vec<_>>().join("\n");
    let bodies: Vec<_> = records.iter().map(|it| it.body.as_str()).collect();
    assert_eq!(bodies, [klog, &stripped(&trace(17)), json, &stripped(&trace(23)), lines[4]]);
    assert_eq!(records[0].template, "cannot sync cart <*>");
    assert_eq!(records[2].template, "cart is slow");
    assert_eq!(records[1].template, records[3].template);
    assert!(records[1].template.ends_with("Caused by: java.io.IOException"), "{}", records[1].template);

    // A trace that is written while it is read is one record too.
    let late = trace(42);
    let (first, second) = late.split_at(late.find("Caused").expect("it has a cause"));
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).expect("the log can be opened");
    file.write_all(first.as_bytes()).expect("the log can be written");
    sleep(Duration::from_millis(200)).await;
    file.write_all(format!("{second}\n2024-01-02 15:04:09,000 INFO bye\n").as_bytes())
        .expect("the log can be written");
    let records = written(&collector, 6).await;
    assert!(records[5].body.starts_with("2024-01-02 15:04:06,500 ERROR [http-42]"), "{:?}", records[5]);
    assert_eq!(records[5].template, records[1].template);
    collector.terminate().await;
    assert!(collector.ended().await.success(), "{}", collector.log());
    let frames = written(&collector, 7).await.into_iter().filter(|it| it.template.contains("Cart.java"));
    assert_eq!(frames.count(), 0);
}
