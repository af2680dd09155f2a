//! An exponential histogram that keeps to a number of buckets by halving its resolution.

use crate::proto::metrics::ExponentialHistogramDataPoint;
use crate::proto::metrics::exponential_histogram_data_point::Buckets;

/// The finest resolution: 2^20 buckets for each power of two.
const MAX_SCALE: i32 = 20;
/// The coarsest: every finite number is in one of four buckets.
const MIN_SCALE: i32 = -10;

/// Counts observations in buckets whose bounds grow exponentially.
#[derive(Clone, Debug)]
pub struct ExponentialHistogram {
    max_size: usize,
    scale: i32,
    count: u64,
    sum: f64,
    min: f64,
    max: f64,
    zero_count: u64,
    positive: Side,
    negative: Side,
}

/// The buckets of one sign: counts from the bucket with index `offset` on.
#[derive(Clone, Debug, Default)]
struct Side {
    offset: i32,
    counts: Vec<u64>,
}

impl ExponentialHistogram {
    /// An empty one with at most `max_size` buckets for each sign, of the finest resolution.
    pub const fn new(max_size: usize) -> Self {
        Self {
            max_size,
            scale: MAX_SCALE,
            count: 0,
            sum: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            zero_count: 0,
            positive: Side { offset: 0, counts: Vec::new() },
            negative: Side { offset: 0, counts: Vec::new() },
        }
    }

    /// Counts `value`, which must be finite, `times` times.
    pub fn record(&mut self, value: f64, times: u64) {
        self.count = self.count.saturating_add(times);
        self.sum += value * times as f64;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        if value == 0.0 {
            self.zero_count = self.zero_count.saturating_add(times);
            return;
        }
        let magnitude = value.abs();
        loop {
            let index = index(magnitude, self.scale);
            let side = if value > 0.0 { &mut self.positive } else { &mut self.negative };
            let shift = side.excess(index, self.max_size);
            if shift == 0 {
                side.add(index, times);
                return;
            }
            self.halve(shift.min(self.scale - MIN_SCALE));
        }
    }

    /// Lowers the resolution by `shift` halvings.
    fn halve(&mut self, shift: i32) {
        self.scale -= shift;
        self.positive.halve(shift);
        self.negative.halve(shift);
    }

    /// The point; times and attributes are the caller's.
    pub fn into_point(self) -> ExponentialHistogramDataPoint {
        ExponentialHistogramDataPoint {
            count: self.count,
            sum: Some(self.sum),
            min: Some(self.min).filter(|min| min.is_finite()),
            max: Some(self.max).filter(|max| max.is_finite()),
            scale: self.scale,
            zero_count: self.zero_count,
            positive: Some(self.positive.into_buckets()),
            negative: Some(self.negative.into_buckets()),
            ..ExponentialHistogramDataPoint::default()
        }
    }
}

impl Side {
    /// By how many halvings the buckets must shrink for `index` to fit; 0 if it does.
    fn excess(&self, index: i32, max_size: usize) -> i32 {
        let last = self.offset.saturating_add_unsigned(self.counts.len() as u32).saturating_sub(1);
        let (mut low, mut high) =
            if self.counts.is_empty() { (index, index) } else { (self.offset.min(index), last.max(index)) };
        let mut shift = 0;
        while i64::from(high) - i64::from(low) >= max_size as i64 {
            (low, high) = (low >> 1, high >> 1);
            shift += 1;
        }
        shift
    }

    fn add(&mut self, index: i32, times: u64) {
        if self.counts.is_empty() {
            self.offset = index;
        }
        if index < self.offset {
            let before = self.offset.abs_diff(index) as usize;
            self.counts.splice(0..0, std::iter::repeat_n(0, before));
            self.offset = index;
        }
        let at = index.abs_diff(self.offset) as usize;
        if at >= self.counts.len() {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] = self.counts[at].saturating_add(times);
    }

    fn halve(&mut self, shift: i32) {
        if self.counts.is_empty() {
            return;
        }
        let old = std::mem::take(&mut self.counts);
        let offset = self.offset;
        for (i, count) in old.into_iter().enumerate() {
            if count > 0 {
                self.add(offset.saturating_add_unsigned(i as u32) >> shift, count);
            }
        }
    }

    fn into_buckets(self) -> Buckets {
        Buckets { offset: self.offset, bucket_counts: self.counts }
    }
}

/// The bucket of a positive number: bucket `i` holds (base^i, base^(i+1)] with base = 2^(2^-scale).
fn index(value: f64, scale: i32) -> i32 {
    const MANTISSA_BITS: u32 = 52;
    let bits = value.to_bits();
    let mantissa = bits & ((1 << MANTISSA_BITS) - 1);
    let biased = (bits >> MANTISSA_BITS) as i32;
    // A subnormal number is below every bucket that is told apart: it goes with the smallest normal one.
    let (exponent, is_power) = if biased == 0 { (-1022, false) } else { (biased - 1023, mantissa == 0) };
    if scale <= 0 {
        return (exponent - i32::from(is_power)) >> -scale;
    }
    if is_power {
        // Logarithms may round; powers of two must not.
        return (exponent << scale) - 1;
    }
    let normal = value.max(f64::MIN_POSITIVE);
    let fraction = normal / 2f64.powi(exponent);
    let steps = (f64::from(1i32 << scale) * fraction.log2()).ceil() as i32 - 1;
    // Rounding must not leave the power of two that the exponent says.
    (exponent << scale) + steps.clamp(0, (1 << scale) - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bound(index: i32, scale: i32) -> f64 {
        2f64.powf(f64::from(index) * 2f64.powi(-scale))
    }

    #[test]
    fn powers_of_two_are_upper_bounds() {
        for scale in [-2, -1, 0, 1, 5, 20] {
            for exponent in [-10, -1, 0, 1, 10] {
                let value = 2f64.powi(exponent);
                let at = index(value, scale);
                assert!(bound(at, scale) < value && value <= bound(at + 1, scale), "{value} at {scale}");
            }
        }
    }

    #[test]
    fn extreme_numbers_have_a_bucket() {
        let mut histogram = ExponentialHistogram::new(4);
        for value in [f64::MIN_POSITIVE, 5e-324, f64::MAX, -f64::MAX, 1.0, 0.0] {
            histogram.record(value, 1);
        }
        let point = histogram.into_point();
        assert_eq!((point.count, point.zero_count), (6, 1));
        assert_eq!(point.positive.unwrap().bucket_counts.iter().sum::<u64>(), 4);
        assert_eq!(point.negative.unwrap().bucket_counts.iter().sum::<u64>(), 1);
    }

    proptest! {
        #[test]
        fn every_observation_is_in_its_bucket(
            values in proptest::collection::vec(-1e6f64..1e6, 1..200),
            max_size in 2usize..200,
        ) {
            let mut histogram = ExponentialHistogram::new(max_size);
            values.iter().for_each(|value| histogram.record(*value, 1));
            let point = histogram.into_point();
            prop_assert_eq!(point.count, values.len() as u64);
            let positive = point.positive.unwrap();
            prop_assert!(positive.bucket_counts.len() <= max_size);
            for (i, count) in positive.bucket_counts.iter().enumerate() {
                let at = positive.offset + i as i32;
                let (low, high) = (bound(at, point.scale), bound(at + 1, point.scale));
                // Bounds are computed with rounding.
                let slack = 1e-9;
                let sure = values.iter().filter(|v| **v > low * (1.0 + slack) && **v < high * (1.0 - slack)).count();
                let most = values.iter().filter(|v| **v >= low * (1.0 - slack) && **v <= high * (1.0 + slack)).count();
                prop_assert!((sure..=most).contains(&(*count as usize)), "{} of {}..{}", count, sure, most);
            }
        }
    }
}
