//! Puts what was counted together as OTLP.

use pdata::Timestamp;
use pdata::proto::common::InstrumentationScope;
use pdata::proto::metrics::{
    AggregationTemporality, ExponentialHistogram, ExponentialHistogramDataPoint, Histogram,
    HistogramDataPoint, Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
    metric::Data, number_data_point::Value,
};
use pdata::proto::resource;

use super::config::{Config, Temporality, Unit};
use super::durations::{Calls, Counted, Durations};
use super::resources::{Resource, Resources};
use super::series::{Family, Series};

const SCOPE: &str = "watchfire/connector/span_metrics";

/// What metrics are called, and how they are to be read.
#[derive(Debug)]
pub(super) struct Style {
    pub(super) temporality: Temporality,
    unit: Unit,
    calls: String,
    duration: String,
    events: String,
}

impl Style {
    pub(super) fn of(config: &Config) -> Self {
        let name = |name: &str| match config.namespace.as_str() {
            "" => name.to_owned(),
            namespace => format!("{namespace}.{name}"),
        };
        Self {
            temporality: config.aggregation_temporality,
            unit: config.histogram.unit,
            calls: name("calls"),
            duration: name("duration"),
            events: name("events"),
        }
    }

    /// The metrics of all resources: of delta points `since` the last ones, of others since the series began.
    pub(super) fn metrics(&self, resources: &Resources, since: Timestamp, now: Timestamp) -> MetricsData {
        let times = |began: Timestamp| match self.temporality {
            Temporality::Cumulative => (began.as_nanos(), now.as_nanos()),
            Temporality::Delta => (since.as_nanos(), now.as_nanos()),
        };
        let resources = resources.known.values().filter(|resource| !resource.calls.is_empty());
        MetricsData { resource_metrics: resources.map(|resource| self.resource(resource, &times)).collect() }
    }

    fn resource(&self, counted: &Resource, times: &impl Fn(Timestamp) -> (u64, u64)) -> ResourceMetrics {
        let mut metrics = vec![self.count(&self.calls, &counted.calls, times)];
        if !counted.durations.is_empty() {
            metrics.push(Metric {
                name: self.duration.clone(),
                unit: self.unit.name().to_owned(),
                description: "How long spans took.".to_owned(),
                data: self.durations(&counted.durations, times),
                ..Metric::default()
            });
        }
        if !counted.events.is_empty() {
            metrics.push(self.count(&self.events, &counted.events, times));
        }
        let scope = InstrumentationScope { name: SCOPE.to_owned(), ..InstrumentationScope::default() };
        ResourceMetrics {
            resource: Some(resource::Resource {
                attributes: counted.attributes.clone(),
                ..resource::Resource::default()
            }),
            scope_metrics: vec![ScopeMetrics { scope: Some(scope), metrics, schema_url: String::new() }],
            schema_url: String::new(),
        }
    }

    fn count(&self, name: &str, family: &Family<Calls>, times: &impl Fn(Timestamp) -> (u64, u64)) -> Metric {
        let point = |series: &Series<Calls>| {
            let (start_time_unix_nano, time_unix_nano) = times(series.began);
            let count = i64::try_from(series.value.count).unwrap_or(i64::MAX);
            NumberDataPoint {
                attributes: series.attributes.clone(),
                start_time_unix_nano,
                time_unix_nano,
                value: Some(Value::AsInt(count)),
                ..NumberDataPoint::default()
            }
        };
        let sum = Sum {
            data_points: family.iter().map(point).collect(),
            aggregation_temporality: self.temporality(),
            is_monotonic: true,
        };
        Metric { name: name.to_owned(), data: Some(Data::Sum(sum)), ..Metric::default() }
    }

    fn durations(
        &self,
        family: &Family<Durations>,
        times: &impl Fn(Timestamp) -> (u64, u64),
    ) -> Option<Data> {
        let (mut explicit, mut exponential) = (Vec::new(), Vec::new());
        for series in family.iter() {
            let (start_time_unix_nano, time_unix_nano) = times(series.began);
            let (attributes, exemplars) = (series.attributes.clone(), series.value.exemplars.clone());
            match &series.value.counted {
                Counted::Explicit(point) => explicit.push(HistogramDataPoint {
                    attributes,
                    exemplars,
                    start_time_unix_nano,
                    time_unix_nano,
                    ..point.clone()
                }),
                Counted::Exponential(histogram) => exponential.push(ExponentialHistogramDataPoint {
                    attributes,
                    exemplars,
                    start_time_unix_nano,
                    time_unix_nano,
                    ..histogram.clone().into_point()
                }),
            }
        }
        let aggregation_temporality = self.temporality();
        Some(if exponential.is_empty() {
            Data::Histogram(Histogram { data_points: explicit, aggregation_temporality })
        } else {
            Data::ExponentialHistogram(ExponentialHistogram {
                data_points: exponential,
                aggregation_temporality,
            })
        })
    }

    const fn temporality(&self) -> i32 {
        match self.temporality {
            Temporality::Cumulative => AggregationTemporality::Cumulative as i32,
            Temporality::Delta => AggregationTemporality::Delta as i32,
        }
    }
}
