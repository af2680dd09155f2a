//! Scenarios with known truth.

use std::collections::BTreeMap;

use pdata::event::{Anomaly, Expected, Incident, IncidentState, Phase, Severity, Source};
use pdata::proto::common::{AnyValue, KeyValue, any_value::Value};
use pdata::proto::resource::Resource;
use pdata::proto::trace::{ResourceSpans, ScopeSpans, Span, TracesData};
use pdata::{Event, Timestamp, Traces};

use super::*;
use crate::detect::series::score;

const START: u64 = 1_700_000_000;

fn at(second: u64) -> Timestamp {
    Timestamp::from_secs(START + second)
}

/// The calls of a small shop.
const SHOP: [(&str, &str); 8] = [
    ("frontend", "cart"),
    ("frontend", "catalog"),
    ("frontend", "checkout"),
    ("checkout", "cart"),
    ("checkout", "payment"),
    ("checkout", "email"),
    ("cart", "redis"),
    ("catalog", "postgres"),
];

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

/// One call along every edge; databases do not answer with spans.
fn calls(edges: &[(&str, &str)], second: u64, gap_of: &dyn Fn(&str, &str) -> u64) -> Traces {
    let mut by_service: BTreeMap<&str, Vec<Span>> = BTreeMap::new();
    for (n, (caller, callee)) in edges.iter().enumerate() {
        for k in 0..12u64 {
            let id = second * 10_000 + n as u64 * 100 + k + 1;
            let start = (START + second) * 1_000_000_000 + k * 700_000_000;
            let span = |own: u64, parent: Vec<u8>, kind, nanos| Span {
                trace_id: u128::from(id).to_be_bytes().to_vec(),
                span_id: own.to_be_bytes().to_vec(),
                parent_span_id: parent,
                kind,
                start_time_unix_nano: start,
                end_time_unix_nano: start + nanos,
                ..Span::default()
            };
            let gap = gap_of(caller, callee) * 1_000_000 + k * 10_000;
            let mut client = span(id << 1, Vec::new(), 3, 20_000_000 + gap);
            client.attributes.push(attribute("server.address", callee));
            by_service.entry(caller).or_default().push(client);
            if !["redis", "postgres"].contains(callee) {
                let server = span(id << 1 | 1, (id << 1).to_be_bytes().to_vec(), 2, 20_000_000);
                by_service.entry(callee).or_default().push(server);
            }
        }
    }
    let group = |(service, spans): (&str, Vec<Span>)| ResourceSpans {
        resource: Some(Resource {
            attributes: vec![attribute("service.name", service)],
            ..Resource::default()
        }),
        scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
        ..ResourceSpans::default()
    };
    Traces::from_message(TracesData { resource_spans: by_service.into_iter().map(group).collect() })
}

fn correlator() -> Correlator {
    let mut correlator = Correlator::new(Lifecycle::default(), Settings::default());
    for second in [0, 60, 120] {
        correlator.traces(&calls(&SHOP, second, &|_, _| 1));
        correlator.tick(at(second + 10));
    }
    correlator
}

fn anomaly(second: u64, service: &str, name: &str, surprise: f64, phase: Phase) -> Event {
    let signal = match name.split('.').next() {
        Some("server") => Source::Trace,
        _ if name.contains("->") => Source::Trace,
        Some("log") => Source::Log,
        _ => Source::Metric,
    };
    Event::Anomaly(Anomaly {
        time: at(second),
        service: service.to_owned(),
        signal,
        name: name.to_owned(),
        attributes: serde_json::Map::new(),
        phase: Some(phase),
        onset: Some(at(second)),
        score: score(surprise, 6.0),
        severity: if surprise > 18.0 { Severity::Error } else { Severity::Warning },
        observed: 10.0,
        expected: Expected { low: 0.5, mid: 1.0, high: 1.5 },
        detectors: BTreeMap::new(),
        why: Vec::new(),
        message: format!("{service}: {name} is 10, usually 0.5-1.5"),
        log: None,
    })
}

/// Symptoms that begin at second 300 and last for five minutes.
fn run(symptoms: &[(&str, &str, f64)]) -> Vec<Incident> {
    let mut correlator = correlator();
    play(&mut correlator, &symptoms.iter().map(|(s, n, x)| (300, 600, *s, *n, *x)).collect::<Vec<_>>())
}

fn play(correlator: &mut Correlator, symptoms: &[(u64, u64, &str, &str, f64)]) -> Vec<Incident> {
    let mut found = Vec::new();
    for second in (130..1_400).step_by(10) {
        let mut events = Vec::new();
        for (begin, end, service, name, surprise) in symptoms {
            if *begin == second {
                events.push(anomaly(second, service, name, *surprise, Phase::Begin));
            } else if *end == second {
                events.push(anomaly(second, service, name, 0.0, Phase::End));
            }
        }
        found.extend(correlator.traces(&calls(&SHOP, second, &|_, _| 1)));
        found.extend(correlator.events(&events));
        found.extend(correlator.tick(at(second + 5)));
    }
    let incident = |event| if let Event::Incident(incident) = event { Some(incident) } else { None };
    found.into_iter().filter_map(incident).collect()
}

fn opened(incidents: &[Incident]) -> Vec<&Incident> {
    incidents.iter().filter(|incident| incident.state == IncidentState::Open).collect()
}

fn root(incident: &Incident) -> (&str, &str) {
    (incident.root_causes[0].service.as_str(), incident.root_causes[0].kind.as_str())
}

#[test]
fn metrics_that_do_not_fit_together_are_no_evidence() {
    let alone = run(&[("cart", "cpu", 15.0), ("cart", "server.duration:p95", 15.0)]);
    let beside = run(&[
        ("cart", "cpu", 15.0),
        ("cart", "server.duration:p95", 15.0),
        ("frontend", "metrics.together", 40.0),
    ]);
    assert!(!alone.is_empty());
    assert_eq!(alone, beside);
}

#[test]
fn the_graph_is_learned_from_spans_with_databases_as_peers() {
    let correlator = correlator();
    let graph = correlator.graph();
    assert_eq!(graph.callees("cart"), [std::sync::Arc::from("redis")]);
    assert!(graph.is_real("cart") && !graph.is_real("redis") && graph.reaches("frontend", "postgres", 2));
}

#[test]
fn of_a_slow_dependency_the_callee_is_blamed() {
    let incidents = run(&[
        ("frontend", "server.duration:p95", 30.0),
        ("checkout", "server.duration:p95", 35.0),
        ("checkout", "checkout->payment:p95", 50.0),
        ("payment", "server.duration:p95", 40.0),
        ("payment", "server.self_time:mean", 40.0),
    ]);
    assert_eq!(opened(&incidents).len(), 1);
    let incident = opened(&incidents)[0];
    assert_eq!(root(incident), ("payment", "latency"));
    assert_eq!(incident.path, ["payment", "checkout", "frontend"]);
    assert_eq!(incident.severity, Severity::Critical);
    assert!(incident.title.starts_with("payment is slow"), "{}", incident.title);
    assert_eq!(incidents.last().unwrap().state, IncidentState::Resolved);
    assert!(incidents.last().unwrap().resolved.is_some());
}

#[test]
fn of_a_slow_database_the_database_is_blamed() {
    let incidents = run(&[
        ("frontend", "server.duration:p95", 20.0),
        ("catalog", "server.duration:p95", 30.0),
        ("catalog", "catalog->postgres:p95", 30.0),
    ]);
    assert_eq!(root(opened(&incidents)[0]), ("postgres", "latency"));
}

#[test]
fn errors_are_blamed_on_their_origin() {
    let incidents = run(&[
        ("frontend", "server.errors:ratio", 40.0),
        ("frontend", "log.error:rate", 40.0),
        ("checkout", "server.errors:ratio", 40.0),
        ("checkout", "log.error:rate", 40.0),
        ("payment", "server.errors:ratio", 40.0),
        ("payment", "server.error_origin:ratio", 40.0),
        ("payment", "log.error:rate", 20.0),
    ]);
    assert_eq!(opened(&incidents).len(), 1);
    assert_eq!(root(opened(&incidents)[0]), ("payment", "errors"));
}

#[test]
fn a_crash_loop_is_blamed_on_the_service_that_restarts() {
    let incidents = run(&[
        ("cart", "k8s.container.restart_count", 10.0),
        ("cart", "server.requests:rate", 10.0),
        ("frontend", "frontend->cart:error_ratio", 40.0),
        ("checkout", "checkout->cart:error_ratio", 40.0),
        ("frontend", "server.errors:ratio", 40.0),
        ("checkout", "server.errors:ratio", 40.0),
    ]);
    assert_eq!(root(opened(&incidents)[0]), ("cart", "crash"));
}

#[test]
fn a_leak_that_ends_in_restarts_is_a_resource_fault() {
    let mut correlator = correlator();
    let incidents = play(
        &mut correlator,
        &[
            (300, 700, "email", "process.memory.usage", 15.0),
            (420, 700, "email", "k8s.container.restart_count", 10.0),
            (420, 700, "checkout", "server.errors:ratio", 20.0),
        ],
    );
    let last = incidents.last().unwrap();
    assert_eq!(root(last), ("email", "resource"));
}

#[test]
fn quiet_and_single_weak_blips_open_nothing() {
    assert_eq!(run(&[]), []);
    let mut correlator = correlator();
    let blip = [(300, 330, "cart", "server.duration:p95", 7.0)];
    assert_eq!(play(&mut correlator, &blip), []);
    assert_eq!(run(&[("cart", "server.requests:rate", 30.0), ("cart", "log.warning:rate", 30.0)]), []);
}

#[test]
fn a_single_clear_signal_opens_when_it_lasts() {
    let incidents = run(&[("cart", "process.memory.usage", 20.0)]);
    assert_eq!(root(opened(&incidents)[0]), ("cart", "resource"));
    assert!(opened(&incidents)[0].opened >= at(400));
}

#[test]
fn two_independent_faults_are_two_incidents() {
    let incidents = run(&[
        ("email", "process.cpu.utilization", 30.0),
        ("email", "server.self_time:mean", 30.0),
        ("catalog", "process.memory.usage", 30.0),
        ("catalog", "server.errors:ratio", 30.0),
    ]);
    let roots: Vec<&str> = opened(&incidents).iter().map(|incident| root(incident).0).collect();
    assert_eq!(roots, ["email", "catalog"]);
    assert_ne!(opened(&incidents)[0].id, opened(&incidents)[1].id);
}

#[test]
fn faults_far_apart_in_time_are_two_incidents() {
    let mut correlator = correlator();
    let fault = |begin| {
        [
            (begin, begin + 120, "payment", "server.duration:p95", 30.0),
            (begin, begin + 120, "payment", "process.cpu.utilization", 30.0),
        ]
    };
    let incidents = play(&mut correlator, &[fault(300), fault(900)].concat());
    let states: Vec<_> = incidents.iter().map(|incident| incident.state).collect();
    use IncidentState::{Open, Resolved};
    assert_eq!(states, [Open, Resolved, Open, Resolved]);
}

#[test]
fn time_lost_on_every_edge_of_a_service_is_its_network() {
    let mut correlator = correlator();
    let mut found = Vec::new();
    for second in (130..1_300).step_by(10) {
        let slow = |a: &str, b: &str| if second >= 800 && (a == "cart" || b == "cart") { 200 } else { 1 };
        found.extend(correlator.traces(&calls(&SHOP, second, &slow)));
        let events = match second {
            800 => vec![anomaly(second, "frontend", "server.duration:p95", 20.0, Phase::Begin)],
            _ => Vec::new(),
        };
        found.extend(correlator.events(&events));
        found.extend(correlator.tick(at(second + 5)));
    }
    let gaps =
        found.iter().filter(|event| matches!(event, Event::Anomaly(a) if a.name.ends_with("network_gap")));
    assert!(gaps.count() >= 2);
    let incident = found.iter().find_map(|event| if let Event::Incident(i) = event { Some(i) } else { None });
    assert_eq!(root(incident.unwrap()), ("cart", "latency"));
}

#[test]
fn the_same_input_gives_the_same_incidents_also_across_a_restart() {
    let symptoms = [
        (300, 600, "payment", "server.duration:p95", 30.0),
        (300, 600, "payment", "process.cpu.utilization", 30.0),
        (310, 600, "frontend", "server.duration:p95", 30.0),
    ];
    let mut original = correlator();
    let expected = play(&mut original, &symptoms);
    assert_eq!(play(&mut correlator(), &symptoms), expected);
    assert!(!expected.is_empty());

    let mut open = correlator();
    open.events(&[anomaly(300, "payment", "server.duration:p95", 30.0, Phase::Begin)]);
    open.events(&[anomaly(300, "payment", "process.cpu.utilization", 30.0, Phase::Begin)]);
    open.events(&[anomaly(340, "frontend", "server.duration:p95", 30.0, Phase::Begin)]);
    assert_eq!(open.open(), 1);
    let mut restored = Correlator::new(Lifecycle::default(), Settings::default());
    restored.restore(&open.snapshot().unwrap()).unwrap();
    assert_eq!(restored.snapshot(), open.snapshot());
    let ends = [
        anomaly(600, "payment", "server.duration:p95", 0.0, Phase::End),
        anomaly(600, "payment", "process.cpu.utilization", 0.0, Phase::End),
        anomaly(700, "frontend", "server.duration:p95", 0.0, Phase::End),
    ];
    assert_eq!(restored.events(&ends), open.events(&ends));
}

#[test]
fn a_damaged_snapshot_is_refused() {
    let mut correlator = correlator();
    let good = correlator.snapshot().unwrap();
    assert_eq!(correlator.restore(&good[..good.len() / 2]), Err(SnapshotError::Damaged));
    assert!(matches!(correlator.restore(&[9]), Err(SnapshotError::Version { found: 9, expected: VERSION })));
    assert_eq!(correlator.snapshot().unwrap(), good);
}

#[test]
fn recent_changes_to_services_involved_are_named() {
    let mut correlator = correlator();
    let change = |service: &str, second| {
        Event::Change(Change {
            time: at(second),
            service: service.to_owned(),
            kind: "deploy".to_owned(),
            attributes: serde_json::Map::new(),
            message: "version 2".to_owned(),
        })
    };
    correlator.events(&[change("payment", 200), change("catalog", 200)]);
    let incidents = play(
        &mut correlator,
        &[
            (300, 600, "payment", "server.duration:p95", 30.0),
            (300, 600, "payment", "process.cpu.utilization", 30.0),
        ],
    );
    assert_eq!(incidents[0].changes, ["payment: version 2"]);
}

#[test]
fn logs_speak_for_a_fault_if_they_are_about_errors() {
    use pdata::event::{LogDetail, LogKind};

    use super::evidence::{Aspect, Symptom};
    let aspect = |kind: LogKind, severity_number: i32, class: Option<&str>| {
        let Event::Anomaly(anomaly) = anomaly(1, "cart", "log.records:count", 9.0, Phase::Begin) else {
            unreachable!()
        };
        let detail = LogDetail {
            kind,
            template_id: None,
            template: None,
            class: class.map(str::to_owned),
            severity_number,
            p_value: 1e-6,
            window_seconds: 10.0,
            exemplar: None,
        };
        Symptom::of(&Anomaly { log: Some(Box::new(detail)), ..anomaly }, str::to_owned).aspect
    };
    assert_eq!(aspect(LogKind::Burst, 17, None), Aspect::LogErrors);
    assert_eq!(aspect(LogKind::Burst, 9, Some("timeout")), Aspect::LogErrors);
    assert_eq!(aspect(LogKind::Burst, 9, Some("restart")), Aspect::LogWarnings);
    assert_eq!(aspect(LogKind::Silence, 17, None), Aspect::LogWarnings);
    assert_eq!(aspect(LogKind::VolumeSurge, 17, None), Aspect::Traffic);
}

#[test]
fn an_anomaly_and_spans_from_the_future_do_not_resolve_what_is_open() {
    let slow = [
        (300, 900, "cart", "server.duration:p95", 40.0),
        (300, 900, "frontend", "server.duration:p95", 30.0),
    ];
    let undisturbed = play(&mut correlator(), &slow);
    let mut correlator = correlator();
    correlator.events(&[anomaly(10_000_000, "clock", "queue", 20.0, Phase::Begin)]);
    correlator.traces(&calls(&SHOP, 10_000_000, &|_, _| 1));
    let disturbed = play(&mut correlator, &slow);
    let states = |incidents: &[Incident]| -> Vec<_> {
        let others = incidents.iter().filter(|one| one.services.iter().any(|service| service == "cart"));
        others.map(|one| (one.state, one.updated)).collect()
    };
    assert_eq!(opened(&undisturbed).len(), 1);
    assert_eq!(states(&disturbed), states(&undisturbed));
}
