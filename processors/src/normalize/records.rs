//! What is put right on single records: times, severities, names of attributes.
//!
//! A first look at the borrowed views says whether anything is wrong at all; only then are structs built.

use pdata::proto::common::{AnyValue, KeyValue, any_value::Value};
use pdata::proto::logs::LogRecord;
use pdata::proto::metrics::{Metric, metric::Data};
use pdata::proto::trace::Span;
use pdata::view::{Attributes, LogRecordView, MetricView, SpanView};

use super::conventions::{self, Side};
use super::times::{Fault, Judge, scale};

/// What to put right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Repair {
    /// `Some` if times are judged.
    pub(super) judge: Option<Judge>,
    /// Whether severities get their numbers.
    pub(super) severity: bool,
    /// Whether attributes get today's names.
    pub(super) conventions: bool,
}

/// How much was put right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Repaired {
    pub(super) missing_times: u64,
    pub(super) scaled_times: u64,
    pub(super) future_times: u64,
    pub(super) severities: u64,
    pub(super) renamed: u64,
}

impl Repaired {
    fn fault(&mut self, fault: Option<Fault>) {
        match fault {
            Some(Fault::Missing) => self.missing_times += 1,
            Some(Fault::Unit) => self.scaled_times += 1,
            Some(Fault::Future) => self.future_times += 1,
            None => {}
        }
    }
}

/// The older name of `network.transport`, whose values have changed too.
const OLD_TRANSPORT: &str = "net.transport";

impl Repair {
    fn is_old(&self, attributes: Attributes<'_>, side: Side) -> bool {
        let old_transport =
            || attributes.get(OLD_TRANSPORT).is_some() && attributes.get("network.transport").is_none();
        self.conventions && (conventions::is_old(attributes, side) || old_transport())
    }

    fn rename(&self, attributes: &mut [KeyValue], side: Side, done: &mut Repaired) {
        if !self.conventions {
            return;
        }
        done.renamed += conventions::rename(attributes, side);
        if crate::values::has(attributes, "network.transport") {
            return;
        }
        if let Some(attribute) = attributes.iter_mut().find(|attribute| attribute.key == OLD_TRANSPORT) {
            "network.transport".clone_into(&mut attribute.key);
            let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
            if let Some(text) = value.and_then(conventions::transport) {
                attribute.value = Some(AnyValue { value: Some(Value::StringValue(text.to_owned())) });
            }
            done.renamed += 1;
        }
    }

    fn wrong(&self, nanos: u64, fallbacks: &[u64]) -> bool {
        self.judge.is_some_and(|judge| judge.judge(nanos, fallbacks).1.is_some())
    }

    fn time(&self, nanos: &mut u64, fallbacks: &[u64], done: &mut Repaired) {
        let Some(judge) = self.judge else { return };
        let (time, fault) = judge.judge(*nanos, fallbacks);
        *nanos = time;
        done.fault(fault);
    }

    /// Puts a time right that may be missing.
    fn optional_time(&self, nanos: &mut u64, done: &mut Repaired) {
        let Some(judge) = self.judge else { return };
        let (time, fault) = judge.judge_known(*nanos);
        *nanos = time;
        done.fault(fault);
    }

    fn optional_wrong(&self, nanos: u64) -> bool {
        self.judge.is_some_and(|judge| judge.judge_known(nanos).1.is_some())
    }

    /// Whether there is anything to put right.
    pub(super) fn needs_log(&self, log: LogRecordView<'_>) -> bool {
        let observed = log.observed_time().as_nanos();
        self.wrong(log.time().as_nanos(), &[observed])
            || self.optional_wrong(observed)
            || (self.severity
                && log.severity_number() == 0
                && conventions::severity(log.severity_text()).is_some())
            || self.is_old(log.attributes(), Side::Unknown)
    }

    /// Puts a log record right.
    pub(super) fn log(&self, log: &mut LogRecord, done: &mut Repaired) {
        self.optional_time(&mut log.observed_time_unix_nano, done);
        self.time(&mut log.time_unix_nano, &[log.observed_time_unix_nano], done);
        if self.severity
            && log.severity_number == 0
            && let Some(number) = conventions::severity(&log.severity_text)
        {
            log.severity_number = number;
            done.severities += 1;
        }
        self.rename(&mut log.attributes, Side::Unknown, done);
    }

    /// Whether there is anything to put right.
    pub(super) fn needs_span(&self, span: SpanView<'_>) -> bool {
        let (start, end) = (span.start().as_nanos(), span.end().as_nanos());
        self.wrong(start, &[end])
            || self.wrong(end, &[start])
            || self.is_old(span.attributes(), Side::of_span(span.kind_number()))
            || (self.judge.is_some()
                && span.events().any(|event| self.optional_wrong(event.time().as_nanos())))
    }

    /// Puts a span right.
    pub(super) fn span(&self, span: &mut Span, done: &mut Repaired) {
        if let Some(judge) = self.judge {
            let (start, end) = (scale(span.start_time_unix_nano), scale(span.end_time_unix_nano));
            if judge.is_future(end) && start != 0 && start <= end {
                // A clock that is wrong is wrong about both: the duration is still right.
                span.end_time_unix_nano = judge.now.as_nanos();
                span.start_time_unix_nano = judge.now.as_nanos().saturating_sub(end - start);
                done.future_times += 1;
            } else {
                let (before_start, before_end) = (span.start_time_unix_nano, span.end_time_unix_nano);
                self.time(&mut span.start_time_unix_nano, &[before_end], done);
                self.time(&mut span.end_time_unix_nano, &[before_start], done);
            }
        }
        for event in &mut span.events {
            self.optional_time(&mut event.time_unix_nano, done);
        }
        self.rename(&mut span.attributes, Side::of_span(span.kind), done);
    }

    /// Whether there is anything to put right.
    pub(super) fn needs_metric(&self, metric: MetricView<'_>) -> bool {
        let side = side_of_metric(metric.name());
        macro_rules! any {
            ($points:expr) => {
                $points.any(|point| {
                    self.wrong(point.time().as_nanos(), &[])
                        || self.optional_wrong(point.start_time().as_nanos())
                        || self.is_old(point.attributes(), side)
                })
            };
        }
        any!(metric.number_points())
            || any!(metric.histogram_points())
            || any!(metric.exponential_histogram_points())
            || any!(metric.summary_points())
    }

    /// Puts a metric's points right.
    pub(super) fn metric(&self, metric: &mut Metric, done: &mut Repaired) {
        let side = side_of_metric(&metric.name);
        macro_rules! each {
            ($data:expr) => {
                for point in &mut $data.data_points {
                    self.time(&mut point.time_unix_nano, &[], done);
                    self.optional_time(&mut point.start_time_unix_nano, done);
                    self.rename(&mut point.attributes, side, done);
                }
            };
        }
        match &mut metric.data {
            Some(Data::Gauge(data)) => each!(data),
            Some(Data::Sum(data)) => each!(data),
            Some(Data::Histogram(data)) => each!(data),
            Some(Data::ExponentialHistogram(data)) => each!(data),
            Some(Data::Summary(data)) => each!(data),
            None => {}
        }
    }
}

/// `http.client.duration` is measured on the side that called.
fn side_of_metric(name: &str) -> Side {
    if name.contains(".client.") {
        Side::Client
    } else if name.contains(".server.") {
        Side::Server
    } else {
        Side::Unknown
    }
}
