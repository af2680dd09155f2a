//! What comes out of spans, and what bounds it.

use ::config::Section;
use component::{Clock, Context, Kind, Output, Processor};
use pdata::proto::common::{KeyValue, any_value};
use pdata::proto::metrics::{
    Metric, MetricsData, NumberDataPoint, ResourceMetrics, metric::Data, number_data_point,
};
use pdata::proto::trace::{ResourceSpans, ScopeSpans, Span, Status, TracesData, span::Event};
use pdata::{Batch, Timestamp, Traces};
use serde_json::{Value, json};

use super::*;
use crate::values::string;

const MILLI: u64 = 1_000_000;

fn attribute(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.into(), value: Some(string(value)), ..KeyValue::default() }
}

fn span(name: &str, millis: u64) -> Span {
    Span {
        trace_id: vec![7; 16],
        span_id: vec![8; 8],
        name: name.into(),
        kind: 2,
        start_time_unix_nano: 1_000 * MILLI,
        end_time_unix_nano: (1_000 + millis) * MILLI,
        ..Span::default()
    }
}

fn failed(name: &str, millis: u64) -> Span {
    Span { status: Some(Status { code: 2, ..Status::default() }), ..span(name, millis) }
}

fn of(service: &str, spans: Vec<Span>) -> Batch {
    let resource = pdata::proto::resource::Resource {
        attributes: vec![attribute("service.name", service)],
        ..Default::default()
    };
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let group = ResourceSpans { resource: Some(resource), scope_spans, ..ResourceSpans::default() };
    Traces::from_message(TracesData { resource_spans: vec![group] }).into()
}

struct Bench {
    connector: Box<dyn Processor>,
    clock: Clock,
}

impl Bench {
    fn new(config: &Value) -> Self {
        let section = Section::from_json("span_metrics", config);
        let clock = Clock::manual(Timestamp::from_secs(100));
        let context = Context { clock: clock.clone(), ..Context::detached(Kind::Connector, "span_metrics") };
        Self { connector: (FACTORY.create)(&section, &context).unwrap(), clock }
    }

    fn take(&mut self, batch: Batch) {
        let mut output = Output::default();
        self.connector.process(batch, &mut output).unwrap();
        assert!(output.take().is_empty());
    }

    /// What comes out when it is that late.
    fn at(&mut self, secs: u64) -> Vec<ResourceMetrics> {
        let now = Timestamp::from_secs(secs);
        self.clock.advance_to(now);
        let mut output = Output::default();
        self.connector.tick(now, &mut output);
        let emitted = output.take().into_iter();
        emitted
            .flat_map(|delivery| match delivery.batch {
                Batch::Metrics(metrics) => MetricsData::clone(metrics.message()).resource_metrics,
                other => panic!("{other:?}"),
            })
            .collect()
    }
}

fn metric<'a>(group: &'a ResourceMetrics, name: &str) -> &'a Metric {
    let metrics = &group.scope_metrics[0].metrics;
    metrics.iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("{name} in {metrics:?}"))
}

fn points(metric: &Metric) -> &[NumberDataPoint] {
    let Some(Data::Sum(sum)) = &metric.data else { panic!("{metric:?}") };
    assert!(sum.is_monotonic);
    &sum.data_points
}

fn count(point: &NumberDataPoint) -> i64 {
    let Some(number_data_point::Value::AsInt(count)) = point.value else { panic!("{point:?}") };
    count
}

/// `key=value` of every attribute.
fn labels(attributes: &[KeyValue]) -> Vec<String> {
    let text = |entry: &KeyValue| match entry.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        other => format!("{other:?}"),
    };
    attributes.iter().map(|entry| format!("{}={}", entry.key, text(entry))).collect()
}

#[test]
fn requests_errors_and_durations_have_the_collectors_names() {
    let mut bench = Bench::new(&Value::Null);
    bench.take(of("cart", vec![span("GET /", 3), span("GET /", 7), failed("GET /", 9000)]));
    assert!(bench.at(120).is_empty(), "the interval is not over");
    bench.take(of("cart", vec![span("GET /", 3)]));
    let [group] = &bench.at(160)[..] else { panic!() };
    assert_eq!(labels(&group.resource.as_ref().unwrap().attributes), ["service.name=cart"]);
    let calls = points(metric(group, "traces.span.metrics.calls"));
    assert_eq!(calls.iter().map(count).collect::<Vec<_>>(), [3, 1]);
    assert_eq!(
        labels(&calls[1].attributes),
        [
            "service.name=cart",
            "span.name=GET /",
            "span.kind=SPAN_KIND_SERVER",
            "status.code=STATUS_CODE_ERROR"
        ]
    );
    let times = (calls[0].start_time_unix_nano, calls[0].time_unix_nano);
    assert_eq!(times, (100_000 * MILLI, 160_000 * MILLI));
    let duration = metric(group, "traces.span.metrics.duration");
    let Some(Data::Histogram(histogram)) = &duration.data else { panic!() };
    let point = &histogram.data_points[0];
    assert_eq!((duration.unit.as_str(), point.count, point.sum, point.max), ("ms", 3, Some(13.0), Some(7.0)));
    assert_eq!((point.explicit_bounds.len(), &point.bucket_counts[..4]), (16, &[0, 2, 0, 1][..]));
    // Running totals go on.
    bench.take(of("cart", vec![span("GET /", 3)]));
    assert_eq!(count(&points(metric(&bench.at(220)[0], "traces.span.metrics.calls"))[0]), 4);
}

#[test]
fn deltas_begin_anew_and_quiet_series_are_not_told() {
    let mut bench = Bench::new(&json!({
        "aggregation_temporality": "AGGREGATION_TEMPORALITY_DELTA", "namespace": "", "histogram": {"unit": "s", "exponential": {}},
    }));
    bench.take(of("cart", vec![span("a", 500), span("b", 500)]));
    let first = bench.at(160);
    let Some(Data::ExponentialHistogram(durations)) = &metric(&first[0], "duration").data else { panic!() };
    assert_eq!((durations.aggregation_temporality, durations.data_points[0].sum), (1, Some(0.5)));
    bench.take(of("cart", vec![span("b", 500)]));
    let second = bench.at(220);
    let [point] = points(metric(&second[0], "calls")) else { panic!() };
    assert_eq!((count(point), point.start_time_unix_nano), (1, 160_000 * MILLI));
    assert!(bench.at(280).is_empty());
}

#[test]
fn dimensions_come_from_the_span_its_resource_or_the_configuration() {
    let mut bench = Bench::new(&json!({
        "exclude_dimensions": ["span.kind", "status.code"],
        "dimensions": [{"name": "http.request.method", "default": "GET"}, {"name": "absent"}],
        "calls_dimensions": [{"name": "tenant"}],
        "histogram": {"dimensions": [{"name": "service.name.copy", "default": "x"}]},
    }));
    let mut posted = span("a", 1);
    posted.attributes = vec![attribute("http.request.method", "POST"), attribute("tenant", "t1")];
    bench.take(of("cart", vec![span("a", 1), posted.clone(), posted]));
    let [group] = &bench.at(160)[..] else { panic!() };
    let calls = points(metric(group, "traces.span.metrics.calls"));
    assert_eq!(labels(&calls[0].attributes), ["service.name=cart", "span.name=a", "http.request.method=GET"]);
    assert_eq!(
        labels(&calls[1].attributes),
        ["service.name=cart", "span.name=a", "http.request.method=POST", "tenant=t1"]
    );
    assert_eq!(count(&calls[1]), 2);
    let Some(Data::Histogram(histogram)) = &metric(group, "traces.span.metrics.duration").data else {
        panic!()
    };
    assert_eq!(
        labels(&histogram.data_points[0].attributes),
        ["service.name=cart", "span.name=a", "http.request.method=GET", "service.name.copy=x"]
    );
}

#[test]
fn events_are_counted_and_spans_are_examples() {
    let mut bench = Bench::new(&json!({
        "events": {"enabled": true, "dimensions": [{"name": "event.name"}, {"name": "exception.type"}]},
        "exemplars": {"enabled": true, "max_per_data_point": 2},
    }));
    let exception = |of: &str| Event {
        name: "exception".into(),
        attributes: vec![attribute("exception.type", of)],
        ..Event::default()
    };
    let mut spans = vec![span("a", 1), span("a", 2), span("a", 3)];
    spans[0].events = vec![exception("Timeout"), exception("Timeout"), exception("Closed")];
    bench.take(of("cart", spans));
    let group = &bench.at(160)[0];
    let events = points(metric(group, "traces.span.metrics.events"));
    assert_eq!(events.iter().map(count).collect::<Vec<_>>(), [2, 1]);
    assert!(
        labels(&events[0].attributes)
            .ends_with(&["event.name=exception".into(), "exception.type=Timeout".into()])
    );
    let exemplars = |group: &ResourceMetrics| match &metric(group, "traces.span.metrics.duration").data {
        Some(Data::Histogram(histogram)) => histogram.data_points[0].exemplars.clone(),
        other => panic!("{other:?}"),
    };
    let [.., last] = &exemplars(group)[..] else { panic!() };
    assert_eq!((exemplars(group).len(), &last.trace_id, &last.span_id), (2, &vec![7; 16], &vec![8; 8]));
    assert!(exemplars(&bench.at(220)[0]).is_empty(), "each is an example once");
}

#[test]
fn neither_names_nor_resources_grow_without_bound() {
    let mut bench =
        Bench::new(&json!({"aggregation_cardinality_limit": 10, "resource_metrics_cache_size": 3}));
    let spans = (0..500).map(|n| span(&format!("GET /{n}"), 1)).collect();
    bench.take(of("cart", spans));
    let group = &bench.at(160)[0];
    let calls = points(metric(group, "traces.span.metrics.calls"));
    assert_eq!((calls.len(), calls.iter().map(count).sum::<i64>()), (11, 500));
    assert_eq!(labels(&calls[10].attributes), ["otel.metric.overflow=Some(BoolValue(true))"]);
    for n in 0..50 {
        bench.clock.advance_to(Timestamp::from_secs(200 + n));
        bench.take(of(&format!("s{n}"), vec![span("a", 1)]));
    }
    let names: Vec<_> =
        bench.at(300).iter().map(|group| labels(&group.resource.as_ref().unwrap().attributes)).collect();
    assert_eq!(names, [["service.name=s47"], ["service.name=s48"], ["service.name=s49"]]);
}

#[test]
fn what_is_quiet_for_long_enough_ends_and_sampled_spans_count_for_more() {
    let mut bench = Bench::new(&json!({"metrics_expiration": "5m"}));
    let sampled = Span { trace_state: "ot=th:8".into(), ..span("a", 1) };
    bench.take(of("cart", vec![sampled]));
    assert_eq!(count(&points(metric(&bench.at(200)[0], "traces.span.metrics.calls"))[0]), 2);
    assert_eq!(bench.at(399).len(), 1);
    assert!(bench.at(600).is_empty());
}

#[test]
fn the_end_tells_what_was_not_told_yet() {
    let mut bench = Bench::new(&Value::Null);
    bench.take(of("cart", vec![span("a", 1)]));
    let mut output = Output::default();
    bench.connector.flush(Timestamp::from_secs(101), &mut output);
    assert_eq!(output.take().len(), 1);
}

#[test]
fn what_contradicts_itself_is_refused() {
    for (wrong, field) in [
        (json!({"histogram": {"explicit": {}, "exponential": {}}}), "histogram"),
        (json!({"histogram": {"explicit": {"buckets": ["2ms", "1ms"]}}}), "histogram.explicit.buckets"),
        (json!({"dimensions": [{"name": "span.name"}]}), "dimensions"),
        (json!({"dimensions": [{"name": "a"}], "calls_dimensions": [{"name": "a"}]}), "calls_dimensions"),
        (json!({"events": {"enabled": true}}), "events.dimensions"),
        (json!({"metrics_flush_interval": "0s"}), "metrics_flush_interval"),
    ] {
        let section = Section::from_json("span_metrics", &wrong);
        let errors = (FACTORY.config.check)(&section).unwrap_err();
        assert!(format!("{errors:?}").contains(field), "{wrong}: {errors:?}");
    }
}
