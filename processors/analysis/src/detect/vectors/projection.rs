//! Detectors that are linear: what is left of each metric when the others are taken into account.
//!
//! In: correlations. Out: for a frame, each metric's residual in its own usual sizes. Two ways to get there:
//!
//! - [`Relations`]: each metric is predicted from all the others by ridge regression. All of these regressions follow from one inverse `P`
//!   of the correlations plus a ridge: the residual of metric `j` is `(P z)_j / P_jj` (Lauritzen, Graphical Models, 5.1.3).
//! - [`principal_components`]: the frame is rebuilt from the components that explain most; what is not explained is the residual.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::linear::{Eigen, Inversion, Symmetric, dot};

/// Weights that make residuals of a frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Projection {
    /// Row by row; already divided by the residuals' usual sizes.
    weights: Vec<f32>,
    /// Each residual's usual size, in standard deviations of its metric.
    size: Vec<f32>,
}

/// A ridge of this share of a metric's variance keeps near copies of each other from predicting by their difference.
const RIDGE: f64 = 0.3;
const HIGHEST_RIDGE: f64 = 64.0 * RIDGE;
/// How much of the variance the components that count explain.
const EXPLAINED: f64 = 0.8;
/// A residual's usual size is not below this share of its metric's standard deviation.
const LEAST: f64 = 0.01;

/// Each metric as the others predict it, in the making.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Relations {
    correlations: Symmetric,
    ridge: f64,
    inversion: Inversion,
}

impl Relations {
    /// From these correlations.
    pub(super) fn new(correlations: Symmetric) -> Self {
        let inversion = Inversion::new(with_ridge(&correlations, RIDGE));
        Self { correlations, ridge: RIDGE, inversion }
    }

    /// Multiplications of the next piece of work.
    pub(super) const fn cost(&self) -> u64 {
        self.inversion.cost()
    }

    /// Does a piece of work. Ends with nothing if the correlations make no sense.
    pub(super) fn advance(&mut self) -> ControlFlow<Option<Projection>> {
        match self.inversion.advance() {
            ControlFlow::Continue(()) => ControlFlow::Continue(()),
            ControlFlow::Break(Some(inverse)) => ControlFlow::Break(Some(predict(&inverse, self.ridge))),
            // Correlations from unlike stretches of time may contradict each other; a higher ridge settles that.
            ControlFlow::Break(None) if self.ridge < HIGHEST_RIDGE => {
                self.ridge *= 4.0;
                self.inversion = Inversion::new(with_ridge(&self.correlations, self.ridge));
                ControlFlow::Continue(())
            }
            ControlFlow::Break(None) => ControlFlow::Break(None),
        }
    }
}

fn with_ridge(correlations: &Symmetric, ridge: f64) -> Symmetric {
    let entry = |i: usize, j: usize| correlations.at(i, j) + if i == j { ridge } else { 0.0 };
    Symmetric::from_fn(correlations.len(), entry)
}

fn predict(inverse: &Symmetric, ridge: f64) -> Projection {
    let row = |j: usize| {
        let own = inverse.at(j, j);
        // The variance of (P z)_j is (P R P)_jj, and R is the inverse of P without the ridge.
        let square: f64 = inverse.row(j).iter().map(|value| value * value).sum();
        let size = (own - ridge * square).max(0.0).sqrt().max(LEAST * own);
        (inverse.row(j).iter().map(move |value| value / size).collect::<Vec<_>>(), size / own)
    };
    Projection::from_rows((0..inverse.len()).map(row))
}

/// Each metric as the principal components rebuild it: of eigenvalues and eigenvectors of the correlations.
pub(super) fn principal_components(pairs: &Eigen) -> Projection {
    let total: f64 = pairs.iter().map(|(value, _)| value.max(0.0)).sum();
    let mut explained = 0.0;
    let enough = pairs.iter().position(|(value, _)| {
        explained += value;
        explained >= EXPLAINED * total
    });
    let n = pairs.len();
    let (kept, left) = pairs.split_at(enough.map_or(n, |at| at + 1));
    let row = |j: usize| {
        let weight =
            |i: usize| f64::from(i == j) - kept.iter().map(|(_, vector)| vector[i] * vector[j]).sum::<f64>();
        let variance: f64 = left.iter().map(|(value, vector)| value.max(0.0) * vector[j] * vector[j]).sum();
        let size = variance.sqrt().max(LEAST);
        ((0..n).map(|i| weight(i) / size).collect::<Vec<_>>(), size)
    };
    Projection::from_rows((0..n).map(row))
}

impl Projection {
    fn from_rows(rows: impl Iterator<Item = (Vec<f64>, f64)>) -> Self {
        let mut new = Self { weights: Vec::new(), size: Vec::new() };
        for (weights, size) in rows {
            new.weights.extend(weights.into_iter().map(|weight| weight as f32));
            new.size.push(size as f32);
        }
        new
    }

    /// The residual of metric `j`, in its usual sizes.
    pub(super) fn residual(&self, j: usize, z: &[f32]) -> f32 {
        let n = self.size.len();
        dot(&self.weights[j * n..(j + 1) * n], z)
    }

    /// The usual size of metric `j`'s residual, in standard deviations of the metric.
    pub(super) fn size(&self, j: usize) -> f32 {
        self.size[j]
    }
}

#[cfg(test)]
mod tests {
    use super::super::linear::Rotations;
    use super::*;

    fn correlations() -> Symmetric {
        Symmetric::from_fn(3, |i, j| if i == j { 1.0 } else { [0.9, 0.1, 0.2][i + j - 1] })
    }

    #[test]
    fn relations_are_ridge_regressions_on_the_others() {
        let mut relations = Relations::new(correlations());
        let done = std::iter::repeat_with(|| relations.advance()).find_map(ControlFlow::break_value);
        let projection = done.unwrap().unwrap();
        let z = [1.0f32, -0.5, 2.0];
        // Metric 0 from metrics 1 and 2, by hand: (R_oo + ridge) b = r_o.
        let (a, b, c) = (1.0 + RIDGE, 0.2, 1.0 + RIDGE);
        let determinant = a * c - b * b;
        let (b1, b2) = ((c * 0.9 - b * 0.1) / determinant, (a * 0.1 - b * 0.9) / determinant);
        let expected = 1.0 - b1 * -0.5 - b2 * 2.0;
        let residual = f64::from(projection.residual(0, &z) * projection.size(0));
        assert!((residual - expected).abs() < 1e-5, "{residual} {expected}");
    }

    #[test]
    fn components_leave_nothing_of_what_they_explain() {
        let r = Symmetric::from_fn(3, |_, _| 1.0);
        let mut rotations = Rotations::new(r);
        let done = std::iter::repeat_with(|| rotations.advance()).find_map(ControlFlow::break_value);
        let projection = principal_components(&done.unwrap());
        let residual = |z: &[f32]| (0..3).map(|j| projection.residual(j, z).abs()).sum::<f32>();
        assert!(residual(&[2.0, 2.0, 2.0]) < 1e-3);
        assert!(residual(&[2.0, 2.0, -2.0]) > 10.0);
    }
}
