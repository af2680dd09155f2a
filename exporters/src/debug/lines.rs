//! The short forms: one line for a batch, or one line for each item.

use pdata::proto::metrics::{Metric, metric::Data, number_data_point::Value};
use pdata::proto::trace::Span;
use pdata::{Batch, Timestamp};

use super::style::{Paint, Style};
use super::value::{any, date_time, hex, put, write_pairs, write_text};

/// One line that says how much there is.
pub(super) fn summary(out: &mut String, batch: &Batch, style: Style) {
    let counts = match batch {
        Batch::Traces(traces) => {
            format!("resource spans: {}, spans: {}", traces.message().resource_spans.len(), traces.items())
        }
        Batch::Logs(logs) => {
            format!("resource logs: {}, log records: {}", logs.message().resource_logs.len(), logs.items())
        }
        Batch::Metrics(metrics) => {
            let resources = &metrics.message().resource_metrics;
            let count: usize = resources.iter().flat_map(|r| &r.scope_metrics).map(|s| s.metrics.len()).sum();
            format!(
                "resource metrics: {}, metrics: {count}, data points: {}",
                resources.len(),
                metrics.items()
            )
        }
        Batch::Events(events) => format!("events: {}", events.len()),
    };
    put(
        out,
        format_args!("{} {counts}\n", style.paint(Paint::Name, format_args!("{:<8}", batch.signal().name()))),
    );
}

/// One line for each item.
pub(super) fn items(out: &mut String, batch: &Batch, style: Style) {
    match batch {
        Batch::Traces(traces) => {
            for resource in &traces.message().resource_spans {
                let attributes = resource.resource.as_ref().map(|resource| resource.attributes.as_slice());
                header(out, batch, attributes.unwrap_or_default(), style);
                resource.scope_spans.iter().flat_map(|scope| &scope.spans).for_each(|s| span(out, s));
            }
        }
        Batch::Logs(logs) => {
            for resource in &logs.message().resource_logs {
                let attributes = resource.resource.as_ref().map(|resource| resource.attributes.as_slice());
                header(out, batch, attributes.unwrap_or_default(), style);
                for record in resource.scope_logs.iter().flat_map(|scope| &scope.log_records) {
                    put(out, format_args!("  {}", date_time(record_time(record))));
                    if !record.severity_text.is_empty() {
                        out.push(' ');
                        write_text(out, &record.severity_text);
                    }
                    out.push(' ');
                    out.push_str(&any(record.body.as_ref()));
                    write_pairs(out, &record.attributes);
                    out.push('\n');
                }
            }
        }
        Batch::Metrics(metrics) => {
            for resource in &metrics.message().resource_metrics {
                let attributes = resource.resource.as_ref().map(|resource| resource.attributes.as_slice());
                header(out, batch, attributes.unwrap_or_default(), style);
                resource.scope_metrics.iter().flat_map(|scope| &scope.metrics).for_each(|m| metric(out, m));
            }
        }
        Batch::Events(_) => {}
    }
}

/// The time of a record, or the time when it was seen.
fn record_time(record: &pdata::proto::logs::LogRecord) -> Timestamp {
    let time =
        if record.time_unix_nano == 0 { record.observed_time_unix_nano } else { record.time_unix_nano };
    Timestamp::from_nanos(time)
}

fn header(out: &mut String, batch: &Batch, attributes: &[pdata::proto::common::KeyValue], style: Style) {
    put(out, style.paint(Paint::Name, format_args!("{:<8}", batch.signal().name())));
    let mut pairs = String::new();
    write_pairs(&mut pairs, attributes);
    put(out, format_args!("{}\n", style.paint(Paint::Dim, pairs)));
}

fn span(out: &mut String, span: &Span) {
    let start = Timestamp::from_nanos(span.start_time_unix_nano);
    let took = Timestamp::from_nanos(span.end_time_unix_nano).since(start);
    put(out, format_args!("  {} ", date_time(start)));
    write_text(out, &span.name);
    put(out, format_args!(" {took:?} {} {}", hex(&span.trace_id), hex(&span.span_id)));
    if let Some(status) = span.status.as_ref().filter(|status| status.code == 2) {
        out.push_str(" error");
        if !status.message.is_empty() {
            out.push_str(": ");
            write_text(out, &status.message);
        }
    }
    write_pairs(out, &span.attributes);
    out.push('\n');
}

fn metric(out: &mut String, metric: &Metric) {
    let mut point = |attributes: &[pdata::proto::common::KeyValue], value: String| {
        out.push_str("  ");
        write_text(out, &metric.name);
        write_pairs(out, attributes);
        out.push(' ');
        out.push_str(&value);
        if !metric.unit.is_empty() {
            out.push(' ');
            write_text(out, &metric.unit);
        }
        out.push('\n');
    };
    match &metric.data {
        None => {}
        Some(Data::Gauge(gauge)) => {
            gauge.data_points.iter().for_each(|p| point(&p.attributes, number(p.value.as_ref())));
        }
        Some(Data::Sum(sum)) => {
            sum.data_points.iter().for_each(|p| point(&p.attributes, number(p.value.as_ref())));
        }
        Some(Data::Histogram(histogram)) => {
            for p in &histogram.data_points {
                point(&p.attributes, distribution(p.count, p.sum, p.min, p.max));
            }
        }
        Some(Data::ExponentialHistogram(histogram)) => {
            for p in &histogram.data_points {
                point(&p.attributes, distribution(p.count, p.sum, p.min, p.max));
            }
        }
        Some(Data::Summary(summary)) => {
            for p in &summary.data_points {
                let mut value = distribution(p.count, Some(p.sum), None, None);
                for q in &p.quantile_values {
                    put(&mut value, format_args!(" q{}={}", q.quantile, q.value));
                }
                point(&p.attributes, value);
            }
        }
    }
}

/// A point's value; `none` if the series has ended (no recorded value).
pub(super) fn number(value: Option<&Value>) -> String {
    match value {
        None => "none".to_owned(),
        Some(Value::AsDouble(value)) => value.to_string(),
        Some(Value::AsInt(value)) => value.to_string(),
    }
}

fn distribution(count: u64, sum: Option<f64>, min: Option<f64>, max: Option<f64>) -> String {
    let mut out = format!("count={count}");
    for (name, value) in [("sum", sum), ("min", min), ("max", max)] {
        if let Some(value) = value {
            put(&mut out, format_args!(" {name}={value}"));
        }
    }
    out
}
