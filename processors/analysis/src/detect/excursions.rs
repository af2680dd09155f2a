//! How often a series leaves its usual range by itself: what it does every hour is no news, however far out it goes.
//!
//! In: the excursions of one series, each with a mass that grows with its size and its length. Out: how many days lie between two
//! that are at least so massive. Excursions come as a Poisson process whose rate has a gamma prior, the logarithm of their mass is about
//! normal with unknown mean and variance (a normal-inverse-gamma prior: Murphy, "Conjugate Bayesian analysis of the Gaussian distribution",
//! 2007), with the heavier tail of a logistic distribution. A new series is taken for one that leaves its range now and then and not far.

use pdata::Timestamp;
use serde::{Deserialize, Serialize};

/// How long past excursions count, in days.
const MEMORY: f64 = 7.0;
const DAY: f64 = 86_400.0;
/// The prior rate: so many excursions in so many days.
const PRIOR_COUNT: f64 = 0.5;
const PRIOR_DAYS: f64 = 0.5;
/// The prior of the logarithm of a mass: its mean is that of one point just out of range, which counts as half an excursion; its
/// standard deviation, a factor of e, counts as two.
const PRIOR_MEAN_WEIGHT: f64 = 0.5;
const PRIOR_DEVIATION: f64 = 1.0;
const PRIOR_DEVIATION_WEIGHT: f64 = 2.0;
/// A logistic distribution with this slope has the standard deviation 1.
const SLOPE: f64 = 1.813_799;
/// One point adds at most this, in thresholds.
const LARGEST: f64 = 10.0;
/// A point in this many seconds counts in full; denser ones resemble each other.
const APART: f64 = 10.0;

/// The excursions of one series.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Excursions {
    since: Timestamp,
    /// Up to when past excursions have faded.
    at: Timestamp,
    count: f32,
    /// Sums of the logarithms of their masses, and of their squares.
    sum: f32,
    squares: f32,
    /// The mass of the last one, and whether it goes on.
    mass: f32,
    /// Whether somebody was told of the last one.
    pub(super) is_told: bool,
}

impl Excursions {
    /// None so far in a series that is watched since then.
    pub const fn new(since: Timestamp) -> Self {
        Self { since, at: since, count: 0.0, sum: 0.0, squares: 0.0, mass: 0.0, is_told: false }
    }

    /// Another one begins; the last one becomes part of the past.
    pub fn begin(&mut self, now: Timestamp) {
        let kept = (-days(now, self.at) / MEMORY).exp() as f32;
        self.at = now;
        self.count *= kept;
        self.sum *= kept;
        self.squares *= kept;
        if self.mass > 0.0 {
            let logarithm = self.mass.max(1.0).ln();
            self.count += 1.0;
            self.sum += logarithm;
            self.squares += logarithm * logarithm;
        }
        self.mass = 0.0;
        self.is_told = false;
    }

    /// It goes on with a point that is so many thresholds out, in a series with a point in so many seconds.
    pub fn add(&mut self, thresholds: f64, interval: f64) {
        let weight = (interval / APART).clamp(0.1, 1.0);
        self.mass += (thresholds.clamp(0.0, LARGEST) * weight) as f32;
    }

    /// In how many days the series by itself has one excursion that is at least as massive as the current one.
    pub fn days_between(&self, now: Timestamp) -> f64 {
        let count = f64::from(self.count);
        let watched = MEMORY * (1.0 - (-days(now, self.since) / MEMORY).exp());
        let rate = (count + PRIOR_COUNT) / (watched + PRIOR_DAYS);
        let weight = count + PRIOR_MEAN_WEIGHT;
        let mean = f64::from(self.sum) / weight;
        // The prior mean is 0.
        let scatter = (f64::from(self.squares) - weight * mean * mean).max(0.0);
        let variance = (PRIOR_DEVIATION_WEIGHT * PRIOR_DEVIATION * PRIOR_DEVIATION + scatter)
            / (PRIOR_DEVIATION_WEIGHT + count);
        let distance = (f64::from(self.mass).max(1.0).ln() - mean) / variance.sqrt();
        (1.0 + (SLOPE * distance).exp()) / rate
    }
}

pub(super) fn days(now: Timestamp, then: Timestamp) -> f64 {
    now.since(then).as_secs_f64() / DAY
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: f64) -> Timestamp {
        Timestamp::from_secs(1_700_000_000 + (hours * 3600.0) as u64)
    }

    /// A series that has an excursion of so many points at twice the threshold in so many hours, for a day.
    fn used_to(points: usize, every: usize) -> Excursions {
        let mut excursions = Excursions::new(at(0.0));
        for hour in (1..24).step_by(every) {
            excursions.begin(at(hour as f64));
            (0..points).for_each(|_| excursions.add(2.0, 60.0));
        }
        excursions
    }

    #[test]
    fn what_happens_every_hour_is_a_habit_and_what_is_longer_is_not() {
        let mut excursions = used_to(3, 1);
        excursions.begin(at(24.5));
        (0..3).for_each(|_| excursions.add(2.0, 60.0));
        let usual = excursions.days_between(at(24.5));
        assert!(usual < 0.2, "{usual}");
        (0..27).for_each(|_| excursions.add(2.0, 60.0));
        let long = excursions.days_between(at(25.0));
        assert!(long > 20.0, "{long}");
    }

    #[test]
    fn the_first_excursion_of_a_quiet_series_is_rare_and_rarer_the_longer_it_was_quiet() {
        let days_after = |hours: f64| {
            let mut excursions = Excursions::new(at(0.0));
            excursions.begin(at(hours));
            excursions.add(2.0, 60.0);
            excursions.days_between(at(hours))
        };
        assert!(days_after(1.0) > 1.0 && days_after(1.0) < days_after(24.0), "{}", days_after(24.0));
        assert!(days_after(240.0) > 20.0);
    }

    #[test]
    fn old_habits_fade() {
        let mut excursions = used_to(3, 1);
        excursions.begin(at(24.0 * 40.0));
        (0..3).for_each(|_| excursions.add(2.0, 60.0));
        assert!(excursions.days_between(at(24.0 * 40.0)) > 5.0);
    }
}
