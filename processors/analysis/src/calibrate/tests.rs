//! P-values on streams of known distributions.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use std::time::Duration;

use super::{Budget, Decision, Spot};
use pdata::Timestamp;

/// How often a p-value is below each of these, divided by how often it should be, once warm.
fn rates(mut next: impl FnMut() -> f64) -> [f64; 3] {
    let mut spot = Spot::default();
    let n = 200_000;
    (0..5000).for_each(|_| _ = spot.observe(next()));
    let p: Vec<f64> = (0..n).map(|_| spot.observe(next())).collect();
    [1e-2, 1e-3, 1e-4].map(|bound| p.iter().filter(|p| **p < bound).count() as f64 / n as f64 / bound)
}

fn assert_calibrated(name: &str, next: impl FnMut() -> f64) {
    let rates = rates(next);
    assert!(rates.iter().all(|rate| (0.5..=2.0).contains(rate)), "{name}: {rates:?}");
}

/// In (0, 1].
fn uniform(random: &mut ChaCha8Rng) -> f64 {
    1.0 - random.random::<f64>()
}

fn normal(random: &mut ChaCha8Rng) -> f64 {
    let (radius, angle) = ((-2.0 * uniform(random).ln()).sqrt(), std::f64::consts::TAU * uniform(random));
    radius * angle.cos()
}

#[test]
fn p_values_are_as_rare_as_they_say_for_light_and_heavy_tails() {
    let mut random = ChaCha8Rng::seed_from_u64(0);
    assert_calibrated("exponential", || -uniform(&mut random).ln());
    assert_calibrated("normal", || normal(&mut random).abs());
    assert_calibrated("Pareto 3", || uniform(&mut random).powf(-1.0 / 3.0) - 1.0);
    assert_calibrated("Pareto 2", || uniform(&mut random).powf(-1.0 / 2.0) - 1.0);
    assert_calibrated("log-normal", || normal(&mut random).exp());
    assert_calibrated("large", || -1e9 * uniform(&mut random).ln());
}

#[test]
fn a_distribution_that_changes_is_calibrated_again() {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut n = 0;
    assert_calibrated("wider, then narrower", || {
        n += 1;
        let scale = if n < 5000 { 1.0 } else { 1.5 };
        -scale * uniform(&mut random).ln()
    });
    let mut spot = Spot::default();
    for n in 0..300_000 {
        spot.observe(-uniform(&mut random).ln() * if n < 20_000 { 1.0 } else { 0.1 });
    }
    // e^-8 is 0.000335.
    assert!((1e-4..1e-3).contains(&spot.p_value(0.8)), "{}", spot.p_value(0.8));
}

#[test]
fn p_values_fall_with_the_score_and_invert() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut spot = Spot::default();
    (0..20_000).for_each(|_| spot.learn(-uniform(&mut random).ln()));
    let p: Vec<f64> = (0..400).map(|n| spot.p_value(f64::from(n) / 10.0)).collect();
    assert!(p.windows(2).all(|pair| pair[0] >= pair[1]), "{p:?}");
    assert!((p[0] - 1.0).abs() < 1e-3 && p[399] >= 1e-12);
    for bound in [5e-3, 1e-3, 1e-5, 1e-7] {
        let score = spot.score_at(bound);
        let p = spot.p_value(score);
        assert!((0.9..1.1).contains(&(p / bound)), "{bound}: {score} has {p}");
    }
    assert!(spot.score_at(0.5).is_infinite() && spot.score_at(0.0).is_infinite());
}

#[test]
fn faults_do_not_become_the_tail() {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let mut spot = Spot::default();
    for n in 0..50_000 {
        let fault = n % 5000 > 4990;
        spot.observe(if fault { 50.0 } else { -uniform(&mut random).ln() });
    }
    assert!(spot.p_value(50.0) < 1e-4, "{}", spot.p_value(50.0));
}

#[test]
fn a_new_series_claims_little_and_a_strange_one_does_no_harm() {
    let mut spot = Spot::default();
    assert_eq!(spot.p_value(1e9), 1.0);
    (0..100).for_each(|n| spot.learn(f64::from(n % 10)));
    assert!(!spot.is_warm() && spot.p_value(1e9) >= 0.009, "{}", spot.p_value(1e9));
    for strange in [
        [0.0; 8],
        [5.0; 8],
        [f64::MAX; 8],
        [f64::MIN_POSITIVE; 8],
        [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e-300, 1e300, 1.0, f64::NEG_INFINITY],
    ] {
        let mut spot = Spot::default();
        for value in strange.iter().cycle().take(4000) {
            let p = spot.observe(*value);
            assert!(p > 0.0 && p <= 1.0, "{value}: {p} of {spot:?}");
        }
        assert_eq!(spot.p_value(f64::NAN), 1.0);
        assert!(spot.p_value(f64::INFINITY) > 0.0);
    }
}

#[test]
fn it_is_small_and_survives_a_restart() {
    assert!(size_of::<Spot>() <= 200, "{}", size_of::<Spot>());
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let values: Vec<f64> = (0..3000).map(|_| -uniform(&mut random).ln()).collect();
    let mut whole = Spot::default();
    let mut parts = Spot::default();
    for (n, value) in values.iter().enumerate() {
        if n % 97 == 0 {
            let bytes = postcard::to_allocvec(&parts).expect("a snapshot");
            assert!(bytes.len() <= 200, "{}", bytes.len());
            parts = postcard::from_bytes(&bytes).expect("what was saved");
        }
        assert_eq!(whole.observe(*value), parts.observe(*value));
    }
    assert_eq!(whole, parts);
}

/// How many alerts a month brings of so many points a day, if p-values are wrong by `factor`, and how many of the certain ones are among
/// them.
fn alerts_of_a_month(points_a_day: u64, factor: f64, certain: &[u64]) -> (u32, u32) {
    let mut random = ChaCha8Rng::seed_from_u64(points_a_day);
    let mut budget = Budget::default();
    let (mut alerts, mut found) = (0, 0);
    // Only what is odd enough is a candidate: one point in a thousand.
    let step = 86_400_000 / points_a_day;
    for n in 0..30 * points_a_day {
        let now = Timestamp::from_secs(1_700_000_000) + Duration::from_millis(n * step);
        budget.count(now);
        let p = uniform(&mut random) / factor;
        let is_certain = certain.contains(&(n / points_a_day)) && n % points_a_day == points_a_day / 2;
        let strength = if is_certain { 12.5 } else { -p.log10() };
        if strength >= 3.0 {
            let told = budget.offer(now, strength, None, 1.0);
            alerts += u32::from(told == Decision::Alert);
            found += u32::from(is_certain && told.is_told());
        }
    }
    (alerts, found)
}

#[test]
fn alerts_stay_within_the_budget_also_if_p_values_are_wrong() {
    for (points_a_day, factor) in [(10_000, 1.0), (100_000, 1.0), (100_000, 30.0), (20_000, 1000.0)] {
        let (alerts, _) = alerts_of_a_month(points_a_day, factor, &[]);
        assert!((5..=60).contains(&alerts), "{points_a_day}, {factor}: {alerts} in 30 days");
    }
}

#[test]
fn what_is_certain_is_told_whatever_came_before() {
    let days: Vec<u64> = (0..30).collect();
    let (alerts, found) = alerts_of_a_month(20_000, 30.0, &days);
    assert_eq!(found, 30);
    assert!(alerts <= 60, "{alerts}");
}

#[test]
fn one_fault_in_many_series_is_one_alert_and_one_that_grows_is_offered_again() {
    let mut budget = Budget::default();
    let at = |second: u64| Timestamp::from_secs(1_700_000_000 + second);
    (0..10_000).for_each(|second| budget.count(at(second)));
    assert_eq!(budget.offer(at(10_000), 3.0, None, 1.0), Decision::Withheld);
    assert_eq!(budget.offer(at(10_060), 8.0, Some(3.0), 1.0), Decision::Alert);
    for second in 0..10 {
        assert_eq!(budget.offer(at(10_070 + second), 3.0, None, 1.0), Decision::Company);
    }
    assert_eq!(budget.offer(at(12_000), 7.0, None, 1.0), Decision::Withheld);
    assert_eq!(budget.offer(at(14_000), 9.5, None, 1.0), Decision::Alert);
    let bytes = postcard::to_allocvec(&budget).expect("a snapshot");
    assert_eq!(postcard::from_bytes::<Budget>(&bytes).expect("what was saved"), budget);
}
