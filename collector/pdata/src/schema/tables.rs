//! The tables themselves, as OTLP's protobuf definitions have them.

use super::{Field, Form, Kind, Schema};
use crate::proto::logs::SeverityNumber;
use crate::proto::metrics::AggregationTemporality;
use crate::proto::trace::{span::SpanKind, status::StatusCode};

/// What fields of one type have in common.
type Type = (Kind, Form);

const TEXT: Type = (Kind::Text, Form::Text);
const TEXTS: Type = (Kind::Texts, Form::Text);
const EVENT_NAME: Type = (Kind::EventName, Form::Text);
const ID: Type = (Kind::Bytes, Form::Hex);
const BYTES: Type = (Kind::Bytes, Form::Base64);
const BOOL: Type = (Kind::Varint, Form::Bool);
const INT32: Type = (Kind::Varint, Form::I32);
const INT64: Type = (Kind::Varint, Form::I64);
const SINT32: Type = (Kind::Varint, Form::Zigzag);
const UINT32: Type = (Kind::Varint, Form::U32);
const FIXED32: Type = (Kind::Fixed32, Form::U32);
const FIXED64: Type = (Kind::Fixed64, Form::U64);
const SFIXED64: Type = (Kind::Fixed64, Form::I64);
const DOUBLE: Type = (Kind::Fixed64, Form::F64);
const FIXED64S: Type = (Kind::Fixed64s, Form::U64);
const DOUBLES: Type = (Kind::Fixed64s, Form::F64);
const UINT64S: Type = (Kind::Varints, Form::U64);
const SEVERITY: Type =
    (Kind::Varint, Form::Enum(|name| SeverityNumber::from_str_name(name).map(|number| number as i32)));
const SPAN_KIND: Type =
    (Kind::Varint, Form::Enum(|name| SpanKind::from_str_name(name).map(|number| number as i32)));
const STATUS_CODE: Type =
    (Kind::Varint, Form::Enum(|name| StatusCode::from_str_name(name).map(|number| number as i32)));
const TEMPORALITY: Type = (
    Kind::Varint,
    Form::Enum(|name| AggregationTemporality::from_str_name(name).map(|number| number as i32)),
);

const fn one(schema: &'static Schema) -> Type {
    (Kind::One(schema), Form::Object)
}

const fn many(schema: &'static Schema) -> Type {
    (Kind::Many(schema), Form::Object)
}

impl Schema {
    const fn new<const N: usize>(known: [(u32, &'static str, &'static str, Type); N]) -> Self {
        let unknown = Field { kind: Kind::Unknown, form: Form::Object, name: "", start: "" };
        let mut fields = [unknown; Self::LEN];
        let mut i = 0;
        while i < N {
            let (tag, name, start, (kind, form)) = known[i];
            fields[tag as usize] = Field { kind, form, name, start };
            i += 1;
        }
        Self { fields, items: 0, oneof: 0 }
    }

    /// A message that is an item.
    const fn item(self) -> Self {
        Self { items: 1, ..self }
    }

    /// Of these fields only one counts.
    const fn oneof<const N: usize>(mut self, tags: [u32; N]) -> Self {
        let mut i = 0;
        while i < N {
            self.oneof |= 1 << tags[i];
            i += 1;
        }
        self
    }
}

/// A message with its fields: tag, name in JSON, type.
macro_rules! schema {
    ($(($tag:literal, $name:literal, $kind:expr)),+ $(,)?) => {
        Schema::new([$(($tag, $name, concat!(",\"", $name, "\":"), $kind)),+])
    };
}

static ARRAY: Schema = schema![(1, "values", many(&ANY_VALUE))];
static KV_LIST: Schema = schema![(1, "values", many(&KEY_VALUE))];
/// `AnyValue`.
pub(crate) static ANY_VALUE: Schema = schema![
    (1, "stringValue", TEXT),
    (2, "boolValue", BOOL),
    (3, "intValue", INT64),
    (4, "doubleValue", DOUBLE),
    (5, "arrayValue", one(&ARRAY)),
    (6, "kvlistValue", one(&KV_LIST)),
    (7, "bytesValue", BYTES),
    (8, "stringValueStrindex", INT32),
]
.oneof([1, 2, 3, 4, 5, 6, 7, 8]);
/// `KeyValue`.
pub(crate) static KEY_VALUE: Schema =
    schema![(1, "key", TEXT), (2, "value", one(&ANY_VALUE)), (3, "keyStrindex", INT32)];
static SCOPE: Schema = schema![
    (1, "name", TEXT),
    (2, "version", TEXT),
    (3, "attributes", many(&KEY_VALUE)),
    (4, "droppedAttributesCount", UINT32),
];
static ENTITY: Schema =
    schema![(1, "schemaUrl", TEXT), (2, "type", TEXT), (3, "idKeys", TEXTS), (4, "descriptionKeys", TEXTS),];
/// `Resource`.
pub(crate) static RESOURCE: Schema = schema![
    (1, "attributes", many(&KEY_VALUE)),
    (2, "droppedAttributesCount", UINT32),
    (3, "entityRefs", many(&ENTITY)),
];

/// `LogRecord`.
pub(crate) static LOG_RECORD: Schema = schema![
    (1, "timeUnixNano", FIXED64),
    (2, "severityNumber", SEVERITY),
    (3, "severityText", TEXT),
    (5, "body", one(&ANY_VALUE)),
    (6, "attributes", many(&KEY_VALUE)),
    (7, "droppedAttributesCount", UINT32),
    (8, "flags", FIXED32),
    (9, "traceId", ID),
    (10, "spanId", ID),
    (11, "observedTimeUnixNano", FIXED64),
    (12, "eventName", EVENT_NAME),
]
.item();
static SCOPE_LOGS: Schema =
    schema![(1, "scope", one(&SCOPE)), (2, "logRecords", many(&LOG_RECORD)), (3, "schemaUrl", TEXT)];
static RESOURCE_LOGS: Schema =
    schema![(1, "resource", one(&RESOURCE)), (2, "scopeLogs", many(&SCOPE_LOGS)), (3, "schemaUrl", TEXT),];
/// `LogsData`.
pub(crate) static LOGS: Schema = schema![(1, "resourceLogs", many(&RESOURCE_LOGS))];

static SPAN_EVENT: Schema = schema![
    (1, "timeUnixNano", FIXED64),
    (2, "name", TEXT),
    (3, "attributes", many(&KEY_VALUE)),
    (4, "droppedAttributesCount", UINT32),
];
static LINK: Schema = schema![
    (1, "traceId", ID),
    (2, "spanId", ID),
    (3, "traceState", TEXT),
    (4, "attributes", many(&KEY_VALUE)),
    (5, "droppedAttributesCount", UINT32),
    (6, "flags", FIXED32),
];
static STATUS: Schema = schema![(2, "message", TEXT), (3, "code", STATUS_CODE)];
static SPAN: Schema = schema![
    (1, "traceId", ID),
    (2, "spanId", ID),
    (3, "traceState", TEXT),
    (4, "parentSpanId", ID),
    (5, "name", TEXT),
    (6, "kind", SPAN_KIND),
    (7, "startTimeUnixNano", FIXED64),
    (8, "endTimeUnixNano", FIXED64),
    (9, "attributes", many(&KEY_VALUE)),
    (10, "droppedAttributesCount", UINT32),
    (11, "events", many(&SPAN_EVENT)),
    (12, "droppedEventsCount", UINT32),
    (13, "links", many(&LINK)),
    (14, "droppedLinksCount", UINT32),
    (15, "status", one(&STATUS)),
    (16, "flags", FIXED32),
]
.item();
static SCOPE_SPANS: Schema =
    schema![(1, "scope", one(&SCOPE)), (2, "spans", many(&SPAN)), (3, "schemaUrl", TEXT)];
static RESOURCE_SPANS: Schema =
    schema![(1, "resource", one(&RESOURCE)), (2, "scopeSpans", many(&SCOPE_SPANS)), (3, "schemaUrl", TEXT),];
/// `TracesData`.
pub(crate) static TRACES: Schema = schema![(1, "resourceSpans", many(&RESOURCE_SPANS))];

static EXEMPLAR: Schema = schema![
    (2, "timeUnixNano", FIXED64),
    (3, "asDouble", DOUBLE),
    (4, "spanId", ID),
    (5, "traceId", ID),
    (6, "asInt", SFIXED64),
    (7, "filteredAttributes", many(&KEY_VALUE)),
]
.oneof([3, 6]);
static NUMBER_POINT: Schema = schema![
    (2, "startTimeUnixNano", FIXED64),
    (3, "timeUnixNano", FIXED64),
    (4, "asDouble", DOUBLE),
    (5, "exemplars", many(&EXEMPLAR)),
    (6, "asInt", SFIXED64),
    (7, "attributes", many(&KEY_VALUE)),
    (8, "flags", UINT32),
]
.item()
.oneof([4, 6]);
static HISTOGRAM_POINT: Schema = schema![
    (2, "startTimeUnixNano", FIXED64),
    (3, "timeUnixNano", FIXED64),
    (4, "count", FIXED64),
    (5, "sum", DOUBLE),
    (6, "bucketCounts", FIXED64S),
    (7, "explicitBounds", DOUBLES),
    (8, "exemplars", many(&EXEMPLAR)),
    (9, "attributes", many(&KEY_VALUE)),
    (10, "flags", UINT32),
    (11, "min", DOUBLE),
    (12, "max", DOUBLE),
]
.item();
static BUCKETS: Schema = schema![(1, "offset", SINT32), (2, "bucketCounts", UINT64S)];
static EXPONENTIAL_POINT: Schema = schema![
    (1, "attributes", many(&KEY_VALUE)),
    (2, "startTimeUnixNano", FIXED64),
    (3, "timeUnixNano", FIXED64),
    (4, "count", FIXED64),
    (5, "sum", DOUBLE),
    (6, "scale", SINT32),
    (7, "zeroCount", FIXED64),
    (8, "positive", one(&BUCKETS)),
    (9, "negative", one(&BUCKETS)),
    (10, "flags", UINT32),
    (11, "exemplars", many(&EXEMPLAR)),
    (12, "min", DOUBLE),
    (13, "max", DOUBLE),
    (14, "zeroThreshold", DOUBLE),
]
.item();
static QUANTILE: Schema = schema![(1, "quantile", DOUBLE), (2, "value", DOUBLE)];
static SUMMARY_POINT: Schema = schema![
    (2, "startTimeUnixNano", FIXED64),
    (3, "timeUnixNano", FIXED64),
    (4, "count", FIXED64),
    (5, "sum", DOUBLE),
    (6, "quantileValues", many(&QUANTILE)),
    (7, "attributes", many(&KEY_VALUE)),
    (8, "flags", UINT32),
]
.item();
static GAUGE: Schema = schema![(1, "dataPoints", many(&NUMBER_POINT))];
static SUM: Schema = schema![
    (1, "dataPoints", many(&NUMBER_POINT)),
    (2, "aggregationTemporality", TEMPORALITY),
    (3, "isMonotonic", BOOL),
];
static HISTOGRAM: Schema =
    schema![(1, "dataPoints", many(&HISTOGRAM_POINT)), (2, "aggregationTemporality", TEMPORALITY)];
static EXPONENTIAL: Schema =
    schema![(1, "dataPoints", many(&EXPONENTIAL_POINT)), (2, "aggregationTemporality", TEMPORALITY)];
static SUMMARY: Schema = schema![(1, "dataPoints", many(&SUMMARY_POINT))];
static METRIC: Schema = schema![
    (1, "name", TEXT),
    (2, "description", TEXT),
    (3, "unit", TEXT),
    (5, "gauge", one(&GAUGE)),
    (7, "sum", one(&SUM)),
    (9, "histogram", one(&HISTOGRAM)),
    (10, "exponentialHistogram", one(&EXPONENTIAL)),
    (11, "summary", one(&SUMMARY)),
    (12, "metadata", many(&KEY_VALUE)),
]
.oneof([5, 7, 9, 10, 11]);
static SCOPE_METRICS: Schema =
    schema![(1, "scope", one(&SCOPE)), (2, "metrics", many(&METRIC)), (3, "schemaUrl", TEXT)];
static RESOURCE_METRICS: Schema = schema![
    (1, "resource", one(&RESOURCE)),
    (2, "scopeMetrics", many(&SCOPE_METRICS)),
    (3, "schemaUrl", TEXT),
];
/// `MetricsData`.
pub(crate) static METRICS: Schema = schema![(1, "resourceMetrics", many(&RESOURCE_METRICS))];
