//! The counts of one stream: of a template, a class, a severity or a whole service.
//!
//! In: records, into buckets of ten seconds that are open; closed buckets one after the other. Out: whether the last ten seconds, minute
//! or five minutes look out of the ordinary, to be judged with all others ([`super::judge`]).

use pdata::Timestamp;
use pdata::event::{Phase, Severity};
use serde::{Deserialize, Serialize};

use super::baseline::{Baseline, DAY, Gaps, WINDOWS};
use super::clock::BUCKET;
use super::tail;
use crate::detect::ensemble::MOST_SURPRISING;
use crate::detect::episode::Episode;
use crate::detect::series;

/// How many buckets are open at once.
pub(super) const OPEN: usize = 8;
/// How many closed buckets are kept.
const KEPT: u64 = 64;
/// The baseline is so many buckets behind, so that the first of an anomaly are not learned from.
const LAG: u64 = 6;
/// If it takes longer than this to see whether something is an anomaly, it is learned from.
const LONGEST_LAG: u64 = 30;
/// What is rarer than this is not learned from before it is judged.
const SUSPICIOUS: f64 = 1e-3;
/// So many more, or fewer, are worth a word.
const LEAST_EFFECT: f64 = 10.0;
/// So many times as many, or as few, are worth a word.
const LEAST_RATIO: f64 = 2.0;
/// Fewer than this beyond what is usual must be seen in a second bucket.
const NO_DOUBT: f64 = 50.0;
/// As surprising as this, in thresholds, is not yet beyond doubt.
pub(super) const DOUBTFUL: f64 = 1.9;
/// A template is usual once it came in so many buckets.
const FEWEST_BUCKETS: u32 = 3;
/// So many of the same kind within a day are usual.
const RECURRING: usize = 3;
/// A level is that of the last ten minutes.
const LEVEL: u64 = 60;

/// More or fewer than usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Side {
    /// More.
    Up,
    /// Fewer, or none.
    Down,
}

/// Something that may be out of the ordinary.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Suspicion {
    pub(super) side: Side,
    /// Whether nothing came at all, for the length of the window.
    pub(super) is_silence: bool,
    /// Which window, as an index.
    pub(super) window: usize,
    /// Its length in buckets.
    pub(super) buckets: u64,
    pub(super) observed: f64,
    pub(super) expected: f64,
    pub(super) dispersion: f64,
    pub(super) p: f64,
}

impl Suspicion {
    /// By how many there are more or fewer.
    pub(super) const fn effect(&self) -> f64 {
        (self.observed - self.expected).abs()
    }

    /// The band of three standard deviations.
    pub(super) fn band(&self) -> (f64, f64) {
        let deviation = (self.expected + self.dispersion * self.expected * self.expected).sqrt();
        ((self.expected - 3.0 * deviation).max(0.0), self.expected + 3.0 * deviation)
    }
}

/// One side's episode.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Stretch {
    episode: Episode,
    /// The window that it was found in: longer ones do not say when it is over.
    window: u8,
    is_silence: bool,
    /// Nobody is told: another one stands for it.
    is_muted: bool,
    /// The last bucket in which it was open, counted from 1.
    last: u64,
    /// When the last ones began, as the number of a bucket counted from 1, and how large they were.
    recent: [(u64, f32); RECURRING],
}

/// What has to be told about a stretch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Report {
    pub(super) phase: Phase,
    pub(super) is_silence: bool,
    pub(super) onset: Timestamp,
    /// As the thresholds of `Episode` count.
    pub(super) surprise: f64,
    pub(super) severity: Severity,
}

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
    up: Stretch,
    down: Stretch,
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

    const fn kept(&self, serial: u64) -> u32 {
        let (half, at) = slot(serial);
        self.kept[half][at]
    }

    const fn stretch(&self, side: Side) -> &Stretch {
        match side {
            Side::Up => &self.up,
            Side::Down => &self.down,
        }
    }

    const fn stretch_mut(&mut self, side: Side) -> &mut Stretch {
        match side {
            Side::Up => &mut self.up,
            Side::Down => &mut self.down,
        }
    }

    /// Tells nobody about the stretch that has opened.
    pub(super) const fn mute(&mut self, side: Side) {
        self.stretch_mut(side).is_muted = true;
    }

    /// Whether such a suspicion is nothing new: it happened several times within a day, or is the way back to how it was.
    pub(super) fn is_nothing_new(&mut self, suspicion: &Suspicion, serial: u64) -> bool {
        let stretch = self.stretch(suspicion.side);
        if stretch.episode.is_open() {
            return false;
        }
        let size = suspicion.effect() as f32;
        let is_alike = |(began, largest): &(u64, f32)| {
            *began > 0 && serial as f64 - *began as f64 <= DAY && size <= 2.0 * *largest
        };
        if stretch.recent.iter().all(is_alike) {
            return true;
        }
        if suspicion.is_silence || !self.is_former(suspicion) {
            return false;
        }
        if self.baseline.is_former(self.observed(1) / WINDOWS[1] as f64) {
            self.baseline.return_to_former();
        }
        true
    }

    /// Whether the count would be usual at the level before the last that was taken over.
    fn is_former(&self, suspicion: &Suspicion) -> bool {
        let (former, buckets) = (self.baseline.former(), suspicion.buckets as f64);
        let is_beyond = match suspicion.side {
            Side::Up => former > self.baseline.mean(),
            Side::Down => former < self.baseline.mean(),
        };
        let (expected, dispersion) = (former * buckets, self.baseline.dispersion(suspicion.window));
        let p = match suspicion.side {
            Side::Up => tail::at_least(suspicion.observed, expected, dispersion),
            Side::Down => tail::at_most(suspicion.observed, expected, dispersion),
        };
        former > 0.0 && is_beyond && p >= SUSPICIOUS
    }

    /// Whether there is nothing to be judged, and nothing was lately.
    pub(super) const fn is_calm(&self, side: Side) -> bool {
        self.stretch(side).episode.is_idle()
    }

    /// Takes the judgement about the bucket that was closed last. `surprise` is 1 at the threshold. What is small, or
    /// only a lack of something for a moment, must be seen a second time.
    pub(super) fn judged(
        &mut self,
        suspicion: Option<&Suspicion>,
        side: Side,
        surprise: f64,
        now: Timestamp,
        serial: u64,
        settings: &series::Settings,
    ) -> Option<Report> {
        let is_doubtful = |suspicion: &Suspicion| {
            !suspicion.is_silence && (suspicion.effect() < NO_DOUBT || suspicion.side == Side::Down)
        };
        let most = if suspicion.is_some_and(is_doubtful) { DOUBTFUL } else { f64::INFINITY };
        self.judged_surely(suspicion, side, surprise.min(most), now, serial, settings)
    }

    /// The same without a doubt.
    pub(super) fn judged_surely(
        &mut self,
        suspicion: Option<&Suspicion>,
        side: Side,
        surprise: f64,
        now: Timestamp,
        serial: u64,
        settings: &series::Settings,
    ) -> Option<Report> {
        let surprise = (surprise * settings.threshold).min(MOST_SURPRISING);
        let stretch = self.stretch_mut(side);
        let was_open = stretch.episode.is_open();
        let phase = stretch.episode.observe(now, surprise, BUCKET.as_secs_f64(), settings);
        if let (false, Some(phase), Some(suspicion)) = (was_open, phase, suspicion) {
            stretch.window = suspicion.window as u8;
            stretch.is_silence = suspicion.is_silence;
            if phase == Phase::Begin {
                stretch.is_muted = false;
                stretch.recent.rotate_right(1);
                stretch.recent[0] = (serial + 1, suspicion.effect() as f32);
            }
        }
        if was_open || stretch.episode.is_open() {
            stretch.last = serial + 1;
        }
        let (is_silence, onset) = (stretch.is_silence, stretch.episode.onset());
        let severity = stretch.episode.severity();
        let report = phase.map(|phase| Report { phase, is_silence, onset, surprise, severity });
        self.adapt(side, now, serial, settings);
        report.filter(|_| !self.stretch(side).is_muted)
    }

    /// An episode that lasts is the new normal.
    fn adapt(&mut self, side: Side, now: Timestamp, serial: u64, settings: &series::Settings) {
        let stretch = self.stretch_mut(side);
        let lasts = now.since(stretch.episode.onset()) >= settings.adapt_after;
        if !stretch.episode.is_open() || !lasts {
            return;
        }
        stretch.episode.accept();
        self.adopt(serial);
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

    /// The window that an episode was found in.
    pub(super) fn window(&self, side: Side) -> usize {
        usize::from(self.stretch(side).window).min(2)
    }

    /// Whether an episode that was told of reaches into a window.
    pub(super) const fn is_reported(&self, side: Side, window: usize, serial: u64) -> bool {
        self.reaches(side, window, serial) && !self.stretch(side).is_muted
    }

    const fn reaches(&self, side: Side, window: usize, serial: u64) -> bool {
        let last = self.stretch(side).last;
        last > 0 && last + WINDOWS[window] as u64 > serial
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
