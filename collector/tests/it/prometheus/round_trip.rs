//! The `prometheus` exporter and receiver understand each other.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use component::{Ack, Clock, Context, Exporter, Ingress, Intake, Kind, Receiver, ShutdownTrigger};
use config::Section;
use pdata::proto::common::{AnyValue, InstrumentationScope, KeyValue, any_value};
use pdata::proto::metrics::{
    Exemplar, Gauge, Histogram, HistogramDataPoint, Metric, MetricsData, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar, metric::Data, number_data_point::Value,
    summary_data_point::ValueAtQuantile,
};
use pdata::proto::resource::Resource;
use pdata::{Batch, Metrics, Signal, SignalSet};
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;

/// Below a microsecond start times are lost: they are numbers of seconds.
const START: u64 = 1_700_000_000_250_001_000;
const TIME: u64 = 1_700_000_100_123_456_789;
const CUMULATIVE: i32 = 2;

struct Sink(mpsc::Sender<MetricsData>);

#[async_trait]
impl Intake for Sink {
    async fn push(&self, batch: Batch, ack: Ack) {
        ack.done();
        if let Batch::Metrics(metrics) = batch {
            // Nobody waits for the last ones.
            let _ = self.0.send(metrics.into_message()).await;
        }
    }

    fn wanted(&self) -> SignalSet {
        SignalSet::of(&[Signal::Metrics])
    }
}

fn exporter(config: &Json) -> Box<dyn Exporter> {
    let factory = exporters::prometheus::FACTORY;
    let mut context = Context::detached(Kind::Exporter, factory.type_name);
    context.clock = Clock::system();
    (factory.create)(&Section::from_json(factory.type_name, config), &context).expect("a valid configuration")
}

/// What the receiver makes of the first scrape of this address.
async fn scraped(address: &str) -> MetricsData {
    let factory = receivers::prometheus::FACTORY;
    let mut context = Context::detached(Kind::Receiver, factory.type_name);
    context.clock = Clock::system();
    let config = json!({"config": {"scrape_configs": [{
        "job_name": "test", "honor_labels": true, "scrape_interval": "50ms", "scrape_timeout": "50ms",
        "static_configs": [{"targets": [address]}],
    }]}});
    let section = Section::from_json(factory.type_name, &config);
    let mut receiver: Box<dyn Receiver> =
        (factory.create)(&section, &context).expect("a valid configuration");
    receiver.start().await.expect("it starts");
    let (sender, mut batches) = mpsc::channel(1);
    let ingress =
        Ingress::new("prometheus", Arc::new(Sink(sender)), context.admission.clone(), &context.telemetry);
    let shutdown = ShutdownTrigger::default();
    let running = tokio::spawn(receiver.run(ingress, shutdown.listener()));
    let first = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            // On a busy machine a scrape may fail.
            let data = batches.recv().await.expect("it runs");
            if data.resource_metrics.iter().any(is_of_cart) {
                return data;
            }
        }
    });
    let first = first.await.expect("a scrape that succeeds");
    shutdown.trigger();
    drop(batches);
    running.await.expect("no panic").expect("no failure");
    first
}

fn is_of_cart(metrics: &ResourceMetrics) -> bool {
    let attributes = metrics.resource.as_ref().map(|resource| resource.attributes.as_slice());
    attributes.unwrap_or_default().contains(&attribute("service.name", "cart"))
}

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = any_value::Value::StringValue(value.to_owned());
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn metric(name: &str, unit: &str, kind: &str, data: Data) -> Metric {
    Metric {
        name: name.to_owned(),
        description: format!("What \"{name}\" means,\\ in\ntwo lines"),
        unit: unit.to_owned(),
        metadata: vec![attribute("prometheus.type", kind)],
        data: Some(data),
    }
}

fn number(start: u64, value: f64, attributes: Vec<KeyValue>) -> NumberDataPoint {
    NumberDataPoint {
        attributes,
        start_time_unix_nano: start,
        time_unix_nano: TIME,
        value: Some(Value::AsDouble(value)),
        ..NumberDataPoint::default()
    }
}

fn sum(is_monotonic: bool, data_points: Vec<NumberDataPoint>) -> Data {
    Data::Sum(Sum { data_points, aggregation_temporality: CUMULATIVE, is_monotonic })
}

fn an_exemplar(value: f64) -> Exemplar {
    Exemplar {
        filtered_attributes: vec![attribute("user", "\"u\"\\")],
        time_unix_nano: START,
        span_id: vec![0xcd; 8],
        trace_id: vec![0xab; 16],
        value: Some(exemplar::Value::AsDouble(value)),
    }
}

/// Telemetry of all types, in the order and with the names that an exposition has.
fn telemetry() -> Vec<Metric> {
    let mut requests =
        number(START, 1e15 + 1.0, vec![attribute("path", "/a\\b\"c\"\nd"), attribute("zone", "é")]);
    requests.exemplars = vec![an_exemplar(1.0)];
    let latency = HistogramDataPoint {
        attributes: vec![attribute("path", "/")],
        start_time_unix_nano: START,
        time_unix_nano: TIME,
        count: 7,
        sum: Some(12.25),
        bucket_counts: vec![1, 0, 4, 2],
        explicit_bounds: vec![-1.5, 0.001, 2_500_000.0],
        exemplars: vec![an_exemplar(3.5), an_exemplar(1e9)],
        ..HistogramDataPoint::default()
    };
    let size = SummaryDataPoint {
        start_time_unix_nano: START,
        time_unix_nano: TIME,
        count: 3,
        sum: 0.1 + 0.2,
        quantile_values: [(0.5, 1.0), (0.99, f64::INFINITY)]
            .map(|(quantile, value)| ValueAtQuantile { quantile, value })
            .to_vec(),
        ..SummaryDataPoint::default()
    };
    let state = |name: &str, value| number(0, value, vec![attribute("mode", name)]);
    vec![
        metric("build_info", "", "info", sum(false, vec![number(0, 1.0, vec![attribute("version", "1.2")])])),
        metric("http_requests_total", "", "counter", sum(true, vec![requests])),
        metric(
            "latency_seconds",
            "s",
            "histogram",
            Data::Histogram(Histogram { data_points: vec![latency], aggregation_temporality: CUMULATIVE }),
        ),
        metric("mode", "", "stateset", sum(false, vec![state("on", 1.0), state("standby", 0.0)])),
        metric("size_bytes", "By", "summary", Data::Summary(Summary { data_points: vec![size] })),
        metric(
            "some",
            "",
            "unknown",
            Data::Gauge(Gauge { data_points: vec![number(0, -0.5e-9, Vec::new())] }),
        ),
        metric(
            "temperature_celsius",
            "Cel",
            "gauge",
            Data::Gauge(Gauge { data_points: vec![number(0, 21.0, Vec::new())] }),
        ),
        metric(
            "used_ratio",
            "1",
            "gauge",
            Data::Gauge(Gauge { data_points: vec![number(0, 0.125, Vec::new())] }),
        ),
    ]
}

#[tokio::test]
async fn the_receiver_reads_from_the_exporter_what_the_exporter_was_given() {
    let resource = [("service.name", "cart"), ("service.instance.id", "cart-1:80"), ("region", "eu")];
    let resource = resource.map(|(key, value)| attribute(key, value)).to_vec();
    let scope = InstrumentationScope {
        name: "shop".to_owned(),
        version: "2".to_owned(),
        attributes: vec![attribute("flavour", "x")],
        ..InstrumentationScope::default()
    };
    let scope_metrics = ScopeMetrics {
        scope: Some(scope),
        metrics: telemetry(),
        schema_url: "https://example.com/1".to_owned(),
    };
    let sent = ResourceMetrics {
        resource: Some(Resource { attributes: resource.clone(), ..Resource::default() }),
        scope_metrics: vec![scope_metrics],
        ..ResourceMetrics::default()
    };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    drop(listener);
    let exporter =
        exporter(&json!({"endpoint": address, "enable_open_metrics": true, "send_timestamps": true}));
    exporter.start().await.expect("it starts");
    let batch = MetricsData { resource_metrics: vec![sent.clone()] };
    exporter.export(Metrics::from_message(batch).into()).await.expect("it takes everything");
    let scraped = scraped(&address).await;
    exporter.shutdown().await.expect("it ends");

    let mut received: Vec<_> = scraped.resource_metrics.into_iter().filter(is_of_cart).collect();
    assert_eq!(received.len(), 1);
    let received = received.remove(0);
    let attributes = received.resource.map(|resource| resource.attributes).unwrap_or_default();
    for attribute in resource {
        assert!(attributes.contains(&attribute), "{attribute:?} is not among {attributes:?}");
    }
    assert_eq!(received.scope_metrics, sent.scope_metrics);
}
