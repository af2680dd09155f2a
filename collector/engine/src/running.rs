//! The running graph, and how it is started, changed and ended.
//!
//! A start is a change from nothing. A change first builds everything that is new, while what runs is left alone, so a
//! configuration that cannot be built changes nothing. Then it exchanges only what differs: a lane that changed is drained,
//! and its processors move over with what they learned wherever their own configuration stayed the same.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use component::{
    Admission, BuildError, Clock, ComponentKey, Context, Exporter, Extension, Handles, Health, Ingress, Kind,
    Processor, Receiver, Registry, RunError, ShutdownTrigger, Storage, Telemetry,
};
use config::{ComponentId, Config, ConfigError, Errors};
use indexmap::IndexMap;
use pdata::SignalSet;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::branch::Branch;
use crate::intake::Routes;
use crate::lane::{Ends, LaneInput, Learned, RunningStage, prepare};
use crate::plan::{ExporterPlan, LanePlan, Plan, ReceiverPlan, SlotPlan};
use crate::stage::{Slot, Stage};
use crate::state::StateStore;
use crate::supervise::{self, Blueprint, describe};
use crate::{memory, validate};

/// What the engine is given by its host.
#[derive(Clone, Default)]
pub struct Environment {
    /// Where time comes from.
    pub clock: Clock,
    /// Where components say how they are.
    pub health: Health,
    /// Own metrics.
    pub telemetry: Telemetry,
    /// The memory gate.
    pub admission: Admission,
    /// What components offer each other.
    pub handles: Handles,
}

/// Why the engine did not start, or did not change.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] Errors),
    /// A component could not be built or started.
    #[error("cannot start {component}: {reason}")]
    Component {
        /// Which one.
        component: String,
        /// Why, with its causes.
        reason: String,
    },
    /// An exporter did not take what a replay gave it.
    #[error("exporter:{exporter} did not take everything: {reason}")]
    Undelivered {
        /// Which one.
        exporter: ComponentId,
        /// Why.
        reason: String,
    },
}

/// A running collector.
pub struct Engine {
    registry: Registry,
    environment: Environment,
    shutdown_timeout: Duration,
    extensions: IndexMap<ComponentId, RunningExtension>,
    storages: Arc<HashMap<ComponentId, Arc<dyn Storage>>>,
    branches: IndexMap<ComponentId, RunningBranch>,
    lanes: IndexMap<String, RunningLane>,
    receivers: IndexMap<ComponentId, RunningReceiver>,
    state: Option<StateStore>,
    memory: JoinHandle<()>,
}

struct RunningExtension {
    fingerprint: Value,
    trigger: ShutdownTrigger,
    task: JoinHandle<()>,
}

struct RunningBranch {
    fingerprint: Value,
    branch: Arc<Branch>,
    runner: JoinHandle<()>,
}

struct RunningLane {
    fingerprint: Value,
    input: Arc<LaneInput>,
    stages: Vec<RunningStage>,
}

struct RunningReceiver {
    fingerprint: Value,
    routes: Arc<Routes>,
    trigger: ShutdownTrigger,
    task: JoinHandle<()>,
}

/// Everything new, built while the old still runs.
#[derive(Default)]
struct Fresh {
    exporters: HashMap<ComponentId, (Arc<dyn Exporter>, Context)>,
    processors: HashMap<String, Vec<Vec<Vec<Built>>>>,
    receivers: HashMap<ComponentId, (Box<dyn Receiver>, Context)>,
}

struct Built {
    plan: SlotPlan,
    context: Context,
    processor: Box<dyn Processor>,
}

impl Engine {
    /// Builds and starts what `config` asks for.
    ///
    /// # Errors
    /// If the configuration is wrong or a component cannot start; nothing runs then.
    pub async fn start(
        config: &Config,
        registry: Registry,
        environment: Environment,
    ) -> Result<Self, EngineError> {
        environment.handles.offer(Arc::new(environment.health.clone()));
        let memory =
            memory::watch(environment.admission.clone(), &environment.telemetry, environment.handles.clone());
        let mut engine = Self {
            registry,
            environment,
            shutdown_timeout: config.service.shutdown_timeout.get(),
            extensions: IndexMap::new(),
            storages: Arc::default(),
            branches: IndexMap::new(),
            lanes: IndexMap::new(),
            receivers: IndexMap::new(),
            state: None,
            memory,
        };
        match engine.change(config).await {
            Ok(()) => Ok(engine),
            Err(error) => {
                engine.shut_down().await;
                Err(error)
            }
        }
    }

    /// Changes what runs into what `config` asks for, touching only what differs. Nothing is lost: what changes is
    /// drained first.
    ///
    /// # Errors
    /// If the configuration is wrong or something new cannot be built; everything then goes on as before.
    pub async fn reload(&mut self, config: &Config) -> Result<(), EngineError> {
        self.change(config).await
    }

    /// Stops taking in, delivers what is under way until the shutdown timeout, and ends every component, upstream first.
    pub async fn shut_down(mut self) {
        let deadline = Instant::now() + self.shutdown_timeout;
        let receivers: Vec<_> = self.receivers.drain(..).map(|(_, receiver)| receiver).collect();
        stop_receivers(receivers, deadline).await;
        let mut learned = Vec::new();
        for (_, lane) in self.lanes.drain(..) {
            learned.extend(lane.drain().await.iter_mut().filter_map(Slot::learned));
        }
        self.keep(learned).await;
        let branches = self.branches.drain(..).map(|(_, running)| async move {
            running.branch.shut_down(running.runner, deadline).await;
        });
        futures::future::join_all(branches.collect::<Vec<_>>()).await;
        for (id, extension) in self.extensions.drain(..).rev() {
            extension.trigger.trigger();
            if tokio::time::timeout(Duration::from_secs(5), extension.task).await.is_err() {
                warn!(extension = %id, "did not end in time");
            }
        }
        self.memory.abort();
    }

    /// Writes what the processors have learned to the storage that `service.state` names, if it names one. The host calls
    /// it every `service.state.interval`.
    pub async fn save_state(&self) {
        if self.state.is_none() {
            return;
        }
        let mut learned = Vec::new();
        for stage in self.lanes.values().flat_map(|lane| &lane.stages) {
            learned.extend(stage.snapshot().await);
        }
        self.keep(learned).await;
    }

    async fn keep(&self, learned: Vec<Learned>) {
        let Some(state) = self.state.clone().filter(|_| !learned.is_empty()) else { return };
        // Writing to disk may take its time.
        if let Err(error) = tokio::task::spawn_blocking(move || state.save(&learned)).await {
            error!(%error, "what the processors have learned could not be written");
        }
    }

    async fn change(&mut self, config: &Config) -> Result<(), EngineError> {
        validate(config, &self.registry)?;
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let mut plan = Plan::new(config, &self.registry, workers)?;
        self.shutdown_timeout = config.service.shutdown_timeout.get();
        let before = self.environment.health.snapshot();
        let built = match self.start_extensions(&plan).await {
            Ok(()) => {
                let storage = config.service.state.storage.as_ref().and_then(|(id, _)| self.storages.get(id));
                self.state =
                    storage.map(|storage| StateStore::new(Arc::clone(storage), &self.environment.telemetry));
                self.build(&plan).await
            }
            Err(error) => Err(error),
        };
        match built {
            Ok(fresh) => {
                self.commit(&mut plan, fresh).await?;
                self.forget_unless(|key| plan.has(key));
                Ok(())
            }
            Err(error) => {
                self.forget_unless(|key| before.contains_key(key));
                Err(error)
            }
        }
    }

    /// Forgets how components are that do not run, or they would count as unhealthy for ever.
    fn forget_unless(&self, runs: impl Fn(&ComponentKey) -> bool) {
        let health = &self.environment.health;
        let extends =
            |key: &ComponentKey| key.kind == Kind::Extension && self.extensions.contains_key(&key.id);
        for key in health.snapshot().keys().filter(|key| !runs(key) && !extends(key)) {
            health.forget(key);
        }
    }

    fn context(
        &self,
        kind: Kind,
        id: &ComponentId,
        pipeline: Option<&String>,
        shard: usize,
        shards: usize,
    ) -> Context {
        let key = ComponentKey { kind, id: id.clone(), pipeline: pipeline.cloned() };
        let environment = &self.environment;
        Context {
            health: environment.health.reporter(key.clone()),
            key,
            clock: environment.clock.clone(),
            telemetry: environment.telemetry.clone(),
            admission: environment.admission.clone(),
            handles: environment.handles.clone(),
            storages: Arc::clone(&self.storages),
            shard,
            shards,
        }
    }

    /// Extensions come first, and once they run they stay until the end.
    async fn start_extensions(&mut self, plan: &Plan) -> Result<(), EngineError> {
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
            let mut built =
                (extension.factory.create)(&extension.section, &context).map_err(|e| failed(&context, &e))?;
            built.start().await.map_err(|error| failed(&context, &error.into()))?;
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

    async fn build(&self, plan: &Plan) -> Result<Fresh, EngineError> {
        let mut fresh = Fresh::default();
        for (id, exporter) in &plan.exporters {
            let old = self.branches.get(id);
            if old.is_some_and(|running| running.fingerprint == exporter.fingerprint) {
                continue;
            }
            let context = self.context(Kind::Exporter, id, None, 0, 1);
            let built =
                (exporter.factory.create)(&exporter.section, &context).map_err(|e| failed(&context, &e))?;
            let built: Arc<dyn Exporter> = built.into();
            if old.is_none() {
                context.health.starting();
                built.start().await.map_err(|error| failed(&context, &error.into()))?;
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
            let mut built =
                (receiver.factory.create)(&receiver.section, &context).map_err(|e| failed(&context, &e))?;
            if old.is_none() {
                context.health.starting();
                built.start().await.map_err(|error| failed(&context, &error.into()))?;
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
                let create = || (slot.create)(&slot.section, &context).map_err(|e| failed(&context, &e));
                let mut processor = create()?;
                // In a lane that runs already, the processor that is there knows more than what was written.
                if let Some(state) = self.state.as_ref().filter(|_| !self.lanes.contains_key(&lane.name))
                    && !state.restore(&context, processor.as_mut())
                {
                    processor = create()?;
                }
                Ok(Built { plan: slot.clone(), context, processor })
            };
            stage.slots.iter().map(build).collect::<Result<Vec<_>, EngineError>>()
        };
        let stages = lane.stages.iter();
        stages.map(|stage| (0..stage.shards).map(|shard| shard_of(stage, shard)).collect()).collect()
    }

    /// Exchanges what differs. From here on failures are reported, not undone: what was there is gone already.
    async fn commit(&mut self, plan: &mut Plan, mut fresh: Fresh) -> Result<(), EngineError> {
        let deadline = Instant::now() + self.shutdown_timeout;
        let replaced_exporters = self.start_branches(plan, &mut fresh).await;
        for (name, lane) in &plan.lanes {
            if !self.lanes.contains_key(name) {
                let input = Arc::new(LaneInput::new(name.clone(), lane.signals));
                self.lanes.insert(
                    name.clone(),
                    RunningLane { fingerprint: Value::Null, input, stages: Vec::new() },
                );
            }
        }
        // Receivers that go, and those that change, stop before their lanes do.
        self.stop_old_receivers(plan, &fresh, deadline).await;
        for (name, lane) in plan.lanes.iter().rev() {
            if let Some(built) = fresh.processors.remove(name) {
                self.exchange_lane(lane, built).await;
            }
        }
        for (_, lane) in
            self.lanes.extract_if(.., |name, _| !plan.lanes.contains_key(name)).collect::<Vec<_>>()
        {
            lane.drain().await;
        }
        let gone = self
            .branches
            .extract_if(.., |id, _| !plan.exporters.contains_key(id))
            .map(|(_, running)| running);
        let gone: Vec<_> = gone.chain(replaced_exporters).collect();
        for running in gone {
            running.branch.shut_down(running.runner, deadline).await;
        }
        let order: HashMap<_, _> = plan.lanes.keys().enumerate().map(|(i, name)| (name.clone(), i)).collect();
        self.lanes.sort_by(|a, _, b, _| order.get(a).cmp(&order.get(b)));
        self.start_receivers(plan, fresh).await;
        Ok(())
    }

    /// Starts new and changed branches; returns those that were replaced, still running.
    async fn start_branches(&mut self, plan: &Plan, fresh: &mut Fresh) -> Vec<RunningBranch> {
        let mut replaced = Vec::new();
        for (id, exporter) in &plan.exporters {
            let Some((built, context)) = fresh.exporters.remove(id) else { continue };
            // Marks the lanes that use it as changed; see `lane_changes`, which has run already.
            if self.branches.contains_key(id)
                && let Err(error) = built.start().await
            {
                error!(exporter = %id, error = describe(&error), "a changed exporter cannot start");
                context.health.failed(describe(&error));
            }
            match run_branch(exporter, built, context.clone()) {
                Ok(running) => replaced.extend(self.branches.insert(id.clone(), running)),
                Err(error) => {
                    error!(exporter = %id, error = describe(&error), "its queue cannot be opened");
                    context.health.failed(describe(&error));
                }
            }
        }
        for running in self.branches.values() {
            if let Some(dead_letter) =
                running.branch.settings().dead_letter.as_ref().and_then(|id| self.branches.get(id))
            {
                running.branch.set_dead_letter(Arc::clone(&dead_letter.branch));
            }
        }
        replaced
    }

    async fn stop_old_receivers(&mut self, plan: &Plan, fresh: &Fresh, deadline: Instant) {
        let ends = |id: &ComponentId| !plan.receivers.contains_key(id) || fresh.receivers.contains_key(id);
        let old: Vec<_> =
            self.receivers.extract_if(.., |id, _| ends(id)).map(|(_, receiver)| receiver).collect();
        stop_receivers(old, deadline).await;
    }

    async fn exchange_lane(&mut self, lane: &LanePlan, built: Vec<Vec<Vec<Built>>>) {
        let ends = Ends {
            branches: lane
                .exporters
                .iter()
                .filter_map(|id| self.branches.get(id))
                .map(|r| Arc::clone(&r.branch))
                .collect(),
            lanes: lane
                .lanes
                .iter()
                .filter_map(|(name, signals)| Some((Arc::clone(&self.lanes.get(name)?.input), *signals)))
                .collect(),
        };
        let Some(running) = self.lanes.get_mut(&lane.name) else { return };
        let shapes: Vec<_> = lane.stages.iter().map(|stage| (stage.affinity, stage.shards)).collect();
        let (target, prepared) = prepare(&shapes, ends);
        // New data waits in the new queues while the old ones are drained.
        running.input.aim(Some(target));
        let mut old = Vec::new();
        for stage in std::mem::take(&mut running.stages) {
            old.extend(stage.join().await);
        }
        for (stage, shards) in prepared.into_iter().zip(built) {
            let shards = shards.into_iter().map(|slots| settle(slots, &mut old)).collect();
            running.stages.push(RunningStage::spawn(stage, shards, &self.environment.clock));
        }
        running.fingerprint = lane.fingerprint();
    }

    async fn start_receivers(&mut self, plan: &Plan, mut fresh: Fresh) {
        for (id, receiver) in &plan.receivers {
            let lanes: Vec<_> = receiver.lanes.iter().filter_map(|name| self.lanes.get(name)).collect();
            let lanes = lanes.into_iter().map(|lane| Arc::clone(&lane.input)).collect();
            if let Some(running) = self.receivers.get(id) {
                running.routes.set(lanes);
                continue;
            }
            let Some((built, context)) = fresh.receivers.remove(id) else { continue };
            let running = self.run_receiver(receiver, built, context, lanes).await;
            self.receivers.insert(id.clone(), running);
        }
    }

    async fn run_receiver(
        &self,
        plan: &ReceiverPlan,
        mut built: Box<dyn Receiver>,
        context: Context,
        lanes: Vec<Arc<LaneInput>>,
    ) -> RunningReceiver {
        // One that is new has started already; one that changed had to wait for its predecessor to let go of the port.
        let started = self.environment.health.snapshot().get(&context.key).map(|entry| entry.status);
        if started != Some(component::Status::Starting)
            && let Err(error) = built.start().await
        {
            error!(receiver = %context.key.id, error = describe(&error), "a changed receiver cannot start");
            context.health.recovering(describe(&error));
        }
        let routes = Arc::new(Routes::new(lanes));
        let name = context.key.id.to_string();
        let environment = &self.environment;
        let ingress = Ingress::new(
            &name,
            Arc::clone(&routes) as _,
            environment.admission.clone(),
            &environment.telemetry,
        );
        let trigger = ShutdownTrigger::default();
        let blueprint = Blueprint { section: plan.section.clone(), create: plan.factory.create, context };
        let task = tokio::spawn(supervise::run(built, blueprint, ingress, trigger.listener()));
        info!(receiver = name, "started");
        RunningReceiver { fingerprint: plan.section.node.to_json(), routes, trigger, task }
    }
}

impl RunningLane {
    /// Ends the lane once everything in it has gone on, and gives back its processors.
    async fn drain(self) -> Vec<Slot> {
        self.input.aim(None);
        let mut slots = Vec::new();
        for stage in self.stages {
            slots.extend(stage.join().await);
        }
        slots
    }
}

/// Puts processors into their places: the old one where it fits, so that it keeps what it learned.
fn settle(slots: Vec<Built>, old: &mut Vec<Slot>) -> Stage {
    let settled = slots.into_iter().map(|Built { plan, context, processor }| {
        let kept = old.iter().position(|slot| slot.fits(&plan.section, context.shard, context.shards));
        let processor = kept.and_then(|i| old.swap_remove(i).into_processor()).unwrap_or(processor);
        Slot::new(plan.section, context, plan.signals, plan.create, processor)
    });
    Stage::new(settled.collect())
}

fn run_branch(
    plan: &ExporterPlan,
    exporter: Arc<dyn Exporter>,
    context: Context,
) -> Result<RunningBranch, RunError> {
    let waiting = Branch::waiting(&plan.delivery, &context)?;
    let signals: SignalSet = plan.factory.signals;
    let branch = Arc::new(Branch::new(exporter, signals, plan.delivery.clone(), context, waiting));
    let runner = tokio::spawn(Arc::clone(&branch).run());
    Ok(RunningBranch { fingerprint: plan.fingerprint.clone(), branch, runner })
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

async fn stop_receivers(receivers: Vec<RunningReceiver>, deadline: Instant) {
    receivers.iter().for_each(|receiver| receiver.trigger.trigger());
    let waits = receivers.into_iter().map(|receiver| async move {
        let mut task = receiver.task;
        if tokio::time::timeout_at(deadline, &mut task).await.is_err() {
            task.abort();
            warn!("a receiver did not end in time");
        }
    });
    futures::future::join_all(waits.collect::<Vec<_>>()).await;
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
