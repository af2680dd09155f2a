//! From lines to OTLP, and from sockets to delivered batches.

use std::sync::Arc;

use async_trait::async_trait;
use component::{Ack, Intake as EngineIntake, Kind, Nack, ShutdownTrigger};
use pdata::proto::common::{KeyValue, any_value::Value as Text};
use pdata::proto::metrics::{Metric, MetricsData, NumberDataPoint, metric::Data, number_data_point::Value};
use pdata::{Batch, Timestamp};
use proptest::prelude::*;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UdpSocket, UnixDatagram, UnixStream};
use tokio::sync::mpsc;

use super::*;

fn config(json: &serde_json::Value) -> Config {
    Section::from_json("statsd", json).parse().unwrap()
}

/// What some lines become in the second from 10 to 11.
fn aggregate(json: &serde_json::Value, lines: &[&str]) -> MetricsData {
    let config = config(json);
    let mut aggregator = Aggregator::new(&config, Timestamp::from_secs(10)).unwrap();
    add(&mut aggregator, lines);
    aggregator.flush(Timestamp::from_secs(11)).unwrap()
}

fn add(aggregator: &mut Aggregator, lines: &[&str]) {
    for line in lines {
        aggregator.add(&Line::parse(line.as_bytes(), true).unwrap(), Timestamp::from_millis(10_500));
    }
}

fn metrics(data: &MetricsData) -> &[Metric] {
    &data.resource_metrics[0].scope_metrics[0].metrics
}

fn numbers(data: &MetricsData, name: &str) -> Vec<NumberDataPoint> {
    let metric =
        metrics(data).iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("{name}: {data:?}"));
    match &metric.data {
        Some(Data::Sum(sum)) => sum.data_points.clone(),
        Some(Data::Gauge(gauge)) => gauge.data_points.clone(),
        other => panic!("{other:?}"),
    }
}

fn values(data: &MetricsData, name: &str) -> Vec<f64> {
    let value = |point: &NumberDataPoint| match point.value {
        Some(Value::AsDouble(value)) => value,
        Some(Value::AsInt(value)) => value as f64,
        None => f64::NAN,
    };
    numbers(data, name).iter().map(value).collect()
}

fn text(attributes: &[KeyValue]) -> String {
    let one = |attribute: &KeyValue| match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Text::StringValue(value)) => format!("{}={value}", attribute.key),
        other => panic!("{other:?}"),
    };
    attributes.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[test]
fn counters_are_delta_sums_scaled_by_their_rate() {
    let data =
        aggregate(&json!({}), &["hits:1|c|@0.1", "hits:2:3|c", "hits:5|c|#b:2,a:1", "hits:6|c|#a:1,b:2"]);
    let Some(Data::Sum(sum)) = &metrics(&data)[0].data else { panic!("{data:?}") };
    assert!(!sum.is_monotonic && sum.aggregation_temporality == 1);
    let mut values = values(&data, "hits");
    values.sort_by(f64::total_cmp);
    assert_eq!(values, [11.0, 15.0]);
    let point = &sum.data_points[0];
    assert_eq!((point.start_time_unix_nano, point.time_unix_nano), (10_000_000_000, 11_000_000_000));
    assert!(matches!(point.value, Some(Value::AsInt(_))));
    let float = aggregate(&json!({"counter_type": "float", "is_monotonic_counter": true}), &["c:0.25|c"]);
    assert!(matches!(numbers(&float, "c")[0].value, Some(Value::AsDouble(0.25))));
    assert!(matches!(&metrics(&float)[0].data, Some(Data::Sum(sum)) if sum.is_monotonic));
}

#[test]
fn gauges_are_set_and_changed_and_remembered() {
    let mut aggregator = Aggregator::new(&Config::default(), Timestamp::from_secs(10)).unwrap();
    add(&mut aggregator, &["g:10|g", "g:-3|g", "g:+1|g"]);
    assert_eq!(values(&aggregator.flush(Timestamp::from_secs(11)).unwrap(), "g"), [8.0]);
    // Not set, so not sent.
    assert_eq!(aggregator.flush(Timestamp::from_secs(12)), None);
    add(&mut aggregator, &["g:+2|g"]);
    assert_eq!(values(&aggregator.flush(Timestamp::from_secs(13)).unwrap(), "g"), [10.0]);
    (0..70).for_each(|_| drop(aggregator.flush(Timestamp::from_secs(14))));
    add(&mut aggregator, &["g:+2|g"]);
    assert_eq!(values(&aggregator.flush(Timestamp::from_secs(15)).unwrap(), "g"), [2.0]);
}

#[test]
fn sets_count_their_members() {
    let data = aggregate(&json!({"enable_metric_type": true}), &["s:a:b|s", "s:a|s", "s:1|s|#x"]);
    let points = numbers(&data, "s");
    let of = |tags: &str| points.iter().find(|point| text(&point.attributes) == tags).unwrap().value;
    assert_eq!(of("metric_type=set"), Some(Value::AsInt(2)));
    assert_eq!(of("x= metric_type=set"), Some(Value::AsInt(1)));
}

#[test]
fn observations_become_what_the_mapping_says() {
    let mapping = json!({"timer_histogram_mapping": [
        {"statsd_type": "timer", "observer_type": "histogram",
         "histogram": {"max_size": 10, "explicit_buckets": [{"matcher_pattern": "^db\\.", "buckets": [1, 10]}]}},
        {"statsd_type": "histogram", "observer_type": "summary", "summary": {"percentiles": [50]}},
        {"statsd_type": "distribution", "observer_type": "disabled"}]});
    let data = aggregate(&mapping, &["t:4:8|ms", "db.q:5|ms|@0.5", "h:1:2:3|h", "d:1|d"]);
    let names: Vec<_> =
        metrics(&data).iter().map(|metric| (metric.name.as_str(), metric.unit.as_str())).collect();
    assert_eq!(names, [("db.q", "ms"), ("h", ""), ("t", "ms")]);
    let Some(Data::Histogram(explicit)) = &metrics(&data)[0].data else { panic!() };
    assert_eq!(
        (explicit.data_points[0].count, &explicit.data_points[0].bucket_counts[..]),
        (2, &[0, 2, 0][..])
    );
    let Some(Data::Summary(summary)) = &metrics(&data)[1].data else { panic!() };
    assert_eq!((summary.data_points[0].count, summary.data_points[0].quantile_values[0].value), (3, 2.0));
    let Some(Data::ExponentialHistogram(exponential)) = &metrics(&data)[2].data else { panic!() };
    assert_eq!((exponential.data_points[0].count, exponential.data_points[0].sum), (2, Some(12.0)));
    assert_eq!(exponential.aggregation_temporality, 1);
    // By default every observation is a point of a gauge.
    let default = aggregate(&json!({}), &["t:4:8|ms|T9"]);
    assert_eq!(values(&default, "t"), [4.0, 8.0]);
    assert_eq!(numbers(&default, "t")[0].time_unix_nano, 9_000_000_000);
}

#[test]
fn series_are_bounded_and_the_rest_is_counted() {
    let config = config(&json!({"max_series": 1}));
    let mut aggregator = Aggregator::new(&config, Timestamp::from_secs(10)).unwrap();
    let mut take = |line: &str| {
        let taken = aggregator.add(&Line::parse(line.as_bytes(), false).unwrap(), Timestamp::from_secs(10));
        (taken.taken, taken.over_limit)
    };
    assert_eq!(take("a:1:2|c"), (2, 0));
    assert_eq!(take("b:1:2|c"), (0, 2));
    assert_eq!(take("a:1|c"), (1, 0));
}

#[test]
fn settings_out_of_range_are_refused() {
    for (json, field) in [
        (json!({"endpoint": "nowhere"}), "endpoint"),
        (json!({"aggregation_interval": "0s"}), "aggregation_interval"),
        (json!({"socket_permissions": "9"}), "socket_permissions"),
        (
            json!({"timer_histogram_mapping": [{"histogram": {"max_size": 1}}]}),
            "timer_histogram_mapping.0.histogram.max_size",
        ),
        (
            json!({"timer_histogram_mapping": [{"summary": {"percentiles": [101]}}]}),
            "timer_histogram_mapping.0.summary.percentiles",
        ),
        (json!({"timer_histogram_mapping": [{}, {}]}), "timer_histogram_mapping.1.statsd_type"),
    ] {
        let error = Section::from_json("statsd", &json).parse::<Config>().unwrap_err();
        assert_eq!(error.0[0].path, format!("statsd.{field}"));
    }
}

struct Pipeline {
    batches: mpsc::Sender<MetricsData>,
    refusals: Mutex<u32>,
}

#[async_trait]
impl EngineIntake for Pipeline {
    async fn push(&self, batch: Batch, ack: Ack) {
        {
            let mut refusals = self.refusals.lock().unwrap();
            if *refusals > 0 {
                *refusals -= 1;
                return ack.fail(Nack::retry_after(Duration::from_millis(10), "busy"));
            }
        }
        let Batch::Metrics(metrics) = batch else { panic!("{batch:?}") };
        ack.done();
        let _ = self.batches.send(metrics.into_message()).await;
    }

    fn wanted(&self) -> SignalSet {
        SignalSet::of(&[Signal::Metrics])
    }
}

/// Starts a receiver and lets `send` send to the address it gets. With a `sum`, waits until the counter `a` has come to it
/// over all intervals, the first of which is refused at first; otherwise shuts down. Returns what was delivered last.
async fn receive(
    json: serde_json::Value,
    sum: Option<f64>,
    send: impl AsyncFnOnce(String),
) -> (MetricsData, Context) {
    let context = Context::detached(Kind::Receiver, "statsd");
    let config: Config = Section::from_json("statsd", &json).parse().unwrap();
    drop(json);
    let aggregator = Aggregator::new(&config, context.clock.now()).unwrap();
    let mut statsd = Statsd::new(config, aggregator, &context);
    statsd.start().await.unwrap();
    let address = statsd.listener.as_ref().and_then(Listener::local_addr);
    let address = address.map_or_else(|| statsd.config.endpoint.clone(), |address| address.to_string());
    let (batches, mut delivered) = mpsc::channel(1);
    let pipeline = Arc::new(Pipeline { batches, refusals: Mutex::new(sum.map_or(0, |_| 1)) });
    let ingress = Ingress::new("statsd", pipeline, context.admission.clone(), &context.telemetry);
    let shutdown = ShutdownTrigger::default();
    let task = tokio::spawn(Box::new(statsd).run(ingress, shutdown.listener()));
    send(address).await;
    if sum.is_none() {
        shutdown.trigger();
    }
    let mut data = delivered.recv().await.unwrap();
    let mut total: f64 = values(&data, "a").iter().sum();
    while sum.is_some_and(|sum| total < sum) {
        data = delivered.recv().await.unwrap();
        total += values(&data, "a").iter().sum::<f64>();
    }
    assert!(sum.is_none_or(|sum| total == sum), "{total}");
    shutdown.trigger();
    task.await.unwrap().unwrap();
    (data, context)
}

#[tokio::test]
async fn udp_is_received_and_the_last_interval_is_flushed() {
    let (data, context) = receive(json!({"endpoint": "127.0.0.1:0"}), None, async |address| {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let packet = b"a:1|c\nb:2|g\nbad line\n_e{1,1}:a|b\n";
        socket.send_to(packet, &address).await.unwrap();
        socket.send_to(b"a:2|c", &address).await.unwrap();
    })
    .await;
    assert_eq!((values(&data, "a"), values(&data, "b")), (vec![3.0], vec![2.0]));
    assert_eq!(context.telemetry.total("otelcol_receiver_statsd_malformed_lines"), 1.0);
    assert_eq!(context.telemetry.total("otelcol_receiver_statsd_unsupported_lines"), 1.0);
    assert_eq!(context.telemetry.total("otelcol_receiver_failed_metric_points"), 1.0);
}

#[tokio::test]
async fn streams_are_cut_into_lines() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket").to_str().unwrap().to_owned();
    let json = json!({"endpoint": "127.0.0.1:0", "transport": "tcp", "aggregation_interval": "50ms"});
    receive(json, Some(6.0), async |address| {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(b"a:1|c\na:").await.unwrap();
        stream.write_all(b"2|c\na:3|c").await.unwrap();
        stream.shutdown().await.unwrap();
    })
    .await;
    let json = json!({"endpoint": path, "transport": "unix", "aggregation_interval": "50ms"});
    receive(json, Some(1.0), async |path| {
        let mut stream = UnixStream::connect(&path).await.unwrap();
        stream.write_all(b"a:1|c\n").await.unwrap();
    })
    .await;
    assert!(!std::path::Path::new(&path).exists());
}

#[tokio::test]
async fn unix_datagrams_are_received_and_permissions_set() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket").to_str().unwrap().to_owned();
    let json = json!({"endpoint": path, "transport": "unixgram", "socket_permissions": "0600"});
    let (data, _) = receive(json, None, async |path| {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        UnixDatagram::unbound().unwrap().send_to(b"a:7|c", &path).await.unwrap();
    })
    .await;
    assert_eq!(values(&data, "a"), [7.0]);
}

proptest! {
    #[test]
    fn no_lines_make_the_aggregation_panic(
        lines in proptest::collection::vec("[ab]:[+-]?[0-9.e-]{1,6}(:9)?\\|(c|g|ms|h|d|s)(\\|@0\\.0?1)?(\\|#k:v)?", 0..20),
    ) {
        let mapping = json!({"timer_histogram_mapping": [
            {"statsd_type": "timer", "observer_type": "histogram", "histogram": {"max_size": 2}},
            {"statsd_type": "histogram", "observer_type": "summary"}]});
        let mut aggregator = Aggregator::new(&config(&mapping), Timestamp::from_secs(1)).unwrap();
        for line in &lines {
            if let Ok(line) = Line::parse(line.as_bytes(), false) {
                aggregator.add(&line, Timestamp::from_secs(1));
            }
        }
        aggregator.flush(Timestamp::from_secs(2));
    }
}
