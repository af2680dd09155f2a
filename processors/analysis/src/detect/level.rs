//! A robust running level: where a series usually is, and how far it strays above and below.
//!
//! Exponentially weighted, but a point moves the level by at most a few of its usual deviations, so that one outlier
//! does not drag it along. Spread is kept apart for each side because latencies and queues stray upwards only.

use serde::{Deserialize, Serialize};

/// Mean absolute deviation of a normal variable times this is its standard deviation.
pub(super) const MEAN_DEVIATION_TO_SIGMA: f64 = 1.253_314_137;
/// A point further off than this many deviations counts as if it were this far.
const CLIP: f64 = 2.5;
/// How odd the first move of a series that never moved is, in standard deviations: odd, but no proof.
pub const FIRST_MOVE: f64 = 10.0;
/// The narrower side is taken to be at least this share of the wider one.
const SIDE_SHARE: f64 = 0.25;

/// A robust running level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Level {
    mid: f64,
    above: f64,
    below: f64,
    seen: f64,
}

impl Level {
    /// A level that knows `values` only. The median and the deviations from it, so that an outlier among the first
    /// points does no harm.
    pub fn from_first(values: &mut [f64]) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        let Some(&mid) = values.get(values.len() / 2) else { return Self::default() };
        let mut deviations: Vec<f64> = values.iter().map(|value| (value - mid).abs()).collect();
        deviations.sort_unstable_by(f64::total_cmp);
        // 1.4826 * MAD estimates sigma; expressed as a mean deviation.
        let spread =
            deviations.get(deviations.len() / 2).map_or(0.0, |mad| mad * 1.4826 / MEAN_DEVIATION_TO_SIGMA);
        Self { mid, above: spread, below: spread, seen: values.len() as f64 }
    }

    /// A level known from elsewhere, trusted as if `seen` points had gone into it.
    pub const fn known(mid: f64, spread: f64, seen: f64) -> Self {
        Self { mid, above: spread, below: spread, seen }
    }

    /// The usual value.
    pub const fn mid(&self) -> f64 {
        self.mid
    }

    /// Standard deviation on the side of `value`, at least `floor`.
    ///
    /// A spread learned from few points may be much too small, more so when neighbours resemble each other; it is
    /// widened accordingly.
    pub fn sigma(&self, value: f64, floor: f64) -> f64 {
        let (near, far) = if value >= self.mid { (self.above, self.below) } else { (self.below, self.above) };
        let spread = near.max(far * SIDE_SHARE) * MEAN_DEVIATION_TO_SIGMA * (1.0 + 12.0 / self.seen.max(1.0));
        spread.max(floor)
    }

    /// How many standard deviations `value` is away; positive above.
    pub fn deviation(&self, value: f64, floor: f64) -> f64 {
        let residual = value - self.mid;
        let sigma = self.sigma(value, floor);
        if sigma > 0.0 { residual / sigma } else { 0.0 }
    }

    /// Takes `value` in. `steps` is the time since the last point in usual intervals, `memory` how many intervals the
    /// level remembers, `weight` how much the point counts.
    pub fn learn(&mut self, value: f64, steps: f64, memory: f64, weight: f64, floor: f64) {
        self.seen = (self.seen + 1.0).min(1e9);
        let rate = learning_rate(steps, memory).max(1.0 / self.seen) * weight;
        let residual = value - self.mid;
        let sigma = self.sigma(value, floor);
        let side = if residual >= 0.0 { &mut self.above } else { &mut self.below };
        if sigma == 0.0 {
            // The first move of a series that never moved is the only measure there is: a second one like it will be
            // about as odd as the first.
            *side = residual.abs() / FIRST_MOVE;
            self.mid += rate * *side;
            return;
        }
        let clipped = residual.clamp(-CLIP * sigma, CLIP * sigma);
        self.mid += rate * clipped;
        // Each side sees about half of the points.
        let side_rate = (2.0 * rate).min(0.5);
        *side += side_rate * (clipped.abs() - *side);
    }
}

/// The share by which a running mean that remembers `memory` intervals moves after `steps` of them.
pub fn learning_rate(steps: f64, memory: f64) -> f64 {
    // Regular sampling is the rule; it needs no power.
    if (steps - 1.0).abs() < 0.1 { 1.0 / memory } else { 1.0 - (1.0 - 1.0 / memory).powf(steps) }
}

/// How heavy a series' tail is, learned from its own past: after calibration, "6" is about as rare in a bursty series as
/// in a normal one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tail {
    quantile: f64,
    seen: f64,
    streak: u8,
}

/// After so many exceedances in a row the series has moved; that says nothing about its tail.
const STREAK: u8 = 2;

/// The quantile that is tracked, and where a normal variable has it (two-sided).
const TAIL_SHARE: f64 = 0.02;
const NORMAL_QUANTILE: f64 = 2.326;
const WIDEST: f64 = 12.0;

impl Default for Tail {
    fn default() -> Self {
        Self { quantile: NORMAL_QUANTILE, seen: 0.0, streak: 0 }
    }
}

impl Tail {
    /// By how much deviations are to be divided.
    pub fn ratio(&self) -> f64 {
        (self.quantile / NORMAL_QUANTILE).max(1.0)
    }

    /// Takes the size of a deviation in.
    pub fn learn(&mut self, deviation: f64) {
        self.streak = if deviation > self.quantile { self.streak.saturating_add(1) } else { 0 };
        if self.streak > STREAK {
            return;
        }
        self.seen = (self.seen + 1.0).min(1e9);
        let rate = (4.0 / (self.seen + 10.0)).max(0.04);
        let drift = if deviation > self.quantile { 1.0 - TAIL_SHARE } else { -TAIL_SHARE };
        let top = NORMAL_QUANTILE * WIDEST;
        self.quantile = (self.quantile * (1.0 + rate * drift)).clamp(NORMAL_QUANTILE, top);
    }
}
