//! How much training there may be: a token bucket of operations, filled by event time.
//!
//! Operations and not processor time, so that a replay trains as the live run did. What there is to train is cut into pieces that are
//! small beside [`SLICE`], so that no frame waits for training.

use pdata::Timestamp;
use serde::{Deserialize, Serialize};

/// Operations after one frame at most, unless a single piece is larger: about a tenth of a millisecond.
const SLICE: u64 = 200_000;
/// So many seconds' allowance can be saved up.
const SAVED: f64 = 20.0;
/// What one second of processor time is, in operations.
pub(super) const OPERATIONS: f64 = 1e9;

/// A vector's allowance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Allowance {
    /// Operations that may be spent; `None` before the first frame.
    saved: Option<f64>,
    filled: Timestamp,
    /// Operations that may still be spent after this frame.
    slice: u64,
}

impl Allowance {
    /// A frame has come. `share` is the share of a processor that training may take.
    pub(super) fn fill(&mut self, now: Timestamp, share: f64) {
        let most = SAVED * share * OPERATIONS;
        let elapsed = now.since(self.filled).as_secs_f64();
        let saved = self.saved.map_or(most, |saved| saved + elapsed * share * OPERATIONS);
        (self.saved, self.filled, self.slice) = (Some(saved.min(most)), now, SLICE);
    }

    /// It is earlier than was thought.
    pub(super) fn turn_back(&mut self, now: Timestamp) {
        self.filled = self.filled.min(now);
    }

    /// Whether a piece of work of so many operations may be done now; takes it off if so.
    pub(super) fn take(&mut self, cost: u64) -> bool {
        let saved = self.saved.unwrap_or(0.0);
        // What is larger than a slice may be done, alone; and on credit, if it is larger than what can be saved.
        let fits = cost <= self.slice || self.slice == SLICE;
        if !fits || saved <= 0.0 {
            return false;
        }
        self.slice = self.slice.saturating_sub(cost.max(1));
        self.saved = Some(saved - cost as f64);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Operations that are done in so many frames, `every` seconds apart, in pieces of `cost`.
    fn spent(frames: u64, every: u64, cost: u64, share: f64) -> u64 {
        let mut allowance = Allowance::default();
        let mut spent = 0;
        for n in 0..frames {
            allowance.fill(Timestamp::from_secs(1_000_000 + n * every), share);
            while allowance.take(cost) {
                spent += cost;
            }
        }
        spent
    }

    #[test]
    fn training_takes_its_share_and_no_more() {
        // A hundred thousand operations a second, and what was saved in the beginning.
        let most = (100_000 + 20) as f64 * 1e-4 * OPERATIONS;
        for cost in [10, 7_000, 150_000, 900_000] {
            let spent = spent(100_000, 1, cost, 1e-4) as f64;
            assert!(spent <= most + cost as f64 && spent > 0.98 * most, "{cost}: {spent} of {most}");
        }
    }

    #[test]
    fn a_frame_is_never_followed_by_more_than_a_slice() {
        assert_eq!(spent(100, 3600, 50_000, 0.01), 100 * SLICE);
        assert_eq!(spent(100, 3600, 10 * SLICE, 0.01), 100 * 10 * SLICE, "one piece, however large");
    }
}
