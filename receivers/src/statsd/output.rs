//! Puts an interval's points together as OTLP.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use pdata::proto::common::{InstrumentationScope, KeyValue};
use pdata::proto::metrics::{
    AggregationTemporality, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary,
    SummaryDataPoint, metric::Data, number_data_point::Value,
};
use pdata::proto::resource::Resource;

use super::line::MetricKind;
use crate::emit::text;

const SCOPE: &str = "watchfire/receiver/statsd";
const DELTA: i32 = AggregationTemporality::Delta as i32;

/// How metrics are shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// Counters are monotonic.
    pub(super) monotonic: bool,
    /// Points have the attribute `metric_type`.
    pub(super) metric_type: bool,
}

/// A metric's name and kind.
type Id<'a> = (&'a str, MetricKind);
type Tags = [(Box<str>, Box<str>)];

/// OTLP in the making.
pub(super) struct Output {
    style: Style,
    began: u64,
    ended: u64,
    metrics: Vec<Metric>,
    positions: HashMap<(String, MetricKind, Form), usize, RandomState>,
}

/// One name may come out in two forms, if some of its observations match explicit buckets.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Form {
    Sum,
    Gauge,
    Summary,
    Exponential,
    Explicit,
}

impl Output {
    pub(super) fn new(style: Style, (began, ended): (u64, u64)) -> Self {
        Self { style, began, ended, metrics: Vec::new(), positions: HashMap::default() }
    }

    pub(super) fn counter(&mut self, id: Id<'_>, tags: &Tags, sum: f64, float: bool) {
        // `as` saturates.
        let value = if float { Value::AsDouble(sum) } else { Value::AsInt(sum.round() as i64) };
        let point = NumberDataPoint {
            attributes: self.attributes(id, tags),
            start_time_unix_nano: self.began,
            time_unix_nano: self.ended,
            value: Some(value),
            ..NumberDataPoint::default()
        };
        if let Some(Data::Sum(sum)) = self.data(id, Form::Sum) {
            sum.data_points.push(point);
        }
    }

    pub(super) fn set(&mut self, id: Id<'_>, tags: &Tags, n_members: usize) {
        let point = NumberDataPoint {
            attributes: self.attributes(id, tags),
            time_unix_nano: self.ended,
            value: Some(Value::AsInt(i64::try_from(n_members).unwrap_or(i64::MAX))),
            ..NumberDataPoint::default()
        };
        if let Some(Data::Gauge(gauge)) = self.data(id, Form::Gauge) {
            gauge.data_points.push(point);
        }
    }

    pub(super) fn points(&mut self, id: Id<'_>, tags: &Tags, points: &[(f64, u64)]) {
        let attributes = self.attributes(id, tags);
        let Some(Data::Gauge(gauge)) = self.data(id, Form::Gauge) else { return };
        gauge.data_points.extend(points.iter().map(|(value, time)| NumberDataPoint {
            attributes: attributes.clone(),
            time_unix_nano: *time,
            value: Some(Value::AsDouble(*value)),
            ..NumberDataPoint::default()
        }));
    }

    pub(super) fn summary(&mut self, id: Id<'_>, tags: &Tags, mut point: SummaryDataPoint) {
        point.attributes = self.attributes(id, tags);
        (point.start_time_unix_nano, point.time_unix_nano) = (self.began, self.ended);
        if let Some(Data::Summary(summary)) = self.data(id, Form::Summary) {
            summary.data_points.push(point);
        }
    }

    pub(super) fn exponential(&mut self, id: Id<'_>, tags: &Tags, mut point: ExponentialHistogramDataPoint) {
        point.attributes = self.attributes(id, tags);
        (point.start_time_unix_nano, point.time_unix_nano) = (self.began, self.ended);
        if let Some(Data::ExponentialHistogram(histogram)) = self.data(id, Form::Exponential) {
            histogram.data_points.push(point);
        }
    }

    pub(super) fn explicit(&mut self, id: Id<'_>, tags: &Tags, mut point: HistogramDataPoint) {
        point.attributes = self.attributes(id, tags);
        (point.start_time_unix_nano, point.time_unix_nano) = (self.began, self.ended);
        if let Some(Data::Histogram(histogram)) = self.data(id, Form::Explicit) {
            histogram.data_points.push(point);
        }
    }

    /// `None` if there is no metric.
    pub(super) fn finish(mut self) -> Option<MetricsData> {
        if self.metrics.is_empty() {
            return None;
        }
        self.metrics.sort_by(|a, b| a.name.cmp(&b.name));
        let scope = InstrumentationScope { name: SCOPE.to_owned(), ..InstrumentationScope::default() };
        let scope_metrics =
            vec![ScopeMetrics { scope: Some(scope), metrics: self.metrics, schema_url: String::new() }];
        let resource = Some(Resource::default());
        Some(MetricsData {
            resource_metrics: vec![ResourceMetrics { resource, scope_metrics, schema_url: String::new() }],
        })
    }

    fn attributes(&self, (_, kind): Id<'_>, tags: &Tags) -> Vec<KeyValue> {
        let mut attributes: Vec<KeyValue> = Vec::with_capacity(tags.len() + 1);
        for (key, value) in tags {
            // Of a key given twice the last value counts: keys of attributes are unique.
            match attributes.iter_mut().find(|known| known.key == **key) {
                Some(known) => known.value = text(key, value).value,
                None => attributes.push(text(key, value)),
            }
        }
        if self.style.metric_type && attributes.iter().all(|known| known.key != "metric_type") {
            attributes.push(text("metric_type", kind.name()));
        }
        attributes
    }

    fn data(&mut self, (name, kind): Id<'_>, form: Form) -> Option<&mut Data> {
        let next = self.metrics.len();
        let position = *self.positions.entry((name.to_owned(), kind, form)).or_insert(next);
        if position == next {
            self.metrics.push(empty_metric(name, kind, form, self.style.monotonic));
        }
        self.metrics[position].data.as_mut()
    }
}

fn empty_metric(name: &str, kind: MetricKind, form: Form, is_monotonic: bool) -> Metric {
    let data = match form {
        Form::Sum => Data::Sum(Sum { data_points: Vec::new(), aggregation_temporality: DELTA, is_monotonic }),
        Form::Gauge => Data::Gauge(Gauge::default()),
        Form::Summary => Data::Summary(Summary::default()),
        Form::Exponential => Data::ExponentialHistogram(ExponentialHistogram {
            data_points: Vec::new(),
            aggregation_temporality: DELTA,
        }),
        Form::Explicit => {
            Data::Histogram(Histogram { data_points: Vec::new(), aggregation_temporality: DELTA })
        }
    };
    let unit = if kind == MetricKind::Timer { "ms" } else { "" };
    Metric { name: name.to_owned(), unit: unit.to_owned(), data: Some(data), ..Metric::default() }
}
