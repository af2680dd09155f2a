//! Compiled settings: whether a record is to be dropped.

use config::Invalid;
use pdata::proto::common::KeyValue;
use pdata::view::{LogRecordView, MetricView, ResourceView, ScopeView, SpanEventView, SpanView};

use super::condition::{Condition, EvaluationError, environment};
use super::config::{Config, ErrorMode};
use super::records::{Fields, PointView, Subject, Visible};
use crate::matching::{self, MatchProperties, Record, Selection};

/// Compiled settings.
pub(super) struct Rules {
    error_mode: ErrorMode,
    pub(super) span: Rule,
    pub(super) span_event: Rule,
    pub(super) metric: Rule,
    pub(super) point: Rule,
    pub(super) log: Rule,
}

/// What decides about one kind of record.
pub(super) struct Rule {
    conditions: Vec<Condition>,
    legacy: Option<Selection>,
}

impl Rule {
    /// Whether nothing is ever dropped.
    pub(super) const fn is_empty(&self) -> bool {
        self.conditions.is_empty() && self.legacy.is_none()
    }
}

impl Rules {
    /// Compiles the settings.
    pub(super) fn new(config: &Config) -> Result<Self, Invalid> {
        let env = environment().map_err(|reason| Invalid::new("", reason))?;
        let rule = |field: &str, sources: &[String], subject, legacy| {
            let compile = |source: &String| {
                Condition::new(source, subject, &env).map_err(|reason| Invalid::new(field, reason))
            };
            let conditions = sources.iter().map(compile).collect::<Result<_, _>>()?;
            Ok::<_, Invalid>(Rule { conditions, legacy })
        };
        let spans = (config.spans.include.clone(), config.spans.exclude.clone());
        let metrics = (
            config.metrics.include.as_ref().map(MatchProperties::from),
            config.metrics.exclude.as_ref().map(MatchProperties::from),
        );
        let logs = (
            config.logs.include.as_ref().map(MatchProperties::from),
            config.logs.exclude.as_ref().map(MatchProperties::from),
        );
        Ok(Self {
            error_mode: config.error_mode,
            span: rule("traces.span", &config.traces.span, Subject::Span, selection("spans", &spans)?)?,
            span_event: rule("traces.spanevent", &config.traces.spanevent, Subject::SpanEvent, None)?,
            metric: rule(
                "metrics.metric",
                &config.metrics.metric,
                Subject::Metric,
                selection("metrics", &metrics)?,
            )?,
            point: rule("metrics.datapoint", &config.metrics.datapoint, Subject::Point, None)?,
            log: rule("logs.log_record", &config.logs.log_record, Subject::Log, selection("logs", &logs)?)?,
        })
    }

    /// Whether to drop the span.
    pub(super) fn drops_span(
        &self,
        (resource, scope): (ResourceView<'_>, ScopeView<'_>),
        span: SpanView<'_>,
    ) -> Result<bool, EvaluationError> {
        let legacy = || {
            let record = Record::Span { name: span.name(), kind: span.kind_number() };
            (span.attributes().to_owned(), record)
        };
        if self.span.legacy.as_ref().is_some_and(|selection| {
            let (attributes, record) = legacy();
            !selects(selection, resource, scope, &attributes, record)
        }) {
            return Ok(true);
        }
        let record = Fields::Span(span);
        self.any(&self.span, &Visible { resource, scope, parent: None, name: "span", record })
    }

    /// Whether to drop the span's event.
    pub(super) fn drops_span_event(
        &self,
        (resource, scope): (ResourceView<'_>, ScopeView<'_>),
        span: SpanView<'_>,
        event: SpanEventView<'_>,
    ) -> Result<bool, EvaluationError> {
        let parent = Some(("span", Fields::Span(span)));
        let record = Fields::SpanEvent(event);
        self.any(&self.span_event, &Visible { resource, scope, parent, name: "spanevent", record })
    }

    /// Whether to drop the metric with all of its points.
    pub(super) fn drops_metric(
        &self,
        (resource, scope): (ResourceView<'_>, ScopeView<'_>),
        metric: MetricView<'_>,
    ) -> Result<bool, EvaluationError> {
        if self.metric.legacy.as_ref().is_some_and(|selection| {
            !selects(selection, resource, scope, &[], Record::Point { metric: metric.name() })
        }) {
            return Ok(true);
        }
        let record = Fields::Metric(metric);
        self.any(&self.metric, &Visible { resource, scope, parent: None, name: "metric", record })
    }

    /// Whether to drop the data point.
    pub(super) fn drops_point(
        &self,
        (resource, scope): (ResourceView<'_>, ScopeView<'_>),
        metric: MetricView<'_>,
        point: PointView<'_>,
    ) -> Result<bool, EvaluationError> {
        let parent = Some(("metric", Fields::Metric(metric)));
        let record = Fields::Point(point);
        self.any(&self.point, &Visible { resource, scope, parent, name: "datapoint", record })
    }

    /// Whether to drop the log record.
    pub(super) fn drops_log(
        &self,
        (resource, scope): (ResourceView<'_>, ScopeView<'_>),
        log: LogRecordView<'_>,
    ) -> Result<bool, EvaluationError> {
        if self.log.legacy.as_ref().is_some_and(|selection| {
            let body = log.body().to_owned().value;
            let record = Record::Log {
                body: body.as_ref(),
                severity_text: log.severity_text(),
                severity_number: log.severity_number(),
            };
            !selects(selection, resource, scope, &log.attributes().to_owned(), record)
        }) {
            return Ok(true);
        }
        let record = Fields::Log(log);
        self.any(&self.log, &Visible { resource, scope, parent: None, name: "log", record })
    }

    /// Whether any condition holds. A later condition may hold where an earlier one has no answer.
    fn any(&self, rule: &Rule, record: &Visible<'_>) -> Result<bool, EvaluationError> {
        for condition in &rule.conditions {
            match (condition.holds(record), self.error_mode) {
                (Ok(true), _) => return Ok(true),
                (Ok(false), _) | (Err(_), ErrorMode::Silent) => {}
                (Err(error), ErrorMode::Ignore) => tracing::warn!(%error, "a record was kept"),
                (Err(error), ErrorMode::Propagate) => return Err(error),
            }
        }
        Ok(false)
    }
}

type Legacy = (Option<MatchProperties>, Option<MatchProperties>);

fn selection(field: &str, (include, exclude): &Legacy) -> Result<Option<Selection>, Invalid> {
    if include.is_none() && exclude.is_none() {
        return Ok(None);
    }
    Selection::new(include.as_ref(), exclude.as_ref())
        .map(Some)
        .map_err(|invalid| Invalid::new(format!("{field}.{}", invalid.field), invalid.message))
}

fn selects(
    selection: &Selection,
    resource: ResourceView<'_>,
    scope: ScopeView<'_>,
    attributes: &[KeyValue],
    record: Record<'_>,
) -> bool {
    let resource = resource.attributes().to_owned();
    let scope = (scope.name(), scope.version());
    selection.selects(&matching::Subject { resource: &resource, scope, attributes, record })
}
