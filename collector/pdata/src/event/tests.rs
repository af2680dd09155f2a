//! Events keep everything they say, as JSON and as log records.

use bytes::Bytes;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::{Batch, Logs, Signal, arbitrary, json as otlp_json};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-z.>-]{0,10}", 1 => any::<String>()]
}

fn double() -> impl Strategy<Value = f64> {
    arbitrary::double()
}

fn time() -> impl Strategy<Value = Timestamp> {
    any::<u64>().prop_map(Timestamp)
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        double().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(text(), inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn attributes() -> impl Strategy<Value = Map<String, Value>> {
    btree_map(text(), value(), 0..4).prop_map(|map| map.into_iter().collect())
}

fn severity() -> impl Strategy<Value = Severity> {
    prop_oneof![
        Just(Severity::Info),
        Just(Severity::Warning),
        Just(Severity::Error),
        Just(Severity::Critical)
    ]
}

fn phase() -> impl Strategy<Value = Phase> {
    prop_oneof![Just(Phase::Begin), Just(Phase::Continue), Just(Phase::End)]
}

prop_compose! {
    fn anomaly()(
        (time, service, name, message) in (time(), text(), text(), text()),
        signal in prop_oneof![Just(Source::Metric), Just(Source::Log), Just(Source::Trace)],
        (attributes, severity) in (attributes(), severity()),
        (phase, onset) in (option::of(phase()), option::of(time())),
        (score, observed, low, mid, high) in (double(), double(), double(), double(), double()),
        detectors in btree_map(text(), double(), 0..3),
        why in why(),
        log in option::of(log_detail()),
    ) -> Event {
        Event::Anomaly(Anomaly {
            time, service, signal, name, attributes, phase, onset, score, severity, observed,
            expected: Expected { low, mid, high }, detectors, why, message, log: log.map(Box::new),
        })
    }
}

prop_compose! {
    fn score()(
        (time, series, unit) in (time(), attributes(), text()),
        (value, score) in (double(), double()),
        expected in option::of((double(), double(), double()).prop_map(|(low, mid, high)| Expected { low, mid, high })),
        why in why(),
    ) -> Event {
        Event::Score(Score { time, series, value, score, expected, unit, why })
    }
}

prop_compose! {
    fn log_detail()(
        kind in prop_oneof![Just(LogKind::NewTemplate), Just(LogKind::Burst), Just(LogKind::ServiceSilence)],
        (template_id, template, class) in (option::of(text()), option::of(text()), option::of(text())),
        (severity_number, p_value, window_seconds) in (0..25, double(), double()),
        exemplar in option::of(text()),
    ) -> LogDetail {
        LogDetail { kind, template_id, template, class, severity_number, p_value, window_seconds, exemplar }
    }
}

prop_compose! {
    fn evidence()(
        (signal, message, onset) in (text(), text(), time()),
        (observed, baseline, surprise) in (double(), double(), double()),
    ) -> Evidence {
        Evidence { signal, observed, baseline, surprise, onset, message }
    }
}

prop_compose! {
    fn incident()(
        (id, title, summary, merged_into) in (text(), text(), text(), option::of(text())),
        (revision, anomalies) in any::<(u64, u64)>(),
        state in prop_oneof![
            Just(IncidentState::Open), Just(IncidentState::Updated), Just(IncidentState::Resolved),
            Just(IncidentState::Merged)],
        severity in severity(),
        (opened, updated, resolved) in (time(), time(), option::of(time())),
        root_causes in vec(
            (text(), double(), text(), vec(evidence(), 0..3)).prop_map(|(service, confidence, kind, evidence)| {
                RootCause { service, confidence, kind, evidence }
            }), 0..3),
        (services, path, changes) in (vec(text(), 0..3), vec(text(), 0..3), vec(text(), 0..3)),
    ) -> Event {
        Event::Incident(Incident {
            id, revision, state, severity, title, opened, updated, resolved, root_causes, services, anomalies, path,
            changes, merged_into, summary,
        })
    }
}

fn why() -> impl Strategy<Value = Vec<Contribution>> {
    vec((text(), double()).prop_map(|(feature, share)| Contribution { feature, share }), 0..3)
}

fn event() -> impl Strategy<Value = Event> {
    let point = (time(), double(), double(), double()).prop_map(|(time, low, mid, high)| ForecastPoint {
        time,
        low,
        mid,
        high,
    });
    prop_oneof![
        3 => anomaly(),
        3 => incident(),
        1 => score(),
        1 => (time(), text(), text(), attributes(), text(), vec(point, 0..3)).prop_map(
            |(time, service, name, attributes, model, points)| Event::Forecast(Forecast {
                time, service, name, attributes, model, points,
            })),
        1 => (time(), text(), text(), attributes(), text()).prop_map(
            |(time, service, kind, attributes, message)| Event::Change(Change {
                time, service, kind, attributes, message,
            })),
        1 => (time(), text(), text(), text(), text(), attributes(), text()).prop_map(
            |(time, incident, action, target, state, attributes, message)| Event::Action(Action {
                time, incident, action, target, state, attributes, message,
            })),
    ]
}

/// As another process would see them.
fn over_the_wire(logs: &Logs) -> Logs {
    Logs::from_bytes(Bytes::copy_from_slice(logs.bytes())).unwrap()
}

proptest! {
    #![proptest_config(arbitrary::cases(64))]

    #[test]
    fn log_records_turn_back_into_the_same_events(events in vec(event(), 1..5)) {
        let logs = over_the_wire(&to_logs(&events));
        prop_assert_eq!(logs.items(), events.len());
        prop_assert!(logs.may_hold_events());
        let (again, rest) = from_logs(logs);
        prop_assert_eq!(again, events);
        prop_assert_eq!(rest, None);
    }

    #[test]
    fn json_lines_turn_back_into_the_same_events(event in event()) {
        let mut line = Vec::new();
        event.to_json(&mut line);
        prop_assert!(!line.contains(&b'\n'));
        prop_assert_eq!(otlp_json::detect(&line), Some(Signal::Events));
        let again = otlp_json::from_json(Signal::Events, &line).unwrap();
        prop_assert_eq!(again, Batch::events(vec![event]));
    }

    #[test]
    fn events_among_other_records_are_taken_out_and_nothing_else(
        message in arbitrary::logs(), events in vec(event(), 1..3),
    ) {
        let others = Logs::from_message(message);
        let (found, rest) = from_logs(over_the_wire(&crate::merge([others.clone(), to_logs(&events), others.clone()])));
        prop_assert_eq!(found, events);
        let rest = rest.unwrap_or_else(Logs::empty);
        prop_assert_eq!(rest.items(), 2 * others.items());
        if others.items() > 0 {
            prop_assert_eq!(rest, crate::merge([others.clone(), others]));
        }
    }
}

fn example() -> Anomaly {
    let line = json!({
        "time_unix_nano": 1_700_000_000_000_000_000_u64, "service": "checkout", "signal": "metric",
        "name": "http.server.duration:p95", "score": 0.97, "severity": "critical", "observed": 2.5,
        "expected": {"low": 0.1, "mid": 0.2, "high": 0.3}, "message": "p95 is 2.5 s, usually 0.2 s",
    });
    serde_json::from_value(line).unwrap()
}

#[test]
fn an_event_obeys_the_conventions_for_events() {
    let logs = to_logs(&[Event::Anomaly(example())]);
    let (resource, scope, record) = logs.view().items().next().unwrap();
    assert_eq!(resource.service_name(), "checkout");
    assert_eq!(scope.name(), "watchfire");
    assert_eq!(record.event_name(), "watchfire.anomaly");
    assert_eq!(record.time().as_nanos(), 1_700_000_000_000_000_000);
    assert_eq!((record.severity_number(), record.severity_text()), (21, ""));
    assert_eq!(record.body().as_str(), Some("p95 is 2.5 s, usually 0.2 s"));
    assert_eq!(record.attribute("watchfire.score").and_then(|score| score.as_f64()), Some(0.97));
    let expected = record.attribute("watchfire.expected").unwrap().to_json();
    assert_eq!(expected, json!({"low": 0.1, "mid": 0.2, "high": 0.3}));
}

#[test]
fn the_end_of_an_anomaly_says_so_and_is_no_alarm() {
    let over = Anomaly { phase: Some(Phase::End), onset: Some(Timestamp::from_secs(7)), ..example() };
    let logs = to_logs(&[Event::Anomaly(over.clone())]);
    let (_, _, record) = logs.view().items().next().unwrap();
    assert_eq!(record.severity_number(), 9);
    assert_eq!(record.attribute("watchfire.phase").and_then(|phase| phase.as_str()), Some("end"));
    assert_eq!(from_logs(logs.clone()).0, [Event::Anomaly(over)]);
    // What says nothing about its phase has none: the fields are absent, not null.
    let json = serde_json::to_value(example()).unwrap();
    assert!(json.get("phase").is_none() && json.get("onset_unix_nano").is_none());
}

#[test]
fn what_is_known_about_logs_is_an_object_of_its_own() {
    let detail = LogDetail {
        kind: LogKind::NewTemplate,
        template_id: Some("t1:00".to_owned()),
        template: Some("disk <*> failed".to_owned()),
        class: None,
        severity_number: 17,
        p_value: 1e-4,
        window_seconds: 10.0,
        exemplar: Some("disk 3 failed".to_owned()),
    };
    let event = Event::Anomaly(Anomaly { log: Some(Box::new(detail)), ..example() });
    let json = serde_json::to_value(&event).unwrap();
    assert_eq!(json["log"]["kind"], LogKind::NewTemplate.name());
    assert!(json["log"].get("class").is_none());
    assert_eq!(from_logs(to_logs(std::slice::from_ref(&event))).0, [event]);
}

#[test]
fn numbers_that_json_does_not_have_survive() {
    let odd = Anomaly {
        observed: f64::NAN,
        score: f64::INFINITY,
        expected: Expected { low: f64::NEG_INFINITY, mid: 1.0, high: f64::NAN },
        detectors: [("spike".to_owned(), f64::NAN)].into(),
        ..example()
    };
    let events = [Event::Anomaly(odd)];
    let (again, _) = from_logs(to_logs(&events));
    assert_eq!(format!("{again:?}"), format!("{events:?}"));
    let mut line = Vec::new();
    events[0].to_json(&mut line);
    let again = otlp_json::from_json(Signal::Events, &line).unwrap();
    assert_eq!(format!("{again:?}"), format!("{:?}", Batch::events(events.to_vec())));
}

#[test]
fn a_record_that_only_looks_like_an_event_stays_a_record() {
    let mut message = crate::tests::one_log("checkout", "out of stock");
    message.resource_logs[0].scope_logs[0].log_records[0].event_name = "watchfire.anomaly".to_owned();
    let logs = Logs::from_message(message);
    assert_eq!(from_logs(logs.clone()), (Vec::new(), Some(logs)));
}

#[test]
fn an_event_that_is_not_one_is_refused_with_the_reason() {
    let error = otlp_json::from_json(Signal::Events, br#"{"type":"change","time_unix_nano":1}"#).unwrap_err();
    assert_eq!(error.to_string(), "malformed event: missing field `service`");
}
