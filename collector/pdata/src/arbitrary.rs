//! Arbitrary OTLP messages, for property tests.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::proto::common::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList, any_value,
};
use crate::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use crate::proto::metrics::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
    Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint,
    exemplar, exponential_histogram_data_point::Buckets, metric::Data, number_data_point,
    summary_data_point::ValueAtQuantile,
};
use crate::proto::resource::Resource;
use crate::proto::trace::{ResourceSpans, ScopeSpans, Span, Status, TracesData, span};

/// A few cases of what takes long, unless `PROPTEST_CASES` asks for more.
pub(crate) fn cases(few: u32) -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(few),
    }
}

/// Any number but NaN, which is not equal to itself.
pub(crate) fn double() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => any::<f64>().prop_map(|number| if number.is_nan() { 0.5 } else { number }),
        1 => Just(f64::INFINITY),
        1 => Just(f64::NEG_INFINITY),
        1 => Just(-0.0),
        1 => Just(3.0),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-z.]{0,12}",
        2 => any::<String>(),
        1 => Just("line\n\"quoted\" \\ tab\t\u{1} é 日本 🦀".to_owned()),
    ]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..20)
}

fn id(len: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![3 => vec(any::<u8>(), len), 1 => Just(Vec::new())]
}

/// A value, nested at most three deep.
pub(crate) fn value() -> impl Strategy<Value = AnyValue> {
    use any_value::Value as V;
    let leaf = prop_oneof![
        4 => text().prop_map(|text| Some(V::StringValue(text))),
        1 => any::<bool>().prop_map(|truth| Some(V::BoolValue(truth))),
        2 => any::<i64>().prop_map(|number| Some(V::IntValue(number))),
        1 => double().prop_map(|number| Some(V::DoubleValue(number))),
        1 => bytes().prop_map(|bytes| Some(V::BytesValue(bytes))),
        1 => Just(None),
    ]
    .prop_map(|value| AnyValue { value });
    leaf.prop_recursive(3, 12, 4, |inner| {
        let list = vec(inner.clone(), 0..4).prop_map(|values| V::ArrayValue(ArrayValue { values }));
        let entry = (text(), inner).prop_map(|(key, value)| key_value(key, value));
        let map = vec(entry, 0..4).prop_map(|values| V::KvlistValue(KeyValueList { values }));
        prop_oneof![list, map].prop_map(|value| AnyValue { value: Some(value) })
    })
}

fn key_value(key: String, value: AnyValue) -> KeyValue {
    KeyValue { key, value: Some(value), ..KeyValue::default() }
}

pub(crate) fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    vec((text(), value()).prop_map(|(key, value)| key_value(key, value)), 0..4)
}

fn resource() -> impl Strategy<Value = Resource> {
    let entity = (text(), text(), vec(text(), 0..2), vec(text(), 0..2)).prop_map(
        |(schema_url, r#type, id_keys, description_keys)| EntityRef {
            schema_url,
            r#type,
            id_keys,
            description_keys,
        },
    );
    (attributes(), any::<u32>(), vec(entity, 0..2)).prop_map(
        |(attributes, dropped_attributes_count, entity_refs)| Resource {
            attributes,
            dropped_attributes_count,
            entity_refs,
        },
    )
}

fn scope() -> impl Strategy<Value = InstrumentationScope> {
    (text(), text(), attributes(), any::<u32>()).prop_map(
        |(name, version, attributes, dropped_attributes_count)| InstrumentationScope {
            name,
            version,
            attributes,
            dropped_attributes_count,
        },
    )
}

prop_compose! {
    fn record()(
        (time_unix_nano, observed_time_unix_nano, severity_number) in (any::<u64>(), any::<u64>(), 0..30_i32),
        (severity_text, event_name) in (text(), prop_oneof![4 => text(), 1 => Just("watchfire.x".to_owned())]),
        body in option::of(value()),
        attributes in attributes(),
        (dropped_attributes_count, flags) in (any::<u32>(), any::<u32>()),
        (trace_id, span_id) in (id(16), id(8)),
    ) -> LogRecord {
        LogRecord {
            time_unix_nano, observed_time_unix_nano, severity_number, severity_text, event_name, body, attributes,
            dropped_attributes_count, flags, trace_id, span_id,
        }
    }
}

prop_compose! {
    fn span_event()(
        time_unix_nano in any::<u64>(),
        name in text(),
        attributes in attributes(),
        dropped_attributes_count in any::<u32>(),
    ) -> span::Event {
        span::Event { time_unix_nano, name, attributes, dropped_attributes_count }
    }
}

prop_compose! {
    fn link()(
        (trace_id, span_id) in (id(16), id(8)),
        trace_state in text(),
        attributes in attributes(),
        (dropped_attributes_count, flags) in (any::<u32>(), any::<u32>()),
    ) -> span::Link {
        span::Link { trace_id, span_id, trace_state, attributes, dropped_attributes_count, flags }
    }
}

prop_compose! {
    fn any_span()(
        (trace_id, span_id, parent_span_id) in (id(16), id(8), id(8)),
        (trace_state, name) in (text(), text()),
        (flags, kind) in (any::<u32>(), -1..8_i32),
        (start_time_unix_nano, end_time_unix_nano) in (any::<u64>(), any::<u64>()),
        attributes in attributes(),
        (dropped_attributes_count, dropped_events_count, dropped_links_count) in any::<(u32, u32, u32)>(),
        events in vec(span_event(), 0..3),
        links in vec(link(), 0..3),
        status in option::of((text(), 0..4_i32).prop_map(|(message, code)| Status { message, code })),
    ) -> Span {
        Span {
            trace_id, span_id, parent_span_id, trace_state, name, flags, kind, start_time_unix_nano,
            end_time_unix_nano, attributes, dropped_attributes_count, events, dropped_events_count, links,
            dropped_links_count, status,
        }
    }
}

prop_compose! {
    fn exemplar()(
        filtered_attributes in attributes(),
        time_unix_nano in any::<u64>(),
        (trace_id, span_id) in (id(16), id(8)),
        value in option::of(prop_oneof![
            double().prop_map(exemplar::Value::AsDouble),
            any::<i64>().prop_map(exemplar::Value::AsInt),
        ]),
    ) -> Exemplar {
        Exemplar { filtered_attributes, time_unix_nano, trace_id, span_id, value }
    }
}

prop_compose! {
    fn number_point()(
        attributes in attributes(),
        (start_time_unix_nano, time_unix_nano, flags) in any::<(u64, u64, u32)>(),
        exemplars in vec(exemplar(), 0..2),
        value in option::of(prop_oneof![
            double().prop_map(number_data_point::Value::AsDouble),
            any::<i64>().prop_map(number_data_point::Value::AsInt),
        ]),
    ) -> NumberDataPoint {
        NumberDataPoint { attributes, start_time_unix_nano, time_unix_nano, exemplars, flags, value }
    }
}

prop_compose! {
    fn histogram_point()(
        attributes in attributes(),
        (start_time_unix_nano, time_unix_nano, count, flags) in any::<(u64, u64, u64, u32)>(),
        (sum, min, max) in (option::of(double()), option::of(double()), option::of(double())),
        bucket_counts in vec(any::<u64>(), 0..5),
        explicit_bounds in vec(double(), 0..5),
        exemplars in vec(exemplar(), 0..2),
    ) -> HistogramDataPoint {
        HistogramDataPoint {
            attributes, start_time_unix_nano, time_unix_nano, count, flags, sum, min, max, bucket_counts,
            explicit_bounds, exemplars,
        }
    }
}

prop_compose! {
    fn exponential_point()(
        attributes in attributes(),
        (start_time_unix_nano, time_unix_nano, count, zero_count, flags) in any::<(u64, u64, u64, u64, u32)>(),
        (sum, min, max) in (option::of(double()), option::of(double()), option::of(double())),
        (scale, zero_threshold) in (any::<i32>(), double()),
        positive in option::of(buckets()),
        negative in option::of(buckets()),
        exemplars in vec(exemplar(), 0..2),
    ) -> ExponentialHistogramDataPoint {
        ExponentialHistogramDataPoint {
            attributes, start_time_unix_nano, time_unix_nano, count, sum, scale, zero_count, positive, negative,
            flags, exemplars, min, max, zero_threshold,
        }
    }
}

fn buckets() -> impl Strategy<Value = Buckets> {
    (any::<i32>(), vec(any::<u64>(), 0..5))
        .prop_map(|(offset, bucket_counts)| Buckets { offset, bucket_counts })
}

prop_compose! {
    fn summary_point()(
        attributes in attributes(),
        (start_time_unix_nano, time_unix_nano, count, flags) in any::<(u64, u64, u64, u32)>(),
        sum in double(),
        quantile_values in vec(
            (double(), double()).prop_map(|(quantile, value)| ValueAtQuantile { quantile, value }), 0..3),
    ) -> SummaryDataPoint {
        SummaryDataPoint { attributes, start_time_unix_nano, time_unix_nano, count, sum, quantile_values, flags }
    }
}

fn metric() -> impl Strategy<Value = Metric> {
    let temporality = 0..4_i32;
    let data = prop_oneof![
        vec(number_point(), 0..3).prop_map(|data_points| Data::Gauge(Gauge { data_points })),
        (vec(number_point(), 0..3), temporality.clone(), any::<bool>()).prop_map(
            |(data_points, aggregation_temporality, is_monotonic)| Data::Sum(Sum {
                data_points,
                aggregation_temporality,
                is_monotonic
            })
        ),
        (vec(histogram_point(), 0..3), temporality.clone()).prop_map(
            |(data_points, aggregation_temporality)| Data::Histogram(Histogram {
                data_points,
                aggregation_temporality
            })
        ),
        (vec(exponential_point(), 0..3), temporality).prop_map(|(data_points, aggregation_temporality)| {
            Data::ExponentialHistogram(ExponentialHistogram { data_points, aggregation_temporality })
        }),
        vec(summary_point(), 0..3).prop_map(|data_points| Data::Summary(Summary { data_points })),
    ];
    (text(), text(), text(), attributes(), option::weighted(0.9, data)).prop_map(
        |(name, description, unit, metadata, data)| Metric { name, description, unit, metadata, data },
    )
}

/// Log records.
pub(crate) fn logs() -> impl Strategy<Value = LogsData> {
    let scope_logs = (option::of(scope()), vec(record(), 0..4), text())
        .prop_map(|(scope, log_records, schema_url)| ScopeLogs { scope, log_records, schema_url });
    let resource_logs = (option::of(resource()), vec(scope_logs, 0..3), text())
        .prop_map(|(resource, scope_logs, schema_url)| ResourceLogs { resource, scope_logs, schema_url });
    vec(resource_logs, 0..3).prop_map(|resource_logs| LogsData { resource_logs })
}

/// Spans.
pub(crate) fn traces() -> impl Strategy<Value = TracesData> {
    let scope_spans = (option::of(scope()), vec(any_span(), 0..4), text())
        .prop_map(|(scope, spans, schema_url)| ScopeSpans { scope, spans, schema_url });
    let resource_spans = (option::of(resource()), vec(scope_spans, 0..3), text())
        .prop_map(|(resource, scope_spans, schema_url)| ResourceSpans { resource, scope_spans, schema_url });
    vec(resource_spans, 0..3).prop_map(|resource_spans| TracesData { resource_spans })
}

/// Metrics.
pub(crate) fn metrics() -> impl Strategy<Value = MetricsData> {
    let scope_metrics = (option::of(scope()), vec(metric(), 0..4), text())
        .prop_map(|(scope, metrics, schema_url)| ScopeMetrics { scope, metrics, schema_url });
    let resource_metrics = (option::of(resource()), vec(scope_metrics, 0..3), text()).prop_map(
        |(resource, scope_metrics, schema_url)| ResourceMetrics { resource, scope_metrics, schema_url },
    );
    vec(resource_metrics, 0..3).prop_map(|resource_metrics| MetricsData { resource_metrics })
}
