//! What is counted: calls, and how long they took.

use pdata::aggregate::ExponentialHistogram;
use pdata::proto::metrics::{Exemplar, HistogramDataPoint};

use super::config::{self, Config, Unit};

/// For how many spans of a sampled trace one stands, 1 if nobody says: the inverse of the probability that the threshold in
/// `tracestate` leaves (OpenTelemetry, "TraceState: probability sampling", `th`).
pub(super) fn adjusted_count(trace_state: &str) -> f64 {
    const DIGITS: u32 = 14;
    const ALL: u64 = 1 << (4 * DIGITS);
    let members = || trace_state.split(',').filter_map(|member| member.trim().strip_prefix("ot="));
    let threshold = members().flat_map(|member| member.split(';')).find_map(|part| part.strip_prefix("th:"));
    let Some(digits) = threshold.filter(|digits| (1..=DIGITS as usize).contains(&digits.len())) else {
        return 1.0;
    };
    let number = u64::from_str_radix(digits, 16).unwrap_or(0);
    ALL as f64 / (ALL - (number << (4 * (DIGITS - digits.len() as u32)))) as f64
}

/// Whole numbers of fractions: what is left over counts the next time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Carry(f64);

impl Carry {
    /// How many whole ones `count` makes.
    pub(super) fn whole(&mut self, count: f64) -> u64 {
        if count == 1.0 {
            return 1;
        }
        self.0 += count;
        let whole = self.0.floor();
        self.0 -= whole;
        // `as` saturates.
        whole as u64
    }
}

/// A count.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Calls {
    pub(super) count: u64,
    carry: Carry,
}

impl Calls {
    /// Counts a span that stands for so many.
    pub(super) fn add(&mut self, count: f64) {
        self.count = self.count.saturating_add(self.carry.whole(count));
    }
}

/// How durations are counted.
#[derive(Clone, Debug)]
pub(super) enum Buckets {
    /// With these bounds, in the unit of the histogram.
    Explicit(Vec<f64>),
    /// With at most so many buckets.
    Exponential(usize),
}

impl Buckets {
    /// As the configuration says; `None` if it wants no histogram.
    pub(super) fn of(config: &Config) -> Option<Self> {
        let histogram = &config.histogram;
        if histogram.disable {
            return None;
        }
        if let Some(exponential) = &histogram.exponential {
            return Some(Self::Exponential(exponential.max_size));
        }
        let usual = config::Explicit::default();
        let buckets = &histogram.explicit.as_ref().unwrap_or(&usual).buckets;
        Some(Self::Explicit(buckets.iter().map(|bound| histogram.unit.of(bound.get())).collect()))
    }
}

impl Unit {
    /// A duration in this unit.
    pub(super) fn of(self, duration: std::time::Duration) -> f64 {
        let nanos = duration.as_nanos() as f64;
        match self {
            Self::Milliseconds => nanos / 1e6,
            Self::Seconds => nanos / 1e9,
        }
    }

    /// Its name (UCUM).
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
        }
    }
}

/// Durations counted.
#[derive(Clone, Debug)]
pub(super) struct Durations {
    pub(super) counted: Counted,
    pub(super) exemplars: Vec<Exemplar>,
    carry: Carry,
}

/// See [`Buckets`].
#[derive(Clone, Debug)]
pub(super) enum Counted {
    /// Times and attributes are not set.
    Explicit(HistogramDataPoint),
    /// One as it goes on.
    Exponential(ExponentialHistogram),
}

impl Durations {
    pub(super) fn new(buckets: &Buckets) -> Self {
        let counted = match buckets {
            Buckets::Explicit(bounds) => Counted::Explicit(HistogramDataPoint {
                explicit_bounds: bounds.clone(),
                bucket_counts: vec![0; bounds.len() + 1],
                sum: Some(0.0),
                ..HistogramDataPoint::default()
            }),
            Buckets::Exponential(size) => Counted::Exponential(ExponentialHistogram::new(*size)),
        };
        Self { counted, exemplars: Vec::new(), carry: Carry::default() }
    }

    /// Counts a duration of a span that stands for `count`.
    pub(super) fn record(&mut self, duration: f64, count: f64) {
        let times = self.carry.whole(count);
        if times == 0 {
            return;
        }
        match &mut self.counted {
            Counted::Exponential(histogram) => histogram.record(duration, times),
            Counted::Explicit(point) => {
                // A bound belongs to the bucket below it.
                let at = point.explicit_bounds.partition_point(|bound| *bound < duration);
                if let Some(bucket) = point.bucket_counts.get_mut(at) {
                    *bucket = bucket.saturating_add(times);
                }
                point.count = point.count.saturating_add(times);
                point.sum = point.sum.map(|sum| sum + duration * times as f64);
                point.min = Some(point.min.map_or(duration, |min| min.min(duration)));
                point.max = Some(point.max.map_or(duration, |max| max.max(duration)));
            }
        }
    }

    /// Keeps a span as an example, of `most` at most the last ones.
    pub(super) fn exemplify(&mut self, exemplar: Exemplar, most: usize) {
        if self.exemplars.len() >= most.max(1) {
            self.exemplars.remove(0);
        }
        self.exemplars.push(exemplar);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_of_a_sampled_trace_stands_for_as_many_as_its_threshold_says() {
        for (state, count) in [
            ("", 1.0),
            ("ot=th:0", 1.0),
            ("ot=th:8", 2.0),
            ("vendor=1,ot=rv:abcdef01234567;th:c", 4.0),
            ("ot=th:fd70a4", 99.999_997),
            ("ot=th:xyz", 1.0),
            ("ot=th:123456789012345", 1.0),
            ("ot=th:", 1.0),
            ("rot=th:8", 1.0),
        ] {
            assert!((adjusted_count(state) - count).abs() < 1e-3, "{state}: {}", adjusted_count(state));
        }
        assert!(adjusted_count("ot=th:ffffffffffffff").is_finite());
    }

    #[test]
    fn fractions_add_up() {
        let mut calls = Calls::default();
        (0..1000).for_each(|_| calls.add(1.25));
        assert_eq!(calls.count, 1250);
    }

    #[test]
    fn a_bound_belongs_to_the_bucket_below() {
        let mut durations = Durations::new(&Buckets::Explicit(vec![1.0, 2.0]));
        for duration in [0.5, 1.0, 1.5, 2.0, 9.0] {
            durations.record(duration, 1.0);
        }
        let Counted::Explicit(point) = durations.counted else { panic!() };
        assert_eq!((point.bucket_counts, point.count, point.sum), (vec![2, 2, 1], 5, Some(14.0)));
        assert_eq!((point.min, point.max), (Some(0.5), Some(9.0)));
    }
}
