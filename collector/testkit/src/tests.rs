//! The telemetry is what the documentation says.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use pdata::view::MetricKind;

use crate::{Fault, Workload};

#[test]
fn the_same_workload_gives_the_same_bytes_and_another_seed_gives_others() {
    let workload = Workload::default();
    assert_eq!(workload.json_lines(5), workload.json_lines(5));
    assert_ne!(workload.json_lines(5), Workload { seed: 2, ..workload }.json_lines(5));
}

#[test]
fn every_span_has_its_parent_in_another_ones_span() {
    let step = Workload::default().steps().next().unwrap();
    let spans: Vec<_> = step.traces.view().items().map(|(_, _, span)| span).collect();
    let by_id: HashMap<_, _> = spans.iter().map(|span| (span.span_id(), span)).collect();
    assert_eq!(by_id.len(), spans.len());
    assert_eq!(spans.iter().filter(|span| span.parent_span_id().is_empty()).count(), 40);
    for span in spans.iter().filter(|span| !span.parent_span_id().is_empty()) {
        let parent = by_id[span.parent_span_id()];
        assert_eq!(parent.trace_id(), span.trace_id());
        assert!(parent.start() <= span.start() && span.end() <= parent.end());
    }
}

#[test]
fn every_service_sends_every_shape_of_metric() {
    let step = Workload { services: 14, ..Workload::default() }.steps().next().unwrap();
    let seen: HashSet<_> = step
        .metrics
        .view()
        .items()
        .map(|(resource, _, metric)| (resource.service_name().to_owned(), metric.kind()))
        .collect();
    assert!(seen.contains(&("service-13".to_owned(), MetricKind::ExponentialHistogram)));
    assert_eq!(seen.len(), 14 * 5);
}

#[test]
fn a_fault_slows_the_service_down_while_it_lasts() {
    let fault = Fault {
        service: 1,
        from: Duration::from_secs(30),
        until: Duration::from_secs(60),
        slowdown: 20.0,
        failures: 0.5,
    };
    let workload = Workload { services: 2, faults: vec![fault], ..Workload::default() };
    let slow = |step: &crate::Step| {
        let spans = step.traces.view().items().filter(|(resource, ..)| resource.service_name() == "checkout");
        let spans: Vec<_> = spans.map(|(_, _, span)| span.duration().as_secs_f64()).collect();
        spans.iter().sum::<f64>() / spans.len() as f64
    };
    let means: Vec<_> = workload.steps().take(7).map(|step| slow(&step)).collect();
    assert!(means[2] * 5.0 < means[3] && means[6] * 5.0 < means[5], "{means:?}");
}
