//! Input that nobody should send: it is counted, it takes bounded memory, and the scores of others do not change by it.

use pdata::proto::metrics::{Gauge, Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics};
use pdata::proto::metrics::{metric::Data, number_data_point::Value as Number};

use super::tests::{anomalies, detect, resource, run, scores, wobble};
use super::*;

const START: u64 = 1_700_000_000;

/// Points of a service, each of a series of its own or not: name, seconds since the start, value.
fn points(service: &str, points: impl Iterator<Item = (String, i64, f64)>) -> Batch {
    let metric = |(name, second, value): (String, i64, f64)| {
        let point = NumberDataPoint {
            time_unix_nano: START.saturating_add_signed(second) * 1_000_000_000,
            value: Some(Number::AsDouble(value)),
            ..NumberDataPoint::default()
        };
        let gauge = Gauge { data_points: vec![point] };
        Metric { name, data: Some(Data::Gauge(gauge)), ..Metric::default() }
    };
    let scope = ScopeMetrics { metrics: points.map(metric).collect(), ..ScopeMetrics::default() };
    let group = ResourceMetrics {
        resource: resource(service),
        scope_metrics: vec![scope],
        ..ResourceMetrics::default()
    };
    pdata::Metrics::from_message(MetricsData { resource_metrics: vec![group] }).into()
}

/// The scores of a series of its own service that is sent every second for five minutes, with what `others` send after each point.
fn scores_beside(others: impl Fn(u64) -> Option<Batch>, config: &Config) -> (Vec<f64>, Detect) {
    let config = Config { emit_scores: true, ..config.clone() };
    let mut detect = detect(&config);
    let mut found = Vec::new();
    for second in 0..300 {
        let value = if second < 280 { wobble(second) } else { 500.0 };
        let own = points("cart", std::iter::once(("queue".to_owned(), second as i64, value)));
        found.extend(scores(run(&mut detect, own)).into_iter().map(|score| score.score));
        if let Some(batch) = others(second) {
            run(&mut detect, batch);
        }
    }
    (found, detect)
}

#[test]
fn a_hundred_thousand_new_series_in_a_minute_are_bounded_and_change_no_other_score() {
    let config = Config { max_series: 5_000, ..Config::default() };
    let (alone, _) = scores_beside(|_| None, &config);
    assert!(alone[280..].iter().any(|score| *score > 0.5), "the fault is seen: {alone:?}");
    let flood = |second: u64| {
        let names = (0..1_700).map(move |n| format!("m{}", second * 1_700 + n));
        let value = |n: usize| [1.0, f64::NAN, f64::INFINITY, -1e300][n % 4];
        let flood = names.enumerate().map(move |(n, name)| (name, second as i64, value(n)));
        (100..160).contains(&second).then(|| points("flood", flood))
    };
    let (beside, detect) = scores_beside(flood, &config);
    assert_eq!(beside, alone);
    assert!(detect.watcher.series() <= 5_000);
    let seen = 60 * 1_700 + 1;
    assert_eq!(detect.counters.evicted.get() as usize + detect.watcher.series(), seen);
    assert_eq!(detect.counters.ignored.get(), 60 * 1_700 / 2, "half of them were no numbers");
}

#[test]
fn points_that_come_twice_late_from_the_future_or_as_no_number_change_no_score() {
    let config = Config::default();
    let (alone, _) = scores_beside(|_| None, &config);
    let bad = |second: u64| {
        let now = second as i64;
        let bad = [(now, 1e9), (now - 7, 1e9), (now + 1, f64::NAN), (now - 100_000, -1.0)];
        Some(points("cart", bad.into_iter().map(|(second, value)| ("queue".to_owned(), second, value))))
    };
    let (beside, detect) = scores_beside(bad, &config);
    assert_eq!(beside, alone);
    assert_eq!(detect.counters.ignored.get(), 4 * 300);
    // A clock that jumps ahead is that sender's own trouble: the series of others go on.
    let ahead = |second: u64| {
        let point = ("queue".to_owned(), second as i64 + 1_000_000, 3.0);
        (second == 150).then(|| points("clock", std::iter::once(point)))
    };
    assert_eq!(scores_beside(ahead, &config).0, alone);
}

#[test]
fn a_point_from_the_future_ends_no_episode_of_others() {
    let mut detect = detect(&Config::default());
    let mut phases = Vec::new();
    let mut note = |batches: Vec<Batch>| {
        let others = anomalies(batches).into_iter().filter(|anomaly| anomaly.service == "cart");
        phases.extend(others.map(|anomaly| anomaly.phase));
    };
    for second in 0..420 {
        let value = if second < 280 { wobble(second) } else { 500.0 };
        let queue = |second: u64, value| std::iter::once(("queue".to_owned(), second as i64, value));
        note(run(&mut detect, points("cart", queue(second, value))));
        if [200, 300, 350].contains(&second) {
            note(run(&mut detect, points("clock", queue(second + 1_000_000, 3.0))));
        }
        let mut output = Output::default();
        detect.tick(Timestamp::from_secs(START + second), &mut output);
        note(output.take().into_iter().map(|delivery| delivery.batch).collect());
    }
    assert_eq!(phases, [Some(pdata::event::Phase::Begin)], "the fault goes on");
}
