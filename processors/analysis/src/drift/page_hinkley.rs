//! The Page-Hinkley test: departures from the mean, added up.

use serde::{Deserialize, Serialize};

/// The direction in which a mean has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// It is higher than before.
    Up,
    /// It is lower than before.
    Down,
}

/// Finds a lasting change of the mean (Page, "Continuous inspection schemes", Biometrika 1954; Hinkley 1971), upwards and
/// downwards.
///
/// The unit is that of the values: standardise residuals, so that `tolerance` and `threshold` are in standard deviations.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PageHinkley {
    tolerance: f64,
    threshold: f64,
    seen: u32,
    mean: f64,
    /// Departures upwards added up, and the least that they have been.
    up: (f64, f64),
    /// Departures downwards added up, and the most that they have been.
    down: (f64, f64),
}

/// Fewer values than this say nothing about their mean.
const FEWEST: u32 = 30;
/// How much of the sums is kept from one value to the next.
const KEPT: f64 = 1.0 - 1e-4;

impl PageHinkley {
    /// Departures up to `tolerance` are no change; those beyond it must add up to `threshold`. The higher it is, the fewer false
    /// alarms, and the later a change is found: one of `tolerance` + 1 takes `threshold` values.
    pub const fn new(tolerance: f64, threshold: f64) -> Self {
        Self {
            tolerance,
            threshold,
            seen: 0,
            mean: 0.0,
            up: (0.0, f64::INFINITY),
            down: (0.0, f64::NEG_INFINITY),
        }
    }

    /// Takes the next value in. After a change it begins anew. A value that is not finite is left out.
    pub fn observe(&mut self, value: f64) -> Option<Change> {
        if !value.is_finite() {
            return None;
        }
        self.seen = self.seen.saturating_add(1);
        self.mean += (value - self.mean) / f64::from(self.seen);
        let departure = value - self.mean;
        self.up.0 = KEPT * self.up.0 + departure - self.tolerance;
        self.down.0 = KEPT * self.down.0 + departure + self.tolerance;
        self.up.1 = self.up.1.min(self.up.0);
        self.down.1 = self.down.1.max(self.down.0);
        let change = match () {
            () if self.seen < FEWEST => None,
            () if self.up.0 - self.up.1 > self.threshold => Some(Change::Up),
            () if self.down.1 - self.down.0 > self.threshold => Some(Change::Down),
            () => None,
        };
        if change.is_some() {
            *self = Self::new(self.tolerance, self.threshold);
        }
        change
    }
}
