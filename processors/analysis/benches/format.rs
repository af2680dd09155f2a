//! What reading a line costs before it is mined: the header of a plain line, klog, syslog, pairs, and JSON.

use std::hint::black_box;

use analysis::logs::format::Sniffer;
use criterion::{Criterion, criterion_group, criterion_main};
use pdata::Timestamp;

const OBSERVED: Timestamp = Timestamp::from_secs(1_718_452_800);

/// One line of each kind; the JSON line has 300 bytes.
const LINES: [(&str, &str); 8] = [
    (
        "plain",
        "2024-06-01 10:00:00,123 INFO  [main] org.example.shop.Cart: put item 4711 into cart 17 of ada in 5 ms",
    ),
    ("plain_without_header", "put item 4711 into the cart of ada, who has been waiting for it for 5 ms"),
    (
        "klog",
        "I0601 10:00:00.123456       1 controller.go:114] Reconciled pod default/checkout-5d4f in 12 ms",
    ),
    (
        "syslog",
        "Jun  1 10:00:00 node-1 sshd[24200]: Accepted publickey for ada from 10.0.0.1 port 51234 ssh2",
    ),
    ("cri", "2024-06-01T10:00:00.123456789Z stdout F put item 4711 into the cart of ada in 5 ms"),
    (
        "logfmt",
        "ts=2024-06-01T10:00:00.123Z caller=compact.go:519 level=info component=tsdb msg=\"write block\" duration=1.2s",
    ),
    (
        "json",
        r#"{"level":"info","ts":"2024-06-01T10:00:00.123Z","caller":"cart/handler.go:113","msg":"put item into cart","user":"ada","cart":17,"item":4711,"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","http":{"method":"POST","path":"/cart/17/items","status":200,"ms":5.25},"ok":true,"v":12}"#,
    ),
    (
        "docker",
        r#"{"log":"{\"level\":\"info\",\"time\":\"2024-06-01T10:00:00Z\",\"msg\":\"put item into cart\",\"n\":4711}\n","stream":"stdout","time":"2024-06-01T10:00:00.123456789Z"}"#,
    ),
];

fn lift(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("format/lift");
    for (name, line) in LINES {
        let mut sniffer = Sniffer::default();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                black_box(sniffer.lift(black_box(line), OBSERVED));
            });
        });
    }
    group.finish();
}

criterion_group!(benches, lift);
criterion_main!(benches);
