//! Adaptive windowing: a window that is as long as nothing changes in it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Buckets of one size; one more makes two of them one of the next size.
const MOST_BUCKETS: usize = 5;
/// Sizes there are: 1, 2, 4, ... The oldest points beyond 650,000 are forgotten.
const MOST_ROWS: usize = 17;
/// How often it looks for a change, in points: a change is found so many points later at most, and most points cost little.
const CLOCK: u64 = 32;
/// Windows shorter than this say nothing.
const SHORTEST: u64 = 10;
const SHORTEST_PART: u64 = 5;

/// A window over values in [0, 1] that drops its older part when the mean of the newer part is another one (Bifet and Gavaldà, "Learning from
/// time-changing data with adaptive windowing", SDM 2007, ADWIN2).
///
/// Values outside of [0, 1] are taken as 0 or 1; scale and clip what is larger, such as a residual of 8 standard deviations as 1.
/// The window is kept as sums over buckets whose sizes are powers of two, so that its memory grows with the logarithm of its length, and is
/// bounded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Adwin {
    /// In (0, 1): the share of points at which a cut without a change is accepted.
    confidence: f64,
    /// Rows of buckets of 1, 2, 4, ... points; in each the oldest first.
    rows: Vec<VecDeque<Bucket>>,
    len: u64,
    sum: f64,
    /// Sum of squared departures from the mean.
    squares: f64,
    seen: u64,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Bucket {
    sum: f64,
    squares: f64,
}

/// One side of a cut.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    len: f64,
    sum: f64,
}

impl Default for Adwin {
    fn default() -> Self {
        Self::new(0.002)
    }
}

impl Adwin {
    /// Cuts that are made without a change are at most this share of all points; 0.002 is usual.
    pub fn new(confidence: f64) -> Self {
        let confidence = if confidence > 0.0 && confidence < 1.0 { confidence } else { 0.002 };
        Self { confidence, rows: vec![VecDeque::new()], len: 0, sum: 0.0, squares: 0.0, seen: 0 }
    }

    /// Takes the next value in. Returns whether the mean has changed; the window then holds what came since. A value that is not a
    /// number is left out.
    pub fn observe(&mut self, value: f64) -> bool {
        if value.is_nan() {
            return false;
        }
        self.insert(value.clamp(0.0, 1.0));
        self.seen += 1;
        self.seen.is_multiple_of(CLOCK) && self.len > SHORTEST && self.cut()
    }

    /// How many values the window holds.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether it holds none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The mean of the window; 0 of an empty one.
    pub fn mean(&self) -> f64 {
        if self.len == 0 { 0.0 } else { self.sum / self.len as f64 }
    }

    fn insert(&mut self, value: f64) {
        if self.len > 0 {
            let departure = value - self.mean();
            self.squares += departure * departure * self.len as f64 / (self.len + 1) as f64;
        }
        self.len += 1;
        self.sum += value;
        self.rows[0].push_back(Bucket { sum: value, squares: 0.0 });
        self.compress();
    }

    /// Makes two buckets one where there are too many.
    fn compress(&mut self) {
        let mut row = 0;
        while self.rows[row].len() > MOST_BUCKETS {
            let (Some(a), Some(b)) = (self.rows[row].pop_front(), self.rows[row].pop_front()) else { return };
            let size = size(row);
            let distance = (a.sum - b.sum) / size;
            let merged = Bucket {
                sum: a.sum + b.sum,
                squares: a.squares + b.squares + distance * distance * size / 2.0,
            };
            row += 1;
            if row == self.rows.len() {
                self.rows.push(VecDeque::with_capacity(MOST_BUCKETS + 1));
            }
            self.rows[row].push_back(merged);
        }
        if self.rows.len() > MOST_ROWS {
            self.forget_oldest();
        }
    }

    /// Drops buckets as long as the parts before and after some cut differ. Returns whether any was dropped.
    fn cut(&mut self) -> bool {
        let mut changed = false;
        while self.has_changed() {
            changed = true;
            self.forget_oldest();
        }
        changed
    }

    /// Whether there is a cut whose sides differ by more than chance.
    fn has_changed(&self) -> bool {
        let len = self.len as f64;
        // Corrects for the many cuts that are tried.
        let log = (2.0 * len.ln() / self.confidence).ln();
        let variance = self.squares / len;
        let mut old = Side::default();
        let mut new = Side { len, sum: self.sum };
        for (row, buckets) in self.rows.iter().enumerate().rev() {
            let size = size(row);
            for bucket in buckets {
                old = Side { len: old.len + size, sum: old.sum + bucket.sum };
                new = Side { len: new.len - size, sum: new.sum - bucket.sum };
                let shortest = SHORTEST_PART as f64;
                if new.len < shortest {
                    return false;
                }
                if old.len >= shortest && old.differs_from(&new, variance, log) {
                    return true;
                }
            }
        }
        false
    }

    fn forget_oldest(&mut self) {
        let Some(row) = self.rows.iter().rposition(|buckets| !buckets.is_empty()) else { return };
        let Some(bucket) = self.rows[row].pop_front() else { return };
        let size = size(row);
        self.len -= 1 << row;
        self.sum -= bucket.sum;
        if self.len > 0 {
            let distance = bucket.sum / size - self.mean();
            let between = distance * distance * size * self.len as f64 / (size + self.len as f64);
            self.squares = (self.squares - bucket.squares - between).max(0.0);
        } else {
            (self.sum, self.squares) = (0.0, 0.0);
        }
        while self.rows.len() > 1 && self.rows.last().is_some_and(VecDeque::is_empty) {
            self.rows.pop();
        }
    }
}

impl Side {
    /// The paper's bound for ADWIN2, by Bernstein's inequality.
    fn differs_from(&self, other: &Self, variance: f64, log: f64) -> bool {
        let shortest = SHORTEST_PART as f64 - 1.0;
        let inverse = 1.0 / (self.len - shortest) + 1.0 / (other.len - shortest);
        let bound = (2.0 * inverse * variance * log).sqrt() + 2.0 / 3.0 * log * inverse;
        (self.sum / self.len - other.sum / other.len).abs() > bound
    }
}

/// How many values a bucket of a row stands for.
fn size(row: usize) -> f64 {
    (1_u64 << row.min(63)) as f64
}
