//! What is remembered of a target's series between scrapes: enough for start times, resets and staleness.
//!
//! One series here is one OTLP point: a histogram with all its buckets is one. Bounded by what the target exposes: a
//! series that is missing from two scrapes in a row is forgotten.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::labels::Labels;
use super::text::MetricType;

/// What the points of a family look like in OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Shape {
    Gauge,
    /// A cumulative sum.
    Sum {
        monotonic: bool,
    },
    Histogram,
    Summary,
}

impl Shape {
    /// The shape for a declared type.
    pub(super) const fn of(kind: MetricType) -> Self {
        match kind {
            MetricType::Counter => Self::Sum { monotonic: true },
            MetricType::Info | MetricType::StateSet => Self::Sum { monotonic: false },
            MetricType::Histogram => Self::Histogram,
            MetricType::Summary => Self::Summary,
            // A gauge histogram has no form in OTLP; its samples are kept as gauges.
            MetricType::Gauge | MetricType::GaugeHistogram | MetricType::Unknown => Self::Gauge,
        }
    }

    /// Whether points count from a start time.
    const fn has_start(self) -> bool {
        matches!(self, Self::Sum { monotonic: true } | Self::Histogram | Self::Summary)
    }
}

/// A metric as it is in OTLP, without its points.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Family {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) unit: String,
    pub(super) kind: MetricType,
    pub(super) shape: Shape,
}

/// What is remembered of one series.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) family: Arc<Family>,
    /// The successful scrape that it was in last.
    seen: u64,
    /// Where it stands in the scrape `seen`.
    pub(super) slot: u32,
    start: u64,
    last: f64,
    /// Points went out, and no mark that it vanished has followed.
    live: bool,
    /// A mark goes out when it vanishes.
    tracked: bool,
}

/// Where a series is remembered.
pub(super) type SeriesId = u32;

/// What is remembered of one target.
#[derive(Debug, Default)]
pub(super) struct Memory {
    ids: HashMap<Box<[u8]>, SeriesId, RandomState>,
    series: Vec<Series>,
    free: Vec<SeriesId>,
    families: HashMap<String, Arc<Family>, RandomState>,
    /// Counts scrapes, from 1.
    scrape: u64,
}

/// Stands between the parts of a key; occurs in no UTF-8.
const SEPARATOR: u8 = 0xff;

/// Writes a series' identity: its family's name and its labels but for `except`.
pub(super) fn write_key(key: &mut Vec<u8>, family: &str, labels: &Labels<'_>, except: &str) {
    key.clear();
    key.extend_from_slice(family.as_bytes());
    for (name, value) in labels.iter().filter(|(name, _)| *name != except) {
        key.push(SEPARATOR);
        key.extend_from_slice(name.as_bytes());
        key.push(SEPARATOR);
        key.extend_from_slice(value.as_bytes());
    }
}

/// The labels in a key.
fn labels_of(key: &[u8]) -> Labels<'static> {
    let mut parts = key.split(|byte| *byte == SEPARATOR).skip(1);
    let mut labels = Labels::default();
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        // A key is made of strings.
        let text = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
        labels.set(text(name), text(value));
    }
    labels
}

impl Memory {
    /// Begins a scrape.
    pub(super) fn begin(&mut self) {
        self.scrape += 1;
    }

    /// The family, shared with the earlier scrapes if it has not changed.
    pub(super) fn family(&mut self, family: Family) -> Arc<Family> {
        if let Some(known) = self.families.get(&family.name)
            && **known == family
        {
            return Arc::clone(known);
        }
        let family = Arc::new(family);
        self.families.insert(family.name.clone(), Arc::clone(&family));
        family
    }

    /// The series with this key, and whether this scrape has it for the first time.
    pub(super) fn touch(&mut self, key: &[u8], family: &Arc<Family>, slot: u32) -> (SeriesId, Touch) {
        let scrape = self.scrape;
        if let Some(id) = self.ids.get(key) {
            let series = &mut self.series[*id as usize];
            if series.seen == scrape {
                return (*id, Touch::Again);
            }
            if series.family.shape != family.shape {
                series.start = 0;
            }
            series.family = Arc::clone(family);
            (series.seen, series.slot) = (scrape, slot);
            return (*id, Touch::Known);
        }
        let series = Series {
            family: Arc::clone(family),
            seen: scrape,
            slot,
            start: 0,
            last: 0.0,
            live: false,
            tracked: true,
        };
        let id = match self.free.pop() {
            Some(id) => {
                self.series[id as usize] = series;
                id
            }
            None => {
                self.series.push(series);
                // Series fit into a scrape's body, which is far smaller than 4 GiB of series.
                (self.series.len() - 1) as SeriesId
            }
        };
        self.ids.insert(key.into(), id);
        (id, Touch::New)
    }

    pub(super) fn get(&self, id: SeriesId) -> &Series {
        &self.series[id as usize]
    }

    /// Notes a point that goes out, and says when its count began: when the target says so (`created`), otherwise when
    /// it was first seen, or first seen after it went back.
    pub(super) fn emit(&mut self, id: SeriesId, point: Emitted) -> u64 {
        let series = &mut self.series[id as usize];
        (series.live, series.tracked) = (true, point.tracked);
        if !series.family.shape.has_start() {
            return 0;
        }
        let went_back = point.count < series.last;
        if let Some(created) = point.created {
            series.start = created;
        } else if series.start == 0 || went_back {
            series.start = point.time;
        }
        series.last = point.count;
        series.start
    }

    /// Ends a scrape that succeeded: `vanished` hears of the series that it lacks.
    pub(super) fn end(&mut self, mut vanished: impl FnMut(&Family, Labels<'static>)) {
        let (series, free, scrape) = (&mut self.series, &mut self.free, self.scrape);
        self.ids.retain(|key, id| {
            let one = &mut series[*id as usize];
            if one.seen == scrape {
                return true;
            }
            if std::mem::take(&mut one.live) && one.tracked {
                vanished(&one.family, labels_of(key));
            }
            let keep = one.seen + 1 >= scrape;
            if !keep {
                free.push(*id);
            }
            keep
        });
        if self.families.len() > self.ids.len() {
            self.families.retain(|_, family| Arc::strong_count(family) > 1);
        }
    }

    /// Ends a scrape that failed: `vanished` hears of every series. What is known of their starts is kept, for the
    /// target may be back soon.
    pub(super) fn fail(&mut self, mut vanished: impl FnMut(&Family, Labels<'static>)) {
        let scrape = self.scrape;
        self.scrape -= 1;
        for (key, id) in &self.ids {
            let one = &mut self.series[*id as usize];
            if one.seen == scrape {
                one.seen = scrape - 1;
            }
            if std::mem::take(&mut one.live) {
                vanished(&one.family, labels_of(key));
            }
        }
    }

    /// How many series are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }
}

/// How a scrape met a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Touch {
    /// It was not known.
    New,
    /// It was known from an earlier scrape.
    Known,
    /// This scrape had it already.
    Again,
}

/// A point that goes out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Emitted {
    /// When its count began, if the target says so.
    pub(super) created: Option<u64>,
    /// What must not go back: a counter's value, a histogram's or summary's count.
    pub(super) count: f64,
    /// The point's time.
    pub(super) time: u64,
    /// Whether a mark is to go out when it vanishes.
    pub(super) tracked: bool,
}
