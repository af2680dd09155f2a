//! What is sent: requests of 500 items with the attributes that SDKs send, the same on every run.

use bytes::Bytes;
use pdata::proto::common::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use pdata::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use pdata::proto::metrics::{
    Gauge, Histogram, HistogramDataPoint, Metric, MetricsData, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum, metric::Data, number_data_point,
};
use pdata::proto::resource::Resource;
use pdata::proto::trace::{ResourceSpans, ScopeSpans, Span, Status, TracesData};
use prost::Message;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Kind;

/// Items in a request: about what SDKs put into one.
pub(super) const ITEMS: u64 = 500;
/// Different requests.
const BODIES: u64 = 16;
const START: u64 = 1_760_000_000_000_000_000;

/// Encoded requests.
pub(super) fn bodies(kind: Kind) -> Vec<Bytes> {
    (0..BODIES)
        .map(|seed| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let encoded = match kind {
                Kind::Logs => logs(&mut random).encode_to_vec(),
                Kind::Metrics => metrics(&mut random).encode_to_vec(),
                Kind::Traces => traces(&mut random).encode_to_vec(),
            };
            encoded.into()
        })
        .collect()
}

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn resource(random: &mut ChaCha8Rng) -> Option<Resource> {
    let instance = random.random_range(0..20);
    Some(Resource {
        attributes: vec![
            text("service.name", format!("service-{}", instance % 10)),
            text("service.namespace", "shop"),
            text("service.version", "2.4.1"),
            text("service.instance.id", format!("627cc493-f310-47de-96bd-71410b7dec{instance:02}")),
            text("deployment.environment.name", "production"),
            text("k8s.pod.name", format!("service-{}-6d4cf56db6-{instance:05}", instance % 10)),
            text("telemetry.sdk.name", "opentelemetry"),
            text("telemetry.sdk.language", "java"),
        ],
        ..Resource::default()
    })
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope {
        name: "io.opentelemetry.http-server".to_owned(),
        version: "2.10.0".to_owned(),
        ..InstrumentationScope::default()
    })
}

fn id(random: &mut ChaCha8Rng, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|_| random.random()).collect()
}

fn time(random: &mut ChaCha8Rng) -> u64 {
    START + random.random_range(0..60_000_000_000)
}

fn logs(random: &mut ChaCha8Rng) -> LogsData {
    let log_records = (0..ITEMS).map(|_| {
        let time = time(random);
        let order: u32 = random.random_range(0..1_000_000);
        LogRecord {
            time_unix_nano: time,
            observed_time_unix_nano: time + 1_000_000,
            severity_number: 9,
            severity_text: "INFO".to_owned(),
            body: Some(AnyValue {
                value: Some(Value::StringValue(format!(
                    "order {order} confirmed, {} items, payment authorised in {} ms, shipping to warehouse {}",
                    order % 9,
                    order % 400,
                    order % 13
                ))),
            }),
            attributes: vec![
                text("log.file.name", "orders.log"),
                text("thread.name", format!("http-nio-8080-exec-{}", order % 32)),
                text("user.id", format!("u{order:08}")),
                attribute("order.total", Value::DoubleValue(f64::from(order) / 100.0)),
                attribute("code.line.number", Value::IntValue(i64::from(order % 900))),
            ],
            trace_id: id(random, 16),
            span_id: id(random, 8),
            ..LogRecord::default()
        }
    });
    let scope_logs =
        vec![ScopeLogs { scope: scope(), log_records: log_records.collect(), ..ScopeLogs::default() }];
    LogsData {
        resource_logs: vec![ResourceLogs {
            resource: resource(random),
            scope_logs,
            ..ResourceLogs::default()
        }],
    }
}

fn traces(random: &mut ChaCha8Rng) -> TracesData {
    let spans = (0..ITEMS).map(|_| {
        let start = time(random);
        let order: u32 = random.random_range(0..1_000_000);
        Span {
            trace_id: id(random, 16),
            span_id: id(random, 8),
            parent_span_id: id(random, 8),
            name: "GET /api/orders/{id}".to_owned(),
            kind: 2,
            start_time_unix_nano: start,
            end_time_unix_nano: start + random.random_range(100_000..500_000_000),
            attributes: vec![
                text("http.request.method", "GET"),
                text("http.route", "/api/orders/{id}"),
                text("url.path", format!("/api/orders/{order}")),
                attribute("http.response.status_code", Value::IntValue(200)),
                text("server.address", "orders.shop.svc.cluster.local"),
                attribute("server.port", Value::IntValue(8080)),
                text("client.address", format!("10.4.{}.{}", order % 200, order % 250)),
                text("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"),
            ],
            status: Some(Status::default()),
            ..Span::default()
        }
    });
    let scope_spans = vec![ScopeSpans { scope: scope(), spans: spans.collect(), ..ScopeSpans::default() }];
    let resource = resource(random);
    TracesData { resource_spans: vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }] }
}

/// Fifty metrics of ten points each: counters, gauges and histograms.
fn metrics(random: &mut ChaCha8Rng) -> MetricsData {
    const POINTS: u64 = 10;
    let metrics = (0..ITEMS / POINTS).map(|i| {
        let data = match i % 3 {
            0 => Data::Sum(Sum {
                data_points: (0..POINTS).map(|point| number(random, point)).collect(),
                aggregation_temporality: 2,
                is_monotonic: true,
            }),
            1 => Data::Gauge(Gauge { data_points: (0..POINTS).map(|point| number(random, point)).collect() }),
            _ => Data::Histogram(Histogram {
                data_points: (0..POINTS).map(|point| histogram(random, point)).collect(),
                aggregation_temporality: 2,
            }),
        };
        Metric {
            name: format!("http.server.measure.{i}"),
            description: "Duration of HTTP server requests.".to_owned(),
            unit: "s".to_owned(),
            data: Some(data),
            ..Metric::default()
        }
    });
    let scope_metrics =
        vec![ScopeMetrics { scope: scope(), metrics: metrics.collect(), ..ScopeMetrics::default() }];
    let resource = resource(random);
    MetricsData {
        resource_metrics: vec![ResourceMetrics { resource, scope_metrics, ..ResourceMetrics::default() }],
    }
}

fn point_attributes(point: u64) -> Vec<KeyValue> {
    vec![
        text("http.request.method", "GET"),
        text("http.route", format!("/api/resource-{point}")),
        attribute("http.response.status_code", Value::IntValue(200)),
    ]
}

fn number(random: &mut ChaCha8Rng, point: u64) -> NumberDataPoint {
    NumberDataPoint {
        attributes: point_attributes(point),
        start_time_unix_nano: START,
        time_unix_nano: time(random),
        value: Some(number_data_point::Value::AsDouble(random.random_range(0.0..1e6))),
        ..NumberDataPoint::default()
    }
}

fn histogram(random: &mut ChaCha8Rng, point: u64) -> HistogramDataPoint {
    let bucket_counts: Vec<u64> = (0..15).map(|_| random.random_range(0..1000)).collect();
    HistogramDataPoint {
        attributes: point_attributes(point),
        start_time_unix_nano: START,
        time_unix_nano: time(random),
        count: bucket_counts.iter().sum(),
        sum: Some(random.random_range(0.0..1e5)),
        bucket_counts,
        explicit_bounds: vec![
            0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
        ],
        ..HistogramDataPoint::default()
    }
}
