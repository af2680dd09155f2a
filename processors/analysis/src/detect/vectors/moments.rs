//! Running means and covariances of a frame's metrics, with a long memory.

use serde::{Deserialize, Serialize};

/// A value further from the mean than this many standard deviations counts as if it were this far.
const CLIP: f64 = 30.0;
/// Before this many values, nobody knows what is far.
const FEW: f64 = 50.0;

/// Means and covariances: `covariance` is the lower triangle, row by row.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Moments {
    mean: Vec<f64>,
    covariance: Vec<f64>,
    /// How much went into each metric's figures.
    seen: Vec<f64>,
    /// Scratch: departures from the mean, and each metric's learning rate.
    #[serde(skip)]
    departure: Vec<f64>,
    #[serde(skip)]
    rate: Vec<f64>,
}

/// Where row `j` of a triangle begins.
const fn row(j: usize) -> usize {
    j * (j + 1) / 2
}

impl Moments {
    /// How many metrics there are.
    pub(super) const fn len(&self) -> usize {
        self.mean.len()
    }

    /// Makes room for a metric at position `at`, or forgets what was known about it.
    pub(super) fn reset(&mut self, at: usize) {
        let n = self.len().max(at + 1);
        self.mean.resize(n, 0.0);
        self.seen.resize(n, 0.0);
        self.covariance.resize(row(n), 0.0);
        (self.mean[at], self.seen[at]) = (0.0, 0.0);
        for other in 0..n {
            self.covariance[row(at.max(other)) + at.min(other)] = 0.0;
        }
    }

    /// How much went into a metric's figures.
    pub(super) fn seen(&self, at: usize) -> f64 {
        self.seen[at]
    }

    /// How much went into the figures of the metric that is known best.
    pub(super) fn most_seen(&self) -> f64 {
        self.seen.iter().copied().fold(0.0, f64::max)
    }

    /// How much of what two metrics' figures are made of is the same, in [0, 1].
    pub(super) fn overlap(&self, one: usize, other: usize) -> f64 {
        let (one, other) = (self.seen[one], self.seen[other]);
        if one == other { 1.0 } else { (one.min(other) / one.max(other)).sqrt() }
    }

    /// A metric's mean.
    pub(super) fn mean(&self, at: usize) -> f64 {
        self.mean[at]
    }

    /// The covariance of two metrics.
    pub(super) fn covariance(&self, one: usize, other: usize) -> f64 {
        self.covariance[row(one.max(other)) + one.min(other)]
    }

    /// The past weighs as much as the last `frames` frames at most.
    pub(super) fn forget_down_to(&mut self, frames: f64) {
        self.seen.iter_mut().for_each(|seen| *seen = seen.min(frames));
    }

    /// Takes a frame in. `value` gives a metric's value, if it is known; `floor` its smallest standard deviation to believe in;
    /// `memory` is how many frames are remembered.
    pub(super) fn learn(
        &mut self,
        value: impl Fn(usize) -> Option<f64>,
        floor: impl Fn(usize) -> f64,
        memory: f64,
    ) {
        let n = self.len();
        self.departure.resize(n, 0.0);
        self.rate.resize(n, 0.0);
        for j in 0..n {
            let Some(value) = value(j) else {
                (self.departure[j], self.rate[j]) = (0.0, 0.0);
                continue;
            };
            if self.seen[j] == 0.0 {
                self.mean[j] = value;
            }
            self.seen[j] += 1.0;
            self.rate[j] = (1.0 / self.seen[j]).max(1.0 / memory);
            let mut departure = value - self.mean[j];
            if self.seen[j] > FEW {
                let limit = CLIP * self.covariance[row(j) + j].sqrt().max(floor(j));
                // A metric that never moved has no scale yet.
                departure = if limit > 0.0 { departure.clamp(-limit, limit) } else { departure };
            }
            self.departure[j] = departure;
            self.mean[j] += self.rate[j] * departure;
        }
        for j in 0..n {
            let (rate_j, departure_j) = (self.rate[j], self.departure[j]);
            if rate_j == 0.0 {
                continue;
            }
            let triangle = &mut self.covariance[row(j)..=row(j) + j];
            for ((covariance, &rate), &departure) in triangle.iter_mut().zip(&self.rate).zip(&self.departure)
            {
                // What is not known says nothing, not even that there is no relation.
                let rate = if rate == 0.0 { 0.0 } else { rate.max(rate_j) };
                *covariance = (1.0 - rate) * (*covariance + rate * departure_j * departure);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_and_covariances_are_those_of_the_values() {
        let values = |n: usize| [n as f64, 100.0 - 2.0 * n as f64, f64::from(n.is_multiple_of(2))];
        let mut moments = Moments::default();
        (0..3).for_each(|at| moments.reset(at));
        let count = 40;
        for n in 0..count {
            moments.learn(|at| Some(values(n)[at]), |_| 0.0, 1e9);
        }
        let mean = |at: usize| (0..count).map(|n| values(n)[at]).sum::<f64>() / count as f64;
        for one in 0..3 {
            assert!((moments.mean(one) - mean(one)).abs() < 1e-9);
            for other in 0..3 {
                let product = |n: usize| (values(n)[one] - mean(one)) * (values(n)[other] - mean(other));
                let expected = (0..count).map(product).sum::<f64>() / count as f64;
                assert!((moments.covariance(one, other) - expected).abs() < 1e-9, "{one} {other}");
            }
        }
    }

    #[test]
    fn a_metric_that_comes_later_is_learned_from_its_own_beginning() {
        let mut moments = Moments::default();
        moments.reset(0);
        (0..1000).for_each(|n| moments.learn(|_| Some(f64::from(n % 7)), |_| 0.0, 1e9));
        moments.reset(1);
        (0..100).for_each(|n| {
            moments.learn(|at| Some(if at == 0 { f64::from(n % 7) } else { 5.0 }), |_| 0.0, 1e9);
        });
        assert_eq!((moments.mean(1), moments.covariance(1, 1), moments.seen(1)), (5.0, 0.0, 100.0));
        assert!((moments.covariance(0, 0) - 4.0).abs() < 0.01);
    }
}
