//! Distance to the nearest of a few usual states: Lloyd's algorithm, begun as k-means++ does (Arthur and Vassilvitskii 2007).

use serde::{Deserialize, Serialize};

use super::random::Random;

/// Usual states of a service: day and night, busy and idle, with and without a batch job.
const STATES: usize = 6;
/// More rounds change little.
const ROUNDS: usize = 10;

/// The usual states.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct KMeans {
    width: usize,
    centres: Vec<f32>,
}

impl KMeans {
    /// The states that these frames are in. There is at least one.
    pub(super) fn fit(rows: &[Vec<f32>], seed: u64) -> Option<Self> {
        let width = rows.first()?.len();
        let mut new = Self { width, centres: begin(rows, seed) };
        for _ in 0..ROUNDS {
            if !new.improve(rows) {
                break;
            }
        }
        Some(new)
    }

    /// The nearest state.
    pub(super) fn nearest(&self, z: &[f32]) -> &[f32] {
        &self.centres[self.index(z) * self.width..][..self.width]
    }

    fn index(&self, z: &[f32]) -> usize {
        let centres = self.centres.chunks_exact(self.width).enumerate();
        let distances = centres.map(|(at, centre)| (at, distance(centre, z)));
        distances.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(at, _)| at)
    }

    fn improve(&mut self, rows: &[Vec<f32>]) -> bool {
        let states = self.centres.len() / self.width;
        let mut sums = vec![0.0f64; self.centres.len()];
        let mut counts = vec![0.0f64; states];
        for row in rows {
            let at = self.index(row);
            counts[at] += 1.0;
            let sum = &mut sums[at * self.width..(at + 1) * self.width];
            sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        let mut moved = false;
        for (at, centre) in self.centres.iter_mut().enumerate() {
            let count = counts[at / self.width];
            if count > 0.0 {
                let mean = (sums[at] / count) as f32;
                moved |= mean != *centre;
                *centre = mean;
            }
        }
        moved
    }
}

/// Frames far from each other to begin with: each is drawn with a chance that grows with the square of its distance to those before.
fn begin(rows: &[Vec<f32>], seed: u64) -> Vec<f32> {
    let mut random = Random::new(seed);
    let first = &rows[random.below(rows.len() as u64) as usize];
    let mut centres = first.clone();
    let mut nearest: Vec<f64> = rows.iter().map(|row| f64::from(distance(first, row))).collect();
    for _ in 1..STATES.min(rows.len()) {
        let mut left = random.unit() * nearest.iter().sum::<f64>();
        let chosen = nearest.iter().position(|distance| {
            left -= distance;
            left < 0.0
        });
        let Some(chosen) = chosen else { break };
        centres.extend_from_slice(&rows[chosen]);
        for (nearest, row) in nearest.iter_mut().zip(rows) {
            *nearest = nearest.min(f64::from(distance(&rows[chosen], row)));
        }
    }
    centres
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
        let means = KMeans::fit(&rows, 1).unwrap();
        for state in states {
            assert!(distance(means.nearest(&state), &state) < 0.2);
        }
        assert_eq!(KMeans::fit(&[], 1), None);
    }
}
