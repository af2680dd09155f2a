//! Brings the values of an interval together.
//!
//! In: parsed lines and the time. Out, once an interval: OTLP with delta temporality. Counts, sets and observations begin
//! anew with every interval; gauges go out only if they were set in it, but their values stay for changes by sign.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

use config::Invalid;
use foldhash::fast::RandomState;
use pdata::Timestamp;
use pdata::aggregate::ExponentialHistogram;
use pdata::proto::metrics::MetricsData;
use regex::Regex;

use super::config::{Config, CounterType, Mapping, ObservationType, Observer};
use super::line::{Line, MetricKind, Value};
use super::observe::{Explicit, Observations, Summary};
use super::output::{Output, Style};

/// A gauge that was not set for so many intervals is forgotten.
const GAUGE_INTERVALS: u32 = 60;
/// So many members of a set are told apart in an interval.
const MAX_MEMBERS: usize = 100_000;

/// Brings values together.
pub(super) struct Aggregator {
    style: Style,
    float_counters: bool,
    max_series: usize,
    timers: Observing,
    histograms: Observing,
    distributions: Observing,
    series: HashMap<Box<str>, Series, RandomState>,
    key: String,
    began: Timestamp,
    hasher: RandomState,
}

/// What becomes of a kind of observations.
struct Observing {
    mapping: Mapping,
    explicit: Vec<(Regex, Vec<f64>)>,
}

struct Series {
    kind: MetricKind,
    name: Box<str>,
    tags: Vec<(Box<str>, Box<str>)>,
    total: Total,
}

enum Total {
    Counter(f64),
    Gauge {
        value: f64,
        /// When it was set, if it was in this interval.
        set: Option<u64>,
        intervals_unset: u32,
    },
    Set(HashSet<u64, RandomState>),
    Observed(Observations),
}

/// What became of a line's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// Were brought in, or dropped on purpose.
    pub(super) taken: u64,
    /// Were dropped because there are too many series, members or points.
    pub(super) over_limit: u64,
}

impl Observing {
    fn new(config: &Config, kind: ObservationType) -> Result<Self, Invalid> {
        let mapping = config.timer_histogram_mapping.iter().find(|mapping| mapping.statsd_type == kind);
        let mapping = mapping.cloned().unwrap_or(Mapping { statsd_type: kind, ..Mapping::default() });
        let compile = |pattern: &str| {
            Regex::new(&config::re2(pattern))
                .map_err(|error| Invalid::new("timer_histogram_mapping", error.to_string()))
        };
        let explicit = mapping.histogram.explicit_buckets.iter();
        let explicit = explicit.map(|one| Ok((compile(&one.matcher_pattern)?, one.buckets.clone())));
        Ok(Self { explicit: explicit.collect::<Result<_, Invalid>>()?, mapping })
    }

    /// Where observations of the metric `name` go; `None` if nowhere.
    fn observations(&self, name: &str) -> Option<Observations> {
        Some(match self.mapping.observer_type {
            Observer::Gauge => Observations::Points(Vec::new()),
            Observer::Summary => Observations::Summary(Summary::default()),
            Observer::Histogram => match self.explicit.iter().find(|(pattern, _)| pattern.is_match(name)) {
                Some((_, bounds)) => Observations::Explicit(Explicit::new(bounds)),
                None => Observations::Exponential(ExponentialHistogram::new(self.mapping.histogram.max_size)),
            },
            Observer::Disabled => return None,
        })
    }
}

impl Aggregator {
    /// # Errors
    /// If a pattern is no regular expression.
    pub(super) fn new(config: &Config, now: Timestamp) -> Result<Self, Invalid> {
        Ok(Self {
            style: Style { monotonic: config.is_monotonic_counter, metric_type: config.enable_metric_type },
            float_counters: config.counter_type == CounterType::Float,
            max_series: config.max_series,
            timers: Observing::new(config, ObservationType::Timer)?,
            histograms: Observing::new(config, ObservationType::Histogram)?,
            distributions: Observing::new(config, ObservationType::Distribution)?,
            series: HashMap::default(),
            key: String::new(),
            began: now,
            hasher: RandomState::default(),
        })
    }

    /// Takes a line's values, which came at `now`.
    pub(super) fn add(&mut self, line: &Line<'_>, now: Timestamp) -> Taken {
        let mut taken = Taken::default();
        write_key(&mut self.key, line);
        if !self.series.contains_key(self.key.as_str()) {
            let Some(total) = self.new_total(line) else {
                return Taken { taken: line.values().count() as u64, over_limit: 0 };
            };
            if self.series.len() >= self.max_series {
                return Taken { taken: 0, over_limit: line.values().count() as u64 };
            }
            let tags =
                line.tags().map(|(key, value)| (key.into(), value.unwrap_or_default().into())).collect();
            let series = Series { kind: line.kind, name: line.name.into(), tags, total };
            self.series.insert(self.key.as_str().into(), series);
        }
        let Some(series) = self.series.get_mut(self.key.as_str()) else { return taken };
        let time = line.timestamp.map_or(now, Timestamp::from_secs).as_nanos();
        for value in line.values() {
            let fits = series.total.add(value, line.rate, time, &self.hasher);
            taken.taken += u64::from(fits);
            taken.over_limit += u64::from(!fits);
        }
        taken
    }

    fn new_total(&self, line: &Line<'_>) -> Option<Total> {
        let observed = |observing: &Observing| observing.observations(line.name).map(Total::Observed);
        match line.kind {
            MetricKind::Counter => Some(Total::Counter(0.0)),
            MetricKind::Gauge => Some(Total::Gauge { value: 0.0, set: None, intervals_unset: 0 }),
            MetricKind::Set => Some(Total::Set(HashSet::default())),
            MetricKind::Timer => observed(&self.timers),
            MetricKind::Histogram => observed(&self.histograms),
            MetricKind::Distribution => observed(&self.distributions),
        }
    }

    /// Ends the interval at `now`. `None` if nothing came in.
    pub(super) fn flush(&mut self, now: Timestamp) -> Option<MetricsData> {
        let began = std::mem::replace(&mut self.began, now);
        let mut output = Output::new(self.style, (began.as_nanos(), now.as_nanos()));
        let mut kept = HashMap::default();
        for (key, mut series) in std::mem::take(&mut self.series) {
            if let Total::Gauge { set, intervals_unset, .. } = &mut series.total {
                *intervals_unset = if set.is_some() { 0 } else { *intervals_unset + 1 };
            }
            let (percentiles, id) = (self.percentiles(series.kind), (&*series.name, series.kind));
            let tags = &series.tags;
            match series.total {
                Total::Counter(sum) => output.counter(id, tags, sum, self.float_counters),
                Total::Set(members) => output.set(id, tags, members.len()),
                Total::Observed(Observations::Points(points)) => output.points(id, tags, &points),
                Total::Observed(Observations::Summary(summary)) => {
                    output.summary(id, tags, summary.into_point(percentiles));
                }
                Total::Observed(Observations::Exponential(histogram)) => {
                    output.exponential(id, tags, histogram.into_point());
                }
                Total::Observed(Observations::Explicit(histogram)) => {
                    output.explicit(id, tags, histogram.into_point());
                }
                Total::Gauge { value, set, intervals_unset } => {
                    if let Some(time) = set {
                        output.points(id, tags, &[(value, time)]);
                    }
                    if intervals_unset < GAUGE_INTERVALS {
                        series.total = Total::Gauge { value, set: None, intervals_unset };
                        kept.insert(key, series);
                    }
                }
            }
        }
        self.series = kept;
        output.finish()
    }

    fn percentiles(&self, kind: MetricKind) -> &[f64] {
        let observing = match kind {
            MetricKind::Timer => &self.timers,
            MetricKind::Distribution => &self.distributions,
            MetricKind::Histogram | MetricKind::Counter | MetricKind::Gauge | MetricKind::Set => {
                &self.histograms
            }
        };
        &observing.mapping.summary.percentiles
    }
}

impl Total {
    /// `false` if the value did not fit.
    fn add(&mut self, value: Value<'_>, rate: f64, time: u64, hasher: &RandomState) -> bool {
        match (self, value) {
            (Self::Counter(sum), Value::Number(number)) => *sum += number / rate,
            (Self::Gauge { value, set, .. }, Value::Number(number)) => (*value, *set) = (number, Some(time)),
            (Self::Gauge { value, set, .. }, Value::Change(change)) => {
                (*value, *set) = (*value + change, Some(time))
            }
            (Self::Set(members), Value::Member(member)) => {
                let member = hasher.hash_one(member);
                if members.len() >= MAX_MEMBERS && !members.contains(&member) {
                    return false;
                }
                members.insert(member);
            }
            (Self::Observed(observations), Value::Number(number)) => {
                // A rate is at least one in 2^64: `as` saturates.
                let times = (1.0 / rate).round().max(1.0) as u64;
                return observations.record(number, times, time);
            }
            // The kind is part of the key, and decides what values are.
            _ => return false,
        }
        true
    }
}

/// Identifies a series: kind, name and tags in order.
fn write_key(key: &mut String, line: &Line<'_>) {
    key.clear();
    key.push_str(line.kind.name());
    key.push('|');
    key.push_str(line.name);
    let text = line.tags_text();
    if text.is_empty() {
        return;
    }
    let mut tags: Vec<&str> = text.split(',').filter(|tag| !tag.is_empty()).collect();
    tags.sort_unstable();
    for tag in tags {
        key.push('|');
        key.push_str(tag);
    }
}
