//! What the services measure: one metric of each shape.

use pdata::proto::metrics::{
    AggregationTemporality, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary,
    SummaryDataPoint, exponential_histogram_data_point::Buckets, metric::Data, number_data_point::Value,
    summary_data_point::ValueAtQuantile,
};
use pdata::{Metrics, Timestamp};

use crate::attributes::{resource, scope, text};
use crate::random::Random;
use crate::requests::{Handled, Recorder};
use crate::workload::Service;

const BOUNDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
const CUMULATIVE: i32 = AggregationTemporality::Cumulative as i32;
const DELTA: i32 = AggregationTemporality::Delta as i32;
/// Bases of 2^(1/8): buckets 9 % wide.
const SCALE: i32 = 3;

/// A service's totals.
#[derive(Clone, Debug)]
pub(crate) struct Meters {
    start: Timestamp,
    last: Timestamp,
    cpu_seconds: f64,
    memory: f64,
    buckets: Vec<u64>,
    sum: f64,
}

impl Meters {
    pub(crate) fn new(start: Timestamp, random: &mut Random) -> Self {
        let memory = 2e8 + 1e8 * random.unit();
        Self { start, last: start, cpu_seconds: 0.0, memory, buckets: vec![0; BOUNDS.len() + 1], sum: 0.0 }
    }
}

/// One point of each series.
pub(crate) fn measure(
    services: &[Service],
    meters: &mut [Meters],
    recorder: &Recorder,
    now: Timestamp,
    random: &mut Random,
) -> Metrics {
    let groups = services.iter().zip(meters).zip(&recorder.handled);
    let resource_metrics = groups.map(|((service, meters), handled)| ResourceMetrics {
        resource: Some(resource(&service.name)),
        scope_metrics: vec![ScopeMetrics {
            scope: Some(scope("io.opentelemetry.runtime-telemetry")),
            metrics: meters.read(service, handled, now, random),
            ..ScopeMetrics::default()
        }],
        ..ResourceMetrics::default()
    });
    Metrics::from_message(MetricsData { resource_metrics: resource_metrics.collect() })
}

impl Meters {
    fn read(
        &mut self,
        service: &Service,
        handled: &[Handled],
        now: Timestamp,
        random: &mut Random,
    ) -> Vec<Metric> {
        let passed = now.since(self.last).as_secs_f64().max(1e-9);
        let busy = handled.len() as f64 * service.usual * service.slowdown.sqrt() * 0.4;
        let utilization = (busy / passed + 0.02 * (1.0 + 0.2 * random.normal())).clamp(0.0, 1.0);
        self.cpu_seconds += utilization * passed;
        // The garbage collector comes by now and then.
        self.memory =
            if random.happens(0.05) { self.memory * 0.7 } else { self.memory + 4e6 * random.unit() };
        let interval = (std::mem::replace(&mut self.last, now), now);
        let total = (self.start, now);
        let route = |handled: &Handled| handled.path.to_owned();
        let mut seconds: Vec<_> = handled.iter().map(|handled| handled.took.as_secs_f64()).collect();
        seconds.sort_by(f64::total_cmp);
        let exemplar_route = handled.first().map(route).unwrap_or_default();
        vec![
            gauge("process.cpu.utilization", "1", now, Value::AsDouble(utilization)),
            gauge("process.memory.usage", "By", now, Value::AsInt(self.memory as i64)),
            sum("process.cpu.time", "s", total, Value::AsDouble(self.cpu_seconds)),
            self.histogram(&seconds, total, &exemplar_route),
            exponential_histogram(&seconds, interval),
            summary(&seconds, interval),
        ]
    }

    fn histogram(&mut self, seconds: &[f64], (start, now): (Timestamp, Timestamp), route: &str) -> Metric {
        for value in seconds {
            let bucket = BOUNDS.partition_point(|bound| bound < value);
            self.buckets[bucket] += 1;
            self.sum += value;
        }
        let point = HistogramDataPoint {
            attributes: vec![text("http.request.method", "GET"), text("http.route", route)],
            start_time_unix_nano: start.as_nanos(),
            time_unix_nano: now.as_nanos(),
            count: self.buckets.iter().sum(),
            sum: Some(self.sum),
            bucket_counts: self.buckets.clone(),
            explicit_bounds: BOUNDS.to_vec(),
            ..HistogramDataPoint::default()
        };
        let data = Histogram { data_points: vec![point], aggregation_temporality: CUMULATIVE };
        metric("http.server.request.duration", "s", Data::Histogram(data))
    }
}

fn metric(name: &str, unit: &str, data: Data) -> Metric {
    Metric { name: name.to_owned(), unit: unit.to_owned(), data: Some(data), ..Metric::default() }
}

fn number(start: Timestamp, now: Timestamp, value: Value) -> NumberDataPoint {
    NumberDataPoint {
        start_time_unix_nano: start.as_nanos(),
        time_unix_nano: now.as_nanos(),
        value: Some(value),
        ..NumberDataPoint::default()
    }
}

fn gauge(name: &str, unit: &str, now: Timestamp, value: Value) -> Metric {
    let data_points = vec![number(Timestamp::default(), now, value)];
    metric(name, unit, Data::Gauge(Gauge { data_points }))
}

fn sum(name: &str, unit: &str, (start, now): (Timestamp, Timestamp), value: Value) -> Metric {
    let data_points = vec![number(start, now, value)];
    let sum = Sum { data_points, aggregation_temporality: CUMULATIVE, is_monotonic: true };
    metric(name, unit, Data::Sum(sum))
}

fn exponential_histogram(seconds: &[f64], (start, now): (Timestamp, Timestamp)) -> Metric {
    let index = |value: f64| ((value.log2() * f64::from(1 << SCALE)).ceil() as i32) - 1;
    let offset = seconds.first().map_or(0, |least| index(*least));
    let mut bucket_counts = Vec::new();
    for value in seconds {
        let bucket = usize::try_from(index(*value) - offset).unwrap_or_default();
        bucket_counts.resize(bucket_counts.len().max(bucket + 1), 0);
        bucket_counts[bucket] += 1;
    }
    let point = ExponentialHistogramDataPoint {
        start_time_unix_nano: start.as_nanos(),
        time_unix_nano: now.as_nanos(),
        count: seconds.len() as u64,
        sum: Some(seconds.iter().sum()),
        scale: SCALE,
        positive: Some(Buckets { offset, bucket_counts }),
        min: seconds.first().copied(),
        max: seconds.last().copied(),
        ..ExponentialHistogramDataPoint::default()
    };
    let data = ExponentialHistogram { data_points: vec![point], aggregation_temporality: DELTA };
    metric("http.server.work.duration", "s", Data::ExponentialHistogram(data))
}

fn summary(seconds: &[f64], (start, now): (Timestamp, Timestamp)) -> Metric {
    let at = |quantile: f64| {
        let index = (quantile * seconds.len().saturating_sub(1) as f64).round() as usize;
        ValueAtQuantile { quantile, value: seconds.get(index).copied().unwrap_or_default() }
    };
    let point = SummaryDataPoint {
        start_time_unix_nano: start.as_nanos(),
        time_unix_nano: now.as_nanos(),
        count: seconds.len() as u64,
        sum: seconds.iter().sum(),
        quantile_values: [0.0, 0.5, 0.99, 1.0].map(at).to_vec(),
        ..SummaryDataPoint::default()
    };
    metric("http.server.queue.duration", "s", Data::Summary(Summary { data_points: vec![point] }))
}
