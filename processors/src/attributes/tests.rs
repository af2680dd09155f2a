//! Tests of the `attributes` processor, through its factory.

use ::config::Section;
use component::{Ack, Context, Kind, Output};
use pdata::Logs;
use pdata::proto::common::{AnyValue, KeyValue, any_value::Value};
use pdata::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use pdata::proto::metrics::{
    Gauge, Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data,
};
use pdata::proto::resource::Resource;
use pdata::proto::trace::{ResourceSpans, ScopeSpans, Span, TracesData};
use serde_json::{Value as Json, json};

use super::FACTORY;
use crate::values;

fn attributes(json: &Json) -> Vec<KeyValue> {
    match values::from_json(json).value {
        Some(Value::KvlistValue(list)) => list.values,
        other => panic!("not a map: {other:?}"),
    }
}

fn to_json(attributes: Vec<KeyValue>) -> Json {
    let list = pdata::proto::common::KeyValueList { values: attributes };
    values::to_json(&AnyValue { value: Some(Value::KvlistValue(list)) })
}

fn process(config: &Json, batch: pdata::Batch) -> pdata::Batch {
    let section = Section::from_json("attributes", config);
    let mut processor =
        (FACTORY.create)(&section, &Context::detached(Kind::Processor, "attributes")).unwrap();
    let mut output = Output::for_batch(Ack::none());
    let result = processor.process(batch, &mut output);
    let mut emitted = output.finish(result);
    assert_eq!(emitted.len(), 1);
    emitted.remove(0).batch
}

fn log(service: &str, record: LogRecord) -> pdata::Batch {
    let scope_logs = vec![ScopeLogs { log_records: vec![record], ..ScopeLogs::default() }];
    let resource =
        Resource { attributes: attributes(&json!({"service.name": service})), ..Resource::default() };
    let resource_logs =
        vec![ResourceLogs { resource: Some(resource), scope_logs, ..ResourceLogs::default() }];
    Logs::from_message(LogsData { resource_logs }).into()
}

/// The attributes of a log record of service `cart` after `config`.
fn after(config: &Json, before: &Json) -> Json {
    let record = LogRecord { attributes: attributes(before), severity_number: 9, ..LogRecord::default() };
    match process(config, log("cart", record)) {
        pdata::Batch::Logs(logs) => {
            let mut message = logs.into_message();
            to_json(message.resource_logs.remove(0).scope_logs.remove(0).log_records.remove(0).attributes)
        }
        other => panic!("{other:?}"),
    }
}

fn act(action: &Json, before: &Json) -> Json {
    after(&json!({"actions": [action]}), before)
}

fn refused(config: &Json) -> String {
    (FACTORY.config.check)(&Section::from_json("attributes", config)).unwrap_err().to_string()
}

#[test]
fn insert_update_and_upsert_differ_in_what_must_exist() {
    let before = json!({"a": 1});
    assert_eq!(act(&json!({"key": "a", "value": 2, "action": "insert"}), &before), json!({"a": 1}));
    assert_eq!(act(&json!({"key": "b", "value": 2, "action": "insert"}), &before), json!({"a": 1, "b": 2}));
    assert_eq!(act(&json!({"key": "a", "value": 2, "action": "update"}), &before), json!({"a": 2}));
    assert_eq!(act(&json!({"key": "b", "value": 2, "action": "update"}), &before), json!({"a": 1}));
    assert_eq!(act(&json!({"key": "a", "value": 2, "action": "upsert"}), &before), json!({"a": 2}));
    assert_eq!(
        act(&json!({"key": "b", "value": [true], "action": "upsert"}), &before),
        json!({"a": 1, "b": [true]})
    );
}

#[test]
fn a_value_comes_from_another_attribute() {
    let action = json!({"key": "b", "from_attribute": "a", "action": "insert"});
    assert_eq!(act(&action, &json!({"a": "x"})), json!({"a": "x", "b": "x"}));
    assert_eq!(act(&action, &json!({"c": "x"})), json!({"c": "x"}));
}

#[test]
fn delete_takes_a_key_and_a_pattern() {
    let action = json!({"key": "a", "pattern": "^secret", "action": "delete"});
    assert_eq!(act(&action, &json!({"a": 1, "secret.x": 2, "b": 3})), json!({"b": 3}));
}

#[test]
fn hash_is_sha_256_in_hexadecimal() {
    let hashed = act(&json!({"key": "a", "action": "hash"}), &json!({"a": "abc"}));
    assert_eq!(hashed, json!({"a": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}));
    let empty = act(&json!({"key": "a", "action": "hash"}), &json!({"a": ""}));
    assert_eq!(empty, json!({"a": ""}));
}

#[test]
fn extract_sets_one_attribute_per_named_group() {
    let action =
        json!({"key": "url", "pattern": "^(?P<scheme>[a-z]+)://(?P<host>[^/:]+)", "action": "extract"});
    let after = act(&action, &json!({"url": "https://shop:8443/cart", "host": "old"}));
    assert_eq!(after, json!({"url": "https://shop:8443/cart", "host": "shop", "scheme": "https"}));
    assert_eq!(act(&action, &json!({"url": 7})), json!({"url": 7}));
}

#[test]
fn convert_leaves_what_it_cannot_convert() {
    let to = |kind: &str| json!({"key": "a", "converted_type": kind, "action": "convert"});
    assert_eq!(act(&to("int"), &json!({"a": "42"})), json!({"a": 42}));
    assert_eq!(act(&to("int"), &json!({"a": "4x"})), json!({"a": "4x"}));
    assert_eq!(act(&to("double"), &json!({"a": true})), json!({"a": 1.0}));
    assert_eq!(act(&to("string"), &json!({"a": 7})), json!({"a": "7"}));
    assert_eq!(act(&to("string"), &json!({"a": [1, "x"]})), json!({"a": "[1,\"x\"]"}));
}

#[test]
fn include_and_exclude_choose_the_records() {
    let config = |selection: Json| {
        let mut config = json!({"actions": [{"key": "hit", "value": true, "action": "insert"}]});
        config.as_object_mut().unwrap().extend(selection.as_object().unwrap().clone());
        config
    };
    let hit = |selection: Json| after(&config(selection), &json!({"a": "x1"})).get("hit").is_some();
    assert!(hit(json!({"include": {"match_type": "strict", "services": ["cart"]}})));
    assert!(!hit(json!({"include": {"match_type": "strict", "services": ["car"]}})));
    assert!(hit(json!({"include": {"match_type": "regexp", "services": ["^ca"]}})));
    assert!(!hit(json!({"exclude": {"match_type": "regexp", "services": ["^ca"]}})));
    assert!(hit(json!({"include": {"attributes": [{"key": "a"}]}})));
    assert!(!hit(json!({"include": {"attributes": [{"key": "a", "value": "x"}]}})));
    assert!(hit(
        json!({"include": {"match_type": "regexp", "attributes": [{"key": "a", "value": "x[0-9]"}]}})
    ));
    assert!(!hit(json!({"include": {"services": ["cart"], "span_names": ["GET"]}})));
    assert!(hit(json!({"include": {"log_severity_number": {"min": "INFO"}}})));
    assert!(!hit(json!({"include": {"log_severity_number": {"min": "WARN"}}})));
}

#[test]
fn spans_and_data_points_are_changed_too() {
    let config = json!({"include": {"match_type": "strict", "span_names": ["GET"]},
                        "actions": [{"key": "x", "value": 1, "action": "insert"}]});
    let spans =
        vec![Span { name: "GET".into(), ..Span::default() }, Span { name: "PUT".into(), ..Span::default() }];
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let data = TracesData { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] };
    let pdata::Batch::Traces(traces) = process(&config, pdata::Traces::from_message(data).into()) else {
        panic!()
    };
    let message = traces.into_message();
    assert_eq!(message.resource_spans[0].resource, None, "no resource appears from nowhere");
    let spans = &message.resource_spans[0].scope_spans[0].spans;
    assert_eq!([spans[0].attributes.len(), spans[1].attributes.len()], [1, 0]);

    let config = json!({"actions": [{"key": "x", "value": 1, "action": "insert"}]});
    let data_points = vec![NumberDataPoint::default()];
    let metric = Metric { data: Some(Data::Gauge(Gauge { data_points })), ..Metric::default() };
    let scope_metrics = vec![ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() }];
    let data = MetricsData {
        resource_metrics: vec![ResourceMetrics { scope_metrics, ..ResourceMetrics::default() }],
    };
    let pdata::Batch::Metrics(metrics) = process(&config, pdata::Metrics::from_message(data).into()) else {
        panic!()
    };
    match metrics.into_message().resource_metrics[0].scope_metrics[0].metrics[0].data.as_ref().unwrap() {
        Data::Gauge(gauge) => assert_eq!(gauge.data_points[0].attributes.len(), 1),
        other => panic!("{other:?}"),
    };
}

#[test]
fn mistakes_in_the_configuration_are_explained() {
    assert!(refused(&json!({})).contains("at least one action"));
    assert!(
        refused(&json!({"actions": [{"action": "insert", "value": 1}]}))
            .contains("entry 1: `key` is missing")
    );
    assert!(
        refused(&json!({"actions": [{"key": "a", "action": "insert"}]}))
            .contains("`from_attribute` is missing")
    );
    let from_context = json!({"actions": [{"key": "a", "action": "insert", "from_context": "metadata.x"}]});
    assert!(refused(&from_context).contains("does not travel"));
    let unnamed = json!({"actions": [{"key": "a", "action": "extract", "pattern": "(x)"}]});
    assert!(refused(&unnamed).contains("must be named"));
    let broken = json!({"actions": [{"key": "a", "action": "extract", "pattern": "("}]});
    assert!(refused(&broken).contains("not a regular expression"));
    let empty = json!({"include": {}, "actions": [{"key": "a", "action": "delete"}]});
    assert!(refused(&empty).contains("at least one property"));
}
