//! From points to pages, and over a real socket.

use component::{Context, Exporter, Kind};
use pdata::proto::common::{AnyValue, InstrumentationScope, KeyValue, any_value};
use pdata::proto::metrics::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
    Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint,
    exemplar, exponential_histogram_data_point::Buckets, metric::Data, number_data_point::Value,
    summary_data_point::ValueAtQuantile,
};
use pdata::proto::resource::Resource;
use pdata::{Batch, Metrics, Timestamp};

use super::render::Format;
use super::{Config, Prometheus, ResourceToTelemetry};

/// 2023-11-14T22:13:20Z.
const START: u64 = 1_700_000_000_000_000_000;
const SECOND: u64 = 1_000_000_000;
const DELTA: i32 = 1;
const CUMULATIVE: i32 = 2;

fn attributes(pairs: &[(&str, &str)]) -> Vec<KeyValue> {
    let pair = |(key, value): &(&str, &str)| {
        let value = any_value::Value::StringValue((*value).to_owned());
        KeyValue {
            key: (*key).to_owned(),
            value: Some(AnyValue { value: Some(value) }),
            ..KeyValue::default()
        }
    };
    pairs.iter().map(pair).collect()
}

fn number(value: Value, second: u64, pairs: &[(&str, &str)]) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes(pairs),
        start_time_unix_nano: START,
        time_unix_nano: START + second * SECOND,
        value: Some(value),
        ..NumberDataPoint::default()
    }
}

fn metric(name: &str, unit: &str, data: Data) -> Metric {
    let (name, unit) = (name.to_owned(), unit.to_owned());
    Metric { description: format!("About {name}."), name, unit, data: Some(data), ..Metric::default() }
}

fn counter(name: &str, temporality: i32, points: Vec<NumberDataPoint>) -> Metric {
    metric(
        name,
        "",
        Data::Sum(Sum { data_points: points, aggregation_temporality: temporality, is_monotonic: true }),
    )
}

fn gauge(name: &str, points: Vec<NumberDataPoint>) -> Metric {
    metric(name, "", Data::Gauge(Gauge { data_points: points }))
}

fn histogram(temporality: i32, second: u64, bucket_counts: &[u64], sum: f64) -> Metric {
    let point = HistogramDataPoint {
        start_time_unix_nano: START,
        time_unix_nano: START + second * SECOND,
        count: bucket_counts.iter().sum(),
        sum: Some(sum),
        bucket_counts: bucket_counts.to_vec(),
        explicit_bounds: vec![0.5, 1.0],
        exemplars: vec![Exemplar {
            value: Some(exemplar::Value::AsDouble(0.75)),
            time_unix_nano: START + SECOND / 2,
            trace_id: vec![0xab; 16],
            filtered_attributes: attributes(&[("user", "a\"b")]),
            ..Exemplar::default()
        }],
        ..HistogramDataPoint::default()
    };
    metric(
        "latency",
        "s",
        Data::Histogram(Histogram { data_points: vec![point], aggregation_temporality: temporality }),
    )
}

fn batch(resource: &[(&str, &str)], metrics: Vec<Metric>) -> Batch {
    let resource = Resource { attributes: attributes(resource), ..Resource::default() };
    let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
    let resource_metrics =
        vec![ResourceMetrics { resource: Some(resource), scope_metrics, ..Default::default() }];
    Batch::Metrics(Metrics::from_message(MetricsData { resource_metrics }))
}

struct Tried {
    exporter: Prometheus,
    context: Context,
}

impl Tried {
    fn with(config: Config) -> Self {
        let context = Context::detached(Kind::Exporter, "prometheus");
        Self { exporter: Prometheus::new(config, &context), context }
    }

    fn new() -> Self {
        Self::with(Config::default())
    }

    async fn takes(&self, metrics: Vec<Metric>) {
        self.exporter.export(batch(&[], metrics)).await.unwrap();
    }

    fn classic(&self) -> String {
        self.exporter.shown.render(Format::Classic)
    }

    /// The samples alone.
    fn samples(&self) -> Vec<String> {
        self.classic().lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    fn dropped(&self) -> f64 {
        self.context.telemetry.total("otelcol_exporter_prometheus_dropped_metric_points")
    }
}

fn one_of_each() -> Vec<Metric> {
    let mut in_flight = counter("in.flight", CUMULATIVE, vec![number(Value::AsInt(-2), 1, &[])]);
    if let Some(Data::Sum(sum)) = &mut in_flight.data {
        sum.is_monotonic = false;
    }
    let summary = SummaryDataPoint {
        time_unix_nano: START + SECOND,
        start_time_unix_nano: START,
        count: 3,
        sum: 4.5,
        quantile_values: vec![ValueAtQuantile { quantile: 0.5, value: 1.5 }],
        ..SummaryDataPoint::default()
    };
    vec![
        counter("http.requests", CUMULATIVE, vec![number(Value::AsInt(7), 1, &[("http.route", "/a\\b\n")])]),
        metric(
            "temperature",
            "Cel",
            Data::Gauge(Gauge { data_points: vec![number(Value::AsDouble(21.0), 1, &[])] }),
        ),
        in_flight,
        histogram(CUMULATIVE, 1, &[2, 1, 1], 3.0),
        metric("size", "By", Data::Summary(Summary { data_points: vec![summary] })),
    ]
}

#[tokio::test]
async fn every_type_has_its_form_in_the_classic_format() {
    let tried = Tried::with(Config { send_timestamps: true, ..Config::default() });
    let resource = [("service.name", "cart"), ("service.instance.id", "1"), ("host.name", "h")];
    tried.exporter.export(batch(&resource, one_of_each())).await.unwrap();
    let labels = r#"instance="1",job="cart""#;
    let expected = format!(
        r#"# TYPE target_info gauge
# HELP target_info Target metadata
target_info{{host_name="h",{labels}}} 1 1700000001000
# TYPE http_requests_total counter
# HELP http_requests_total About http.requests.
http_requests_total{{http_route="/a\\b\n",{labels}}} 7 1700000001000
# TYPE in_flight gauge
# HELP in_flight About in.flight.
in_flight{{{labels}}} -2 1700000001000
# TYPE latency_seconds histogram
# HELP latency_seconds About latency.
latency_seconds_bucket{{{labels},le="0.5"}} 2 1700000001000
latency_seconds_bucket{{{labels},le="1"}} 3 1700000001000
latency_seconds_bucket{{{labels},le="+Inf"}} 4 1700000001000
latency_seconds_sum{{{labels}}} 3 1700000001000
latency_seconds_count{{{labels}}} 4 1700000001000
# TYPE size_bytes summary
# HELP size_bytes About size.
size_bytes{{{labels},quantile="0.5"}} 1.5 1700000001000
size_bytes_sum{{{labels}}} 4.5 1700000001000
size_bytes_count{{{labels}}} 3 1700000001000
# TYPE temperature_celsius gauge
# HELP temperature_celsius About temperature.
temperature_celsius{{{labels}}} 21 1700000001000
"#
    );
    assert_eq!(tried.classic(), expected);
}

#[tokio::test]
async fn open_metrics_has_units_start_times_and_exemplars_too() {
    let tried = Tried::new();
    tried.takes(one_of_each()).await;
    let expected = format!(
        r#"# TYPE http_requests counter
# HELP http_requests About http.requests.
http_requests_total{{http_route="/a\\b\n"}} 7
http_requests_created{{http_route="/a\\b\n"}} 1700000000.0
# TYPE in_flight gauge
# HELP in_flight About in.flight.
in_flight -2
# TYPE latency_seconds histogram
# UNIT latency_seconds seconds
# HELP latency_seconds About latency.
latency_seconds_bucket{{le="0.5"}} 2
latency_seconds_bucket{{le="1.0"}} 3 # {{trace_id="{}",user="a\"b"}} 0.75 1700000000.5
latency_seconds_bucket{{le="+Inf"}} 4
latency_seconds_sum 3.0
latency_seconds_count 4
latency_seconds_created 1700000000.0
# TYPE size_bytes summary
# UNIT size_bytes bytes
# HELP size_bytes About size.
size_bytes{{quantile="0.5"}} 1.5
size_bytes_sum 4.5
size_bytes_count 3
size_bytes_created 1700000000.0
# TYPE temperature_celsius gauge
# UNIT temperature_celsius celsius
# HELP temperature_celsius About temperature.
temperature_celsius 21.0
# EOF
"#,
        "ab".repeat(16)
    );
    assert_eq!(tried.exporter.shown.render(Format::OpenMetrics), expected);
}

#[tokio::test]
async fn deltas_are_added_up_and_what_is_late_is_counted() {
    let tried = Tried::new();
    for (second, value) in [(1, 5), (2, 7), (2, 7), (1, 100)] {
        tried.takes(vec![counter("jobs", DELTA, vec![number(Value::AsInt(value), second, &[])])]).await;
    }
    for (second, counts) in [(1, [1, 0, 2]), (2, [0, 3, 1])] {
        tried.takes(vec![histogram(DELTA, second, &counts, 2.0)]).await;
    }
    let buckets = [("0.5", 1), ("1", 4), ("+Inf", 7)];
    let mut expected = vec!["jobs_total 12".to_owned()];
    expected.extend(buckets.map(|(le, count)| format!("latency_seconds_bucket{{le=\"{le}\"}} {count}")));
    expected.extend(["latency_seconds_sum 4".to_owned(), "latency_seconds_count 7".to_owned()]);
    assert_eq!(tried.samples(), expected);
    assert_eq!(tried.dropped(), 2.0);
}

#[tokio::test]
async fn exponential_histograms_are_shown_with_their_own_bounds() {
    let tried = Tried::new();
    for second in [1, 2] {
        let point = ExponentialHistogramDataPoint {
            time_unix_nano: START + second * SECOND,
            count: 4,
            sum: Some(9.0),
            zero_count: 1,
            positive: Some(Buckets { offset: 0, bucket_counts: vec![1, 0, 2] }),
            ..ExponentialHistogramDataPoint::default()
        };
        let data = ExponentialHistogram { data_points: vec![point], aggregation_temporality: DELTA };
        tried.takes(vec![metric("size", "", Data::ExponentialHistogram(data))]).await;
    }
    let buckets = [("0", 2), ("1", 2), ("2", 4), ("4", 4), ("8", 8), ("+Inf", 8)];
    let mut expected: Vec<_> =
        buckets.iter().map(|(le, count)| format!("size_bucket{{le=\"{le}\"}} {count}")).collect();
    expected.extend(["size_sum 18".to_owned(), "size_count 8".to_owned()]);
    assert_eq!(tried.samples(), expected);
}

#[tokio::test]
async fn a_series_ends_with_a_mark_or_after_long_silence() {
    let tried = Tried::new();
    let points = |second| ["a", "b"].map(|name| number(Value::AsInt(1), second, &[("name", name)])).to_vec();
    tried.takes(vec![gauge("load", points(1))]).await;
    let mut mark = number(Value::AsInt(0), 2, &[("name", "a")]);
    (mark.value, mark.flags) = (None, 1);
    tried.takes(vec![gauge("load", vec![mark])]).await;
    assert_eq!(tried.samples(), [r#"load{name="b"} 1"#]);
    tried.context.clock.advance_to(Timestamp::from_secs(299));
    assert_eq!(tried.samples().len(), 1);
    tried.context.clock.advance_to(Timestamp::from_secs(300));
    assert_eq!(tried.classic(), "");
    // The name is free again, for any type.
    tried
        .takes(vec![histogram(CUMULATIVE, 1, &[1, 1, 1], 1.0), counter("load", CUMULATIVE, points(3))])
        .await;
    assert_eq!(tried.dropped(), 0.0);
}

#[tokio::test]
async fn a_name_has_one_type_and_the_others_are_counted() {
    let tried = Tried::new();
    let point = || vec![number(Value::AsInt(1), 1, &[])];
    tried
        .takes(vec![gauge("latency_seconds_count", point()), histogram(CUMULATIVE, 1, &[1, 0, 0], 0.1)])
        .await;
    tried.takes(vec![gauge("queue", point()), counter("queue_total", CUMULATIVE, point())]).await;
    tried
        .takes(vec![gauge("queue_total", point()), gauge("target_info", point()), gauge("*", point())])
        .await;
    assert_eq!(tried.samples(), ["latency_seconds_count 1", "queue 1", "queue_total 1"]);
    assert_eq!(tried.dropped(), 4.0);
}

#[tokio::test]
async fn there_are_never_more_series_than_allowed() {
    let tried = Tried::with(Config { max_series: 10, ..Config::default() });
    tried.context.clock.advance_to(Timestamp::from_secs(1));
    for i in 0..100 {
        tried.takes(vec![gauge(&format!("metric_{i}"), vec![number(Value::AsInt(i), 1, &[])])]).await;
    }
    assert_eq!(tried.samples().len(), 10);
    assert_eq!(tried.dropped(), 90.0);
    assert_eq!(tried.exporter.shown.store().names().len(), 10);
    // What is old makes room for what is new.
    tried.context.clock.advance_to(Timestamp::from_secs(1000));
    tried.takes(vec![gauge("new", vec![number(Value::AsInt(1), 1, &[])])]).await;
    assert_eq!(tried.samples(), ["new 1"]);
}

#[tokio::test]
async fn labels_come_from_all_sides_and_none_is_lost() {
    let tried = Tried::with(Config {
        const_labels: [("region", "eu"), ("zone", "z")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        resource_to_telemetry_conversion: ResourceToTelemetry {
            enabled: true,
            exclude_service_attributes: true,
        },
        namespace: "shop".to_owned(),
        ..Config::default()
    });
    let pairs = [("job", "mine"), ("a.b", "1"), ("a_b", "2"), ("zone", "point"), ("empty", "")];
    let resource = [("service.name", "cart"), ("service.namespace", "ns"), ("host.name", "h")];
    let mut data = batch(&resource, vec![gauge("load", vec![number(Value::AsInt(1), 1, &pairs)])]);
    if let Batch::Metrics(metrics) = &mut data {
        metrics.modify(|message| {
            let scope = &mut message.resource_metrics[0].scope_metrics[0];
            scope.scope = Some(InstrumentationScope { name: "lib".to_owned(), ..Default::default() });
        });
    }
    tried.exporter.export(data).await.unwrap();
    let expected = [
        r#"target_info{host_name="h",job="ns/cart"} 1"#,
        r#"shop_load{a_b="1;2",exported_job="mine",host_name="h",job="ns/cart",otel_scope_name="lib",region="eu",zone="point"} 1"#,
    ];
    assert_eq!(tried.samples(), expected);
}

#[tokio::test]
async fn a_scraper_gets_the_format_and_the_encoding_it_asks_for() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let config = Config { endpoint: address.clone(), enable_open_metrics: true, ..Config::default() };
    let tried = Tried::with(config);
    tried.exporter.start().await.unwrap();
    tried.takes(vec![gauge("load", vec![number(Value::AsInt(1), 1, &[])])]).await;
    let base = format!("http://{address}");
    let client = transport::http::client(&transport::http::ClientSettings::default()).unwrap();
    let get = |accept: &str| client.get(format!("{base}/metrics")).header("accept", accept);
    let classic = get("text/plain").send().await.unwrap();
    assert_eq!(classic.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert!(classic.text().await.unwrap().ends_with("load 1\n"));
    let open = get("application/openmetrics-text").header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(open.headers()["content-type"], Format::OpenMetrics.content_type());
    assert_eq!(open.headers()["content-encoding"], "gzip");
    let gzip = transport::compression::Encoding::Gzip;
    let text = gzip.decode(open.bytes().await.unwrap(), 1 << 20).unwrap();
    assert!(text.ends_with(b"load 1\n# EOF\n"));
    assert_eq!(client.get(&base).send().await.unwrap().status(), 404);
    assert_eq!(client.post(format!("{base}/metrics")).send().await.unwrap().status(), 405);
    tried.exporter.shutdown().await.unwrap();
    assert!(get("text/plain").send().await.is_err());
}
