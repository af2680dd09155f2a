//! Exponential histograms, kept small enough to be shown as classic ones.
//!
//! Prometheus's text formats know explicit bounds only. The bounds shown are the histogram's own, powers of its base; when
//! the observations of one sign span more than [`MOST_BUCKETS`] buckets, neighbours are joined in pairs (the base is
//! squared) until they do not. Counts stay exact, only the bounds become coarser.

use pdata::view::{BucketsView, ExponentialHistogramPointView};

/// The most buckets of one sign.
const MOST_BUCKETS: i64 = 40;

/// Counts in exponential buckets.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Exponential {
    scale: i32,
    zero_count: u64,
    zero_threshold: f64,
    positive: Buckets,
    negative: Buckets,
}

/// Counts of one sign: `counts[i]` is of bucket `first + i`. Neither begins nor ends with 0.
#[derive(Clone, Debug, Default, PartialEq)]
struct Buckets {
    first: i64,
    counts: Vec<u64>,
}

/// Populated buckets, by index.
type Populated = Vec<(i64, u64)>;

impl Exponential {
    /// What a point says.
    pub(super) fn of(point: ExponentialHistogramPointView<'_>) -> Self {
        let (positive, negative) = (populated(point.positive()), populated(point.negative()));
        let threshold = point.zero_threshold();
        Self::from_parts(point.scale(), positive, negative).with_zero(
            point.zero_count(),
            if threshold.is_finite() && threshold > 0.0 { threshold } else { 0.0 },
        )
    }

    fn from_parts(scale: i32, positive: Populated, negative: Populated) -> Self {
        let shift = shift_for(&positive).max(shift_for(&negative));
        Self {
            scale: scale.saturating_sub_unsigned(shift),
            positive: Buckets::joined(positive, shift),
            negative: Buckets::joined(negative, shift),
            ..Self::default()
        }
    }

    fn with_zero(self, zero_count: u64, zero_threshold: f64) -> Self {
        Self { zero_count, zero_threshold, ..self }
    }

    /// Adds the counts of `other`.
    #[must_use]
    pub(super) fn plus(&self, other: &Self) -> Self {
        let scale = self.scale.min(other.scale);
        let sum = |mine: &Buckets, theirs: &Buckets| {
            let mut all = mine.populated_at(self.scale.abs_diff(scale));
            all.extend(theirs.populated_at(other.scale.abs_diff(scale)));
            all
        };
        let positive = sum(&self.positive, &other.positive);
        let negative = sum(&self.negative, &other.negative);
        Self::from_parts(scale, positive, negative).with_zero(
            self.zero_count.saturating_add(other.zero_count),
            self.zero_threshold.max(other.zero_threshold),
        )
    }

    /// The upper bounds with cumulative counts, ascending, without the last one, which is infinite.
    pub(super) fn cumulative(&self) -> Vec<(f64, u64)> {
        let mut total = 0u64;
        let mut out: Vec<(f64, u64)> = Vec::new();
        let mut push = |bound: f64, count: u64| {
            total = total.saturating_add(count);
            match out.last_mut() {
                // Bounds outside of what a number can be fall together.
                Some((last, cumulative)) if *last >= bound => *cumulative = total,
                _ if bound.is_finite() => out.push((bound, total)),
                _ => {}
            }
        };
        for (index, count) in self.negative.iter().rev() {
            push(-self.lower_bound(index), count);
        }
        if self.zero_count > 0 || !self.negative.counts.is_empty() {
            push(self.zero_threshold, self.zero_count);
        }
        if let Some((first, _)) = self.positive.iter().next() {
            // Where the first bucket begins, so that quantiles within it are not drawn towards zero.
            push(self.lower_bound(first), 0);
        }
        for (index, count) in self.positive.iter() {
            push(self.lower_bound(index.saturating_add(1)), count);
        }
        out
    }

    /// Where the bucket `index` begins: the base to that power.
    fn lower_bound(&self, index: i64) -> f64 {
        if index == 0 {
            return 1.0;
        }
        (index as f64 * (-f64::from(self.scale)).exp2()).exp2()
    }
}

impl Buckets {
    /// The buckets after `shift` times joining neighbours.
    fn joined(mut populated: Populated, shift: u32) -> Self {
        populated.sort_unstable_by_key(|(index, _)| *index);
        let at = |index: i64| index >> shift.min(63);
        let (Some((first, _)), Some((last, _))) = (populated.first(), populated.last()) else {
            return Self::default();
        };
        let first = at(*first);
        // At most `MOST_BUCKETS`, for that is what `shift` is for.
        let mut counts = vec![0u64; usize::try_from(at(*last) - first + 1).unwrap_or_default()];
        for (index, count) in populated {
            if let Some(slot) = usize::try_from(at(index) - first).ok().and_then(|i| counts.get_mut(i)) {
                *slot = slot.saturating_add(count);
            }
        }
        Self { first, counts }
    }

    fn iter(&self) -> impl DoubleEndedIterator<Item = (i64, u64)> {
        (self.first..)
            .zip(0..self.counts.len())
            .map(|(index, i)| (index, self.counts[i]))
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// The buckets with counts after `shift` times joining neighbours; an index may occur more than once.
    fn populated_at(&self, shift: u32) -> Populated {
        self.iter()
            .filter(|(_, count)| *count > 0)
            .map(|(index, count)| (index >> shift.min(63), count))
            .collect()
    }
}

/// How often neighbours must be joined for the buckets to be few enough.
fn shift_for(populated: &Populated) -> u32 {
    let indexes = || populated.iter().map(|(index, _)| *index);
    let (Some(first), Some(last)) = (indexes().min(), indexes().max()) else { return 0 };
    (0..64).find(|shift| (last >> shift) - (first >> shift) < MOST_BUCKETS).unwrap_or(63)
}

fn populated(buckets: Option<BucketsView<'_>>) -> Populated {
    let Some(buckets) = buckets else { return Vec::new() };
    let indexes = i64::from(buckets.offset())..;
    indexes.zip(buckets.bucket_counts()).filter(|(_, count)| *count > 0).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bounds_are_powers_of_the_base() {
        let histogram = Exponential::from_parts(0, vec![(0, 3), (2, 1)], vec![(1, 2)]).with_zero(5, 0.5);
        assert_eq!(histogram.cumulative(), [(-2.0, 2), (0.5, 7), (1.0, 7), (2.0, 10), (4.0, 10), (8.0, 11)]);
        let positive = Exponential::from_parts(1, vec![(2, 1)], Vec::new());
        assert_eq!(positive.cumulative(), [(2.0, 0), (2f64.powf(1.5), 1)]);
    }

    #[test]
    fn neighbours_are_joined_when_there_are_too_many() {
        let wide = Exponential::from_parts(3, (0..80).map(|index| (index, 1)).collect(), Vec::new());
        assert_eq!((wide.scale, wide.positive.counts.len()), (2, 40));
        assert!(wide.positive.counts.iter().all(|count| *count == 2));
        assert_eq!(wide.cumulative().last(), Some(&(1024.0, 80)));
    }

    #[test]
    fn a_sum_has_the_coarser_scale() {
        let fine = Exponential::from_parts(1, vec![(1, 1), (2, 1)], Vec::new());
        let coarse = Exponential::from_parts(0, vec![(0, 4)], Vec::new());
        let sum = fine.plus(&coarse);
        assert_eq!(sum.scale, 0);
        assert_eq!(sum.cumulative(), [(1.0, 0), (2.0, 5), (4.0, 6)]);
    }

    fn any_histogram() -> impl Strategy<Value = Exponential> {
        let buckets = || prop::collection::vec((any::<i32>().prop_map(i64::from), 1..1000u64), 0..20);
        (any::<i32>(), buckets(), buckets(), 0..1000u64).prop_map(|(scale, positive, negative, zero)| {
            Exponential::from_parts(scale, positive, negative).with_zero(zero, 0.0)
        })
    }

    proptest! {
        #[test]
        fn any_two_add_up_within_bounds(a in any_histogram(), b in any_histogram()) {
            let total = |h: &Exponential| {
                h.zero_count + h.positive.counts.iter().chain(&h.negative.counts).sum::<u64>()
            };
            let sum = a.plus(&b);
            prop_assert_eq!(total(&sum), total(&a) + total(&b));
            prop_assert!(sum.positive.counts.len() <= MOST_BUCKETS as usize);
            let shown = sum.cumulative();
            prop_assert!(shown.is_sorted_by(|(a, x), (b, y)| a < b && x <= y), "{:?}", shown);
            prop_assert!(shown.len() <= 2 * MOST_BUCKETS as usize + 2);
        }
    }
}
