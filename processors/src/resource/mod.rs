#![doc = include_str!("README.md")]

mod config;
#[cfg(test)]
mod tests;

use component::{
    Affinity, BuildError, ConfigSpec, Output, ProcessError, Processor, ProcessorFactory, Stability,
};
use pdata::{Batch, SignalSet};

pub use self::config::Config;
use crate::actions::Actions;
use crate::resource_cache::{ResourceCache, rewrite};

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
        Ok(Box::new(ResourceProcessor { actions, cache: ResourceCache::default() }))
    },
};

struct ResourceProcessor {
    actions: Actions,
    cache: ResourceCache,
}

impl Processor for ResourceProcessor {
    fn process(&mut self, batch: Batch, output: &mut Output) -> Result<(), ProcessError> {
        output.emit(rewrite(&batch, |resource| {
            self.cache.changed(resource, "", |attributes| self.actions.apply(attributes))
        }));
        Ok(())
    }
}
