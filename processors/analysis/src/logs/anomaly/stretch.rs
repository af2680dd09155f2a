//! From suspicions about one stream to episodes that are reported once.
//!
//! What happened several times within a day, and the way back to how things were, is nothing new. What lasts becomes usual.

use pdata::Timestamp;
use pdata::event::{Phase, Severity};
use serde::{Deserialize, Serialize};

use super::baseline::{DAY, WINDOWS};
use super::clock::BUCKET;
use super::tail;
use super::track::{SUSPICIOUS, Track};
use crate::detect::ensemble::MOST_SURPRISING;
use crate::detect::episode::Episode;
use crate::detect::series;

/// Fewer than this beyond what is usual must be seen in a second bucket.
const NO_DOUBT: f64 = 50.0;
/// As surprising as this, in thresholds, is not yet beyond doubt.
pub(super) const DOUBTFUL: f64 = 1.9;
/// So many of the same kind within a day are usual.
const RECURRING: usize = 3;

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
        let deviation = (self.expected + self.dispersion * self.expected * self.expected).max(0.0).sqrt();
        ((self.expected - 3.0 * deviation).max(0.0), self.expected + 3.0 * deviation)
    }

    /// Whether it is so far beyond the band that somebody would want to know: by `margin` times the band's end. However small its
    /// p-value, a little more traffic than ever is no news, and nothing is reported that its own band calls usual.
    fn is_clear(&self, margin: f64) -> bool {
        let (low, high) = self.band();
        match self.side {
            Side::Up => self.observed >= margin * high,
            Side::Down => self.observed * margin <= low && self.observed < low,
        }
    }
}

/// One side's episode.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Stretch {
    pub(super) episode: Episode,
    /// The window that it was found in: longer ones do not say when it is over.
    pub(super) window: u8,
    is_silence: bool,
    /// Nobody is told: another one stands for it.
    is_muted: bool,
    /// The last bucket in which it was open, counted from 1.
    last: u64,
    /// The last bucket in which it would have been reported but for having happened several times, counted from 1.
    known: u64,
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

impl Track {
    pub(super) const fn stretch(&self, side: Side) -> &Stretch {
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

    /// Whether such a suspicion is nothing new: it is hardly beyond its band, happened several times within a day, or is the way back to
    /// how it was.
    pub(super) fn is_nothing_new(&mut self, suspicion: &Suspicion, margin: f64, serial: u64) -> bool {
        let stretch = self.stretch(suspicion.side);
        if stretch.episode.is_open() {
            return false;
        }
        if !suspicion.is_clear(margin) {
            return true;
        }
        let (size, recent) = (suspicion.effect() as f32, &stretch.recent);
        let is_within_a_day = |began: u64| began > 0 && serial as f64 - began as f64 <= DAY;
        let largest = recent.iter().fold(0.0, |largest: f32, (_, size)| largest.max(*size));
        if recent.iter().all(|(began, _)| is_within_a_day(*began)) && size <= 2.0 * largest {
            self.stretch_mut(suspicion.side).known = serial + 1;
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
            let size = suspicion.map_or(0.0, |suspicion| suspicion.effect() as f32);
            stretch.recent[0].1 = stretch.recent[0].1.max(size);
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

    /// The window that an episode was found in.
    pub(super) fn window(&self, side: Side) -> usize {
        usize::from(self.stretch(side).window).min(2)
    }

    /// Whether an episode that was told of reaches into a window.
    pub(super) const fn is_reported(&self, side: Side, window: usize, serial: u64) -> bool {
        self.reaches(side, window, serial) && !self.stretch(side).is_muted
    }

    /// Whether something reaches into a window that was not reported since it happened several times.
    pub(super) const fn is_known(&self, side: Side, window: usize, serial: u64) -> bool {
        let known = self.stretch(side).known;
        known > 0 && known + WINDOWS[window] as u64 > serial
    }

    /// Whether an episode began in the last minute, and was told of.
    pub(super) const fn has_begun(&self, side: Side, serial: u64) -> bool {
        let stretch = self.stretch(side);
        stretch.recent[0].0 > 0
            && stretch.recent[0].0 + WINDOWS[1] as u64 > serial
            && self.is_open(side)
            && !stretch.is_muted
    }

    pub(super) const fn reaches(&self, side: Side, window: usize, serial: u64) -> bool {
        let last = self.stretch(side).last;
        last > 0 && last + WINDOWS[window] as u64 > serial
    }
}
