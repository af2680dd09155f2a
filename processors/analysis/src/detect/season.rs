//! What a series usually is at this time of the day and of the week.
//!
//! A profile holds the usual value for each part of a period, in two bytes each. It is tried on every series that has lived long
//! enough and kept while it foretells better than the level does; otherwise it is dropped and tried again much later, so that
//! only series with a rhythm pay for one. The time is that of the points, so a replay finds the same.

use std::time::Duration;

use pdata::Timestamp;
use serde::{Deserialize, Serialize};

const DAY: u64 = 24 * 3600;

/// A rhythm that people, batch jobs and backups have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Period {
    Day,
    Week,
}

impl Period {
    /// Seconds.
    const fn length(self) -> u64 {
        match self {
            Self::Day => DAY,
            Self::Week => 7 * DAY,
        }
    }

    /// How many parts are told apart: quarters of an hour, hours.
    const fn parts(self) -> usize {
        match self {
            Self::Day => 96,
            Self::Week => 168,
        }
    }

    /// How old a series must be before this is tried on it.
    const fn tried_after(self) -> Duration {
        match self {
            Self::Day => Duration::from_secs(3600),
            Self::Week => Duration::from_secs(DAY),
        }
    }

    const fn part_of(self, time: Timestamp) -> usize {
        let second = time.as_nanos() / 1_000_000_000 % self.length();
        (second * self.parts() as u64 / self.length()) as usize
    }
}

/// The usual value of each part of a period.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Profile {
    period: Period,
    since: Timestamp,
    /// Usual values as multiples of `step` from `centre`.
    usual: Box<[i16]>,
    centre: f64,
    step: f64,
    /// The part that the series is in, and its points there so far.
    part: u16,
    sum: f64,
    points: u32,
    /// Mean absolute error of what this foretells, and of the level at the same points.
    error: f64,
    error_of_level: f64,
    compared: u32,
}

/// A part that was never seen.
const UNKNOWN: i16 = i16::MIN;
/// So many steps are one mean deviation.
const FINENESS: f64 = 256.0;
/// How far one visit moves the usual value of a part.
const RATE: f64 = 0.3;
/// How many points the errors are means over.
const MEMORY: f64 = 1000.0;
/// A profile must be better than the level by this factor.
const BETTER: f64 = 0.95;
/// How many periods a profile is tried for, and how many later it is tried again.
const TRIAL: u64 = 2;
const PAUSE: u64 = 6;

impl Profile {
    fn new(period: Period, time: Timestamp, centre: f64, spread: f64) -> Self {
        Self {
            period,
            since: time,
            usual: vec![UNKNOWN; period.parts()].into_boxed_slice(),
            centre,
            step: spread / FINENESS,
            part: period.part_of(time) as u16,
            sum: 0.0,
            points: 0,
            error: 0.0,
            error_of_level: 0.0,
            compared: 0,
        }
    }

    fn age(&self, time: Timestamp) -> u64 {
        time.since(self.since).as_secs() / self.period.length()
    }

    /// By which factor this is better than the level; 1 or more if it is not, or if that is unknown.
    fn error_ratio(&self) -> f64 {
        if self.compared >= 2 && self.error_of_level > 0.0 { self.error / self.error_of_level } else { 1.0 }
    }

    fn usual(&self, part: usize) -> Option<f64> {
        let usual = self.usual[part % self.usual.len()];
        (usual != UNKNOWN).then(|| self.centre + f64::from(usual) * self.step)
    }

    /// Closes the visit of the last part and gives what is usual now: in this part or the next or last one, whichever is nearest,
    /// because jobs do not start on the second.
    fn observe(&mut self, time: Timestamp, value: f64, level: f64) -> Option<f64> {
        let part = self.period.part_of(time);
        if part != usize::from(self.part) {
            self.close_visit(time);
            self.part = part as u16;
        }
        self.sum += value;
        self.points += 1;
        let own = self.usual(part);
        if let Some(own) = own {
            self.compare((value - own).abs(), (value - level).abs());
        }
        let near = [self.usual(part + self.usual.len() - 1), own, self.usual(part + 1)];
        near.into_iter().flatten().min_by(|a, b| (value - a).abs().total_cmp(&(value - b).abs()))
    }

    /// Only the part's own value is compared: the nearest of three would look better than the level even without a rhythm.
    fn compare(&mut self, error: f64, error_of_level: f64) {
        self.compared = self.compared.saturating_add(1);
        let rate = (1.0 / f64::from(self.compared)).max(1.0 / MEMORY);
        self.error += rate * (error - self.error);
        self.error_of_level += rate * (error_of_level - self.error_of_level);
    }

    fn close_visit(&mut self, time: Timestamp) {
        if self.points == 0 {
            return;
        }
        let visit = (self.sum / f64::from(self.points) - self.centre) / self.step;
        let rate = RATE.max(1.0 / (self.age(time) as f64 + 1.0));
        let usual = &mut self.usual[usize::from(self.part)];
        let moved = match *usual {
            UNKNOWN => visit,
            usual => f64::from(usual) + rate * (visit - f64::from(usual)),
        };
        // A series that has gone further than this has no rhythm that could be known: the profile will be dropped.
        *usual = moved.round().clamp(f64::from(-i16::MAX), f64::from(i16::MAX)) as i16;
        self.sum = 0.0;
        self.points = 0;
    }
}

/// What a series usually is at this time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usual {
    /// The value.
    pub value: f64,
    /// Mean distance from it.
    pub error: f64,
}

/// The profiles of a series.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Season {
    day: Trial,
    week: Trial,
}

/// A profile that is kept, tried, or to be tried again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Trial {
    profile: Option<Box<Profile>>,
    not_before: Timestamp,
}

impl Trial {
    fn observe(&mut self, period: Period, at: &At) -> Option<(f64, Usual)> {
        let Some(profile) = &mut self.profile else {
            if self.not_before.is_unknown() {
                self.not_before = at.time + period.tried_after();
            }
            if at.time >= self.not_before && at.spread > 0.0 {
                let mut new = Profile::new(period, at.time, at.level, at.spread);
                new.observe(at.time, at.value, at.level);
                self.profile = Some(Box::new(new));
            }
            return None;
        };
        let usual = profile.observe(at.time, at.value, at.level);
        let ratio = profile.error_ratio();
        let error = profile.error;
        if profile.age(at.time) >= TRIAL && (ratio >= 1.0 || ratio.is_nan()) {
            self.not_before = at.time + Duration::from_secs(PAUSE * period.length());
            self.profile = None;
        }
        (ratio < BETTER).then_some(())?;
        Some((ratio, Usual { value: usual?, error }))
    }
}

/// A point, and what is known about the series without its rhythm.
#[derive(Clone, Copy, Debug)]
pub struct At {
    /// When.
    pub time: Timestamp,
    /// What was seen.
    pub value: f64,
    /// What it is measured against.
    pub level: f64,
    /// Mean distance from the level.
    pub spread: f64,
}

impl Season {
    /// Takes a point in and says what is usual at its time, if the series is known to have a rhythm.
    pub fn observe(&mut self, at: &At) -> Option<Usual> {
        let day = self.day.observe(Period::Day, at);
        let week = self.week.observe(Period::Week, at);
        match (day, week) {
            // A week holds its days: it must be clearly better than they are.
            (Some((day_ratio, _)), Some((week_ratio, week))) if week_ratio < BETTER * day_ratio => Some(week),
            (day, week) => day.or(week).map(|(_, usual)| usual),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is usual at the end of `days` days of `value(minute)`, a point every five minutes.
    fn at_end(days: u64, value: impl Fn(u64) -> f64) -> (Season, Option<Usual>) {
        let mut season = Season::default();
        let mut usual = None;
        for minute in (0..days * 24 * 60).step_by(5) {
            let time = Timestamp::from_secs(1_700_000_000 / DAY * DAY + minute * 60);
            usual = season.observe(&At { time, value: value(minute), level: 100.0, spread: 20.0 });
        }
        (season, usual)
    }

    fn wobble(minute: u64) -> f64 {
        (minute * 7919 % 13) as f64
    }

    #[test]
    fn a_daily_rhythm_is_known_after_two_days() {
        let working_hours = |minute: u64| if minute / 60 % 24 >= 12 { 150.0 } else { 50.0 };
        let (_, usual) = at_end(3, |minute| working_hours(minute) + wobble(minute));
        let usual = usual.unwrap();
        assert!((usual.value - 156.0).abs() < 10.0 && usual.error < 20.0, "{usual:?}");
    }

    #[test]
    fn weekends_are_known_after_two_weeks() {
        let day = |minute: u64| minute / 60 / 24 % 7;
        let (_, usual) = at_end(21, |minute| if day(minute) >= 5 { 10.0 } else { 200.0 } + wobble(minute));
        assert!((usual.unwrap().value - 10.0).abs() < 15.0, "{usual:?}");
    }

    #[test]
    fn a_series_without_a_rhythm_keeps_no_profile() {
        let random = |minute: u64| (super::super::rarity::chance(minute as u32, 0) % 100) as f64 + 50.0;
        let (season, usual) = at_end(4, random);
        assert_eq!(usual, None);
        assert!(season.day.profile.is_none());
    }

    #[test]
    fn a_constant_and_a_huge_series_do_no_harm() {
        assert_eq!(at_end(4, |_| 100.0).1, None);
        let (_, usual) = at_end(4, |minute| if minute % 1440 == 0 { f64::MAX } else { 1e300 });
        assert!(usual.is_none_or(|usual| usual.value.is_finite()), "{usual:?}");
    }
}
