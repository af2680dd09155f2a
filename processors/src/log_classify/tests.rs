//! Tests of the `log_classify` processor, through its factory.

use std::fs;
use std::path::Path;

use ::config::Section;
use component::{Ack, Kind};
use pdata::Logs;
use pdata::proto::common::{KeyValue, KeyValueList};
use pdata::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use serde_json::{Value as Json, json};

use super::*;

fn build(config: &Json) -> Result<(Box<dyn Processor>, Context), BuildError> {
    let context = Context::detached(Kind::Processor, "log_classify");
    let processor = (FACTORY.create)(&Section::from_json("log_classify", config), &context)?;
    Ok((processor, context))
}

fn attributes(json: &Json) -> Vec<KeyValue> {
    match values::from_json(json).value {
        Some(Value::KvlistValue(KeyValueList { values })) => values,
        other => panic!("not a map: {other:?}"),
    }
}

fn record(body: &Json, more: &Json) -> LogRecord {
    LogRecord {
        body: Some(values::from_json(body)),
        attributes: attributes(more),
        severity_number: 17,
        ..LogRecord::default()
    }
}

/// What comes out: the attributes of every record.
fn pass(processor: &mut dyn Processor, records: Vec<LogRecord>) -> Vec<Json> {
    let scope_logs = vec![ScopeLogs { log_records: records, ..ScopeLogs::default() }];
    let group = ResourceLogs { scope_logs, ..ResourceLogs::default() };
    let batch: Batch = Logs::from_message(LogsData { resource_logs: vec![group] }).into();
    let mut output = Output::for_batch(Ack::none());
    let result = processor.process(batch, &mut output);
    let Batch::Logs(logs) = output.finish(result).remove(0).batch else { panic!("not logs") };
    let scope = logs.into_message().resource_logs.remove(0).scope_logs.remove(0);
    let as_json = |record: LogRecord| {
        values::to_json(&AnyValue {
            value: Some(Value::KvlistValue(KeyValueList { values: record.attributes })),
        })
    };
    scope.log_records.into_iter().map(as_json).collect()
}

fn one(processor: &mut dyn Processor, body: &Json, more: &Json) -> Json {
    pass(processor, vec![record(body, more)]).remove(0)
}

fn classes(config: &Json, body: &Json, more: &Json) -> Json {
    one(build(config).unwrap().0.as_mut(), body, more)[CLASS].clone()
}

#[test]
fn a_record_gets_the_classes_of_its_body() {
    let body = json!("dial tcp 10.0.0.1:80: connect: connection refused");
    assert_eq!(classes(&json!({}), &body, &json!({})), json!(["connectivity"]));
    assert_eq!(classes(&json!({}), &json!("took off"), &json!({})), Json::Null);
    assert_eq!(
        classes(&json!({}), &json!({"msg": "disk is full", "n": 1}), &json!({})),
        json!(["resource_disk"])
    );
    assert_eq!(classes(&json!({}), &json!(7), &json!({})), Json::Null);
}

#[test]
fn attributes_of_the_record_weigh_in() {
    let body = json!("request done");
    let with = |more: Json| classes(&json!({}), &body, &more);
    assert_eq!(with(json!({"http.response.status_code": 429})), json!(["rate_limit_quota"]));
    assert_eq!(with(json!({"rpc.grpc.status_code": "14"})), json!(["dependency_unavailable"]));
    assert_eq!(with(json!({"process.exit.code": 139})), json!(["crash_panic"]));
    assert_eq!(with(json!({"exception.type": "java.net.UnknownHostException"})), json!(["dns"]));
}

#[test]
fn a_template_found_before_is_used() {
    let (mut processor, _) = build(&json!({})).unwrap();
    let id = analysis::logs::TemplateId::of("worker <*> got a segfault").to_string();
    let more = json!({"log.record.template": "worker <*> got a segfault", "watchfire.log.template_id": id});
    let out = one(processor.as_mut(), &json!("worker 7 got a segfault"), &more);
    assert_eq!((&out[CLASS], &out[CLUSTER_ID]), (&json!(["crash_panic"]), &json!(id)));
    let only_template = json!({"log.record.template": "worker <*> got a segfault"});
    assert_eq!(one(processor.as_mut(), &json!(null), &only_template)[CLUSTER_ID], json!(id));
}

#[test]
fn templates_that_say_the_same_have_one_cluster() {
    let (mut processor, context) = build(&json!({})).unwrap();
    let bodies = [
        "connect to db-1 failed: ECONNREFUSED",
        "could not connect to db-2: connection refused",
        "user 7 logged in",
    ];
    let out = pass(processor.as_mut(), bodies.iter().map(|body| record(&json!(body), &json!({}))).collect());
    assert_eq!(out[0][CLUSTER_ID], out[1][CLUSTER_ID]);
    assert_ne!(out[0][CLUSTER_ID], out[2][CLUSTER_ID]);
    assert_eq!(context.telemetry.total("otelcol_processor_log_classify_clusters"), 2.0);
    assert_eq!(context.telemetry.total("otelcol_processor_log_classify_unclassified"), 1.0);
    let (mut without, _) = build(&json!({"clusters": {"enabled": false}})).unwrap();
    assert_eq!(one(without.as_mut(), &json!("user 7 logged in"), &json!({})), json!({}));
}

#[test]
fn only_the_classes_that_are_wanted_are_written_and_older_ones_replaced() {
    let body = json!("out of memory: killed process 7, core dumped");
    let all = classes(&json!({}), &body, &json!({CLASS: "old"}));
    assert_eq!(all, json!(["resource_memory", "crash_panic"]));
    assert_eq!(
        classes(&json!({"classes": ["crash_panic"]}), &body, &json!({CLASS: ["dns"]})),
        json!(["crash_panic"])
    );
    assert_eq!(classes(&json!({"classes": ["dns"]}), &body, &json!({CLASS: ["dns"]})), Json::Null);
    assert_eq!(classes(&json!({"min_confidence": 1}), &body, &json!({})), Json::Null);
}

#[test]
fn wrong_settings_are_refused_with_the_key() {
    for (config, key) in [
        (json!({"classes": ["oops"]}), "classes"),
        (json!({"min_confidence": 0}), "min_confidence"),
        (json!({"clusters": {"similarity": 1.5}}), "similarity"),
        (json!({"max_templates": 0}), "max_templates"),
        (json!({"embedder": {"path": "/x"}}), "embedder.path"),
        (json!({"feedback_file": "/no/such/file"}), "/no/such/file"),
    ] {
        let error = build(&config).err().unwrap().to_string();
        assert!(error.contains(key), "{error}");
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}

#[test]
fn feedback_is_learnt_in_either_form_and_again_when_it_changes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("feedback");
    write(&path, "- template: 'paper jam in tray <*>'\n  add: [hardware]\n");
    let (mut processor, context) = build(&json!({"feedback_file": path})).unwrap();
    let jam = |processor: &mut dyn Processor| {
        one(processor, &json!("paper jam in tray 7"), &json!({}))[CLASS].clone()
    };
    assert_eq!(jam(processor.as_mut()), json!(["hardware"]));
    let tick = |processor: &mut dyn Processor, seconds: u64| {
        processor.tick(Timestamp::from_nanos(seconds * 1_000_000_000), &mut Output::default());
    };
    write(
        &path,
        "{\"template\": \"paper jam in tray <*>\", \"add\": [\"restart\"]}\n\n{\"template\": \"x\", \"remove\": [\"dns\"]}\n",
    );
    tick(processor.as_mut(), 20);
    assert_eq!(jam(processor.as_mut()), json!(["restart"]));
    write(&path, "- template: no classes\n");
    tick(processor.as_mut(), 40);
    assert_eq!(jam(processor.as_mut()), json!(["restart"]), "the last good one stays");
    assert_eq!(context.telemetry.total("otelcol_processor_log_classify_feedback_reloads"), 2.0);
    write(&path, "");
    tick(processor.as_mut(), 60);
    assert_eq!(jam(processor.as_mut()), Json::Null);
}

#[test]
fn wrong_feedback_is_refused_with_the_place() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("feedback");
    for (text, place) in [
        ("- {template: a, template_id: b, add: [dns]}", "entry 1"),
        ("- {template: a, add: [dns]}\n- {template_id: b, add: [dns]}", "entry 2"),
        ("- {template: a, add: [dns], remove: [dns]}", "`dns`"),
        ("- {template: a, add: [oops]}", "oops"),
        ("{\"template\": \"a\", \"add\": [\"dns\"]}\n{oops}", "line 2"),
        ("- {template: a, ad: [dns]}", "ad"),
    ] {
        write(&path, text);
        let error = build(&json!({"feedback_file": path})).err().unwrap().to_string();
        assert!(error.contains(place), "{text}: {error}");
    }
}

#[test]
fn a_restored_processor_goes_on_with_the_same_clusters() {
    let (mut processor, _) = build(&json!({})).unwrap();
    let first = one(processor.as_mut(), &json!("connect to db-1 failed: ECONNREFUSED"), &json!({}));
    let snapshot = processor.snapshot().unwrap();
    let (mut restored, _) = build(&json!({})).unwrap();
    restored.restore(&snapshot).unwrap();
    let second = one(restored.as_mut(), &json!("could not connect to db-2: connection refused"), &json!({}));
    assert_eq!(first[CLUSTER_ID], second[CLUSTER_ID]);
    assert!(restored.restore(&snapshot[..snapshot.len() / 2]).is_err());
    assert!(restored.restore(b"oops").is_err());
}
