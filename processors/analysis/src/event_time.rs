//! How far the data's own time has come, whatever single points claim.
//!
//! The newest time of anything seen says how long others have been silent, so a sender whose clock is ahead must not set it: a time
//! further ahead of the clock than [`AHEAD`] is not believed. The clock bounds only the future. Data may be as old as it likes, in a
//! replay or behind a queue, and is then measured by its own time alone.

use std::time::Duration;

use pdata::Timestamp;
use serde::{Deserialize, Serialize};

/// Clocks of senders are believed to be ahead by this much at most, as Kerberos does (RFC 4120, section 1.6).
pub const AHEAD: Duration = Duration::from_secs(300);

/// The newest time that is believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventTime {
    newest: Timestamp,
    /// What the clock last said; unknown before the first tick.
    clock: Timestamp,
}

impl EventTime {
    /// Something of this time was seen. Gives whether the time is believed; before the first tick, any is.
    pub fn observe(&mut self, time: Timestamp) -> bool {
        let is_believed = self.clock.is_unknown() || time <= self.clock + AHEAD;
        if is_believed {
            self.newest = self.newest.max(time);
        }
        is_believed
    }

    /// The clock says `now`. What was believed before there was a clock is put right.
    pub fn tick(&mut self, now: Timestamp) {
        self.clock = self.clock.max(now);
        if self.newest > self.clock + AHEAD {
            self.newest = self.clock;
        }
    }

    /// How far time has come; unknown if nothing was seen.
    pub const fn newest(self) -> Timestamp {
        self.newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_secs(1_700_000_000 + seconds)
    }

    #[test]
    fn a_clock_ahead_is_not_believed_and_old_data_has_its_own_time() {
        let mut time = EventTime::default();
        assert!(time.observe(at(0)));
        time.tick(at(10));
        assert!(time.observe(at(11)) && time.observe(at(60)));
        assert!(!time.observe(at(100_000)));
        assert_eq!(time.newest(), at(60));
        time.tick(at(90_000));
        assert!(time.observe(at(70)));
        assert_eq!(time.newest(), at(70), "what is late by a day is measured by its own time");
    }

    #[test]
    fn what_came_before_the_first_tick_is_put_right() {
        let mut time = EventTime::default();
        assert!(time.observe(at(1_000_000)));
        time.tick(at(10));
        assert_eq!(time.newest(), at(10));
    }
}
