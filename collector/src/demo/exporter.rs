//! The end of the demo's pipeline: hands every event to the [`Story`].

use std::sync::Mutex;

use component::{ExportError, ExporterFactory};
use pdata::{Batch, Signal, SignalSet};

use super::story::Story;
use crate::sink::{Sink, factory};

/// The story, shared between the pipeline and the simulation.
pub(super) type SharedStory = Mutex<Story>;

/// The demo's only exporter.
pub(super) const FACTORIES: &[ExporterFactory] =
    &[factory::<Story>("demo", SignalSet::of(&[Signal::Events]))];

impl Sink for Story {
    fn take(&mut self, batch: &Batch) -> Result<(), ExportError> {
        if let Batch::Events(events) = batch {
            events.iter().for_each(|event| self.found(event));
        }
        Ok(())
    }
}
