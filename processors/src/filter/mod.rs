#![doc = include_str!("README.md")]

mod condition;
mod config;
mod ottl;
mod records;
mod rules;
#[cfg(test)]
mod tests;
mod values;

use component::{
    Affinity, BuildError, ConfigSpec, Context, Counter, Output, ProcessError, Processor, ProcessorFactory,
    Stability,
};
use pdata::proto::metrics::{MetricsData, metric::Data};
use pdata::proto::trace::TracesData;
use pdata::{Batch, Logs, Metrics, Payload, SignalSet, Traces};

use self::condition::EvaluationError;
pub use self::config::{Config, ErrorMode};
use self::records::PointView;
use self::rules::Rules;

/// Builds `filter` processors.
pub const FACTORY: ProcessorFactory = ProcessorFactory {
    type_name: "filter",
    aliases: &[],
    stability: Stability::Beta,
    signals: SignalSet::TELEMETRY,
    affinity: Affinity::Anywhere,
    config: ConfigSpec::of::<Config>(),
    create: |section, context| {
        let config: Config = section.parse()?;
        let rules = Rules::new(&config)
            .map_err(|invalid| BuildError::Config(section.error(&invalid.field, invalid.message)))?;
        Ok(Box::new(Filter::new(rules, context)))
    },
};

struct Filter {
    rules: Rules,
    spans: Counter,
    points: Counter,
    logs: Counter,
}

impl Processor for Filter {
    fn process(&mut self, batch: Batch, output: &mut Output) -> Result<(), ProcessError> {
        let before = batch.items();
        let result = match batch {
            Batch::Traces(traces) => self.traces(traces).map(Batch::Traces),
            Batch::Metrics(metrics) => self.metrics(metrics).map(Batch::Metrics),
            Batch::Logs(logs) => self.logs(logs).map(Batch::Logs),
            events @ Batch::Events(_) => Ok(events),
        };
        let batch = result.map_err(|error| ProcessError::Permanent(error.to_string()))?;
        // What was empty before goes on; what became empty ends here.
        if before == 0 || !batch.is_empty() {
            output.emit(batch);
        }
        Ok(())
    }
}

impl Filter {
    fn new(rules: Rules, context: &Context) -> Self {
        let id = context.key.id.to_string();
        let counter = |name, help| context.telemetry.counter(name, help, &[("processor", &id)]);
        Self {
            rules,
            spans: counter("otelcol_processor_filter_spans_filtered", "Spans dropped by the filter"),
            points: counter(
                "otelcol_processor_filter_datapoints_filtered",
                "Data points dropped by the filter",
            ),
            logs: counter("otelcol_processor_filter_logs_filtered", "Log records dropped by the filter"),
        }
    }

    fn logs(&self, logs: Logs) -> Result<Logs, EvaluationError> {
        if self.rules.log.is_empty() {
            return Ok(logs);
        }
        let verdicts = verdicts(logs.view().items(), |(resource, scope, log)| {
            self.rules.drops_log((resource, scope), log)
        })?;
        let Some(mut verdicts) = verdicts else { return Ok(logs) };
        let kept = logs.retain(|_, _, _| verdicts.next_is_kept());
        self.logs.add(dropped(&logs, &kept));
        Ok(kept)
    }

    fn traces(&self, mut traces: Traces) -> Result<Traces, EvaluationError> {
        if !self.rules.span.is_empty() {
            let verdicts = verdicts(traces.view().items(), |(resource, scope, span)| {
                self.rules.drops_span((resource, scope), span)
            })?;
            if let Some(mut verdicts) = verdicts {
                let kept = traces.retain(|_, _, _| verdicts.next_is_kept());
                self.spans.add(dropped(&traces, &kept));
                traces = kept;
            }
        }
        if !self.rules.span_event.is_empty() {
            let events = traces.view().items().flat_map(|(resource, scope, span)| {
                span.events().map(move |event| (resource, scope, span, event))
            });
            let verdicts = verdicts(events, |(resource, scope, span, event)| {
                self.rules.drops_span_event((resource, scope), span, event)
            })?;
            if let Some(verdicts) = verdicts {
                traces.modify(|data| remove_events(data, verdicts));
            }
        }
        Ok(traces)
    }

    fn metrics(&self, mut metrics: Metrics) -> Result<Metrics, EvaluationError> {
        let before = metrics.items();
        if !self.rules.metric.is_empty() {
            let verdicts = verdicts(metrics.view().items(), |(resource, scope, metric)| {
                self.rules.drops_metric((resource, scope), metric)
            })?;
            if let Some(mut verdicts) = verdicts {
                metrics = metrics.retain(|_, _, _| verdicts.next_is_kept());
            }
        }
        if !self.rules.point.is_empty() {
            let points = metrics.view().items().flat_map(|(resource, scope, metric)| {
                PointView::of(metric).map(move |point| (resource, scope, metric, point))
            });
            let verdicts = verdicts(points, |(resource, scope, metric, point)| {
                self.rules.drops_point((resource, scope), metric, point)
            })?;
            if let Some(verdicts) = verdicts {
                metrics.modify(|data| remove_points(data, verdicts));
            }
        }
        self.points.add(before.saturating_sub(metrics.items()) as u64);
        Ok(metrics)
    }
}

fn dropped<T: Payload>(before: &pdata::Otlp<T>, after: &pdata::Otlp<T>) -> u64 {
    before.items().saturating_sub(after.items()) as u64
}

/// Which records to keep, in order.
struct Verdicts(std::vec::IntoIter<bool>);

impl Verdicts {
    /// Whether to keep the next record. There is a verdict for every one.
    fn next_is_kept(&mut self) -> bool {
        self.0.next().unwrap_or(true)
    }
}

/// Decides about every record; `None` if all are kept.
fn verdicts<R>(
    records: impl Iterator<Item = R>,
    drops: impl Fn(R) -> Result<bool, EvaluationError>,
) -> Result<Option<Verdicts>, EvaluationError> {
    let keeps: Vec<bool> =
        records.map(|record| drops(record).map(|drops| !drops)).collect::<Result<_, _>>()?;
    Ok(keeps.contains(&false).then(|| Verdicts(keeps.into_iter())))
}

fn remove_events(data: &mut TracesData, mut verdicts: Verdicts) {
    let scopes = data.resource_spans.iter_mut().flat_map(|group| &mut group.scope_spans);
    for span in scopes.flat_map(|scope| &mut scope.spans) {
        span.events.retain(|_| verdicts.next_is_kept());
    }
}

fn remove_points(data: &mut MetricsData, mut verdicts: Verdicts) {
    data.resource_metrics.retain_mut(|group| {
        group.scope_metrics.retain_mut(|scope| {
            scope.metrics.retain_mut(|metric| {
                let (before, after) = match &mut metric.data {
                    Some(Data::Gauge(data)) => retain_points(&mut data.data_points, &mut verdicts),
                    Some(Data::Sum(data)) => retain_points(&mut data.data_points, &mut verdicts),
                    Some(Data::Histogram(data)) => retain_points(&mut data.data_points, &mut verdicts),
                    Some(Data::ExponentialHistogram(data)) => {
                        retain_points(&mut data.data_points, &mut verdicts)
                    }
                    Some(Data::Summary(data)) => retain_points(&mut data.data_points, &mut verdicts),
                    None => (0, 0),
                };
                before == 0 || after > 0
            });
            !scope.metrics.is_empty()
        });
        !group.scope_metrics.is_empty()
    });
}

fn retain_points<P>(points: &mut Vec<P>, verdicts: &mut Verdicts) -> (usize, usize) {
    let before = points.len();
    points.retain(|_| verdicts.next_is_kept());
    (before, points.len())
}
