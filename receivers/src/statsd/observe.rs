//! Timers, histograms and distributions: what an interval's observations become.

use pdata::aggregate::ExponentialHistogram;
use pdata::proto::metrics::{HistogramDataPoint, SummaryDataPoint, summary_data_point::ValueAtQuantile};
use rand::RngExt;

/// So many observations are kept for a summary's quantiles, or as a gauge's points, in an interval. A summary goes on with
/// a fair sample; of a gauge further points are dropped.
pub(super) const MAX_OBSERVATIONS: usize = 10_000;

/// The observations of one series in an interval.
#[derive(Clone, Debug)]
pub(super) enum Observations {
    /// Every one: value and time.
    Points(Vec<(f64, u64)>),
    Summary(Summary),
    Exponential(ExponentialHistogram),
    Explicit(Explicit),
}

impl Observations {
    /// Takes an observation that stands for `times`. `false` if it was dropped.
    pub(super) fn record(&mut self, value: f64, times: u64, time: u64) -> bool {
        match self {
            Self::Points(points) => {
                if points.len() >= MAX_OBSERVATIONS {
                    return false;
                }
                points.push((value, time));
            }
            Self::Summary(summary) => summary.record(value, times),
            Self::Exponential(histogram) => histogram.record(value, times),
            Self::Explicit(histogram) => histogram.record(value, times),
        }
        true
    }
}

/// Count, sum and a sample of weighted values.
#[derive(Clone, Debug, Default)]
pub(super) struct Summary {
    count: u64,
    sum: f64,
    seen: usize,
    sample: Vec<(f64, u64)>,
}

impl Summary {
    fn record(&mut self, value: f64, times: u64) {
        self.count = self.count.saturating_add(times);
        self.sum += value * times as f64;
        self.seen += 1;
        if self.sample.len() < MAX_OBSERVATIONS {
            self.sample.push((value, times));
            return;
        }
        // Every observation has the same chance to be in the sample.
        let at = rand::rng().random_range(0..self.seen);
        if let Some(slot) = self.sample.get_mut(at) {
            *slot = (value, times);
        }
    }

    pub(super) fn into_point(mut self, percentiles: &[f64]) -> SummaryDataPoint {
        self.sample.sort_unstable_by(|(a, _), (b, _)| a.total_cmp(b));
        let total: f64 = self.sample.iter().map(|(_, times)| *times as f64).sum();
        let at = |percentile: f64| {
            let wanted = total * percentile / 100.0;
            let mut below = 0.0;
            let found = self.sample.iter().find(|(_, times)| {
                below += *times as f64;
                below >= wanted
            });
            found.or(self.sample.last()).map_or(f64::NAN, |(value, _)| *value)
        };
        let quantile_values = percentiles
            .iter()
            .map(|percentile| ValueAtQuantile { quantile: percentile / 100.0, value: at(*percentile) })
            .collect();
        SummaryDataPoint { count: self.count, sum: self.sum, quantile_values, ..SummaryDataPoint::default() }
    }
}

/// Buckets with given bounds.
#[derive(Clone, Debug)]
pub(super) struct Explicit {
    bounds: Vec<f64>,
    counts: Vec<u64>,
    sum: f64,
    min: f64,
    max: f64,
}

impl Explicit {
    pub(super) fn new(bounds: &[f64]) -> Self {
        let (min, max) = (f64::INFINITY, f64::NEG_INFINITY);
        Self { bounds: bounds.to_vec(), counts: vec![0; bounds.len() + 1], sum: 0.0, min, max }
    }

    fn record(&mut self, value: f64, times: u64) {
        // A bound belongs to the bucket below it.
        let at = self.bounds.partition_point(|bound| *bound < value);
        self.counts[at] = self.counts[at].saturating_add(times);
        self.sum += value * times as f64;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    pub(super) fn into_point(self) -> HistogramDataPoint {
        HistogramDataPoint {
            count: self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count)),
            sum: Some(self.sum),
            min: Some(self.min).filter(|min| min.is_finite()),
            max: Some(self.max).filter(|max| max.is_finite()),
            bucket_counts: self.counts,
            explicit_bounds: self.bounds,
            ..HistogramDataPoint::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_respect_weights() {
        let mut summary = Summary::default();
        summary.record(1.0, 9);
        summary.record(100.0, 1);
        let point = summary.into_point(&[0.0, 50.0, 90.0, 95.0, 100.0]);
        assert_eq!((point.count, point.sum), (10, 109.0));
        let values: Vec<_> = point.quantile_values.iter().map(|at| at.value).collect();
        assert_eq!(values, [1.0, 1.0, 1.0, 100.0, 100.0]);
    }

    #[test]
    fn a_summary_keeps_a_fair_sample_of_very_many() {
        let mut summary = Summary::default();
        (0..100_000).for_each(|i| summary.record(f64::from(i), 1));
        let point = summary.into_point(&[50.0]);
        assert_eq!(point.count, 100_000);
        assert!((point.quantile_values[0].value - 50_000.0).abs() < 5_000.0);
    }

    #[test]
    fn a_bound_belongs_to_the_bucket_below() {
        let mut explicit = Explicit::new(&[1.0, 2.0]);
        [0.5, 1.0, 1.5, 2.0, 3.0].into_iter().for_each(|value| explicit.record(value, 1));
        assert_eq!(explicit.into_point().bucket_counts, [2, 2, 1]);
    }

    #[test]
    fn points_are_bounded() {
        let mut points = Observations::Points(Vec::new());
        assert!((0..MAX_OBSERVATIONS).all(|_| points.record(1.0, 1, 1)));
        assert!(!points.record(1.0, 1, 1));
    }
}
