//! Scrapes over HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use component::{Ack, Context, Ingress, Intake, Kind, ShutdownTrigger};
use pdata::proto::metrics::{MetricsData, metric::Data, number_data_point::Value};
use pdata::{Batch, Signal, SignalSet};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::prometheus::FACTORY;

/// Serves one answer, whatever is asked; counts and remembers requests.
struct Server {
    address: String,
    answer: watch::Sender<Vec<u8>>,
    requests: mpsc::Receiver<String>,
    n_connections: Arc<AtomicUsize>,
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

impl Server {
    async fn start(first: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (answer, answers) = watch::channel(first);
        let (seen, requests) = mpsc::channel(100);
        let n_connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&n_connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let mut stream = BufReader::new(stream);
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).await.unwrap() > 0 {}
                let _ = seen.try_send(head);
                let answer = answers.borrow().clone();
                let _ = stream.write_all(&answer).await;
            }
        });
        Self { address, answer, requests, n_connections }
    }

    fn text(body: &str) -> Vec<u8> {
        answer("200 OK\r\ncontent-type: text/plain; version=0.0.4", body.as_bytes())
    }
}

struct Sink(mpsc::Sender<MetricsData>);

#[async_trait]
impl Intake for Sink {
    async fn push(&self, batch: Batch, ack: Ack) {
        let Batch::Metrics(metrics) = batch else { panic!("{batch:?}") };
        ack.done();
        let _ = self.0.send(metrics.into_message()).await;
    }

    fn wanted(&self) -> SignalSet {
        SignalSet::of(&[Signal::Metrics])
    }
}

struct Running {
    batches: mpsc::Receiver<MetricsData>,
    shutdown: ShutdownTrigger,
    task: JoinHandle<Result<(), component::RunError>>,
    context: Context,
}

impl Running {
    async fn start(mut job: serde_json::Value) -> Self {
        job["job_name"] = "test".into();
        job["scrape_interval"] = "50ms".into();
        if job.get("scrape_timeout").is_none() {
            job["scrape_timeout"] = "50ms".into();
        }
        let mut context = Context::detached(Kind::Receiver, "prometheus");
        context.clock = component::Clock::system();
        let json = json!({"config": {"scrape_configs": [job]}});
        let mut receiver =
            (FACTORY.create)(&::config::Section::from_json("prometheus", &json), &context).unwrap();
        receiver.start().await.unwrap();
        let (sender, batches) = mpsc::channel(1);
        let ingress =
            Ingress::new("prometheus", Arc::new(Sink(sender)), context.admission.clone(), &context.telemetry);
        let shutdown = ShutdownTrigger::default();
        let task = tokio::spawn(receiver.run(ingress, shutdown.listener()));
        Self { batches, shutdown, task, context }
    }

    async fn next(&mut self) -> MetricsData {
        self.batches.recv().await.unwrap()
    }

    /// Waits for a scrape in which `wanted` is found.
    async fn until(&mut self, wanted: impl Fn(&MetricsData) -> bool) -> MetricsData {
        loop {
            let data = self.next().await;
            if wanted(&data) {
                return data;
            }
        }
    }

    async fn stop(mut self) -> Context {
        self.shutdown.trigger();
        self.batches.close();
        self.task.await.unwrap().unwrap();
        self.context
    }
}

/// The value of a gauge and whether it is a mark of having vanished.
fn gauge(data: &MetricsData, name: &str) -> Option<(f64, bool)> {
    let metrics =
        data.resource_metrics.iter().flat_map(|r| &r.scope_metrics).flat_map(|scope| &scope.metrics);
    let metric = metrics.into_iter().find(|metric| metric.name == name)?;
    let Some(Data::Gauge(gauge)) = &metric.data else { panic!("{metric:?}") };
    let point = &gauge.data_points[0];
    let value = if let Some(Value::AsDouble(value)) = point.value { value } else { f64::NAN };
    Some((value, point.flags == 1))
}

#[tokio::test]
async fn a_target_is_scraped_and_marked_when_it_fails() {
    let mut server = Server::start(Server::text("a 1\nb 2\n")).await;
    let mut running = Running::start(json!({"static_configs": [{"targets": [server.address]}],
        "basic_auth": {"username": "u", "password": "p"}, "params": {"x": ["1"]}}))
    .await;
    let data = running.until(|data| gauge(data, "up") == Some((1.0, false))).await;
    assert_eq!(gauge(&data, "a"), Some((1.0, false)));
    assert_eq!(gauge(&data, "scrape_samples_scraped"), Some((2.0, false)));
    let request = server.requests.recv().await.unwrap();
    assert!(request.starts_with("GET /metrics?x=1 HTTP/1.1\r\n"), "{request}");
    for header in [
        "authorization: Basic dTpw",
        "accept: application/openmetrics-text",
        "accept-encoding: gzip",
        "x-prometheus-scrape-timeout-seconds: 0.05",
    ] {
        assert!(request.to_ascii_lowercase().contains(&header.to_ascii_lowercase()), "{header}: {request}");
    }
    server.answer.send(answer("500 Oops", b"")).unwrap();
    let data = running.until(|data| gauge(data, "up") == Some((0.0, false))).await;
    assert!(gauge(&data, "a").unwrap().1 && gauge(&data, "b").unwrap().1, "{data:?}");
    // Marked once.
    assert_eq!(gauge(&running.next().await, "a"), None);
    server.answer.send(Server::text("a 3\n")).unwrap();
    let data = running.until(|data| gauge(data, "up") == Some((1.0, false))).await;
    assert_eq!(gauge(&data, "a"), Some((3.0, false)));
    let context = running.stop().await;
    assert!(context.telemetry.total("otelcol_receiver_accepted_metric_points") > 0.0);
}

#[tokio::test]
async fn a_body_that_is_too_large_or_malformed_or_late_is_a_failed_scrape() {
    let server = Server::start(Server::text(&"a 1\n".repeat(100))).await;
    let target = json!([{"targets": [server.address]}]);
    let mut running = Running::start(json!({"static_configs": target, "body_size_limit": 50})).await;
    running.until(|data| gauge(data, "up") == Some((0.0, false))).await;
    running.stop().await;
    // Twice the same series.
    server.answer.send(Server::text("a{ 1\n")).unwrap();
    let mut running = Running::start(json!({"static_configs": target})).await;
    running.until(|data| gauge(data, "up") == Some((0.0, false))).await;
    server.answer.send(answer("200 OK\r\ncontent-type: application/openmetrics-text", b"a 1\n")).unwrap();
    running.until(|data| gauge(data, "up") == Some((0.0, false))).await;
    running.stop().await;
    // Nobody answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let mut running =
        Running::start(json!({"static_configs": [{"targets": [address]}], "scrape_timeout": "10ms"})).await;
    let data = running.until(|data| gauge(data, "up") == Some((0.0, false))).await;
    assert!(gauge(&data, "scrape_duration_seconds").unwrap().0 >= 0.01);
    running.stop().await;
}

#[tokio::test]
async fn gzip_is_understood() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut encoder, b"a 5\n").unwrap();
    let body = encoder.finish().unwrap();
    let server = Server::start(answer("200 OK\r\ncontent-encoding: gzip", &body)).await;
    let mut running = Running::start(json!({"static_configs": [{"targets": [server.address]}]})).await;
    let data = running.until(|data| gauge(data, "up") == Some((1.0, false))).await;
    assert_eq!(gauge(&data, "a"), Some((5.0, false)));
    running.stop().await;
}

#[tokio::test]
async fn targets_come_and_go_without_disturbing_others() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("targets.json");
    let (one, two) =
        (Server::start(Server::text("one 1\n")).await, Server::start(Server::text("two 2\n")).await);
    let write = |targets: &[&str]| {
        let temporary = directory.path().join("next");
        std::fs::write(&temporary, json!([{"targets": targets}]).to_string()).unwrap();
        std::fs::rename(&temporary, &path).unwrap();
    };
    write(&[&one.address]);
    let files = json!([{"files": [path.to_str().unwrap()], "refresh_interval": "100ms"}]);
    let mut running = Running::start(json!({"file_sd_configs": files})).await;
    running.until(|data| gauge(data, "one") == Some((1.0, false))).await;
    write(&[&one.address, &two.address]);
    running.until(|data| gauge(data, "two") == Some((2.0, false))).await;
    write(&[&two.address]);
    running.until(|data| gauge(data, "one").is_some_and(|(_, stale)| stale)).await;
    running.until(|data| gauge(data, "two") == Some((2.0, false))).await;
    assert!(one.n_connections.load(Ordering::SeqCst) > 0);
    running.stop().await;
}

#[tokio::test]
async fn more_targets_than_allowed_fail_every_scrape() {
    let server = Server::start(Server::text("a 1\n")).await;
    let targets = json!([{"targets": [server.address, "127.0.0.1:1"]}]);
    let mut running = Running::start(json!({"static_configs": targets, "target_limit": 1})).await;
    for _ in 0..3 {
        assert_eq!(gauge(&running.next().await, "up"), Some((0.0, false)));
    }
    assert_eq!(server.n_connections.load(Ordering::SeqCst), 0);
    running.stop().await;
}
