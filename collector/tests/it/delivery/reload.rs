//! Reloaded every second under load.

use std::time::Duration;

use tokio::time::sleep;

use super::Addresses;
use crate::support::{Collector, Load, Sink};

/// A configuration whose `turn` differs from the others in its processors, its exporter and its receiver, in turn.
fn config(addresses: &Addresses, url: &str, turn: usize) -> String {
    let compression = ["none", "gzip", "zstd"][turn % 3];
    // Every second time the receiver itself changes and gives up its ports for a moment.
    let streams = 100 + turn / 2;
    let receiver =
        addresses.receiver().replace("{grpc: {", &format!("{{grpc: {{max_concurrent_streams: {streams}, "));
    format!(
        "receivers: {{otlp: {receiver}}}
processors:
  batch: {{timeout: 20ms}}
  attributes: {{actions: [{{key: mark, value: turn-{turn}, action: upsert}}]}}
exporters:
  otlphttp: {{endpoint: '{url}', compression: {compression}, retry_on_failure: {{initial_interval: 100ms}}}}
service: {{pipelines: {{logs: {{receivers: [otlp], processors: [attributes, batch], exporters: [otlphttp]}}}}}}
"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reloads_every_second_lose_nothing() {
    const TURNS: usize = 7;
    let sink = Sink::start(Duration::from_millis(2), 4).await;
    let addresses = Addresses::new();
    let collector = Collector::start(&config(&addresses, &sink.url(), 0)).await;
    let load = Load::start(&addresses.grpc, &addresses.http);
    for turn in 1..=TURNS {
        load.progress(20).await;
        collector.reload(&config(&addresses, &sink.url(), turn)).await;
        sleep(Duration::from_secs(1)).await;
    }
    load.progress(20).await;
    let sent = load.finish().await;
    sink.assert_has_all(&sent);
    assert!(!collector.log().contains("was refused"), "{}", collector.log());
    let marks = sink.marks();
    for turn in 0..=TURNS {
        assert!(marks.contains(&format!("turn-{turn}")), "turn {turn} was never in force: {marks:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_configuration_changes_nothing() {
    let sink = Sink::start(Duration::ZERO, 4).await;
    let addresses = Addresses::new();
    let collector = Collector::start(&config(&addresses, &sink.url(), 0)).await;
    let load = Load::start(&addresses.grpc, &addresses.http);
    load.progress(20).await;
    collector.reload("receivers: {otlp: {protocols: {smoke: }}}\n").await;
    while !collector.log().contains("was refused; the old one goes on") {
        sleep(Duration::from_millis(20)).await;
    }
    load.progress(20).await;
    sink.assert_has_all(&load.finish().await);
    assert_eq!(sink.marks(), ["turn-0".to_owned()].into());
}
