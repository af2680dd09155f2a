//! What a series costs in memory: bytes that a [`Watcher`] holds for each of many gauges, counters and histograms, after half an
//! hour of points.
//!
//! In: nothing. Out: a table. Fails if a series costs more than it may.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use analysis::detect::{Findings, Limits, Settings, Watcher};
use pdata::Metrics;
use pdata::proto::common::{AnyValue, KeyValue, any_value::Value};
use pdata::proto::metrics::{
    Gauge, Histogram, HistogramDataPoint, Metric, MetricsData, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum, metric::Data, number_data_point,
};
use pdata::proto::resource::Resource;
use tikv_jemalloc_ctl::thread;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Series: so many resources with so many series each.
const RESOURCES: u64 = 100;
const POINTS: u64 = 100;
/// A point of each every ten seconds, for half an hour.
const ROUNDS: u64 = 180;

/// What a metric is.
type Kind = fn(u64, u64) -> Data;

/// Kinds, and what one series of each may cost. A histogram is judged by several statistics, each with a memory of its own.
const KINDS: [(&str, Kind, u64); 3] =
    [("gauges", gauges, 3900), ("counters", counters, 4200), ("histograms", histograms, 11300)];

fn main() {
    println!("| 10,000 series | bytes per series |\n|---|---|");
    for (name, kind, most) in KINDS {
        let before = held();
        let mut watcher = Watcher::new(Limits::default(), Settings::default(), None);
        for round in 1..=ROUNDS {
            let mut findings = Findings::new(false);
            watcher.metrics(&metrics(kind, round), &|_| true, &mut findings);
        }
        let bytes = (held() - before) / (RESOURCES * POINTS);
        println!("| {name} | {bytes} |");
        assert!(bytes <= most, "a series of {name} costs {bytes} bytes, more than {most}");
        drop(watcher);
    }
}

/// Bytes that this thread has allocated and not given back.
fn held() -> u64 {
    let read = || Some((thread::allocatedp::read().ok()?, thread::deallocatedp::read().ok()?));
    let (allocated, freed) = read().expect("the allocator counts");
    allocated.get() - freed.get()
}

fn metrics(kind: Kind, round: u64) -> Metrics {
    let group = |n| ResourceMetrics {
        resource: Some(Resource {
            attributes: vec![
                attribute("service.name", format!("service-{n}")),
                attribute("k8s.pod.name", format!("service-{n}-6d4cf56db6-{n:05}")),
            ],
            ..Resource::default()
        }),
        scope_metrics: vec![ScopeMetrics {
            metrics: vec![Metric {
                name: "http.server.measure".to_owned(),
                data: Some(kind(n, round)),
                ..Metric::default()
            }],
            ..ScopeMetrics::default()
        }],
        ..ResourceMetrics::default()
    };
    let message = MetricsData { resource_metrics: (0..RESOURCES).map(group).collect() };
    Metrics::from_bytes(Metrics::from_message(message).bytes().clone()).expect("what was encoded decodes")
}

fn attribute(key: &str, value: String) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value)) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn attributes(point: u64) -> Vec<KeyValue> {
    vec![
        attribute("http.request.method", "GET".to_owned()),
        attribute("http.route", format!("/api/resource-{point}")),
    ]
}

fn time(round: u64) -> u64 {
    (1_700_000_000 + 10 * round) * 1_000_000_000
}

/// A number that looks like noise and is the same on every run.
fn noise(resource: u64, point: u64, round: u64) -> u64 {
    (resource * 31 + point * 17 + round * 7919) % 101
}

fn number(resource: u64, point: u64, round: u64, value: u64) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes(point),
        start_time_unix_nano: time(0) + resource,
        time_unix_nano: time(round),
        value: Some(number_data_point::Value::AsDouble(value as f64)),
        ..NumberDataPoint::default()
    }
}

fn gauges(resource: u64, round: u64) -> Data {
    let point = |point| number(resource, point, round, 500 + noise(resource, point, round));
    Data::Gauge(Gauge { data_points: (0..POINTS).map(point).collect() })
}

fn counters(resource: u64, round: u64) -> Data {
    let point = |point| number(resource, point, round, 1000 * round + noise(resource, point, round));
    Data::Sum(Sum {
        data_points: (0..POINTS).map(point).collect(),
        aggregation_temporality: 2,
        is_monotonic: true,
    })
}

fn histograms(resource: u64, round: u64) -> Data {
    const BOUNDS: [f64; 14] =
        [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
    let point = |point| {
        let in_bucket = |bucket| 100 * round * (bucket + 1) + noise(resource, point + bucket, round);
        let bucket_counts: Vec<_> = (0..=BOUNDS.len() as u64).map(in_bucket).collect();
        HistogramDataPoint {
            attributes: attributes(point),
            start_time_unix_nano: time(0) + resource,
            time_unix_nano: time(round),
            count: bucket_counts.iter().sum(),
            sum: Some(1000.0 * round as f64),
            bucket_counts,
            explicit_bounds: BOUNDS.to_vec(),
            ..HistogramDataPoint::default()
        }
    };
    Data::Histogram(Histogram { data_points: (0..POINTS).map(point).collect(), aggregation_temporality: 2 })
}
