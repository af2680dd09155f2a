//! Tests of the `normalize` processor, through its factory.

use std::io::Write as _;

use ::config::Section;
use component::{Ack, Kind};
use pdata::proto::common::{AnyValue, KeyValue, KeyValueList, any_value::Value};
use pdata::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use pdata::proto::metrics::{
    Gauge, Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data,
};
use pdata::proto::resource::Resource;
use pdata::proto::trace::{ResourceSpans, ScopeSpans, Span, TracesData};
use pdata::{Metrics, Traces};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::values;

const NOW: u64 = 1_700_000_000_000_000_000;

fn attributes(json: &Json) -> Vec<KeyValue> {
    match values::from_json(json).value {
        Some(Value::KvlistValue(list)) => list.values,
        other => panic!("not a map: {other:?}"),
    }
}

fn to_json(attributes: Vec<KeyValue>) -> Json {
    values::to_json(&AnyValue { value: Some(Value::KvlistValue(KeyValueList { values: attributes })) })
}

fn processor(config: &Json) -> (Box<dyn Processor>, Context) {
    let context = Context::detached(Kind::Processor, "normalize");
    context.clock.advance_to(Timestamp::from_nanos(NOW));
    let processor = (FACTORY.create)(&Section::from_json("normalize", config), &context).unwrap();
    (processor, context)
}

fn pass(processor: &mut dyn Processor, batch: Batch) -> Batch {
    let mut output = Output::for_batch(Ack::none());
    let result = processor.process(batch, &mut output);
    output.finish(result).remove(0).batch
}

fn logs(resource: &Json, records: Vec<LogRecord>) -> Batch {
    let resource = Some(Resource { attributes: attributes(resource), ..Resource::default() });
    let scope_logs = vec![ScopeLogs { log_records: records, ..ScopeLogs::default() }];
    let group = ResourceLogs { resource, scope_logs, ..ResourceLogs::default() };
    Logs::from_message(LogsData { resource_logs: vec![group] }).into()
}

fn log_after(record: LogRecord) -> LogRecord {
    let (mut processor, _) = processor(&json!({}));
    let Batch::Logs(logs) = pass(processor.as_mut(), logs(&json!({}), vec![record])) else { panic!() };
    logs.into_message().resource_logs.remove(0).scope_logs.remove(0).log_records.remove(0)
}

/// A resource's attributes after normalisation; the second, identical batch is answered from memory.
fn resource_after(config: &Json, resource: &Json) -> Json {
    let (mut processor, _) = processor(config);
    let record = LogRecord { time_unix_nano: NOW, observed_time_unix_nano: NOW, ..LogRecord::default() };
    let batch = logs(resource, vec![record]);
    let first = pass(processor.as_mut(), batch.clone());
    assert_eq!(pass(processor.as_mut(), batch), first);
    let Batch::Logs(logs) = first else { panic!() };
    let group = logs.into_message().resource_logs.remove(0);
    to_json(group.resource.unwrap().attributes)
}

fn service(resource: &Json) -> String {
    resource_after(&json!({}), resource)["service.name"].as_str().unwrap().to_owned()
}

#[test]
fn the_service_is_found_wherever_a_source_names_it() {
    assert_eq!(service(&json!({"service.name": "cart", "app": "x"})), "cart");
    assert_eq!(service(&json!({"service.name": "unknown_service:java", "app": "x"})), "x");
    assert_eq!(
        service(&json!({"k8s.pod.label.app.kubernetes.io/name": "cart", "k8s.deployment.name": "d"})),
        "cart"
    );
    assert_eq!(service(&json!({"k8s.deployment.name": "cart", "k8s.pod.name": "x-5d8f7c9b4-x2x4q"})), "cart");
    assert_eq!(service(&json!({"pod": "cart-5d8f7c9b4-x2x4q", "container": "web"})), "cart");
    assert_eq!(service(&json!({"job": "shop/cart", "instance": "10.0.0.1:80"})), "cart");
    assert_eq!(service(&json!({"container": "web"})), "web");
    assert_eq!(service(&json!({"host.name": "h"})), "unknown_service");
    assert_eq!(service(&json!({"service.name": "unknown_service:java"})), "unknown_service:java");
    assert_eq!(service(&json!({"service.name": ""})), "unknown_service");
}

#[test]
fn the_rest_of_the_identity_is_added_and_the_originals_stay() {
    let after = resource_after(
        &json!({}),
        &json!({"pod": "cart-0", "namespace": "shop", "node": "n1", "env": "prod"}),
    );
    let expected = json!({"pod": "cart-0", "namespace": "shop", "node": "n1", "env": "prod",
        "k8s.pod.name": "cart-0", "k8s.namespace.name": "shop", "k8s.node.name": "n1",
        "deployment.environment.name": "prod", "service.name": "cart", "service.namespace": "shop",
        "service.instance.id": "cart-0"});
    assert_eq!(after, expected);
    let after = resource_after(&json!({}), &json!({"job": "shop/cart", "instance": "10.0.0.1:80"}));
    assert_eq!(after["service.namespace"], "shop");
    assert_eq!(after["service.instance.id"], "10.0.0.1:80");
    let off = json!({"identity": false, "semantic_conventions": false});
    assert_eq!(resource_after(&off, &json!({"pod": "cart-0"})), json!({"pod": "cart-0"}));
}

#[test]
fn container_logs_take_their_identity_from_the_file() {
    let record = |path: &str| LogRecord {
        time_unix_nano: NOW,
        attributes: attributes(&json!({"log.file.path": path})),
        ..LogRecord::default()
    };
    let path = "/var/log/pods/shop_cart-5d8f7c9b4-x2x4q_1a2b/web/0.log";
    let resource = |records| {
        let (mut processor, _) = processor(&json!({}));
        let Batch::Logs(logs) = pass(processor.as_mut(), logs(&json!({}), records)) else { panic!() };
        to_json(logs.into_message().resource_logs.remove(0).resource.unwrap().attributes)
    };
    let after = resource(vec![record(path), record(path)]);
    let expected = json!({"k8s.namespace.name": "shop", "k8s.pod.name": "cart-5d8f7c9b4-x2x4q", "k8s.container.name": "web",
        "k8s.pod.uid": "1a2b", "service.name": "cart", "service.namespace": "shop", "service.instance.id": "1a2b"});
    assert_eq!(after, expected);
    let mixed = resource(vec![record(path), record("/var/log/pods/shop_web-0_3c/web/0.log")]);
    assert_eq!(mixed, json!({"service.name": "unknown_service"}));
}

#[test]
fn log_records_get_times_and_severities() {
    let record = |time_unix_nano, observed_time_unix_nano, text: &str| LogRecord {
        time_unix_nano,
        observed_time_unix_nano,
        severity_text: text.into(),
        ..LogRecord::default()
    };
    let after = log_after(record(1_699_999_999_500, 0, "Warning"));
    assert_eq!((after.time_unix_nano, after.severity_number), (1_699_999_999_500_000_000, 13));
    assert_eq!(log_after(record(0, NOW - 5, "")).time_unix_nano, NOW - 5);
    assert_eq!(log_after(record(0, 0, "")).time_unix_nano, NOW);
    let untouched = LogRecord { severity_number: 9, ..record(NOW, NOW, "ERROR") };
    assert_eq!(log_after(untouched.clone()), untouched);
}

#[test]
fn what_is_put_right_is_counted() {
    let (mut processor, context) = processor(&json!({}));
    let record = LogRecord {
        severity_text: "WARN".into(),
        attributes: attributes(&json!({"http.method": "GET", "net.transport": "ip_tcp"})),
        ..LogRecord::default()
    };
    let Batch::Logs(logs) = pass(processor.as_mut(), logs(&json!({}), vec![record])) else { panic!() };
    let after = logs.into_message().resource_logs.remove(0).scope_logs.remove(0).log_records.remove(0);
    assert_eq!(to_json(after.attributes), json!({"http.request.method": "GET", "network.transport": "tcp"}));
    assert_eq!(context.telemetry.total("otelcol_processor_normalize_times"), 1.0);
    assert_eq!(context.telemetry.total("otelcol_processor_normalize_records"), 3.0);
}

#[test]
fn spans_get_todays_names_by_their_side_and_points_their_times() {
    let old = json!({"http.method": "GET", "net.peer.name": "db", "http.status_code": 500, "url.full": "u", "http.url": "v"});
    let span = |kind| Span {
        kind,
        start_time_unix_nano: NOW,
        end_time_unix_nano: NOW + 1,
        attributes: attributes(&old),
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![span(3), span(2)], ..ScopeSpans::default() }];
    let data = TracesData { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] };
    let (mut processor, _) = processor(&json!({}));
    let Batch::Traces(traces) = pass(processor.as_mut(), Traces::from_message(data).into()) else { panic!() };
    let spans = traces.into_message().resource_spans.remove(0).scope_spans.remove(0).spans;
    let common = |address: &str| json!({"http.request.method": "GET", address: "db", "http.response.status_code": 500, "url.full": "u", "http.url": "v"});
    assert_eq!(to_json(spans[0].attributes.clone()), common("server.address"));
    assert_eq!(to_json(spans[1].attributes.clone()), common("client.address"));

    let data_points = vec![NumberDataPoint { time_unix_nano: 1_699_999_999, ..NumberDataPoint::default() }];
    let metric = Metric { data: Some(Data::Gauge(Gauge { data_points })), ..Metric::default() };
    let scope_metrics = vec![ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() }];
    let data = MetricsData {
        resource_metrics: vec![ResourceMetrics { scope_metrics, ..ResourceMetrics::default() }],
    };
    let Batch::Metrics(metrics) = pass(processor.as_mut(), Metrics::from_message(data).into()) else {
        panic!()
    };
    let view = metrics.view();
    let (_, _, metric) = view.items().next().unwrap();
    assert_eq!(metric.number_points().next().unwrap().time().as_nanos(), 1_699_999_999_000_000_000);
}

#[test]
fn a_span_from_the_future_keeps_its_duration() {
    let judge =
        Judge { now: Timestamp::from_nanos(NOW), max_future: Some(std::time::Duration::from_secs(60)) };
    let repair = Repair { judge: Some(judge), severity: false, conventions: false };
    let mut span = Span {
        start_time_unix_nano: NOW + 100_000_000_000,
        end_time_unix_nano: NOW + 100_000_000_500,
        ..Span::default()
    };
    let mut done = Repaired::default();
    repair.span(&mut span, &mut done);
    assert_eq!((span.start_time_unix_nano, span.end_time_unix_nano), (NOW - 500, NOW));
    assert_eq!(done, Repaired { future_times: 1, ..Repaired::default() });
}

#[test]
fn healthy_data_is_handed_on_as_it_came() {
    let resource = json!({"service.name": "cart", "service.instance.id": "i"});
    let record = LogRecord { time_unix_nano: NOW, observed_time_unix_nano: NOW, ..LogRecord::default() };
    let Batch::Logs(before) = logs(&resource, vec![record]) else { panic!() };
    let encoded = Logs::from_bytes(before.bytes().clone()).unwrap();
    let (mut processor, _) = processor(&json!({}));
    let Batch::Logs(after) = pass(processor.as_mut(), encoded.into()) else { panic!() };
    assert!(!after.is_decoded());
    assert_eq!(after.bytes(), before.bytes());
}

#[test]
fn the_registry_enriches_and_is_read_again_when_it_changes() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let write = |file: &mut tempfile::NamedTempFile, text: &str| {
        file.as_file().set_len(0).unwrap();
        std::io::Seek::rewind(file).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    let yaml = "services:\n  - match: {service.name: \"ca*\"}\n    attributes: {service.criticality: high, env: from-registry}\n";
    write(&mut file, yaml);
    let (mut processor, context) = processor(&json!({"service_registry": file.path(), "identity": false}));
    let after = |processor: &mut dyn Processor| {
        let batch = logs(&json!({"service.name": "cart", "env": "own"}), Vec::new());
        let Batch::Logs(logs) = pass(processor, batch) else { panic!() };
        to_json(logs.into_message().resource_logs.remove(0).resource.unwrap().attributes)
    };
    let first = json!({"service.name": "cart", "env": "own", "service.criticality": "high"});
    assert_eq!(after(processor.as_mut()), first);
    write(
        &mut file,
        r#"{"services": [{"match": {"service.name": "cart"}, "attributes": {"service.criticality": "low"}}]}"#,
    );
    processor.tick(Timestamp::from_secs(1), &mut Output::default());
    assert_eq!(after(processor.as_mut())["service.criticality"], "low");
    write(&mut file, "services: [{match: {}}]");
    processor.tick(Timestamp::from_secs(5), &mut Output::default());
    assert_eq!(
        context.telemetry.total("otelcol_processor_normalize_registry_reloads"),
        1.0,
        "it is not time to look yet"
    );
    processor.tick(Timestamp::from_secs(11), &mut Output::default());
    assert_eq!(context.telemetry.total("otelcol_processor_normalize_registry_reloads"), 2.0);
    assert_eq!(after(processor.as_mut())["service.criticality"], "low", "the last good one stays");
}

#[test]
fn a_registry_that_is_not_there_is_refused_at_the_start() {
    let section = Section::from_json("normalize", &json!({"service_registry": "/nowhere/registry.yaml"}));
    let context = Context::detached(Kind::Processor, "normalize");
    let Err(error) = (FACTORY.create)(&section, &context) else { panic!("it was built") };
    assert!(error.to_string().contains("/nowhere/registry.yaml"), "{error}");
}

/// Keys that the processor knows, with values that it may or may not.
fn known_attributes() -> impl Strategy<Value = Json> {
    let keys = prop::sample::select(vec![
        "service.name",
        "service",
        "app",
        "job",
        "instance",
        "pod",
        "namespace",
        "k8s.pod.name",
        "k8s.replicaset.name",
        "host",
        "env",
        "deployment.environment",
        "deployment.environment.name",
        "http.method",
        "http.request.method",
        "db.name",
        "db.sql.table",
        "db.mongodb.collection",
        "net.peer.name",
        "net.transport",
        "log.file.path",
        "container",
        "service.namespace",
    ]);
    let texts = prop::sample::select(vec![
        "",
        "unknown_service",
        "unknown_service:go",
        "cart",
        "a/b",
        "/",
        "cart-5d8f7c9b4-x2x4q",
        "-",
        "ip_tcp",
        "/var/log/pods/shop_cart-0_1a/web/0.log",
    ]);
    let value = prop_oneof![4 => texts.prop_map(|text| json!(text)), 1 => (0i64..9).prop_map(|n| json!(n))];
    prop::collection::vec((keys, value), 0..8).prop_map(|entries| {
        Json::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    })
}

proptest! {
    #[test]
    fn doing_it_twice_is_doing_it_once(
        resource in known_attributes(),
        own in known_attributes(),
        time: u64,
        observed: u64,
        severity in "(INFO|warn|E|x|)",
    ) {
        let record = LogRecord {
            time_unix_nano: time,
            observed_time_unix_nano: observed,
            severity_text: severity,
            attributes: attributes(&own),
            ..LogRecord::default()
        };
        let (mut processor, _) = processor(&json!({}));
        let once = pass(processor.as_mut(), logs(&resource, vec![record]));
        let twice = pass(processor.as_mut(), once.clone());
        prop_assert_eq!(twice, once);
    }
}
