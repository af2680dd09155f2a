//! How unlikely a count is: tails of the Poisson and the negative binomial distribution, and which of many are too unlikely.
//!
//! A count with mean `m` and dispersion `d` has the variance `m + d m^2`: Poisson at `d = 0`, negative binomial of size
//! `1 / d` beyond. Incomplete gamma and beta functions by series and continued fractions (Numerical Recipes, 3rd ed., 6.2 and
//! 6.4), the logarithm of the gamma function by Lanczos. Results are at least [`LEAST`].

/// No probability is taken for smaller than this.
pub(super) const LEAST: f64 = 1e-300;
/// Larger counts are scaled down to this: their tails are decided by the dispersion.
const LARGE: f64 = 1e5;
/// Below this excess of variance over the mean, in means, a count is Poisson.
const POISSON: f64 = 0.02;
const EPSILON: f64 = 1e-14;
const TINY: f64 = 1e-300;
const MOST_TERMS: usize = 10_000;

/// P(X >= `count`).
pub(super) fn at_least(count: f64, mean: f64, dispersion: f64) -> f64 {
    let (count, mean) = scaled(count, mean);
    if count <= 0.0 {
        return 1.0;
    }
    if mean <= 0.0 {
        return LEAST;
    }
    let p = if dispersion * mean < POISSON {
        gamma(count, mean).0
    } else {
        beta(count, 1.0 / dispersion, dispersion * mean / (1.0 + dispersion * mean))
    };
    clamp(p)
}

/// P(X <= `count`).
pub(super) fn at_most(count: f64, mean: f64, dispersion: f64) -> f64 {
    let (count, mean) = scaled(count, mean);
    if mean <= 0.0 {
        return 1.0;
    }
    let p = if dispersion * mean < POISSON {
        gamma(count + 1.0, mean).1
    } else {
        beta(1.0 / dispersion, count + 1.0, 1.0 / (1.0 + dispersion * mean))
    };
    clamp(p)
}

/// P(gap >= `ratio` mean gaps), for gaps of a gamma distribution of this shape: 1 for a Poisson process, more for a regular one.
pub(super) fn gap_at_least(ratio: f64, shape: f64) -> f64 {
    clamp(gamma(shape, shape * ratio.max(0.0)).1)
}

/// The Benjamini-Hochberg threshold: hypotheses with a p-value up to it can be rejected while the expected share of false ones
/// among them stays below `rate`. `n` counts all hypotheses, `p_values` are the smallest of them. At least what Bonferroni would allow.
///
/// Benjamini and Hochberg, J. R. Stat. Soc. B 57 (1995).
pub(super) fn benjamini_hochberg(mut p_values: Vec<f64>, n: usize, rate: f64) -> f64 {
    p_values.sort_by(f64::total_cmp);
    let n = n.max(p_values.len()).max(1) as f64;
    let allowed = (1..).map(|rank| rate * f64::from(rank) / n);
    let rejected = p_values.iter().zip(allowed).filter(|(p, allowed)| *p <= allowed);
    rejected.last().map_or(rate / n, |(_, allowed)| allowed)
}

fn clamp(p: f64) -> f64 {
    if p.is_nan() { 1.0 } else { p.clamp(LEAST, 1.0) }
}

fn scaled(count: f64, mean: f64) -> (f64, f64) {
    let factor = (count.max(mean) / LARGE).max(1.0);
    (count / factor, mean / factor)
}

fn ln_gamma(x: f64) -> f64 {
    const COEFFICIENTS: [f64; 9] = [
        0.999_999_999_999_809_9,
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        // Reflection; only small shapes come here.
        return (std::f64::consts::PI / (std::f64::consts::PI * x).sin().abs()).ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let sum =
        COEFFICIENTS[1..].iter().zip(1..).fold(COEFFICIENTS[0], |sum, (c, n)| sum + c / (x + f64::from(n)));
    let t = x + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

/// P(a, x) and Q(a, x), the regularized lower and upper incomplete gamma functions, each exact where it is small.
fn gamma(a: f64, x: f64) -> (f64, f64) {
    if x <= 0.0 {
        return (0.0, 1.0);
    }
    let front = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum, mut n) = (1.0 / a, 1.0 / a, a);
        for _ in 0..MOST_TERMS {
            n += 1.0;
            term *= x / n;
            sum += term;
            if term < sum * EPSILON {
                break;
            }
        }
        return (front * sum, 1.0 - front * sum);
    }
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / TINY;
    let mut d = 1.0 / b;
    let mut fraction = d;
    for n in (1..).map(f64::from).take(MOST_TERMS) {
        let step = -n * (n - a);
        b += 2.0;
        d = 1.0 / nonzero(step * d + b);
        c = nonzero(b + step / c);
        fraction *= d * c;
        if (d * c - 1.0).abs() < EPSILON {
            break;
        }
    }
    (1.0 - front * fraction, front * fraction)
}

/// I_x(a, b), the regularized incomplete beta function.
fn beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return if x <= 0.0 { 0.0 } else { 1.0 };
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        front * beta_fraction(a, b, x) / a
    } else {
        1.0 - front * beta_fraction(b, a, 1.0 - x) / b
    }
}

fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    let mut c = 1.0;
    let mut d = 1.0 / nonzero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for m in (1..).map(f64::from).take(MOST_TERMS) {
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        for step in [even, odd] {
            d = 1.0 / nonzero(1.0 + step * d);
            c = nonzero(1.0 + step / c);
            fraction *= d * c;
        }
        if (d * c - 1.0).abs() < EPSILON {
            break;
        }
    }
    fraction
}

fn nonzero(value: f64) -> f64 {
    if value.abs() < TINY { TINY } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-6 * b.abs().max(1e-12)
    }

    /// The same by summing up probabilities.
    fn summed(count: u32, mean: f64, dispersion: f64) -> f64 {
        let size = 1.0 / dispersion;
        let q = mean / (mean + size);
        let ln = |k: f64| {
            ln_gamma(size + k) - ln_gamma(size) - ln_gamma(k + 1.0) + k * q.ln() + size * (1.0 - q).ln()
        };
        (count..count + 3000).map(|k| ln(f64::from(k)).exp()).sum()
    }

    #[test]
    fn poisson_tails_are_those_of_the_tables() {
        assert!(near(at_least(1.0, 2.0, 0.0), 1.0 - (-2.0f64).exp()));
        assert!(near(at_most(0.0, 5.0, 0.0), (-5.0f64).exp()));
        assert!(near(at_most(2.0, 4.0, 0.0), 0.238_103_305_553_544));
        assert!(near(at_least(10.0, 4.0, 0.0), 0.008_132_242_797));
    }

    #[test]
    fn negative_binomial_tails_are_sums_of_probabilities() {
        for (count, mean, dispersion) in [(5, 2.0, 0.5), (30, 10.0, 0.1), (50, 0.14, 350.0), (80, 20.0, 0.3)]
        {
            let upper = at_least(f64::from(count), mean, dispersion);
            assert!(
                (upper / summed(count, mean, dispersion) - 1.0).abs() < 1e-3,
                "{count} {mean} {dispersion}"
            );
            let both = upper + at_most(f64::from(count) - 1.0, mean, dispersion);
            assert!(near(both, 1.0), "{both}");
        }
        assert!(near(at_most(0.0, 4.0, 0.5), (1.0f64 + 2.0).powf(-2.0)));
    }

    #[test]
    fn gaps_of_a_regular_process_are_short() {
        assert!(near(gap_at_least(3.0, 1.0), (-3.0f64).exp()));
        assert!(gap_at_least(3.0, 10.0) < 1e-4 && gap_at_least(0.5, 10.0) > 0.9);
    }

    #[test]
    fn nothing_is_too_large_or_too_small() {
        let numbers = [0.0, 1e-9, 0.5, 3.0, 1e5, 4e9, 1e18];
        for count in numbers {
            for mean in numbers {
                for dispersion in [0.0, 1e-9, 0.1, 1e4] {
                    for p in [at_least(count, mean, dispersion), at_most(count, mean, dispersion)] {
                        assert!((LEAST..=1.0).contains(&p), "{count} {mean} {dispersion}: {p}");
                    }
                }
            }
        }
        assert!(at_least(4e9, 1e9, 0.01) < 1e-20);
    }

    #[test]
    fn few_small_p_values_among_many_are_rejected() {
        assert!(near(benjamini_hochberg(vec![1e-9, 0.5], 100, 0.001), 1e-5));
        assert!(near(benjamini_hochberg(vec![0.5, 0.6], 100, 0.001), 1e-5));
        let many = benjamini_hochberg((1..=50).map(|n| f64::from(n) * 1e-6).collect(), 100, 0.001);
        assert!(near(many, 0.001 * 50.0 / 100.0));
    }
}
