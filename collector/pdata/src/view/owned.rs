//! Rebuilds messages from views, to compare them with what prost decodes.

use super::{
    Attributes, BucketsView, ExemplarView, ExponentialHistogramPointView, HistogramPointView, LogRecordView,
    LogsView, MetricKind, MetricView, MetricsView, NumberPointView, NumberValue, ResourceView, ScopeView,
    SpanView, SummaryPointView, TracesView,
};
use crate::proto::common::InstrumentationScope;
use crate::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use crate::proto::metrics::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
    Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint,
    exemplar, exponential_histogram_data_point::Buckets, metric::Data, number_data_point,
    summary_data_point::ValueAtQuantile,
};
use crate::proto::resource::Resource;
use crate::proto::trace::{ResourceSpans, ScopeSpans, Span, Status, TracesData, span};

fn attributes(attributes: Attributes<'_>) -> Vec<crate::proto::common::KeyValue> {
    attributes.to_owned()
}

fn resource(view: ResourceView<'_>) -> Resource {
    Resource {
        attributes: attributes(view.attributes()),
        dropped_attributes_count: view.dropped_attributes_count(),
        // No reader needs entity references; they pass through as bytes.
        entity_refs: Vec::new(),
    }
}

fn scope(view: ScopeView<'_>) -> InstrumentationScope {
    InstrumentationScope {
        name: view.name().to_owned(),
        version: view.version().to_owned(),
        attributes: attributes(view.attributes()),
        dropped_attributes_count: view.dropped_attributes_count(),
    }
}

pub(crate) fn logs(view: LogsView<'_>) -> LogsData {
    let group = |group: super::ScopeLogsView<'_>| ScopeLogs {
        scope: group.has_scope().then(|| scope(group.scope())),
        log_records: group.records().map(record).collect(),
        schema_url: group.schema_url().to_owned(),
    };
    let resources = view.resources().map(|outer| ResourceLogs {
        resource: outer.has_resource().then(|| resource(outer.resource())),
        scope_logs: outer.scopes().map(group).collect(),
        schema_url: outer.schema_url().to_owned(),
    });
    LogsData { resource_logs: resources.collect() }
}

pub(crate) fn traces(view: TracesView<'_>) -> TracesData {
    let group = |group: super::ScopeSpansView<'_>| ScopeSpans {
        scope: group.has_scope().then(|| scope(group.scope())),
        spans: group.spans().map(any_span).collect(),
        schema_url: group.schema_url().to_owned(),
    };
    let resources = view.resources().map(|outer| ResourceSpans {
        resource: outer.has_resource().then(|| resource(outer.resource())),
        scope_spans: outer.scopes().map(group).collect(),
        schema_url: outer.schema_url().to_owned(),
    });
    TracesData { resource_spans: resources.collect() }
}

pub(crate) fn metrics(view: MetricsView<'_>) -> MetricsData {
    let group = |group: super::ScopeMetricsView<'_>| ScopeMetrics {
        scope: group.has_scope().then(|| scope(group.scope())),
        metrics: group.metrics().map(metric).collect(),
        schema_url: group.schema_url().to_owned(),
    };
    let resources = view.resources().map(|outer| ResourceMetrics {
        resource: outer.has_resource().then(|| resource(outer.resource())),
        scope_metrics: outer.scopes().map(group).collect(),
        schema_url: outer.schema_url().to_owned(),
    });
    MetricsData { resource_metrics: resources.collect() }
}

fn record(view: LogRecordView<'_>) -> LogRecord {
    LogRecord {
        time_unix_nano: view.time().as_nanos(),
        observed_time_unix_nano: view.observed_time().as_nanos(),
        severity_number: view.severity_number(),
        severity_text: view.severity_text().to_owned(),
        body: view.has_body().then(|| view.body().to_owned()),
        attributes: attributes(view.attributes()),
        dropped_attributes_count: view.dropped_attributes_count(),
        flags: view.flags(),
        trace_id: view.trace_id().to_vec(),
        span_id: view.span_id().to_vec(),
        event_name: view.event_name().to_owned(),
    }
}

fn any_span(view: SpanView<'_>) -> Span {
    Span {
        trace_id: view.trace_id().to_vec(),
        span_id: view.span_id().to_vec(),
        trace_state: view.trace_state().to_owned(),
        parent_span_id: view.parent_span_id().to_vec(),
        flags: view.flags(),
        name: view.name().to_owned(),
        kind: view.kind_number(),
        start_time_unix_nano: view.start().as_nanos(),
        end_time_unix_nano: view.end().as_nanos(),
        attributes: attributes(view.attributes()),
        dropped_attributes_count: view.dropped_attributes_count(),
        events: view
            .events()
            .map(|event| span::Event {
                time_unix_nano: event.time().as_nanos(),
                name: event.name().to_owned(),
                attributes: attributes(event.attributes()),
                dropped_attributes_count: event.dropped_attributes_count(),
            })
            .collect(),
        dropped_events_count: view.dropped_events_count(),
        links: view
            .links()
            .map(|link| span::Link {
                trace_id: link.trace_id().to_vec(),
                span_id: link.span_id().to_vec(),
                trace_state: link.trace_state().to_owned(),
                attributes: attributes(link.attributes()),
                dropped_attributes_count: link.dropped_attributes_count(),
                flags: link.flags(),
            })
            .collect(),
        dropped_links_count: view.dropped_links_count(),
        status: view
            .has_status()
            .then(|| Status { message: view.status_message().to_owned(), code: view.status_code_number() }),
    }
}

fn metric(view: MetricView<'_>) -> Metric {
    let aggregation_temporality = view.temporality_number();
    let data = match view.kind() {
        MetricKind::Empty => None,
        MetricKind::Gauge => {
            Some(Data::Gauge(Gauge { data_points: view.number_points().map(number_point).collect() }))
        }
        MetricKind::Sum => Some(Data::Sum(Sum {
            data_points: view.number_points().map(number_point).collect(),
            aggregation_temporality,
            is_monotonic: view.is_monotonic(),
        })),
        MetricKind::Histogram => Some(Data::Histogram(Histogram {
            data_points: view.histogram_points().map(histogram_point).collect(),
            aggregation_temporality,
        })),
        MetricKind::ExponentialHistogram => Some(Data::ExponentialHistogram(ExponentialHistogram {
            data_points: view.exponential_histogram_points().map(exponential_point).collect(),
            aggregation_temporality,
        })),
        MetricKind::Summary => {
            Some(Data::Summary(Summary { data_points: view.summary_points().map(summary_point).collect() }))
        }
    };
    Metric {
        name: view.name().to_owned(),
        description: view.description().to_owned(),
        unit: view.unit().to_owned(),
        metadata: attributes(view.metadata()),
        data,
    }
}

fn number_point(view: NumberPointView<'_>) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes(view.attributes()),
        start_time_unix_nano: view.start_time().as_nanos(),
        time_unix_nano: view.time().as_nanos(),
        exemplars: view.exemplars().map(exemplar).collect(),
        flags: view.flags(),
        value: view.value().map(|value| match value {
            NumberValue::Int(number) => number_data_point::Value::AsInt(number),
            NumberValue::Double(number) => number_data_point::Value::AsDouble(number),
        }),
    }
}

fn histogram_point(view: HistogramPointView<'_>) -> HistogramDataPoint {
    HistogramDataPoint {
        attributes: attributes(view.attributes()),
        start_time_unix_nano: view.start_time().as_nanos(),
        time_unix_nano: view.time().as_nanos(),
        count: view.count(),
        sum: view.sum(),
        bucket_counts: view.bucket_counts().collect(),
        explicit_bounds: view.explicit_bounds().collect(),
        exemplars: view.exemplars().map(exemplar).collect(),
        flags: view.flags(),
        min: view.min(),
        max: view.max(),
    }
}

fn exponential_point(view: ExponentialHistogramPointView<'_>) -> ExponentialHistogramDataPoint {
    let buckets = |buckets: BucketsView<'_>| Buckets {
        offset: buckets.offset(),
        bucket_counts: buckets.bucket_counts().collect(),
    };
    ExponentialHistogramDataPoint {
        attributes: attributes(view.attributes()),
        start_time_unix_nano: view.start_time().as_nanos(),
        time_unix_nano: view.time().as_nanos(),
        count: view.count(),
        sum: view.sum(),
        scale: view.scale(),
        zero_count: view.zero_count(),
        positive: view.positive().map(buckets),
        negative: view.negative().map(buckets),
        flags: view.flags(),
        exemplars: view.exemplars().map(exemplar).collect(),
        min: view.min(),
        max: view.max(),
        zero_threshold: view.zero_threshold(),
    }
}

fn summary_point(view: SummaryPointView<'_>) -> SummaryDataPoint {
    SummaryDataPoint {
        attributes: attributes(view.attributes()),
        start_time_unix_nano: view.start_time().as_nanos(),
        time_unix_nano: view.time().as_nanos(),
        count: view.count(),
        sum: view.sum(),
        quantile_values: view
            .quantiles()
            .map(|(quantile, value)| ValueAtQuantile { quantile, value })
            .collect(),
        flags: view.flags(),
    }
}

fn exemplar(view: ExemplarView<'_>) -> Exemplar {
    Exemplar {
        filtered_attributes: attributes(view.attributes()),
        time_unix_nano: view.time().as_nanos(),
        span_id: view.span_id().to_vec(),
        trace_id: view.trace_id().to_vec(),
        value: view.value().map(|value| match value {
            NumberValue::Int(number) => exemplar::Value::AsInt(number),
            NumberValue::Double(number) => exemplar::Value::AsDouble(number),
        }),
    }
}
