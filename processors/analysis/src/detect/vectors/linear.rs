//! Small dense symmetric matrices: inverse by Cholesky, eigenvectors by Jacobi's rotations.
//!
//! Own and not a library's, because that is all that is needed, the matrices are small and the result must be the same on every
//! machine.

/// A symmetric matrix, stored whole, row by row.
#[derive(Clone, Debug, PartialEq)]
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

    /// Its inverse; `None` if it is not positive definite.
    pub(super) fn inverse(&self) -> Option<Self> {
        let n = self.n;
        let lower = self.cholesky()?;
        // The inverse of the factor, row by row, and then the product of its transpose with itself.
        let mut inverse = vec![0.0; n * n];
        for i in 0..n {
            let diagonal = 1.0 / lower[i * n + i];
            let (done, rest) = inverse.split_at_mut(i * n);
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
        let mut product = vec![0.0; n * n];
        for k in 0..n {
            let factor = &inverse[k * n..=k * n + k];
            for i in 0..=k {
                let row = &mut product[i * n..=i * n + k];
                row.iter_mut().zip(factor).for_each(|(to, from)| *to += factor[i] * from);
            }
        }
        Some(Self { n, values: product })
    }

    fn cholesky(&self) -> Option<Vec<f64>> {
        let n = self.n;
        let mut lower = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..=i {
                let (a, b) = (&lower[i * n..i * n + j], &lower[j * n..j * n + j]);
                let rest = self.at(i, j) - a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
                if i == j && (rest.is_nan() || rest <= 1e-12) {
                    return None;
                }
                lower[i * n + j] = if i == j { rest.sqrt() } else { rest / lower[j * n + j] };
            }
        }
        Some(lower)
    }

    /// Its eigenvalues, largest first, each with its unit vector: Jacobi's cyclic rotations (Golub and Van Loan, 8.5).
    pub(super) fn eigen(mut self) -> Vec<(f64, Vec<f64>)> {
        let n = self.n;
        let mut vectors = Self::from_fn(n, |i, j| f64::from(i == j)).values;
        let size: f64 = self.values.iter().map(|value| value * value).sum();
        for _ in 0..MOST_SWEEPS {
            let mut off = 0.0;
            for p in 1..n {
                for q in 0..p {
                    let value = self.at(p, q);
                    off += value * value;
                    if value * value > 1e-22 * size {
                        self.rotate(p, q, &mut vectors);
                    }
                }
            }
            if off <= 1e-18 * size {
                break;
            }
        }
        let mut pairs: Vec<_> =
            (0..n).map(|i| (self.at(i, i), vectors[i * n..(i + 1) * n].to_vec())).collect();
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
        pairs
    }

    /// Makes the entry at `(p, q)` zero. `vectors` holds the eigenvectors as rows.
    fn rotate(&mut self, p: usize, q: usize, vectors: &mut [f64]) {
        let n = self.n;
        let theta = (self.at(q, q) - self.at(p, p)) / (2.0 * self.at(p, q));
        let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
        let cosine = 1.0 / tangent.hypot(1.0);
        let sine = tangent * cosine;
        turn(&mut self.values, n, (p, q), (cosine, sine));
        for k in 0..n {
            let (a, b) = (self.values[k * n + p], self.values[k * n + q]);
            self.values[k * n + p] = cosine * a - sine * b;
            self.values[k * n + q] = sine * a + cosine * b;
        }
        turn(vectors, n, (p, q), (cosine, sine));
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Some correlations: of numbers that resemble each other the more, the nearer they are.
    fn some(n: usize) -> Symmetric {
        Symmetric::from_fn(n, |i, j| {
            0.8f64.powi((i as i32 - j as i32).abs()) + if i == j { 0.1 } else { 0.0 }
        })
    }

    #[test]
    fn the_inverse_undoes_the_matrix() {
        let (matrix, inverse) = (some(12), some(12).inverse().unwrap());
        for i in 0..12 {
            for j in 0..12 {
                let product: f64 = matrix.row(i).iter().zip(inverse.row(j)).map(|(a, b)| a * b).sum();
                assert!((product - f64::from(i == j)).abs() < 1e-9, "{i} {j}: {product}");
            }
        }
        assert_eq!(Symmetric::from_fn(2, |_, _| 1.0).inverse(), None);
    }

    #[test]
    fn eigenvectors_are_only_stretched() {
        let (matrix, pairs) = (some(12), some(12).eigen());
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
