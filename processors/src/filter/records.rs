//! The variables of a condition: what a span, a log record, a metric, a data point and a span event have.

use cel::common::value::CowVal;
use cel::context::VariableResolver;
use pdata::Timestamp;
use pdata::view::{
    Attributes, ExponentialHistogramPointView, HistogramPointView, LogRecordView, MetricKind, MetricView,
    NumberPointView, NumberValue, ResourceView, ScopeView, SpanEventView, SpanView, SummaryPointView,
};

use super::values::{Boxed, MapVal, any, boolean, double, duration, hex, int, string, time};

/// What a condition is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// A span.
    Span,
    /// An event of a span.
    SpanEvent,
    /// A metric with all of its points.
    Metric,
    /// One data point.
    Point,
    /// A log record.
    Log,
}

impl Subject {
    /// The record's own variables.
    const fn own(self) -> &'static [&'static str] {
        match self {
            Self::Span => &[
                "trace_id",
                "span_id",
                "parent_span_id",
                "trace_state",
                "name",
                "kind",
                "status",
                "start_time",
                "end_time",
                "duration",
                "attributes",
                "event_count",
                "link_count",
            ],
            Self::SpanEvent => &["name", "time", "attributes"],
            Self::Metric => {
                &["name", "description", "unit", "type", "aggregation_temporality", "is_monotonic"]
            }
            Self::Point => &["attributes", "time", "start_time", "flags", "value", "count", "sum"],
            Self::Log => &[
                "time",
                "observed_time",
                "severity_number",
                "severity_text",
                "body",
                "event_name",
                "trace_id",
                "span_id",
                "flags",
                "attributes",
            ],
        }
    }

    /// The records that can be named: the record itself, and what it belongs to.
    const fn named(self) -> &'static [&'static str] {
        match self {
            Self::Span => &["resource", "scope", "span"],
            Self::SpanEvent => &["resource", "scope", "span", "spanevent"],
            Self::Metric => &["resource", "scope", "metric"],
            Self::Point => &["resource", "scope", "metric", "datapoint"],
            Self::Log => &["resource", "scope", "log"],
        }
    }

    /// Every variable there is.
    pub(super) fn variables(self) -> impl Iterator<Item = &'static str> {
        self.own().iter().chain(self.named()).copied()
    }
}

/// A data point of any kind.
#[derive(Clone, Copy, Debug)]
pub(super) enum PointView<'a> {
    /// Of a gauge or a sum.
    Number(NumberPointView<'a>),
    /// Of a histogram.
    Histogram(HistogramPointView<'a>),
    /// Of an exponential histogram.
    Exponential(ExponentialHistogramPointView<'a>),
    /// Of a summary.
    Summary(SummaryPointView<'a>),
}

macro_rules! of_every_point {
    ($view:expr, $point:ident => $value:expr) => {
        match $view {
            PointView::Number($point) => $value,
            PointView::Histogram($point) => $value,
            PointView::Exponential($point) => $value,
            PointView::Summary($point) => $value,
        }
    };
}

impl<'a> PointView<'a> {
    /// The points of a metric, in order.
    pub(super) fn of(metric: MetricView<'a>) -> impl Iterator<Item = Self> {
        let numbers = metric.number_points().map(Self::Number);
        let histograms = metric.histogram_points().map(Self::Histogram);
        let exponentials = metric.exponential_histogram_points().map(Self::Exponential);
        let summaries = metric.summary_points().map(Self::Summary);
        numbers.chain(histograms).chain(exponentials).chain(summaries)
    }

    fn attributes(self) -> Attributes<'a> {
        of_every_point!(self, point => point.attributes())
    }

    fn time(self) -> Timestamp {
        of_every_point!(self, point => point.time())
    }

    fn start_time(self) -> Timestamp {
        of_every_point!(self, point => point.start_time())
    }

    fn flags(self) -> u32 {
        of_every_point!(self, point => point.flags())
    }

    fn value(self) -> Option<Boxed<'a>> {
        match self {
            Self::Number(point) => point.value().map(|value| match value {
                NumberValue::Int(value) => int(value),
                NumberValue::Double(value) => double(value),
            }),
            Self::Histogram(_) | Self::Exponential(_) | Self::Summary(_) => None,
        }
    }

    fn count(self) -> Option<Boxed<'a>> {
        let count = match self {
            Self::Number(_) => return None,
            Self::Histogram(point) => point.count(),
            Self::Exponential(point) => point.count(),
            Self::Summary(point) => point.count(),
        };
        Some(int(i64::try_from(count).unwrap_or(i64::MAX)))
    }

    fn sum(self) -> Option<Boxed<'a>> {
        match self {
            Self::Number(_) => None,
            Self::Histogram(point) => point.sum().map(double),
            Self::Exponential(point) => point.sum().map(double),
            Self::Summary(point) => Some(double(point.sum())),
        }
    }
}

/// Something with named fields.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fields<'a> {
    Attributes(Attributes<'a>),
    Resource(ResourceView<'a>),
    Scope(ScopeView<'a>),
    Span(SpanView<'a>),
    Status(SpanView<'a>),
    SpanEvent(SpanEventView<'a>),
    Metric(MetricView<'a>),
    Point(PointView<'a>),
    Log(LogRecordView<'a>),
}

impl<'a> Fields<'a> {
    /// The field `name`, if there is one.
    pub(super) fn get(self, name: &str) -> Option<Boxed<'a>> {
        match self {
            Self::Attributes(attributes) => attributes.get(name).map(any),
            Self::Resource(resource) if name == "attributes" => map(resource.attributes()),
            // `resource["service.name"]` for short.
            Self::Resource(resource) => resource.attribute(name).map(any),
            Self::Scope(scope) => match name {
                "name" => Some(string(scope.name())),
                "version" => Some(string(scope.version())),
                "attributes" => map(scope.attributes()),
                _ => None,
            },
            Self::Span(span) => span_field(span, name),
            Self::Status(span) => match name {
                "code" => Some(int(span.status_code_number().into())),
                "message" => Some(string(span.status_message())),
                _ => None,
            },
            Self::SpanEvent(event) => match name {
                "name" => Some(string(event.name())),
                "time" => Some(time(event.time())),
                "attributes" => map(event.attributes()),
                _ => None,
            },
            Self::Metric(metric) => metric_field(metric, name),
            Self::Point(point) => match name {
                "attributes" => map(point.attributes()),
                "time" => Some(time(point.time())),
                "start_time" => Some(time(point.start_time())),
                "flags" => Some(int(point.flags().into())),
                "value" => point.value(),
                "count" => point.count(),
                "sum" => point.sum(),
                _ => None,
            },
            Self::Log(log) => log_field(log, name),
        }
    }

    /// The keys of a map of attributes; other fields are known and not enumerated.
    pub(super) fn keys(self) -> impl Iterator<Item = &'a str> {
        let attributes = match self {
            Self::Attributes(attributes) => Some(attributes),
            Self::Resource(resource) => Some(resource.attributes()),
            _ => None,
        };
        attributes.into_iter().flatten().map(|(key, _)| key)
    }
}

fn map<'a>(attributes: Attributes<'a>) -> Option<Boxed<'a>> {
    Some(Box::new(MapVal::attributes(attributes)))
}

fn span_field<'a>(span: SpanView<'a>, name: &str) -> Option<Boxed<'a>> {
    Some(match name {
        "trace_id" => hex(span.trace_id()),
        "span_id" => hex(span.span_id()),
        "parent_span_id" => hex(span.parent_span_id()),
        "trace_state" => string(span.trace_state()),
        "name" => string(span.name()),
        "kind" => int(span.kind_number().into()),
        "status" => Box::new(MapVal::new(Fields::Status(span))),
        "start_time" => time(span.start()),
        "end_time" => time(span.end()),
        "duration" => duration(span.duration()),
        "attributes" => return map(span.attributes()),
        "event_count" => int(i64::try_from(span.events().count()).unwrap_or(i64::MAX)),
        "link_count" => int(i64::try_from(span.links().count()).unwrap_or(i64::MAX)),
        _ => return None,
    })
}

fn metric_field<'a>(metric: MetricView<'a>, name: &str) -> Option<Boxed<'a>> {
    Some(match name {
        "name" => string(metric.name()),
        "description" => string(metric.description()),
        "unit" => string(metric.unit()),
        "type" => int(match metric.kind() {
            MetricKind::Empty => 0,
            MetricKind::Gauge => 1,
            MetricKind::Sum => 2,
            MetricKind::Histogram => 3,
            MetricKind::ExponentialHistogram => 4,
            MetricKind::Summary => 5,
        }),
        "aggregation_temporality" => int(metric.temporality_number().into()),
        "is_monotonic" => boolean(metric.is_monotonic()),
        _ => return None,
    })
}

fn log_field<'a>(log: LogRecordView<'a>, name: &str) -> Option<Boxed<'a>> {
    Some(match name {
        "time" => time(log.time()),
        "observed_time" => time(log.observed_time()),
        "severity_number" => int(log.severity_number().into()),
        "severity_text" => string(log.severity_text()),
        "body" => any(log.body()),
        "event_name" => string(log.event_name()),
        "trace_id" => hex(log.trace_id()),
        "span_id" => hex(log.span_id()),
        "flags" => int(log.flags().into()),
        "attributes" => return map(log.attributes()),
        _ => return None,
    })
}

/// Everything that a condition can see of one record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visible<'a> {
    /// Who sent it.
    pub(super) resource: ResourceView<'a>,
    /// Which library recorded it.
    pub(super) scope: ScopeView<'a>,
    /// What it belongs to, by its name in conditions: a point's metric, an event's span.
    pub(super) parent: Option<(&'static str, Fields<'a>)>,
    /// The record's name in conditions.
    pub(super) name: &'static str,
    /// The record.
    pub(super) record: Fields<'a>,
}

impl VariableResolver for Visible<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let whole = |fields| -> Boxed<'b> { Box::new(MapVal::new(fields)) };
        let value = match variable {
            "resource" => whole(Fields::Resource(self.resource)),
            "scope" => whole(Fields::Scope(self.scope)),
            _ if variable == self.name => whole(self.record),
            _ => match self.parent {
                Some((name, parent)) if variable == name => whole(parent),
                _ => match constant(variable) {
                    Some(number) => int(number),
                    None => self.record.get(variable)?,
                },
            },
        };
        Some(CowVal::Owned(value))
    }
}

/// OTLP's enumerations under their names.
pub(super) fn constant(name: &str) -> Option<i64> {
    const SEVERITIES: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
    if let Some(severity) = name.strip_prefix("SEVERITY_NUMBER_") {
        let (word, step) = match severity.strip_suffix(['2', '3', '4']) {
            Some(word) => (word, i64::from(severity.as_bytes().last()? - b'1')),
            None => (severity, 0),
        };
        return match SEVERITIES.iter().position(|known| *known == word) {
            Some(level) => Some(i64::try_from(level).ok()? * 4 + 1 + step),
            None => (severity == "UNSPECIFIED").then_some(0),
        };
    }
    let names: &[&str] = &[
        "SPAN_KIND_UNSPECIFIED",
        "SPAN_KIND_INTERNAL",
        "SPAN_KIND_SERVER",
        "SPAN_KIND_CLIENT",
        "SPAN_KIND_PRODUCER",
        "SPAN_KIND_CONSUMER",
    ];
    let others: [&[&str]; 3] = [
        &["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"],
        &[
            "AGGREGATION_TEMPORALITY_UNSPECIFIED",
            "AGGREGATION_TEMPORALITY_DELTA",
            "AGGREGATION_TEMPORALITY_CUMULATIVE",
        ],
        &[
            "METRIC_DATA_TYPE_NONE",
            "METRIC_DATA_TYPE_GAUGE",
            "METRIC_DATA_TYPE_SUM",
            "METRIC_DATA_TYPE_HISTOGRAM",
            "METRIC_DATA_TYPE_EXPONENTIAL_HISTOGRAM",
            "METRIC_DATA_TYPE_SUMMARY",
        ],
    ];
    let lists = std::iter::once(names).chain(others);
    lists
        .filter_map(|list| list.iter().position(|known| *known == name))
        .next()
        .and_then(|n| i64::try_from(n).ok())
}
