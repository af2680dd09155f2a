//! Asked to end.

use std::collections::HashSet;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Addresses;
use crate::support::{Answer, Collector, Load, Protocol, Sender, Sink, next};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_under_load_loses_nothing_and_ends() {
    let sink = Sink::start(Duration::from_millis(5), 4).await;
    let addresses = Addresses::new();
    let mut collector = Collector::start(&addresses.to_sink(&sink.url(), "otlphttp")).await;
    let load = Load::start(&addresses.grpc, &addresses.http);
    load.progress(100).await;
    collector.terminate().await;
    assert!(collector.ended().await.success(), "{}", collector.log());
    let acknowledged = load.abandon().await;
    sink.assert_has_all(&acknowledged);
}
