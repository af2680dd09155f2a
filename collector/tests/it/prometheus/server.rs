//! A real Prometheus scrapes the `prometheus` exporter and the binary's own metrics, and is asked what it has.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use pdata::Metrics;
use pdata::proto::common::{AnyValue, InstrumentationScope, KeyValue, any_value};
use pdata::proto::metrics::exponential_histogram_data_point::Buckets;
use pdata::proto::metrics::summary_data_point::ValueAtQuantile;
use pdata::proto::metrics::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
    Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint,
    exemplar, metric::Data, number_data_point::Value,
};
use pdata::proto::resource::Resource;
use serde_json::Value as Json;
use transport::grpc::{Client, ClientSettings};

use super::get;
use crate::support::{Collector, Program, free_address, peer, until};

const DELTA: i32 = 1;
const CUMULATIVE: i32 = 2;

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = any_value::Value::StringValue(value.to_owned());
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// A message with one metric of the shop's cart.
fn message(name: &str, unit: &str, data: Data) -> Metrics {
    let metric = Metric {
        name: name.to_owned(),
        description: format!("What {name} means"),
        unit: unit.to_owned(),
        data: Some(data),
        ..Metric::default()
    };
    let resource = [
        ("service.namespace", "shop"),
        ("service.name", "cart"),
        ("service.instance.id", "cart-1"),
        ("region", "eu"),
    ];
    let attributes = resource.map(|(key, value)| attribute(key, value)).to_vec();
    let scope = InstrumentationScope { name: "meter".to_owned(), ..InstrumentationScope::default() };
    let scope_metrics = ScopeMetrics { scope: Some(scope), metrics: vec![metric], ..ScopeMetrics::default() };
    let resource_metrics = ResourceMetrics {
        resource: Some(Resource { attributes, ..Resource::default() }),
        scope_metrics: vec![scope_metrics],
        ..ResourceMetrics::default()
    };
    Metrics::from_message(MetricsData { resource_metrics: vec![resource_metrics] })
}

fn number(time: u64, value: Value) -> NumberDataPoint {
    NumberDataPoint {
        attributes: vec![attribute("http.route", "/a \"b\"\\\n")],
        start_time_unix_nano: 1,
        time_unix_nano: time,
        exemplars: vec![exemplar(2.0)],
        value: Some(value),
        ..NumberDataPoint::default()
    }
}

fn sum(temporality: i32, is_monotonic: bool, point: NumberDataPoint) -> Data {
    Data::Sum(Sum { data_points: vec![point], aggregation_temporality: temporality, is_monotonic })
}

fn gauge(point: NumberDataPoint) -> Data {
    Data::Gauge(Gauge { data_points: vec![point] })
}

fn exemplar(value: f64) -> Exemplar {
    Exemplar {
        filtered_attributes: vec![attribute("user", "u-1")],
        time_unix_nano: 1_700_000_000_250_000_000,
        span_id: vec![0xcd; 8],
        trace_id: vec![0xab; 16],
        value: Some(exemplar::Value::AsDouble(value)),
    }
}

fn histogram() -> Data {
    let point = HistogramDataPoint {
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        count: 7,
        sum: Some(12.25),
        bucket_counts: vec![1, 0, 4, 2],
        explicit_bounds: vec![0.1, 0.5, 2.5],
        exemplars: vec![exemplar(0.75)],
        ..HistogramDataPoint::default()
    };
    Data::Histogram(Histogram { data_points: vec![point], aggregation_temporality: CUMULATIVE })
}

/// With base 2: 3 up to -1, 2 that are 0, 1 up to 2, 4 up to 8.
fn exponential() -> Data {
    let point = ExponentialHistogramDataPoint {
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        count: 10,
        sum: Some(20.5),
        scale: 0,
        zero_count: 2,
        positive: Some(Buckets { offset: 0, bucket_counts: vec![1, 0, 4] }),
        negative: Some(Buckets { offset: 0, bucket_counts: vec![3] }),
        ..ExponentialHistogramDataPoint::default()
    };
    Data::ExponentialHistogram(ExponentialHistogram {
        data_points: vec![point],
        aggregation_temporality: CUMULATIVE,
    })
}

fn summary() -> Data {
    let quantiles = [(0.5, 1.0), (0.99, f64::INFINITY)];
    let point = SummaryDataPoint {
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        count: 3,
        sum: 4.5,
        quantile_values: quantiles.map(|(quantile, value)| ValueAtQuantile { quantile, value }).to_vec(),
        ..SummaryDataPoint::default()
    };
    Data::Summary(Summary { data_points: vec![point] })
}

/// What is sent, in this order.
fn messages() -> Vec<Metrics> {
    vec![
        message("http.requests", "{request}", sum(CUMULATIVE, true, number(2, Value::AsInt(1 << 53)))),
        message("jobs", "", sum(DELTA, true, number(2, Value::AsInt(2)))),
        message("jobs", "", sum(DELTA, true, number(3, Value::AsInt(3)))),
        message("connections", "", sum(CUMULATIVE, false, number(2, Value::AsInt(-2)))),
        message("temperature", "Cel", gauge(number(2, Value::AsDouble(21.5)))),
        message("used", "1", gauge(number(2, Value::AsDouble(f64::NEG_INFINITY)))),
        message("latency", "s", histogram()),
        message("size", "By", exponential()),
        message("wait", "s", summary()),
    ]
}

/// What Prometheus should make of it: the names, their labels beside `job`, `instance` and the scope, the values.
const EXPECTED: [(&str, &str, &str); 25] = [
    ("http_requests_total", r#"{"http_route":"/a \"b\"\\\n"}"#, "9007199254740992"),
    ("jobs_total", r#"{"http_route":"/a \"b\"\\\n"}"#, "5"),
    ("connections", r#"{"http_route":"/a \"b\"\\\n"}"#, "-2"),
    ("temperature_celsius", r#"{"http_route":"/a \"b\"\\\n"}"#, "21.5"),
    ("used_ratio", r#"{"http_route":"/a \"b\"\\\n"}"#, "-Inf"),
    ("latency_seconds_bucket", r#"{"le":"0.1"}"#, "1"),
    ("latency_seconds_bucket", r#"{"le":"0.5"}"#, "1"),
    ("latency_seconds_bucket", r#"{"le":"2.5"}"#, "5"),
    ("latency_seconds_bucket", r#"{"le":"+Inf"}"#, "7"),
    ("latency_seconds_count", "{}", "7"),
    ("latency_seconds_sum", "{}", "12.25"),
    ("size_bytes_bucket", r#"{"le":"-1.0"}"#, "3"),
    ("size_bytes_bucket", r#"{"le":"0.0"}"#, "5"),
    ("size_bytes_bucket", r#"{"le":"1.0"}"#, "5"),
    ("size_bytes_bucket", r#"{"le":"2.0"}"#, "6"),
    ("size_bytes_bucket", r#"{"le":"4.0"}"#, "6"),
    ("size_bytes_bucket", r#"{"le":"8.0"}"#, "10"),
    ("size_bytes_bucket", r#"{"le":"+Inf"}"#, "10"),
    ("size_bytes_count", "{}", "10"),
    ("size_bytes_sum", "{}", "20.5"),
    ("wait_seconds", r#"{"quantile":"0.5"}"#, "1"),
    ("wait_seconds", r#"{"quantile":"0.99"}"#, "+Inf"),
    ("wait_seconds_count", "{}", "3"),
    ("wait_seconds_sum", "{}", "4.5"),
    ("target_info", r#"{"region":"eu"}"#, "1"),
];

/// A Prometheus.
struct Prometheus {
    _program: Program,
    url: String,
}

impl Prometheus {
    fn start(folder: &Path, exporter: &str, own: &str) -> Self {
        let job = |name: &str, target: &str| {
            format!(
                "- {{job_name: {name}, honor_labels: true, static_configs: [{{targets: ['{target}']}}]}}\n"
            )
        };
        let config = format!(
            "global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}\nscrape_configs:\n{}{}",
            job("exporter", exporter),
            job("own", own)
        );
        let address = free_address();
        let arguments = [
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            "--enable-feature=exemplar-storage",
            &format!("--web.listen-address={address}"),
        ];
        let program = Program::start(&folder.join("prometheus"), &arguments, &[("prometheus.yml", &config)]);
        Self { _program: program, url: format!("http://{address}/api/v1") }
    }

    /// What the API answers.
    async fn ask(&self, path: &str, query: &str) -> Json {
        let mut url = format!("{}/{path}", self.url).parse::<reqwest::Url>().expect("a URL");
        if !query.is_empty() {
            url.query_pairs_mut()
                .append_pair("query", query)
                .append_pair("start", "0")
                .append_pair("end", "1e10");
        }
        let Some(answer) = get(url.as_str()).await else { return Json::Null };
        serde_json::from_str::<Json>(&answer).expect("it answers in JSON")["data"].take()
    }

    /// Series and their values now.
    async fn series(&self, query: &str) -> Vec<(BTreeMap<String, String>, String)> {
        let mut answer = self.ask("query", query).await;
        let Json::Array(found) = answer["result"].take() else { return Vec::new() };
        let pair = |mut series: Json| {
            let labels = serde_json::from_value(series["metric"].take()).expect("labels are texts");
            (labels, series["value"][1].as_str().expect("values are texts").to_owned())
        };
        found.into_iter().map(pair).collect()
    }

    /// Waits until a query has one result, with this value.
    async fn until(&self, query: &str, value: &str) {
        let is_so = |found: &Vec<(BTreeMap<String, String>, String)>| matches!(found.as_slice(), [(_, found)] if found == value);
        until(&format!("{query} is {value}"), async || self.series(query).await, is_so).await;
    }
}

async fn send(client: &Client, message: &Metrics) {
    let path = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
    client.call(path, message.bytes()).await.expect("it is taken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prometheus_has_what_the_exporter_was_given_and_sees_it_end() {
    let test = "a_prometheus_has_what_the_exporter_was_given_and_sees_it_end";
    let Some(folder) = peer("prometheus", test) else { return };
    let (otlp, exporter) = (free_address(), free_address());
    let mut collector = Collector::start(&format!(
        "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '{otlp}'}}}}}}}}
exporters: {{prometheus: {{endpoint: '{exporter}', enable_open_metrics: true}}}}
service: {{pipelines: {{metrics: {{receivers: [otlp], exporters: [prometheus]}}}}}}
"
    ))
    .await;
    let settings = ClientSettings { endpoint: format!("http://{otlp}"), ..ClientSettings::default() };
    let client = Client::new(&settings).expect("valid settings");
    for message in messages() {
        send(&client, &message).await;
    }
    let own = collector.own_metrics();
    for address in [&exporter, &own] {
        lint(&folder, &get(&format!("http://{address}/metrics")).await.expect("it answers"));
    }
    let prometheus = Prometheus::start(&folder, &exporter, &own);
    prometheus.until("sum(up)", "2").await;
    check_series(&prometheus).await;
    check_exemplars(&prometheus).await;
    check_types(&prometheus).await;
    let own = r#"otelcol_receiver_accepted_metric_points{job="own", receiver="otlp"}"#;
    prometheus.until(own, &messages().len().to_string()).await;

    // A series ends, and only that one.
    let end = NumberDataPoint { flags: 1, value: None, ..number(4, Value::AsInt(0)) };
    send(&client, &message("http.requests", "{request}", sum(CUMULATIVE, true, end))).await;
    let gone = |found: &Vec<_>| found.is_empty();
    until("it ends", async || prometheus.series("http_requests_total").await, gone).await;
    prometheus.until("jobs_total", "5").await;

    collector.kill().await;
    prometheus.until("sum(up)", "0").await;
    until("all end", async || prometheus.series(r#"{job="shop/cart"}"#).await, gone).await;
}

/// Every series is there with its labels and its value, and no other.
async fn check_series(prometheus: &Prometheus) {
    let expected: BTreeSet<_> = EXPECTED
        .iter()
        .map(|(name, labels, value)| {
            let mut labels: BTreeMap<String, String> = serde_json::from_str(labels).expect("labels");
            let mut add = |label: &str, value: &str| labels.insert(label.to_owned(), value.to_owned());
            add("__name__", name);
            add("job", "shop/cart");
            add("instance", "cart-1");
            if *name != "target_info" {
                add("otel_scope_name", "meter");
            }
            (labels, (*value).to_owned())
        })
        .collect();
    let query = r#"{job="shop/cart", __name__!~".*_created"}"#;
    let found = prometheus.series(query).await;
    let found: BTreeSet<_> = found.into_iter().collect();
    let missing: Vec<_> = expected.difference(&found).collect();
    let too_many: Vec<_> = found.difference(&expected).collect();
    assert!(missing.is_empty() && too_many.is_empty(), "missing: {missing:#?}\ntoo many: {too_many:#?}");
    let median = r#"histogram_quantile(0.5, latency_seconds_bucket{job="shop/cart"})"#;
    // Half of 7 lies five eighths into the third bucket.
    prometheus.until(median, "1.75").await;
}

async fn check_exemplars(prometheus: &Prometheus) {
    for (query, series, value) in [
        ("http_requests_total", "http_requests_total", "2"),
        ("latency_seconds_bucket", "latency_seconds_bucket", "0.75"),
    ] {
        let found = prometheus.ask("query_exemplars", query).await;
        let [found] = found.as_array().map_or(&[][..], Vec::as_slice) else { panic!("{query}: {found}") };
        assert_eq!(found["seriesLabels"]["__name__"], series, "{found}");
        let [exemplar] = found["exemplars"].as_array().map_or(&[][..], Vec::as_slice) else {
            panic!("{found}");
        };
        assert_eq!(exemplar["value"], value);
        assert_eq!(exemplar["timestamp"], 1_700_000_000.25);
        let labels =
            serde_json::json!({"user": "u-1", "trace_id": "ab".repeat(16), "span_id": "cd".repeat(8)});
        assert_eq!(exemplar["labels"], labels);
    }
}

/// Types, units and descriptions.
async fn check_types(prometheus: &Prometheus) {
    let found = prometheus.ask("metadata", "").await;
    for (name, kind, unit, help) in [
        ("http_requests", "counter", "", "What http.requests means"),
        ("jobs", "counter", "", "What jobs means"),
        ("connections", "gauge", "", "What connections means"),
        ("temperature_celsius", "gauge", "celsius", "What temperature means"),
        ("latency_seconds", "histogram", "seconds", "What latency means"),
        ("size_bytes", "histogram", "bytes", "What size means"),
        ("wait_seconds", "summary", "seconds", "What wait means"),
    ] {
        let expected = serde_json::json!([{"type": kind, "unit": unit, "help": help}]);
        assert_eq!(found[name], expected, "{name}");
    }
}

/// Fails if `promtool` finds fault with a text. The collector names its own counters without `_total`, and so do we.
fn lint(folder: &Path, text: &str) {
    let mut command = Command::new(folder.join("promtool"));
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut promtool = command.spawn().expect("promtool starts");
    promtool.stdin.take().expect("it is piped").write_all(text.as_bytes()).expect("it reads");
    let output = promtool.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    let is_name = |line: &&str| {
        line.starts_with("otelcol_") && line.ends_with("counter metrics should have \"_total\" suffix")
    };
    let faults: Vec<_> = said.lines().filter(|line| !line.is_empty() && !is_name(line)).collect();
    // 3 stands for advice, 1 for what cannot be read.
    assert!(matches!(output.status.code(), Some(0 | 3)) && faults.is_empty(), "{said}\n{text}");
}
