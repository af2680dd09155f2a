#![doc = include_str!("README.md")]

mod batcher;
mod beside;
mod checkpoint;
mod config;
mod deliver;
mod encode;
mod encoding;
mod finder;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod identity;
mod lineage;
mod names;
mod operators;
mod poller;
mod read;
mod settings;
mod source;
mod split;
#[cfg(test)]
mod tests;
mod tracked;

use std::sync::Arc;

use ::config::Section;
use async_trait::async_trait;
use component::{
    BuildError, ConfigSpec, Context, Ingress, Receiver, ReceiverFactory, RunError, Shutdown, Stability,
    Storage,
};
use pdata::{Signal, SignalSet};

use self::checkpoint::{CheckpointError, Checkpoints};
pub use self::config::{Compression, Config, Encoding, Multiline, Retry, Scalar, StartAt};
use self::finder::Finder;
use self::operators::Pipeline;
pub use self::operators::config as operator;
use self::poller::Poller;
use self::read::Reader;
use self::settings::Settings;

/// Builds `filelog` receivers.
pub const FACTORY: ReceiverFactory = ReceiverFactory {
    type_name: "filelog",
    aliases: &["file_log"],
    stability: Stability::Beta,
    signals: SignalSet::of(&[Signal::Logs]),
    config: ConfigSpec::of::<Config>(),
    create,
};

fn create(section: &Section, context: &Context) -> Result<Box<dyn Receiver>, BuildError> {
    let config: Config = section.parse()?;
    let storage = match &config.storage {
        None => None,
        Some(id) => {
            let unknown = || section.error("storage", format!("there is no storage extension `{id}`"));
            Some(Arc::clone(context.storages.get(id).ok_or_else(unknown)?))
        }
    };
    let poller = poller(&config, context).map_err(|error| section.error("", error))?;
    let remembered = Checkpoints::Remembered(context.handles.get_or_default(), context.key.clone());
    Ok(Box::new(FileLog { config, context: context.clone(), storage, poller, checkpoints: remembered }))
}

/// What is left of a configuration that was validated cannot be wrong, but says so if it is.
fn poller(config: &Config, context: &Context) -> Result<Poller, String> {
    let receiver = context.key.id.to_string();
    let mut pipeline = Pipeline::new(&config.operators).map_err(|error| error.to_string())?;
    if let Some(pipeline) = &mut pipeline {
        pipeline.count_errors(context.telemetry.counter(
            "otelcol_filelog_operator_errors",
            "Records that an operator could not deal with.",
            &[("receiver", &receiver)],
        ));
    }
    let finder = Finder::new(&config.include, &config.exclude).map_err(|error| error.to_string())?;
    let settings =
        Settings::new(config.clone(), &context.telemetry, &receiver).map_err(|error| error.to_string())?;
    Ok(Poller::new(settings, finder, Reader::new(pipeline)))
}

/// Tails files.
struct FileLog {
    config: Config,
    context: Context,
    storage: Option<Arc<dyn Storage>>,
    poller: Poller,
    checkpoints: Checkpoints,
}

#[async_trait]
impl Receiver for FileLog {
    async fn start(&mut self) -> Result<(), RunError> {
        if let Some(storage) = &self.storage {
            let client = storage.client(&self.context.key, "checkpoints");
            self.checkpoints =
                Checkpoints::Stored(client.map_err(|error| RunError::Other(error.to_string()))?);
        }
        match self.checkpoints.load() {
            Ok(Some(state)) => self.poller.restore(state),
            Ok(None) => {}
            // Beginning anew delivers some records twice; not starting would deliver none.
            Err(CheckpointError::Damaged) => {
                tracing::error!(receiver = %self.context.key.id, "the stored state cannot be understood: beginning anew");
            }
            Err(CheckpointError::Storage(error)) => return Err(RunError::Other(error.to_string())),
        }
        Ok(())
    }

    async fn run(self: Box<Self>, ingress: Ingress, shutdown: Shutdown) -> Result<(), RunError> {
        let Self { config, context, poller, checkpoints, .. } = *self;
        let worker = deliver::Worker {
            poller,
            checkpoints,
            clock: context.clock.clone(),
            interval: config.poll_interval.get(),
        };
        context.health.ok();
        deliver::run(worker, &config.retry_on_failure, ingress, shutdown).await
    }
}
