//! A message of each signal that uses every field and every type of value that OTLP has.

use pdata::proto::common::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value,
};
use pdata::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use pdata::proto::metrics::exponential_histogram_data_point::Buckets;
use pdata::proto::metrics::summary_data_point::ValueAtQuantile;
use pdata::proto::metrics::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
    Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint,
    exemplar, metric::Data, number_data_point,
};
use pdata::proto::resource::Resource;
use pdata::proto::trace::{
    ResourceSpans, ScopeSpans, Span, Status, TracesData,
    span::{Event, Link, SpanKind},
    status::StatusCode,
};

const START: u64 = 1_700_000_000_000_000_001;
const TIME: u64 = 1_700_000_060_123_456_789;
const DELTA: i32 = 1;
const CUMULATIVE: i32 = 2;
const TRACE_ID: [u8; 16] = [0xa0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff];
const SPAN_ID: [u8; 8] = [0xb0, 1, 2, 3, 4, 5, 6, 0xfe];

pub(crate) fn text(value: &str) -> AnyValue {
    AnyValue { value: Some(Value::StringValue(value.to_owned())) }
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// Attributes of all types, with a mark.
fn attributes(mark: &str) -> Vec<KeyValue> {
    let any = |value| AnyValue { value: Some(value) };
    let list = vec![any(Value::IntValue(i64::MIN)), text(""), any(Value::BoolValue(true))];
    let inner = vec![
        attribute("deep", Value::ArrayValue(ArrayValue { values: vec![text("bottom")] })),
        attribute("bytes", Value::BytesValue(vec![0, 255])),
    ];
    vec![
        attribute("mark", Value::StringValue(mark.to_owned())),
        attribute("text", Value::StringValue("héllo \"wörld\"\n\u{1f525}".to_owned())),
        attribute("no", Value::BoolValue(false)),
        attribute("large", Value::IntValue(i64::MAX)),
        attribute("ratio", Value::DoubleValue(-0.1)),
        attribute("bytes", Value::BytesValue(vec![0, 1, 254, 255])),
        attribute("list", Value::ArrayValue(ArrayValue { values: list })),
        attribute("map", Value::KvlistValue(KeyValueList { values: inner })),
        KeyValue { key: "nothing".to_owned(), value: Some(AnyValue::default()), ..KeyValue::default() },
    ]
}

fn resource(service: &str) -> Option<Resource> {
    let mut attributes = attributes("resource");
    attributes.push(attribute("service.name", Value::StringValue(service.to_owned())));
    Some(Resource { attributes, dropped_attributes_count: 1, ..Resource::default() })
}

fn scope(name: &str) -> Option<InstrumentationScope> {
    Some(InstrumentationScope {
        name: name.to_owned(),
        version: "1.2.3".to_owned(),
        attributes: attributes("scope"),
        dropped_attributes_count: 2,
    })
}

/// Spans: of every kind and status, with events and links.
pub(crate) fn traces() -> TracesData {
    let kinds =
        [SpanKind::Internal, SpanKind::Server, SpanKind::Client, SpanKind::Producer, SpanKind::Consumer];
    let codes = [StatusCode::Unset, StatusCode::Ok, StatusCode::Error];
    let spans = kinds.iter().zip(codes.iter().cycle()).map(|(kind, code)| span(*kind, *code)).collect();
    let resource_spans = ["cart", "shop"].map(|service| ResourceSpans {
        resource: resource(service),
        scope_spans: vec![
            ScopeSpans {
                scope: scope("spans"),
                spans: Vec::clone(&spans),
                schema_url: "https://example.com/scope".to_owned(),
            },
            ScopeSpans {
                scope: scope("other"),
                spans: vec![span(SpanKind::Server, StatusCode::Ok)],
                ..ScopeSpans::default()
            },
        ],
        schema_url: "https://example.com/resource".to_owned(),
    });
    TracesData { resource_spans: resource_spans.to_vec() }
}

fn span(kind: SpanKind, code: StatusCode) -> Span {
    let event = Event {
        time_unix_nano: START + 7,
        name: "something".to_owned(),
        attributes: attributes("event"),
        dropped_attributes_count: 3,
    };
    let link = Link {
        trace_id: TRACE_ID.map(|byte| !byte).to_vec(),
        span_id: SPAN_ID.map(|byte| !byte).to_vec(),
        trace_state: "vendor=link".to_owned(),
        attributes: attributes("link"),
        dropped_attributes_count: 4,
        flags: 0x301,
    };
    Span {
        trace_id: TRACE_ID.to_vec(),
        span_id: SPAN_ID.to_vec(),
        trace_state: "vendor=1,other=2".to_owned(),
        parent_span_id: if kind == SpanKind::Server { Vec::new() } else { vec![9; 8] },
        flags: 0x101,
        name: format!("{kind:?}"),
        kind: kind.into(),
        start_time_unix_nano: START,
        end_time_unix_nano: TIME,
        attributes: attributes("span"),
        dropped_attributes_count: 5,
        events: vec![event.clone(), event],
        dropped_events_count: 6,
        links: vec![link],
        dropped_links_count: 7,
        status: Some(Status { message: format!("{code:?}"), code: code.into() }),
    }
}

/// Metrics: of every type and both temporalities, with exemplars.
pub(crate) fn metrics() -> MetricsData {
    let sum = |temporality, is_monotonic, value| {
        Data::Sum(Sum {
            data_points: vec![number(value)],
            aggregation_temporality: temporality,
            is_monotonic,
        })
    };
    let int = number_data_point::Value::AsInt;
    let double = number_data_point::Value::AsDouble;
    let numbers = vec![number(double(21.5)), number(int(0)), no_recorded_value()];
    let histogram = |temporality| {
        Data::Histogram(Histogram {
            data_points: vec![
                histogram_point(),
                HistogramDataPoint { count: 3, ..HistogramDataPoint::default() },
            ],
            aggregation_temporality: temporality,
        })
    };
    let exponential = |temporality| {
        Data::ExponentialHistogram(ExponentialHistogram {
            data_points: vec![exponential_point()],
            aggregation_temporality: temporality,
        })
    };
    let all = [
        ("gauge", Data::Gauge(Gauge { data_points: numbers })),
        ("counter", sum(CUMULATIVE, true, int(i64::MAX))),
        ("delta", sum(DELTA, true, double(0.1 + 0.2))),
        ("up_down", sum(CUMULATIVE, false, int(-2))),
        ("histogram", histogram(CUMULATIVE)),
        ("histogram.delta", histogram(DELTA)),
        ("exponential", exponential(CUMULATIVE)),
        ("exponential.delta", exponential(DELTA)),
        ("summary", Data::Summary(Summary { data_points: vec![summary_point()] })),
    ];
    let scope_metrics = ScopeMetrics {
        scope: scope("metrics"),
        metrics: all.map(|(name, data)| metric(name, data)).to_vec(),
        schema_url: "https://example.com/scope".to_owned(),
    };
    let resource_metrics = ["cart", "shop"].map(|service| ResourceMetrics {
        resource: resource(service),
        scope_metrics: vec![scope_metrics.clone()],
        schema_url: "https://example.com/resource".to_owned(),
    });
    MetricsData { resource_metrics: resource_metrics.to_vec() }
}

fn metric(name: &str, data: Data) -> Metric {
    Metric {
        name: name.to_owned(),
        description: "What it means".to_owned(),
        unit: "By".to_owned(),
        metadata: attributes("metadata"),
        data: Some(data),
    }
}

fn exemplars() -> Vec<Exemplar> {
    let values = [exemplar::Value::AsInt(-3), exemplar::Value::AsDouble(0.25)];
    let exemplar = |value| Exemplar {
        filtered_attributes: attributes("exemplar"),
        time_unix_nano: TIME - 1,
        span_id: SPAN_ID.to_vec(),
        trace_id: TRACE_ID.to_vec(),
        value: Some(value),
    };
    values.map(exemplar).to_vec()
}

fn number(value: number_data_point::Value) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes("point"),
        start_time_unix_nano: START,
        time_unix_nano: TIME,
        exemplars: exemplars(),
        flags: 0,
        value: Some(value),
    }
}

fn no_recorded_value() -> NumberDataPoint {
    NumberDataPoint { time_unix_nano: TIME, flags: 1, ..NumberDataPoint::default() }
}

fn histogram_point() -> HistogramDataPoint {
    HistogramDataPoint {
        attributes: attributes("point"),
        start_time_unix_nano: START,
        time_unix_nano: TIME,
        count: 7,
        sum: Some(12.25),
        bucket_counts: vec![1, 0, 4, 2],
        explicit_bounds: vec![-1.5, 0.001, 2_500_000.0],
        exemplars: exemplars(),
        flags: 0,
        min: Some(-2.0),
        max: Some(3e6),
    }
}

fn exponential_point() -> ExponentialHistogramDataPoint {
    ExponentialHistogramDataPoint {
        attributes: attributes("point"),
        start_time_unix_nano: START,
        time_unix_nano: TIME,
        count: 10,
        sum: Some(0.0),
        scale: -3,
        zero_count: 2,
        positive: Some(Buckets { offset: -7, bucket_counts: vec![1, 0, 4] }),
        negative: Some(Buckets { offset: 3, bucket_counts: vec![3] }),
        flags: 0,
        exemplars: exemplars(),
        min: Some(-40.0),
        max: Some(0.0),
        zero_threshold: 1e-6,
    }
}

fn summary_point() -> SummaryDataPoint {
    let quantiles = [(0.0, -1.0), (0.5, 1.0), (1.0, 1e300)];
    SummaryDataPoint {
        attributes: attributes("point"),
        start_time_unix_nano: START,
        time_unix_nano: TIME,
        count: 3,
        sum: 4.5,
        quantile_values: quantiles.map(|(quantile, value)| ValueAtQuantile { quantile, value }).to_vec(),
        flags: 0,
    }
}

/// Log records: with bodies of every type.
pub(crate) fn logs() -> LogsData {
    let bodies = attributes("body").into_iter().filter_map(|attribute| attribute.value);
    let log_records = bodies.map(|body| LogRecord {
        time_unix_nano: START,
        observed_time_unix_nano: TIME,
        severity_number: 17,
        severity_text: "ERROR".to_owned(),
        body: Some(body),
        attributes: attributes("record"),
        dropped_attributes_count: 8,
        flags: 1,
        trace_id: TRACE_ID.to_vec(),
        span_id: SPAN_ID.to_vec(),
        event_name: "shop.event".to_owned(),
    });
    let scope_logs = ScopeLogs {
        scope: scope("logs"),
        log_records: log_records.collect(),
        schema_url: "https://example.com/scope".to_owned(),
    };
    let resource_logs = ["cart", "shop"].map(|service| ResourceLogs {
        resource: resource(service),
        scope_logs: vec![scope_logs.clone()],
        schema_url: "https://example.com/resource".to_owned(),
    });
    LogsData { resource_logs: resource_logs.to_vec() }
}
