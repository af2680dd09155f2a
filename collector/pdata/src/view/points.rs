//! Data points, read in place.

use super::{AnyValueView, Attributes, ExemplarView, NumberValue};
use crate::Timestamp;
use crate::wire::{Extent, Fields, Repeated, Value, zigzag32};

/// A data point of some kind.
pub trait Point<'a>: Copy {
    /// Reads the point's own fields.
    #[doc(hidden)]
    fn read(bytes: &'a [u8]) -> Self;
}

/// What all points have.
macro_rules! point_accessors {
    ($attributes:literal) => {
        /// When it was measured.
        pub const fn time(self) -> Timestamp {
            Timestamp(self.time)
        }

        /// Since when it counts; zero if unknown.
        pub const fn start_time(self) -> Timestamp {
            Timestamp(self.start_time)
        }

        /// The flags as they were sent.
        pub const fn flags(self) -> u32 {
            self.flags
        }

        /// Whether the point only says that there is no value any more (Prometheus calls it staleness).
        pub const fn no_recorded_value(self) -> bool {
            self.flags & 1 != 0
        }

        /// The attributes.
        pub const fn attributes(self) -> Attributes<'a> {
            Attributes::new(self.attributes, $attributes)
        }

        /// The first attribute with this key.
        pub fn attribute(self, key: &str) -> Option<AnyValueView<'a>> {
            self.attributes().get(key)
        }

        /// The encoded point.
        pub const fn bytes(self) -> &'a [u8] {
            self.bytes
        }
    };
}

/// A point of a gauge or a sum.
#[derive(Clone, Copy, Debug, Default)]
pub struct NumberPointView<'a> {
    time: u64,
    start_time: u64,
    value: Option<NumberValue>,
    flags: u32,
    attributes: Repeated<'a>,
    exemplars: Repeated<'a>,
    bytes: &'a [u8],
}

impl<'a> Point<'a> for NumberPointView<'a> {
    fn read(bytes: &'a [u8]) -> Self {
        let mut point = Self { bytes, ..Self::default() };
        let [mut attributes, mut exemplars] = [Extent::default(); 2];
        let mut fields = Fields::of(bytes);
        loop {
            let before = fields.remaining();
            let Some(field) = fields.next() else { break };
            match field {
                (2, Value::Fixed64(nanos)) => point.start_time = nanos,
                (3, Value::Fixed64(nanos)) => point.time = nanos,
                (4, Value::Fixed64(bits)) => point.value = Some(NumberValue::Double(f64::from_bits(bits))),
                (5, Value::Bytes(_)) => exemplars.add(bytes.len(), before, fields.remaining()),
                (6, Value::Fixed64(bits)) => point.value = Some(NumberValue::Int(bits.cast_signed())),
                (7, Value::Bytes(_)) => attributes.add(bytes.len(), before, fields.remaining()),
                (8, Value::Varint(flags)) => point.flags = flags as u32,
                _ => {}
            }
        }
        point.attributes = attributes.of(bytes);
        point.exemplars = exemplars.of(bytes);
        point
    }
}

impl<'a> NumberPointView<'a> {
    point_accessors!(7);

    /// The value, if there is one.
    pub const fn value(self) -> Option<NumberValue> {
        self.value
    }

    /// Single measurements that stand for the rest.
    pub fn exemplars(self) -> impl Iterator<Item = ExemplarView<'a>> + Clone {
        self.exemplars.slices(5).map(ExemplarView::read)
    }
}

/// A point of a histogram.
#[derive(Clone, Copy, Debug, Default)]
pub struct HistogramPointView<'a> {
    time: u64,
    start_time: u64,
    count: u64,
    sum: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
    flags: u32,
    attributes: Repeated<'a>,
    bucket_counts: Repeated<'a>,
    explicit_bounds: Repeated<'a>,
    exemplars: Repeated<'a>,
    bytes: &'a [u8],
}

impl<'a> Point<'a> for HistogramPointView<'a> {
    fn read(bytes: &'a [u8]) -> Self {
        let mut point = Self { bytes, ..Self::default() };
        let [mut attributes, mut counts, mut bounds, mut exemplars] = [Extent::default(); 4];
        let mut fields = Fields::of(bytes);
        loop {
            let before = fields.remaining();
            let Some(field) = fields.next() else { break };
            match field {
                (2, Value::Fixed64(nanos)) => point.start_time = nanos,
                (3, Value::Fixed64(nanos)) => point.time = nanos,
                (4, Value::Fixed64(count)) => point.count = count,
                (5, Value::Fixed64(bits)) => point.sum = Some(f64::from_bits(bits)),
                (6, _) => counts.add(bytes.len(), before, fields.remaining()),
                (7, _) => bounds.add(bytes.len(), before, fields.remaining()),
                (8, Value::Bytes(_)) => exemplars.add(bytes.len(), before, fields.remaining()),
                (9, Value::Bytes(_)) => attributes.add(bytes.len(), before, fields.remaining()),
                (10, Value::Varint(flags)) => point.flags = flags as u32,
                (11, Value::Fixed64(bits)) => point.min = Some(f64::from_bits(bits)),
                (12, Value::Fixed64(bits)) => point.max = Some(f64::from_bits(bits)),
                _ => {}
            }
        }
        point.attributes = attributes.of(bytes);
        point.bucket_counts = counts.of(bytes);
        point.explicit_bounds = bounds.of(bytes);
        point.exemplars = exemplars.of(bytes);
        point
    }
}

impl<'a> HistogramPointView<'a> {
    point_accessors!(9);

    /// How many values were measured.
    pub const fn count(self) -> u64 {
        self.count
    }

    /// Their sum, if it is known.
    pub const fn sum(self) -> Option<f64> {
        self.sum
    }

    /// The least of them, if it is known.
    pub const fn min(self) -> Option<f64> {
        self.min
    }

    /// The greatest of them, if it is known.
    pub const fn max(self) -> Option<f64> {
        self.max
    }

    /// How many values fell into each bucket: one more than there are bounds, or none.
    pub fn bucket_counts(self) -> impl Iterator<Item = u64> + Clone {
        self.bucket_counts.fixed64s(6)
    }

    /// Upper ends of the buckets but the last; a bucket holds its upper end.
    pub fn explicit_bounds(self) -> impl Iterator<Item = f64> + Clone {
        self.explicit_bounds.fixed64s(7).map(f64::from_bits)
    }

    /// Single measurements that stand for the rest.
    pub fn exemplars(self) -> impl Iterator<Item = ExemplarView<'a>> + Clone {
        self.exemplars.slices(8).map(ExemplarView::read)
    }
}

/// A point of an exponential histogram.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExponentialHistogramPointView<'a> {
    time: u64,
    start_time: u64,
    count: u64,
    zero_count: u64,
    sum: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
    zero_threshold: f64,
    scale: i32,
    flags: u32,
    positive: Option<BucketsView<'a>>,
    negative: Option<BucketsView<'a>>,
    attributes: Repeated<'a>,
    exemplars: Repeated<'a>,
    bytes: &'a [u8],
}

impl<'a> Point<'a> for ExponentialHistogramPointView<'a> {
    fn read(bytes: &'a [u8]) -> Self {
        let mut point = Self { bytes, ..Self::default() };
        let [mut attributes, mut exemplars] = [Extent::default(); 2];
        let mut fields = Fields::of(bytes);
        loop {
            let before = fields.remaining();
            let Some(field) = fields.next() else { break };
            match field {
                (1, Value::Bytes(_)) => attributes.add(bytes.len(), before, fields.remaining()),
                (2, Value::Fixed64(nanos)) => point.start_time = nanos,
                (3, Value::Fixed64(nanos)) => point.time = nanos,
                (4, Value::Fixed64(count)) => point.count = count,
                (5, Value::Fixed64(bits)) => point.sum = Some(f64::from_bits(bits)),
                (6, Value::Varint(scale)) => point.scale = zigzag32(scale),
                (7, Value::Fixed64(count)) => point.zero_count = count,
                (8, Value::Bytes(bytes)) => point.positive = Some(BucketsView { bytes }),
                (9, Value::Bytes(bytes)) => point.negative = Some(BucketsView { bytes }),
                (10, Value::Varint(flags)) => point.flags = flags as u32,
                (11, Value::Bytes(_)) => exemplars.add(bytes.len(), before, fields.remaining()),
                (12, Value::Fixed64(bits)) => point.min = Some(f64::from_bits(bits)),
                (13, Value::Fixed64(bits)) => point.max = Some(f64::from_bits(bits)),
                (14, Value::Fixed64(bits)) => point.zero_threshold = f64::from_bits(bits),
                _ => {}
            }
        }
        point.attributes = attributes.of(bytes);
        point.exemplars = exemplars.of(bytes);
        point
    }
}

impl<'a> ExponentialHistogramPointView<'a> {
    point_accessors!(1);

    /// How many values were measured.
    pub const fn count(self) -> u64 {
        self.count
    }

    /// How many of them were zero, or as good as zero.
    pub const fn zero_count(self) -> u64 {
        self.zero_count
    }

    /// Up to which magnitude a value counts as zero.
    pub const fn zero_threshold(self) -> f64 {
        self.zero_threshold
    }

    /// The buckets' bounds are powers of 2^(2^-scale).
    pub const fn scale(self) -> i32 {
        self.scale
    }

    /// Their sum, if it is known.
    pub const fn sum(self) -> Option<f64> {
        self.sum
    }

    /// The least of them, if it is known.
    pub const fn min(self) -> Option<f64> {
        self.min
    }

    /// The greatest of them, if it is known.
    pub const fn max(self) -> Option<f64> {
        self.max
    }

    /// Buckets of positive values, if there are any.
    pub const fn positive(self) -> Option<BucketsView<'a>> {
        self.positive
    }

    /// Buckets of negative values, by magnitude, if there are any.
    pub const fn negative(self) -> Option<BucketsView<'a>> {
        self.negative
    }

    /// Single measurements that stand for the rest.
    pub fn exemplars(self) -> impl Iterator<Item = ExemplarView<'a>> + Clone {
        self.exemplars.slices(11).map(ExemplarView::read)
    }
}

/// A run of exponential buckets.
#[derive(Clone, Copy, Debug)]
pub struct BucketsView<'a> {
    bytes: &'a [u8],
}

impl BucketsView<'_> {
    /// The index of the first bucket.
    pub fn offset(self) -> i32 {
        let mut offset = 0;
        for field in Fields::of(self.bytes) {
            if let (1, Value::Varint(number)) = field {
                offset = zigzag32(number);
            }
        }
        offset
    }

    /// How many values fell into each bucket.
    pub fn bucket_counts(self) -> impl Iterator<Item = u64> + Clone {
        Repeated::within(self.bytes).varints(2)
    }
}

/// A point of a summary.
#[derive(Clone, Copy, Debug, Default)]
pub struct SummaryPointView<'a> {
    time: u64,
    start_time: u64,
    count: u64,
    sum: f64,
    flags: u32,
    attributes: Repeated<'a>,
    quantiles: Repeated<'a>,
    bytes: &'a [u8],
}

impl<'a> Point<'a> for SummaryPointView<'a> {
    fn read(bytes: &'a [u8]) -> Self {
        let mut point = Self { bytes, ..Self::default() };
        let [mut attributes, mut quantiles] = [Extent::default(); 2];
        let mut fields = Fields::of(bytes);
        loop {
            let before = fields.remaining();
            let Some(field) = fields.next() else { break };
            match field {
                (2, Value::Fixed64(nanos)) => point.start_time = nanos,
                (3, Value::Fixed64(nanos)) => point.time = nanos,
                (4, Value::Fixed64(count)) => point.count = count,
                (5, Value::Fixed64(bits)) => point.sum = f64::from_bits(bits),
                (6, Value::Bytes(_)) => quantiles.add(bytes.len(), before, fields.remaining()),
                (7, Value::Bytes(_)) => attributes.add(bytes.len(), before, fields.remaining()),
                (8, Value::Varint(flags)) => point.flags = flags as u32,
                _ => {}
            }
        }
        point.attributes = attributes.of(bytes);
        point.quantiles = quantiles.of(bytes);
        point
    }
}

impl<'a> SummaryPointView<'a> {
    point_accessors!(7);

    /// How many values were measured.
    pub const fn count(self) -> u64 {
        self.count
    }

    /// Their sum.
    pub const fn sum(self) -> f64 {
        self.sum
    }

    /// Pairs of quantile, in [0, 1], and value.
    pub fn quantiles(self) -> impl Iterator<Item = (f64, f64)> + Clone {
        self.quantiles.slices(6).map(|bytes| {
            let (mut quantile, mut value) = (0.0, 0.0);
            for field in Fields::of(bytes) {
                match field {
                    (1, Value::Fixed64(bits)) => quantile = f64::from_bits(bits),
                    (2, Value::Fixed64(bits)) => value = f64::from_bits(bits),
                    _ => {}
                }
            }
            (quantile, value)
        })
    }
}
