//! Tests of the `filter` processor, through its factory.

use ::config::Section;
use component::Kind;
use pdata::proto::common::{AnyValue, KeyValue, any_value::Value};
use pdata::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use pdata::proto::metrics::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, number_data_point,
};
use pdata::proto::resource::Resource;
use pdata::proto::trace::{ResourceSpans, ScopeSpans, Span, Status, span::Event};
use serde_json::{Value as Json, json};

use super::*;
use crate::values;

fn attributes(json: &Json) -> Vec<KeyValue> {
    match values::from_json(json).value {
        Some(Value::KvlistValue(list)) => list.values,
        other => panic!("not a map: {other:?}"),
    }
}

fn run(config: &Json, batch: Batch) -> (Result<Option<Batch>, ProcessError>, Context) {
    let context = Context::detached(Kind::Processor, "filter");
    let mut filter = (FACTORY.create)(&Section::from_json("filter", config), &context).unwrap();
    let mut output = Output::for_batch(component::Ack::none());
    let result = filter.process(batch, &mut output);
    let emitted = output.finish(result.clone());
    (result.map(|()| emitted.into_iter().next().map(|delivery| delivery.batch)), context)
}

fn log(body: &str, severity_number: i32, own: &Json) -> LogRecord {
    let body = Some(AnyValue { value: Some(Value::StringValue(body.into())) });
    LogRecord { body, severity_number, attributes: attributes(own), ..LogRecord::default() }
}

fn logs(records: Vec<LogRecord>) -> Logs {
    let resource =
        Resource { attributes: attributes(&json!({"service.name": "cart"})), ..Resource::default() };
    let scope_logs = vec![ScopeLogs { log_records: records, ..ScopeLogs::default() }];
    let group = ResourceLogs { resource: Some(resource), scope_logs, ..ResourceLogs::default() };
    Logs::from_message(LogsData { resource_logs: vec![group] })
}

/// The bodies that are left of `a` (info, k=v), `b` (error, n=7) and `c` (no severity).
fn bodies(config: &Json) -> Vec<String> {
    let batch =
        logs(vec![log("a", 9, &json!({"k": "v"})), log("b", 17, &json!({"n": 7})), log("c", 0, &json!({}))]);
    match run(config, batch.into()).0.unwrap() {
        None => Vec::new(),
        Some(Batch::Logs(logs)) => {
            let view = logs.view();
            view.items().map(|(_, _, log)| log.body().to_text().into_owned()).collect()
        }
        Some(other) => panic!("{other:?}"),
    }
}

fn left(condition: &str) -> Vec<String> {
    bodies(&json!({"logs": {"log_record": [condition]}}))
}

fn refused(config: &Json) -> String {
    (FACTORY.config.check)(&Section::from_json("filter", config)).unwrap_err().to_string()
}

#[test]
fn log_records_for_which_a_condition_holds_are_dropped() {
    assert_eq!(left("severity_number < SEVERITY_NUMBER_WARN"), ["b"]);
    assert_eq!(left(r#"attributes["k"] == "v""#), ["b", "c"]);
    assert_eq!(left(r#"attributes.k == "v""#), ["b", "c"]);
    assert_eq!(left(r#"body.matches("^[ab]$")"#), ["c"]);
    assert_eq!(left(r#"resource.attributes["service.name"] == "cart""#), Vec::<String>::new());
    assert_eq!(left(r#"resource["service.name"] == "web""#), ["a", "b", "c"]);
    assert_eq!(left(r#"!("k" in attributes)"#), ["a"]);
    assert_eq!(left("has(attributes.k)"), ["b", "c"]);
    assert_eq!(left(r#"attributes.exists(key, key.startsWith("n"))"#), ["a", "c"]);
    assert_eq!(left("size(attributes) == 0"), ["a", "b"]);
    assert_eq!(left(r#"log.body == "a" || log.severity_number == 17"#), ["c"]);
}

#[test]
fn a_condition_about_something_absent_does_not_hold() {
    assert_eq!(left(r#"attributes["n"] > 5"#), ["a", "c"]);
    assert_eq!(left(r#"attributes["n"] != 5"#), ["a", "c"]);
    assert_eq!(left(r#"attributes["x"] == "v" || body == "a""#), ["b", "c"]);
}

#[test]
fn any_condition_is_enough() {
    assert_eq!(bodies(&json!({"logs": {"log_record": [r#"body == "a""#, r#"body == "c""#]}})), ["b"]);
}

#[test]
fn what_is_dropped_is_counted_and_an_emptied_batch_ends() {
    let config = json!({"logs": {"log_record": ["true"]}});
    let (result, context) = run(&config, logs(vec![log("a", 9, &json!({}))]).into());
    assert_eq!(result, Ok(None));
    assert_eq!(context.telemetry.total("otelcol_processor_filter_logs_filtered"), 1.0);
}

#[test]
fn an_error_is_propagated_or_passed_over() {
    let config = |mode: &str| json!({"error_mode": mode, "logs": {"log_record": ["severity_text > 5"]}});
    let batch = || Batch::from(logs(vec![log("geheim", 9, &json!({}))]));
    let (result, _) = run(&config("propagate"), batch());
    let Err(ProcessError::Permanent(reason)) = result else { panic!("{result:?}") };
    assert!(reason.contains("severity_text > 5") && !reason.contains("geheim"), "{reason}");
    for mode in ["ignore", "silent"] {
        assert_eq!(run(&config(mode), batch()).0, Ok(Some(batch())));
    }
}

#[test]
fn spans_and_their_events_are_dropped() {
    let event = |name: &str| Event { name: name.into(), ..Event::default() };
    let span = |name: &str, kind, end: u64| Span {
        name: name.into(),
        kind,
        start_time_unix_nano: 1_000_000_000,
        end_time_unix_nano: 1_000_000_000 + end,
        status: Some(Status { code: 2, ..Status::default() }),
        events: vec![event("x"), event("y")],
        ..Span::default()
    };
    let spans = vec![span("fast", 2, 1_000_000), span("slow", 2, 900_000_000), span("inner", 1, 0)];
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let data = TracesData { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] };
    let config = json!({"traces": {
        "span": ["kind == SPAN_KIND_INTERNAL", r#"duration > duration("500ms") && status.code == STATUS_CODE_ERROR"#],
        "spanevent": [r#"name == "x" && span.name == "fast""#]}});
    let (result, context) = run(&config, Traces::from_message(data).into());
    let Ok(Some(Batch::Traces(traces))) = result else { panic!("{result:?}") };
    let spans = &traces.message().resource_spans[0].scope_spans[0].spans;
    assert_eq!(spans.len(), 1);
    assert_eq!(spans[0].name, "fast");
    assert_eq!(spans[0].events.iter().map(|event| event.name.as_str()).collect::<Vec<_>>(), ["y"]);
    assert_eq!(context.telemetry.total("otelcol_processor_filter_spans_filtered"), 2.0);
}

fn metrics() -> Batch {
    let metric = |name: &str, values: &[f64]| {
        let data_points = values
            .iter()
            .map(|value| NumberDataPoint {
                value: Some(number_data_point::Value::AsDouble(*value)),
                ..NumberDataPoint::default()
            })
            .collect();
        Metric { name: name.into(), data: Some(Data::Gauge(Gauge { data_points })), ..Metric::default() }
    };
    let metrics = vec![metric("a", &[1.0, 5.0]), metric("b", &[7.0])];
    let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
    let group = ResourceMetrics { scope_metrics, ..ResourceMetrics::default() };
    Metrics::from_message(MetricsData { resource_metrics: vec![group] }).into()
}

fn names_and_points(config: &Json) -> (Vec<(String, usize)>, f64) {
    let (result, context) = run(config, metrics());
    let Batch::Metrics(metrics) = result.unwrap().unwrap() else { panic!() };
    let view = metrics.view();
    let names = view.items().map(|(_, _, metric)| (metric.name().to_owned(), metric.points())).collect();
    (names, context.telemetry.total("otelcol_processor_filter_datapoints_filtered"))
}

#[test]
fn metrics_and_points_are_dropped() {
    let by_point = json!({"metrics": {"datapoint": [r#"metric.name == "a" && value < 3.0"#, "value > 6"]}});
    assert_eq!(names_and_points(&by_point), (vec![("a".to_owned(), 1)], 2.0));
    let by_metric = json!({"metrics": {"metric": [r#"name == "a" && type == METRIC_DATA_TYPE_GAUGE"#]}});
    assert_eq!(names_and_points(&by_metric), (vec![("b".to_owned(), 1)], 2.0));
}

#[test]
fn the_older_form_keeps_what_is_included_and_drops_what_is_excluded() {
    let include = json!({"metrics": {"include": {"match_type": "regexp", "metric_names": ["^a"]}}});
    assert_eq!(names_and_points(&include).0, [("a".to_owned(), 2)]);
    let exclude = json!({"metrics": {"exclude": {"match_type": "strict", "metric_names": ["a"]}}});
    assert_eq!(names_and_points(&exclude).0, [("b".to_owned(), 1)]);
    let severe = json!({"logs": {"include": {"match_type": "strict", "severity_number": {"min": "ERROR"}}}});
    assert_eq!(bodies(&severe), ["b"]);
    let body = json!({"logs": {"exclude": {"match_type": "regexp", "bodies": ["[ab]"]}}});
    assert_eq!(bodies(&body), ["c"]);
    let own = json!({"logs": {"exclude": {"match_type": "strict", "record_attributes": [{"key": "n", "value": 7}]}}});
    assert_eq!(bodies(&own), ["a", "c"]);
}

#[test]
fn mistakes_in_conditions_are_explained() {
    let log = |condition: &str| refused(&json!({"logs": {"log_record": [condition]}}));
    let text = log(r#"attributes["a"] == nil and IsMatch(body, "x")"#);
    assert!(text.contains(r#"`!("a" in attributes) && body.matches("x")`"#), "{text}");
    assert!(log("span_name == 1").contains("there is no `span_name`"), "{}", log("span_name == 1"));
    assert!(log("body.frobnicate()").contains("no function `frobnicate`"));
    assert!(log(r#"body.matches("(")"#).contains("regular expression"), "{}", log(r#"body.matches("(")"#));
    assert!(log("body ==").contains("not a condition"));
    assert!(refused(&json!({})).contains("at least one condition"));
    let severities = json!({"logs": {"include": {"severity_number": {"min": "LOUD"}}}});
    assert!(refused(&severities).contains("LOUD"));
}

proptest::proptest! {
    #[test]
    fn compiling_never_panics(source in "\\PC{0,60}") {
        let env = condition::environment().unwrap();
        let _ = condition::Condition::new(&source, records::Subject::Log, &env);
    }
}
