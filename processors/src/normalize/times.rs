//! Times that cannot be right, and what was probably meant.

use std::time::Duration;

use pdata::Timestamp;

/// 1990 and 2116, in seconds: what a source can mean by a time.
const PLAUSIBLE_SECONDS: std::ops::Range<u64> = 631_152_000..4_607_000_000;

/// How times are judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judge {
    /// Now; unknown if there is no clock to compare with.
    pub(super) now: Timestamp,
    /// How far ahead of now a time may be; `None` if any is accepted.
    pub(super) max_future: Option<Duration>,
}

/// What was wrong with a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// There was none.
    Missing,
    /// It was in seconds, milliseconds or microseconds instead of nanoseconds.
    Unit,
    /// It was far in the future.
    Future,
}

impl Judge {
    /// The time that was meant by `nanos`, and what was wrong with it. `fallbacks` stand in for one that is missing,
    /// then the clock does.
    pub(super) fn judge(&self, nanos: u64, fallbacks: &[u64]) -> (u64, Option<Fault>) {
        if nanos == 0 {
            let candidates =
                fallbacks.iter().map(|time| self.judge_known(*time).0).chain([self.now.as_nanos()]);
            return match candidates.into_iter().find(|time| *time != 0) {
                Some(time) => (time, Some(Fault::Missing)),
                None => (0, None),
            };
        }
        self.judge_known(nanos)
    }

    /// The time that was meant by `nanos`; zero stays zero.
    pub(super) fn judge_known(&self, nanos: u64) -> (u64, Option<Fault>) {
        let scaled = scale(nanos);
        if self.is_future(scaled) {
            return (self.now.as_nanos(), Some(Fault::Future));
        }
        (scaled, (scaled != nanos).then_some(Fault::Unit))
    }

    /// Whether a time is too far ahead of the clock.
    pub(super) fn is_future(&self, nanos: u64) -> bool {
        self.max_future
            .is_some_and(|most| !self.now.is_unknown() && Timestamp::from_nanos(nanos) > self.now + most)
    }
}

/// Nanoseconds, from a number of seconds, milliseconds or microseconds that makes no sense as nanoseconds.
pub(super) fn scale(time: u64) -> u64 {
    for (per_second, factor) in [(1, 1_000_000_000), (1_000, 1_000_000), (1_000_000, 1_000)] {
        if PLAUSIBLE_SECONDS.contains(&(time / per_second)) {
            return time.saturating_mul(factor);
        }
    }
    time
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000_000_000_000;

    fn judge() -> Judge {
        Judge { now: Timestamp::from_nanos(NOW), max_future: Some(Duration::from_secs(60)) }
    }

    #[test]
    fn mistaken_units_are_scaled() {
        for mistaken in [1_699_999_999, 1_699_999_999_000, 1_699_999_999_000_000] {
            assert_eq!(judge().judge(mistaken, &[]), (1_699_999_999_000_000_000, Some(Fault::Unit)));
        }
        let fine = 1_699_999_999_123_456_789;
        assert_eq!(judge().judge(fine, &[]), (fine, None));
        assert_eq!(judge().judge(12_345, &[]), (12_345, None), "nothing is known about this one");
    }

    #[test]
    fn a_missing_time_is_taken_from_the_fallbacks_and_then_the_clock() {
        assert_eq!(judge().judge(0, &[0, 1_699_999_999]), (1_699_999_999_000_000_000, Some(Fault::Missing)));
        assert_eq!(judge().judge(0, &[0]), (NOW, Some(Fault::Missing)));
        let clockless = Judge { now: Timestamp::default(), max_future: None };
        assert_eq!(clockless.judge(0, &[0]), (0, None));
    }

    #[test]
    fn the_far_future_becomes_now() {
        assert_eq!(judge().judge(NOW + 60_000_000_000, &[]), (NOW + 60_000_000_000, None));
        assert_eq!(judge().judge(NOW + 60_000_000_001, &[]), (NOW, Some(Fault::Future)));
        assert_eq!(judge().judge(u64::MAX, &[]), (NOW, Some(Fault::Future)));
    }

    proptest::proptest! {
        #[test]
        fn judging_twice_is_judging_once(time: u64, fallback: u64) {
            let once = judge().judge(time, &[fallback]).0;
            proptest::prop_assert_eq!(judge().judge(once, &[fallback]), (once, None));
        }
    }
}
