//! Metrics, read in place.

use std::marker::PhantomData;

use super::points::Point;
use super::{
    Attributes, ExponentialHistogramPointView, HistogramPointView, Item, NumberPointView, SummaryPointView,
};
use crate::wire::{Fields, Repeated, Slices, Value, text};

/// What shape a metric has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MetricKind {
    /// No data at all.
    #[default]
    Empty,
    /// A value that goes up and down.
    Gauge,
    /// A running total or its steps.
    Sum,
    /// Counts in explicit buckets.
    Histogram,
    /// Counts in exponential buckets.
    ExponentialHistogram,
    /// Quantiles that the sender computed.
    Summary,
}

/// What a sum or a histogram counts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Temporality {
    /// The sender did not say, or it has no meaning for this kind of metric.
    #[default]
    Unspecified,
    /// From the previous point.
    Delta,
    /// From the start time.
    Cumulative,
}

impl Temporality {
    /// From OTLP's number; numbers that OTLP does not have count as unspecified.
    pub const fn from_number(number: i32) -> Self {
        match number {
            1 => Self::Delta,
            2 => Self::Cumulative,
            _ => Self::Unspecified,
        }
    }
}

/// Points of gauges and sums.
pub type NumberPoints<'a> = Points<'a, NumberPointView<'a>>;
/// Points of histograms.
pub type HistogramPoints<'a> = Points<'a, HistogramPointView<'a>>;
/// Points of exponential histograms.
pub type ExponentialHistogramPoints<'a> = Points<'a, ExponentialHistogramPointView<'a>>;
/// Points of summaries.
pub type SummaryPoints<'a> = Points<'a, SummaryPointView<'a>>;

/// A metric.
#[derive(Clone, Copy, Debug, Default)]
pub struct MetricView<'a> {
    kind: MetricKind,
    name: &'a [u8],
    description: &'a [u8],
    unit: &'a [u8],
    data: &'a [u8],
    bytes: &'a [u8],
}

impl<'a> Item<'a> for MetricView<'a> {
    fn read(bytes: &'a [u8]) -> Self {
        let mut metric = Self { bytes, ..Self::default() };
        for field in Fields::of(bytes) {
            let (kind, data) = match field {
                (1, Value::Bytes(text)) => {
                    metric.name = text;
                    continue;
                }
                (2, Value::Bytes(text)) => {
                    metric.description = text;
                    continue;
                }
                (3, Value::Bytes(text)) => {
                    metric.unit = text;
                    continue;
                }
                (5, Value::Bytes(data)) => (MetricKind::Gauge, data),
                (7, Value::Bytes(data)) => (MetricKind::Sum, data),
                (9, Value::Bytes(data)) => (MetricKind::Histogram, data),
                (10, Value::Bytes(data)) => (MetricKind::ExponentialHistogram, data),
                (11, Value::Bytes(data)) => (MetricKind::Summary, data),
                _ => continue,
            };
            (metric.kind, metric.data) = (kind, data);
        }
        metric
    }
}

impl<'a> MetricView<'a> {
    /// The name.
    pub fn name(self) -> &'a str {
        text(self.name)
    }

    /// What it means, for people.
    pub fn description(self) -> &'a str {
        text(self.description)
    }

    /// The unit, as UCUM writes it.
    pub fn unit(self) -> &'a str {
        text(self.unit)
    }

    /// What else the sender says about it.
    pub const fn metadata(self) -> Attributes<'a> {
        Attributes::new(Repeated::within(self.bytes), 12)
    }

    /// What shape it has.
    pub const fn kind(self) -> MetricKind {
        self.kind
    }

    /// What its points count from; unspecified for gauges and summaries.
    pub fn temporality(self) -> Temporality {
        Temporality::from_number(self.temporality_number())
    }

    /// The temporality's number as it was sent; 0 for gauges and summaries.
    pub fn temporality_number(self) -> i32 {
        match self.kind {
            MetricKind::Sum | MetricKind::Histogram | MetricKind::ExponentialHistogram => {
                self.last_varint(2).unwrap_or_default() as i32
            }
            MetricKind::Empty | MetricKind::Gauge | MetricKind::Summary => 0,
        }
    }

    /// Whether it is a sum that never goes down.
    pub fn is_monotonic(self) -> bool {
        self.kind == MetricKind::Sum && self.last_varint(3).is_some_and(|number| number != 0)
    }

    fn last_varint(self, wanted: u32) -> Option<u64> {
        let mut last = None;
        for field in Fields::of(self.data) {
            if let (tag, Value::Varint(number)) = field
                && tag == wanted
            {
                last = Some(number);
            }
        }
        last
    }

    /// The points of a gauge or a sum; none for other kinds.
    pub fn number_points(self) -> NumberPoints<'a> {
        self.points_if(matches!(self.kind, MetricKind::Gauge | MetricKind::Sum))
    }

    /// The points of a histogram; none for other kinds.
    pub fn histogram_points(self) -> HistogramPoints<'a> {
        self.points_if(self.kind == MetricKind::Histogram)
    }

    /// The points of an exponential histogram; none for other kinds.
    pub fn exponential_histogram_points(self) -> ExponentialHistogramPoints<'a> {
        self.points_if(self.kind == MetricKind::ExponentialHistogram)
    }

    /// The points of a summary; none for other kinds.
    pub fn summary_points(self) -> SummaryPoints<'a> {
        self.points_if(self.kind == MetricKind::Summary)
    }

    /// How many points it has, of whatever kind.
    pub fn points(self) -> usize {
        Repeated::within(self.data).slices(1).count()
    }

    const fn points_if<P>(self, of_this_kind: bool) -> Points<'a, P> {
        let data: &[u8] = if of_this_kind { self.data } else { &[] };
        Points { slices: Repeated::within(data).slices(1), point: PhantomData }
    }

    /// The encoded metric.
    pub const fn bytes(self) -> &'a [u8] {
        self.bytes
    }
}

/// A metric's points, in order.
#[derive(Clone, Copy, Debug)]
pub struct Points<'a, P> {
    slices: Slices<'a>,
    point: PhantomData<P>,
}

impl<'a, P: Point<'a>> Iterator for Points<'a, P> {
    type Item = P;

    #[inline]
    fn next(&mut self) -> Option<P> {
        self.slices.next().map(P::read)
    }
}
