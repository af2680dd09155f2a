//! Killed under load.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Addresses;
use crate::support::{Collector, Load, Sink};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_before_a_kill_has_been_delivered() {
    let sink = Sink::start(Duration::from_millis(2), 4).await;
    let addresses = Addresses::new();
    let config = addresses.to_sink(&sink.url(), "otlphttp");
    let mut collector = Collector::start(&config).await;
    let load = Load::start(&addresses.grpc, &addresses.http);
    for _ in 0..2 {
        load.progress(100).await;
        // In the middle of requests: the senders have never more than one record each that waits for its answer.
        collector.kill().await;
        collector = collector.restart(&config).await;
    }
    load.progress(100).await;
    collector.kill().await;
    let acknowledged = load.abandon().await;
    assert!(acknowledged.len() >= 300, "{}", acknowledged.len());
    sink.assert_has_all(&acknowledged);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_with_a_queue_on_disk_is_delivered_after_a_restart() {
    // Much slower than the senders, so that most of what was acknowledged waits on disk when the end comes.
    let sink = Sink::start(Duration::from_millis(50), 1).await;
    let addresses = Addresses::new();
    let config = format!(
        "extensions: {{file_storage: {{directory: state, create_directory: true}}}}
receivers: {{otlp: {receiver}}}
exporters:
  otlphttp:
    endpoint: '{url}'
    sending_queue: {{storage: file_storage, queue_size: 10000}}
    retry_on_failure: {{initial_interval: 100ms}}
service: {{extensions: [file_storage], pipelines: {{logs: {{receivers: [otlp], exporters: [otlphttp]}}}}}}
",
        receiver = addresses.receiver(),
        url = sink.url(),
    );
    let mut collector = Collector::start(&config).await;
    let load = Load::start(&addresses.grpc, &addresses.http);
    load.progress(100).await;
    collector.kill().await;
    let acknowledged = load.abandon().await;
    let delivered_before = sink.records();
    assert!(delivered_before < acknowledged.len(), "nothing waited: {delivered_before}");
    let _collector = collector.restart(&config).await;
    let deadline = Instant::now() + Duration::from_secs(30);
    while !sink.has_all(&acknowledged) && Instant::now() < deadline {
        sleep(Duration::from_millis(20)).await;
    }
    sink.assert_has_all(&acknowledged);
}
