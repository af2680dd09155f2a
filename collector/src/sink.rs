//! Exporters of a command's own: what comes out of the pipelines goes to something that the command holds.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use component::delivery::DeliverySettings;
use component::{BuildError, ConfigSpec, Context, ExportError, Exporter, ExporterFactory, Stability};
use config::{Section, Validate};
use pdata::{Batch, SignalSet};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What takes the data. The command offers it to the pipelines as a handle, an `Arc<Mutex<T>>`.
pub(crate) trait Sink: Send + 'static {
    /// Takes a batch.
    ///
    /// # Errors
    /// If it cannot be taken.
    fn take(&mut self, batch: &Batch) -> Result<(), ExportError>;
}

/// Builds exporters into the `T` on offer.
pub(crate) const fn factory<T: Sink>(type_name: &'static str, signals: SignalSet) -> ExporterFactory {
    ExporterFactory {
        type_name,
        aliases: &[],
        stability: Stability::Alpha,
        signals,
        config: ConfigSpec::of::<Config>(),
        delivery: DeliverySettings::local,
        create: create::<T>,
    }
}

/// There is nothing to set.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {}

impl Validate for Config {}

fn create<T: Sink>(section: &Section, context: &Context) -> Result<Box<dyn Exporter>, BuildError> {
    section.parse::<Config>()?;
    let sink = context.handles.get::<Mutex<T>>();
    let sink = sink.ok_or_else(|| BuildError::other("only the command that has it can use it"))?;
    Ok(Box::new(ToSink { sink }))
}

struct ToSink<T> {
    sink: Arc<Mutex<T>>,
}

#[async_trait]
impl<T: Sink> Exporter for ToSink<T> {
    async fn export(&self, batch: Batch) -> Result<(), ExportError> {
        self.sink.lock().unwrap_or_else(PoisonError::into_inner).take(&batch)
    }
}
