//! Whether models still hold: how well they explain the vector, watched for changes for good.
//!
//! In: a frame's energies, in standard deviations from what they usually are. Out: that models do not hold any more, and for how many frames.
//! A fault is a change, too, but not for good: so each detector's energy is watched by a Page-Hinkley test that takes about a day to make up its
//! mind, and forgets as slowly when energies are as before. Since when things are as they are says ADWIN, of all energies together.

use serde::{Deserialize, Serialize};

use crate::drift::{Adwin, Change, PageHinkley};

/// Frames, and seconds, after which energies that are three deviations too high are so for good: the longer of both.
const FRAMES: f64 = 500.0;
const SECONDS: f64 = 86_400.0;
/// The past counts as this long at least, in seconds.
const LEAST_SECONDS: f64 = 3.0 * SECONDS;
/// Energies that are a deviation too high are no change.
const TOLERANCE: f64 = 1.0;
/// Further out than this is all the same, or short faults would weigh as much as long ones.
const CLIP: f64 = 3.0;
/// Deviations that are one value of ADWIN's, and the share of frames at which it may see a change where there is none.
const RANGE: f64 = 8.0;
const CONFIDENCE: f64 = 1e-4;

/// What is watched.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Hold {
    together: Adwin,
    each: Vec<PageHinkley>,
}

impl Default for Hold {
    fn default() -> Self {
        Self { together: Adwin::new(CONFIDENCE), each: Vec::new() }
    }
}

impl Hold {
    /// Takes in a frame, `interval` seconds after the last one. If models have ceased to hold it gives for how many frames everything has been
    /// as it is now.
    pub(super) fn observe(
        &mut self,
        together: f64,
        each: impl Iterator<Item = f64>,
        interval: f64,
    ) -> Option<f64> {
        self.together.observe(together.clamp(-RANGE, RANGE) / (2.0 * RANGE) + 0.5);
        let mut higher = false;
        for (at, own) in std::iter::once(together).chain(each).enumerate() {
            if at == self.each.len() {
                let frames = (SECONDS / interval.max(0.001)).max(FRAMES);
                self.each.push(PageHinkley::new(TOLERANCE, (CLIP - TOLERANCE) * frames));
            }
            higher |= self.each[at].observe(own.clamp(-CLIP, CLIP)) == Some(Change::Up);
        }
        // What is known about weekends is not forgotten for what is known since Monday.
        let least = (LEAST_SECONDS / interval.max(0.001)).max(FRAMES);
        higher.then(|| (self.together.len() as f64).max(least))
    }
}

#[cfg(test)]
mod tests {
    use super::super::random::Random;
    use super::*;

    /// Frames of five minutes after which something is said to have changed for good, of deviations that are `higher` in some frames.
    fn changes(frames: u64, higher: impl Fn(u64) -> f64) -> Vec<(u64, f64)> {
        let (mut hold, mut random, mut smooth) = (Hold::default(), Random::new(4), 0.0);
        let mut found = Vec::new();
        for n in 0..frames {
            // As smooth as energies are: of deviation 1, each much like the last.
            let normal = (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
            smooth += 0.1 * (normal - smooth);
            let z = smooth * 4.36 + higher(n);
            found.extend(hold.observe(z, [z, 0.0].into_iter(), 300.0).map(|window| (n, window)));
        }
        found
    }

    #[test]
    fn nothing_changes_by_chance_nor_for_a_few_hours_nor_by_day_and_night() {
        assert_eq!(changes(100_000, |_| 0.0), []);
        assert_eq!(changes(20_000, |n| if n % 3000 < 150 { 6.0 } else { 0.0 }), []);
        assert_eq!(changes(20_000, |n| if n % 288 < 144 { 1.0 } else { -1.0 }), []);
    }

    #[test]
    fn a_change_for_good_is_seen_after_some_days_and_its_beginning_is_known() {
        let found = changes(6_000, |n| if n < 4000 { 0.0 } else { 2.5 });
        let (first, window) = found[0];
        assert!((4500..5200).contains(&first), "{found:?}");
        assert!((first as f64 - 4000.0 - window).abs() < 150.0, "{found:?}");
    }
}
