//! Histograms to counts, means and quantiles, for explicit and exponential buckets.

use serde::{Deserialize, Serialize};

/// The counts of a histogram's buckets, in a form that can be subtracted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Buckets {
    /// Bucket `i` reaches up to `edges[i]`; the last one has no edge.
    pub counts: Vec<u64>,
    /// The layout.
    pub layout: Layout,
}

/// Where buckets begin and end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Layout {
    /// At these bounds.
    Explicit(Box<[f64]>),
    /// At powers of `2^(2^-scale)`, the first bucket at `offset`; `zeros` values lie below.
    Exponential {
        /// Resolution.
        scale: i32,
        /// Index of the first bucket.
        offset: i32,
        /// Values at or near zero.
        zeros: u64,
    },
}

impl Default for Layout {
    fn default() -> Self {
        Self::Explicit(Box::default())
    }
}

/// The finest and coarsest scales that OTLP producers use; anything else is a fault of the sender.
const SCALES: std::ops::RangeInclusive<i32> = -10..=20;
/// More buckets than anybody sends.
const MOST_BUCKETS: usize = 4096;

impl Buckets {
    /// Explicit buckets. `None` if counts and bounds do not fit or there are too many.
    pub fn explicit(counts: impl Iterator<Item = u64>, bounds: impl Iterator<Item = f64>) -> Option<Self> {
        let bounds: Box<[f64]> = bounds.take(MOST_BUCKETS + 1).collect();
        let counts: Vec<u64> = counts.take(MOST_BUCKETS + 1).collect();
        let fits = counts.len() == bounds.len() + 1 && counts.len() <= MOST_BUCKETS;
        (fits && bounds.is_sorted_by(|a, b| a < b))
            .then_some(Self { counts, layout: Layout::Explicit(bounds) })
    }

    /// Exponential buckets of positive values. `None` if the scale is out of range or there are too many.
    pub fn exponential(
        scale: i32,
        offset: i32,
        zeros: u64,
        counts: impl Iterator<Item = u64>,
    ) -> Option<Self> {
        let counts: Vec<u64> = counts.take(MOST_BUCKETS + 1).collect();
        let fits =
            SCALES.contains(&scale) && counts.len() <= MOST_BUCKETS && offset.checked_add(1 << 20).is_some();
        fits.then_some(Self { counts, layout: Layout::Exponential { scale, offset, zeros } })
    }

    /// What came on top of `before`. `None` if the two cannot be compared or a count fell: a restart.
    pub fn since(&self, before: &Self) -> Option<Self> {
        match (&self.layout, &before.layout) {
            (Layout::Explicit(now), Layout::Explicit(then)) if now == then => {
                let pairs = self.counts.iter().zip(&before.counts);
                let counts = pairs.map(|(now, then)| now.checked_sub(*then)).collect::<Option<_>>()?;
                Some(Self { counts, layout: self.layout.clone() })
            }
            (
                &Layout::Exponential { scale, offset, zeros },
                &Layout::Exponential { scale: old_scale, offset: old_offset, zeros: old_zeros },
            ) if old_scale >= scale => {
                let mut counts = self.counts.clone();
                for (index, count) in before.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                    let index = (i64::from(old_offset) + index as i64) >> (old_scale - scale);
                    let at = usize::try_from(index - i64::from(offset)).ok()?;
                    let now = counts.get_mut(at)?;
                    *now = now.checked_sub(*count)?;
                }
                let zeros = zeros.checked_sub(old_zeros)?;
                Some(Self { counts, layout: Layout::Exponential { scale, offset, zeros } })
            }
            _ => None,
        }
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        let zeros = if let Layout::Exponential { zeros, .. } = self.layout { zeros } else { 0 };
        self.counts.iter().fold(zeros, |sum, count| sum.saturating_add(*count))
    }

    /// The value below which the share `q` of all values lies, interpolated within its bucket.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let rank = q * self.count() as f64;
        let mut below = if let Layout::Exponential { zeros, .. } = self.layout { zeros as f64 } else { 0.0 };
        if self.count() == 0 {
            return None;
        }
        if rank <= below && below > 0.0 {
            return Some(0.0);
        }
        for (index, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let count = *count as f64;
            if below + count >= rank {
                return self.within(index, ((rank - below) / count).clamp(0.0, 1.0));
            }
            below += count;
        }
        None
    }

    /// The value at `share` of bucket `index`.
    fn within(&self, index: usize, share: f64) -> Option<f64> {
        let value = match &self.layout {
            Layout::Explicit(bounds) => {
                // Values beyond the last bound are known to be at least as large.
                let Some(&high) = bounds.get(index) else { return bounds.last().copied() };
                let low = index.checked_sub(1).map_or(if high > 0.0 { 0.0 } else { high }, |i| bounds[i]);
                low + share * (high - low)
            }
            Layout::Exponential { scale, offset, .. } => {
                let index = f64::from(*offset) + index as f64 + share;
                (index * f64::from(-*scale).exp2()).exp2()
            }
        };
        value.is_finite().then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn explicit(counts: &[u64]) -> Buckets {
        Buckets::explicit(counts.iter().copied(), [0.1, 0.2, 0.4].into_iter()).unwrap()
    }

    #[test]
    fn quantiles_are_interpolated() {
        let buckets = explicit(&[10, 80, 10, 0]);
        assert!((buckets.quantile(0.5).unwrap() - 0.15).abs() < 1e-9);
        assert!((buckets.quantile(0.95).unwrap() - 0.3).abs() < 1e-9);
        assert_eq!(explicit(&[0, 0, 0, 5]).quantile(0.5), Some(0.4));
        assert_eq!(explicit(&[0; 4]).quantile(0.5), None);
    }

    #[test]
    fn only_what_is_new_counts_and_a_restart_is_seen() {
        let (old, new) = (explicit(&[1, 2, 3, 4]), explicit(&[1, 12, 3, 4]));
        assert_eq!(new.since(&old).unwrap().counts, [0, 10, 0, 0]);
        assert_eq!(old.since(&new), None);
    }

    #[test]
    fn exponential_buckets_are_compared_across_scales() {
        let fine = Buckets::exponential(1, 0, 1, [1, 1, 1, 1].into_iter()).unwrap();
        let coarse = Buckets::exponential(0, 0, 1, [3, 2].into_iter()).unwrap();
        assert_eq!(coarse.since(&fine).unwrap().counts, [1, 0]);
        let value = coarse.quantile(0.99).unwrap();
        assert!((2.0..=4.0).contains(&value), "{value}");
    }

    proptest! {
        #[test]
        fn quantiles_of_any_exponential_buckets_are_ordered(
            scale in -12..22i32, offset in any::<i32>(), zeros in 0..9u64,
            counts in proptest::collection::vec(0..50u64, 0..40),
        ) {
            if let Some(buckets) = Buckets::exponential(scale, offset, zeros, counts.into_iter()) {
                let quantiles: Vec<_> = [0.5, 0.95, 0.99].iter().filter_map(|q| buckets.quantile(*q)).collect();
                prop_assert!(quantiles.is_sorted());
            }
        }
    }
}
