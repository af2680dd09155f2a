//! The end of the demo's pipeline: hands every event to the [`Story`].

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use component::delivery::DeliverySettings;
use component::{BuildError, ConfigSpec, Context, ExportError, Exporter, ExporterFactory, Stability};
use config::{Section, Validate};
use pdata::{Batch, Signal, SignalSet};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::story::Story;

/// The story, shared between the pipeline and the simulation.
pub(super) type SharedStory = Mutex<Story>;

/// The demo's only exporter.
pub(super) const FACTORIES: &[ExporterFactory] = &[ExporterFactory {
    type_name: "demo",
    aliases: &[],
    stability: Stability::Alpha,
    signals: SignalSet::of(&[Signal::Events]),
    config: ConfigSpec::of::<Config>(),
    delivery: DeliverySettings::local,
    create,
}];

/// There is nothing to set.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {}

impl Validate for Config {}

fn create(section: &Section, context: &Context) -> Result<Box<dyn Exporter>, BuildError> {
    section.parse::<Config>()?;
    let story = context.handles.get::<SharedStory>();
    let story = story.ok_or_else(|| BuildError::other("only `watchfire demo` has a story to tell"))?;
    Ok(Box::new(Narrator { story }))
}

struct Narrator {
    story: Arc<SharedStory>,
}

#[async_trait]
impl Exporter for Narrator {
    async fn export(&self, batch: Batch) -> Result<(), ExportError> {
        if let Batch::Events(events) = batch {
            let mut story = self.story.lock().unwrap_or_else(PoisonError::into_inner);
            events.iter().for_each(|event| story.found(event));
        }
        Ok(())
    }
}
