//! Settings of the `span_metrics` connector, as the collector's `spanmetrics` has them.

use config::{Duration, Invalid, Validate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The dimensions that every series has unless they are excluded.
pub(super) const USUAL: [&str; 4] = ["service.name", "span.name", "span.kind", "status.code"];

/// Settings of the `span_metrics` connector.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How durations are counted.
    pub histogram: Histogram,
    /// Attributes of the span or, if it does not have them, of its resource, which the series of all metrics have beside
    /// `service.name`, `span.name`, `span.kind` and `status.code`.
    pub dimensions: Vec<Dimension>,
    /// The same for `calls` only.
    pub calls_dimensions: Vec<Dimension>,
    /// Which of the usual dimensions are left out.
    pub exclude_dimensions: Vec<String>,
    /// Accepted for the collector's sake; nothing is cached by it here.
    pub dimensions_cache_size: usize,
    /// How many resources are kept apart; when there are more, the one without spans for longest makes room.
    pub resource_metrics_cache_size: usize,
    /// Which attributes of a resource tell resources apart; all if empty. What changes with every process, such as its id, is better left
    /// out where counters should go on.
    pub resource_metrics_key_attributes: Vec<String>,
    /// How many series of a metric one resource may have; spans of further ones are counted in one with `otel.metric.overflow`. `0`
    /// means without bound, as in the collector.
    pub aggregation_cardinality_limit: usize,
    /// Whether points count from the beginning or from the point before.
    pub aggregation_temporality: Temporality,
    /// What metric names begin with, before a dot. Nothing if empty.
    pub namespace: String,
    /// How often metrics are emitted.
    pub metrics_flush_interval: Duration,
    /// A series without spans for this long ends. `0s` means never.
    pub metrics_expiration: Duration,
    /// Spans as examples of durations.
    pub exemplars: Exemplars,
    /// A count of the events of spans.
    pub events: Events,
}

/// How durations are counted. Explicit buckets unless `exponential` is there.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Histogram {
    /// Counts no durations.
    pub disable: bool,
    /// The unit of durations.
    pub unit: Unit,
    /// Buckets with given bounds.
    pub explicit: Option<Explicit>,
    /// Buckets whose bounds grow exponentially.
    pub exponential: Option<Exponential>,
    /// Further dimensions of the histogram only.
    pub dimensions: Vec<Dimension>,
}

/// Buckets with given bounds.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Explicit {
    /// Their upper bounds, each larger than the one before.
    pub buckets: Vec<Duration>,
}

/// Buckets whose bounds grow exponentially.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Exponential {
    /// How many there are at most.
    pub max_size: usize,
}

/// A unit of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Unit {
    /// Milliseconds.
    #[default]
    #[serde(rename = "ms")]
    Milliseconds,
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
}

/// What points count from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Temporality {
    /// The beginning of the series.
    #[default]
    #[serde(rename = "AGGREGATION_TEMPORALITY_CUMULATIVE")]
    Cumulative,
    /// The point before.
    #[serde(rename = "AGGREGATION_TEMPORALITY_DELTA")]
    Delta,
}

/// An attribute that becomes one of the series.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dimension {
    /// Its name.
    pub name: String,
    /// Its value where a span does not have it; without one the series does not have it either.
    #[serde(default)]
    pub default: Option<String>,
}

/// Spans as examples of durations.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Exemplars {
    /// Whether points have any.
    pub enabled: bool,
    /// How many a point has at most: the last ones.
    pub max_per_data_point: usize,
}

/// A count of the events of spans.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Events {
    /// Whether they are counted.
    pub enabled: bool,
    /// Attributes of the event, the span or the resource that the series have beside those of `calls`; `event.name` is the event's
    /// name.
    pub dimensions: Vec<Dimension>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            histogram: Histogram::default(),
            dimensions: Vec::new(),
            calls_dimensions: Vec::new(),
            exclude_dimensions: Vec::new(),
            dimensions_cache_size: 1000,
            resource_metrics_cache_size: 1000,
            resource_metrics_key_attributes: Vec::new(),
            aggregation_cardinality_limit: 2000,
            aggregation_temporality: Temporality::default(),
            namespace: "traces.span.metrics".to_owned(),
            metrics_flush_interval: Duration::from_secs(60),
            metrics_expiration: Duration::default(),
            exemplars: Exemplars::default(),
            events: Events::default(),
        }
    }
}

impl Default for Exemplars {
    fn default() -> Self {
        Self { enabled: false, max_per_data_point: 5 }
    }
}

impl Default for Explicit {
    fn default() -> Self {
        const MILLIS: [u64; 16] =
            [2, 4, 6, 8, 10, 50, 100, 200, 400, 800, 1000, 1400, 2000, 5000, 10_000, 15_000];
        Self { buckets: MILLIS.into_iter().map(Duration::from_millis).collect() }
    }
}

impl Default for Exponential {
    fn default() -> Self {
        Self { max_size: 160 }
    }
}

impl Validate for Config {
    fn validate(&self) -> Result<(), Invalid> {
        let Histogram { explicit, exponential, dimensions, .. } = &self.histogram;
        Invalid::unless(
            explicit.is_none() || exponential.is_none(),
            "histogram",
            "has `explicit` or `exponential`, not both",
        )?;
        let bounds = explicit.as_ref().map(|explicit| explicit.buckets.as_slice()).unwrap_or_default();
        Invalid::unless(
            bounds.is_sorted_by(|a, b| a < b),
            "histogram.explicit.buckets",
            "must be in rising order, each once",
        )?;
        let size = exponential.as_ref().map_or(160, |exponential| exponential.max_size);
        Invalid::unless(
            (2..=10_000).contains(&size),
            "histogram.exponential.max_size",
            "must be 2 to 10000",
        )?;
        unlike("dimensions", &[&self.dimensions])?;
        unlike("calls_dimensions", &[&self.dimensions, &self.calls_dimensions])?;
        unlike("histogram.dimensions", &[&self.dimensions, dimensions])?;
        unlike("events.dimensions", &[&self.dimensions, &self.events.dimensions])?;
        Invalid::unless(
            !self.events.enabled || !self.events.dimensions.is_empty(),
            "events.dimensions",
            "must name at least one, such as `event.name`",
        )?;
        Invalid::unless(
            self.resource_metrics_cache_size > 0,
            "resource_metrics_cache_size",
            "must be at least 1",
        )?;
        Invalid::unless(
            !self.metrics_flush_interval.is_zero(),
            "metrics_flush_interval",
            "must be more than zero",
        )
    }
}

/// Refuses names that occur twice or are usual ones.
fn unlike(field: &str, lists: &[&[Dimension]]) -> Result<(), Invalid> {
    let names: Vec<&str> =
        lists.iter().flat_map(|list| list.iter()).map(|dimension| dimension.name.as_str()).collect();
    let twice =
        names.iter().enumerate().find(|(at, name)| USUAL.contains(name) || names[..*at].contains(name));
    match twice {
        Some((_, name)) => Err(Invalid::new(field, format!("`{name}` is there already"))),
        None => Ok(()),
    }
}
