//! Vectors of which the truth is known.

use std::collections::BTreeMap;

use pdata::event::{Anomaly, Phase, Score};
use pdata::proto::common::{AnyValue, KeyValue, any_value::Value};
use pdata::proto::metrics::{
    Gauge, Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data,
    number_data_point,
};
use pdata::proto::resource::Resource;
use pdata::{Event, Metrics, Timestamp};
use proptest::prelude::*;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::detect::{Limits, Watcher};

const START: u64 = 1_700_000_000;
const METRICS: usize = 16;

fn watcher(detectors: &[Detector]) -> Watcher {
    let settings = Settings { detectors: detectors.to_vec(), ..Settings::default() };
    Watcher::new(Limits::default(), series::Settings::default(), None).with_vectors(settings)
}

fn normal(rng: &mut impl Rng) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}

/// A batch of one resource: names, seconds and values of its metrics.
fn batch(service: &str, values: &[(String, u64, f64)]) -> Metrics {
    let metric = |(name, seconds, value): &(String, u64, f64)| {
        let point = NumberDataPoint {
            time_unix_nano: (START + seconds) * 1_000_000_000,
            value: Some(number_data_point::Value::AsDouble(*value)),
            ..NumberDataPoint::default()
        };
        let data = Some(Data::Gauge(Gauge { data_points: vec![point] }));
        Metric { name: name.clone(), data, ..Metric::default() }
    };
    let value = Some(AnyValue { value: Some(Value::StringValue(service.to_owned())) });
    let name = KeyValue { key: "service.name".to_owned(), value, ..KeyValue::default() };
    let scope = ScopeMetrics { metrics: values.iter().map(metric).collect(), ..ScopeMetrics::default() };
    let group = ResourceMetrics {
        resource: Some(Resource { attributes: vec![name], ..Resource::default() }),
        scope_metrics: vec![scope],
        ..ResourceMetrics::default()
    };
    Metrics::from_message(MetricsData { resource_metrics: vec![group] })
}

/// A service whose metrics follow its load and two hidden states, each in its own way, with noise.
struct Service {
    rng: ChaCha8Rng,
    /// How each metric follows what is hidden, and its scale.
    ways: Vec<([f64; 3], f64)>,
    hidden: [f64; 3],
}

impl Service {
    fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let way = |rng: &mut ChaCha8Rng| {
            ([normal(rng), normal(rng), normal(rng)], 10f64.powf(3.0 * rng.random::<f64>()))
        };
        let ways = (0..METRICS).map(|_| way(&mut rng)).collect();
        Self { rng, ways, hidden: [0.0; 3] }
    }

    /// The metrics of the next frame. `change` is added to a metric, in sizes of its own noise.
    fn next(&mut self, n: usize, change: impl Fn(usize) -> f64) -> Vec<f64> {
        let rng = &mut self.rng;
        for (at, hidden) in self.hidden.iter_mut().enumerate() {
            *hidden = 0.95 * *hidden
                + 0.3 * normal(rng)
                + if at == 0 { 0.1 * (n as f64 / 229.0).sin() } else { 0.0 };
        }
        let hidden = self.hidden;
        let value = |(at, (way, scale)): (usize, &([f64; 3], f64))| {
            let follows: f64 = way.iter().zip(hidden).map(|(way, hidden)| way * hidden).sum();
            scale * (20.0 + follows + 0.3 * (normal(rng) + change(at)))
        };
        self.ways.iter().enumerate().map(value).collect()
    }
}

fn name(at: usize) -> String {
    format!("m{at:02}")
}

fn frame(seconds: u64, values: &[f64]) -> Metrics {
    let values: Vec<_> = values.iter().enumerate().map(|(at, value)| (name(at), seconds, *value)).collect();
    batch("cart", &values)
}

fn show(watcher: &mut Watcher, metrics: &Metrics) -> Vec<Event> {
    let mut findings = Findings::new(true);
    watcher.metrics(metrics, &|_| true, &mut findings);
    findings.events
}

fn together(events: Vec<Event>) -> (Vec<Score>, Vec<Anomaly>) {
    let (mut scores, mut anomalies) = (Vec::new(), Vec::new());
    for event in events {
        match event {
            Event::Score(score) if score.series["name"] == "metrics.together" => scores.push(score),
            Event::Anomaly(anomaly) if anomaly.name == "metrics.together" => anomalies.push(anomaly),
            _ => {}
        }
    }
    (scores, anomalies)
}

/// A fault of three metrics that no longer follow the others: which, and by how much.
fn fault(seed: u64) -> BTreeMap<usize, f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut metrics = BTreeMap::new();
    while metrics.len() < 3 {
        let size = if rng.random_bool(0.5) { 14.0 } else { -14.0 };
        metrics.insert(rng.random_range(0..METRICS), size);
    }
    metrics
}

/// Scores and anomalies of a service that has a fault in frames 1500 to 1560.
fn run(detectors: &[Detector], seed: u64) -> (Vec<Score>, Vec<Anomaly>) {
    let (mut watcher, mut service, fault) = (watcher(detectors), Service::new(seed), fault(seed));
    let mut events = Vec::new();
    for n in 0..1700 {
        let change =
            |at| if (1500..1560).contains(&n) { fault.get(&at).copied().unwrap_or(0.0) } else { 0.0 };
        let values = service.next(n, change);
        events.extend(show(&mut watcher, &frame(10 * n as u64, &values)));
    }
    together(events)
}

fn frame_of(time: Timestamp) -> usize {
    (time.as_nanos() / 1_000_000_000 - START) as usize / 10
}

#[test]
fn a_fault_within_the_range_of_each_metric_is_found_and_its_metrics_are_named() {
    let (mut named, mut found, mut false_ones) = (0, 0, 0);
    for seed in 0..10 {
        let (_, anomalies) = run(&Settings::default().detectors, seed);
        let begins = anomalies.iter().filter(|anomaly| anomaly.phase == Some(Phase::Begin));
        let (right, wrong): (Vec<_>, Vec<_>) =
            begins.partition(|anomaly| (1500..1570).contains(&frame_of(anomaly.time)));
        false_ones += wrong.len();
        let Some(anomaly) = right.first() else { continue };
        found += 1;
        let truth: Vec<String> = fault(seed).keys().map(|at| name(*at)).collect();
        named += anomaly.why.iter().take(3).filter(|why| truth.contains(&why.feature)).count();
        assert!(anomaly.why.iter().map(|why| why.share).sum::<f64>() <= 1.0 + 1e-6);
        assert!(anomaly.message.starts_with("cart: m"), "{}", anomaly.message);
        assert!(anomaly.message.contains("do not fit the other metrics as usual: m"), "{}", anomaly.message);
        let outside = anomaly.observed < anomaly.expected.low || anomaly.observed > anomaly.expected.high;
        assert!(outside, "{anomaly:?}");
        assert!(anomaly.detectors.contains_key("relations"), "{:?}", anomaly.detectors);
        assert_eq!(anomalies.last().and_then(|anomaly| anomaly.phase), Some(Phase::End));
    }
    assert!(found >= 9, "{found} of 10 found");
    assert!(false_ones <= 2, "{false_ones} false ones in 17,000 frames");
    assert!(named >= 24, "of 30 metrics {named} are named among the first three");
}

#[test]
fn every_detector_alone_scores_a_fault_highest() {
    for detector in Detector::ALL {
        let mut within = 0;
        for seed in 0..4 {
            let (scores, _) = run(&[detector], seed);
            let highest = scores
                .iter()
                .filter(|score| frame_of(score.time) > 300)
                .max_by(|a, b| a.score.total_cmp(&b.score));
            within += usize::from((1500..1580).contains(&frame_of(highest.unwrap().time)));
        }
        // Single series and distances see little of a fault within the usual range of each metric.
        let least = match detector {
            Detector::Relations | Detector::Pca => 4,
            Detector::Vae => 3,
            Detector::Kmeans | Detector::Forest | Detector::Series => 0,
        };
        assert!(within >= least, "{detector:?}: {within} of 4");
    }
}

#[test]
fn a_vector_has_one_score_a_frame_and_its_series_have_none() {
    let (mut watcher, mut service) = (watcher(&Settings::default().detectors), Service::new(1));
    for n in 0..200 {
        let values = service.next(n, |_| 0.0);
        let events = show(&mut watcher, &frame(10 * n as u64, &values));
        let scores = events.iter().filter(|event| matches!(event, Event::Score(_))).count();
        // The first frame shows how many metrics there are, so it is closed by the second.
        assert_eq!(scores, if n < 30 { METRICS } else { 1 }, "frame {n}");
    }
}

#[test]
fn a_few_metrics_are_no_vector() {
    let mut watcher = watcher(&Settings::default().detectors);
    for n in 0..200u64 {
        let values: Vec<f64> = (0..4).map(|at| (n * 7919 % (13 + at)) as f64).collect();
        assert_eq!(together(show(&mut watcher, &frame(10 * n, &values))).0.len(), 0);
    }
    assert!(watcher.vectors().is_empty());
}

#[test]
fn a_scrape_in_two_batches_is_one_frame() {
    let scores = |cut: usize| {
        let (mut watcher, mut service) = (watcher(&Settings::default().detectors), Service::new(1));
        let mut scores = Vec::new();
        for n in 0..400 {
            let values = service.next(n, |_| 0.0);
            let values: Vec<_> =
                values.into_iter().enumerate().map(|(at, value)| (name(at), 10 * n as u64, value)).collect();
            let (first, second) = values.split_at(cut);
            for part in [first, second] {
                scores.extend(together(show(&mut watcher, &batch("cart", part))).0);
            }
        }
        scores.into_iter().map(|score| (score.time, score.score)).collect::<Vec<_>>()
    };
    let (whole, cut) = (scores(METRICS), scores(9));
    assert_eq!(whole[whole.len() - 300..], cut[cut.len() - 300..]);
}

#[test]
fn a_snapshot_goes_on_with_the_same_scores() {
    let mut service = Service::new(3);
    let mut original = watcher(&Detector::ALL);
    let mut restored = None;
    for n in 0..900 {
        if n == 450 {
            let mut new = watcher(&Detector::ALL);
            new.restore(&original.snapshot().unwrap()).unwrap();
            restored = Some(new);
        }
        let values = service.next(n, |at| if n > 800 && at < 3 { 8.0 } else { 0.0 });
        let metrics = frame(10 * n as u64, &values);
        let expected = show(&mut original, &metrics);
        if let Some(restored) = &mut restored {
            assert_eq!(show(restored, &metrics), expected, "frame {n}");
        }
    }
}

#[test]
fn metrics_that_come_and_go_do_no_harm() {
    let (mut watcher, mut service) = (watcher(&Settings::default().detectors), Service::new(5));
    let mut highest: f64 = 0.0;
    for n in 0..1500 {
        let values = service.next(n, |_| 0.0);
        let came = |at: usize| match at {
            0 => n < 700,
            1 => n > 600,
            2 => n % 6 == 0,
            3 => n % 50 != 7,
            _ => true,
        };
        let values: Vec<_> = values.into_iter().enumerate().filter(|(at, _)| came(*at)).collect();
        let values: Vec<_> = values.into_iter().map(|(at, value)| (name(at), 10 * n as u64, value)).collect();
        let (scores, anomalies) = together(show(&mut watcher, &batch("cart", &values)));
        assert_eq!(anomalies, [], "frame {n}");
        if n > 300 {
            highest = scores.iter().map(|score| score.score).fold(highest, f64::max);
        }
    }
    assert!(highest < 0.6, "{highest}");
}

/// Scores of a service of which a frame claims to be of a time far ahead, after so many others, and the late readings that were counted.
fn with_a_clock_ahead(after: Option<u64>, ahead: u64) -> (Vec<(usize, f64)>, u64) {
    let (mut watcher, mut service) = (watcher(&Settings::default().detectors), Service::new(1));
    let mut scores = Vec::new();
    for n in 0..600 {
        let values = service.next(n, |at| if n >= 500 && at < 2 { 14.0 } else { 0.0 });
        let time = 10 * n as u64 + if after == Some(n as u64) { ahead } else { 0 };
        scores.extend(together(show(&mut watcher, &frame(time, &values))).0);
    }
    (
        scores.into_iter().map(|score| (frame_of(score.time), score.score)).collect(),
        watcher.vectors().counted().late,
    )
}

#[test]
fn a_clock_that_was_ahead_for_a_moment_does_not_silence_a_vector() {
    let (usual, late) = with_a_clock_ahead(None, 0);
    assert_eq!((usual.last().map(|(at, _)| *at), late), (Some(599), 0));
    // The very second frame, of which the rhythm is learned; one before and one after there is a model.
    for (after, ahead) in [(1, 86_400), (20, 86_400), (400, 3600), (400, 86_400 * 365)] {
        let (scores, late) = with_a_clock_ahead(Some(after), ahead);
        let again = scores.iter().position(|(at, _)| (after as usize + 1..600).contains(at)).unwrap();
        assert!((scores[again].0 as u64) < after.max(30) + 20, "{after}: {:?}", scores[again]);
        assert!(late > 0 && late <= 5 * METRICS as u64, "{after}: {late}");
        for (at, score) in &scores[scores.len() - 100..] {
            let (_, expected) = usual.iter().find(|(other, _)| other == at).unwrap();
            assert!((score - expected).abs() < 0.2, "{after}: frame {at}: {score} {expected}");
        }
        let highest = scores.iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        assert!(highest.0 >= 500, "{after}: {highest:?}");
    }
}

/// Scores and anomalies of a service with a frame each five minutes, of which metrics `change`; and how often models were begun anew.
fn over_days(frames: usize, change: impl Fn(usize, usize) -> f64) -> (Vec<Score>, Vec<Anomaly>, Counted) {
    let (mut watcher, mut service) = (watcher(&Settings::default().detectors), Service::new(2));
    let mut events = Vec::new();
    for n in 0..frames {
        let values = service.next(n, |at| change(n, at));
        events.extend(show(&mut watcher, &frame(300 * n as u64, &values)));
    }
    let (scores, anomalies) = together(events);
    (scores, anomalies, watcher.vectors().counted())
}

/// The highest score, and the median one, of some of the frames of [`over_days`].
fn scores_in(scores: &[Score], frames: std::ops::Range<usize>) -> (f64, f64) {
    let frame_of = |score: &Score| frame_of(score.time) / 30;
    let mut some: Vec<f64> =
        scores.iter().filter(|score| frames.contains(&frame_of(score))).map(|score| score.score).collect();
    some.sort_by(f64::total_cmp);
    (some.last().copied().unwrap_or(0.0), some.get(some.len() / 2).copied().unwrap_or(0.0))
}

#[test]
fn a_relation_that_changes_for_good_is_reported_once_and_then_learned() {
    // From frame 3000 on two metrics are elsewhere than the others say. Frame 5200 has another fault.
    let (scores, anomalies, counted) = over_days(5300, |n, at| match (n, at) {
        (3000.., 3 | 7) => 10.0,
        (5200..5230, 11 | 14) => 14.0,
        _ => 0.0,
    });
    let begins: Vec<usize> = anomalies
        .iter()
        .filter(|anomaly| anomaly.phase == Some(Phase::Begin))
        .map(|anomaly| frame_of(anomaly.time) / 30)
        .collect();
    assert_eq!(begins.len(), 2, "{begins:?}");
    assert!((3000..3030).contains(&begins[0]) && (5200..5230).contains(&begins[1]), "{begins:?}");
    assert_eq!(counted.drifts, 1, "{counted:?}");
    // Three days are 864 frames. Half a day later it is usual.
    assert!(scores_in(&scores, 3100..3800).1 > 0.5, "{:?}", scores_in(&scores, 3100..3800));
    let quiet = scores_in(&scores, 4010..5190);
    assert!(quiet.0 < 0.5 && quiet.1 < 0.1, "{quiet:?}");
}

#[test]
fn a_lasting_change_that_is_hardly_an_anomaly_is_a_drift_and_models_are_begun_anew() {
    let (scores, _, counted) = over_days(4000, |n, at| if n >= 3000 && at < 8 { 2.5 } else { 0.0 });
    assert!((1..=2).contains(&counted.drifts), "{counted:?}");
    // Sooner than the three days, 864 frames, that a departure must last.
    let (before, after) = (scores_in(&scores, 3100..3300), scores_in(&scores, 3700..3860));
    assert!(before.1 > 0.3 && after.0 < 0.1, "{before:?} {after:?}");
}

#[test]
fn what_stays_the_same_does_not_drift() {
    let (_, anomalies, counted) = over_days(4000, |_, _| 0.0);
    assert_eq!((anomalies.len(), counted.drifts), (0, 0), "{counted:?}");
}

#[test]
fn vectors_and_their_metrics_are_bounded() {
    let settings = Settings { max_resources: 3, max_metrics: 8, ..Settings::default() };
    let mut watcher =
        Watcher::new(Limits::default(), series::Settings::default(), None).with_vectors(settings);
    for n in 0..50u64 {
        for service in 0..5 {
            let values: Vec<_> = (0..20).map(|at| (name(at), 10 * n, at as f64)).collect();
            show(&mut watcher, &batch(&format!("service-{service}"), &values));
        }
    }
    let vectors = watcher.vectors();
    assert_eq!(vectors.len(), 3);
    assert!(vectors.evicted() > 0 && vectors.counted().crowded >= 12 * 5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_values_at_any_times_give_scores_in_range(
        values in proptest::collection::vec((0usize..9, 0u64..400, any::<f64>()), 200..900),
        steady in any::<bool>(),
    ) {
        let mut watcher = watcher(&Detector::ALL);
        for (n, chunk) in values.chunks(6).enumerate() {
            let seconds = |jump: u64| if steady { 10 * n as u64 } else { 10 * n as u64 + jump };
            let batch = batch("cart", &chunk.iter().map(|(at, jump, value)| (name(*at), seconds(*jump), *value)).collect::<Vec<_>>());
            for score in together(show(&mut watcher, &batch)).0 {
                prop_assert!(score.score > 0.0 && score.score < 1.0, "{score:?}");
                prop_assert!(score.value.is_finite());
            }
        }
    }
}
