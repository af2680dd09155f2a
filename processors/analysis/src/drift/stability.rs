//! The population stability index: how far a distribution is from what it was.

use serde::{Deserialize, Serialize};

const BINS: usize = 24;
/// The lower end of the second bin; what is below is in the first. Each bin is half an octave wide.
const FIRST: f32 = 1.0 / 64.0;
/// An index beyond this is a change by convention (Siddiqi, "Credit Risk Scorecards", 2006): below 0.1 nothing has changed.
const CHANGED: f64 = 0.25;

/// Compares windows of values that are not negative, such as scores or absolute residuals, with the first such window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stability {
    reference: [u32; BINS],
    current: [u32; BINS],
    seen: u32,
    window: u32,
}

/// How far a window is from the reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Index {
    /// The population stability index: the sum over bins of (p - q) ln(p / q); 0 if nothing has changed.
    pub value: f64,
    /// What it would be by chance alone, for windows of this length.
    pub by_chance: f64,
}

impl Index {
    /// Whether the distribution is another one: by convention, and more than chance explains.
    pub fn has_changed(&self) -> bool {
        self.value > CHANGED.max(3.0 * self.by_chance)
    }
}

impl Stability {
    /// Compares windows of so many values, at least 100.
    pub fn new(window: u32) -> Self {
        Self { reference: [0; BINS], current: [0; BINS], seen: 0, window: window.max(100) }
    }

    /// Takes the next value in; at the end of every window but the first says how far it is from the first. A value that
    /// is not a number is left out.
    pub fn observe(&mut self, value: f64) -> Option<Index> {
        if value.is_nan() {
            return None;
        }
        let is_first = self.seen < self.window;
        let bins = if is_first { &mut self.reference } else { &mut self.current };
        bins[bin(value)] += 1;
        self.seen += 1;
        if self.seen < 2 * self.window {
            return None;
        }
        let index = self.index();
        self.current = [0; BINS];
        self.seen = self.window;
        Some(index)
    }

    /// The next window becomes what others are compared with: who learns anew begins anew.
    pub fn begin_anew(&mut self) {
        *self = Self::new(self.window);
    }

    fn index(&self) -> Index {
        // Half a value in each bin keeps empty ones from being infinitely far.
        let n = f64::from(self.window) + BINS as f64 / 2.0;
        let share = |count: u32| (f64::from(count) + 0.5) / n;
        let part = |(was, is): (&u32, &u32)| (share(*is) - share(*was)) * (share(*is) / share(*was)).ln();
        let pairs = || self.reference.iter().zip(&self.current);
        let used = pairs().filter(|(was, is)| **was + **is > 0).count();
        Index {
            value: pairs().map(part).sum(),
            // It is about a chi-squared number divided by the length of the windows.
            by_chance: 2.0 * used.saturating_sub(1) as f64 / f64::from(self.window),
        }
    }
}

fn bin(value: f64) -> usize {
    let halves = 2.0 * (value as f32 / FIRST).log2();
    if halves > 0.0 { (halves as usize + 1).min(BINS - 1) } else { 0 }
}
