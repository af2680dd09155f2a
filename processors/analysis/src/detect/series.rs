//! One series: warm-up, detectors, and from single odd points to an episode that is reported once.
//!
//! A point out of the ordinary moves the baseline little. If the series stays out long enough it is taken for the new
//! normal; the old normal is remembered, so that going back there is no news either.

use std::time::Duration;

use pdata::Timestamp;
use pdata::event::Phase;
use serde::{Deserialize, Serialize};

use super::ensemble::{Ensemble, Frame, MOST_SURPRISING, Verdict};
use super::episode::Episode;
use super::level::Level;
use super::novelty::{NOVEL, Novelty};
use super::point::{Direction, Nature, Point};

/// How detection behaves; the same for all series of a table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// A deviation of this many calibrated standard deviations is out of the ordinary.
    pub threshold: f64,
    /// Points to learn from before anything is reported.
    pub warm_up: u32,
    /// A departure that lasts this long, and at least [`Settings::adapt_points`], becomes the new normal.
    pub adapt_after: Duration,
    /// See [`Settings::adapt_after`].
    pub adapt_points: u32,
    /// How soon after its end an episode that comes back counts as the same one.
    pub cooldown: Duration,
    /// How often an episode that goes on is reported again.
    pub repeat: Duration,
    /// How many alerts a day one service may cause by its series; without it everything is told that a series does not do by itself.
    pub alert_budget: Option<f64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            threshold: 6.0,
            warm_up: 24,
            adapt_after: Duration::from_secs(15 * 60),
            adapt_points: 40,
            cooldown: Duration::from_secs(120),
            repeat: Duration::from_secs(300),
            alert_budget: None,
        }
    }
}

/// Why a point was not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ignored {
    /// Not a number, or infinite.
    NotFinite,
    /// Its time was seen already.
    Duplicate,
    /// It is older than a point seen already.
    OutOfOrder,
    /// Its time is unknown.
    NoTime,
}

/// What came of a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// In (0, 1); 0.5 is just out of the ordinary. By the deviation that counts, as reports are.
    pub score: f64,
    /// In (0, 1): how new the point is to the series, which ranks points better. 0.5 is 3 digits of rarity.
    pub rank: f64,
    /// Size of the deviation that counts, capped at [`MOST_SURPRISING`]: 0 if it goes the harmless way.
    pub surprise: f64,
    /// What the detectors think.
    pub verdict: Verdict,
    /// Whether enough points were seen to believe the score.
    pub warm: bool,
    /// What there is to report, if anything.
    pub phase: Option<Phase>,
}

const FIRST: usize = 8;
/// However dense its points are, a series is learned from for this long before anything is reported about it.
const SHORTEST_WARM_UP: Duration = Duration::from_secs(180);
/// So many points in a row that are this late say that the clock was ahead before.
const LATE_POINTS: u8 = 5;
const JUMP: Duration = Duration::from_secs(60);

/// One series.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Series {
    first_seen: Timestamp,
    last: Timestamp,
    /// Points in a row that came far too late, each after the other, and the time of the newest.
    late: u8,
    newest_late: Timestamp,
    /// Usual time between points in seconds.
    interval: f64,
    seen: u32,
    first: Option<Box<[f64; FIRST]>>,
    ensemble: Ensemble,
    novelty: Option<Box<Novelty>>,
    /// Running mean and mean deviation of everything, without robustness: where the series is now.
    here: Here,
    /// Leaky count of points out of the ordinary, and since when.
    outside: f64,
    outside_since: Timestamp,
    former: Option<Level>,
    lowest: f64,
    episode: Episode,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Here {
    mean: f64,
    spread: f64,
}

impl Default for Series {
    fn default() -> Self {
        Self {
            first_seen: Timestamp::default(),
            last: Timestamp::default(),
            late: 0,
            newest_late: Timestamp::default(),
            interval: 0.0,
            seen: 0,
            first: Some(Box::default()),
            ensemble: Ensemble::default(),
            novelty: None,
            here: Here::default(),
            outside: 0.0,
            outside_since: Timestamp::default(),
            former: None,
            lowest: f64::INFINITY,
            episode: Episode::default(),
        }
    }
}

impl Series {
    /// Looks at the next point and learns from it.
    ///
    /// # Errors
    /// If the point cannot be looked at; nothing is learned then.
    pub fn observe(&mut self, point: Point, nature: Nature, settings: &Settings) -> Result<Scored, Ignored> {
        let steps = self.admit(&point)?;
        self.seen = self.seen.saturating_add(1);
        self.lowest = self.lowest.min(point.value);
        if let Some(scored) = self.collect_first(&point) {
            return Ok(scored);
        }
        let frame = Frame { steps, unit_floor: nature.unit_floor };
        let mut verdict = self.ensemble.judge(&point, &frame);
        let novel = self.novelty.get_or_insert_default().observe(point.time, point.value);
        verdict.consider(&novel, &point, &frame, settings.threshold);
        if self.lowest >= 0.0 {
            verdict.low = verdict.low.max(0.0);
        }
        let warm = self.is_warm(settings);
        let out = verdict.deviation.abs() >= settings.threshold;
        let settled = self.learn(&point, &frame, out, settings);
        let fallen = nature.direction == Direction::Up && verdict.deviation < 0.0;
        let surprise = if settled || fallen { 0.0 } else { verdict.deviation.abs() };
        let rank = score(if fallen { 0.0 } else { novel.digits }, NOVEL);
        let score = score(surprise, settings.threshold);
        let surprise = surprise.min(MOST_SURPRISING);
        let phase =
            if warm { self.episode.observe(point.time, surprise, self.interval, settings) } else { None };
        Ok(Scored { score, rank, surprise, verdict, warm, phase })
    }

    /// Whether enough was seen to know what is usual: enough points, and over long enough. Neighbours within seconds resemble
    /// each other and say little about what else is usual.
    fn is_warm(&self, settings: &Settings) -> bool {
        self.seen > settings.warm_up && self.last.since(self.first_seen) >= SHORTEST_WARM_UP
    }

    /// When the first point was seen.
    pub const fn first_seen(&self) -> Timestamp {
        self.first_seen
    }

    /// The usual time between points, in seconds; 0 if there was one only.
    pub const fn interval(&self) -> f64 {
        self.interval
    }

    /// When the last point was seen.
    pub const fn last(&self) -> Timestamp {
        self.last
    }

    /// The current or last episode.
    pub const fn episode(&self) -> &Episode {
        &self.episode
    }

    /// The series has ended: so has its episode, if one is open.
    pub fn end(&mut self) -> bool {
        self.episode.end(self.last)
    }

    /// Checks the point's time and value; returns the time since the last point in usual intervals.
    fn admit(&mut self, point: &Point) -> Result<f64, Ignored> {
        if !(point.value.is_finite() && point.noise.is_finite() && point.relative_noise.is_finite()) {
            return Err(Ignored::NotFinite);
        }
        if point.time.is_unknown() {
            return Err(Ignored::NoTime);
        }
        if point.time == self.last {
            return Err(Ignored::Duplicate);
        }
        if point.time < self.last {
            if !self.clock_was_ahead(point.time) {
                return Err(Ignored::OutOfOrder);
            }
            self.last = point.time;
            return Ok(1.0);
        }
        self.late = 0;
        let elapsed = point.time.since(self.last).as_secs_f64();
        let first = self.last.is_unknown();
        self.last = point.time;
        if first {
            self.first_seen = point.time;
            return Ok(1.0);
        }
        if self.interval == 0.0 {
            self.interval = elapsed;
        }
        let steps = (elapsed / self.interval).clamp(0.1, 30.0);
        let rate = (2.0 / f64::from(self.seen.max(1))).clamp(0.05, 1.0);
        self.interval *= 1.0 + rate * (steps.clamp(0.5, 2.0) - 1.0);
        Ok(steps)
    }

    /// Whether the last point that was taken came from a clock that had jumped ahead: time goes on for several points where it was
    /// before. Without that one such point would silence the series until its time has come.
    fn clock_was_ahead(&mut self, time: Timestamp) -> bool {
        if self.last.since(time) < JUMP {
            return false;
        }
        let goes_on = self.late > 0 && time > self.newest_late;
        self.late = if goes_on { self.late.saturating_add(1) } else { 1 };
        self.newest_late = time;
        let was_ahead = self.late >= LATE_POINTS;
        if was_ahead {
            self.late = 0;
        }
        was_ahead
    }

    /// Keeps the very first points until there are enough to begin with; afterwards gives `None`.
    fn collect_first(&mut self, point: &Point) -> Option<Scored> {
        let first = self.first.as_mut()?;
        first[(self.seen as usize - 1).min(FIRST - 1)] = point.value;
        let mid = point.value;
        if self.seen as usize >= FIRST {
            self.ensemble = Ensemble::from_first(&mut first[..]);
            self.here = Here { mean: self.ensemble.usual().mid(), spread: 0.0 };
            self.first = None;
        }
        let verdict = Verdict { low: mid, mid, high: mid, ..Verdict::default() };
        let score = score(0.0, 1.0);
        Some(Scored { score, rank: score, surprise: 0.0, verdict, warm: false, phase: None })
    }

    /// Returns whether the point belongs to another normal than the ones before.
    fn learn(&mut self, point: &Point, frame: &Frame, out: bool, settings: &Settings) -> bool {
        let rate = 1.0 / 12.0;
        self.here.spread += rate * ((point.value - self.here.mean).abs() - self.here.spread);
        self.here.mean += rate * (point.value - self.here.mean);
        if !out {
            self.outside = (self.outside - 2.0).max(0.0);
            self.ensemble.learn(point, frame, 1.0, true);
            return false;
        }
        if self.outside == 0.0 {
            self.outside_since = point.time;
            self.here = Here { mean: point.value, spread: self.here.spread };
        }
        self.outside += 1.0;
        let warm = self.is_warm(settings);
        // The first odd points teach a little about the spread; a lasting departure teaches nothing until it is accepted.
        let weight = match self.outside {
            _ if !warm => 1.0,
            outside if outside <= 3.0 => 0.2,
            _ => 0.0,
        };
        self.ensemble.learn(point, frame, weight, self.outside <= 2.0);
        let former = self.former.filter(|former| fits(*former, point));
        if former.is_none() && !self.has_moved(point.time, settings) {
            return false;
        }
        let here = Level::known(self.here.mean, self.here.spread, 30.0);
        self.former = Some(self.ensemble.usual());
        self.ensemble.settle(former.unwrap_or(here));
        self.outside = 0.0;
        self.episode.accept();
        true
    }

    /// Whether the series has been out of the ordinary for so long that this is the ordinary now.
    fn has_moved(&self, now: Timestamp, settings: &Settings) -> bool {
        self.outside >= f64::from(settings.adapt_points)
            && now.since(self.outside_since) >= settings.adapt_after
    }
}

/// Whether a point is where the series once was.
fn fits(former: Level, point: &Point) -> bool {
    let floor = (0.03 + point.relative_noise) * former.mid().abs() + point.noise;
    former.deviation(point.value, floor).abs() < 3.0
}

/// Maps a surprise to (0, 1): 0.5 at the threshold, 0.8 at twice, 0.9 at three times. It never saturates, so that
/// stronger stays stronger.
pub fn score(surprise: f64, threshold: f64) -> f64 {
    let square = surprise * surprise;
    (square / (square + threshold * threshold)).clamp(1e-6, 1.0 - 1e-9)
}

/// The surprise that has this score; the inverse of [`score`].
pub fn surprise(score: f64, threshold: f64) -> f64 {
    let score = score.clamp(0.0, 1.0 - 1e-9);
    threshold * (score / (1.0 - score)).sqrt()
}
