//! The processor over real batches.

use component::{Ack, Context, Kind, Output, Processor};
use pdata::event::{Anomaly, Score};
use pdata::proto::common::{AnyValue, KeyValue, any_value::Value};
use pdata::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use pdata::proto::metrics::{
    Gauge, Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data,
    number_data_point,
};
use pdata::proto::resource::Resource;
use pdata::proto::trace::{ResourceSpans, ScopeSpans, Span, Status, TracesData};
use pdata::{Batch, Event, Logs, Metrics, Timestamp, Traces};

use super::*;

const START: u64 = 1_700_000_000;

pub(super) fn detect(config: &Config) -> Detect {
    Detect::new(config, config.metrics().unwrap(), &Context::detached(Kind::Processor, "detect"))
}

pub(super) fn resource(service: &str) -> Option<Resource> {
    let value = Some(AnyValue { value: Some(Value::StringValue(service.to_owned())) });
    let attribute = KeyValue { key: "service.name".to_owned(), value, ..KeyValue::default() };
    Some(Resource { attributes: vec![attribute], ..Resource::default() })
}

fn gauge(service: &str, name: &str, second: u64, value: f64) -> Batch {
    let point = NumberDataPoint {
        time_unix_nano: (START + second) * 1_000_000_000,
        value: Some(number_data_point::Value::AsDouble(value)),
        ..NumberDataPoint::default()
    };
    let gauge = Gauge { data_points: vec![point] };
    let metric = Metric { name: name.to_owned(), data: Some(Data::Gauge(gauge)), ..Metric::default() };
    let scope = ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() };
    let group = ResourceMetrics {
        resource: resource(service),
        scope_metrics: vec![scope],
        ..ResourceMetrics::default()
    };
    Metrics::from_message(MetricsData { resource_metrics: vec![group] }).into()
}

/// Twenty requests within ten seconds, each waiting for one of its own for `waited` of its `millis`.
fn spans(service: &str, window: u64, millis: u64, waited: u64, failed: (usize, usize)) -> Batch {
    let mut spans = Vec::new();
    for n in 0..20u64 {
        let id = window * 100 + n + 1;
        let start = (START + window * 10) * 1_000_000_000 + n * 400_000_000;
        let trace_id = u128::from(id).to_be_bytes().to_vec();
        let status = |failed: usize| {
            let code = if (n as usize) < failed { 2 } else { 0 };
            Some(Status { code, ..Status::default() })
        };
        spans.push(Span {
            trace_id: trace_id.clone(),
            span_id: (id << 1).to_be_bytes().to_vec(),
            name: "GET /cart".to_owned(),
            kind: 2,
            start_time_unix_nano: start,
            end_time_unix_nano: start + (millis + n % 3) * 1_000_000,
            status: status(failed.0),
            ..Span::default()
        });
        spans.push(Span {
            trace_id,
            span_id: (id << 1 | 1).to_be_bytes().to_vec(),
            parent_span_id: (id << 1).to_be_bytes().to_vec(),
            name: "call".to_owned(),
            kind: 3,
            start_time_unix_nano: start + 1_000_000,
            end_time_unix_nano: start + 1_000_000 + waited * 1_000_000,
            status: status(failed.1),
            ..Span::default()
        });
    }
    let scope = ScopeSpans { spans, ..ScopeSpans::default() };
    let group =
        ResourceSpans { resource: resource(service), scope_spans: vec![scope], ..ResourceSpans::default() };
    Traces::from_message(TracesData { resource_spans: vec![group] }).into()
}

fn text(key: &str, text: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(text.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

/// `n` records of a template within ten seconds, as `drain` leaves them.
fn logs(service: &str, window: u64, template: &str, severity: i32, n: u64) -> Batch {
    let id = analysis::logs::TemplateId::of(template).to_string();
    let record = |at: u64| LogRecord {
        time_unix_nano: (START + window * 10) * 1_000_000_000 + at * 9_000_000_000 / n,
        severity_number: severity,
        body: Some(AnyValue { value: Some(Value::StringValue(template.replace("<*>", "seven"))) }),
        attributes: vec![text("log.record.template", template), text("watchfire.log.template_id", &id)],
        ..LogRecord::default()
    };
    let scope = ScopeLogs { log_records: (0..n).map(record).collect(), ..ScopeLogs::default() };
    let group =
        ResourceLogs { resource: resource(service), scope_logs: vec![scope], ..ResourceLogs::default() };
    Logs::from_message(LogsData { resource_logs: vec![group] }).into()
}

/// Some records of a few templates in each window, and of one 80 from window 120 on.
fn burst(detect: &mut Detect, severity: i32) -> Vec<Anomaly> {
    let mut found = Vec::new();
    for window in 0..130 {
        let many = if window < 120 { 5 } else { 80 };
        for (template, severity, n) in
            [("user <*> came", 9, 9), ("stored page <*>", 9, 6), ("cannot reach <*>", severity, many)]
        {
            found.extend(anomalies(run(detect, logs("cart", window, template, severity, n + window % 3))));
        }
        let mut output = Output::default();
        detect.tick(Timestamp::from_secs(START + window * 10 + 10), &mut output);
        found.extend(anomalies(output.take().into_iter().map(|delivery| delivery.batch).collect()));
    }
    found
}

pub(super) fn run(detect: &mut Detect, batch: Batch) -> Vec<Batch> {
    let mut output = Output::for_batch(Ack::none());
    detect.process(batch, &mut output).unwrap();
    output.take().into_iter().map(|delivery| delivery.batch).collect()
}

fn events(batches: Vec<Batch>) -> Vec<Event> {
    let events = batches.into_iter().filter_map(|batch| match batch {
        Batch::Events(events) => Some((*events).clone()),
        Batch::Traces(_) | Batch::Metrics(_) | Batch::Logs(_) => None,
    });
    events.flatten().collect()
}

pub(super) fn anomalies(batches: Vec<Batch>) -> Vec<Anomaly> {
    let anomaly = |event| if let Event::Anomaly(anomaly) = event { Some(anomaly) } else { None };
    events(batches).into_iter().filter_map(anomaly).collect()
}

pub(super) fn scores(batches: Vec<Batch>) -> Vec<Score> {
    let score = |event| if let Event::Score(score) = event { Some(score) } else { None };
    events(batches).into_iter().filter_map(score).collect()
}

pub(super) fn wobble(n: u64) -> f64 {
    100.0 + ((n * 7919) % 13) as f64
}

#[test]
fn a_gauge_out_of_its_range_is_reported_behind_the_untouched_batch() {
    let mut detect = detect(&Config::default());
    for n in 0..60 {
        assert_eq!(run(&mut detect, gauge("cart", "queue", n * 10, wobble(n))).len(), 1);
    }
    let odd = gauge("cart", "queue", 600, 900.0);
    let out = run(&mut detect, odd.clone());
    assert_eq!(out[0], odd);
    let found = anomalies(out);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].service.as_str(), found[0].name.as_str()), ("cart", "queue"));
    assert!(found[0].score > 0.8 && found[0].expected.high < 200.0);
    assert!(found[0].message.starts_with("cart: queue is 900, usually "), "{}", found[0].message);
    assert_eq!(found[0].phase, Some(pdata::event::Phase::Begin));
}

#[test]
fn slow_spans_are_reported_for_the_service_and_its_operation_with_the_reason() {
    let mut detect = detect(&Config::default());
    let mut found = Vec::new();
    for window in 0..60 {
        let slow = if window < 50 { 0 } else { 300 };
        found.extend(anomalies(run(&mut detect, spans("cart", window, 50 + slow, 20 + slow, (0, 0)))));
    }
    let names: Vec<&str> = found.iter().map(|anomaly| anomaly.name.as_str()).collect();
    assert!(names.contains(&"server.duration:p95"), "{names:?}");
    assert!(!names.contains(&"server.self_time:mean"), "it waited, it did not work: {names:?}");
    assert!(
        found.iter().any(|anomaly| anomaly.message.contains("p95 latency of GET /cart is 35")),
        "{found:#?}"
    );
}

#[test]
fn errors_of_its_own_are_told_from_those_of_its_dependencies() {
    for (children, own) in [(0, true), (10, false)] {
        let mut detect = detect(&Config::default());
        let mut found = Vec::new();
        for window in 0..60 {
            let failed = if window < 50 { (0, 0) } else { (10, children) };
            found.extend(anomalies(run(&mut detect, spans("cart", window, 50, 20, failed))));
        }
        let names: Vec<&str> = found.iter().map(|anomaly| anomaly.name.as_str()).collect();
        assert!(names.contains(&"server.errors:ratio"), "{names:?}");
        assert_eq!(names.contains(&"server.error_origin:ratio"), own, "{names:?}");
    }
}

#[test]
fn a_service_that_falls_silent_is_reported_by_ticks() {
    let mut detect = detect(&Config::default());
    let mut output = Output::default();
    for window in 0..60 {
        run(&mut detect, spans("cart", window, 50, 20, (0, 0)));
        detect.tick(Timestamp::from_secs(START + window * 10 + 10), &mut output);
    }
    for second in (600..900).step_by(10) {
        detect.tick(Timestamp::from_secs(START + second), &mut output);
    }
    let found = anomalies(output.take().into_iter().map(|delivery| delivery.batch).collect());
    assert!(found.iter().any(|anomaly| anomaly.name == "server.requests:rate" && anomaly.observed == 0.0));
}

#[test]
fn scores_continue_equal_after_a_restore() {
    let config = Config { emit_scores: true, ..Config::default() };
    let mut original = detect(&config);
    let mut restored = None;
    for n in 0..80 {
        if n == 45 {
            let mut new = detect(&config);
            new.restore(&original.snapshot().unwrap()).unwrap();
            restored = Some(new);
        }
        for batch in [gauge("cart", "queue", n * 10, wobble(n)), spans("cart", n, 50 + n % 5, 20, (0, 0))] {
            let expected = scores(run(&mut original, batch.clone()));
            if let Some(restored) = &mut restored {
                assert_eq!(scores(run(restored, batch)), expected);
            }
        }
    }
}

#[test]
fn a_damaged_or_foreign_snapshot_is_refused_and_changes_nothing() {
    let mut detect = detect(&Config::default());
    for n in 0..30 {
        run(&mut detect, gauge("cart", "queue", n * 10, wobble(n)));
    }
    let before = detect.snapshot().unwrap();
    assert!(detect.restore(&before[..before.len() / 2]).is_err());
    assert!(detect.restore(&[99, 1, 2, 3]).is_err());
    assert!(detect.restore(&[]).is_err());
    assert_eq!(detect.snapshot().unwrap(), before);
}

#[test]
fn only_wanted_metrics_are_watched() {
    let config = Config {
        include_metrics: vec!["http.*".to_owned()],
        exclude_metrics: vec!["http.debug*".to_owned()],
        emit_scores: true,
        ..Config::default()
    };
    let mut detect = detect(&config);
    let mut scored = |name| scores(run(&mut detect, gauge("cart", name, 10, 1.0))).len();
    assert_eq!([scored("http.requests"), scored("http.debug.x"), scored("queue")], [1, 0, 0]);
}

#[test]
fn series_are_bounded_and_the_forgotten_are_counted() {
    let mut detect = detect(&Config { max_series: 10, ..Config::default() });
    for n in 0..30 {
        run(&mut detect, gauge("cart", &format!("m{n}"), 10, 1.0));
    }
    assert_eq!(detect.watcher.series(), 10);
    assert_eq!(detect.counters.evicted.get(), 20);
}

#[test]
fn settings_out_of_range_are_refused() {
    use ::config::Validate;
    let bad = |config: Config| config.validate().unwrap_err().field;
    assert_eq!(bad(Config { sensitivity: f64::NAN, ..Config::default() }), "sensitivity");
    let logs = LogsConfig { false_discovery_rate: f64::NAN, ..LogsConfig::default() };
    assert_eq!(bad(Config { logs, ..Config::default() }), "logs.false_discovery_rate");
    assert_eq!(bad(Config { signals: Vec::new(), ..Config::default() }), "signals");
    assert_eq!(
        bad(Config { include_metrics: vec!["a[".to_owned()], ..Config::default() }),
        "include_metrics[0]"
    );
}

#[test]
fn a_burst_of_a_log_template_is_reported_once_with_an_exemplar() {
    let mut detect = detect(&Config::default());
    let found = burst(&mut detect, 17);
    let log = found[0].log.as_ref().unwrap();
    assert_eq!(log.kind, pdata::event::LogKind::Burst);
    assert_eq!(log.exemplar.as_deref(), Some("cannot reach seven"));
    assert!(found[0].message.starts_with("cart: \"cannot reach <*>\": 8"), "{}", found[0].message);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(detect.watcher.log_templates(), 3);
    let mut restored = super::tests::detect(&Config::default());
    restored.restore(&detect.snapshot().unwrap()).unwrap();
    assert_eq!(restored.snapshot(), detect.snapshot());
}

#[test]
fn without_templates_the_rate_of_errors_is_watched() {
    let logs = LogsConfig { enabled: false, ..LogsConfig::default() };
    let found = burst(&mut detect(&Config { logs, ..Config::default() }), 17);
    let names: Vec<&str> = found.iter().map(|anomaly| anomaly.name.as_str()).collect();
    assert_eq!(names, ["log.error:rate"]);
}

#[test]
fn what_a_series_does_every_hour_is_reported_at_first_and_counted_later() {
    let mut detect = detect(&Config::default());
    let mut begins = Vec::new();
    for minute in 0..20 * 60 {
        let value = if minute % 60 < 2 && minute > 60 { 900.0 } else { wobble(minute) };
        let found = anomalies(run(&mut detect, gauge("cart", "queue", minute * 60, value)));
        let is_begin = |one: &&Anomaly| one.phase == Some(pdata::event::Phase::Begin);
        begins.extend(found.iter().filter(is_begin).map(|_| minute));
    }
    assert!((1..=6).contains(&begins.len()) && begins.iter().all(|minute| *minute < 8 * 60), "{begins:?}");
    assert!(detect.counters.withheld.get() >= 12);
}

#[test]
fn a_budget_is_written_as_people_say_it() {
    let parse = |text: &str| serde_json::from_str::<Config>(&format!("{{\"alert_budget\": {text}}}"));
    let config = parse("\"3/week\"").unwrap();
    assert!((config.settings().alert_budget.unwrap() - 3.0 / 7.0).abs() < 1e-9);
    assert!(parse("\"often\"").unwrap_err().to_string().contains("such as `1/day`"));
    assert!(::config::Validate::validate(&parse("\"0/day\"").unwrap()).is_err());
    assert_eq!(Config::default().settings().alert_budget, None);
}
