//! What is usual for a count: its mean, how far it scatters at each width of window, and how regularly things come.

use serde::{Deserialize, Serialize};

use super::tail;

/// How many buckets the three windows have: 10 s, 1 min and 5 min.
pub(super) const WINDOWS: [usize; 3] = [1, 6, 30];

/// So many buckets the mean remembers: half an hour.
const RECENT: f64 = 180.0;
/// So many buckets spreads remember: a day.
pub(super) const DAY: f64 = 8640.0;
/// How far levels drift within a day: the variance of their ratio to its mean.
const DRIFT: f64 = 0.25;
/// What is uncertain about a mean is never less than if so many more events had been seen.
const PRIOR_EVENTS: f64 = 2.0;
/// A window's spread counts as this until so many windows were seen.
const PRIOR_DISPERSION: f64 = 0.05;
const PRIOR_WINDOWS: f64 = 5.0;
const MOST_DISPERSION: f64 = 1e4;
/// Residuals of the first buckets say more about what was not known than about the spread.
const SETTLED: f64 = 6.0;
/// After a new level was taken over, it counts as learned from so many buckets.
const ADOPTED: f64 = 60.0;

/// Mean and dispersion of the counts of one stream.
///
/// The mean is a moving average over half an hour, drawn to that of a day where events are few. The dispersion `d` of
/// the variance `m + d m^2` is found by the method of moments, for each window, from squared errors of the forecast over a day: so it
/// holds what the mean is too slow for, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Baseline {
    mean: f64,
    n: f64,
    slow: f64,
    slow_n: f64,
    /// Mean of `(x - e)^2 - e`, for each window.
    excess: [f64; 3],
    windows: [f64; 3],
    /// What was expected at the beginning of the longer windows that are being learned.
    before: [f64; 2],
    /// The level before the last that was taken over; 0 if none was.
    former: f64,
}

impl Baseline {
    /// Of something that never came in `n` buckets.
    pub(super) fn of_nothing(n: u64) -> Self {
        let n = n as f64;
        Self { n: n.min(RECENT), slow_n: n.min(DAY), windows: [n, n / 6.0, n / 30.0], ..Self::default() }
    }

    /// How many are expected in a bucket: the recent mean, as far as it can be believed, and else that of a day.
    ///
    /// Buehlmann's credibility (Astin Bulletin 4, 1967): the variance of the recent mean beside how far levels drift.
    pub(super) fn mean(&self) -> f64 {
        let (slow, n) = (self.usual(), self.n.max(1.0));
        let uncertain = 1.0 / (slow * n) + self.found(0, PRIOR_DISPERSION) / n;
        let credible = DRIFT / (DRIFT + uncertain);
        (credible * self.mean + (1.0 - credible) * slow).max(0.5 / (self.slow_n + 1.0))
    }

    /// The mean of a day, with half an event more, so that nothing is impossible.
    fn usual(&self) -> f64 {
        (self.slow * self.slow_n + 0.5) / (self.slow_n + 1.0)
    }

    /// The dispersion of a window, drawn to `prior` until enough windows were seen.
    fn found(&self, window: usize, prior: f64) -> f64 {
        let n = self.windows[window];
        let usual = self.usual() * WINDOWS[window] as f64;
        let found = (self.excess[window] / (usual * usual)).max(0.0);
        ((found * n + prior * PRIOR_WINDOWS) / (n + PRIOR_WINDOWS)).min(MOST_DISPERSION)
    }

    /// From how many buckets it was learned, of the last half hour's.
    pub(super) const fn n(&self) -> f64 {
        self.n
    }

    /// The dispersion of counts in a window, with what is uncertain about the mean.
    pub(super) fn dispersion(&self, window: usize) -> f64 {
        let found = (0..=window.min(2)).fold(PRIOR_DISPERSION, |prior, scale| self.found(scale, prior));
        found + 1.0 / (self.mean * self.n + PRIOR_EVENTS)
    }

    /// Learns a bucket.
    pub(super) fn learn(&mut self, count: f64) {
        let expected = self.mean();
        self.n = (self.n + 1.0).min(RECENT);
        self.slow_n = (self.slow_n + 1.0).min(DAY);
        if self.n > SETTLED {
            self.spread(0, count, expected);
        }
        self.mean += (count - self.mean) / self.n;
        self.slow += (count - self.slow) / self.slow_n;
    }

    /// Learns one of the longer windows.
    pub(super) fn learn_window(&mut self, window: usize, count: f64) {
        let now = self.mean();
        let before = std::mem::replace(&mut self.before[window - 1], now);
        if before > 0.0 {
            self.spread(window, count, before * WINDOWS[window] as f64);
        }
    }

    fn spread(&mut self, window: usize, count: f64, expected: f64) {
        let n = &mut self.windows[window];
        *n = (*n + 1.0).min(DAY / WINDOWS[window] as f64);
        let error = count - expected;
        self.excess[window] += (error * error - expected - self.excess[window]) / *n;
    }

    /// A level that lasted becomes the usual one.
    pub(super) fn adopt(&mut self, mean: f64) {
        self.former = self.mean();
        let before = self.usual();
        (self.mean, self.n) = (mean, ADOPTED);
        (self.slow, self.slow_n) = (mean, ADOPTED);
        // The dispersion stays what it was.
        let ratio = self.usual() / before;
        self.excess.iter_mut().for_each(|excess| *excess *= ratio * ratio);
        self.before = [0.0; 2];
    }

    /// The level before the last that was taken over is the usual one again.
    pub(super) fn return_to_former(&mut self) {
        self.adopt(self.former);
    }

    /// The level before the last that was taken over; 0 if none was.
    pub(super) const fn former(&self) -> f64 {
        self.former
    }

    /// Whether this is about that level.
    pub(super) fn is_former(&self, mean: f64) -> bool {
        self.former > 0.0 && mean > 0.5 * self.former && mean < 2.0 * self.former
    }

    /// After time of which nothing is known.
    pub(super) const fn interrupt(&mut self) {
        self.before = [0.0; 2];
    }

    /// Takes over what was learned about another stream whose events are this one's from now on.
    pub(super) fn fold(&mut self, other: &Self) {
        self.mean += other.mean;
        self.slow += other.slow;
        self.n = self.n.max(other.n);
        self.slow_n = self.slow_n.max(other.slow_n);
        self.former = 0.0;
        self.before = [0.0; 2];
        for window in 0..3 {
            self.excess[window] += other.excess[window];
            self.windows[window] = self.windows[window].max(other.windows[window]);
        }
    }
}

/// When something comes: the gaps between buckets in which it does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Gaps {
    /// The last bucket in which it came, counted from 1; 0 for none.
    last: u64,
    n: u32,
    mean: f64,
    square: f64,
    longest: f64,
}

/// So many gaps are remembered.
const GAPS: f64 = 200.0;
/// The longest gap is forgotten that slowly, with every gap.
const FADE: f64 = 1.0 / 2000.0;
/// As long as so many of the longest gaps nothing is missing.
const PATIENCE: f64 = 3.0;
/// And it must have come for so many times as long before: what was seen for a few minutes may just as well be over.
const KNOWN: f64 = 4.0;
/// Gaps that vary more are those of something that comes and goes.
const MOST_VARIATION: f64 = 2.0;
/// Fewer gaps say nothing about regularity.
const FEWEST_GAPS: u32 = 10;

impl Gaps {
    /// It came in bucket `serial`. A gap that was reported is not learned from.
    pub(super) fn came(&mut self, serial: u64, learn: bool) {
        let last = std::mem::replace(&mut self.last, serial + 1);
        if last == 0 || !learn {
            return;
        }
        let gap = (serial + 1).saturating_sub(last) as f64;
        self.n = self.n.saturating_add(1);
        let weight = (1.0 / f64::from(self.n)).max(1.0 / GAPS);
        self.mean += (gap - self.mean) * weight;
        self.square += (gap * gap - self.square) * weight;
        self.longest = (self.longest * (1.0 - FADE)).max(gap);
    }

    /// Time of which nothing is known ends at `serial`.
    pub(super) const fn interrupt(&mut self, serial: u64) {
        if self.last > 0 {
            self.last = serial;
        }
    }

    /// Whether it ever came.
    pub(super) const fn has_come(&self) -> bool {
        self.last > 0
    }

    /// In how many buckets it came, but for the first.
    pub(super) const fn n(&self) -> u32 {
        self.n
    }

    /// For how many buckets it has not come, up to and with `serial`.
    pub(super) const fn silent(&self, serial: u64) -> u64 {
        if self.last == 0 { 0 } else { (serial + 1).saturating_sub(self.last) }
    }

    /// Whether a silence of so many buckets can be out of the ordinary: it came regularly, and never was silent for nearly as long.
    pub(super) fn is_long(&self, silent: u64) -> bool {
        let is_regular = self.variation() <= MOST_VARIATION;
        let (known, silent) = (f64::from(self.n) * self.mean, silent as f64);
        self.n >= FEWEST_GAPS && is_regular && silent >= PATIENCE * self.longest && known >= KNOWN * silent
    }

    /// The dispersion of how often it comes in a time in which it should come `expected` times, as of a renewal process: the variance
    /// is `expected` times the variation of its gaps. `None` if it comes too often for gaps to say much.
    pub(super) fn dispersion(&self, expected: f64) -> Option<f64> {
        (self.mean >= 2.0 && expected > 0.0).then(|| (self.variation() - 1.0) / expected)
    }

    /// The index of dispersion of gaps, the variance over the square of the mean: 1 for a Poisson process, which is what is assumed until more
    /// is known.
    fn variation(&self) -> f64 {
        let square = (self.mean * self.mean).max(1e-9);
        let variation = ((self.square - square) / square).max(0.0);
        let n = f64::from(self.n).min(GAPS);
        (variation * n + 3.0) / (n + 3.0)
    }

    /// How unlikely a gap of at least so many buckets is, if it comes less than every other bucket.
    pub(super) fn p_value(&self, silent: u64) -> Option<f64> {
        if self.mean < 2.0 {
            return None;
        }
        let shape = (1.0 / self.variation()).clamp(0.05, 20.0);
        Some(tail::gap_at_least(silent as f64 / self.mean, shape))
    }

    /// Takes over the gaps of another stream.
    pub(super) fn fold(&mut self, other: &Self) {
        let last = self.last.max(other.last);
        if other.n > self.n {
            *self = *other;
        }
        self.last = last;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_count_is_poisson_and_a_bursty_one_is_not() {
        let mut steady = Baseline::default();
        let mut bursty = Baseline::default();
        for n in 0..3000u32 {
            // Variance near the mean of 10, and 20 once in twenty buckets.
            steady.learn(f64::from([7, 13, 10, 8, 12, 10][n as usize % 6]));
            bursty.learn(if n % 20 == 0 { 20.0 } else { 0.0 });
        }
        assert!((steady.mean() - 10.0).abs() < 0.5 && steady.dispersion(0) < 0.01, "{steady:?}");
        assert!((bursty.mean() - 1.0).abs() < 0.2 && bursty.dispersion(0) > 10.0, "{bursty:?}");
    }

    #[test]
    fn what_comes_every_five_minutes_is_missed_after_some_of_them() {
        let mut gaps = Gaps::default();
        (0..40).for_each(|n| gaps.came(n * 30, true));
        assert!(!gaps.is_long(60) && gaps.is_long(90));
        assert!(gaps.p_value(90).unwrap() < 1e-5, "{:?}", gaps.p_value(90));
        let mut irregular = Gaps::default();
        (0..40u64).for_each(|n| irregular.came(n * 30 + n * n * 7 % 29, true));
        assert!(irregular.p_value(90).unwrap() > gaps.p_value(90).unwrap());
    }
}
