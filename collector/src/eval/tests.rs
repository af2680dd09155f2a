//! What came out, held against what is known.

use std::time::Duration;

use pdata::event::{Anomaly, Expected, Phase, Score, Severity, Source};
use pdata::{Batch, Event, Timestamp};
use serde_json::{Map, Value};

use super::collect::Collected;
use super::judge::{Known, Mean, Verdict, judge};
use super::labels::Window;
use crate::cli::ConfigArgs;
use crate::replay::Label;
use crate::sink::Sink as _;

fn minute(minute: u64) -> Timestamp {
    Timestamp::from_secs(1_700_000_000 + 60 * minute)
}

fn score(minute_of: u64, name: &str, score: f64) -> Event {
    let series = [("service.name", "cart"), ("name", name)];
    let series: Map<_, _> =
        series.into_iter().map(|(key, text)| (key.to_owned(), Value::from(text))).collect();
    Event::Score(Score {
        time: minute(minute_of),
        series,
        value: 0.0,
        score,
        expected: None,
        unit: String::new(),
        why: Vec::new(),
    })
}

fn anomaly(minute_of: u64, onset: u64, phase: Phase) -> Event {
    Event::Anomaly(Anomaly {
        time: minute(minute_of),
        service: "cart".to_owned(),
        signal: Source::Metric,
        name: "cpu".to_owned(),
        attributes: Map::new(),
        phase: Some(phase),
        onset: Some(minute(onset)),
        score: 0.9,
        severity: Severity::Warning,
        observed: 1.0,
        expected: Expected { low: 0.0, mid: 0.0, high: 0.0 },
        detectors: [].into(),
        why: Vec::new(),
        message: "cart: cpu is 1".to_owned(),
        log: None,
    })
}

/// A day of minutes in which two faults were reported, the second one wrongly.
fn collected() -> Collected {
    let mut collected = Collected::default();
    let mut events = Vec::new();
    for n in 0..1441 {
        events.push(score(n, "cpu", if (100..110).contains(&n) { 0.9 } else { 0.1 }));
        // Of several series the largest score counts.
        events.push(score(n, "memory", if n == 105 { 0.95 } else { 0.05 }));
    }
    for (at, onset, phase) in [
        (103, 101, Phase::Begin),
        (106, 101, Phase::Continue),
        (112, 101, Phase::End),
        (500, 500, Phase::Begin),
        (510, 500, Phase::End),
    ] {
        events.push(anomaly(at, onset, phase));
    }
    collected.take(&Batch::events(events)).unwrap();
    collected
}

fn verdict(known: Known<'_>) -> Verdict {
    judge("cart", &collected().services["cart"], known, 20)
}

#[test]
fn a_window_is_found_by_a_report_within_it_and_a_report_elsewhere_is_wrong() {
    let windows = [
        Window { begin: minute(100), end: minute(109) },
        Window { begin: minute(900), end: minute(910) },
        // Nobody saw the next day.
        Window { begin: minute(2000), end: minute(2010) },
    ];
    let verdict = verdict(Known { rows: None, windows: Some(&windows) });
    assert_eq!((verdict.points, verdict.series, verdict.reports), (1441, 2, 2));
    assert!((verdict.days - 1.0).abs() < 1e-9);
    assert_eq!(verdict.wrong_per_day(), Some(0.5));
    let labelled = verdict.labelled.clone().unwrap();
    assert_eq!((labelled.windows, labelled.wrong), (2, 1));
    assert_eq!((labelled.precision, labelled.recall), (Some(0.5), Some(0.5)));
    assert_eq!(labelled.delay, Some(Duration::from_secs(180)));
    let mean = Mean::of(&[verdict.clone(), verdict]);
    assert_eq!((mean.services, mean.recall, mean.wrong_per_day), (2, Some(0.5), Some(0.5)));
}

#[test]
fn rows_without_a_label_are_learned_from_and_do_not_count() {
    let label = |n| match n {
        0..50 => Label::Unknown,
        100..110 => Label::Odd,
        _ => Label::Ordinary,
    };
    let rows: Vec<_> = (0..200).map(|n| (minute(n), label(n))).collect();
    let verdict = verdict(Known { rows: Some(&rows), windows: None });
    assert_eq!((verdict.points, verdict.reports), (150, 1));
    let labelled = verdict.labelled.unwrap();
    let scores = labelled.scores.unwrap();
    assert!((scores.auc_pr - 1.0).abs() < 1e-9 && (scores.event_f1 - 1.0).abs() < 1e-9, "{scores:?}");
    assert!((scores.random - 10.0 / 150.0).abs() < 1e-9);
    assert_eq!((labelled.windows, labelled.precision, labelled.recall), (1, Some(1.0), Some(1.0)));
}

#[test]
fn without_labels_only_reports_are_counted() {
    let verdict = verdict(Known { rows: None, windows: None });
    assert!(verdict.labelled.is_none());
    assert_eq!((verdict.reports, verdict.reports_per_day()), (2, Some(1.0)));
    let ordinary = super::tests::verdict(Known { rows: None, windows: Some(&[]) });
    let labelled = ordinary.labelled.unwrap();
    assert!(labelled.scores.is_none());
    assert_eq!((labelled.wrong, labelled.precision, labelled.recall), (2, Some(0.0), None));
}

#[test]
fn of_a_whole_configuration_only_what_detects_is_taken() {
    let user = "
receivers: {statsd: }
processors: {detect: {sensitivity: 2}, filter: }
exporters: {nowhere/there: }
extensions: {health_check: }
service:
  extensions: [health_check]
  pipelines: {all: {receivers: [statsd], processors: [filter, detect], exporters: [nowhere/there]}}
";
    let settings = ConfigArgs {
        sources: vec![config::Source::Yaml(user.to_owned())],
        sets: vec!["processors.detect.warm_up=30".to_owned()],
    };
    let config = super::config(&settings).unwrap();
    let ids = |ids: Vec<&config::ComponentId>| ids.into_iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(ids(config.processors.keys().collect()), ["drain", "log_classify", "detect"]);
    assert_eq!(ids(config.exporters.keys().collect()), ["eval/of-eval"]);
    assert_eq!(config.service.pipelines.len(), 1);
    let detect = &config.processors[2].node;
    let value = |key: &str| detect.get(key).map(|node| node.value.clone());
    assert_eq!(value("sensitivity"), Some(config::Value::Int(2)));
    assert_eq!(value("warm_up"), Some(config::Value::Int(30)));
}
