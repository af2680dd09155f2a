//! Fixed windows of event time for one service's spans or records.
//!
//! A window closes when the data's own time has passed its end by the grace, or, for a service that has gone quiet,
//! when enough time has passed without data. What is later than that is counted, not used.

use std::collections::BTreeMap;
use std::time::Duration;

use pdata::Timestamp;
use serde::{Deserialize, Serialize};

/// How wide windows are.
pub const WIDTH: Duration = Duration::from_secs(10);
const WIDTH_NANOS: u64 = WIDTH.as_nanos() as u64;
/// How long after its end a window waits for stragglers.
const GRACE: Duration = Duration::from_secs(10);
/// How long a service must be quiet, beyond twice its usual pause, before its windows are closed without data.
const PATIENCE: Duration = Duration::from_secs(60);
/// After a longer gap than this many windows, counting starts anew.
const LONGEST_GAP: u64 = 60;
/// No more windows than this are open at once; a batch reaching further into the future closes the oldest.
const MOST_OPEN: u64 = 360;

/// One service's windows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Windows<S> {
    open: BTreeMap<u64, S>,
    /// The first window that is not closed yet.
    next: u64,
    /// Whether any window was closed yet.
    started: bool,
    watermark: Timestamp,
    late: u64,
    /// When a tick last saw new data, and whether there is some since.
    heard: Timestamp,
    fresh: bool,
    /// The longest usual pause between data, as ticks see it.
    pause: Duration,
}

/// A closed window.
#[derive(Clone, Debug, PartialEq)]
pub struct Closed<S> {
    /// The window's end.
    pub end: Timestamp,
    /// What was gathered; the default if nothing came.
    pub stats: S,
}

impl<S: Default> Windows<S> {
    /// The window of `time`; `None` if it is closed already or the time unknown.
    pub fn at(&mut self, time: Timestamp) -> Option<&mut S> {
        let window = time.as_nanos() / WIDTH_NANOS;
        if time.is_unknown() || window < self.next {
            self.late += 1;
            return None;
        }
        if self.next == 0 {
            // Older ones in the same batch may still come.
            self.next = window.saturating_sub(LONGEST_GAP).max(1);
        }
        self.fresh = true;
        self.watermark = self.watermark.max(time);
        Some(self.open.entry(window).or_default())
    }

    /// What came too late so far.
    pub const fn late(&self) -> u64 {
        self.late
    }

    /// Closes the windows that the data's own time has passed.
    pub fn close(&mut self) -> Vec<Closed<S>> {
        self.close_until(self.watermark - GRACE)
    }

    /// Closes the windows that time has passed: `now` only ever says how long nothing came.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Closed<S>> {
        if self.watermark.is_unknown() {
            return Vec::new();
        }
        if std::mem::take(&mut self.fresh) || self.heard.is_unknown() {
            if !self.heard.is_unknown() {
                let pause = now.since(self.heard);
                self.pause = pause.max(self.pause.mul_f64(0.9));
            }
            self.heard = now;
            return Vec::new();
        }
        let quiet = now.since(self.heard).saturating_sub(self.pause * 2 + PATIENCE);
        if quiet.is_zero() { Vec::new() } else { self.close_until(self.watermark + quiet) }
    }

    /// Closes everything, for good.
    pub fn finish(&mut self) -> Vec<Closed<S>> {
        self.close_until(self.watermark)
    }

    fn close_until(&mut self, time: Timestamp) -> Vec<Closed<S>> {
        let until = time.as_nanos() / WIDTH_NANOS;
        let mut closed = Vec::new();
        while self.next < until {
            let first = self.open.first_key_value().map(|(window, _)| *window);
            match first {
                Some(window) if !self.started || window > self.next + LONGEST_GAP => self.next = window,
                None if until > self.next + LONGEST_GAP => break,
                _ => {}
            }
            if self.next >= until || closed.len() as u64 >= MOST_OPEN {
                break;
            }
            self.started = true;
            let stats = self.open.remove(&self.next).unwrap_or_default();
            self.next += 1;
            let end = Timestamp::from_nanos(self.next.saturating_mul(WIDTH_NANOS));
            closed.push(Closed { end, stats });
        }
        closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_secs(1_000_000 + seconds)
    }

    fn ends(closed: &[Closed<u32>]) -> Vec<(u64, u32)> {
        let seconds = |closed: &Closed<u32>| closed.end.as_nanos() / 1_000_000_000 - 1_000_000;
        closed.iter().map(|closed| (seconds(closed), closed.stats)).collect()
    }

    fn with(times: impl IntoIterator<Item = u64>) -> Windows<u32> {
        let mut windows = Windows::default();
        times.into_iter().for_each(|time| *windows.at(at(time)).unwrap() += 1);
        windows
    }

    #[test]
    fn windows_close_when_data_has_passed_them_and_gaps_count_as_nothing() {
        let mut windows = with([1, 2, 35, 61]);
        let closed = windows.close();
        assert_eq!(ends(&closed), [(10, 2), (20, 0), (30, 0), (40, 1), (50, 0)]);
        assert!(windows.at(at(3)).is_none());
        assert_eq!(windows.late(), 1);
    }

    #[test]
    fn a_quiet_service_is_closed_by_ticks_and_then_counts_nothing() {
        let mut windows = with([1, 15]);
        windows.tick(at(16));
        assert_eq!(windows.tick(at(60)), []);
        let closed = windows.tick(at(100));
        assert_eq!(ends(&closed).last(), Some(&(30, 0)));
        assert_eq!(ends(&windows.tick(at(120))), [(40, 0), (50, 0)]);
    }

    #[test]
    fn a_service_that_reports_once_a_minute_is_not_closed_between() {
        let mut windows = with([1]);
        for minute in 1..20 {
            windows.tick(at(minute * 60));
            for second in 0..60 {
                assert_eq!(windows.tick(at(minute * 60 + second)), []);
            }
            *windows.at(at(minute * 60 + 1)).unwrap() += 1;
            windows.close();
        }
        assert_eq!(windows.late(), 0);
    }
}
