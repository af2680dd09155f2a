//! Synthetic series with known truth.

use std::time::Duration;

use pdata::Timestamp;
use pdata::event::Phase;
use proptest::prelude::*;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

const START: u64 = 1_700_000_000;

fn at(n: usize, every: u64) -> Timestamp {
    Timestamp::from_secs(START + n as u64 * every)
}

fn normal(rng: &mut impl Rng) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}

fn exponential(rng: &mut impl Rng) -> f64 {
    -(1.0 - rng.random::<f64>()).ln()
}

/// Everything that a series reports about these values, ten seconds apart: index and notice.
fn reports(values: impl IntoIterator<Item = f64>) -> Vec<(usize, Phase)> {
    reports_of(values, Nature::default())
}

fn reports_of(values: impl IntoIterator<Item = f64>, nature: Nature) -> Vec<(usize, Phase)> {
    let mut series = Series::default();
    let settings = Settings::default();
    let observe = |(n, value)| {
        let scored = series.observe(Point::new(at(n, 10), value), nature, &settings).unwrap();
        scored.phase.map(|notice| (n, notice))
    };
    values.into_iter().enumerate().filter_map(observe).collect()
}

fn begins(reports: &[(usize, Phase)]) -> Vec<usize> {
    reports.iter().filter(|(_, notice)| *notice == Phase::Begin).map(|(n, _)| *n).collect()
}

fn steady(n: usize, seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| 100.0 + 5.0 * normal(&mut rng)).collect()
}

#[test]
fn noise_of_many_shapes_is_quiet() {
    type Shape = fn(&mut ChaCha8Rng, usize) -> f64;
    let shapes: [(&str, Shape); 8] = [
        ("normal", |rng, _| 100.0 + 5.0 * normal(rng)),
        ("uniform", |rng, _| rng.random::<f64>()),
        ("exponential", |rng, _| 10.0 * exponential(rng)),
        ("lognormal", |rng, _| (1.0 + 0.5 * normal(rng)).exp()),
        ("poisson-like", |rng, _| (0..20).map(|_| f64::from(u8::from(rng.random_bool(0.1)))).sum()),
        ("daily swing", |rng, n| 100.0 + 40.0 * (n as f64 / 1375.0).sin() + 3.0 * normal(rng)),
        ("two levels", |rng, _| if rng.random_bool(0.3) { 80.0 } else { 50.0 } + normal(rng)),
        ("constant", |_, _| 42.0),
    ];
    for (name, shape) in shapes {
        let mut found = 0;
        for seed in 0..5 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            found += begins(&reports((0..10_000).map(|n| shape(&mut rng, n)))).len();
        }
        assert!(found <= 10, "{name}: {found} false episodes in 50,000 points");
    }
}

#[test]
fn a_random_walk_is_rarely_odd() {
    let mut found = 0;
    for seed in 0..5 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut level = 1000.0;
        found += begins(&reports((0..10_000).map(|_| {
            level += normal(&mut rng);
            level
        })))
        .len();
    }
    assert!(found <= 15, "{found} false episodes in 50,000 points");
}

#[test]
fn a_step_is_reported_once_and_then_becomes_normal() {
    let mut values = steady(200, 1);
    values.extend(steady(400, 2).iter().map(|value| value + 60.0));
    let reports = reports(values);
    assert_eq!(begins(&reports).len(), 1, "{reports:?}");
    assert!((200..=202).contains(&begins(&reports)[0]));
    let ends: Vec<_> = reports.iter().filter(|(_, notice)| *notice == Phase::End).collect();
    assert_eq!(ends.len(), 1);
    assert!((280..=320).contains(&ends[0].0), "adapts after a quarter of an hour: {ends:?}");
}

#[test]
fn going_back_to_the_former_level_is_no_news() {
    let mut values = steady(200, 1);
    values.extend(steady(200, 2).iter().map(|value| value + 60.0));
    values.extend(steady(200, 3));
    let begins = begins(&reports(values));
    assert_eq!(begins.len(), 1, "{begins:?}");
}

#[test]
fn a_fault_is_one_episode_that_begins_and_ends() {
    let mut values = steady(300, 4);
    for value in &mut values[200..218] {
        *value *= 3.0;
    }
    let reports = reports(values);
    assert_eq!(begins(&reports).len(), 1, "{reports:?}");
    assert_eq!(reports.last().map(|(n, notice)| (*n < 225, *notice)), Some((true, Phase::End)));
}

#[test]
fn a_tall_spike_is_reported_at_once_and_a_small_one_is_not() {
    let mut values = steady(300, 5);
    values[200] = 250.0;
    values[250] = 132.0;
    assert_eq!(begins(&reports(values)), [200]);
}

#[test]
fn of_two_huge_departures_the_larger_has_the_higher_score() {
    let score_of = |value: f64| {
        let mut series = Series::default();
        let settings = Settings::default();
        let values = steady(200, 1).into_iter().chain([value]);
        let points = values.enumerate().map(|(n, value)| Point::new(at(n, 10), value));
        points.map(|point| series.observe(point, Nature::default(), &settings).unwrap()).last().unwrap()
    };
    let scores = [1e3, 1e4, 1e5, 1e9, f64::MAX].map(|value| score_of(value).score);
    assert!(scores.is_sorted() && scores[0] < scores[1] && scores[1] < scores[2], "{scores:?}");
    assert!(scores.iter().all(|score| *score < 1.0), "{scores:?}");
    assert!(score_of(1e9).surprise <= ensemble::MOST_SURPRISING);
}

#[test]
fn a_ramp_is_found() {
    let mut values = steady(400, 6);
    for (n, value) in values.iter_mut().enumerate().skip(200) {
        *value += 4.0 * (n - 200) as f64;
    }
    let begins = begins(&reports(values));
    assert!(begins.first().is_some_and(|n| (203..225).contains(n)), "{begins:?}");
}

#[test]
fn a_jump_within_a_swinging_series_is_found() {
    let swing = |n: usize| 1000.0 + 500.0 * (n as f64 / 100.0).sin();
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut values: Vec<f64> = (0..3000).map(|n| swing(n) + 5.0 * normal(&mut rng)).collect();
    for value in &mut values[2500..2510] {
        *value += 400.0;
    }
    let begins = begins(&reports(values));
    assert!(begins.iter().any(|n| (2500..2503).contains(n)), "{begins:?}");
    assert!(begins.len() <= 3, "{begins:?}");
}

#[test]
fn a_fall_of_what_may_only_rise_is_fine() {
    let mut values = steady(300, 8);
    values.iter_mut().skip(200).for_each(|value| *value /= 10.0);
    let nature = Nature { direction: Direction::Up, ..Nature::default() };
    assert!(begins(&reports_of(values, nature)).is_empty());
}

#[test]
fn nothing_is_reported_during_warm_up() {
    let mut values = steady(20, 9);
    values[15] = 10_000.0;
    assert_eq!(reports(values), []);
}

#[test]
fn a_fault_is_found_soon_after_the_warm_up() {
    let mut values = steady(40, 10);
    values.iter_mut().skip(30).for_each(|value| *value *= 4.0);
    assert!(begins(&reports(values)).first().is_some_and(|n| *n <= 31));
}

#[test]
fn a_series_that_never_moved_needs_two_odd_points() {
    let mut values = vec![0.0; 100];
    values[60] = 1.0;
    values[80] = 1.0;
    values[81] = 1.0;
    assert_eq!(begins(&reports(values)), [81]);
}

#[test]
fn bad_points_are_named_and_change_nothing() {
    let settings = Settings::default();
    let mut series = Series::default();
    for n in 0..50 {
        series.observe(Point::new(at(n, 10), 5.0), Nature::default(), &settings).unwrap();
    }
    let mut undisturbed = series.clone();
    let mut observe = |time, value| series.observe(Point::new(time, value), Nature::default(), &settings);
    assert_eq!(observe(at(50, 10), f64::NAN), Err(Ignored::NotFinite));
    assert_eq!(observe(at(50, 10), f64::INFINITY), Err(Ignored::NotFinite));
    assert_eq!(observe(at(49, 10), 5.0), Err(Ignored::Duplicate));
    assert_eq!(observe(at(3, 10), 5.0), Err(Ignored::OutOfOrder));
    assert_eq!(observe(Timestamp::default(), 5.0), Err(Ignored::NoTime));
    let scored = observe(at(50, 10), 5.5);
    assert_eq!(scored, undisturbed.observe(Point::new(at(50, 10), 5.5), Nature::default(), &settings));
}

#[test]
fn a_clock_that_was_ahead_for_a_moment_does_not_silence_the_series() {
    let settings = Settings::default();
    let mut series = Series::default();
    let mut observe = |time, value| series.observe(Point::new(time, value), Nature::default(), &settings);
    for n in 0..50 {
        observe(at(n, 10), 5.0).unwrap();
    }
    observe(at(100_000, 10), 5.0).unwrap();
    let taken: Vec<bool> = (50..60).map(|n| observe(at(n, 10), 5.0).is_ok()).collect();
    assert_eq!(taken, [false, false, false, false, true, true, true, true, true, true]);
    // Points of a backlog between those that are on time are late, not more.
    for n in 0..20 {
        assert_eq!(observe(at(n, 10), 5.0), Err(Ignored::OutOfOrder));
        observe(at(60 + n, 10), 5.0).unwrap();
    }
}

#[test]
fn irregular_sampling_and_gaps_are_no_anomaly() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut series = Series::default();
    let mut time = Timestamp::from_secs(START);
    let mut found = 0;
    for n in 0..5_000 {
        time = time + Duration::from_millis(2_000 + (20_000.0 * rng.random::<f64>()) as u64);
        if n % 500 == 0 {
            time = time + Duration::from_secs(7_200);
        }
        let point = Point::new(time, 100.0 + 5.0 * normal(&mut rng));
        let scored = series.observe(point, Nature::default(), &Settings::default()).unwrap();
        found += usize::from(scored.phase == Some(Phase::Begin));
    }
    assert!(found <= 1, "{found}");
}

#[test]
fn a_snapshot_goes_on_with_the_same_scores() {
    let mut original = Series::default();
    let settings = Settings::default();
    let values = steady(400, 12);
    let mut restored = None;
    for (n, value) in values.iter().enumerate() {
        if n == 150 {
            let bytes = postcard::to_allocvec(&original).unwrap();
            restored = Some(postcard::from_bytes::<Series>(&bytes).unwrap());
        }
        let point = Point::new(at(n, 10), *value);
        let expected = original.observe(point, Nature::default(), &settings);
        if let Some(restored) = &mut restored {
            assert_eq!(restored.observe(point, Nature::default(), &settings), expected);
        }
    }
}

#[test]
fn a_series_is_small() {
    assert!(size_of::<Series>() <= 512, "{}", size_of::<Series>());
}

proptest! {
    #[test]
    fn any_values_give_scores_in_range(values in proptest::collection::vec(any::<f64>(), 1..200)) {
        let mut series = Series::default();
        for (n, value) in values.into_iter().enumerate() {
            if let Ok(scored) = series.observe(Point::new(at(n, 10), value), Nature::default(), &Settings::default()) {
                prop_assert!(scored.score > 0.0 && scored.score < 1.0);
                prop_assert!(scored.surprise.is_finite());
            }
        }
    }

    #[test]
    fn the_unit_does_not_matter(scale in 1e-6..1e9f64, seed in 0u64..50) {
        let mut values = steady(120, seed);
        values.iter_mut().skip(80).take(10).for_each(|value| *value *= 1.5);
        let scores = |factor: f64| {
            let mut series = Series::default();
            values.iter().enumerate().map(|(n, value)| {
                let point = Point::new(at(n, 10), value * factor);
                series.observe(point, Nature::default(), &Settings::default()).unwrap().score
            }).collect::<Vec<_>>()
        };
        for (a, b) in scores(1.0).into_iter().zip(scores(scale)) {
            prop_assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
    }

    #[test]
    fn scores_and_surprises_convert_both_ways(surprise in 0.1..60.0f64) {
        let back = series::surprise(series::score(surprise, 6.0), 6.0);
        prop_assert!((back - surprise).abs() < 1e-3 * surprise);
    }
}
