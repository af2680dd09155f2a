//! How unusual a number is for a source of such numbers: a score to a surprise that can be compared.
//!
//! In: logarithms of a detector's energies, one after the other. Out: how improbable the number is by what came before, as a surprise
//! on the scale of [`super::super::Scored::surprise`]: 6 is as rare as one frame in 10,000. The bulk is measured by its mean and its
//! 98th percentile, the tail beyond by an exponential law (peaks over threshold, Pickands 1975, with the shape of an energy whose
//! own tail is a power law).

use serde::{Deserialize, Serialize};

/// The share of numbers beyond the percentile that is tracked.
const BEYOND: f64 = 0.02;
/// `ln(1 / probability)` of what is just out of the ordinary, and its surprise.
const RARE: f64 = 9.21;
const RARE_SURPRISE: f64 = 6.0;
/// Numbers that are only looked at, in the beginning.
const FIRST: f64 = 30.0;
/// As long as fewer were seen, the percentile is that of a normal distribution: where it is, and the mean excess over it.
const FEW: f64 = 500.0;
const NORMAL_HIGH: f64 = 2.054;
const NORMAL_EXCESS: f64 = 0.37;
/// The percentile is at least so far from the middle, and the excess over it at least so large.
const LEAST: f64 = 0.05;
/// The past weighs at most as much as so many numbers.
const MEMORY: f64 = 10_000.0;

/// What is usual for a source of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Usual {
    seen: f64,
    mid: f64,
    variance: f64,
    /// The 98th percentile.
    high: f64,
    /// Mean excess over it.
    excess: f64,
}

impl Default for Usual {
    fn default() -> Self {
        Self { seen: 0.0, mid: 0.0, variance: 0.0, high: 0.0, excess: 0.0 }
    }
}

impl Usual {
    /// Whether enough was seen for a surprise to mean something.
    pub(super) const fn is_warm(&self) -> bool {
        self.seen >= 4.0 * FIRST
    }

    /// How surprising a number is; 0 for one below the middle.
    pub(super) fn surprise(&self, number: f64) -> f64 {
        if self.seen <= FIRST {
            return 0.0;
        }
        let at_high = -BEYOND.ln();
        let surprise = |rarity: f64| RARE_SURPRISE * (rarity / RARE).sqrt();
        if number <= self.high {
            return surprise(at_high) * ((number - self.mid) / (self.high - self.mid)).max(0.0);
        }
        surprise(at_high + (number - self.high) / self.excess)
    }

    /// How many standard deviations a number is from the mean; 0 as long as little is known.
    pub(super) fn deviation(&self, number: f64) -> f64 {
        if self.is_warm() { (number - self.mid) / self.variance.sqrt().max(LEAST) } else { 0.0 }
    }

    /// Takes a number in.
    pub(super) fn learn(&mut self, number: f64) {
        self.seen = (self.seen + 1.0).min(MEMORY);
        let (rate, step) = (1.0 / self.seen, number - self.mid);
        self.mid += rate * step;
        self.variance = (1.0 - rate) * (self.variance + rate * step * step);
        if self.seen < FEW {
            let deviation = self.variance.sqrt();
            self.high = self.mid + (NORMAL_HIGH * deviation).max(LEAST);
            self.excess = (NORMAL_EXCESS * deviation).max(LEAST);
            return;
        }
        let is_high = number > self.high;
        if is_high {
            let excess = (number - self.high).min(3.0 * self.excess);
            self.excess = (self.excess + (rate / BEYOND).min(0.1) * (excess - self.excess)).max(LEAST);
        }
        // Robbins and Monro: the best step is by the inverse of the density, which for an exponential tail is this.
        let step = self.excess * (rate / BEYOND).min(0.1);
        self.high += step * if is_high { 1.0 - BEYOND } else { -BEYOND };
        self.high = self.high.max(self.mid + LEAST);
    }

    /// The past before weighs as if it were so many numbers.
    pub(super) fn forget_down_to(&mut self, numbers: f64) {
        self.seen = self.seen.min(numbers.max(4.0 * FIRST));
    }
}

/// Whether to learn from what is seen: a lasting departure is not learned from, until it has lasted so long that it must be what is
/// usual now. How far out is too far is learned, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Gate {
    seen: f64,
    mean: f64,
    variance: f64,
    /// Numbers too far out, one after the other.
    out: u64,
}

/// What is further out than this many standard deviations is not learned from.
const TOO_FAR: f64 = 3.5;
/// As long as fewer numbers than this were seen, all are learned from.
const TRUSTING: f64 = 500.0;

impl Gate {
    /// Whether a number is so far out that nothing should be learned. Counts how many came one after the other.
    pub(super) fn is_shut(&mut self, number: f64) -> bool {
        let far = self.seen > TRUSTING && number > self.mean + TOO_FAR * self.variance.sqrt();
        self.out = if far { self.out + 1 } else { 0 };
        far
    }

    /// How many numbers in a row were too far out.
    pub(super) const fn out(&self) -> u64 {
        self.out
    }

    /// Takes in a number that is learned from.
    pub(super) fn learn(&mut self, number: f64) {
        self.seen = (self.seen + 1.0).min(MEMORY);
        let (rate, step) = (1.0 / self.seen, number - self.mean);
        self.mean += rate * step;
        self.variance = (1.0 - rate) * (self.variance + rate * step * step);
    }

    /// The past before weighs as if it were so many numbers.
    pub(super) fn forget_down_to(&mut self, numbers: f64) {
        self.seen = self.seen.min(numbers);
    }
}

#[cfg(test)]
mod tests {
    use super::super::random::Random;
    use super::*;

    #[test]
    fn a_surprise_of_six_is_about_as_rare_as_promised() {
        let mut random = Random::new(3);
        let mut usual = Usual::default();
        let mut over = 0;
        for _ in 0..300_000 {
            let number = -(1.0 - random.unit()).ln() * 0.4;
            over += u32::from(usual.is_warm() && usual.surprise(number) >= RARE_SURPRISE);
            usual.learn(number);
        }
        assert!((5..=120).contains(&over), "{over}");
    }

    #[test]
    fn larger_is_more_surprising() {
        let mut usual = Usual::default();
        let mut random = Random::new(3);
        (0..1000).for_each(|_| usual.learn(random.unit()));
        let surprises: Vec<f64> = (0..100).map(|n| usual.surprise(f64::from(n) / 10.0)).collect();
        assert!(surprises.is_sorted() && surprises[0] == 0.0 && surprises[99] > 10.0);
    }
}
