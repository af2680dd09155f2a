//! OTLP metrics to [`Update`]s of the [`Store`].

use std::collections::BTreeMap;

use pdata::view::{MetricKind, MetricView, MetricsView, ScopeMetricsView, Temporality};
use pdata::{Metrics, Timestamp};

use super::config::{Config, ResourceToTelemetry};
use super::labels::{Common, Target};
use super::names::{Naming, Suffix};
use super::store::{Dropped, Kind, Metric, Store, Update};
use super::value::{Head, Point};

/// How telemetry becomes series.
#[derive(Debug)]
pub(super) struct Converter {
    naming: Naming,
    resource_to_telemetry: ResourceToTelemetry,
    const_labels: BTreeMap<String, String>,
}

/// How many points were not taken, by reason, in the order of [`Dropped::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Losses([u64; Dropped::ALL.len()]);

impl Losses {
    fn note(&mut self, why: Dropped, points: usize) {
        for (count, reason) in self.0.iter_mut().zip(Dropped::ALL) {
            *count += if reason == why { points as u64 } else { 0 };
        }
    }

    /// The reasons with their counts.
    pub(super) fn iter(self) -> impl Iterator<Item = (Dropped, u64)> {
        Dropped::ALL.into_iter().zip(self.0)
    }
}

/// A batch on its way into the store.
struct Intake<'s> {
    store: &'s mut Store,
    losses: Losses,
    now: Timestamp,
    /// The labels of the point at hand.
    labels: String,
}

/// What is the same for all points of a metric.
struct Place<'a> {
    family: &'a str,
    common: &'a Common,
    own_label: &'static str,
    is_delta: bool,
}

impl Converter {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            naming: config.naming(),
            resource_to_telemetry: config.resource_to_telemetry_conversion.clone(),
            const_labels: config.const_labels.clone(),
        }
    }

    /// Takes a batch into the store; returns what was not taken.
    pub(super) fn take(&self, batch: &Metrics, store: &mut Store, now: Timestamp) -> Losses {
        let mut intake = Intake { store, losses: Losses::default(), now, labels: String::new() };
        self.take_view(batch.view(), &mut intake);
        intake.losses
    }

    fn take_view(&self, view: MetricsView<'_>, intake: &mut Intake<'_>) {
        for group in view.resources() {
            let resource = group.resource();
            let target = Target::of(resource);
            let mut newest = Timestamp::default();
            for scope in group.scopes() {
                let mut common = target.identity.clone();
                common.add_scope(scope.scope(), scope.schema_url());
                common.add_resource(resource, &self.resource_to_telemetry);
                common.add_constant(&self.const_labels);
                newest = newest.max(self.take_scope(scope, &common, intake));
            }
            if let Some(labels) = &target.info {
                let mut identity = String::new();
                target.identity.write_alone(&mut identity);
                if let Err(why) = intake.store.target(&identity, labels, newest, intake.now) {
                    intake.losses.note(why, 1);
                }
            }
        }
    }

    /// Returns the time of the newest point.
    fn take_scope(&self, scope: ScopeMetricsView<'_>, common: &Common, intake: &mut Intake<'_>) -> Timestamp {
        let mut newest = Timestamp::default();
        for metric in scope.metrics().filter(|metric| metric.points() > 0) {
            let (kind, suffix) = match kind_of(metric) {
                Ok(kind) => kind,
                Err(why) => {
                    intake.losses.note(why, metric.points());
                    continue;
                }
            };
            let name = self.naming.of(metric.name(), metric.unit(), suffix);
            if name.name.is_empty() {
                intake.losses.note(Dropped::Malformed, metric.points());
                continue;
            }
            // An information metric of another name would be a malformed one in OpenMetrics.
            let is_plain = kind == Kind::Info && !name.name.ends_with("_info");
            let kind = if is_plain { Kind::Gauge } else { kind };
            let help = metric.description().to_owned();
            match intake.store.family(Metric { name: name.name, kind, help, unit: name.unit }) {
                Ok(family) => {
                    newest = newest.max(intake.take_points(metric, kind, &family, common));
                    intake.store.tidy(&family);
                }
                Err(why) => intake.losses.note(why, metric.points()),
            }
        }
        newest
    }
}

/// The type of a metric, and how it shows in its name.
fn kind_of(metric: MetricView<'_>) -> Result<(Kind, Suffix), Dropped> {
    let has_temporality = metric.temporality() != Temporality::Unspecified;
    let declared = metric.metadata().get_str("prometheus.type").unwrap_or_default();
    match metric.kind() {
        MetricKind::Empty => Err(Dropped::Unsupported),
        MetricKind::Gauge if declared == "unknown" => Ok((Kind::Unknown, Suffix::None)),
        MetricKind::Gauge => Ok((Kind::Gauge, Suffix::Ratio)),
        MetricKind::Summary => Ok((Kind::Summary, Suffix::None)),
        _ if !has_temporality => Err(Dropped::Unsupported),
        MetricKind::Histogram | MetricKind::ExponentialHistogram => Ok((Kind::Histogram, Suffix::None)),
        MetricKind::Sum if metric.is_monotonic() => Ok((Kind::Counter, Suffix::Total)),
        MetricKind::Sum if declared == "info" => Ok((Kind::Info, Suffix::None)),
        MetricKind::Sum if declared == "stateset" => Ok((Kind::StateSet, Suffix::None)),
        MetricKind::Sum => Ok((Kind::Gauge, Suffix::None)),
    }
}

impl Intake<'_> {
    /// Returns the time of the newest point.
    fn take_points(
        &mut self,
        metric: MetricView<'_>,
        kind: Kind,
        family: &str,
        common: &Common,
    ) -> Timestamp {
        let own_label = match kind {
            Kind::Histogram => "le",
            Kind::Summary => "quantile",
            Kind::Counter | Kind::Gauge | Kind::Info | Kind::StateSet | Kind::Unknown => "",
        };
        let is_delta = metric.temporality() == Temporality::Delta;
        let place = Place { family, common, own_label, is_delta };
        let newest = match metric.kind() {
            MetricKind::Empty => None,
            MetricKind::Gauge | MetricKind::Sum => self.take_all(&place, metric.number_points()),
            MetricKind::Histogram => self.take_all(&place, metric.histogram_points()),
            MetricKind::ExponentialHistogram => self.take_all(&place, metric.exponential_histogram_points()),
            MetricKind::Summary => self.take_all(&place, metric.summary_points()),
        };
        newest.unwrap_or_default()
    }

    /// Returns the time of the newest point.
    fn take_all<'a, P: Point<'a>>(
        &mut self,
        place: &Place<'_>,
        points: impl Iterator<Item = P>,
    ) -> Option<Timestamp> {
        points
            .map(|point| {
                let head = point.head();
                place.common.write(&mut self.labels, head.attributes, place.own_label);
                if let Err(why) = self.take(place, point, &head) {
                    self.losses.note(why, 1);
                }
                head.time
            })
            .max()
    }

    /// Takes a point; one without a value ends its series.
    fn take<'a, P: Point<'a>>(
        &mut self,
        place: &Place<'_>,
        point: P,
        head: &Head<'_>,
    ) -> Result<(), Dropped> {
        if head.is_end {
            self.store.remove(place.family, &self.labels);
            return Ok(());
        }
        let update = Update {
            value: point.value()?,
            is_delta: place.is_delta,
            start: head.start,
            time: head.time,
            exemplars: point.exemplars(),
        };
        self.store.update(place.family, &self.labels, update, self.now)
    }
}
