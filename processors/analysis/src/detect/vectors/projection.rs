//! Detectors that are linear: what is left of each metric when the others are taken into account.
//!
//! In: correlations. Out: for a frame, each metric's residual in its own usual sizes. Two ways to get there:
//!
//! - [`relations`]: each metric is predicted from all the others by ridge regression. All of these regressions follow from one inverse `P`
//!   of the correlations plus a ridge: the residual of metric `j` is `(P z)_j / P_jj` (Lauritzen, Graphical Models, 5.1.3).
//! - [`principal_components`]: the frame is rebuilt from the components that explain most; what is not explained is the residual.

use serde::{Deserialize, Serialize};

use super::linear::Symmetric;

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
/// How much of the variance the components that count explain.
const EXPLAINED: f64 = 0.8;
/// A residual's usual size is not below this share of its metric's standard deviation.
const LEAST: f64 = 0.01;

/// Each metric as the others predict it.
pub(super) fn relations(correlations: &Symmetric) -> Option<Projection> {
    // Correlations from unlike stretches of time may contradict each other; a higher ridge settles that.
    (0..4).find_map(|rise| relations_with(correlations, RIDGE * f64::from(1 << (2 * rise))))
}

fn relations_with(correlations: &Symmetric, ridge: f64) -> Option<Projection> {
    let n = correlations.len();
    let inverse =
        Symmetric::from_fn(n, |i, j| correlations.at(i, j) + if i == j { ridge } else { 0.0 }).inverse()?;
    let row = |j: usize| {
        let own = inverse.at(j, j);
        // The variance of (P z)_j is (P R P)_jj, and R is the inverse of P without the ridge.
        let square: f64 = inverse.row(j).iter().map(|value| value * value).sum();
        let size = (own - ridge * square).max(0.0).sqrt().max(LEAST * own);
        (inverse.row(j).iter().map(move |value| value / size).collect::<Vec<_>>(), size / own)
    };
    Some(Projection::from_rows((0..n).map(row)))
}

/// Each metric as the principal components rebuild it.
pub(super) fn principal_components(correlations: &Symmetric) -> Projection {
    let n = correlations.len();
    let pairs = correlations.clone().eigen();
    let total: f64 = pairs.iter().map(|(value, _)| value.max(0.0)).sum();
    let mut explained = 0.0;
    let enough = pairs.iter().position(|(value, _)| {
        explained += value;
        explained >= EXPLAINED * total
    });
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

/// A scalar product in eight lanes, which compilers turn into vector instructions.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, b) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut lanes = [0.0f32; 8];
    for (a, b) in a.0.iter().zip(b.0) {
        for lane in 0..8 {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a.1.iter().zip(b.1).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn correlations() -> Symmetric {
        Symmetric::from_fn(3, |i, j| if i == j { 1.0 } else { [0.9, 0.1, 0.2][i + j - 1] })
    }

    #[test]
    fn relations_are_ridge_regressions_on_the_others() {
        let projection = relations(&correlations()).unwrap();
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
        let projection = principal_components(&r);
        let residual = |z: &[f32]| (0..3).map(|j| projection.residual(j, z).abs()).sum::<f32>();
        assert!(residual(&[2.0, 2.0, 2.0]) < 1e-3);
        assert!(residual(&[2.0, 2.0, -2.0]) > 10.0);
    }
}
