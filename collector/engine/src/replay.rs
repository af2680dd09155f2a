//! Recorded telemetry through a configuration, in event time, as fast as it goes.
//!
//! One thread, one batch after the other, time only from the data: the same input gives the same output, byte for byte.

use std::collections::HashMap;
use std::time::Duration;

use component::{Clock, ComponentKey, Context, Delivery, ExportError, Exporter, Kind, Registry};
use config::{ComponentId, Config};
use indexmap::IndexMap;
use pdata::{Batch, SignalSet, Timestamp};

use crate::plan::{LanePlan, Plan};
use crate::running::{EngineError, Environment};
use crate::stage::{Slot, Stage};
use crate::validate;

/// How far event time may move between two ticks.
const TICK: Duration = Duration::from_secs(1);
/// After a gap longer than this, time jumps to its end instead of ticking through.
const LONGEST_GAP: Duration = Duration::from_secs(24 * 3600);

struct Lane {
    signals: SignalSet,
    stages: Vec<Stage>,
    exporters: Vec<ComponentId>,
    lanes: Vec<(String, SignalSet)>,
    has_receivers: bool,
}

struct Player {
    clock: Clock,
    lanes: IndexMap<String, Lane>,
    exporters: HashMap<ComponentId, (std::sync::Arc<dyn Exporter>, SignalSet)>,
    failed: Option<EngineError>,
}

/// Plays `input` through the pipelines of `config`: it takes the place of every receiver. Returns how many batches were
/// played.
///
/// # Errors
/// If the configuration is wrong, a component cannot start, or an exporter does not take what it is given.
pub async fn replay(
    config: &Config,
    registry: &Registry,
    environment: Environment,
    input: impl Iterator<Item = (Timestamp, Batch)>,
) -> Result<u64, EngineError> {
    validate(config, registry)?;
    let plan = Plan::new(config, registry, 1)?;
    let environment = Environment { clock: Clock::manual(Timestamp::default()), ..environment };
    let mut input = input.peekable();
    if let Some((first, _)) = input.peek() {
        environment.clock.advance_to(*first);
    }
    let mut player = Player::new(&plan, &environment).await?;
    let mut played = 0;
    for (time, batch) in input {
        player.advance(time).await;
        player.feed(batch).await;
        played += 1;
        if let Some(error) = player.failed.take() {
            return Err(error);
        }
    }
    player.finish().await?;
    Ok(played)
}

impl Player {
    async fn new(plan: &Plan, environment: &Environment) -> Result<Self, EngineError> {
        let mut exporters = HashMap::new();
        for (id, exporter) in &plan.exporters {
            let context = context(environment, Kind::Exporter, id, None);
            let built =
                (exporter.factory.create)(&exporter.section, &context).map_err(|e| refused(&context, &e))?;
            built.start().await.map_err(|e| refused(&context, &e))?;
            exporters.insert(id.clone(), (built.into(), exporter.factory.signals));
        }
        let mut lanes = IndexMap::new();
        for (name, lane) in &plan.lanes {
            let stages = build_stages(lane, environment)?;
            let LanePlan { signals, exporters, lanes: downstream, has_receivers, .. } = lane;
            let lane = Lane {
                signals: *signals,
                stages,
                exporters: exporters.clone(),
                lanes: downstream.clone(),
                has_receivers: *has_receivers,
            };
            lanes.insert(name.clone(), lane);
        }
        Ok(Self { clock: environment.clock.clone(), lanes, exporters, failed: None })
    }

    async fn feed(&mut self, batch: Batch) {
        for i in 0..self.lanes.len() {
            let lane = &self.lanes[i];
            if lane.has_receivers && lane.signals.contains(batch.signal()) {
                self.run(i, 0, vec![Delivery::unawaited(batch.clone())]).await;
            }
        }
    }

    /// Lets time pass up to `time`, a tick at a time.
    async fn advance(&mut self, time: Timestamp) {
        if time.since(self.clock.now()) > LONGEST_GAP {
            self.clock.advance_to(time - TICK);
        }
        while self.clock.now() + TICK <= time {
            self.clock.advance_to(self.clock.now() + TICK);
            let now = self.clock.now();
            self.each_stage(|stage| stage.tick(now)).await;
        }
        self.clock.advance_to(time);
    }

    async fn finish(mut self) -> Result<(), EngineError> {
        let now = self.clock.now();
        self.each_stage(|stage| stage.flush(now)).await;
        for (id, (exporter, _)) in &self.exporters {
            if let Err(error) = exporter.shutdown().await {
                self.failed.get_or_insert(undelivered(id, &error));
            }
        }
        self.failed.map_or(Ok(()), Err)
    }

    async fn each_stage(&mut self, mut call: impl FnMut(&mut Stage) -> Vec<Delivery>) {
        for lane in 0..self.lanes.len() {
            for stage in 0..self.lanes[lane].stages.len() {
                let emitted = call(&mut self.lanes[lane].stages[stage]);
                if !emitted.is_empty() {
                    self.run(lane, stage + 1, emitted).await;
                }
            }
        }
    }

    /// Takes deliveries through a lane from one of its stages on, and through what comes after it.
    async fn run(&mut self, lane: usize, first: usize, mut deliveries: Vec<Delivery>) {
        for stage in &mut self.lanes[lane].stages[first..] {
            deliveries = deliveries.into_iter().flat_map(|delivery| stage.process(delivery)).collect();
            deliveries.extend(stage.idle());
        }
        for delivery in deliveries {
            self.end(lane, &delivery.batch).await;
            delivery.ack.done();
        }
    }

    async fn end(&mut self, lane: usize, batch: &Batch) {
        let signal = batch.signal();
        for id in &self.lanes[lane].exporters {
            let Some((exporter, signals)) = self.exporters.get(id) else { continue };
            if signals.contains(signal)
                && let Err(error) = exporter.export(batch.clone()).await
            {
                self.failed.get_or_insert(undelivered(id, &error));
            }
        }
        for (name, signals) in self.lanes[lane].lanes.clone() {
            if let Some(next) = self.lanes.get_index_of(&name).filter(|_| signals.contains(signal)) {
                Box::pin(self.run(next, 0, vec![Delivery::unawaited(batch.clone())])).await;
            }
        }
    }
}

fn build_stages(lane: &LanePlan, environment: &Environment) -> Result<Vec<Stage>, EngineError> {
    let mut stages = Vec::new();
    for stage in &lane.stages {
        let mut slots = Vec::new();
        for slot in &stage.slots {
            let context = context(environment, slot.kind, &slot.section.id, lane.pipeline.as_ref());
            let processor = (slot.create)(&slot.section, &context).map_err(|e| refused(&context, &e))?;
            slots.push(Slot::new(slot.section.clone(), context, slot.signals, slot.create, processor));
        }
        stages.push(Stage::new(slots));
    }
    Ok(stages)
}

fn context(environment: &Environment, kind: Kind, id: &ComponentId, pipeline: Option<&String>) -> Context {
    let key = ComponentKey { kind, id: id.clone(), pipeline: pipeline.cloned() };
    Context {
        health: environment.health.reporter(key.clone()),
        key,
        clock: environment.clock.clone(),
        telemetry: environment.telemetry.clone(),
        admission: environment.admission.clone(),
        handles: environment.handles.clone(),
        storages: std::sync::Arc::default(),
        shard: 0,
        shards: 1,
    }
}

fn refused(context: &Context, error: &dyn std::error::Error) -> EngineError {
    EngineError::Component { component: context.key.to_string(), reason: error.to_string() }
}

fn undelivered(id: &ComponentId, error: &ExportError) -> EngineError {
    EngineError::Component { component: format!("exporter:{id}"), reason: error.to_string() }
}
