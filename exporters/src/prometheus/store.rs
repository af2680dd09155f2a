//! What is shown: the latest state of every series, within bounds.
//!
//! In: points in the form of [`Update`]. Out: families with their series. Deltas are added up, what is older than what
//! is known is refused, series that get nothing for long go.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use pdata::Timestamp;

use super::value::{Exemplar, Value};

/// A metric's type, as Prometheus has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Summary,
    Info,
    StateSet,
    Unknown,
}

/// A metric, without its series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Metric {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) help: String,
    /// As a word; empty for none.
    pub(super) unit: String,
}

/// A point.
#[derive(Clone, Debug)]
pub(super) struct Update {
    pub(super) value: Value,
    /// Whether the value is to be added to what is known.
    pub(super) is_delta: bool,
    pub(super) start: Timestamp,
    pub(super) time: Timestamp,
    pub(super) exemplars: Vec<Exemplar>,
}

/// The state of one series.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) value: Value,
    is_delta: bool,
    pub(super) start: Timestamp,
    pub(super) time: Timestamp,
    updated: Timestamp,
    pub(super) exemplars: Vec<Exemplar>,
}

/// A metric with its series, by their labels.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) metric: Metric,
    pub(super) series: HashMap<Box<str>, Series, RandomState>,
}

/// What a resource tells of itself.
#[derive(Debug)]
pub(super) struct TargetInfo {
    pub(super) labels: String,
    pub(super) time: Timestamp,
    updated: Timestamp,
}

/// Why a point is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Dropped {
    #[error("its name belongs to a metric of another type")]
    TypeConflict,
    #[error("it is not newer than the last point of its series")]
    OutOfOrder,
    #[error("there are `max_series` series")]
    TooManySeries,
    #[error("it has no form in Prometheus's formats")]
    Unsupported,
    #[error("it contradicts itself")]
    Malformed,
}

impl Dropped {
    pub(super) const ALL: [Self; 5] =
        [Self::TypeConflict, Self::OutOfOrder, Self::TooManySeries, Self::Unsupported, Self::Malformed];

    /// The value of the label `reason`.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::TypeConflict => "type_conflict",
            Self::OutOfOrder => "out_of_order",
            Self::TooManySeries => "too_many_series",
            Self::Unsupported => "unsupported",
            Self::Malformed => "malformed",
        }
    }
}

/// Everything that is shown.
#[derive(Debug)]
pub(super) struct Store {
    families: BTreeMap<Arc<str>, Family>,
    /// Names of samples, with the family that has them.
    taken: HashMap<String, Arc<str>, RandomState>,
    targets: HashMap<String, TargetInfo, RandomState>,
    n_series: usize,
    max_series: usize,
    expiration: Duration,
    expired: Timestamp,
}

/// Making room looks at every series, so it happens at most this often.
const BETWEEN_CLEANINGS: Duration = Duration::from_secs(1);
/// The metric that describes targets.
pub(super) const TARGET_INFO: &str = "target_info";

impl Store {
    pub(super) fn new(max_series: usize, expiration: Duration) -> Self {
        let taken = std::iter::once((TARGET_INFO.to_owned(), Arc::from(TARGET_INFO))).collect();
        Self {
            families: BTreeMap::new(),
            taken,
            targets: HashMap::default(),
            n_series: 0,
            max_series,
            expiration,
            expired: Timestamp::default(),
        }
    }

    /// The key of the family for `metric`, which it becomes if there is none yet. Help and unit stay those of the first.
    pub(super) fn family(&mut self, metric: Metric) -> Result<Arc<str>, Dropped> {
        if let Some((name, family)) = self.families.get_key_value(metric.name.as_str()) {
            let same = family.metric.kind == metric.kind;
            return if same { Ok(Arc::clone(name)) } else { Err(Dropped::TypeConflict) };
        }
        let samples = sample_names(&metric.name, metric.kind);
        if samples.iter().any(|name| self.taken.contains_key(name)) {
            return Err(Dropped::TypeConflict);
        }
        let name: Arc<str> = Arc::from(metric.name.as_str());
        self.taken.extend(samples.into_iter().map(|sample| (sample, Arc::clone(&name))));
        self.families.insert(Arc::clone(&name), Family { metric, series: HashMap::default() });
        Ok(name)
    }

    /// Brings a series up to date.
    pub(super) fn update(
        &mut self,
        family: &str,
        labels: &str,
        update: Update,
        now: Timestamp,
    ) -> Result<(), Dropped> {
        let known = self.families.get_mut(family).and_then(|known| known.series.get_mut(labels));
        if let Some(series) = known {
            return series.update(update, now);
        }
        self.make_room(now)?;
        if let Some(known) = self.families.get_mut(family) {
            known.series.insert(labels.into(), Series::new(update, now));
            self.n_series += 1;
        }
        Ok(())
    }

    /// Forgets a family that has no series.
    pub(super) fn tidy(&mut self, family: &str) {
        if self.families.get(family).is_some_and(|known| known.series.is_empty()) {
            self.families.remove(family);
            self.taken.retain(|_, owner| **owner != *family);
        }
    }

    /// Ends a series.
    pub(super) fn remove(&mut self, family: &str, labels: &str) {
        if let Some(known) = self.families.get_mut(family)
            && known.series.remove(labels).is_some()
        {
            self.n_series -= 1;
        }
    }

    /// Notes what a target tells of itself: `labels`, of which `identity` are those that say which one it is.
    pub(super) fn target(
        &mut self,
        identity: &str,
        labels: &str,
        time: Timestamp,
        now: Timestamp,
    ) -> Result<(), Dropped> {
        if let Some(known) = self.targets.get_mut(identity) {
            if known.labels != labels {
                labels.clone_into(&mut known.labels);
            }
            (known.time, known.updated) = (known.time.max(time), now);
            return Ok(());
        }
        self.make_room(now)?;
        let info = TargetInfo { labels: labels.to_owned(), time, updated: now };
        self.targets.insert(identity.to_owned(), info);
        self.n_series += 1;
        Ok(())
    }

    fn make_room(&mut self, now: Timestamp) -> Result<(), Dropped> {
        if self.n_series >= self.max_series && now.since(self.expired) >= BETWEEN_CLEANINGS {
            self.expire(now);
        }
        if self.n_series >= self.max_series { Err(Dropped::TooManySeries) } else { Ok(()) }
    }

    /// Forgets what got nothing for long, and families without series.
    pub(super) fn expire(&mut self, now: Timestamp) {
        self.expired = now;
        let expiration = self.expiration;
        let is_fresh = |updated: Timestamp| now.since(updated) < expiration;
        self.targets.retain(|_, target| is_fresh(target.updated));
        let mut n_series = self.targets.len();
        self.families.retain(|_, family| {
            // One without series is being filled.
            let is_new = family.series.is_empty();
            family.series.retain(|_, series| is_fresh(series.updated));
            n_series += family.series.len();
            is_new || !family.series.is_empty()
        });
        let families = &self.families;
        self.taken.retain(|_, family| families.contains_key(family) || **family == *TARGET_INFO);
        self.n_series = n_series;
    }

    /// How many series there are.
    pub(super) const fn len(&self) -> usize {
        self.n_series
    }

    /// The names of the families, in order.
    pub(super) fn names(&self) -> Vec<Arc<str>> {
        self.families.keys().cloned().collect()
    }

    /// A family with series.
    pub(super) fn get(&self, name: &str) -> Option<&Family> {
        self.families.get(name).filter(|family| !family.series.is_empty())
    }

    /// What targets tell of themselves, in order.
    pub(super) fn targets(&self) -> Vec<&TargetInfo> {
        let mut targets: Vec<_> = self.targets.values().collect();
        targets.sort_unstable_by(|a, b| a.labels.cmp(&b.labels));
        targets
    }
}

impl Series {
    fn new(update: Update, now: Timestamp) -> Self {
        let Update { value, is_delta, start, time, exemplars } = update;
        Self { value, is_delta, start, time, updated: now, exemplars }
    }

    fn update(&mut self, update: Update, now: Timestamp) -> Result<(), Dropped> {
        let is_timed = !update.time.is_unknown() && !self.time.is_unknown();
        let is_late = if update.is_delta { update.time <= self.time } else { update.time < self.time };
        if is_timed && is_late {
            return Err(Dropped::OutOfOrder);
        }
        let sum = if update.is_delta && self.is_delta { self.value.plus(&update.value) } else { None };
        if let Some(sum) = sum {
            self.value = sum;
        } else {
            // A first value, or one that cannot be added to what was there: counting starts anew.
            (self.value, self.start) = (update.value, update.start);
        }
        (self.is_delta, self.time, self.updated) = (update.is_delta, update.time, now);
        if !update.exemplars.is_empty() {
            self.exemplars = update.exemplars;
        }
        Ok(())
    }
}

/// The names that the samples of a metric have in the classic format.
fn sample_names(name: &str, kind: Kind) -> Vec<String> {
    let suffixes: &[&str] = match kind {
        Kind::Histogram => &["", "_bucket", "_sum", "_count"],
        Kind::Summary => &["", "_sum", "_count"],
        Kind::Counter | Kind::Gauge | Kind::Info | Kind::StateSet | Kind::Unknown => &[""],
    };
    suffixes.iter().map(|suffix| format!("{name}{suffix}")).collect()
}
