//! Asked to end.

use std::collections::HashSet;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Addresses;
use crate::support::{Answer, Collector, Load, Protocol, Sender, Sink, next, until, until_or};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_under_way_at_sigterm_are_delivered_and_answered() {
    let sink = Sink::start(Duration::from_millis(300), 4).await;
    let addresses = Addresses::new();
    // Without `batch`, so that the sink gets the requests one by one and works on them for a while.
    let config = addresses.to_sink(&sink.url(), "otlp_grpc").replace("processors: [batch], ", "");
    let mut collector = Collector::start(&config).await;
    let mut requests = JoinSet::new();
    for (protocol, address) in
        [(Protocol::Grpc, &addresses.grpc), (Protocol::Http, &addresses.http)].repeat(8)
    {
        let (sender, record) = (Sender::new(protocol, address), next());
        requests.spawn(async move { (protocol, record, sender.send(record, 100).await) });
    }
    while sink.records() == 0 {
        sleep(Duration::from_millis(5)).await;
    }
    collector.terminate().await;
    let answers = requests.join_all().await;
    let records: HashSet<_> = answers.iter().map(|(_, record, _)| *record).collect();
    let wrong: Vec<_> = answers.iter().filter(|(.., answer)| *answer != Answer::Taken).collect();
    assert!(wrong.is_empty(), "{wrong:?}\n{}", collector.log());
    sink.assert_has_all(&records);
    assert!(collector.ended().await.success(), "{}", collector.log());
}

/// Requests of one record that are inside when the end comes: some at the sink, some in the exporter's queue, the rest in `batch`.
const INSIDE: usize = 250;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_under_load_loses_nothing_and_ends() {
    let sink = Sink::start(Duration::from_millis(5), 0).await;
    let addresses = Addresses::new();
    // Nothing goes on by itself: the only consumer waits for the sink, and `batch` for more.
    let config = addresses
        .to_sink(&sink.url(), "otlphttp")
        .replace("{timeout: 20ms}", "{timeout: 1h, send_batch_size: 100, send_batch_max_size: 100}")
        .replace("compression: none", "compression: none, sending_queue: {num_consumers: 1}");
    let mut collector = Collector::start(&config).await;
    // Several connections, as one lets only a few dozen gRPC requests in at once.
    let senders = [(Protocol::Grpc, &addresses.grpc), (Protocol::Http, &addresses.http)]
        .repeat(8)
        .into_iter()
        .map(|(protocol, address)| (protocol, Sender::new(protocol, address)));
    let senders: Vec<_> = senders.collect();
    let mut requests = JoinSet::new();
    for (protocol, sender) in senders.into_iter().cycle().take(INSIDE) {
        let record = next();
        requests.spawn(async move { (protocol, record, sender.send(record, 100).await) });
    }
    let inside = async || taken_in_by_batch(&collector).await;
    until_or("all are inside", inside, |items| *items == INSIDE, || collector.log()).await;
    let load = Load::start(&addresses.grpc, &addresses.http);
    collector.terminate().await;
    let stopping = async || collector.log().contains("shutting down");
    until("it begins to drain", stopping, |stopping| *stopping).await;
    assert!(requests.try_join_next().is_none(), "answered before it was delivered");
    assert_eq!(load.taken(), 0, "answered before it was delivered");

    sink.open(4);
    let answers = requests.join_all().await;
    assert!(collector.ended().await.success(), "{}", collector.log());
    let wrong: Vec<_> = answers.iter().filter(|(.., answer)| *answer != Answer::Taken).collect();
    assert!(wrong.is_empty(), "{} of {INSIDE}, such as {:?}\n{}", wrong.len(), wrong[0], collector.log());
    let mut acknowledged = load.abandon().await;
    acknowledged.extend(answers.iter().map(|(_, record, _)| record));
    sink.assert_has_all(&acknowledged);
}

/// How many records have come as far as `batch`.
async fn taken_in_by_batch(collector: &Collector) -> usize {
    let url = format!("http://{}/metrics", collector.own_metrics());
    let client =
        transport::http::client(&transport::http::ClientSettings::default()).expect("valid settings");
    let text = client.get(url).send().await.expect("an answer").text().await.expect("a text");
    let of_batch = |line: &&str| {
        line.starts_with("otelcol_processor_incoming_items{")
            && line.contains("batch")
            && line.contains("logs")
    };
    let line = text.lines().find(of_batch).unwrap_or_else(|| panic!("no such metric:\n{text}"));
    let value = line.rsplit_once(' ').expect("a value").1;
    value.parse().expect("a count")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_delivers_what_was_acknowledged_when_it_was_only_queued() {
    let sink = Sink::start(Duration::from_millis(5), 0).await;
    let addresses = Addresses::new();
    let config = addresses.to_sink(&sink.url(), "otlphttp").replace(
        "compression: none",
        "compression: none, sending_queue: {num_consumers: 1, wait_for_result: false}",
    );
    let mut collector = Collector::start(&config).await;
    let load = Load::start(&addresses.grpc, &addresses.http);
    load.progress(100).await;
    assert_eq!(sink.records(), 0, "it is closed");
    collector.terminate().await;
    let stopping = async || collector.log().contains("shutting down");
    until("it begins to drain", stopping, |stopping| *stopping).await;
    sink.open(1);
    assert!(collector.ended().await.success(), "{}", collector.log());
    sink.assert_has_all(&load.abandon().await);
}
