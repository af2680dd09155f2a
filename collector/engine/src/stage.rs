//! A fused run of processors that works as one: batches in, batches out, synchronously.
//!
//! The live engine gives each stage a task, the replay calls it directly; both run this code, so both give the same
//! answer. A processor that panics is dropped, counted and built anew after a while; the batch it panicked on is refused
//! for good, so that it cannot come back and do it again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use component::{Context, Counter, Delivery, Nack, Output, ProcessError, Processor};
use config::Section;
use pdata::{Signal, SignalSet, Timestamp};
use tracing::{error, info, warn};

use crate::lane::Learned;
use crate::panic_text;
use crate::plan::Create;

/// The wait before a processor is built anew after its first panic; doubles with each further one.
const FIRST_BACK_OFF: Duration = Duration::from_secs(1);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(60);
/// A processor that worked this long before it panicked starts over with the first wait.
const STABLE_AFTER: Duration = Duration::from_secs(600);
/// After this many panics what it had learned is suspected, and it starts without.
const TRUST_STATE_FOR: u32 = 3;

/// One processor in its place.
pub(crate) struct Slot {
    section: Section,
    context: Context,
    signals: SignalSet,
    create: Create<dyn Processor>,
    state: State,
    saved: Option<Vec<u8>>,
    last_tick: Timestamp,
    counters: [Counters; 4],
    panics: Counter,
}

enum State {
    Working { processor: Box<dyn Processor>, panics: u32, since: Timestamp },
    Broken { until: Timestamp, panics: u32 },
}

struct Counters {
    incoming: Counter,
    outgoing: Counter,
}

impl Slot {
    /// Puts `processor` into its place.
    pub(crate) fn new(
        section: Section,
        context: Context,
        signals: SignalSet,
        create: Create<dyn Processor>,
        processor: Box<dyn Processor>,
    ) -> Self {
        let name = section.id.to_string();
        let counters = Signal::ALL.map(|signal| {
            let labels = [("processor", name.as_str()), ("otel_signal", signal.name())];
            Counters {
                incoming: context.telemetry.counter(
                    "otelcol_processor_incoming_items",
                    "Items taken in.",
                    &labels,
                ),
                outgoing: context.telemetry.counter(
                    "otelcol_processor_outgoing_items",
                    "Items handed on.",
                    &labels,
                ),
            }
        });
        let labels = [("component", name.as_str())];
        let panics =
            context.telemetry.counter("otelcol_component_panics", "Panics that were caught.", &labels);
        context.health.ok();
        let last_tick = context.clock.now();
        let state = State::Working { processor, panics: 0, since: last_tick };
        Self { section, context, signals, create, state, saved: None, last_tick, counters, panics }
    }

    /// Whether the processor can go on in a place with this section and shard.
    pub(crate) fn fits(&self, section: &Section, shard: usize, shards: usize) -> bool {
        self.section.id == section.id
            && self.section.node.to_json() == section.node.to_json()
            && self.context.shard == shard
            && self.context.shards == shards
    }

    /// Takes the processor out, to move it to another place.
    pub(crate) fn into_processor(self) -> Option<Box<dyn Processor>> {
        match self.state {
            State::Working { processor, .. } => Some(processor),
            State::Broken { .. } => None,
        }
    }

    /// What the processor has learned; remembered for a restart after a panic.
    pub(crate) fn learned(&mut self) -> Option<Learned> {
        let snapshot = self.guarded(|processor| processor.snapshot()).ok().flatten()?;
        self.saved = Some(snapshot.clone());
        Some(Learned { context: self.context.clone(), snapshot })
    }

    fn process(&mut self, delivery: Delivery) -> Vec<Delivery> {
        if !self.signals.contains(delivery.batch.signal()) {
            return vec![delivery];
        }
        self.counters[delivery.batch.signal().index()].incoming.add(delivery.batch.items() as u64);
        let mut output = Output::for_batch(delivery.ack);
        let result = match self.guarded(|processor| processor.process(delivery.batch, &mut output)) {
            Ok(result) => result,
            Err(refusal) => Err(refusal),
        };
        if let Err(error) = &result {
            warn!(processor = %self.section.id, %error, "refused a batch");
        }
        self.counted(output.finish(result))
    }

    fn call(&mut self, call: impl FnOnce(&mut dyn Processor, &mut Output)) -> Vec<Delivery> {
        let mut output = Output::default();
        // What a panicking processor emitted before it panicked is still good.
        let _ = self.guarded(|processor| call(processor, &mut output));
        self.counted(output.take())
    }

    fn tick(&mut self, now: Timestamp) -> Vec<Delivery> {
        self.revive(now);
        let interval = match &self.state {
            State::Working { processor, .. } => processor.tick_interval(),
            State::Broken { .. } => return Vec::new(),
        };
        if now.since(self.last_tick) < interval {
            return Vec::new();
        }
        self.last_tick = now;
        self.call(|processor, output| processor.tick(now, output))
    }

    fn counted(&self, emitted: Vec<Delivery>) -> Vec<Delivery> {
        for delivery in &emitted {
            self.counters[delivery.batch.signal().index()].outgoing.add(delivery.batch.items() as u64);
        }
        emitted
    }

    /// Runs `call` on the processor and survives its panic.
    fn guarded<R>(&mut self, call: impl FnOnce(&mut dyn Processor) -> R) -> Result<R, ProcessError> {
        let State::Working { processor, panics, since } = &mut self.state else {
            return Err(ProcessError::Retryable(format!("processor {} is restarting", self.section.id)));
        };
        match catch_unwind(AssertUnwindSafe(|| call(processor.as_mut()))) {
            Ok(result) => Ok(result),
            Err(panic) => {
                let now = self.context.clock.now();
                let panics = if now.since(*since) < STABLE_AFTER { *panics + 1 } else { 1 };
                let text = panic_text(panic.as_ref());
                error!(processor = %self.section.id, panic = text, "a processor panicked");
                self.panics.add(1);
                let back_off = FIRST_BACK_OFF.saturating_mul(1 << (panics - 1).min(16)).min(LONGEST_BACK_OFF);
                self.state = State::Broken { until: now + back_off, panics };
                self.context.health.recovering(format!("panicked: {text}"));
                Err(ProcessError::Permanent(format!("processor {} panicked", self.section.id)))
            }
        }
    }

    /// Builds a processor that knows what is in `saved`, and survives if that panics.
    fn build(&self, saved: Option<&[u8]>) -> Result<Box<dyn Processor>, String> {
        let built = catch_unwind(AssertUnwindSafe(|| {
            let mut processor =
                (self.create)(&self.section, &self.context).map_err(|error| error.to_string())?;
            if let Some(saved) = saved {
                processor.restore(saved).map_err(|error| error.to_string())?;
            }
            Ok(processor)
        }));
        built.unwrap_or_else(|panic| {
            self.panics.add(1);
            Err(format!("panicked: {}", panic_text(panic.as_ref())))
        })
    }

    fn revive(&mut self, now: Timestamp) {
        let State::Broken { until, panics } = self.state else { return };
        if now < until {
            return;
        }
        let saved = self.saved.as_deref().filter(|_| panics <= TRUST_STATE_FOR);
        let built = self.build(saved).or_else(|error| match saved {
            Some(_) => {
                warn!(processor = %self.section.id, error, "what it had learned is not usable");
                self.build(None)
            }
            None => Err(error),
        });
        match built {
            Ok(processor) => {
                self.state = State::Working { processor, panics, since: now };
                self.context.health.restarted();
                self.context.health.ok();
                info!(processor = %self.section.id, "restarted after a panic");
            }
            Err(error) => {
                self.state = State::Broken { until: now + LONGEST_BACK_OFF, panics };
                self.context.health.failed(format!("cannot be built again: {error}"));
            }
        }
    }
}

/// A fused run of processors.
pub(crate) struct Stage {
    slots: Vec<Slot>,
}

impl Stage {
    /// The run of `slots`.
    pub(crate) const fn new(slots: Vec<Slot>) -> Self {
        Self { slots }
    }

    /// What its processors have learned.
    pub(crate) fn learned(&mut self) -> Vec<Learned> {
        self.slots.iter_mut().filter_map(Slot::learned).collect()
    }

    /// Takes the run apart.
    pub(crate) fn into_slots(self) -> Vec<Slot> {
        self.slots
    }

    /// Takes one batch through the run.
    pub(crate) fn process(&mut self, delivery: Delivery) -> Vec<Delivery> {
        self.from(0, vec![delivery])
    }

    /// Lets time pass for every processor whose turn it is.
    pub(crate) fn tick(&mut self, now: Timestamp) -> Vec<Delivery> {
        self.each(|slot| slot.tick(now))
    }

    /// Says that nothing waits in front of the run.
    pub(crate) fn idle(&mut self) -> Vec<Delivery> {
        self.each(|slot| slot.call(|processor, output| processor.idle(output)))
    }

    /// Says that the input has ended.
    pub(crate) fn flush(&mut self, now: Timestamp) -> Vec<Delivery> {
        self.each(|slot| slot.call(|processor, output| processor.flush(now, output)))
    }

    /// How often some processor of the run wants to tick.
    pub(crate) fn tick_interval(&self) -> Duration {
        let intervals = self.slots.iter().filter_map(|slot| match &slot.state {
            State::Working { processor, .. } => Some(processor.tick_interval()),
            State::Broken { .. } => None,
        });
        intervals.min().unwrap_or(FIRST_BACK_OFF).max(Duration::from_millis(1))
    }

    fn each(&mut self, mut call: impl FnMut(&mut Slot) -> Vec<Delivery>) -> Vec<Delivery> {
        let mut emitted = Vec::new();
        for i in 0..self.slots.len() {
            let fresh = call(&mut self.slots[i]);
            if !fresh.is_empty() {
                emitted.extend(self.from(i + 1, fresh));
            }
        }
        emitted
    }

    fn from(&mut self, first: usize, mut deliveries: Vec<Delivery>) -> Vec<Delivery> {
        for slot in &mut self.slots[first..] {
            deliveries = match <[Delivery; 1]>::try_from(deliveries) {
                // The usual case: one in, one out.
                Ok([delivery]) => slot.process(delivery),
                Err(several) => several.into_iter().flat_map(|delivery| slot.process(delivery)).collect(),
            };
        }
        deliveries
    }
}

/// Refuses everything in `deliveries`.
pub(crate) fn refuse(deliveries: Vec<Delivery>, nack: &Nack) {
    deliveries.into_iter().for_each(|delivery| delivery.ack.fail(nack.clone()));
}
