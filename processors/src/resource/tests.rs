//! Tests of the `resource` processor, through its factory.

use ::config::Section;
use component::{Ack, Context, Kind};
use pdata::Logs;
use pdata::proto::common::{KeyValue, any_value::Value};
use pdata::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use pdata::proto::resource::Resource;
use serde_json::{Value as Json, json};

use super::*;
use crate::values;

fn attributes(json: &Json) -> Vec<KeyValue> {
    match values::from_json(json).value {
        Some(Value::KvlistValue(list)) => list.values,
        other => panic!("not a map: {other:?}"),
    }
}

fn group(resource: Option<&Json>) -> ResourceLogs {
    let record = LogRecord { severity_text: "x".into(), ..LogRecord::default() };
    ResourceLogs {
        resource: resource.map(|json| Resource {
            attributes: attributes(json),
            dropped_attributes_count: 3,
            ..Resource::default()
        }),
        scope_logs: vec![ScopeLogs { log_records: vec![record], ..ScopeLogs::default() }],
        schema_url: "s".into(),
    }
}

#[test]
fn resources_change_and_everything_else_stays() {
    let config = json!({"attributes": [{"key": "env", "value": "prod", "action": "upsert"},
                                       {"key": "host", "action": "delete"}]});
    let context = Context::detached(Kind::Processor, "resource");
    let mut processor = (FACTORY.create)(&Section::from_json("resource", &config), &context).unwrap();
    let before = [json!({"host": "h", "a": 1}), json!({"env": "prod"}), json!({"host": "h", "a": 1})];
    let mut resource_logs: Vec<_> = before.iter().map(|resource| group(Some(resource))).collect();
    resource_logs.push(group(None));
    let batch = Logs::from_message(LogsData { resource_logs });
    // Twice: the second time from memory.
    for _ in 0..2 {
        let mut output = Output::for_batch(Ack::none());
        let result = processor.process(batch.clone().into(), &mut output);
        let Batch::Logs(logs) = output.finish(result).remove(0).batch else { panic!() };
        let after = [json!({"a": 1, "env": "prod"}), json!({"env": "prod"}), json!({"a": 1, "env": "prod"})];
        let mut expected: Vec<_> = after.iter().map(|resource| group(Some(resource))).collect();
        let mut last = group(None);
        last.resource =
            Some(Resource { attributes: attributes(&json!({"env": "prod"})), ..Resource::default() });
        expected.push(last);
        assert_eq!(logs.message().resource_logs, expected);
    }
}

#[test]
fn mistakes_in_the_configuration_are_explained() {
    let refused = |config: &Json| {
        (FACTORY.config.check)(&Section::from_json("resource", config)).unwrap_err().to_string()
    };
    assert!(refused(&json!({})).contains("at least one action"));
    let convert = json!({"attributes": [{"key": "a", "action": "convert"}]});
    assert!(refused(&convert).contains("`converted_type`"));
}
