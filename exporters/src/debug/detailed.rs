//! The long form: every field of every item, one a line, indented.

use std::fmt::Display;

use pdata::proto::common::{InstrumentationScope, KeyValue};
use pdata::proto::logs::LogRecord;
use pdata::proto::metrics::{
    ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint, SummaryDataPoint,
    metric::Data,
};
use pdata::proto::resource::Resource;
use pdata::proto::trace::Span;
use pdata::{Batch, Timestamp};

use super::lines::number;
use super::value::{any, date_time, hex, put, text, write_text};

/// Writes everything that is in `batch`.
pub(super) fn batch(out: &mut String, batch: &Batch) {
    let mut page = Page { out };
    match batch {
        Batch::Traces(traces) => {
            for resource in &traces.message().resource_spans {
                page.resource(resource.resource.as_ref(), &resource.schema_url);
                for scope in &resource.scope_spans {
                    page.scope(scope.scope.as_ref(), &scope.schema_url);
                    scope.spans.iter().for_each(|span| page.span(span));
                }
            }
        }
        Batch::Logs(logs) => {
            for resource in &logs.message().resource_logs {
                page.resource(resource.resource.as_ref(), &resource.schema_url);
                for scope in &resource.scope_logs {
                    page.scope(scope.scope.as_ref(), &scope.schema_url);
                    scope.log_records.iter().for_each(|record| page.record(record));
                }
            }
        }
        Batch::Metrics(metrics) => {
            for resource in &metrics.message().resource_metrics {
                page.resource(resource.resource.as_ref(), &resource.schema_url);
                for scope in &resource.scope_metrics {
                    page.scope(scope.scope.as_ref(), &scope.schema_url);
                    scope.metrics.iter().for_each(|metric| page.metric(metric));
                }
            }
        }
        Batch::Events(_) => {}
    }
}

struct Page<'a> {
    out: &'a mut String,
}

impl Page<'_> {
    fn title(&mut self, indent: usize, title: &str) {
        put(self.out, format_args!("{:indent$}{title}\n", ""));
    }

    fn field(&mut self, indent: usize, name: &str, value: impl Display) {
        put(self.out, format_args!("{:indent$}{name:<14} {value}\n", ""));
    }

    fn field_unless_empty(&mut self, indent: usize, name: &str, value: &str) {
        if !value.is_empty() {
            self.field(indent, name, text(value));
        }
    }

    fn time(&mut self, indent: usize, name: &str, nanos: u64) {
        if nanos != 0 {
            self.field(indent, name, date_time(Timestamp::from_nanos(nanos)));
        }
    }

    fn attributes(&mut self, indent: usize, attributes: &[KeyValue]) {
        for attribute in attributes {
            put(self.out, format_args!("{:indent$}- ", ""));
            write_text(self.out, &attribute.key);
            put(self.out, format_args!(": {}\n", any(attribute.value.as_ref())));
        }
    }

    fn resource(&mut self, resource: Option<&Resource>, schema: &str) {
        self.title(0, "resource");
        self.field_unless_empty(2, "schema", schema);
        self.attributes(2, resource.map(|resource| resource.attributes.as_slice()).unwrap_or_default());
    }

    fn scope(&mut self, scope: Option<&InstrumentationScope>, schema: &str) {
        let Some(scope) = scope else { return };
        put(self.out, format_args!("  scope {} {}\n", text(&scope.name), text(&scope.version)));
        self.field_unless_empty(4, "schema", schema);
        self.attributes(4, &scope.attributes);
    }

    fn span(&mut self, span: &Span) {
        put(self.out, format_args!("  span {}\n", text(&span.name)));
        self.field(4, "trace id", hex(&span.trace_id));
        self.field(4, "span id", hex(&span.span_id));
        self.field_unless_empty(4, "parent id", &hex(&span.parent_span_id));
        self.field_unless_empty(4, "trace state", &span.trace_state);
        let kind = pdata::proto::trace::span::SpanKind::try_from(span.kind);
        self.field(4, "kind", kind.map_or("unknown", |kind| kind.as_str_name()));
        self.time(4, "start", span.start_time_unix_nano);
        self.time(4, "end", span.end_time_unix_nano);
        if let Some(status) = &span.status {
            let code = pdata::proto::trace::status::StatusCode::try_from(status.code);
            self.field(4, "status", code.map_or("unknown", |code| code.as_str_name()));
            self.field_unless_empty(4, "message", &status.message);
        }
        self.attributes(4, &span.attributes);
        for event in &span.events {
            put(self.out, format_args!("    event {}\n", text(&event.name)));
            self.time(6, "time", event.time_unix_nano);
            self.attributes(6, &event.attributes);
        }
        for link in &span.links {
            put(self.out, format_args!("    link {} {}\n", hex(&link.trace_id), hex(&link.span_id)));
            self.attributes(6, &link.attributes);
        }
    }

    fn record(&mut self, record: &LogRecord) {
        self.title(2, "log record");
        self.time(4, "time", record.time_unix_nano);
        self.time(4, "observed", record.observed_time_unix_nano);
        self.field_unless_empty(4, "event", &record.event_name);
        if record.severity_number != 0 || !record.severity_text.is_empty() {
            let severity = format!("{} ({})", text(&record.severity_text), record.severity_number);
            self.field(4, "severity", severity);
        }
        self.field(4, "body", any(record.body.as_ref()));
        self.field_unless_empty(4, "trace id", &hex(&record.trace_id));
        self.field_unless_empty(4, "span id", &hex(&record.span_id));
        self.attributes(4, &record.attributes);
    }

    fn metric(&mut self, metric: &Metric) {
        put(self.out, format_args!("  metric {}\n", text(&metric.name)));
        self.field_unless_empty(4, "description", &metric.description);
        self.field_unless_empty(4, "unit", &metric.unit);
        match &metric.data {
            None => self.field(4, "type", "none"),
            Some(Data::Gauge(gauge)) => {
                self.field(4, "type", "gauge");
                gauge.data_points.iter().for_each(|point| self.number(point));
            }
            Some(Data::Sum(sum)) => {
                self.field(4, "type", if sum.is_monotonic { "sum, monotonic" } else { "sum" });
                self.field(4, "temporality", temporality(sum.aggregation_temporality));
                sum.data_points.iter().for_each(|point| self.number(point));
            }
            Some(Data::Histogram(histogram)) => {
                self.field(4, "type", "histogram");
                self.field(4, "temporality", temporality(histogram.aggregation_temporality));
                histogram.data_points.iter().for_each(|point| self.histogram(point));
            }
            Some(Data::ExponentialHistogram(histogram)) => {
                self.field(4, "type", "exponential histogram");
                self.field(4, "temporality", temporality(histogram.aggregation_temporality));
                histogram.data_points.iter().for_each(|point| self.exponential(point));
            }
            Some(Data::Summary(summary)) => {
                self.field(4, "type", "summary");
                summary.data_points.iter().for_each(|point| self.summary(point));
            }
        }
    }

    fn point(&mut self, attributes: &[KeyValue], start: u64, time: u64) {
        self.title(4, "point");
        self.attributes(6, attributes);
        self.time(6, "start", start);
        self.time(6, "time", time);
    }

    fn distribution(&mut self, count: u64, sum: Option<f64>, min: Option<f64>, max: Option<f64>) {
        self.field(6, "count", count);
        for (name, value) in [("sum", sum), ("min", min), ("max", max)] {
            if let Some(value) = value {
                self.field(6, name, value);
            }
        }
    }

    fn number(&mut self, point: &NumberDataPoint) {
        self.point(&point.attributes, point.start_time_unix_nano, point.time_unix_nano);
        self.field(6, "value", number(point.value.as_ref()));
    }

    fn histogram(&mut self, point: &HistogramDataPoint) {
        self.point(&point.attributes, point.start_time_unix_nano, point.time_unix_nano);
        self.distribution(point.count, point.sum, point.min, point.max);
        self.field(6, "bounds", format_args!("{:?}", point.explicit_bounds));
        self.field(6, "buckets", format_args!("{:?}", point.bucket_counts));
    }

    fn exponential(&mut self, point: &ExponentialHistogramDataPoint) {
        self.point(&point.attributes, point.start_time_unix_nano, point.time_unix_nano);
        self.distribution(point.count, point.sum, point.min, point.max);
        self.field(6, "scale", point.scale);
        self.field(6, "zeros", point.zero_count);
        for (name, buckets) in [("positive", &point.positive), ("negative", &point.negative)] {
            if let Some(buckets) = buckets {
                self.field(6, name, format_args!("from {} {:?}", buckets.offset, buckets.bucket_counts));
            }
        }
    }

    fn summary(&mut self, point: &SummaryDataPoint) {
        self.point(&point.attributes, point.start_time_unix_nano, point.time_unix_nano);
        self.distribution(point.count, Some(point.sum), None, None);
        for quantile in &point.quantile_values {
            self.field(6, "quantile", format_args!("{} {}", quantile.quantile, quantile.value));
        }
    }
}

const fn temporality(code: i32) -> &'static str {
    match code {
        1 => "delta",
        2 => "cumulative",
        _ => "unspecified",
    }
}
