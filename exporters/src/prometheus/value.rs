//! Values of series, read from points.

use pdata::Timestamp;
use pdata::view::{
    Attributes, ExemplarView, ExponentialHistogramPointView, HistogramPointView, NumberPointView,
    NumberValue, SummaryPointView,
};

use super::exponential::Exponential;
use super::labels::Common;
use super::store::Dropped;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Int(i64),
    Double(f64),
    Histogram(Box<Histogram>),
    Summary(Box<Summary>),
}

/// Counts in buckets.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Histogram {
    pub(super) count: u64,
    pub(super) sum: Option<f64>,
    pub(super) buckets: Buckets,
}

/// How a histogram is divided.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Buckets {
    /// Upper bounds; there is one more count than bounds, or there are neither.
    Explicit {
        bounds: Vec<f64>,
        counts: Vec<u64>,
    },
    Exponential(Exponential),
}

/// Quantiles.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Summary {
    pub(super) count: u64,
    pub(super) sum: f64,
    /// Quantile and value.
    pub(super) quantiles: Vec<(f64, f64)>,
}

/// An example of what was counted.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Exemplar {
    /// As text.
    pub(super) labels: String,
    pub(super) value: f64,
    pub(super) time: Timestamp,
}

/// The most exemplars that are kept of one series.
const MOST_EXEMPLARS: usize = 64;
/// The most characters of an exemplar's labels, names and values, that OpenMetrics allows.
const MOST_EXEMPLAR_CHARACTERS: usize = 128;

impl Value {
    /// The sum of two values; `None` if they cannot be added.
    pub(super) fn plus(&self, other: &Self) -> Option<Self> {
        Some(match (self, other) {
            (Self::Int(a), Self::Int(b)) => {
                a.checked_add(*b).map_or(Self::Double(*a as f64 + *b as f64), Self::Int)
            }
            (Self::Histogram(a), Self::Histogram(b)) => Self::Histogram(Box::new(a.plus(b)?)),
            (Self::Int(_) | Self::Double(_), Self::Int(_) | Self::Double(_)) => {
                Self::Double(self.number()? + other.number()?)
            }
            _ => return None,
        })
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Double(number) => Some(*number),
            Self::Histogram(_) | Self::Summary(_) => None,
        }
    }
}

/// What the points of all types have.
pub(super) struct Head<'a> {
    pub(super) attributes: Attributes<'a>,
    pub(super) start: Timestamp,
    pub(super) time: Timestamp,
    /// Whether it says that its series has ended.
    pub(super) is_end: bool,
}

/// A point of any type.
pub(super) trait Point<'a>: Copy {
    /// What all have.
    fn head(self) -> Head<'a>;

    /// Its value, unless it contradicts itself.
    fn value(self) -> Result<Value, Dropped>;

    /// Its exemplars that OpenMetrics can show, oldest first.
    fn exemplars(self) -> Vec<Exemplar>;
}

impl<'a> Point<'a> for NumberPointView<'a> {
    fn head(self) -> Head<'a> {
        let (start, time) = (self.start_time(), self.time());
        Head { attributes: self.attributes(), start, time, is_end: self.no_recorded_value() }
    }

    fn value(self) -> Result<Value, Dropped> {
        match NumberPointView::value(self) {
            Some(NumberValue::Int(number)) => Ok(Value::Int(number)),
            Some(NumberValue::Double(number)) => Ok(Value::Double(number)),
            None => Err(Dropped::Malformed),
        }
    }

    fn exemplars(self) -> Vec<Exemplar> {
        exemplars(NumberPointView::exemplars(self))
    }
}

impl<'a> Point<'a> for HistogramPointView<'a> {
    fn head(self) -> Head<'a> {
        let (start, time) = (self.start_time(), self.time());
        Head { attributes: self.attributes(), start, time, is_end: self.no_recorded_value() }
    }

    fn value(self) -> Result<Value, Dropped> {
        let bounds: Vec<_> = self.explicit_bounds().collect();
        let counts: Vec<_> = self.bucket_counts().collect();
        let fits = counts.len() == bounds.len() + 1 || (counts.is_empty() && bounds.is_empty());
        let ascends = bounds.is_sorted_by(|a, b| a < b) && bounds.iter().all(|bound| bound.is_finite());
        if !fits || !ascends {
            return Err(Dropped::Malformed);
        }
        let buckets = Buckets::Explicit { bounds, counts };
        Ok(Value::Histogram(Box::new(Histogram { count: self.count(), sum: self.sum(), buckets })))
    }

    fn exemplars(self) -> Vec<Exemplar> {
        exemplars(HistogramPointView::exemplars(self))
    }
}

impl<'a> Point<'a> for ExponentialHistogramPointView<'a> {
    fn head(self) -> Head<'a> {
        let (start, time) = (self.start_time(), self.time());
        Head { attributes: self.attributes(), start, time, is_end: self.no_recorded_value() }
    }

    fn value(self) -> Result<Value, Dropped> {
        let buckets = Buckets::Exponential(Exponential::of(self));
        Ok(Value::Histogram(Box::new(Histogram { count: self.count(), sum: self.sum(), buckets })))
    }

    fn exemplars(self) -> Vec<Exemplar> {
        exemplars(ExponentialHistogramPointView::exemplars(self))
    }
}

impl<'a> Point<'a> for SummaryPointView<'a> {
    fn head(self) -> Head<'a> {
        let (start, time) = (self.start_time(), self.time());
        Head { attributes: self.attributes(), start, time, is_end: self.no_recorded_value() }
    }

    fn value(self) -> Result<Value, Dropped> {
        let mut quantiles: Vec<_> = self.quantiles().filter(|(quantile, _)| !quantile.is_nan()).collect();
        quantiles.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        quantiles.dedup_by(|(a, _), (b, _)| a == b);
        Ok(Value::Summary(Box::new(Summary { count: self.count(), sum: self.sum(), quantiles })))
    }

    fn exemplars(self) -> Vec<Exemplar> {
        Vec::new()
    }
}

impl Histogram {
    fn plus(&self, other: &Self) -> Option<Self> {
        let buckets = match (&self.buckets, &other.buckets) {
            (Buckets::Explicit { bounds, counts }, Buckets::Explicit { bounds: theirs, counts: more })
                if bounds == theirs && counts.len() == more.len() =>
            {
                let counts = counts.iter().zip(more).map(|(a, b)| a.saturating_add(*b)).collect();
                Buckets::Explicit { bounds: bounds.clone(), counts }
            }
            (Buckets::Exponential(mine), Buckets::Exponential(theirs)) => {
                Buckets::Exponential(mine.plus(theirs))
            }
            _ => return None,
        };
        let sum = self.sum.zip(other.sum).map(|(a, b)| a + b);
        Some(Self { count: self.count.saturating_add(other.count), sum, buckets })
    }

    /// The upper bounds with cumulative counts, ascending, without the last one, which is infinite.
    pub(super) fn cumulative(&self) -> Vec<(f64, u64)> {
        match &self.buckets {
            Buckets::Exponential(exponential) => exponential.cumulative(),
            Buckets::Explicit { bounds, counts } => {
                let mut total = 0u64;
                let pairs = bounds.iter().zip(counts);
                pairs
                    .map(|(bound, count)| {
                        total = total.saturating_add(*count);
                        (*bound, total)
                    })
                    .collect()
            }
        }
    }
}

fn exemplars<'a>(views: impl Iterator<Item = ExemplarView<'a>>) -> Vec<Exemplar> {
    let mut exemplars: Vec<_> = views.filter_map(exemplar).collect();
    exemplars.sort_by_key(|exemplar| exemplar.time);
    exemplars.split_off(exemplars.len().saturating_sub(MOST_EXEMPLARS))
}

fn exemplar(view: ExemplarView<'_>) -> Option<Exemplar> {
    let value = view.value()?.as_f64();
    let mut ids = Common::default();
    for (name, id) in [("trace_id", view.trace_id()), ("span_id", view.span_id())] {
        let text: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        ids.add(name, &text, true);
    }
    let mut labels = String::new();
    ids.write(&mut labels, view.attributes(), "");
    if labels.chars().count() > MOST_EXEMPLAR_CHARACTERS {
        // The ids are what an exemplar is for.
        ids.write_alone(&mut labels);
    }
    let fits = labels.chars().count() <= MOST_EXEMPLAR_CHARACTERS;
    fits.then_some(Exemplar { labels, value, time: view.time() })
}
