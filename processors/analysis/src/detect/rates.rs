//! Running totals to rates.

use std::time::Duration;

use pdata::Timestamp;
use serde::{Deserialize, Serialize};

/// The last point of a running total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Total {
    start: Timestamp,
    time: Timestamp,
    value: f64,
}

/// How much a total grew, and over how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Growth {
    /// By how much.
    pub amount: f64,
    /// Over how many seconds.
    pub seconds: f64,
}

impl Growth {
    /// Per second.
    pub fn rate(self) -> f64 {
        self.amount / self.seconds
    }

    /// The counting error of the rate, if single things were counted.
    pub fn counting_noise(self) -> f64 {
        (self.amount.max(0.0) + 1.0).sqrt() / self.seconds
    }
}

impl Total {
    /// Takes the next point of a cumulative total. `None` for the first point, for one that is not newer, and for one
    /// after a restart of which the beginning is unknown.
    ///
    /// A total restarts when it falls or when its start time moves; it then counts from its start.
    pub fn cumulative(&mut self, start: Timestamp, time: Timestamp, value: f64) -> Option<Growth> {
        if !value.is_finite() || time.is_unknown() || time <= self.time {
            return None;
        }
        let before = std::mem::replace(self, Self { start, time, value });
        if before.time.is_unknown() {
            return None;
        }
        let moved = start > before.start && start >= before.time;
        let growth = if moved || value < before.value {
            // It restarted somewhere between the two points.
            let since = if start >= before.time { start } else { before.time };
            Growth { amount: value, seconds: time.since(since).as_secs_f64() }
        } else {
            Growth { amount: value - before.value, seconds: time.since(before.time).as_secs_f64() }
        };
        (growth.seconds > 0.0 && growth.amount >= 0.0).then_some(growth)
    }

    /// Takes the next point of a total that is reported in steps.
    pub fn delta(&mut self, start: Timestamp, time: Timestamp, value: f64) -> Option<Growth> {
        if !value.is_finite() || time.is_unknown() || time <= self.time {
            return None;
        }
        let before = std::mem::replace(self, Self { start, time, value });
        let since = if start.is_unknown() || start >= time { before.time } else { start };
        let seconds = time.since(since).as_secs_f64();
        (!since.is_unknown() && seconds > 0.0).then_some(Growth { amount: value, seconds })
    }
}

/// How often something rare happened lately.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recent(Vec<(Timestamp, f64)>);

/// How far back "lately" reaches.
const LATELY: Duration = Duration::from_secs(120);
/// More often than this is not rare; then the oldest are forgotten early.
const MOST: usize = 64;

impl Recent {
    /// It happened `amount` times until `time`; gives how often it did lately.
    pub fn add(&mut self, time: Timestamp, amount: f64) -> f64 {
        self.0.retain(|(then, _)| time.since(*then) < LATELY);
        if amount > 0.0 {
            if self.0.len() >= MOST {
                self.0.remove(0);
            }
            self.0.push((time, amount));
        }
        self.0.iter().map(|(_, amount)| amount).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_secs(1_000_000 + seconds)
    }

    #[test]
    fn a_counter_becomes_a_rate() {
        let mut total = Total::default();
        assert_eq!(total.cumulative(at(0), at(10), 100.0), None);
        assert_eq!(total.cumulative(at(0), at(20), 150.0).map(Growth::rate), Some(5.0));
        assert_eq!(total.cumulative(at(0), at(20), 150.0), None, "the same point again");
    }

    #[test]
    fn a_restart_counts_from_its_start() {
        let mut total = Total::default();
        total.cumulative(at(0), at(10), 100.0);
        assert_eq!(total.cumulative(at(15), at(20), 25.0).map(Growth::rate), Some(5.0));
        let mut total = Total::default();
        total.cumulative(at(0), at(10), 100.0);
        assert_eq!(
            total.cumulative(at(15), at(20), 125.0).map(Growth::rate),
            Some(25.0),
            "larger than before"
        );
        let mut total = Total::default();
        total.cumulative(Timestamp::default(), at(10), 100.0);
        assert_eq!(total.cumulative(Timestamp::default(), at(20), 50.0).map(Growth::rate), Some(5.0));
    }

    #[test]
    fn steps_become_a_rate() {
        let mut total = Total::default();
        assert_eq!(total.delta(at(0), at(10), 50.0).map(Growth::rate), Some(5.0));
        assert_eq!(total.delta(Timestamp::default(), at(20), 100.0).map(Growth::rate), Some(10.0));
        assert_eq!(Total::default().delta(Timestamp::default(), at(20), 100.0), None);
    }

    #[test]
    fn what_is_rare_is_counted_over_a_while() {
        let mut recent = Recent::default();
        let counts: Vec<f64> =
            (0..20).map(|n| recent.add(at(n * 10), f64::from(u8::from(n == 3 || n == 5)))).collect();
        assert_eq!(counts[..6], [0.0, 0.0, 0.0, 1.0, 1.0, 2.0]);
        assert_eq!(counts[14..18], [2.0, 1.0, 1.0, 0.0]);
    }

    #[test]
    fn bad_totals_are_ignored() {
        let mut total = Total::default();
        assert_eq!(total.cumulative(at(0), at(10), f64::NAN), None);
        assert_eq!(total.cumulative(at(0), Timestamp::default(), 1.0), None);
        total.cumulative(at(0), at(10), 1.0);
        assert_eq!(total.cumulative(at(0), at(5), 2.0), None);
    }
}
