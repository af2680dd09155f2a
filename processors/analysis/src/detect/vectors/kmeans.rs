//! Distance to the nearest of a few usual states: Lloyd's algorithm, begun as k-means++ does (Arthur and Vassilvitskii 2007).

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::random::Random;

/// Usual states of a service: day and night, busy and idle, with and without a batch job.
const STATES: usize = 6;
/// More rounds change little.
const ROUNDS: usize = 10;
/// Frames that are looked at in one piece of work.
const PIECE: usize = 64;

/// The usual states.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct KMeans {
    width: usize,
    centres: Vec<f32>,
}

impl KMeans {
    /// The nearest state.
    pub(super) fn nearest(&self, z: &[f32]) -> &[f32] {
        &self.centres[self.index(z) * self.width..][..self.width]
    }

    fn index(&self, z: &[f32]) -> usize {
        let centres = self.centres.chunks_exact(self.width.max(1)).enumerate();
        let distances = centres.map(|(at, centre)| (at, distance(centre, z)));
        distances.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(at, _)| at)
    }
}

/// Usual states in the making: frames far from each other to begin with, each drawn with a chance that grows with the square of its
/// distance to those before, and then means of the frames nearest to them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct States {
    found: KMeans,
    random: Random,
    /// Each frame's squared distance to the nearest state.
    nearest: Vec<f32>,
    sums: Vec<f64>,
    counts: Vec<f64>,
    /// The frame that is next in this round, and the round.
    row: usize,
    round: usize,
}

impl States {
    /// Of frames of this width.
    pub(super) const fn new(width: usize, seed: u64) -> Self {
        let found = KMeans { width, centres: Vec::new() };
        let random = Random::new(seed);
        Self { found, random, nearest: Vec::new(), sums: Vec::new(), counts: Vec::new(), row: 0, round: 0 }
    }

    /// Multiplications of the next piece of work.
    pub(super) const fn cost(&self) -> u64 {
        (PIECE * STATES * self.found.width) as u64
    }

    /// Looks at some of the frames, `rows` in number. Ends with the states; there is at least one frame.
    pub(super) fn advance(&mut self, rows: usize, row: impl Fn(usize, &mut Vec<f32>)) -> ControlFlow<KMeans> {
        let (width, mut frame) = (self.found.width, Vec::new());
        let states = self.found.centres.len() / width.max(1);
        if states < STATES.min(rows) && self.row == 0 && self.choose(rows, &row).is_break() {
            // All frames are the same as a state that is known.
            return ControlFlow::Break(self.take());
        }
        let beginning = self.found.centres.len() / width.max(1) < STATES.min(rows);
        for at in self.row..rows.min(self.row + PIECE) {
            row(at, &mut frame);
            if beginning {
                let last = &self.found.centres[self.found.centres.len() - width..];
                self.nearest[at] = self.nearest[at].min(distance(last, &frame));
                continue;
            }
            let state = self.found.index(&frame);
            self.counts[state] += 1.0;
            let sums = &mut self.sums[state * width..(state + 1) * width];
            sums.iter_mut().zip(&frame).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        self.row += PIECE;
        if self.row < rows {
            return ControlFlow::Continue(());
        }
        self.row = 0;
        if beginning {
            return ControlFlow::Continue(());
        }
        let moved = self.settle();
        self.round += 1;
        if moved && self.round < ROUNDS { ControlFlow::Continue(()) } else { ControlFlow::Break(self.take()) }
    }

    fn take(&mut self) -> KMeans {
        std::mem::replace(&mut self.found, KMeans { width: 0, centres: Vec::new() })
    }

    /// One more frame becomes a state.
    fn choose(&mut self, rows: usize, row: &impl Fn(usize, &mut Vec<f32>)) -> ControlFlow<()> {
        let chosen = if self.found.centres.is_empty() {
            self.nearest = vec![f32::INFINITY; rows];
            self.random.below(rows.max(1) as u64) as usize
        } else {
            let mut left = self.random.unit() * self.nearest.iter().map(|near| f64::from(*near)).sum::<f64>();
            let chosen = self.nearest.iter().position(|near| {
                left -= f64::from(*near);
                left < 0.0
            });
            let Some(chosen) = chosen else { return ControlFlow::Break(()) };
            chosen
        };
        let mut frame = Vec::new();
        row(chosen, &mut frame);
        self.found.centres.extend(frame);
        self.sums = vec![0.0; self.found.centres.len()];
        self.counts = vec![0.0; self.found.centres.len() / self.found.width.max(1)];
        ControlFlow::Continue(())
    }

    /// States become the means of what is nearest to them. Whether any moved.
    fn settle(&mut self) -> bool {
        let mut moved = false;
        for (at, centre) in self.found.centres.iter_mut().enumerate() {
            let count = self.counts[at / self.found.width];
            if count > 0.0 {
                let mean = (self.sums[at] / count) as f32;
                moved |= mean != *centre;
                *centre = mean;
            }
        }
        self.sums.fill(0.0);
        self.counts.fill(0.0);
        moved
    }
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_found() {
        let mut random = Random::new(7);
        let states = [[0.0f32, 0.0], [10.0, 0.0], [0.0, 10.0]];
        let rows: Vec<Vec<f32>> = (0..300)
            .map(|n| states[n % 3].iter().map(|value| value + random.unit() as f32 - 0.5).collect())
            .collect();
        let mut making = States::new(2, 1);
        let work = || making.advance(rows.len(), |at, row| row.clone_from(&rows[at]));
        let means = std::iter::repeat_with(work).find_map(ControlFlow::break_value).unwrap();
        for state in states {
            assert!(distance(means.nearest(&state), &state) < 0.2);
        }
    }
}
