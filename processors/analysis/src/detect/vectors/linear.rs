//! Small dense symmetric matrices: inverse by Cholesky, eigenvectors by Jacobi's rotations.
//!
//! Own and not a library's, because that is all that is needed, the matrices are small and the result must be the same on every
//! machine.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

/// A symmetric matrix, stored whole, row by row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Symmetric {
    n: usize,
    values: Vec<f64>,
}

impl Symmetric {
    /// The matrix with these entries; `entry` is asked for the lower triangle.
    pub(super) fn from_fn(n: usize, entry: impl Fn(usize, usize) -> f64) -> Self {
        let mut values = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..=i {
                let value = entry(i, j);
                (values[i * n + j], values[j * n + i]) = (value, value);
            }
        }
        Self { n, values }
    }

    /// How many rows it has.
    pub(super) const fn len(&self) -> usize {
        self.n
    }

    /// One row.
    pub(super) fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.n..(i + 1) * self.n]
    }

    /// One entry.
    pub(super) fn at(&self, i: usize, j: usize) -> f64 {
        self.values[i * self.n + j]
    }

    fn empty(n: usize) -> Self {
        Self { n, values: vec![0.0; n * n] }
    }
}

/// The inverse of a matrix in the making, by Cholesky: a row at a time, because large matrices take their time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Inversion {
    matrix: Symmetric,
    lower: Symmetric,
    inverse: Symmetric,
    /// Rows that are done, of three times as many as the matrix has.
    done: usize,
}

impl Inversion {
    /// Of this matrix.
    pub(super) fn new(matrix: Symmetric) -> Self {
        let (lower, inverse) = (Symmetric::empty(matrix.n), Symmetric::empty(matrix.n));
        Self { matrix, lower, inverse, done: 0 }
    }

    /// Multiplications of the next row.
    pub(super) const fn cost(&self) -> u64 {
        let n = self.matrix.n;
        let row = self.done % if n == 0 { 1 } else { n };
        ((row + 1) * (row + 1) / 2) as u64 + n as u64
    }

    /// Makes the next row. Ends with the inverse, or with `None` if the matrix is not positive definite.
    pub(super) fn advance(&mut self) -> ControlFlow<Option<Symmetric>> {
        let n = self.matrix.n;
        let row = self.done % n.max(1);
        match self.done.checked_div(n) {
            Some(0) if !self.factor(row) => return ControlFlow::Break(None),
            Some(0) => {}
            Some(1) => self.invert(row),
            Some(2) => self.multiply(row),
            _ => {
                let done = std::mem::replace(&mut self.matrix, Symmetric::empty(0));
                return ControlFlow::Break(Some(done));
            }
        }
        self.done += 1;
        ControlFlow::Continue(())
    }

    fn factor(&mut self, i: usize) -> bool {
        let n = self.matrix.n;
        let lower = &mut self.lower.values;
        for j in 0..=i {
            let (a, b) = (&lower[i * n..i * n + j], &lower[j * n..j * n + j]);
            let rest = self.matrix.at(i, j) - a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            if i == j && (rest.is_nan() || rest <= 1e-12) {
                return false;
            }
            lower[i * n + j] = if i == j { rest.sqrt() } else { rest / lower[j * n + j] };
        }
        true
    }

    /// A row of the inverse of the factor.
    fn invert(&mut self, i: usize) {
        let n = self.matrix.n;
        let lower = &self.lower.values;
        let diagonal = 1.0 / lower[i * n + i];
        let (done, rest) = self.inverse.values.split_at_mut(i * n);
        let own = &mut rest[..n];
        for k in 0..i {
            let factor = lower[i * n + k];
            if factor != 0.0 {
                own[..=k].iter_mut().zip(&done[k * n..]).for_each(|(to, from)| *to -= factor * from);
            }
        }
        own[..i].iter_mut().for_each(|value| *value *= diagonal);
        own[i] = diagonal;
    }

    /// Adds what row `k` gives to the product of the inverse's transpose with itself, in place of the matrix.
    fn multiply(&mut self, k: usize) {
        let n = self.matrix.n;
        if k == 0 {
            self.matrix.values.fill(0.0);
        }
        let factor = &self.inverse.values[k * n..=k * n + k];
        for i in 0..=k {
            let row = &mut self.matrix.values[i * n..=i * n + k];
            row.iter_mut().zip(factor).for_each(|(to, from)| *to += factor[i] * from);
        }
    }
}

/// The eigenvalues and unit vectors of a matrix in the making: Jacobi's cyclic rotations (Golub and Van Loan, 8.5), a row at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Rotations {
    matrix: Symmetric,
    /// As rows.
    vectors: Symmetric,
    size: f64,
    /// The row that is next, and squares beside the diagonal that were met in this sweep.
    row: usize,
    off: f64,
    sweeps: usize,
}

/// Eigenvalues, largest first, each with its unit vector.
pub(super) type Eigen = Vec<(f64, Vec<f64>)>;

impl Rotations {
    /// Of this matrix.
    pub(super) fn new(matrix: Symmetric) -> Self {
        let vectors = Symmetric::from_fn(matrix.n, |i, j| f64::from(i == j));
        let size = matrix.values.iter().map(|value| value * value).sum();
        Self { matrix, vectors, size, row: 0, off: 0.0, sweeps: 0 }
    }

    /// Multiplications of the next row.
    pub(super) const fn cost(&self) -> u64 {
        (self.row * (8 * self.matrix.n + 10)) as u64 + self.matrix.n as u64
    }

    /// Makes what is beside the diagonal of the next row small.
    pub(super) fn advance(&mut self) -> ControlFlow<Eigen> {
        for q in 0..self.row {
            let value = self.matrix.at(self.row, q);
            self.off += value * value;
            if value * value > 1e-22 * self.size {
                self.rotate(self.row, q);
            }
        }
        self.row += 1;
        if self.row < self.matrix.n {
            return ControlFlow::Continue(());
        }
        self.sweeps += 1;
        if self.off > 1e-18 * self.size && self.sweeps < MOST_SWEEPS {
            (self.row, self.off) = (0, 0.0);
            return ControlFlow::Continue(());
        }
        let pair = |i: usize| (self.matrix.at(i, i), self.vectors.row(i).to_vec());
        let mut pairs: Eigen = (0..self.matrix.n).map(pair).collect();
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
        ControlFlow::Break(pairs)
    }

    /// Makes the entry at `(p, q)` zero.
    fn rotate(&mut self, p: usize, q: usize) {
        let n = self.matrix.n;
        let theta = (self.matrix.at(q, q) - self.matrix.at(p, p)) / (2.0 * self.matrix.at(p, q));
        let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
        let cosine = 1.0 / tangent.hypot(1.0);
        let sine = tangent * cosine;
        turn(&mut self.matrix.values, n, (p, q), (cosine, sine));
        for k in 0..n {
            let values = &mut self.matrix.values;
            let (a, b) = (values[k * n + p], values[k * n + q]);
            values[k * n + p] = cosine * a - sine * b;
            values[k * n + q] = sine * a + cosine * b;
        }
        turn(&mut self.vectors.values, n, (p, q), (cosine, sine));
    }
}

/// More sweeps are never needed.
const MOST_SWEEPS: usize = 30;

/// Turns rows `p` and `q` into each other.
fn turn(values: &mut [f64], n: usize, (p, q): (usize, usize), (cosine, sine): (f64, f64)) {
    let (low, high) = (p.min(q), p.max(q));
    let (before, after) = values.split_at_mut(high * n);
    let (low_row, high_row) = (&mut before[low * n..(low + 1) * n], &mut after[..n]);
    let (row_p, row_q) = if p < q { (low_row, high_row) } else { (high_row, low_row) };
    for (a, b) in row_p.iter_mut().zip(row_q) {
        (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
    }
}

/// A scalar product in eight lanes, which compilers turn into vector instructions.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
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

    fn inverse_of(matrix: Symmetric) -> Option<Symmetric> {
        let mut inversion = Inversion::new(matrix);
        std::iter::repeat_with(|| inversion.advance()).find_map(ControlFlow::break_value)?
    }

    /// Some correlations: of numbers that resemble each other the more, the nearer they are.
    fn some(n: usize) -> Symmetric {
        Symmetric::from_fn(n, |i, j| {
            0.8f64.powi((i as i32 - j as i32).abs()) + if i == j { 0.1 } else { 0.0 }
        })
    }

    #[test]
    fn the_inverse_undoes_the_matrix() {
        let (matrix, inverse) = (some(12), inverse_of(some(12)).unwrap());
        for i in 0..12 {
            for j in 0..12 {
                let product: f64 = matrix.row(i).iter().zip(inverse.row(j)).map(|(a, b)| a * b).sum();
                assert!((product - f64::from(i == j)).abs() < 1e-9, "{i} {j}: {product}");
            }
        }
        assert_eq!(inverse_of(Symmetric::from_fn(2, |_, _| 1.0)), None);
    }

    #[test]
    fn eigenvectors_are_only_stretched() {
        let (matrix, mut rotations) = (some(12), Rotations::new(some(12)));
        let done = std::iter::repeat_with(|| rotations.advance()).find_map(ControlFlow::break_value);
        let pairs = done.unwrap();
        assert!(pairs.is_sorted_by(|a, b| a.0 >= b.0));
        for (value, vector) in pairs {
            assert!((vector.iter().map(|x| x * x).sum::<f64>() - 1.0).abs() < 1e-9);
            for i in 0..12 {
                let image: f64 = matrix.row(i).iter().zip(&vector).map(|(a, b)| a * b).sum();
                assert!((image - value * vector[i]).abs() < 1e-8);
            }
        }
    }
}
