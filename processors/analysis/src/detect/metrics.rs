//! Metric points to series: gauges as they are, totals as rates, histograms as rate, mean and quantiles.

use std::sync::Arc;

use pdata::event::Source;
use pdata::view::{
    Attributes, BucketsView, ExponentialHistogramPointView, HistogramPointView, MetricKind, MetricView,
    NumberPointView, ResourceMetricsView, ResourceView, SummaryPointView, Temporality,
};
use serde::{Deserialize, Serialize};

use super::buckets::Buckets;
use super::findings::{Findings, Label};
use super::point::{Direction, Nature, Point, Unit};
use super::rates::{Growth, Recent, Total};
use super::red::{OWN_SPREAD, least_quantile};
use super::vectors::Reading;
use super::watcher::{Resource, SeriesTable};
use crate::identity::Identity;
use crate::table::Table;

/// What totals and histograms looked like at their last point.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Memory {
    total: Total,
    sum: Total,
    buckets: Buckets,
    recent: Recent,
}

/// Fewer values than this have no meaningful quantiles.
const FEWEST: u64 = 5;

/// Where metrics go.
#[derive(Debug)]
pub struct Into<'a> {
    /// Their series.
    pub series: &'a mut SeriesTable,
    /// What totals and histograms looked like before.
    pub memories: &'a mut Table<Memory>,
    /// What was read and scored of the resource.
    pub readings: &'a mut Vec<Reading>,
    /// What was found.
    pub findings: &'a mut Findings,
}

/// One metric of one resource, on its way into the series table.
struct Stream<'a, 'b, 'c> {
    resource: &'b Resource<'a>,
    metric: MetricView<'a>,
    identity: Identity,
    unit: Unit,
    into: &'b mut Into<'c>,
}

/// Reads all metrics of a resource. `wanted` decides by metric name.
pub fn read<'a>(
    group: ResourceMetricsView<'a>,
    resource: &Resource<'a>,
    into: &mut Into<'_>,
    wanted: &dyn Fn(&str) -> bool,
) {
    for metric in group.scopes().flat_map(|scope| scope.metrics()) {
        if wanted(metric.name()) {
            let identity = resource.identity.text(metric.name());
            let unit = Unit::parse(metric.unit());
            Stream { resource, metric, identity, unit, into }.read();
        }
    }
}

impl<'a> Stream<'a, '_, '_> {
    fn read(&mut self) {
        let delta = self.metric.temporality() == Temporality::Delta;
        match self.metric.kind() {
            MetricKind::Gauge | MetricKind::Sum if !delta && counts_restarts(self.metric.name()) => {
                self.metric.number_points().for_each(|point| self.restarts(point));
            }
            MetricKind::Gauge => self.metric.number_points().for_each(|point| self.gauge(point)),
            MetricKind::Sum => {
                // An up-down counter's running total is a level, like a gauge.
                let level = !self.metric.is_monotonic() && !delta;
                let read = if level { Self::gauge } else { Self::counter };
                self.metric.number_points().for_each(|point| read(self, point));
            }
            MetricKind::Histogram => self.metric.histogram_points().for_each(|point| self.histogram(point)),
            MetricKind::ExponentialHistogram => {
                self.metric.exponential_histogram_points().for_each(|point| self.exponential(point));
            }
            MetricKind::Summary => self.metric.summary_points().for_each(|point| self.summary(point)),
            MetricKind::Empty => {}
        }
    }

    fn gauge(&mut self, point: NumberPointView<'a>) {
        if let (Some(value), false) = (point.value(), point.no_recorded_value()) {
            let nature = self.nature(self.unit);
            let own = self.own(point.attributes());
            self.observe(&own, "", Point::new(point.time(), value.as_f64()), nature);
        }
    }

    fn counter(&mut self, point: NumberPointView<'a>) {
        let (Some(value), false) = (point.value(), point.no_recorded_value()) else { return };
        let own = self.own(point.attributes());
        let memory = self.into.memories.entry(own.id, Memory::default).0;
        let delta = self.metric.temporality() == Temporality::Delta;
        let take = if delta { Total::delta } else { Total::cumulative };
        if let Some(growth) = take(&mut memory.total, point.start_time(), point.time(), value.as_f64()) {
            let counts_things = matches!(self.unit, Unit::None | Unit::PerSecond | Unit::Ratio);
            let noise = if counts_things { growth.counting_noise() } else { 0.0 };
            let nature = self.nature(self.unit.per_second());
            let rate = Point::new(point.time(), growth.rate()).with_noise(noise);
            self.observe(&own, "rate", rate, nature);
        }
    }

    /// A total of rare events, counted by an onlooker. As a rate each would be a spike of one point, as a level a step
    /// that never goes back; how many there were lately says what an operator wants to know.
    fn restarts(&mut self, point: NumberPointView<'a>) {
        let (Some(value), false) = (point.value(), point.no_recorded_value()) else { return };
        let own = self.own(point.attributes());
        let memory = self.into.memories.entry(own.id, Memory::default).0;
        // What a process's own start time says about it does not hold for who counts its restarts.
        let growth = memory.total.cumulative(pdata::Timestamp::default(), point.time(), value.as_f64());
        if let Some(growth) = growth {
            let lately = memory.recent.add(point.time(), growth.amount);
            let nature = Nature { direction: Direction::Up, ..Nature::default() };
            self.observe(&own, "within 2 minutes", Point::new(point.time(), lately), nature);
        }
    }

    fn histogram(&mut self, point: HistogramPointView<'a>) {
        if !point.no_recorded_value() {
            let buckets = Buckets::explicit(point.bucket_counts(), point.explicit_bounds());
            let head = Head {
                start: point.start_time(),
                time: point.time(),
                count: point.count(),
                sum: point.sum(),
            };
            self.distribution(&self.own(point.attributes()), &head, buckets);
        }
    }

    fn exponential(&mut self, point: ExponentialHistogramPointView<'a>) {
        // Durations and sizes are not negative; a histogram with negative values still gives rate and mean.
        let negative = point.negative().is_some_and(|buckets| buckets.bucket_counts().any(|count| count > 0));
        if !point.no_recorded_value() {
            let offset = point.positive().map_or(0, BucketsView::offset);
            let counts = point.positive().into_iter().flat_map(BucketsView::bucket_counts);
            let buckets = Buckets::exponential(point.scale(), offset, point.zero_count(), counts);
            let head = Head {
                start: point.start_time(),
                time: point.time(),
                count: point.count(),
                sum: point.sum(),
            };
            self.distribution(&self.own(point.attributes()), &head, buckets.filter(|_| !negative));
        }
    }

    fn distribution(&mut self, own: &Own<'a>, head: &Head, buckets: Option<Buckets>) {
        let delta = self.metric.temporality() == Temporality::Delta;
        let memory = self.into.memories.entry(own.id, Memory::default).0;
        let take = if delta { Total::delta } else { Total::cumulative };
        let growth = take(&mut memory.total, head.start, head.time, head.count as f64);
        let sum = head.sum.and_then(|sum| take(&mut memory.sum, head.start, head.time, sum));
        let buckets = buckets.unwrap_or_default();
        let new = if delta {
            buckets
        } else {
            // After a restart everything is new.
            let new = buckets.since(&memory.buckets).unwrap_or_else(|| buckets.clone());
            memory.buckets = buckets;
            new
        };
        let Some(growth) = growth else { return };
        self.observe_distribution(own, head, growth, sum, &new);
    }

    fn observe_distribution(
        &mut self,
        own: &Own<'a>,
        head: &Head,
        growth: Growth,
        sum: Option<Growth>,
        buckets: &Buckets,
    ) {
        let rate = Point::new(head.time, growth.rate()).with_noise(growth.counting_noise());
        self.observe(own, "rate", rate, Nature { unit: Unit::PerSecond, ..Nature::default() });
        if growth.amount < FEWEST as f64 {
            return;
        }
        let nature = self.nature(self.unit);
        let spread = 1.0 / growth.amount.sqrt();
        if let Some(sum) = sum {
            let mean = Point::new(head.time, sum.amount / growth.amount).with_relative_noise(0.5 * spread);
            self.observe(own, "mean", mean, nature);
        }
        if buckets.count() < FEWEST {
            return;
        }
        for (q, name, noise) in [(0.5, "p50", 0.7), (0.95, "p95", 0.8), (0.99, "p99", 1.5)] {
            if let Some(value) = buckets.quantile(q) {
                let below = buckets.quantile(least_quantile(q, growth.amount)).unwrap_or(value);
                let point = Point::new(head.time, value)
                    .with_relative_noise(noise * spread)
                    .with_noise(OWN_SPREAD * (value - below).max(0.0));
                self.observe(own, name, point, nature);
            }
        }
    }

    fn summary(&mut self, point: SummaryPointView<'a>) {
        if point.no_recorded_value() {
            return;
        }
        let own = self.own(point.attributes());
        let memory = self.into.memories.entry(own.id, Memory::default).0;
        let growth = memory.total.cumulative(point.start_time(), point.time(), point.count() as f64);
        if let Some(growth) = growth {
            let rate = Point::new(point.time(), growth.rate()).with_noise(growth.counting_noise());
            let nature = Nature { unit: Unit::PerSecond, ..Nature::default() };
            self.observe(&own, "rate", rate, nature);
        }
        let nature = self.nature(self.unit);
        for (q, value) in point.quantiles().take(8) {
            let name = format!("p{}", q * 100.0);
            self.observe(&own, &name, Point::new(point.time(), value), nature);
        }
    }

    fn own(&self, attributes: Attributes<'a>) -> Own<'a> {
        let add = |identity: Identity, (key, value): (&str, pdata::view::AnyValueView<'_>)| {
            identity.attribute(key, &value.to_text())
        };
        Own { id: attributes.fold(self.identity, add).finish(), attributes }
    }

    fn nature(&self, unit: Unit) -> Nature {
        let duration =
            matches!(unit, Unit::Seconds | Unit::Milliseconds | Unit::Microseconds | Unit::Nanoseconds);
        let name = self.metric.name();
        let bad = ["error", "fail", "latency", "duration", "restart", "throttl", "dropped", "oom"];
        let up = duration || bad.iter().any(|word| name.contains(word));
        let direction = if up { Direction::Up } else { Direction::Both };
        Nature { direction, unit_floor: unit.floor(), unit }
    }

    fn observe(&mut self, own: &Own<'a>, statistic: &str, point: Point, nature: Nature) {
        let id = Identity::new().number(own.id).text(statistic).finish();
        let attributes = own.attributes;
        let (resource, metric) = (self.resource, self.metric.name());
        let label = || {
            let name = if statistic.is_empty() { metric.to_owned() } else { format!("{metric}:{statistic}") };
            let mut own: Vec<(Box<str>, Box<str>)> =
                attributes.map(|(key, value)| (Box::from(key), Box::from(&*value.to_text()))).collect();
            own.sort_unstable();
            let subject = subject(metric, statistic, &own);
            let attributes = resource.identifying().chain(own).collect();
            let (service, source) = (Arc::clone(&resource.service), Source::Metric);
            Label { service, source, name: name.into(), subject: subject.into(), attributes, nature }
        };
        let scored = self.into.series.observe(id, label, point, self.into.findings);
        if let Some(scored) = scored {
            let Point { time, value, .. } = point;
            self.into.readings.push(Reading { id, time, value, surprise: scored.surprise, nature });
        }
    }
}

/// A point's own attributes and the identity that they make.
struct Own<'a> {
    id: u64,
    attributes: Attributes<'a>,
}

/// When and how much, of a distribution.
struct Head {
    start: pdata::Timestamp,
    time: pdata::Timestamp,
    count: u64,
    sum: Option<f64>,
}

/// Semantic conventions and the common exporters report restarts of containers as gauges and as totals.
fn counts_restarts(metric: &str) -> bool {
    metric.contains("restart")
}

/// "p95 of http.server.request.duration (route=/cart)".
fn subject(metric: &str, statistic: &str, attributes: &[(Box<str>, Box<str>)]) -> String {
    let mut subject = match statistic {
        "" => metric.to_owned(),
        statistic if statistic.starts_with("within") => format!("{metric} {statistic}"),
        statistic => format!("{statistic} of {metric}"),
    };
    if !attributes.is_empty() {
        let pairs: Vec<String> =
            attributes.iter().take(4).map(|(key, value)| format!("{key}={value}")).collect();
        subject.push_str(&format!(" ({})", pairs.join(", ")));
    }
    subject
}

impl<'a> Resource<'a> {
    /// Reads who sent something.
    pub fn read(view: ResourceView<'a>) -> Self {
        let mut identity = Identity::new();
        let mut found: [Option<&'a str>; KEYS.len()] = [None; KEYS.len()];
        for (key, value) in view.attributes() {
            if let (Some(at), Some(value)) = (KEYS.iter().position(|known| *known == key), value.as_str()) {
                found[at] = Some(value);
                identity = identity.attribute(key, value);
            }
        }
        let name = found.iter().flatten().next().copied().unwrap_or("unknown_service");
        Self { service: Arc::from(name), identity, found }
    }

    /// What identifies it beside the service's name.
    pub fn identifying(&self) -> impl Iterator<Item = (Box<str>, Box<str>)> + '_ {
        let named = KEYS.iter().zip(self.found).skip(1);
        named.filter_map(|(key, value)| Some((Box::from(*key), Box::from(value?))))
    }
}

/// The service's name, or what comes closest.
pub fn resource_name(view: ResourceView<'_>) -> &str {
    let named = KEYS.iter().find_map(|key| view.attribute(key).and_then(pdata::view::AnyValueView::as_str));
    named.unwrap_or("unknown_service")
}

/// The attributes that tell resources apart; the first one present names the service.
pub const KEYS: [&str; 10] = [
    "service.name",
    "k8s.deployment.name",
    "host.name",
    "k8s.node.name",
    "service.namespace",
    "deployment.environment.name",
    "service.instance.id",
    "k8s.namespace.name",
    "k8s.pod.name",
    "k8s.container.name",
];
