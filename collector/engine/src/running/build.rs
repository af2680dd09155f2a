//! Builds everything that is new while what runs is left alone.
//!
//! In: a plan, and what runs. Out: [`Fresh`], or the first error; then nothing has changed but extensions that run already.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use component::{
    BuildError, Context, Exporter, Extension, Kind, Processor, Receiver, RunError, ShutdownTrigger,
};
use config::{ComponentId, ConfigError};
use futures::FutureExt;
use tracing::{error, warn};

use super::{Engine, EngineError, RunningExtension};
use crate::panic_text;
use crate::plan::{LanePlan, Plan, SlotPlan};
use crate::supervise::describe;

/// Everything new, built while the old still runs.
#[derive(Default)]
pub(super) struct Fresh {
    pub(super) exporters: HashMap<ComponentId, (Arc<dyn Exporter>, Context)>,
    pub(super) processors: HashMap<String, Vec<Vec<Vec<Built>>>>,
    pub(super) receivers: HashMap<ComponentId, (Box<dyn Receiver>, Context)>,
}

pub(super) struct Built {
    pub(super) plan: SlotPlan,
    pub(super) context: Context,
    pub(super) processor: Box<dyn Processor>,
}

impl Engine {
    /// Extensions come first, and once they run they stay until the end.
    pub(super) async fn start_extensions(&mut self, plan: &Plan) -> Result<(), EngineError> {
        let mut storages = HashMap::clone(&self.storages);
        for id in self.extensions.keys().filter(|id| !plan.extensions.contains_key(*id)) {
            warn!(extension = %id, "is not configured any more, and goes on until the next start");
        }
        for (id, extension) in &plan.extensions {
            let fingerprint = extension.section.node.to_json();
            match self.extensions.get(id) {
                Some(running) if running.fingerprint == fingerprint => continue,
                Some(_) => return Err(changed_extension(&extension.section)),
                None => {}
            }
            let context = self.context(Kind::Extension, id, None, 0, 1);
            context.health.starting();
            let mut built = create(&context, || (extension.factory.create)(&extension.section, &context))?;
            start(&context, built.start()).await?;
            if let Some(storage) = built.storage() {
                storages.insert(id.clone(), storage);
            }
            let trigger = ShutdownTrigger::default();
            let task = tokio::spawn(run_extension(built, context, trigger.listener()));
            self.extensions.insert(id.clone(), RunningExtension { fingerprint, trigger, task });
        }
        self.storages = Arc::new(storages);
        Ok(())
    }

    pub(super) async fn build(&self, plan: &Plan) -> Result<Fresh, EngineError> {
        let mut fresh = Fresh::default();
        for (id, exporter) in &plan.exporters {
            let old = self.branches.get(id);
            if old.is_some_and(|running| running.fingerprint == exporter.fingerprint) {
                continue;
            }
            let context = self.context(Kind::Exporter, id, None, 0, 1);
            let built = create(&context, || (exporter.factory.create)(&exporter.section, &context))?;
            let built: Arc<dyn Exporter> = built.into();
            if old.is_none() {
                context.health.starting();
                start(&context, built.start()).await?;
            }
            fresh.exporters.insert(id.clone(), (built, context));
        }
        for (name, lane) in &plan.lanes {
            if self.lane_changes(lane, &fresh) {
                fresh.processors.insert(name.clone(), self.build_lane(lane)?);
            }
        }
        for (id, receiver) in &plan.receivers {
            let old = self.receivers.get(id);
            if old.is_some_and(|running| running.fingerprint == receiver.section.node.to_json()) {
                continue;
            }
            let context = self.context(Kind::Receiver, id, None, 0, 1);
            let mut built = create(&context, || (receiver.factory.create)(&receiver.section, &context))?;
            if old.is_none() {
                context.health.starting();
                start(&context, built.start()).await?;
            }
            fresh.receivers.insert(id.clone(), (built, context));
        }
        Ok(fresh)
    }

    fn lane_changes(&self, lane: &LanePlan, fresh: &Fresh) -> bool {
        let same =
            self.lanes.get(&lane.name).is_some_and(|running| running.fingerprint == lane.fingerprint());
        !same || lane.exporters.iter().any(|id| fresh.exporters.contains_key(id))
    }

    fn build_lane(&self, lane: &LanePlan) -> Result<Vec<Vec<Vec<Built>>>, EngineError> {
        let shard_of = |stage: &crate::plan::StagePlan, shard: usize| {
            let build = |slot: &SlotPlan| {
                let pipeline = lane.pipeline.as_ref();
                let context = self.context(slot.kind, &slot.section.id, pipeline, shard, stage.shards);
                let new = || create(&context, || (slot.create)(&slot.section, &context));
                let mut processor = new()?;
                // In a lane that runs already, the processor that is there knows more than what was written.
                if let Some(state) = self.state.as_ref().filter(|_| !self.lanes.contains_key(&lane.name))
                    && !state.restore(&context, processor.as_mut())
                {
                    processor = new()?;
                }
                Ok(Built { plan: slot.clone(), context, processor })
            };
            stage.slots.iter().map(build).collect::<Result<Vec<_>, EngineError>>()
        };
        let stages = lane.stages.iter();
        stages.map(|stage| (0..stage.shards).map(|shard| shard_of(stage, shard)).collect()).collect()
    }
}

async fn run_extension(extension: Box<dyn Extension>, context: Context, shutdown: component::Shutdown) {
    context.health.ok();
    match extension.run(shutdown).await {
        Ok(()) => context.health.stopped(),
        Err(error) => {
            error!(extension = %context.key.id, error = describe(&error), "an extension failed");
            context.health.failed(describe(&error));
        }
    }
}

/// Builds a component. One that panics is one that cannot be built.
pub(crate) fn create<T>(
    context: &Context,
    create: impl FnOnce() -> Result<T, BuildError>,
) -> Result<T, EngineError> {
    let created = std::panic::catch_unwind(AssertUnwindSafe(create));
    created.unwrap_or_else(|panic| Err(panicked(&*panic))).map_err(|error| failed(context, &error))
}

/// Starts a component. One that panics is one that cannot start.
pub(crate) async fn start(
    context: &Context,
    start: impl Future<Output = Result<(), RunError>>,
) -> Result<(), EngineError> {
    let started = AssertUnwindSafe(start).catch_unwind().await;
    let started = started.map(|started| started.map_err(BuildError::from));
    started.unwrap_or_else(|panic| Err(panicked(&*panic))).map_err(|error| failed(context, &error))
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> BuildError {
    BuildError::other(format!("panicked: {}", panic_text(panic)))
}

fn changed_extension(section: &config::Section) -> EngineError {
    let error = ConfigError {
        location: section.node.location.clone(),
        path: section.path.clone(),
        message: "an extension cannot change while the collector runs".to_owned(),
        hint: Some("restart to change it".to_owned()),
    };
    EngineError::Config(error.into())
}

fn failed(context: &Context, error: &BuildError) -> EngineError {
    let reason = match error {
        BuildError::Config(errors) => errors.to_string(),
        BuildError::Start(error) => describe(error),
    };
    EngineError::Component { component: context.key.to_string(), reason }
}
