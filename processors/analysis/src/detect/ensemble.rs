//! The detectors that look at every series, and how their opinions become one.
//!
//! A detector judges a point before it learns from it. Opinions are deviations in standard deviations, divided by the
//! series' own tail ([`Tail`]), so that they can be compared; the strongest one counts. To add a detector, implement
//! [`Detector`] and give [`Ensemble`] a field.
//!
//! These decide what is reported. [`Novelty`](super::novelty::Novelty) tells them what is usual at this time and adds its opinions.

use serde::{Deserialize, Serialize};

use super::level::{FIRST_MOVE, Level, MEAN_DEVIATION_TO_SIGMA, Tail, learning_rate};
use super::novelty::{NOVEL, NOVELTIES, Novel};
use super::point::Point;

/// Nothing is more surprising than this: beyond it, numbers only say how small the spread was. They still rank points.
pub const MOST_SURPRISING: f64 = 60.0;
/// No deviation is reported as larger than this, so that its square is a number, too.
const LARGEST: f64 = 1e9;

/// A value may always differ from its level by this share: nothing in operations is steadier.
const RELATIVE_FLOOR: f64 = 0.03;

/// What a detector is told besides the point.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// Time since the last point, in the series' usual intervals.
    pub steps: f64,
    /// The series' unit floor.
    pub unit_floor: f64,
}

impl Frame {
    /// The smallest standard deviation to believe in, near `level`.
    fn floor(&self, level: f64, point: &Point) -> f64 {
        let floor = (RELATIVE_FLOOR * level.abs()).max(self.unit_floor);
        noisy(floor, point.noise + point.relative_noise * level.abs())
    }

    /// The same for a step: what makes series wander slowly does not make them jump, but a step has the noise of two
    /// points.
    fn step_floor(&self, level: f64, point: &Point) -> f64 {
        let floor = (RELATIVE_FLOOR / 2.0 * level.abs()).max(self.unit_floor);
        noisy(floor, (point.noise + point.relative_noise * level.abs()) * std::f64::consts::SQRT_2)
    }
}

/// Independent deviations add up by their squares.
fn noisy(floor: f64, noise: f64) -> f64 {
    if noise == 0.0 { floor } else { (floor * floor + noise * noise).sqrt() }
}

/// A detector's opinion of one point.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Opinion {
    /// Calibrated deviation: positive above, negative below.
    pub deviation: f64,
    /// The most likely value.
    pub mid: f64,
    /// One calibrated standard deviation downwards and upwards.
    pub sigma: (f64, f64),
}

/// Looks at one series, point by point.
pub trait Detector {
    /// Its name in [`pdata::event::Anomaly::detectors`].
    const NAME: &'static str;

    /// What it thinks of a point that it has not learned from yet.
    fn judge(&self, point: &Point, frame: &Frame) -> Opinion;

    /// Learns from a point. `weight` is 1 for an ordinary one and less for one that looks wrong; `fresh` is false
    /// when the points before were out of the ordinary too, so that a lasting fault is not taken for a heavy tail.
    fn learn(&mut self, point: &Point, frame: &Frame, weight: f64, fresh: bool);

    /// A new usual level has been established.
    fn settle(&mut self, level: Level);
}

/// Departure from the level of the last [`MEMORY`](Self) intervals.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Drift<const MEMORY: u32> {
    level: Level,
    tail: Tail,
}

impl<const MEMORY: u32> Drift<MEMORY> {
    /// The level that it holds for usual.
    pub const fn level(&self) -> Level {
        self.level
    }

    fn opinion(&self, value: f64, floor: f64) -> Opinion {
        let ratio = self.tail.ratio();
        let sigma = self.level.sigma(value, floor) * ratio;
        let deviation = if sigma > 0.0 {
            (value - self.level.mid()) / sigma
        } else {
            surprise_of_change(value - self.level.mid())
        };
        let mid = self.level.mid();
        let side = |value| self.level.sigma(value, floor) * ratio;
        Opinion { deviation, mid, sigma: (side(f64::NEG_INFINITY), side(f64::INFINITY)) }
    }
}

impl<const MEMORY: u32> Drift<MEMORY> {
    const LABEL: &'static str = if MEMORY > 50 { "level" } else { "recent_level" };
}

impl<const MEMORY: u32> Detector for Drift<MEMORY> {
    const NAME: &'static str = Self::LABEL;

    fn judge(&self, point: &Point, frame: &Frame) -> Opinion {
        self.opinion(point.value, frame.floor(self.level.mid(), point))
    }

    fn learn(&mut self, point: &Point, frame: &Frame, weight: f64, fresh: bool) {
        let floor = frame.floor(self.level.mid(), point);
        if fresh {
            self.tail.learn(self.level.deviation(point.value, floor).abs());
        }
        self.level.learn(point.value, frame.steps, f64::from(MEMORY), weight, frame.unit_floor);
    }

    fn settle(&mut self, level: Level) {
        self.level = level;
    }
}

/// Departure of a step from the usual size of steps: finds jumps in series that wander or swing.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Difference {
    last: Option<f64>,
    size: f64,
    seen: f64,
    tail: Tail,
}

impl Difference {
    const MEMORY: f64 = 120.0;

    fn sigma(&self, floor: f64) -> f64 {
        (self.size * 1.2533 * (1.0 + 12.0 / self.seen.max(1.0))).max(floor)
    }
}

impl Detector for Difference {
    const NAME: &'static str = "difference";

    fn judge(&self, point: &Point, frame: &Frame) -> Opinion {
        let Some(last) = self.last else { return Opinion::default() };
        let sigma = self.sigma(frame.step_floor(last, point)) * self.tail.ratio();
        let step = point.value - last;
        let deviation = if sigma > 0.0 { step / sigma } else { surprise_of_change(step) };
        Opinion { deviation, mid: last, sigma: (sigma, sigma) }
    }

    fn learn(&mut self, point: &Point, frame: &Frame, weight: f64, fresh: bool) {
        let Some(last) = self.last.replace(point.value) else { return };
        let step = (point.value - last).abs();
        let sigma = self.sigma(frame.step_floor(last, point));
        if fresh && sigma > 0.0 {
            self.tail.learn(step / sigma);
        }
        self.seen = (self.seen + 1.0).min(1e9);
        let rate = learning_rate(frame.steps, Self::MEMORY).max(1.0 / self.seen) * weight;
        if sigma == 0.0 {
            self.size = step / FIRST_MOVE;
            return;
        }
        self.size += rate * (step.min(2.5 * sigma) - self.size);
    }

    fn settle(&mut self, _level: Level) {}
}

/// A series that never moved has no scale to measure its first move by. It counts as odd, but not as proof.
fn surprise_of_change(change: f64) -> f64 {
    if change == 0.0 { 0.0 } else { FIRST_MOVE.copysign(change) }
}

/// Every detector of a series.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Ensemble {
    level: Drift<120>,
    recent: Drift<15>,
    difference: Difference,
}

/// How many detectors an [`Ensemble`] has.
const ENSEMBLE: usize = 3;
/// How many detectors look at a series.
pub const DETECTORS: usize = ENSEMBLE + NOVELTIES;

/// What the detectors think of one point.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Verdict {
    /// The strongest opinion; positive above.
    pub deviation: f64,
    /// Each detector's name and deviation.
    pub opinions: [(&'static str, f64); DETECTORS],
    /// The usual range, lower end first, at three calibrated standard deviations.
    pub low: f64,
    /// The most likely value.
    pub mid: f64,
    /// The usual range's upper end.
    pub high: f64,
}

impl Verdict {
    /// Takes in how new the point is. What is usual at this time of the day or week is not out of the ordinary, however far it is
    /// from the level; `threshold` is how many deviations are.
    pub fn consider(&mut self, novel: &Novel, point: &Point, frame: &Frame, threshold: f64) {
        for (opinion, (name, digits)) in self.opinions[ENSEMBLE..].iter_mut().zip(novel.opinions) {
            // So that as many deviations are out of the ordinary as digits are.
            *opinion = (name, digits * threshold / NOVEL);
        }
        let Some(usual) = novel.usual else { return };
        let sigma = (usual.error * MEAN_DEVIATION_TO_SIGMA).max(frame.floor(usual.value, point));
        let deviation = (point.value - usual.value) / sigma;
        if deviation.abs() < self.deviation.abs() {
            self.deviation = deviation;
            (self.low, self.mid, self.high) =
                (usual.value - 3.0 * sigma, usual.value, usual.value + 3.0 * sigma);
        }
    }
}

impl Ensemble {
    /// Starts from the first points of a series.
    pub fn from_first(values: &mut [f64]) -> Self {
        let last = values.last().copied();
        let level = Level::from_first(values);
        let mut new = Self::default();
        new.level.settle(level);
        new.recent.settle(level);
        new.difference.last = last;
        new
    }

    /// What the detectors think of a point that they have not learned from yet.
    pub fn judge(&self, point: &Point, frame: &Frame) -> Verdict {
        let limited =
            |opinion: Opinion| Opinion { deviation: opinion.deviation.clamp(-LARGEST, LARGEST), ..opinion };
        let level = limited(self.level.judge(point, frame));
        let recent = limited(self.recent.judge(point, frame));
        let difference = limited(self.difference.judge(point, frame));
        let mut opinions = [("", 0.0); DETECTORS];
        opinions[..ENSEMBLE].copy_from_slice(&[
            (Drift::<120>::NAME, level.deviation),
            (Drift::<15>::NAME, recent.deviation),
            (Difference::NAME, difference.deviation),
        ]);
        let strongest = combine(level.deviation, recent.deviation, difference.deviation);
        let range = if recent.sigma.1 < level.sigma.1 { recent } else { level };
        Verdict {
            deviation: strongest,
            opinions,
            low: range.mid - 3.0 * range.sigma.0,
            mid: range.mid,
            high: range.mid + 3.0 * range.sigma.1,
        }
    }

    /// Learns from a point.
    pub fn learn(&mut self, point: &Point, frame: &Frame, weight: f64, fresh: bool) {
        self.level.learn(point, frame, weight, fresh);
        self.recent.learn(point, frame, weight, fresh);
        self.difference.learn(point, frame, weight.max(0.2), fresh);
    }

    /// A new usual level has been established.
    pub fn settle(&mut self, level: Level) {
        self.level.settle(level);
        self.recent.settle(level);
        self.difference.settle(level);
    }

    /// The level that it holds for usual.
    pub const fn usual(&self) -> Level {
        self.level.level()
    }
}

/// The opinion that counts. A jump in steps alone only says that something moved: it must also have moved away from
/// where the series was.
fn combine(level: f64, recent: f64, difference: f64) -> f64 {
    let away = if level.abs() >= recent.abs() { level } else { recent };
    if difference.abs() > away.abs() && difference.signum() == away.signum() {
        // A few times the distance at most: the way back from a spike is a large step, too.
        difference.abs().min(3.0 * away.abs()).copysign(away)
    } else {
        away
    }
}
