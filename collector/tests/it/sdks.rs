//! The OpenTelemetry SDKs for Python and JavaScript send to the real binary, which sends on to a server that looks at what
//! arrived: every signal, every transport.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use pdata::Batch;
use pdata::proto::common::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use pdata::proto::logs::LogRecord;
use pdata::proto::metrics::{ExponentialHistogram, Histogram, Metric, metric::Data, number_data_point};
use pdata::proto::resource::Resource;
use pdata::proto::trace::{Span, span::SpanKind, status::StatusCode};
use testkit::peer::{Peer, Reply};
use tokio::process::Command;
use tokio::time::timeout;

use crate::support::{Collector, free_address, peer};
use crate::workspace::root;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sdk_for_python_is_understood() {
    let Some(folder) = peer("python-otlp", "the_sdk_for_python_is_understood") else { return };
    for protocol in ["grpc", "http"] {
        exchange(&folder, "venv/bin/python", "python-otlp/send.py", protocol).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sdk_for_javascript_is_understood() {
    let Some(folder) = peer("js-otlp", "the_sdk_for_javascript_is_understood") else { return };
    for protocol in ["grpc", "http", "json"] {
        exchange(&folder, "node", "js-otlp/send.mjs", protocol).await;
    }
}

const CUMULATIVE: i32 = 2;

/// What arrived.
#[derive(Default)]
struct Arrived {
    resources: Vec<Resource>,
    scopes: Vec<InstrumentationScope>,
    spans: Vec<Span>,
    metrics: Vec<Metric>,
    records: Vec<LogRecord>,
}

impl Arrived {
    fn note(&mut self, batch: Batch) {
        match batch {
            Batch::Traces(traces) => {
                for resource in traces.into_message().resource_spans {
                    self.resources.extend(resource.resource);
                    for scope in resource.scope_spans {
                        self.scopes.extend(scope.scope);
                        self.spans.extend(scope.spans);
                    }
                }
            }
            Batch::Metrics(metrics) => {
                for resource in metrics.into_message().resource_metrics {
                    self.resources.extend(resource.resource);
                    for scope in resource.scope_metrics {
                        self.scopes.extend(scope.scope);
                        self.metrics.extend(scope.metrics);
                    }
                }
            }
            Batch::Logs(logs) => {
                for resource in logs.into_message().resource_logs {
                    self.resources.extend(resource.resource);
                    for scope in resource.scope_logs {
                        self.scopes.extend(scope.scope);
                        self.records.extend(scope.log_records);
                    }
                }
            }
            Batch::Events(_) => panic!("events go as logs"),
        }
    }
}

/// Lets a script send through the binary, and checks what comes out.
async fn exchange(folder: &Path, program: &str, script: &str, protocol: &str) {
    let arrived = Arc::new(Mutex::new(Arrived::default()));
    let notes = Arc::clone(&arrived);
    let sink = Peer::start(move |received| {
        notes.lock().expect("no panic while noting").note(received.batch);
        async { Reply::taken() }.boxed()
    })
    .await;
    let address = free_address();
    let config = format!(
        "receivers: {{otlp: {{protocols: {{{server}: {{endpoint: '{address}'}}}}}}}}
exporters: {{otlp: {{endpoint: 'http://{sink}'}}}}
service: {{pipelines: {{all: {{receivers: [otlp], exporters: [otlp]}}}}}}
",
        server = if protocol == "grpc" { "grpc" } else { "http" },
        sink = sink.address(),
    );
    let collector = Collector::start(&config).await;
    let mut command = Command::new(if program == "node" { program.into() } else { folder.join(program) });
    command
        .arg(root().join("collector/tests/peers").join(script))
        .args([protocol, &format!("http://{address}")])
        .current_dir(folder)
        // Whatever the machine's own settings for OTLP are, they are not meant here.
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .kill_on_drop(true);
    let output = timeout(Duration::from_secs(60), command.output()).await.expect("the script ends");
    let output = output.expect("the script starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script} {protocol}: {said}\n{}", collector.log());
    // A sender is answered after delivery, so everything is here once the script has ended.
    let arrived = std::mem::take(&mut *arrived.lock().expect("no panic while noting"));
    check_resources(&arrived.resources);
    check_scopes(&arrived.scopes);
    check_spans(&arrived.spans);
    check_metrics(&arrived.metrics);
    check_records(&arrived.records, &arrived.spans);
}

fn text(value: &str) -> Value {
    Value::StringValue(value.to_owned())
}

fn attribute<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Value> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    found.value.as_ref()?.value.as_ref()
}

fn check_resources(resources: &[Resource]) {
    assert!(resources.len() >= 3, "{resources:?}");
    for resource in resources {
        assert_eq!(attribute(&resource.attributes, "service.name"), Some(&text("peer")));
    }
}

fn check_scopes(scopes: &[InstrumentationScope]) {
    assert!(scopes.len() >= 3, "{scopes:?}");
    for scope in scopes {
        assert_eq!((scope.name.as_str(), scope.version.as_str()), ("peer.scope", "1.2.3"));
    }
}

fn check_spans(spans: &[Span]) {
    let named =
        |name: &str| spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{spans:?}"));
    let (parent, child) = (named("parent"), named("child"));
    assert_eq!(spans.len(), 2);
    assert_eq!((parent.kind(), child.kind()), (SpanKind::Server, SpanKind::Client));
    assert_eq!((&child.trace_id, &child.parent_span_id), (&parent.trace_id, &parent.span_id));
    assert!(child.start_time_unix_nano > 0 && child.end_time_unix_nano >= child.start_time_unix_nano);
    let status = child.status.clone().expect("a status");
    assert_eq!((status.code(), status.message.as_str()), (StatusCode::Error, "broken"));
    let attribute = |key| attribute(&child.attributes, key).cloned();
    assert_eq!(attribute("text"), Some(text("héllo")));
    assert_eq!(attribute("flag"), Some(Value::BoolValue(true)));
    assert_eq!(attribute("count"), Some(Value::IntValue(7)));
    assert_eq!(attribute("ratio"), Some(Value::DoubleValue(0.5)));
    let Some(Value::ArrayValue(list)) = attribute("list") else { panic!("{child:?}") };
    assert_eq!(list.values, ["a", "b"].map(|value| AnyValue { value: Some(text(value)) }));
    let [event] = child.events.as_slice() else { panic!("{child:?}") };
    assert_eq!(event.name, "something");
    assert!((child.start_time_unix_nano..=child.end_time_unix_nano).contains(&event.time_unix_nano));
    assert!(is_one(self::attribute(&event.attributes, "n")), "{event:?}");
    let [link] = child.links.as_slice() else { panic!("{child:?}") };
    assert_eq!((&link.trace_id, &link.span_id), (&parent.trace_id, &parent.span_id));
    assert_eq!(self::attribute(&link.attributes, "why"), Some(&text("related")));
    assert_eq!((parent.trace_id.len(), parent.span_id.len()), (16, 8));
    assert!(parent.parent_span_id.is_empty());
}

/// Numbers of JavaScript are whole by chance only.
fn is_one(value: Option<&Value>) -> bool {
    matches!(value, Some(Value::IntValue(1))) || value == Some(&Value::DoubleValue(1.0))
}

fn check_metrics(metrics: &[Metric]) {
    let data = |name: &str| {
        let metric = metrics.iter().find(|metric| metric.name == name);
        metric.and_then(|metric| metric.data.as_ref()).unwrap_or_else(|| panic!("no {name}: {metrics:?}"))
    };
    let number = |value: &Option<number_data_point::Value>| match value {
        Some(number_data_point::Value::AsDouble(value)) => *value,
        Some(number_data_point::Value::AsInt(value)) => *value as f64,
        None => panic!("a point without a value"),
    };
    let requests = metrics.iter().find(|metric| metric.name == "requests").expect("it was found");
    assert_eq!(
        (requests.unit.as_str(), requests.description.as_str()),
        ("{request}", "Requests that came in")
    );
    let Data::Sum(requests) = data("requests") else { panic!("{metrics:?}") };
    assert!(requests.is_monotonic);
    assert_eq!(requests.aggregation_temporality, CUMULATIVE);
    let [point] = requests.data_points.as_slice() else { panic!("{requests:?}") };
    assert_eq!(number(&point.value), 3.0);
    assert_eq!(attribute(&point.attributes, "route"), Some(&text("/")));
    assert!(point.start_time_unix_nano > 0 && point.time_unix_nano >= point.start_time_unix_nano);
    let Data::Sum(connections) = data("connections") else { panic!("{metrics:?}") };
    assert!(!connections.is_monotonic);
    assert_eq!(number(&connections.data_points[0].value), -2.0);
    let Data::Gauge(temperature) = data("temperature") else { panic!("{metrics:?}") };
    assert_eq!(number(&temperature.data_points[0].value), 21.5);
    let Data::Histogram(latency) = data("latency") else { panic!("{metrics:?}") };
    check_latency(latency);
    let Data::ExponentialHistogram(sizes) = data("sizes") else { panic!("{metrics:?}") };
    check_sizes(sizes);
}

/// 0.5 and 2.5, with the bounds that SDKs have.
fn check_latency(latency: &Histogram) {
    assert_eq!(latency.aggregation_temporality, CUMULATIVE);
    let [point] = latency.data_points.as_slice() else { panic!("{latency:?}") };
    assert_eq!((point.count, point.sum, point.min, point.max), (2, Some(3.0), Some(0.5), Some(2.5)));
    assert_eq!(point.explicit_bounds[..3], [0.0, 5.0, 10.0]);
    assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
    assert_eq!(point.bucket_counts[..3], [0, 2, 0]);
}

/// 1 and 1000, in the first and the last bucket.
fn check_sizes(sizes: &ExponentialHistogram) {
    assert_eq!(sizes.aggregation_temporality, CUMULATIVE);
    let [point] = sizes.data_points.as_slice() else { panic!("{sizes:?}") };
    assert_eq!((point.count, point.sum, point.min, point.max), (2, Some(1001.0), Some(1.0), Some(1000.0)));
    assert_eq!(point.zero_count, 0);
    let buckets = point.positive.as_ref().expect("both are positive");
    assert_eq!(buckets.bucket_counts.iter().sum::<u64>(), 2);
    let base = 2f64.powf(2f64.powi(-point.scale));
    let populated = buckets.bucket_counts.iter().zip(buckets.offset..).filter(|(count, _)| **count > 0);
    for ((_, index), value) in populated.zip([1.0, 1000.0]) {
        let (lower, upper) = (base.powi(index), base.powi(index + 1));
        assert!(lower < value && value <= upper * (1.0 + 1e-9), "{value} is not in {lower}..{upper}");
    }
}

fn check_records(records: &[LogRecord], spans: &[Span]) {
    let [record] = records else { panic!("{records:?}") };
    assert_eq!(record.time_unix_nano, 1_700_000_000_000_000_001);
    assert_eq!((record.severity_number, record.severity_text.as_str()), (13, "WARN"));
    assert_eq!(record.body.clone().and_then(|body| body.value), Some(text("hello from the peer")));
    assert_eq!(record.event_name, "peer.event");
    assert!(is_one(attribute(&record.attributes, "attempt")), "{record:?}");
    assert!(record.observed_time_unix_nano > 0);
    let child = spans.iter().find(|span| span.name == "child").expect("it was found");
    assert_eq!((&record.trace_id, &record.span_id), (&child.trace_id, &child.span_id));
}
