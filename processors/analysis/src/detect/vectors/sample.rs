//! A bounded, even sample of past frames, for detectors that learn from frames and not from their moments.

use serde::{Deserialize, Serialize};

use super::random::Random;

/// How many frames are kept.
pub(super) const CAPACITY: usize = 512;

/// Frames, each as probable to be kept as any other (reservoir sampling, Vitter 1985).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Sample {
    width: usize,
    seen: u64,
    random: Random,
    /// What is taken off every metric's values, so that single precision is enough.
    origin: Vec<f64>,
    rows: Vec<f32>,
}

impl Sample {
    /// How many metrics a frame has.
    pub(super) const fn width(&self) -> usize {
        self.width
    }

    /// How many frames there are.
    pub(super) const fn len(&self) -> usize {
        match self.rows.len().checked_div(self.width) {
            Some(rows) => rows,
            None => 0,
        }
    }

    /// The position `at` is another metric from now on, of which only this value is known.
    pub(super) fn reset(&mut self, at: usize, value: f64) {
        if at >= self.width {
            let width = at + 1;
            let mut rows = Vec::with_capacity(self.len() * width);
            for row in self.rows.chunks_exact(self.width.max(1)) {
                rows.extend_from_slice(row);
                rows.resize(rows.len() + width - self.width, 0.0);
            }
            (self.rows, self.width) = (rows, width);
            self.origin.resize(width, 0.0);
        }
        self.origin[at] = value;
        self.rows.iter_mut().skip(at).step_by(self.width).for_each(|value| *value = 0.0);
    }

    /// Takes a frame in, perhaps.
    pub(super) fn learn(&mut self, value: impl Fn(usize) -> f64) {
        self.seen += 1;
        let (origin, width) = (&self.origin, self.width);
        let values = (0..width).map(|at| (value(at) - origin[at]).clamp(-1e30, 1e30) as f32);
        if self.rows.len() < CAPACITY * width {
            self.rows.extend(values);
            return;
        }
        let at = self.random.below(self.seen) as usize;
        if at < CAPACITY {
            self.rows[at * width..(at + 1) * width].iter_mut().zip(values).for_each(|(to, from)| *to = from);
        }
    }

    /// The past before weighs as if it were this many frames.
    pub(super) fn forget_down_to(&mut self, frames: u64) {
        self.seen = self.seen.min(frames.max(CAPACITY as u64));
    }

    /// The first `width` numbers of a frame, as `standard` makes them of position and value.
    pub(super) fn row(
        &self,
        at: usize,
        width: usize,
        standard: impl Fn(usize, f64) -> f32,
        row: &mut Vec<f32>,
    ) {
        let own = self.rows.chunks_exact(self.width.max(1)).nth(at).unwrap_or_default();
        let value = |(at, value): (usize, &f32)| standard(at, f64::from(*value) + self.origin[at]);
        row.clear();
        row.extend(own.iter().enumerate().take(width).map(value));
        // A metric that is gone since.
        row.resize(width, 0.0);
    }

    /// All frames, as `standard` makes them of position and value.
    pub(super) fn standardised(&self, standard: impl Fn(usize, f64) -> f32) -> Vec<Vec<f32>> {
        let value = |(at, value): (usize, &f32)| standard(at, f64::from(*value) + self.origin[at]);
        let rows = self.rows.chunks_exact(self.width.max(1));
        rows.map(|row| row.iter().enumerate().map(value).collect()).collect()
    }
}
