//! A series in bounded memory: as it came while it is short, as the least and greatest value of equal stretches of time when it is long.

use pdata::Timestamp;
use pdata::event::Expected;

/// How many buckets there are at most: twice as many as a plot has pixels, so that none is missed.
const MOST: usize = 2048;

/// A point to add.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    /// When.
    pub(crate) time: Timestamp,
    /// What was seen.
    pub(crate) value: f64,
    /// What would have been usual, if that is known.
    pub(crate) expected: Option<Expected>,
    /// How odd it is, in [0, 1].
    pub(crate) score: f64,
}

/// One or more points next to each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bucket {
    /// The time of the first one.
    pub(super) time: Timestamp,
    /// The first value, the least, the greatest and the last.
    pub(super) first: f64,
    pub(super) least: f64,
    pub(super) greatest: f64,
    pub(super) last: f64,
    /// The widest usual range, if one is known.
    pub(super) usual: Option<(f64, f64)>,
    /// The greatest score.
    pub(super) score: f64,
}

/// A series, in the order of time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    buckets: Vec<Bucket>,
    /// How many nanoseconds a bucket spans; 0 while each point has its own.
    width: u64,
    points: u64,
}

impl Trace {
    /// Adds a point. One that is older than the last bucket becomes part of that: such points are not looked at either.
    pub(crate) fn push(&mut self, point: &Point) {
        if !point.value.is_finite() {
            return;
        }
        self.points += 1;
        let bucket = Bucket::of(point);
        let slot = |time: Timestamp| time.as_nanos() / self.width.max(1);
        match self.buckets.last_mut() {
            Some(last) if slot(bucket.time) <= slot(last.time) => last.add(&bucket),
            _ => self.buckets.push(bucket),
        }
        if self.buckets.len() > MOST {
            self.halve();
        }
    }

    /// Makes about half as many of them.
    fn halve(&mut self) {
        let (begin, end) = self.extent();
        let span = end.since(begin).as_nanos();
        let even = u64::try_from(span / (MOST as u128 / 2)).unwrap_or(u64::MAX);
        self.width = even.max(self.width.saturating_mul(2)).max(1);
        let width = self.width;
        let slot = |bucket: &Bucket| bucket.time.as_nanos() / width;
        self.buckets.dedup_by(|next, kept| {
            let same = slot(next) == slot(kept);
            if same {
                kept.add(next);
            }
            same
        });
    }

    /// How many points there are.
    pub(super) const fn points(&self) -> u64 {
        self.points
    }

    /// The first and the last time; unknown of an empty one.
    pub(crate) fn extent(&self) -> (Timestamp, Timestamp) {
        let time = |bucket: Option<&Bucket>| bucket.map(|bucket| bucket.time).unwrap_or_default();
        (time(self.buckets.first()), time(self.buckets.last()))
    }

    /// In the order of time.
    pub(super) fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }
}

impl Bucket {
    fn of(point: &Point) -> Self {
        let Point { time, value, expected, score } = *point;
        let usual = expected.map(|expected| (expected.low, expected.high));
        let usual = usual.filter(|(low, high)| low.is_finite() && high.is_finite());
        Self { time, first: value, least: value, greatest: value, last: value, usual, score }
    }

    /// Takes a later one in.
    pub(super) fn add(&mut self, later: &Self) {
        self.least = self.least.min(later.least);
        self.greatest = self.greatest.max(later.greatest);
        self.last = later.last;
        self.score = self.score.max(later.score);
        self.usual = match (self.usual, later.usual) {
            (Some((low, high)), Some((other_low, other_high))) => {
                Some((low.min(other_low), high.max(other_high)))
            }
            (mine, theirs) => mine.or(theirs),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(values: impl Iterator<Item = f64>) -> Trace {
        let mut trace = Trace::default();
        for (n, value) in values.enumerate() {
            let time = Timestamp::from_secs(1_700_000_000 + 60 * n as u64);
            trace.push(&Point { time, value, expected: None, score: value / 1e6 });
        }
        trace
    }

    #[test]
    fn a_short_series_is_kept_as_it_came() {
        let trace = trace((0..MOST).map(|n| n as f64));
        assert_eq!((trace.buckets().len(), trace.points()), (MOST, MOST as u64));
        assert!(trace.buckets().iter().all(|bucket| bucket.least == bucket.greatest));
    }

    #[test]
    fn a_long_series_takes_no_more_room_and_loses_no_spike() {
        let n = 500_000;
        let trace = trace((0..n).map(|at| if at == 123_456 { 1e5 } else { f64::from(at % 10) }));
        assert!((MOST / 4..=MOST).contains(&trace.buckets().len()), "{}", trace.buckets().len());
        let spikes: Vec<_> = trace.buckets().iter().filter(|bucket| bucket.greatest == 1e5).collect();
        assert_eq!((spikes.len(), spikes[0].least, spikes[0].score), (1, 0.0, 0.1));
        let (begin, end) = trace.extent();
        let width = end.since(begin) / trace.buckets().len() as u32;
        assert!(trace.buckets().windows(2).all(|pair| pair[1].time.since(pair[0].time) < width * 2));
    }

    #[test]
    fn what_is_no_number_or_late_does_no_harm() {
        let mut trace = trace([1.0, f64::NAN, 3.0].into_iter());
        let late = Point { time: Timestamp::from_secs(5), value: 9.0, expected: None, score: 0.0 };
        trace.push(&late);
        assert_eq!((trace.buckets().len(), trace.points(), trace.buckets()[1].greatest), (2, 3, 9.0));
    }
}
