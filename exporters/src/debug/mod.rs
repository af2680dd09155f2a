#![doc = include_str!("README.md")]

mod config;
mod detailed;
mod events;
mod lines;
mod output;
mod style;
#[cfg(test)]
mod tests;
mod value;

use std::sync::{Arc, Mutex, PoisonError};

use ::config::Section;
use async_trait::async_trait;
use component::delivery::DeliverySettings;
use component::{
    BuildError, Clock, ConfigSpec, Context, ExportError, Exporter, ExporterFactory, RunError, Stability,
};
use pdata::{Batch, SignalSet};

pub use self::config::{Config, Verbosity};
use self::output::Outputs;

/// Builds `debug` exporters.
pub const FACTORY: ExporterFactory = ExporterFactory {
    type_name: "debug",
    aliases: &["logging"],
    stability: Stability::Beta,
    signals: SignalSet::ALL,
    config: ConfigSpec::of::<Config>(),
    delivery: DeliverySettings::local,
    create,
};

fn create(section: &Section, context: &Context) -> Result<Box<dyn Exporter>, BuildError> {
    Ok(Box::new(Debug::new(section.parse()?, context.clock.clone())))
}

/// Shows what passes by.
struct Debug {
    config: Config,
    clock: Clock,
    sampler: Mutex<Sampler>,
    outputs: Arc<Mutex<Outputs>>,
}

impl Debug {
    fn new(config: Config, clock: Clock) -> Self {
        Self { config, clock, sampler: Mutex::default(), outputs: Arc::default() }
    }

    /// Whether this batch is to be shown.
    fn is_sampled(&self, batch: &Batch) -> bool {
        if matches!(batch, Batch::Events(_)) {
            return true;
        }
        let second = self.clock.now().as_nanos() / 1_000_000_000;
        let mut sampler = self.sampler.lock().unwrap_or_else(PoisonError::into_inner);
        sampler.take(second, self.config.sampling_initial, self.config.sampling_thereafter)
    }
}

#[async_trait]
impl Exporter for Debug {
    async fn start(&self) -> Result<(), RunError> {
        let outputs = Outputs::open(&self.config)?;
        *self.outputs.lock().unwrap_or_else(PoisonError::into_inner) = outputs;
        Ok(())
    }

    async fn export(&self, batch: Batch) -> Result<(), ExportError> {
        if !self.is_sampled(&batch) {
            return Ok(());
        }
        let (outputs, verbosity) = (Arc::clone(&self.outputs), self.config.verbosity);
        // A terminal that is stopped, or a pipe that nobody reads, must not hold up the runtime.
        let written = tokio::task::spawn_blocking(move || {
            let mut outputs = outputs.lock().unwrap_or_else(PoisonError::into_inner);
            outputs.write(|style| render(&batch, verbosity, style))
        });
        match written.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(ExportError::retryable(format!("cannot write: {error}"))),
            Err(error) => Err(ExportError::permanent(format!("cannot show the batch: {error}"))),
        }
    }
}

/// An event as a block of text for an operator, with a newline at its end.
pub fn block(event: &pdata::Event, colour: bool) -> String {
    let mut out = String::new();
    events::block(&mut out, event, style::Style { colour });
    out
}

/// A batch as text, with a newline at its end; nothing for an empty one.
fn render(batch: &Batch, verbosity: Verbosity, style: style::Style) -> String {
    let mut out = String::new();
    match (batch, verbosity) {
        (Batch::Events(list), Verbosity::Detailed) => list.iter().for_each(|e| events::detailed(&mut out, e)),
        (Batch::Events(list), _) => list.iter().for_each(|event| events::block(&mut out, event, style)),
        (_, Verbosity::Basic) => lines::summary(&mut out, batch, style),
        (_, Verbosity::Normal) => lines::items(&mut out, batch, style),
        (_, Verbosity::Detailed) => {
            lines::summary(&mut out, batch, style);
            detailed::batch(&mut out, batch);
        }
    }
    out
}

/// Decides which batches are shown: the first few of each second, then every n-th.
#[derive(Debug, Default)]
struct Sampler {
    second: u64,
    seen: u64,
}

impl Sampler {
    fn take(&mut self, second: u64, initial: u64, thereafter: u64) -> bool {
        if second != self.second {
            *self = Self { second, seen: 0 };
        }
        self.seen += 1;
        self.seen <= initial || thereafter <= 1 || (self.seen - initial).is_multiple_of(thereafter)
    }
}
