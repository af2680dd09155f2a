//! What detection costs: one point, one batch of metrics, one batch of spans.

use std::hint::black_box;

use analysis::detect::{Findings, Limits, Nature, Point, Series, Settings, Watcher};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use pdata::proto::common::{AnyValue, KeyValue, any_value::Value};
use pdata::proto::metrics::{
    Gauge, Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data,
    number_data_point,
};
use pdata::proto::resource::Resource;
use pdata::proto::trace::span::SpanKind;
use pdata::proto::trace::{ResourceSpans, ScopeSpans, Span, TracesData};
use pdata::{Metrics, Timestamp, Traces};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Scoring one point of a series while many others are live: what bounds the data rate of a core.
fn score_point(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("detect/score_point");
    let settings = Settings::default();
    for n_series in [1usize, 1_000, 50_000] {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut series = vec![Series::default(); n_series];
        let mut round = 0u64;
        let mut at = 0;
        let mut next = || {
            if at == 0 {
                round += 1;
            }
            let time = Timestamp::from_secs(1_000_000 + 10 * round);
            let point = Point::new(time, 100.0 + 10.0 * rng.random::<f64>());
            let observed = series[at].observe(point, Nature::default(), &settings);
            at = (at + 1) % n_series;
            observed
        };
        for _ in 0..100 * n_series.min(1_000) {
            let _ = black_box(next());
        }
        group.throughput(Throughput::Elements(1));
        group.bench_function(n_series.to_string(), |bencher| bencher.iter(|| black_box(next())));
    }
    group.finish();
}

/// Reading a batch of encoded gauges, finding their series and scoring them.
fn metrics(criterion: &mut Criterion) {
    let (resources, points) = (10, 100);
    let mut group = criterion.benchmark_group("detect/metrics");
    group.throughput(Throughput::Elements(resources * points));
    let mut watcher = Watcher::new(Limits::default(), Settings::default(), None);
    let mut second = 1_000_000;
    group.bench_function("gauges", |bencher| {
        let setup = || {
            second += 10;
            gauges(resources, points, second)
        };
        let look = |metrics: Metrics| {
            let mut findings = Findings::new(false);
            watcher.metrics(&metrics, &|_| true, &mut findings);
            findings
        };
        bencher.iter_batched(setup, look, BatchSize::SmallInput);
    });
    group.finish();
}

/// Reading a batch of encoded spans, which are counted into windows.
fn spans(criterion: &mut Criterion) {
    let (resources, requests) = (10, 100);
    let mut group = criterion.benchmark_group("detect/spans");
    group.throughput(Throughput::Elements(resources * requests));
    let mut watcher = Watcher::new(Limits::default(), Settings::default(), None);
    let mut second = 1_000_000;
    group.bench_function("servers", |bencher| {
        let setup = || {
            second += 1;
            servers(resources, requests, second)
        };
        let look = |traces: Traces| {
            let mut findings = Findings::new(false);
            watcher.traces(&traces, &mut findings);
            findings
        };
        bencher.iter_batched(setup, look, BatchSize::SmallInput);
    });
    group.finish();
}

fn attribute(key: &str, value: String) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value)) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn resource(n: u64) -> Option<Resource> {
    let attributes = vec![
        attribute("service.name", format!("service-{n}")),
        attribute("k8s.pod.name", format!("pod-{n}")),
    ];
    Some(Resource { attributes, ..Resource::default() })
}

fn gauges(resources: u64, points: u64, second: u64) -> Metrics {
    let point = |n: u64| NumberDataPoint {
        attributes: vec![attribute("cpu", n.to_string()), attribute("state", "user".to_owned())],
        time_unix_nano: second * 1_000_000_000,
        value: Some(number_data_point::Value::AsDouble(((n * second) % 17) as f64)),
        ..NumberDataPoint::default()
    };
    let group = |n| ResourceMetrics {
        resource: resource(n),
        scope_metrics: vec![ScopeMetrics {
            metrics: vec![Metric {
                name: "system.cpu.utilization".to_owned(),
                data: Some(Data::Gauge(Gauge { data_points: (0..points).map(point).collect() })),
                ..Metric::default()
            }],
            ..ScopeMetrics::default()
        }],
        ..ResourceMetrics::default()
    };
    let message = MetricsData { resource_metrics: (0..resources).map(group).collect() };
    Metrics::from_bytes(Metrics::from_message(message).bytes().clone()).expect("what was encoded decodes")
}

fn servers(resources: u64, requests: u64, second: u64) -> Traces {
    let span = |resource: u64, n: u64| Span {
        trace_id: (u128::from(second) << 64 | u128::from(n) << 8).to_be_bytes().to_vec(),
        span_id: (resource << 32 | n).to_be_bytes().to_vec(),
        name: format!("GET /{}", n % 10),
        kind: SpanKind::Server as i32,
        start_time_unix_nano: second * 1_000_000_000,
        end_time_unix_nano: second * 1_000_000_000 + (n + 1) * 1_000_000,
        attributes: vec![attribute("http.request.method", "GET".to_owned())],
        ..Span::default()
    };
    let group = |at| ResourceSpans {
        resource: resource(at),
        scope_spans: vec![ScopeSpans {
            spans: (0..requests).map(|n| span(at, n)).collect(),
            ..ScopeSpans::default()
        }],
        ..ResourceSpans::default()
    };
    let message = TracesData { resource_spans: (0..resources).map(group).collect() };
    Traces::from_bytes(Traces::from_message(message).bytes().clone()).expect("what was encoded decodes")
}

criterion_group!(benches, score_point, metrics, spans);
criterion_main!(benches);
