//! Puts together what a resource's metrics were at one time.
//!
//! In: readings of single series, of one resource. Out: frames, each with a value for every metric. The metrics of one scrape come at
//! about the same time, so a frame is complete when every metric that usually comes has come, and closed at the latest when a newer
//! reading comes. What comes after that is late: it still counts as the metric's last value.

use pdata::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::point::{Direction, Nature};

/// One value of one series, and what its own detectors think of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// The series.
    pub id: u64,
    /// When.
    pub time: Timestamp,
    /// What was seen; finite.
    pub value: f64,
    /// How surprising it is for its series alone, see [`super::super::Scored::surprise`].
    pub surprise: f64,
    /// What is known about the series beforehand.
    pub nature: Nature,
}

/// A metric's last value stands for a missing one for this many frames, or for twice its usual pause. After that nothing is known about it.
const HOLD: u32 = 12;
/// A metric that was not seen for this many frames is not waited for.
const WAIT: u32 = 2;
/// A metric that was not seen for this many frames makes room for a new one.
const GONE: u32 = 500;
/// Readings that are this share of the usual time between frames apart belong to one frame.
const TOGETHER: f64 = 0.5;
/// So many times as many readings as there are metrics, all of them this late, say that a clock was ahead before.
const LATE_READINGS: u32 = 4;
const JUMP: std::time::Duration = std::time::Duration::from_secs(60);
/// Larger values are cut off, so that squares of differences are numbers.
const LARGEST: f64 = 1e100;

/// A metric, as far as frames are concerned.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Metric {
    pub(super) id: u64,
    pub(super) last: f64,
    pub(super) surprise: f32,
    /// Frames since it was seen; 0 if it is part of the open one.
    age: u32,
    /// The longest pause lately, in frames.
    pause: u32,
    pub(super) only_up: bool,
    unit_floor: f32,
}

/// The smallest standard deviation to believe in, as a share of the level.
const RELATIVE_FLOOR: f64 = 0.005;

impl Metric {
    /// Whether it is part of the frame, by itself or by a value that still holds.
    pub(super) fn is_known(&self) -> bool {
        self.age <= HOLD.max(2 * self.pause)
    }

    /// The smallest standard deviation to believe in if `mean` is usual.
    pub(super) fn floor(&self, mean: f64) -> f64 {
        (RELATIVE_FLOOR * mean.abs()).max(f64::from(self.unit_floor))
    }

    /// Whether it is part of the frame by itself.
    pub(super) const fn is_fresh(&self) -> bool {
        self.age == 0
    }
}

/// Where a reading belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Into the open frame.
    Here,
    /// Into the next one: the open one is to be closed first.
    Next,
    /// Into one that is closed.
    Late,
    /// Into the first frame after a clock that was ahead: what came before seems to be of the future.
    Anew,
}

/// What [`Assembly::add`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// The reading is one of a metric that was known.
    Known,
    /// A new metric came in at this position: whatever was known about the position is to be forgotten.
    New(usize),
    /// There is no room for another metric.
    Full,
}

/// Puts frames together.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Assembly {
    metrics: Vec<Metric>,
    open: Timestamp,
    closed: Timestamp,
    /// Readings in a row that came too late.
    late: u32,
    /// Usual time between frames in seconds.
    interval: f64,
    /// How many metrics of those that usually come have come, and how many do.
    came: usize,
    usual: usize,
    /// Where the next reading's metric is expected: they come in the same order every time.
    cursor: usize,
}

impl Assembly {
    /// The metrics, in the order of a frame.
    pub(super) fn metrics(&self) -> &[Metric] {
        &self.metrics
    }

    /// The time of the open frame; unknown if there is none.
    pub(super) const fn open(&self) -> Timestamp {
        self.open
    }

    /// Usual seconds between frames; 0 if unknown.
    pub(super) const fn interval(&self) -> f64 {
        self.interval
    }

    /// How many metrics are part of the open frame by themselves.
    pub(super) const fn came(&self) -> usize {
        self.came
    }

    /// Where a reading of `time` belongs.
    pub(super) fn place(&mut self, time: Timestamp) -> Place {
        let place = self.place_of(time);
        if place != Place::Late {
            self.late = 0;
            return place;
        }
        self.late = self.late.saturating_add(1);
        let ahead = self.open.max(self.closed).since(time);
        if ahead < JUMP || self.late <= LATE_READINGS.saturating_mul(self.metrics.len() as u32) {
            return Place::Late;
        }
        self.begin_anew(ahead.as_secs_f64());
        Place::Anew
    }

    /// Forgets when frames were, by a clock that was so many seconds ahead.
    fn begin_anew(&mut self, ahead: f64) {
        (self.open, self.closed, self.late) = (Timestamp::default(), Timestamp::default(), 0);
        if self.interval > 0.5 * ahead {
            // The jump was taken for the rhythm.
            self.interval = 0.0;
        }
        // What had come of the open frame is of the same clock.
        self.metrics.iter_mut().for_each(|metric| metric.age = metric.age.max(1));
        (self.came, self.cursor) = (0, 0);
    }

    fn place_of(&self, time: Timestamp) -> Place {
        let slack = TOGETHER * self.interval;
        let after = |earlier: Timestamp| time.since(earlier).as_secs_f64();
        if self.open.is_unknown() {
            let late = !self.closed.is_unknown() && (time <= self.closed || after(self.closed) < slack);
            return if late { Place::Late } else { Place::Here };
        }
        if time <= self.open {
            let far = self.open.since(time).as_secs_f64() > slack && time != self.open;
            return if far { Place::Late } else { Place::Here };
        }
        if after(self.open) > slack { Place::Next } else { Place::Here }
    }

    /// Takes in a reading that belongs into the open frame.
    pub(super) fn add(&mut self, reading: &Reading, most: usize) -> Added {
        if self.open.is_unknown() {
            self.open = reading.time;
        }
        let Some(at) = self.find(reading.id) else { return self.admit(reading, most) };
        self.cursor = at + 1;
        let metric = &mut self.metrics[at];
        if metric.age > 0 {
            self.came += usize::from(metric.age <= WAIT);
        }
        let pause = metric.age.min(GONE / 2).max(metric.pause - metric.pause.div_ceil(8));
        *metric = Metric { age: 0, pause, ..metric_of(reading) };
        Added::Known
    }

    /// Notes a reading that came too late for its frame.
    pub(super) fn add_late(&mut self, reading: &Reading) {
        if let Some(at) = self.find(reading.id) {
            let metric = &mut self.metrics[at];
            let (age, pause) = (metric.age.clamp(1, WAIT + 1), metric.pause);
            *metric = Metric { age, pause, ..metric_of(reading) };
        }
    }

    /// Whether every metric that usually comes is part of the open frame.
    pub(super) const fn is_complete(&self) -> bool {
        !self.open.is_unknown() && self.usual > 0 && self.came >= self.usual
    }

    /// Ends the open frame; what was read of its metrics must have been used before.
    pub(super) fn close(&mut self) {
        if !self.closed.is_unknown() {
            let gap = self.open.since(self.closed).as_secs_f64();
            let first = self.interval == 0.0;
            // A pause is not a new rhythm.
            let gap = if first { gap } else { gap.min(2.0 * self.interval) };
            self.interval += if first { gap } else { 0.1 * (gap - self.interval) };
        }
        self.closed = self.open;
        self.open = Timestamp::default();
        self.metrics.iter_mut().for_each(|metric| metric.age = metric.age.saturating_add(1));
        self.usual = self.metrics.iter().filter(|metric| metric.age <= WAIT).count();
        self.came = 0;
        self.cursor = 0;
    }

    fn find(&self, id: u64) -> Option<usize> {
        let is = |at: usize| self.metrics.get(at).is_some_and(|metric| metric.id == id);
        if is(self.cursor) {
            return Some(self.cursor);
        }
        self.metrics.iter().position(|metric| metric.id == id)
    }

    fn admit(&mut self, reading: &Reading, most: usize) -> Added {
        let metric = metric_of(reading);
        if self.metrics.len() < most {
            self.metrics.push(metric);
            return Added::New(self.metrics.len() - 1);
        }
        let oldest = self.metrics.iter_mut().enumerate().max_by_key(|(_, metric)| metric.age);
        match oldest {
            Some((at, old)) if old.age > GONE => {
                *old = metric;
                Added::New(at)
            }
            _ => Added::Full,
        }
    }
}

const fn metric_of(reading: &Reading) -> Metric {
    Metric {
        id: reading.id,
        last: reading.value.clamp(-LARGEST, LARGEST),
        surprise: reading.surprise as f32,
        age: 0,
        pause: 0,
        only_up: matches!(reading.nature.direction, Direction::Up),
        unit_floor: reading.nature.unit_floor as f32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(id: u64, seconds: u64) -> Reading {
        let time = Timestamp::from_secs(1_000_000 + seconds);
        Reading { id, time, value: id as f64, surprise: 0.0, nature: Nature::default() }
    }

    fn whole(assembly: &mut Assembly, seconds: u64, ids: std::ops::Range<u64>) {
        for id in ids {
            assert_eq!(assembly.place(reading(id, seconds).time), Place::Here);
            assembly.add(&reading(id, seconds), 8);
        }
    }

    #[test]
    fn a_frame_is_complete_when_all_that_usually_come_have_come() {
        let mut assembly = Assembly::default();
        whole(&mut assembly, 0, 0..4);
        assert!(!assembly.is_complete(), "nobody knows yet how many there are");
        assembly.close();
        whole(&mut assembly, 10, 0..3);
        assert!(!assembly.is_complete());
        whole(&mut assembly, 10, 3..4);
        assert!(assembly.is_complete());
    }

    #[test]
    fn a_metric_that_ended_is_not_waited_for_and_holds_for_a_while() {
        let mut assembly = Assembly::default();
        for n in 0..30 {
            whole(&mut assembly, 10 * n, if n < 5 { 0..4 } else { 0..3 });
            assert_eq!(assembly.metrics().last().map(Metric::is_known), Some(n < 5 + u64::from(HOLD)));
            if n > 8 {
                assert!(assembly.is_complete());
            }
            assembly.close();
        }
    }

    #[test]
    fn readings_close_together_are_one_frame_and_older_ones_late() {
        let mut assembly = Assembly::default();
        for n in 0..4 {
            whole(&mut assembly, 10 * n, 0..4);
            assembly.close();
        }
        assert_eq!(assembly.place(reading(0, 30).time), Place::Late, "that frame is closed");
        assembly.add(&reading(0, 40), 8);
        assert_eq!(assembly.place(reading(1, 43).time), Place::Here);
        assert_eq!(assembly.place(reading(1, 38).time), Place::Here);
        assert_eq!(assembly.place(reading(1, 50).time), Place::Next);
        assert_eq!(assembly.place(reading(1, 20).time), Place::Late);
    }

    #[test]
    fn only_many_late_readings_in_a_row_turn_the_clock_back() {
        let mut assembly = Assembly::default();
        for n in 0..4 {
            whole(&mut assembly, 600 * n, 0..4);
            assembly.close();
        }
        let mut late = |n: u64| (0..n).all(|n| assembly.place(reading(0, 100 + n).time) == Place::Late);
        assert!(late(16));
        assert_eq!(assembly.place(reading(0, 2400).time), Place::Here);
        let mut late = |n: u64| (0..n).all(|n| assembly.place(reading(0, 100 + n).time) == Place::Late);
        assert!(late(16), "one that is in time counts");
        assert_eq!(assembly.place(reading(0, 120).time), Place::Anew);
        assert_eq!(assembly.place(reading(0, 120).time), Place::Here);
        whole(&mut assembly, 120, 0..4);
        assembly.close();
        assert!(
            (0..40).all(|_| assembly.place(reading(0, 100).time) == Place::Late),
            "a few seconds are no jump"
        );
    }

    #[test]
    fn a_full_frame_takes_a_new_metric_only_for_one_that_is_gone() {
        let mut assembly = Assembly::default();
        for n in 0..=u64::from(GONE) + 2 {
            let ids = if n == 0 { 0..8 } else { 1..8 };
            whole(&mut assembly, 10 * n, ids);
            if n == 5 {
                assert_eq!(assembly.add(&reading(9, 50), 8), Added::Full);
            }
            assembly.close();
        }
        assert_eq!(assembly.add(&reading(9, 10_000), 8), Added::New(0));
    }
}
