//! The event time of one service: which buckets are open, and when one closes.
//!
//! A bucket closes when the data's own time has passed its end by the grace or, for a service that has gone quiet, when enough
//! time has passed without data. One record with a wrong time moves nothing: time leaps only where the tick's time or many records
//! agree. What comes for a closed bucket is late: it is counted, not used.

use std::time::Duration;

use pdata::Timestamp;
use serde::{Deserialize, Serialize};

use super::track::OPEN;

/// How long a bucket is.
pub(super) const BUCKET: Duration = Duration::from_secs(10);
const NANOS: u64 = BUCKET.as_nanos() as u64;
/// How long after its end a bucket waits for stragglers.
const GRACE: u64 = NANOS;
/// Buckets before the first record that are open, for older ones in the same batch.
const BEFORE: u64 = 3;
/// After a longer gap counting starts anew.
pub(super) const LONGEST_GAP: u64 = 360;
/// How far ahead of the tick's time a record may be.
const AHEAD: u64 = 6;
/// So many records in a row are believed against it.
const BELIEVED: u32 = 16;
/// So many late records in a row mean that time was set back.
const SET_BACK: u32 = 1000;
/// How long a service must be quiet, beyond twice its usual pause, before its buckets are closed without data.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a record belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Into this open bucket.
    Open(u64),
    /// Into this one, once those before it are closed.
    After(u64),
    /// Into this one, and what came before is not connected with it.
    Anew(u64),
    /// Nowhere: it is late, or its time is wrong or unknown.
    Nowhere,
}

/// One service's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Clock {
    /// The first bucket that is not closed; 0 before the first record.
    next: u64,
    /// The newest time in an open bucket.
    watermark: Timestamp,
    late: u64,
    late_in_a_row: u32,
    strays: u32,
    /// When a tick last saw new data, and whether there is some since.
    heard: Timestamp,
    fresh: bool,
    /// The longest usual pause between data, as ticks see it.
    pause: Duration,
    /// Time up to which buckets are closed although no data has come.
    passed: Timestamp,
}

impl Clock {
    /// The bucket for a record of this time, `now` being the last tick's.
    pub(super) fn place(&mut self, time: Timestamp, now: Timestamp) -> Place {
        let bucket = time.as_nanos() / NANOS;
        if bucket == 0 {
            return self.nowhere();
        }
        if self.next == 0 {
            self.next = bucket.saturating_sub(BEFORE).max(1);
        }
        let place = if bucket < self.next {
            self.late_in_a_row = self.late_in_a_row.saturating_add(1);
            if self.late_in_a_row < SET_BACK { Place::Nowhere } else { Place::Anew(bucket) }
        } else if bucket < self.next + OPEN as u64 {
            Place::Open(bucket)
        } else {
            self.ahead(bucket, now)
        };
        match place {
            Place::Nowhere => return self.nowhere(),
            Place::Open(_) | Place::After(_) => self.watermark = self.watermark.max(time),
            Place::Anew(_) => {
                self.watermark = time;
                self.passed = Timestamp::default();
            }
        }
        self.late_in_a_row = 0;
        self.strays = 0;
        self.fresh = true;
        place
    }

    fn ahead(&mut self, bucket: u64, now: Timestamp) -> Place {
        let is_far = bucket > self.next + LONGEST_GAP;
        let is_believed = if now.is_unknown() { !is_far } else { bucket <= now.as_nanos() / NANOS + AHEAD };
        self.strays += 1;
        match (is_believed || self.strays >= BELIEVED, is_far) {
            (false, _) => Place::Nowhere,
            (true, false) => Place::After(bucket),
            (true, true) => Place::Anew(bucket),
        }
    }

    const fn nowhere(&mut self) -> Place {
        self.late = self.late.saturating_add(1);
        Place::Nowhere
    }

    /// Starts anew with the bucket of a record.
    pub(super) fn start(&mut self, bucket: u64) {
        self.next = bucket.saturating_sub(BEFORE).max(1);
    }

    /// The next bucket to close.
    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    /// When the next bucket ends.
    pub(super) const fn end(&self) -> Timestamp {
        Timestamp::from_nanos((self.next + 1).saturating_mul(NANOS))
    }

    /// The next bucket is closed.
    pub(super) const fn advance(&mut self) {
        self.next += 1;
    }

    /// Whether the next bucket can be closed.
    pub(super) fn is_due(&self) -> bool {
        self.is_before(self.passed.as_nanos().max(self.watermark.as_nanos().saturating_sub(GRACE)))
    }

    /// Whether the input, which has ended, has anything in the next bucket or later.
    pub(super) const fn is_left(&self) -> bool {
        self.is_before(self.watermark.as_nanos())
    }

    const fn is_before(&self, nanos: u64) -> bool {
        self.next > 0 && self.next < nanos / NANOS
    }

    /// Time passes: `now` only ever says how long nothing came.
    pub(super) fn tick(&mut self, now: Timestamp) {
        if self.watermark.is_unknown() {
            return;
        }
        if std::mem::take(&mut self.fresh) || self.heard.is_unknown() || now < self.heard {
            if !self.heard.is_unknown() {
                self.pause = now.since(self.heard).max(self.pause.mul_f64(0.9));
            }
            self.heard = now;
            return;
        }
        let quiet = now.since(self.heard).saturating_sub(self.pause * 2 + PATIENCE);
        if !quiet.is_zero() {
            let furthest = Duration::from_nanos(LONGEST_GAP * NANOS);
            self.passed = self.passed.max(self.watermark + quiet.min(furthest));
        }
    }

    /// How many records were late.
    pub(super) const fn late(&self) -> u64 {
        self.late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_secs(1_000_000 + seconds)
    }

    fn started() -> Clock {
        let mut clock = Clock::default();
        assert!(matches!(clock.place(at(0), at(0)), Place::Open(_)));
        clock
    }

    #[test]
    fn one_record_from_the_future_moves_nothing() {
        let mut clock = started();
        assert_eq!(clock.place(at(1_000_000), at(1)), Place::Nowhere);
        assert!(matches!(clock.place(at(5), at(5)), Place::Open(_)));
        let places: Vec<_> = (0..16).map(|_| clock.place(at(1_000_000), at(6))).collect();
        assert!(places[..15].iter().all(|place| *place == Place::Nowhere));
        assert!(matches!(places[15], Place::Anew(_)));
        assert_eq!(clock.late(), 16);
    }

    #[test]
    fn a_tick_vouches_for_a_leap() {
        let mut clock = started();
        assert!(matches!(clock.place(at(1_000), at(1_000)), Place::After(_)));
        let mut clock = started();
        assert!(matches!(clock.place(at(10_000), at(10_000)), Place::Anew(_)));
        let mut clock = started();
        assert!(matches!(clock.place(at(1_000), Timestamp::default()), Place::After(_)));
    }

    #[test]
    fn time_that_was_set_back_is_believed_after_a_thousand_records() {
        let mut clock = started();
        let back = Timestamp::from_secs(900_000);
        assert!((1..1000).all(|_| clock.place(back, at(0)) == Place::Nowhere));
        assert!(matches!(clock.place(back, at(0)), Place::Anew(_)));
    }

    #[test]
    fn a_quiet_service_is_closed_by_ticks() {
        let mut clock = started();
        clock.place(at(25), at(25));
        clock.tick(at(26));
        assert!(clock.is_due());
        while clock.is_due() {
            clock.advance();
        }
        let before = clock.next();
        clock.tick(at(80));
        assert!(!clock.is_due());
        clock.tick(at(120));
        while clock.is_due() {
            clock.advance();
        }
        assert!(clock.next() > before + 2, "{} {before}", clock.next());
    }

    #[test]
    fn a_leap_of_the_ticks_alone_closes_an_hour_at_most() {
        let mut clock = started();
        clock.tick(at(1));
        clock.tick(Timestamp::from_nanos(u64::MAX));
        let mut closed = 0;
        while clock.is_due() {
            clock.advance();
            closed += 1;
        }
        assert!(closed <= LONGEST_GAP + 4, "{closed}");
    }
}
