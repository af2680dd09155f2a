//! The counts of one stream: of a template, a class, a severity or a whole service.
//!
//! In: records, into buckets of ten seconds that are open; closed buckets one after the other. Out: whether the last ten seconds, minute
//! or five minutes look out of the ordinary, to be judged with all others ([`super::judge`]).

use serde::{Deserialize, Serialize};

use super::baseline::{Baseline, Gaps, WINDOWS};
use super::stretch::{Side, Stretch, Suspicion};
use super::tail;

/// How many buckets are open at once.
pub(super) const OPEN: usize = 8;
/// How many closed buckets are kept.
const KEPT: u64 = 64;
/// The baseline is so many buckets behind, so that the first of an anomaly are not learned from.
const LAG: u64 = 6;
/// If it takes longer than this to see whether something is an anomaly, it is learned from.
const LONGEST_LAG: u64 = 30;
/// What is rarer than this is not learned from before it is judged.
pub(super) const SUSPICIOUS: f64 = 1e-3;
/// So many more, or fewer, are worth a word.
const LEAST_EFFECT: f64 = 10.0;
/// So many times as many, or as few, are worth a word.
const LEAST_RATIO: f64 = 2.0;
/// A template is usual once it came in so many buckets.
const FEWEST_BUCKETS: u32 = 3;
/// A level is that of the last ten minutes.
const LEVEL: u64 = 60;

/// The counts of one stream.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Track {
    pending: [u32; OPEN],
    kept: [[u32; 32]; 2],
    sums: [u64; 3],
    /// The bucket it is known from.
    born: u64,
    /// The next bucket to be learned.
    learned: u64,
    /// When a level was taken over, as the number of a bucket counted from 1.
    adopted: u64,
    pub(super) total: u64,
    pub(super) baseline: Baseline,
    pub(super) gaps: Gaps,
    /// The last bucket in which it came, counted from 1.
    came: u64,
    /// In how many buckets the service has said anything, the last one included.
    spoken: u64,
    /// Whether the last bucket was suspicious.
    is_suspicious: bool,
    pub(super) up: Stretch,
    pub(super) down: Stretch,
}

impl Track {
    /// Of something that is known from bucket `born` on, counted from the service's first, and is at bucket `now`.
    pub(super) fn new(born: u64, now: u64) -> Self {
        Self {
            pending: [0; OPEN],
            kept: [[0; 32]; 2],
            sums: [0; 3],
            born,
            learned: now,
            adopted: 0,
            total: 0,
            baseline: Baseline::of_nothing(now - born.min(now)),
            gaps: Gaps::default(),
            came: 0,
            spoken: 0,
            is_suspicious: false,
            up: Stretch::default(),
            down: Stretch::default(),
        }
    }

    /// Counts one in an open bucket.
    pub(super) const fn count(&mut self, bucket: u64) {
        let pending = &mut self.pending[(bucket % OPEN as u64) as usize];
        *pending = pending.saturating_add(1);
        self.total = self.total.saturating_add(1);
    }

    /// Closes an open bucket, the service's number `serial`. Buckets before `resumed` are not connected with it. Gaps and silences
    /// are counted in `spoken`, the buckets in which the service said anything.
    pub(super) fn close(&mut self, bucket: u64, serial: u64, resumed: u64, spoken: u64) {
        let count = std::mem::take(&mut self.pending[(bucket % OPEN as u64) as usize]);
        for (sum, window) in self.sums.iter_mut().zip(WINDOWS) {
            *sum += u64::from(count);
            let leaving = serial.checked_sub(window as u64).filter(|leaving| *leaving >= resumed);
            let leaving = leaving.map_or(0, |leaving| self.kept[slot(leaving).0][slot(leaving).1]);
            *sum -= u64::from(leaving).min(*sum);
        }
        let (half, at) = slot(serial);
        self.kept[half][at] = count;
        self.spoken = spoken;
        if count > 0 {
            self.gaps.came(spoken, !self.down.episode.is_open());
            self.came = serial + 1;
        }
    }

    /// Forgets the closed buckets, since time passed of which nothing is known.
    pub(super) fn interrupt(&mut self, serial: u64) {
        self.pending = [0; OPEN];
        self.sums = [0; 3];
        self.kept = [[0; 32]; 2];
        self.learned = serial;
        self.baseline.interrupt();
        self.gaps.interrupt(self.spoken);
    }

    /// Whether enough is known to be judged.
    pub(super) fn is_ready(&self, warm_up: u64) -> bool {
        self.baseline.n() >= warm_up.saturating_sub(LAG).min(100) as f64
            && self.learned >= self.born + warm_up.saturating_sub(LAG)
    }

    /// Whether it is no newcomer.
    pub(super) const fn is_usual(&self) -> bool {
        self.gaps.n() >= FEWEST_BUCKETS
    }

    /// How many came in a window.
    pub(super) const fn observed(&self, window: usize) -> f64 {
        self.sums[window] as f64
    }

    /// How many are expected in a window.
    pub(super) fn expected(&self, window: usize) -> f64 {
        self.baseline.mean() * WINDOWS[window] as f64
    }

    /// Whether an episode is open.
    pub(super) const fn is_open(&self, side: Side) -> bool {
        match side {
            Side::Up => self.up.episode.is_open(),
            Side::Down => self.down.episode.is_open(),
        }
    }

    /// Whether the count of a window, if the whole service has `shared` times its usual, is worth looking into.
    pub(super) fn suspicion(&self, window: usize, serial: u64, side: Side, shared: f64) -> Option<Suspicion> {
        let stretch = self.stretch(side);
        // While one is open longer windows do not say when it is over, and afterwards it is still in them.
        let is_old = if stretch.episode.is_open() {
            window > usize::from(stretch.window)
        } else {
            window > 0 && self.reaches(side, window, serial)
        };
        if is_old {
            return None;
        }
        let observed = self.observed(window);
        let expected = self.expected(window);
        match side {
            Side::Up => {
                let expected = expected * shared.max(1.0);
                let is_large = observed >= expected * LEAST_RATIO && observed - expected >= LEAST_EFFECT;
                (is_large && self.goes_on(window, serial)).then(|| {
                    let dispersion = self.baseline.dispersion(window);
                    let p = tail::at_least(observed, expected, dispersion);
                    self.with(side, window, expected, dispersion, p)
                })
            }
            Side::Down => {
                let expected = expected * shared.min(1.0);
                let is_small = observed <= expected / LEAST_RATIO && expected - observed >= LEAST_EFFECT;
                (is_small && !self.has_just_stopped(window, expected)).then(|| {
                    let dispersion = self.baseline.dispersion(window);
                    let p = tail::at_most(observed, expected, dispersion);
                    self.with(side, window, expected, dispersion, p)
                })
            }
        }
    }

    /// Whether nothing about it is worth a second look.
    pub(super) fn is_plain(&self) -> bool {
        let mean = self.baseline.mean();
        let is_usual = |(sum, n): (u64, usize)| {
            let (observed, expected) = (sum as f64, mean * n as f64);
            (observed - expected).abs() < LEAST_EFFECT
                || (observed < expected * LEAST_RATIO && observed > expected / LEAST_RATIO)
        };
        self.silence_window().is_none() && self.sums.into_iter().zip(WINDOWS).all(is_usual)
    }

    /// If it has not come for so long that it is worth looking into, which window is nearest to that time.
    pub(super) fn silence_window(&self) -> Option<usize> {
        let silent = self.gaps.silent(self.spoken);
        let window = match silent {
            0..=3 => 0,
            4..=15 => 1,
            _ => 2,
        };
        (silent > 0 && self.gaps.is_long(silent)).then_some(window)
    }

    /// What there is to say about that time, if the whole service has `shared` times its usual.
    pub(super) fn silence(&self, window: usize, serial: u64, shared: f64) -> Suspicion {
        let silent = self.gaps.silent(self.spoken);
        let expected = self.baseline.mean() * silent as f64 * shared.min(1.0);
        let dispersion = self.baseline.dispersion(window);
        let p = match self.gaps.p_value(silent) {
            Some(_) if shared < 1.0 / LEAST_RATIO => 1.0,
            Some(p) => p,
            None => tail::at_most(0.0, expected, dispersion),
        };
        let dispersion = self.gaps.dispersion(expected).unwrap_or(dispersion);
        let silence = self.with(Side::Down, window, expected, dispersion, p);
        Suspicion {
            is_silence: true,
            buckets: (serial + 1).saturating_sub(self.came),
            observed: 0.0,
            ..silence
        }
    }

    /// What there is to say of a window, be it out of the ordinary or not.
    pub(super) fn look(&self, side: Side, window: usize) -> Suspicion {
        self.with(side, window, self.expected(window), self.baseline.dispersion(window), 1.0)
    }

    const fn with(&self, side: Side, window: usize, expected: f64, dispersion: f64, p: f64) -> Suspicion {
        let (observed, buckets) = (self.observed(window), WINDOWS[window] as u64);
        Suspicion { side, is_silence: false, window, buckets, observed, expected, dispersion, p }
    }

    /// Whether the count of a window is no rarer than that by its own past, whatever the rest of the service does.
    pub(super) fn is_usual_count(&self, window: usize, side: Side, threshold: f64) -> bool {
        let (observed, expected) = (self.observed(window), self.expected(window));
        let dispersion = self.baseline.dispersion(window);
        let p = match side {
            Side::Up => tail::at_least(observed, expected, dispersion),
            Side::Down => tail::at_most(observed, expected, dispersion),
        };
        p >= threshold
    }

    /// A burst of which only the end is still in the window is none. In the longer windows it has more than one bucket.
    fn goes_on(&self, window: usize, serial: u64) -> bool {
        if window == 0 {
            return true;
        }
        let n = WINDOWS[window] as u64;
        let count = |n: u64| (0..n).filter_map(move |back| serial.checked_sub(back)).map(|at| self.kept(at));
        let usual = self.baseline.mean();
        let late: u64 = count(n / 2).map(u64::from).sum();
        let high = count(n).filter(|count| f64::from(*count) > usual * LEAST_RATIO).count();
        late as f64 >= self.observed(window) / 4.0 && high >= 2
    }

    /// Whether it came as usual until it stopped: then it is a silence, or will be one.
    fn has_just_stopped(&self, window: usize, expected: f64) -> bool {
        let silent = self.gaps.silent(self.spoken) as f64;
        let n = WINDOWS[window] as f64;
        silent >= n || (silent > 0.0 && self.observed(window) >= expected * (n - silent) / n / LEAST_RATIO)
    }

    pub(super) const fn kept(&self, serial: u64) -> u32 {
        let (half, at) = slot(serial);
        self.kept[half][at]
    }

    /// The level of the last ten minutes is the usual one.
    pub(super) fn adopt(&mut self, serial: u64) {
        let n = LEVEL.min(serial + 1);
        let sum: u64 = (0..n).map(|back| u64::from(self.kept(serial - back))).sum();
        self.baseline.adopt(sum as f64 / n as f64);
        self.learned = serial + 1;
        self.adopted = serial + 1;
    }

    /// Whether a level was taken over in this bucket.
    pub(super) const fn has_adopted(&self, serial: u64) -> bool {
        self.adopted == serial + 1
    }

    /// Does not learn from this bucket.
    pub(super) const fn pass_over(&mut self, serial: u64) {
        self.learned = serial + 1;
        self.baseline.interrupt();
    }

    /// Learns from the buckets that nobody suspects any more. `p` is the smallest of this bucket's.
    pub(super) fn learn(&mut self, p: f64, serial: u64) {
        self.is_suspicious = p < SUSPICIOUS;
        if self.up.episode.is_open() || self.down.episode.is_open() {
            self.pass_over(serial);
            return;
        }
        let lag = if self.is_suspicious { LONGEST_LAG } else { LAG };
        while self.learned + lag <= serial {
            let at = self.learned;
            self.baseline.learn(f64::from(self.kept(at)));
            self.learned += 1;
            for (window, n) in (1..).zip(&WINDOWS[1..]) {
                if self.learned.is_multiple_of(*n as u64) {
                    let first = self.learned.saturating_sub(*n as u64);
                    let sum: u64 = (first..self.learned).map(|at| u64::from(self.kept(at))).sum();
                    self.baseline.learn_window(window, sum as f64);
                }
            }
        }
    }

    /// Takes over the counts of another stream whose events are this one's from now on.
    pub(super) fn fold(&mut self, other: &Self) {
        let add = |into: &mut u32, count: &u32| *into = into.saturating_add(*count);
        self.pending.iter_mut().zip(&other.pending).for_each(|(into, count)| add(into, count));
        let kept = self.kept.iter_mut().flatten();
        kept.zip(other.kept.iter().flatten()).for_each(|(into, count)| add(into, count));
        self.sums.iter_mut().zip(other.sums).for_each(|(into, sum)| *into += sum);
        self.born = self.born.min(other.born);
        self.learned = self.learned.max(other.learned);
        self.total = self.total.saturating_add(other.total);
        self.baseline.fold(&other.baseline);
        self.gaps.fold(&other.gaps);
        self.came = self.came.max(other.came);
        self.spoken = self.spoken.max(other.spoken);
    }
}

const fn slot(serial: u64) -> (usize, usize) {
    ((serial / 32 % 2) as usize, (serial % 32) as usize)
}

const _: () = assert!(KEPT > LONGEST_LAG + WINDOWS[2] as u64);
