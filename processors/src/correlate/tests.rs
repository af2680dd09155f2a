//! The processor behind `detect`, over a small simulated system.

use ::config::Section;
use component::{Ack, Context, Kind, Output, Processor};
use pdata::event::{Incident, IncidentState};
use pdata::proto::common::{AnyValue, KeyValue, any_value::Value};
use pdata::proto::resource::Resource;
use pdata::proto::trace::{ResourceSpans, ScopeSpans, Span, TracesData};
use pdata::{Batch, Event, Timestamp, Traces};

use super::*;

const START: u64 = 1_700_000_000;

/// A frontend that calls a backend thirty times in ten seconds.
fn window(n: u64, backend_millis: u64) -> Batch {
    let mut frontend = Vec::new();
    let mut backend = Vec::new();
    for k in 0..30u64 {
        let id = (n * 100 + k + 1) << 2;
        let start = (START + n * 10) * 1_000_000_000 + k * 300_000_000;
        let millis = backend_millis + k % 5;
        let span = |own: u64, parent: u64, kind, from: u64, millis: u64| Span {
            trace_id: u128::from(id).to_be_bytes().to_vec(),
            span_id: own.to_be_bytes().to_vec(),
            parent_span_id: if parent == 0 { Vec::new() } else { parent.to_be_bytes().to_vec() },
            name: "GET /".to_owned(),
            kind,
            start_time_unix_nano: start + from * 1_000_000,
            end_time_unix_nano: start + (from + millis) * 1_000_000,
            ..Span::default()
        };
        frontend.push(span(id, 0, 2, 0, millis + 22));
        frontend.push(span(id + 1, id, 3, 10, millis + 2));
        backend.push(span(id + 2, id + 1, 2, 11, millis));
    }
    let group = |(name, spans): (&str, Vec<Span>)| {
        let value = Some(AnyValue { value: Some(Value::StringValue(name.to_owned())) });
        let attribute = KeyValue { key: "service.name".to_owned(), value, ..KeyValue::default() };
        ResourceSpans {
            resource: Some(Resource { attributes: vec![attribute], ..Resource::default() }),
            scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        }
    };
    let groups = [("frontend", frontend), ("backend", backend)].into_iter().map(group).collect();
    Traces::from_message(TracesData { resource_spans: groups }).into()
}

fn processor(factory: &ProcessorFactory) -> Box<dyn Processor> {
    let context = Context::detached(Kind::Processor, factory.type_name);
    let section = Section::from_json(factory.type_name, &serde_json::json!({}));
    (factory.create)(&section, &context).unwrap()
}

/// Everything that comes out of `detect` and `correlate` for these windows.
fn run(windows: impl IntoIterator<Item = Batch>) -> Vec<Batch> {
    let mut detect = processor(&crate::detect::FACTORY);
    let mut correlate = processor(&FACTORY);
    let mut all = Vec::new();
    for (n, batch) in windows.into_iter().enumerate() {
        let now = Timestamp::from_secs(START + n as u64 * 10 + 10);
        let mut first = Output::for_batch(Ack::none());
        detect.process(batch, &mut first).unwrap();
        detect.tick(now, &mut first);
        let mut second = Output::for_batch(Ack::none());
        for delivery in first.take() {
            correlate.process(delivery.batch, &mut second).unwrap();
        }
        correlate.tick(now, &mut second);
        all.extend(second.take().into_iter().map(|delivery| delivery.batch));
    }
    all
}

fn incidents(batches: &[Batch]) -> Vec<Incident> {
    let events = batches
        .iter()
        .filter_map(|batch| if let Batch::Events(events) = batch { Some(events) } else { None });
    let incident =
        |event: &Event| if let Event::Incident(incident) = event { Some(incident.clone()) } else { None };
    events.flat_map(|events| events.iter().filter_map(incident)).collect()
}

#[test]
fn a_slow_backend_becomes_one_incident_from_spans_alone() {
    let slow = |n| if (60..90).contains(&n) { 400 } else { 40 };
    let out = run((0..120).map(|n| window(n, slow(n))));
    let traces = out.iter().filter(|batch| matches!(batch, Batch::Traces(_))).count();
    assert_eq!(traces, 120, "spans pass through");
    let anomalies = out.iter().any(|batch| matches!(batch, Batch::Events(events) if events.iter().any(|event| matches!(event, Event::Anomaly(_)))));
    assert!(anomalies, "anomalies pass through");
    let incidents = incidents(&out);
    assert_eq!(incidents[0].state, IncidentState::Open);
    assert_eq!(incidents[0].root_causes[0].service, "backend");
    assert_eq!(incidents[0].path, ["backend", "frontend"]);
    let delay = incidents[0].opened.since(Timestamp::from_secs(START + 600)).as_secs();
    assert!(delay <= 90, "opened {delay} s after the fault");
    assert_eq!(incidents.last().unwrap().state, IncidentState::Resolved);
    assert!(incidents.iter().all(|incident| incident.id == incidents[0].id));
}

#[test]
fn a_quiet_system_has_no_incident() {
    assert_eq!(incidents(&run((0..200).map(|n| window(n, 40 + n % 7)))), []);
}

#[test]
fn the_same_input_gives_the_same_output() {
    let slow = |n| if (60..80).contains(&n) { 400 } else { 40 };
    let once = || run((0..100).map(|n| window(n, slow(n))));
    assert_eq!(once(), once());
}
