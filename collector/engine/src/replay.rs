//! Recorded telemetry through a configuration, in event time, as fast as it goes.
//!
//! In: recorded batches in order. Out: whatever the configuration's exporters make of what its pipelines make of them, and
//! a summary. One batch after the other, time only from the data: the same input gives the same output, byte for byte.
//! Receivers and extensions are not started: the input takes the receivers' place, and what an extension does (keep state,
//! answer health checks) is no business of a replay.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use component::{Ack, Clock, Context, Delivery, Exporter, Kind, Nack, Registry};
use config::{ComponentId, Config};
use futures::{Stream, StreamExt};
use indexmap::IndexMap;
use pdata::{Batch, Signal, SignalSet, Timestamp};
use tokio::time::Instant;

use crate::branch::Branch;
use crate::plan::{ExporterPlan, LanePlan, Plan};
use crate::running::{EngineError, Environment, create, start};
use crate::stage::{Slot, Stage};
use crate::supervise::describe;
use crate::validate;

/// How far event time may move between two ticks.
const TICK: Duration = Duration::from_secs(1);
/// Where nothing comes for longer than this many ticks, ticks become as many times longer: a log with a line an hour covers
/// years, and what has been quiet for an hour is as quiet a minute later.
const TICKS_BEFORE_LONGER: u32 = 60;
/// After a gap longer than this, time jumps to its end instead of ticking through.
const LONGEST_GAP: Duration = Duration::from_secs(24 * 3600);

/// A batch that was recorded.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The time of its earliest item: when the batch is played.
    pub time: Timestamp,
    /// The time of its latest item: how far event time goes at least before the end.
    pub until: Timestamp,
    /// The data.
    pub batch: Batch,
}

/// What came of a replay.
#[derive(Clone, Debug, Default)]
pub struct Replayed {
    /// Batches played.
    pub batches: u64,
    /// Items played, by [`Signal::index`].
    pub items: [u64; 4],
    /// Items of them that no pipeline takes, by [`Signal::index`].
    pub untaken: [u64; 4],
    /// Batches that a processor refused.
    pub refused: u64,
    /// Why the first of them was refused.
    pub refusal: Option<Nack>,
    /// Events that reached the end of a pipeline with exporters.
    pub events: u64,
    /// The earliest time that was played; zero if nothing was.
    pub began: Timestamp,
    /// How far event time went.
    pub ended: Timestamp,
}

/// What is known about refusals so far.
type Refusals = Arc<Mutex<(u64, Option<Nack>)>>;

struct Lane {
    signals: SignalSet,
    stages: Vec<Stage>,
    exporters: Vec<ComponentId>,
    lanes: Vec<(String, SignalSet)>,
    has_receivers: bool,
}

struct Player {
    clock: Clock,
    pace: Option<Pace>,
    lanes: IndexMap<String, Lane>,
    branches: IndexMap<ComponentId, Branch>,
    refusals: Refusals,
    played: Replayed,
    failed: Option<EngineError>,
}

/// Plays `input` through the pipelines of `config`: it takes the place of every receiver. With `speed` event time passes that
/// many times as fast as time does; without, as fast as it goes. At the end everything that is held back is flushed, and
/// every exporter is closed.
///
/// # Errors
/// If the configuration is wrong, a component cannot start, or an exporter does not take what it is given, after the
/// retries that its configuration asks for.
pub async fn replay(
    config: &Config,
    registry: &Registry,
    environment: Environment,
    input: impl Stream<Item = Recorded>,
    speed: Option<f64>,
) -> Result<Replayed, EngineError> {
    validate(config, registry)?;
    let plan = Plan::new(config, registry, 1)?;
    let environment = Environment { clock: Clock::manual(Timestamp::default()), ..environment };
    environment.handles.offer(Arc::new(environment.health.clone()));
    let mut input = pin!(input);
    let mut next = input.next().await;
    if let Some(first) = &next {
        environment.clock.advance_to(first.time);
    }
    let mut player = Player::new(&plan, &environment, speed).await?;
    let mut until = environment.clock.now();
    while let Some(recorded) = next {
        until = until.max(recorded.until);
        player.advance(recorded.time).await;
        player.feed(recorded.batch).await;
        if player.failed.is_some() {
            break;
        }
        next = input.next().await;
    }
    player.finish(until).await
}

impl Player {
    async fn new(plan: &Plan, environment: &Environment, speed: Option<f64>) -> Result<Self, EngineError> {
        let mut branches = IndexMap::new();
        for (id, exporter) in &plan.exporters {
            branches.insert(id.clone(), build_branch(id, exporter, environment).await?);
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
        let clock = environment.clock.clone();
        let played = Replayed { began: clock.now(), ..Replayed::default() };
        let pace = speed.map(|speed| Pace { speed, start: None });
        Ok(Self { clock, pace, lanes, branches, refusals: Refusals::default(), played, failed: None })
    }

    async fn feed(&mut self, batch: Batch) {
        let (signal, items) = (batch.signal(), batch.items() as u64);
        self.played.batches += 1;
        self.played.items[signal.index()] += items;
        let takes = |lane: &Lane| lane.has_receivers && lane.signals.contains(signal);
        let takers: Vec<_> = (0..self.lanes.len()).filter(|i| takes(&self.lanes[*i])).collect();
        if takers.is_empty() {
            self.played.untaken[signal.index()] += items;
        }
        let refusals = Arc::clone(&self.refusals);
        let ack = Ack::new(move |outcome| {
            if let Err(nack) = outcome {
                let mut refusals = refusals.lock().unwrap_or_else(PoisonError::into_inner);
                refusals.0 += 1;
                refusals.1.get_or_insert(nack);
            }
        });
        // The last one gets the batch itself: what is shared must be copied before it can be changed.
        let mut batches = std::iter::repeat_n(batch, takers.len());
        for (lane, ack) in takers.iter().zip(ack.split(takers.len())) {
            let Some(batch) = batches.next() else { return };
            self.run(*lane, 0, vec![Delivery { batch, ack }]).await;
        }
    }

    /// Lets time pass up to `time`, a tick at a time.
    async fn advance(&mut self, time: Timestamp) {
        if time.since(self.clock.now()) > LONGEST_GAP {
            self.clock.advance_to(time - TICK);
            self.pace.iter_mut().for_each(|pace| pace.start = None);
        }
        for now in ticks(self.clock.now(), time) {
            self.pass(now).await;
            self.each_stage(|stage| stage.tick(now)).await;
        }
        self.pass(time).await;
    }

    async fn pass(&mut self, time: Timestamp) {
        if let Some(pace) = &mut self.pace {
            pace.wait_for(time).await;
        }
        self.clock.advance_to(time);
    }

    async fn finish(mut self, until: Timestamp) -> Result<Replayed, EngineError> {
        if self.failed.is_none() {
            self.advance(until).await;
            let now = self.clock.now();
            self.each_stage(|stage| stage.flush(now)).await;
        }
        for (id, branch) in &self.branches {
            if let Err(error) = branch.close().await {
                self.failed.get_or_insert(undelivered(id, &error));
            }
        }
        if let Some(error) = self.failed {
            return Err(error);
        }
        // Whoever still holds a batch back drops it now, which counts as a refusal.
        drop(self.lanes);
        let (refused, refusal) = self.refusals.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(Replayed { refused, refusal, ended: self.clock.now(), ..self.played })
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
            self.end(lane, delivery).await;
        }
    }

    async fn end(&mut self, lane: usize, delivery: Delivery) {
        let Delivery { batch, ack } = delivery;
        let signal = batch.signal();
        let lane = &self.lanes[lane];
        if signal == Signal::Events && !lane.exporters.is_empty() {
            self.played.events += batch.items() as u64;
        }
        for id in &lane.exporters {
            if let Err(error) = export(&self.branches, id, &batch).await {
                self.failed.get_or_insert(error);
            }
        }
        let downstream = lane.lanes.iter().filter(|(_, signals)| signals.contains(signal));
        let downstream: Vec<_> = downstream.filter_map(|(name, _)| self.lanes.get_index_of(name)).collect();
        for (next, ack) in downstream.iter().zip(ack.split(downstream.len())) {
            Box::pin(self.run(*next, 0, vec![Delivery { batch: batch.clone(), ack }])).await;
        }
    }
}

/// When to tick after `from`, up to `to`.
pub(crate) fn ticks(from: Timestamp, to: Timestamp) -> impl Iterator<Item = Timestamp> {
    let mut now = from;
    std::iter::from_fn(move || {
        let left = to.since(now);
        let tick = TICK.max(now.since(from) / TICKS_BEFORE_LONGER);
        now = now + tick.min(left);
        (left >= TICK).then_some(now)
    })
}

/// Gives a batch to an exporter, or to the one that gets what it cannot deliver.
async fn export(
    branches: &IndexMap<ComponentId, Branch>,
    id: &ComponentId,
    batch: &Batch,
) -> Result<(), EngineError> {
    let takes = |id: &ComponentId| branches.get(id).filter(|branch| branch.takes(batch.signal()));
    let Some(branch) = takes(id) else { return Ok(()) };
    let Err(nack) = branch.send(batch).await else { return Ok(()) };
    let Some((dead_letter, other)) =
        branch.settings().dead_letter.as_ref().and_then(|id| Some((id, takes(id)?)))
    else {
        return Err(undelivered(id, &nack));
    };
    tracing::warn!(exporter = %id, reason = %nack, to = %dead_letter, "not delivered");
    other.send(batch).await.map_err(|nack| undelivered(dead_letter, &nack))
}

/// Holds event time to a multiple of real time.
struct Pace {
    speed: f64,
    /// A moment and the event time that it stands for.
    start: Option<(Instant, Timestamp)>,
}

impl Pace {
    async fn wait_for(&mut self, time: Timestamp) {
        let (start, first) = *self.start.get_or_insert_with(|| (Instant::now(), time));
        let passed = Duration::try_from_secs_f64(time.since(first).as_secs_f64() / self.speed);
        if let Some(due) = passed.ok().and_then(|passed| start.checked_add(passed)) {
            tokio::time::sleep_until(due).await;
        }
    }
}

async fn build_branch(
    id: &ComponentId,
    plan: &ExporterPlan,
    environment: &Environment,
) -> Result<Branch, EngineError> {
    let context = environment.context(Kind::Exporter, id, None);
    let built = create(&context, || (plan.factory.create)(&plan.section, &context))?;
    let built: Arc<dyn Exporter> = built.into();
    start(&context, built.start()).await?;
    // Nothing waits in a queue, so nothing needs to be kept on disk.
    let mut delivery = plan.delivery.clone();
    delivery.sending_queue.storage = None;
    let waiting = Branch::waiting(&delivery, &context).map_err(|e| refused(&context, &describe(&e)))?;
    Ok(Branch::new(built, plan.factory.signals, delivery, context, waiting))
}

fn build_stages(lane: &LanePlan, environment: &Environment) -> Result<Vec<Stage>, EngineError> {
    let mut stages = Vec::new();
    for stage in &lane.stages {
        let mut slots = Vec::new();
        for slot in &stage.slots {
            let context = environment.context(slot.kind, &slot.section.id, lane.pipeline.as_ref());
            let processor = create(&context, || (slot.create)(&slot.section, &context))?;
            slots.push(Slot::new(slot.section.clone(), context, slot.signals, slot.create, processor));
        }
        stages.push(Stage::new(slots));
    }
    Ok(stages)
}

fn refused(context: &Context, error: &dyn std::fmt::Display) -> EngineError {
    EngineError::Component { component: context.key.to_string(), reason: error.to_string() }
}

fn undelivered(id: &ComponentId, error: &dyn std::error::Error) -> EngineError {
    EngineError::Undelivered { exporter: id.clone(), reason: error.to_string() }
}
