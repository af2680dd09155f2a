//! The processor over real batches.

use analysis::logs::attributes::{MERGED, TEMPLATE};
use component::{Ack, Kind as ComponentKind};
use pdata::proto::common::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value};
use pdata::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use pdata::proto::resource::Resource;

use super::*;
use crate::values;

fn drain(config: Config) -> Drain {
    drain_in(config, &Context::detached(ComponentKind::Processor, "drain"))
}

fn drain_in(config: Config, context: &Context) -> Drain {
    let rules = config.rules().unwrap();
    Drain::new(config, rules, context)
}

/// Nothing is held back.
fn at_once() -> Config {
    Config { hold_records: 0, ..Config::default() }
}

fn batch_of(service: &str, bodies: Vec<AnyValue>) -> Batch {
    let mut resource = Resource::default();
    values::set(&mut resource.attributes, "service.name", values::string(service));
    let record = |body| LogRecord { body: Some(body), ..LogRecord::default() };
    let scope = ScopeLogs { log_records: bodies.into_iter().map(record).collect(), ..ScopeLogs::default() };
    let group = ResourceLogs { resource: Some(resource), scope_logs: vec![scope], ..ResourceLogs::default() };
    Logs::from_message(LogsData { resource_logs: vec![group] }).into()
}

fn batch(service: &str, lines: &[&str]) -> Batch {
    batch_of(service, lines.iter().map(|line| values::string(*line)).collect())
}

fn records(output: &mut Output) -> Vec<LogRecord> {
    let batches = output.take().into_iter().map(|delivery| delivery.batch);
    let logs = batches
        .filter_map(|batch| if let Batch::Logs(logs) = batch { Some(logs.into_message()) } else { None });
    let scopes = logs.flat_map(|data| data.resource_logs).flat_map(|group| group.scope_logs);
    scopes.flat_map(|scope| scope.log_records).collect()
}

fn run(drain: &mut Drain, batch: Batch) -> Vec<LogRecord> {
    let mut output = Output::for_batch(Ack::none());
    drain.process(batch, &mut output).unwrap();
    records(&mut output)
}

fn text<'a>(record: &'a LogRecord, key: &str) -> &'a str {
    values::text(&record.attributes, key).unwrap_or_default()
}

fn body(record: &LogRecord) -> String {
    record.body.as_ref().map(|body| values::to_json(body).to_string()).unwrap_or_default()
}

#[test]
fn records_get_their_template_and_its_id_and_lose_their_secrets() {
    let mut drain = drain(at_once());
    let records = run(&mut drain, batch("shop", &["login of 17 from 10.0.0.1 with password=hunter22"]));
    let template = "login of <*> from <*> with password=<SECRET>";
    assert_eq!(text(&records[0], TEMPLATE), template);
    assert_eq!(text(&records[0], TEMPLATE_ID), analysis::logs::TemplateId::of(template).to_string());
    assert_eq!(body(&records[0]), "\"login of 17 from 10.0.0.1 with password=<SECRET>\"");
}

#[test]
fn without_redaction_the_body_stays_and_the_template_is_still_clean() {
    let mut drain = drain(Config { redact: false, ..at_once() });
    let records = run(&mut drain, batch("shop", &["use token=abcdef123456 now"]));
    assert_eq!(body(&records[0]), "\"use token=abcdef123456 now\"");
    assert_eq!(text(&records[0], TEMPLATE), "use token=<SECRET> now");
}

#[test]
fn the_first_records_of_a_service_wait_for_company_and_get_the_common_template() {
    let context = Context::detached(ComponentKind::Processor, "drain");
    let mut drain = drain_in(Config::default(), &context);
    let users = ["ada", "ben", "cleo", "dan", "eve", "finn"];
    for user in users {
        let line = format!("session opened for user {user} by system");
        assert!(run(&mut drain, batch("shop", &[&line])).is_empty());
    }
    let mut output = Output::default();
    drain.tick(Timestamp::from_nanos(59_000_000_000), &mut output);
    assert!(output.take().is_empty());
    drain.tick(Timestamp::from_nanos(60_000_000_000), &mut output);
    let released = records(&mut output);
    assert_eq!(released.len(), users.len());
    assert!(released.iter().all(|record| text(record, TEMPLATE) == "session opened for user <*> by system"));
    context.clock.advance_to(Timestamp::from_nanos(60_000_000_000));
    assert_eq!(run(&mut drain, batch("shop", &["session opened for user gus by system"])).len(), 1);
}

#[test]
fn nothing_held_back_is_lost_at_the_end_and_its_sender_is_answered_only_then() {
    let mut drain = drain(Config::default());
    let (sender, answered) = std::sync::mpsc::channel();
    let mut output = Output::for_batch(Ack::new(move |outcome| sender.send(outcome).unwrap()));
    drain.process(batch("shop", &["one", "two"]), &mut output).unwrap();
    assert!(output.finish(Ok(())).is_empty());
    assert!(answered.try_recv().is_err());
    let mut output = Output::default();
    drain.flush(Timestamp::default(), &mut output);
    let deliveries = output.take();
    assert_eq!(deliveries.iter().map(|delivery| delivery.batch.items()).sum::<usize>(), 2);
    deliveries.into_iter().for_each(|delivery| delivery.ack.done());
    assert_eq!(answered.try_recv(), Ok(Ok(())));
}

#[test]
fn no_more_than_the_limit_is_held_back() {
    let mut drain = drain(Config { max_held_bytes: ::config::ByteSize(300), ..Config::default() });
    assert!(run(&mut drain, batch("shop", &["a line"])).is_empty());
    let line = "x".repeat(300);
    assert_eq!(run(&mut drain, batch("shop", &[&line])).len(), 2);
    assert_eq!(run(&mut drain, batch("shop", &["a line"])).len(), 1);
}

#[test]
fn the_message_in_a_map_is_found_and_all_of_the_map_is_redacted() {
    let mut drain = drain(Config { body_field: "message".to_owned(), ..at_once() });
    let entry = |key: &str, value: &str| KeyValue {
        key: key.to_owned(),
        value: Some(values::string(value)),
        ..KeyValue::default()
    };
    let entries = vec![entry("message", "took 5 ms"), entry("api_key", "q9w8e7r6t5"), entry("level", "info")];
    let map = AnyValue { value: Some(Value::KvlistValue(KeyValueList { values: entries })) };
    let records = run(&mut drain, batch_of("shop", vec![map]));
    assert_eq!(text(&records[0], TEMPLATE), "took <*> ms");
    assert_eq!(body(&records[0]), r#"{"api_key":"<SECRET>","level":"info","message":"took 5 ms"}"#);
}

#[test]
fn values_of_secret_keys_go_as_a_whole_whatever_is_in_them_in_the_body_and_in_attributes() {
    let entry = |key: &str, value| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    };
    let text = |text: &str| Value::StringValue(text.to_owned());
    let list = Value::ArrayValue(ArrayValue { values: vec![values::string("s3cr3t-one")] });
    let inner = Value::KvlistValue(KeyValueList { values: vec![entry("passwd", text("in a map"))] });
    let entries = vec![
        entry("password", text(r#"qu"ote\s"#)),
        entry("pin", Value::IntValue(4711)),
        entry("client_secret", list),
        entry("Authorization", text("Token t0ps3cret")),
        entry("nested", inner),
        entry("note", text("token=abcdef123456 and more")),
        entry("tokens", Value::IntValue(17)),
        entry("token", text("***")),
    ];
    let expected = r#"{"Authorization":"<SECRET>","client_secret":["<SECRET>"],"nested":{"passwd":"<SECRET>"},"note":"token=<SECRET> and more","password":"<SECRET>","pin":"<SECRET>","token":"***","tokens":17}"#;
    let map = || AnyValue { value: Some(Value::KvlistValue(KeyValueList { values: entries.clone() })) };
    let mut drain = drain(at_once());
    assert_eq!(body(&run(&mut drain, batch_of("shop", vec![map()]))[0]), expected);
    let record = LogRecord { attributes: entries.clone(), ..LogRecord::default() };
    let scope = ScopeLogs { log_records: vec![record], ..ScopeLogs::default() };
    let group = ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() };
    let logs = Logs::from_message(LogsData { resource_logs: vec![group] });
    let attributes = run(&mut drain, logs.into()).remove(0).attributes;
    let attributes = AnyValue { value: Some(Value::KvlistValue(KeyValueList { values: attributes })) };
    assert_eq!(values::to_json(&attributes).to_string(), expected);
}

#[test]
fn parameters_and_wildcards_are_written_by_what_they_are() {
    let rules = vec![MaskingRule { name: "cart".to_owned(), pattern: "cart [a-z]+".to_owned() }];
    let mut drain =
        drain(Config { extract_parameters: true, emit_wildcards: true, masking_rules: rules, ..at_once() });
    let records = run(&mut drain, batch("shop", &["cart blue from 10.0.0.1 to 10.0.0.2 took 5ms"]));
    let attribute = |key: &str| {
        let value = records[0].attributes.iter().find(|attribute| attribute.key == key);
        value.and_then(|attribute| attribute.value.as_ref()).map(|value| values::to_json(value).to_string())
    };
    assert_eq!(text(&records[0], TEMPLATE), "<*> from <*> to <*> took <*>");
    assert_eq!(attribute("log.record.template.parameter.cart").as_deref(), Some("\"cart blue\""));
    assert_eq!(attribute("log.record.template.parameter.ip").as_deref(), Some(r#"["10.0.0.1","10.0.0.2"]"#));
    assert_eq!(attribute("log.record.template.parameter.duration").as_deref(), Some("\"5ms\""));
    assert_eq!(
        attribute("log.record.template.wildcards").as_deref(),
        Some(r#"["<*>","10.0.0.1","10.0.0.2","5ms"]"#)
    );
}

#[test]
fn merges_are_told_if_that_is_wanted() {
    let mut drain = drain(Config { emit_merges: true, distinct_words: 1, ..at_once() });
    run(&mut drain, batch("shop", &["queue orders is full now"]));
    let records = run(&mut drain, batch("shop", &["queue mails is full now"]));
    let merged: Vec<_> = records.iter().filter(|record| record.event_name == MERGED).collect();
    assert_eq!(merged.len(), 2);
    assert!(merged.iter().all(|record| body(record) == "\"queue <*> is full now\""));
}

#[test]
fn until_enough_templates_are_known_records_pass_without_one() {
    let mut drain = drain(Config { warmup_min_clusters: 2, ..at_once() });
    assert_eq!(text(&run(&mut drain, batch("shop", &["one thing"]))[0], TEMPLATE), "");
    assert_eq!(text(&run(&mut drain, batch("shop", &["another matter"]))[0], TEMPLATE), "another matter");
}

#[test]
fn what_was_learned_survives_a_restart_and_damage_is_refused() {
    let mut first = drain(at_once());
    for user in ["ada", "ben", "cleo", "dan", "eve", "finn"] {
        run(&mut first, batch("shop", &[&format!("session opened for user {user} by system")]));
    }
    let mut second = drain(at_once());
    second.restore(&first.snapshot().unwrap()).unwrap();
    let records = run(&mut second, batch("shop", &["session opened for user zoe by system"]));
    assert_eq!(text(&records[0], TEMPLATE), "session opened for user <*> by system");
    assert!(second.restore(&[1, 2, 3]).is_err());
}

#[test]
fn settings_that_cannot_be_meant_are_refused() {
    let invalid = |config: Config| ::config::Validate::validate(&config).unwrap_err().field;
    assert_eq!(invalid(Config { merge_threshold: f64::NAN, ..Config::default() }), "merge_threshold");
    assert_eq!(invalid(Config { distinct_words: 0, ..Config::default() }), "distinct_words");
    let rule =
        |name: &str, pattern: &str| vec![MaskingRule { name: name.to_owned(), pattern: pattern.to_owned() }];
    assert_eq!(
        invalid(Config { masking_rules: rule("a", "("), ..Config::default() }),
        "masking_rules.0.pattern"
    );
    assert_eq!(
        invalid(Config { masking_rules: rule("<a>", "b"), ..Config::default() }),
        "masking_rules.0.name"
    );
}
