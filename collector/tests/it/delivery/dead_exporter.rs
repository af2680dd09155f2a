//! Two exporters on one pipeline, one of which cannot deliver.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::Addresses;
use crate::support::{Answer, Collector, Protocol, Sender, Sink, free_address, next};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_exporter_delays_no_living_one() {
    let sink = Sink::start(Duration::ZERO, 4).await;
    let addresses = Addresses::new();
    let config = format!(
        "receivers: {{otlp: {receiver}}}
exporters:
  otlphttp/live: {{endpoint: '{live}'}}
  otlp/dead: {{endpoint: 'http://{dead}', sending_queue: {{queue_size: 5, num_consumers: 1, wait_for_result: false}}}}
service: {{shutdown_timeout: 1s, pipelines: {{logs: {{receivers: [otlp], exporters: [otlp/dead, otlphttp/live]}}}}}}
",
        receiver = addresses.receiver(),
        live = sink.url(),
        dead = free_address(),
    );
    let _collector = Collector::start(&config).await;
    for (protocol, address) in [(Protocol::Grpc, &addresses.grpc), (Protocol::Http, &addresses.http)] {
        let sender = Sender::new(protocol, address);
        let (mut taken, mut refused) = (0, 0);
        let started = Instant::now();
        let before = sink.records();
        for _ in 0..100 {
            let answer = timeout(Duration::from_secs(5), sender.send(next(), 100)).await;
            match answer.expect("the dead one holds nobody up") {
                Answer::Taken => taken += 1,
                // Its queue is full: the sender learns that not everybody has the record.
                Answer::Later(_) => refused += 1,
                other => panic!("{other:?}"),
            }
        }
        // One in the exporter's hands and five in its queue, over both protocols.
        assert!(taken <= 6 && taken + refused == 100, "{protocol:?}: {taken} taken, {refused} refused");
        assert_eq!(sink.records() - before, 100, "{protocol:?}");
        assert!(started.elapsed() < Duration::from_secs(10), "{protocol:?}: {:?}", started.elapsed());
    }
}
