//! A collector and the binary lose nothing between them, whichever of them refuses, dies or comes back.

use std::time::Duration;

use super::start;
use crate::support::{Answer, Collector, Load, Protocol, Sender, Sink, free_address, next, peer, until};

/// Where somebody listens, for each protocol.
struct Addresses {
    grpc: String,
    http: String,
}

impl Addresses {
    fn new() -> Self {
        Self { grpc: free_address(), http: free_address() }
    }

    /// Logs from here on to `to`, each protocol for itself, with nothing in between that could hold them: a sender is
    /// answered when they have arrived. Understood by either program.
    fn forward(&self, to: &Self, queue: &str) -> String {
        let exporter = format!(
            "sending_queue: {{{queue}}}, compression: none, tls: {{insecure: true}}, \
             retry_on_failure: {{initial_interval: 50ms, max_interval: 100ms, max_elapsed_time: 0s}}"
        );
        format!(
            "receivers:
  otlp/grpc: {{protocols: {{grpc: {{endpoint: '{}'}}}}}}
  otlp/http: {{protocols: {{http: {{endpoint: '{}'}}}}}}
exporters:
  otlp: {{endpoint: 'http://{}', {exporter}}}
  otlphttp: {{endpoint: 'http://{}', {exporter}}}
service:
  pipelines:
    logs/grpc: {{receivers: [otlp/grpc], exporters: [otlp]}}
    logs/http: {{receivers: [otlp/http], exporters: [otlphttp]}}
",
            self.grpc, self.http, to.grpc, to.http
        )
    }

    fn of(sink: &Sink) -> Self {
        let address = sink.url().replace("http://", "");
        Self { grpc: address.clone(), http: address }
    }
}

const NO_QUEUE: &str = "enabled: false";
/// A collector counts nothing itself here: its port would be the same for all.
const QUIET: &str = "  telemetry: {metrics: {level: none}}\n";

/// Has no memory left: no process is so small.
const FULL: &str = "processors: {memory_limiter: {check_interval: 50ms, limit_mib: 1}}\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_in_front_keeps_what_the_binary_refuses_or_dies_with() {
    let test = "a_collector_in_front_keeps_what_the_binary_refuses_or_dies_with";
    let Some(folder) = peer("otelcol", test) else { return };
    let sink = Sink::start(Duration::ZERO, 4).await;
    let (front, binary) = (Addresses::new(), Addresses::new());
    let roomy = binary.forward(&Addresses::of(&sink), NO_QUEUE);
    let full =
        format!("{FULL}{}", roomy.replace(", exporters: [", ", processors: [memory_limiter], exporters: ["));
    let mut watchfire = Collector::start(&full).await;
    for (protocol, address) in [(Protocol::Grpc, &binary.grpc), (Protocol::Http, &binary.http)] {
        let sender = Sender::new(protocol, address);
        let is_refused = |answer: &Answer| matches!(answer, Answer::Later(_));
        until("it refuses", async || sender.send(next(), 10).await, is_refused).await;
    }
    let mut collector = start(&folder, &format!("{}{QUIET}", front.forward(&binary, NO_QUEUE))).await;

    let load = Load::start(&front.grpc, &front.http);
    collector.says("code = Unavailable").await;
    collector.says("HTTP Status Code 503").await;
    assert_eq!(load.taken(), 0, "who took it?\n{}", collector.log());
    watchfire.reload(&roomy).await;
    load.progress(100).await;

    watchfire.kill().await;
    collector.says("connection refused").await;
    let _watchfire = watchfire.restart(&roomy).await;
    load.progress(100).await;
    sink.assert_has_all(&load.finish().await);
    assert!(!collector.log().contains("Dropping data"), "{}", collector.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_binary_keeps_what_a_collector_behind_it_dies_with() {
    let test = "the_binary_keeps_what_a_collector_behind_it_dies_with";
    let Some(folder) = peer("otelcol", test) else { return };
    let sink = Sink::start(Duration::ZERO, 4).await;
    let (binary, behind) = (Addresses::new(), Addresses::new());
    let mut collector =
        start(&folder, &format!("{}{QUIET}", behind.forward(&Addresses::of(&sink), NO_QUEUE))).await;
    let watchfire = Collector::start(&binary.forward(&behind, "queue_size: 100")).await;
    let load = Load::start(&binary.grpc, &binary.http);
    load.progress(100).await;
    collector.kill().await;
    // Long enough for some attempts of every sender.
    until("it tries again", async || watchfire.log(), |log| log.contains("trying again")).await;
    collector = super::again(&folder, collector).await;
    load.progress(100).await;
    // It takes nothing more, ends what it has, and says goodbye.
    collector.end().await;
    let _collector = super::again(&folder, collector).await;
    load.progress(100).await;
    sink.assert_has_all(&load.finish().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_binary_keeps_what_a_collector_behind_it_refuses() {
    let test = "the_binary_keeps_what_a_collector_behind_it_refuses";
    let Some(folder) = peer("otelcol", test) else { return };
    // Slower than the senders, who are told by the collector that it has the record when it waits in its short queue.
    let sink = Sink::start(Duration::from_millis(20), 1).await;
    let (binary, behind) = (Addresses::new(), Addresses::new());
    let queue = "queue_size: 1, num_consumers: 1";
    let collector = start(&folder, &format!("{}{QUIET}", behind.forward(&Addresses::of(&sink), queue))).await;
    let _watchfire = Collector::start(&binary.forward(&behind, "queue_size: 100")).await;
    let load = Load::start(&binary.grpc, &binary.http);
    load.progress(50).await;
    let taken = load.finish().await;
    until("all are there", async || sink.has_all(&taken), |all| *all).await;
    assert!(collector.log().contains("queue is full"), "it refused nothing:\n{}", collector.log());
}
