#![doc = include_str!("README.md")]

mod config;

use component::{
    Affinity, BuildError, ConfigSpec, Output, ProcessError, Processor, ProcessorFactory, Stability,
};
use pdata::proto::common::KeyValue;
use pdata::proto::resource::Resource;
use pdata::{Batch, SignalSet};

pub use self::config::Config;
use crate::actions::Actions;

/// Builds `resource` processors.
pub const FACTORY: ProcessorFactory = ProcessorFactory {
    type_name: "resource",
    aliases: &[],
    stability: Stability::Beta,
    signals: SignalSet::TELEMETRY,
    affinity: Affinity::Anywhere,
    config: ConfigSpec::of::<Config>(),
    create: |section, _| {
        let config: Config = section.parse()?;
        let actions = config
            .compile()
            .map_err(|invalid| BuildError::Config(section.error(&invalid.field, invalid.message)))?;
        Ok(Box::new(ResourceProcessor { actions }))
    },
};

struct ResourceProcessor {
    actions: Actions,
}

impl Processor for ResourceProcessor {
    fn process(&mut self, mut batch: Batch, output: &mut Output) -> Result<(), ProcessError> {
        match &mut batch {
            Batch::Traces(traces) => traces.modify(|data| {
                data.resource_spans.iter_mut().for_each(|group| self.apply(&mut group.resource));
            }),
            Batch::Logs(logs) => logs.modify(|data| {
                data.resource_logs.iter_mut().for_each(|group| self.apply(&mut group.resource));
            }),
            Batch::Metrics(metrics) => metrics.modify(|data| {
                data.resource_metrics.iter_mut().for_each(|group| self.apply(&mut group.resource));
            }),
            Batch::Events(_) => {}
        }
        output.emit(batch);
        Ok(())
    }
}

impl ResourceProcessor {
    fn apply(&self, resource: &mut Option<Resource>) {
        let attributes: &mut Vec<KeyValue> = &mut resource.get_or_insert_default().attributes;
        self.actions.apply(attributes);
    }
}
