//! The running graph, and how it is started, changed and ended.
//!
//! A start is a change from nothing. A change first builds everything that is new, while what runs is left alone, so a
//! configuration that cannot be built changes nothing. Then it exchanges only what differs: a lane that changed is drained,
//! and its processors move over with what they learned wherever their own configuration stayed the same.

mod build;
mod exchange;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use component::{
    Admission, Clock, ComponentKey, Context, Handles, Health, Kind, Registry, ShutdownTrigger, Storage,
    Telemetry,
};
use config::{ComponentId, Config, Errors};
use indexmap::IndexMap;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{error, warn};

pub(crate) use build::{create, start};

use crate::branch::Branch;
use crate::intake::Routes;
use crate::lane::{LaneInput, Learned, RunningStage};
use crate::plan::Plan;
use crate::stage::Slot;
use crate::state::StateStore;
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

impl Environment {
    /// What a component gets to work with: no storage, and the only one of its kind.
    pub(crate) fn context(&self, kind: Kind, id: &ComponentId, pipeline: Option<&String>) -> Context {
        let key = ComponentKey { kind, id: id.clone(), pipeline: pipeline.cloned() };
        Context {
            health: self.health.reporter(key.clone()),
            key,
            clock: self.clock.clone(),
            telemetry: self.telemetry.clone(),
            admission: self.admission.clone(),
            handles: self.handles.clone(),
            storages: Arc::default(),
            shard: 0,
            shards: 1,
        }
    }
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
        let storages = Arc::clone(&self.storages);
        Context { storages, shard, shards, ..self.environment.context(kind, id, pipeline) }
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
