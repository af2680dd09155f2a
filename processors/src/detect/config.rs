//! Settings of the `detect` processor.

use analysis::detect::{Limits, Settings};
use config::{Duration, Invalid, Validate};
use globset::{Glob, GlobSet, GlobSetBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the `detect` processor. The defaults suit every service; there are no thresholds to write.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How easily something counts as out of the ordinary: 2 reports departures half as large, 0.5 only those twice
    /// as large.
    pub sensitivity: f64,
    /// Which kinds of telemetry to look at.
    pub signals: Vec<Watched>,
    /// Looks only at metrics whose name matches one of these patterns (`*` stands for anything); all if empty.
    pub include_metrics: Vec<String>,
    /// Never looks at metrics whose name matches one of these patterns.
    pub exclude_metrics: Vec<String>,
    /// How many points of a series to learn from, over at least three minutes, before anything is reported about it.
    pub warm_up: u32,
    /// A departure that lasts this long, and for at least 40 points, is taken for the new normal.
    pub adapt_after: Duration,
    /// A departure that comes back this soon after it ended is the same one and not reported as new.
    pub cooldown: Duration,
    /// How often a departure that goes on is reported again.
    pub repeat_interval: Duration,
    /// How many series are watched at most. When there are more, those not seen lately are forgotten. A series takes
    /// about 1 KiB.
    pub max_series: usize,
    /// How many services are watched at most in spans and logs.
    pub max_services: usize,
    /// How many operations and peers of one service are watched at most.
    pub max_operations: usize,
    /// Emits every point's score as an event, for benchmarks.
    pub emit_scores: bool,
}

/// A kind of telemetry to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Watched {
    /// Requests, errors and durations from spans.
    Traces,
    /// Every metric series.
    Metrics,
    /// Rates of error and warning records.
    Logs,
}

impl Default for Config {
    fn default() -> Self {
        let settings = Settings::default();
        let limits = Limits::default();
        Self {
            sensitivity: 1.0,
            signals: vec![Watched::Traces, Watched::Metrics, Watched::Logs],
            include_metrics: Vec::new(),
            exclude_metrics: Vec::new(),
            warm_up: settings.warm_up,
            adapt_after: settings.adapt_after.into(),
            cooldown: settings.cooldown.into(),
            repeat_interval: settings.repeat.into(),
            max_series: limits.series,
            max_services: limits.services,
            max_operations: limits.operations,
            emit_scores: false,
        }
    }
}

impl Config {
    pub(super) fn settings(&self) -> Settings {
        let default = Settings::default();
        Settings {
            threshold: default.threshold / self.sensitivity,
            warm_up: self.warm_up,
            adapt_after: self.adapt_after.get(),
            cooldown: self.cooldown.get(),
            repeat: self.repeat_interval.get(),
            ..default
        }
    }

    /// The limits of one of `shards` parallel copies.
    pub(super) fn limits(&self, shards: usize) -> Limits {
        let shards = shards.max(1);
        Limits {
            series: self.max_series.div_ceil(shards),
            services: self.max_services.div_ceil(shards),
            operations: self.max_operations,
        }
    }

    pub(super) fn metrics(&self) -> Result<MetricNames, Invalid> {
        Ok(MetricNames {
            include: patterns(&self.include_metrics, "include_metrics")?,
            exclude: patterns(&self.exclude_metrics, "exclude_metrics")?,
        })
    }
}

/// Which metrics to look at.
#[derive(Debug)]
pub(super) struct MetricNames {
    include: GlobSet,
    exclude: GlobSet,
}

impl MetricNames {
    pub(super) fn wants(&self, name: &str) -> bool {
        (self.include.is_empty() || self.include.is_match(name)) && !self.exclude.is_match(name)
    }
}

fn patterns(patterns: &[String], field: &str) -> Result<GlobSet, Invalid> {
    let mut set = GlobSetBuilder::new();
    for (n, pattern) in patterns.iter().enumerate() {
        let glob = Glob::new(pattern)
            .map_err(|error| Invalid::new(format!("{field}[{n}]"), error.kind().to_string()))?;
        set.add(glob);
    }
    set.build().map_err(|error| Invalid::new(field, error.kind().to_string()))
}

impl Validate for Config {
    fn validate(&self) -> Result<(), Invalid> {
        let sensible = (0.1..=10.0).contains(&self.sensitivity);
        Invalid::unless(sensible, "sensitivity", "must be from 0.1 to 10")?;
        Invalid::unless(!self.signals.is_empty(), "signals", "must name at least one kind of telemetry")?;
        Invalid::unless(self.warm_up >= 8, "warm_up", "must be at least 8 points")?;
        Invalid::unless(self.max_series > 0, "max_series", "must be at least 1")?;
        Invalid::unless(self.max_services > 0, "max_services", "must be at least 1")?;
        Invalid::unless(!self.repeat_interval.is_zero(), "repeat_interval", "must not be zero")?;
        self.metrics().map(drop)
    }
}
