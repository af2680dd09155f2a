//! Killed under load.

use std::time::Duration;

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
