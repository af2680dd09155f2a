//! Metrics that a receiver makes itself: described once, switched by name, filled point by point.

use std::collections::BTreeMap;

use config::Invalid;
use pdata::Timestamp;
use pdata::proto::common::{AnyValue, ArrayValue, KeyValue, any_value};
use pdata::proto::metrics::{
    AggregationTemporality, Gauge, Metric, NumberDataPoint, Sum, metric, number_data_point,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a metric is.
#[derive(Debug)]
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) description: &'static str,
    pub(crate) kind: Kind,
    /// Whether it is there unless the configuration says otherwise.
    pub(crate) default: bool,
}

/// How a metric's points are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A value that is not summed.
    Gauge,
    /// A cumulative sum that only grows.
    Counter,
    /// A cumulative sum that goes up and down.
    UpDown,
}

/// One metric's switch.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Toggle {
    /// Whether the metric is emitted.
    pub enabled: bool,
}

/// Metrics by name, switched on or off against their defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Toggles(BTreeMap<String, Toggle>);

impl Toggles {
    /// Whether `name`, whose default is `default`, is on.
    pub(crate) fn is_on(&self, name: &str, default: bool) -> bool {
        self.0.get(name).map_or(default, |toggle| toggle.enabled)
    }

    /// Refuses names that there are not. `field` is where the switches stand.
    pub(crate) fn validate<'a>(
        &self,
        field: &str,
        known: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<(), Invalid> {
        match self.0.keys().find(|name| !known.clone().any(|known| known == name.as_str())) {
            None => Ok(()),
            Some(name) => {
                let known: Vec<_> = known.collect();
                Err(Invalid::new(field, format!("`{name}` is none of {}", known.join(", "))))
            }
        }
    }
}

/// Metrics being filled.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    toggles: &'a Toggles,
    start: Timestamp,
    time: Timestamp,
    metrics: Vec<Metric>,
}

impl<'a> Report<'a> {
    /// A report of the moment `time` whose sums count from `start`.
    pub(crate) fn new(toggles: &'a Toggles, start: Timestamp, time: Timestamp) -> Self {
        Self { toggles, start, time, metrics: Vec::new() }
    }

    /// Whether the metric is wanted; for those that cost something to find out.
    pub(crate) fn wants(&self, spec: &Spec) -> bool {
        self.toggles.is_on(spec.name, spec.default)
    }

    /// Adds a metric, if it is wanted and `fill` gives it points.
    pub(crate) fn metric(&mut self, spec: &Spec, fill: impl FnOnce(&mut Points)) {
        if !self.wants(spec) {
            return;
        }
        let start = if spec.kind == Kind::Gauge { Timestamp::default() } else { self.start };
        let mut points = Points { start, time: self.time, points: Vec::new() };
        fill(&mut points);
        let data_points = points.points;
        if data_points.is_empty() {
            return;
        }
        let data = match spec.kind {
            Kind::Gauge => metric::Data::Gauge(Gauge { data_points }),
            Kind::Counter | Kind::UpDown => metric::Data::Sum(Sum {
                data_points,
                aggregation_temporality: AggregationTemporality::Cumulative.into(),
                is_monotonic: spec.kind == Kind::Counter,
            }),
        };
        self.metrics.push(Metric {
            name: spec.name.to_owned(),
            description: spec.description.to_owned(),
            unit: spec.unit.to_owned(),
            data: Some(data),
            ..Metric::default()
        });
    }

    /// The metrics that got points.
    pub(crate) fn finish(self) -> Vec<Metric> {
        self.metrics
    }
}

/// The points of one metric.
#[derive(Debug)]
pub(crate) struct Points {
    start: Timestamp,
    time: Timestamp,
    points: Vec<NumberDataPoint>,
}

impl Points {
    /// Adds a whole number; saturates.
    pub(crate) fn int(&mut self, attributes: &[(&str, &str)], value: u64) {
        self.signed(attributes, i64::try_from(value).unwrap_or(i64::MAX));
    }

    /// Adds a whole number that may be negative.
    pub(crate) fn signed(&mut self, attributes: &[(&str, &str)], value: i64) {
        self.push(attributes, number_data_point::Value::AsInt(value));
    }

    /// Adds a number; one that is not finite is none.
    pub(crate) fn double(&mut self, attributes: &[(&str, &str)], value: f64) {
        if value.is_finite() {
            self.push(attributes, number_data_point::Value::AsDouble(value));
        }
    }

    /// Adds a whole number with attributes of any type.
    pub(crate) fn with(&mut self, attributes: Vec<KeyValue>, value: i64) {
        self.push_with(attributes, number_data_point::Value::AsInt(value));
    }

    /// Adds a number with attributes of any type; one that is not finite is none.
    pub(crate) fn double_with(&mut self, attributes: Vec<KeyValue>, value: f64) {
        if value.is_finite() {
            self.push_with(attributes, number_data_point::Value::AsDouble(value));
        }
    }

    fn push(&mut self, attributes: &[(&str, &str)], value: number_data_point::Value) {
        self.push_with(attributes.iter().map(|(key, value)| text(key, value)).collect(), value);
    }

    fn push_with(&mut self, attributes: Vec<KeyValue>, value: number_data_point::Value) {
        self.points.push(NumberDataPoint {
            attributes,
            start_time_unix_nano: self.start.as_nanos(),
            time_unix_nano: self.time.as_nanos(),
            value: Some(value),
            ..NumberDataPoint::default()
        });
    }
}

/// A textual attribute.
pub(crate) fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, any_value::Value::StringValue(value.to_owned()))
}

/// An attribute that is a whole number.
pub(crate) fn int(key: &str, value: i64) -> KeyValue {
    attribute(key, any_value::Value::IntValue(value))
}

/// An attribute that is a list of texts.
pub(crate) fn list(key: &str, values: &[String]) -> KeyValue {
    let values =
        values.iter().map(|value| AnyValue { value: Some(any_value::Value::StringValue(value.clone())) });
    attribute(key, any_value::Value::ArrayValue(ArrayValue { values: values.collect() }))
}

fn attribute(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}
