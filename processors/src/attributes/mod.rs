#![doc = include_str!("README.md")]

mod config;
#[cfg(test)]
mod tests;

use component::{
    Affinity, BuildError, ConfigSpec, Context, Output, ProcessError, Processor, ProcessorFactory, Stability,
};
use pdata::proto::common::{InstrumentationScope, KeyValue};
use pdata::proto::logs::LogsData;
use pdata::proto::metrics::{Metric, MetricsData, metric::Data};
use pdata::proto::resource::Resource;
use pdata::proto::trace::TracesData;
use pdata::{Batch, SignalSet};

pub use self::config::Config;
use crate::actions::Actions;
use crate::matching::{Record, Selection, Subject};

/// Builds `attributes` processors.
pub const FACTORY: ProcessorFactory = ProcessorFactory {
    type_name: "attributes",
    aliases: &[],
    stability: Stability::Beta,
    signals: SignalSet::TELEMETRY,
    affinity: Affinity::Anywhere,
    config: ConfigSpec::of::<Config>(),
    create: |section, _: &Context| {
        let config: Config = section.parse()?;
        let (actions, selection) = config
            .compile()
            .map_err(|invalid| BuildError::Config(section.error(&invalid.field, invalid.message)))?;
        Ok(Box::new(Attributes { actions, selection }))
    },
};

struct Attributes {
    actions: Actions,
    selection: Selection,
}

impl Processor for Attributes {
    fn process(&mut self, mut batch: Batch, output: &mut Output) -> Result<(), ProcessError> {
        match &mut batch {
            Batch::Traces(traces) => traces.modify(|data| self.traces(data)),
            Batch::Logs(logs) => logs.modify(|data| self.logs(data)),
            Batch::Metrics(metrics) => metrics.modify(|data| self.metrics(data)),
            Batch::Events(_) => {}
        }
        output.emit(batch);
        Ok(())
    }
}

impl Attributes {
    fn traces(&self, data: &mut TracesData) {
        for group in &mut data.resource_spans {
            let resource = attributes(group.resource.as_ref());
            for scope in &mut group.scope_spans {
                let identity = identity(scope.scope.as_ref());
                for span in &mut scope.spans {
                    let record = Record::Span { name: &span.name, kind: span.kind };
                    let subject = Subject { resource, scope: identity, attributes: &span.attributes, record };
                    if self.selection.selects(&subject) {
                        self.actions.apply(&mut span.attributes);
                    }
                }
            }
        }
    }

    fn logs(&self, data: &mut LogsData) {
        for group in &mut data.resource_logs {
            let resource = attributes(group.resource.as_ref());
            for scope in &mut group.scope_logs {
                let identity = identity(scope.scope.as_ref());
                for log in &mut scope.log_records {
                    let record = Record::Log {
                        body: log.body.as_ref().and_then(|body| body.value.as_ref()),
                        severity_text: &log.severity_text,
                        severity_number: log.severity_number,
                    };
                    let subject = Subject { resource, scope: identity, attributes: &log.attributes, record };
                    if self.selection.selects(&subject) {
                        self.actions.apply(&mut log.attributes);
                    }
                }
            }
        }
    }

    fn metrics(&self, data: &mut MetricsData) {
        for group in &mut data.resource_metrics {
            let resource = attributes(group.resource.as_ref());
            for scope in &mut group.scope_metrics {
                let identity = identity(scope.scope.as_ref());
                for metric in &mut scope.metrics {
                    self.metric(resource, identity, metric);
                }
            }
        }
    }

    fn metric(&self, resource: &[KeyValue], scope: (&str, &str), metric: &mut Metric) {
        macro_rules! each {
            ($data:expr) => {
                for point in &mut $data.data_points {
                    let record = Record::Point { metric: &metric.name };
                    let subject = Subject { resource, scope, attributes: &point.attributes, record };
                    if self.selection.selects(&subject) {
                        self.actions.apply(&mut point.attributes);
                    }
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

fn identity(scope: Option<&InstrumentationScope>) -> (&str, &str) {
    scope.map_or(("", ""), |scope| (&scope.name, &scope.version))
}

fn attributes(resource: Option<&Resource>) -> &[KeyValue] {
    resource.map_or(&[], |resource| &resource.attributes)
}
