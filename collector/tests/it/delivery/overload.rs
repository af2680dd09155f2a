//! Twice the load that the slow sink can take.

use std::collections::HashSet;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::Addresses;
use crate::support::{Answer, Collector, Protocol, Sender, Sink, next};

/// What the sink takes in a second: 5 at once, each 100 ms.
const SUSTAINABLE: u32 = 50;
/// For how many seconds twice of that is sent, unless `WATCHFIRE_OVERLOAD_SECONDS` asks for more.
const SECONDS: u32 = 6;
/// The size of a record: twice the sustainable load for the time above is about 300 MiB.
const PADDING: usize = 512 << 10;
const LIMIT_MIB: u64 = 160;
/// Each lets a few dozen gRPC requests in at once, so one alone could not overload anything.
const CONNECTIONS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_stays_inside_its_limit_and_refusals_can_be_retried_over_grpc() {
    overload(Protocol::Grpc).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_stays_inside_its_limit_and_refusals_can_be_retried_over_http() {
    overload(Protocol::Http).await;
}

fn seconds() -> u32 {
    std::env::var("WATCHFIRE_OVERLOAD_SECONDS")
        .map_or(SECONDS, |text| text.parse().expect("WATCHFIRE_OVERLOAD_SECONDS is a number"))
}

async fn overload(protocol: Protocol) {
    let seconds = seconds();
    let sink = Sink::start(Duration::from_millis(100), 5).await;
    let addresses = Addresses::new();
    let config = format!(
        "extensions: {{memory_limiter: {{check_interval: 100ms, limit_mib: {LIMIT_MIB}}}}}
receivers: {{otlp: {receiver}}}
exporters: {{otlphttp: {{endpoint: '{url}', compression: none}}}}
service: {{extensions: [memory_limiter], pipelines: {{logs: {{receivers: [otlp], exporters: [otlphttp]}}}}}}
",
        receiver = addresses.receiver(),
        url = sink.url(),
    );
    let collector = Collector::start(&config).await;
    let address = if protocol == Protocol::Grpc { &addresses.grpc } else { &addresses.http };
    let senders: Vec<_> = (0..CONNECTIONS).map(|_| Sender::new(protocol, address)).collect();
    let mut ticks = interval(Duration::from_secs(1) / (2 * SUSTAINABLE));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let end = Instant::now() + Duration::from_secs(seconds.into());
    let (mut requests, mut sent, mut peak) = (JoinSet::new(), 0, 0);
    for sender in senders.iter().cycle() {
        if Instant::now() >= end {
            break;
        }
        ticks.tick().await;
        // Whether or not the earlier ones were answered.
        let (sender, record) = (sender.clone(), next());
        requests.spawn(async move { (record, sender.send(record, PADDING).await) });
        sent += 1;
        peak = collector.resident().max(peak);
    }
    let (mut taken, mut refused) = (HashSet::new(), 0);
    while let Some(answer) = requests.join_next().await {
        match answer.expect("senders do not panic") {
            (record, Answer::Taken) => drop(taken.insert(record)),
            (_, Answer::Later(_)) => refused += 1,
            (_, other) => panic!("{other:?}"),
        }
        peak = collector.resident().max(peak);
    }
    let report = format!("{sent} sent, {} taken, {refused} refused, peak {} MiB", taken.len(), peak >> 20);
    eprintln!("{protocol:?}: {report}, limit {LIMIT_MIB} MiB");
    assert!(peak <= LIMIT_MIB << 20, "{report}");
    assert!(refused > 0, "it was no overload: {report}");
    // A good part of what the sink can take gets through all the same, on however slow a machine.
    assert!(taken.len() as u32 >= SUSTAINABLE * seconds / 4, "{report}");
    sink.assert_has_all(&taken);
    // And once the load is gone, it soon takes in as before.
    let deadline = Instant::now() + Duration::from_secs(5);
    while senders[0].send(next(), 100).await != Answer::Taken {
        assert!(Instant::now() < deadline, "it still refuses: {} MiB, {report}", collector.resident() >> 20);
        sleep(Duration::from_millis(100)).await;
    }
}
