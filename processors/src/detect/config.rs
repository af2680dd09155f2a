//! Settings of the `detect` processor.

use analysis::detect::{Limits, Settings, vectors};
use analysis::logs::anomaly;
use config::{Duration, Invalid, Validate};
use globset::{Glob, GlobSet, GlobSetBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rate::Rate;

/// Settings of the `detect` processor. The defaults suit every service; there are no thresholds to write.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How easily something counts as out of the ordinary: 2 reports departures half as large, 0.5 only those twice
    /// as large.
    pub sensitivity: f64,
    /// How many alerts there may be about one service's metrics and spans, such as `1/day`: of what is out of the ordinary only the rarest is
    /// reported then. What comes while an alert goes on belongs to it and costs nothing, and what is very rare is always reported. Without it
    /// everything is reported that a series does not do by itself twice a day.
    pub alert_budget: Option<Rate>,
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
    /// about 2 KiB, and 1 KiB more if it has a daily and a weekly rhythm.
    pub max_series: usize,
    /// How many services are watched at most in spans and logs.
    pub max_services: usize,
    /// How many operations and peers of one service are watched at most.
    pub max_operations: usize,
    /// How log records are watched.
    pub logs: LogsConfig,
    /// How metrics that belong together are watched.
    pub vectors: VectorsConfig,
    /// Emits every point's score as an event, for benchmarks. Of a resource whose metrics are watched together, it is one score for each
    /// time.
    pub emit_scores: bool,
    /// With `emit_scores`, emits the scores of every single series as well, where its resource's metrics are watched together.
    pub emit_series_scores: bool,
}

/// How the metrics of one resource (a service's instance, a host) are watched together: a single one may be within its range and yet not go with the
/// others any more.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VectorsConfig {
    /// What looks at them. With more than one their opinions are weighed. Without any, metrics are only watched one by one.
    pub detectors: Vec<VectorDetector>,
    /// From how many metrics in one batch on a resource is watched that way.
    pub min_metrics: usize,
    /// How many metrics of a resource at most, from 2 to 256: the first ones that are seen. Time and memory for each metric grow with their number.
    pub max_metrics: usize,
    /// How many resources are watched that way at most. When there are more, those hardly used are forgotten. One of 64 metrics takes some
    /// 300 KiB.
    pub max_resources: usize,
    /// A departure that lasts this long, and for at least 500 scrapes, is learned from.
    pub adapt_after: Duration,
    /// The share of one processor that training may take for each resource, at most, at a billion operations a second: from 0.00001 to 1. What is
    /// not done at once waits; scoring never does.
    pub training_cpu: f64,
}

/// A detector for metrics that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VectorDetector {
    /// Each metric as all the others predict it (ridge regression).
    Relations,
    /// What the principal components that explain 80 % do not explain.
    Pca,
    /// Distance to the nearest of six usual states.
    Kmeans,
    /// How few random cuts set them apart (isolation forest).
    Forest,
    /// What a variational autoencoder of two hidden layers cannot rebuild.
    Vae,
    /// What each series' own detectors say, taken together.
    Series,
}

impl From<VectorDetector> for vectors::Detector {
    fn from(detector: VectorDetector) -> Self {
        match detector {
            VectorDetector::Relations => Self::Relations,
            VectorDetector::Pca => Self::Pca,
            VectorDetector::Kmeans => Self::Kmeans,
            VectorDetector::Forest => Self::Forest,
            VectorDetector::Vae => Self::Vae,
            VectorDetector::Series => Self::Series,
        }
    }
}

impl Default for VectorsConfig {
    fn default() -> Self {
        let settings = vectors::Settings::default();
        Self {
            detectors: vec![VectorDetector::Relations, VectorDetector::Vae, VectorDetector::Series],
            min_metrics: settings.min_metrics,
            max_metrics: settings.max_metrics,
            max_resources: settings.max_resources,
            adapt_after: settings.adapt_after.into(),
            training_cpu: settings.training,
        }
    }
}

/// How log records are watched: by template, class and severity. Put `drain`, and `log_classify` if you use it, in front of `detect`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogsConfig {
    /// Whether templates that come more or less often than usual, stop or are new are looked for, and surges of classes and of errors. If
    /// not, only the rates of error and of warning records are watched, as any other series.
    pub enabled: bool,
    /// The share of false ones that is accepted among what is found at a time, from 0.000001 to 0.1. It is judged over all counts together, so it
    /// need not change with how much there is.
    pub false_discovery_rate: f64,
    /// How long a service, and every template of it, is learned from before anything is reported about it.
    pub warm_up: Duration,
    /// What comes back this soon after it ended is the same thing and not reported as new.
    pub cooldown: Duration,
    /// How many templates are watched at most. When there are more, the rarest of their service make room. A template takes about 1.5 KiB.
    pub max_templates: usize,
}

impl Default for LogsConfig {
    fn default() -> Self {
        let settings = anomaly::Settings::default();
        Self {
            enabled: true,
            false_discovery_rate: settings.false_discovery_rate,
            warm_up: settings.warm_up.into(),
            cooldown: settings.cooldown.into(),
            max_templates: settings.max_templates,
        }
    }
}

/// A kind of telemetry to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Watched {
    /// Requests, errors and durations from spans.
    Traces,
    /// Every metric series.
    Metrics,
    /// Log records: see `logs`.
    Logs,
}

impl Default for Config {
    fn default() -> Self {
        let settings = Settings::default();
        let limits = Limits::default();
        Self {
            sensitivity: 1.0,
            alert_budget: None,
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
            logs: LogsConfig::default(),
            vectors: VectorsConfig::default(),
            emit_scores: false,
            emit_series_scores: false,
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
            alert_budget: self.alert_budget.map(Rate::per_day),
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

    /// How one of `shards` parallel copies watches metrics that belong together.
    pub(super) fn vectors(&self, shards: usize) -> vectors::Settings {
        vectors::Settings {
            detectors: self.vectors.detectors.iter().map(|detector| (*detector).into()).collect(),
            max_resources: self.vectors.max_resources.div_ceil(shards.max(1)),
            max_metrics: self.vectors.max_metrics,
            min_metrics: self.vectors.min_metrics,
            adapt_after: self.vectors.adapt_after.get(),
            training: self.vectors.training_cpu,
        }
    }

    /// How one of `shards` parallel copies watches log templates, if it does.
    pub(super) fn templates(&self, shards: usize) -> Option<anomaly::Settings> {
        let shards = shards.max(1);
        self.logs.enabled.then(|| anomaly::Settings {
            false_discovery_rate: self.logs.false_discovery_rate,
            warm_up: self.logs.warm_up.get(),
            cooldown: self.logs.cooldown.get(),
            adapt_after: self.adapt_after.get(),
            repeat: self.repeat_interval.get(),
            max_services: self.max_services.div_ceil(shards),
            max_templates: self.logs.max_templates.div_ceil(shards),
            ..anomaly::Settings::default()
        })
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
        let fits = self.alert_budget.is_none_or(|rate| (0.001..=1000.0).contains(&rate.per_day()));
        Invalid::unless(fits, "alert_budget", "must be from 0.001 to 1000 a day")?;
        Invalid::unless(!self.signals.is_empty(), "signals", "must name at least one kind of telemetry")?;
        Invalid::unless(self.warm_up >= 8, "warm_up", "must be at least 8 points")?;
        Invalid::unless(self.max_series > 0, "max_series", "must be at least 1")?;
        Invalid::unless(self.max_services > 0, "max_services", "must be at least 1")?;
        Invalid::unless(!self.repeat_interval.is_zero(), "repeat_interval", "must not be zero")?;
        // Written so that NaN fails too.
        let is_rate = (1e-6..=0.1).contains(&self.logs.false_discovery_rate);
        Invalid::unless(is_rate, "logs.false_discovery_rate", "must be from 0.000001 to 0.1")?;
        Invalid::unless(self.logs.max_templates > 0, "logs.max_templates", "must be at least 1")?;
        self.vectors.validate()?;
        self.metrics().map(drop)
    }
}

impl Validate for VectorsConfig {
    fn validate(&self) -> Result<(), Invalid> {
        let detectors = &self.detectors;
        let twice = (1..detectors.len()).any(|at| detectors[..at].contains(&detectors[at]));
        Invalid::unless(!twice, "vectors.detectors", "must name each detector once")?;
        Invalid::unless(self.min_metrics >= 2, "vectors.min_metrics", "must be at least 2")?;
        let fits = (self.min_metrics..=256).contains(&self.max_metrics);
        Invalid::unless(fits, "vectors.max_metrics", "must be from `min_metrics` to 256")?;
        Invalid::unless(self.max_resources > 0, "vectors.max_resources", "must be at least 1")?;
        // Written so that NaN fails too.
        let is_share = (0.000_01..=1.0).contains(&self.training_cpu);
        Invalid::unless(is_share, "vectors.training_cpu", "must be from 0.00001 to 1")
    }
}
