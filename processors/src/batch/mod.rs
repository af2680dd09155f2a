#![doc = include_str!("README.md")]

mod config;
mod held;
#[cfg(test)]
mod tests;

use std::time::Duration;

use component::{
    Admission, Affinity, Clock, ConfigSpec, Context, Counter, Histogram, Output, ProcessError, Processor,
    ProcessorFactory, Stability,
};
use pdata::{Batch, Signal, SignalSet, Timestamp};

pub use self::config::Config;
use self::held::Held;

/// Builds `batch` processors.
pub const FACTORY: ProcessorFactory = ProcessorFactory {
    type_name: "batch",
    aliases: &[],
    stability: Stability::Beta,
    signals: SignalSet::TELEMETRY,
    affinity: Affinity::Single,
    config: ConfigSpec::of::<Config>(),
    create: |section, context| Ok(Box::new(Batcher::new(section.parse()?, context))),
};

/// The shortest time between two looks at the clock.
const SHORTEST_TICK: Duration = Duration::from_millis(1);
/// The longest one.
const LONGEST_TICK: Duration = Duration::from_secs(1);

struct Batcher {
    config: Config,
    clock: Clock,
    admission: Admission,
    /// One for each signal of [`Signal::ALL`].
    held: [Held; Signal::ALL.len()],
    by_size: Counter,
    by_timeout: Counter,
    sizes: Histogram,
}

impl Processor for Batcher {
    fn process(&mut self, batch: Batch, output: &mut Output) -> Result<(), ProcessError> {
        if batch.is_empty() {
            // Nothing to deliver: its sender is answered at once.
            return Ok(());
        }
        let now = self.clock.now();
        let signal = batch.signal();
        self.held[signal.index()].push(batch, output.hold(), now);
        let items = self.held[signal.index()].items();
        if self.config.timeout.is_zero() {
            self.emit(signal, 0, now, output);
        } else if items >= self.config.send_batch_size {
            self.by_size.add(1);
            self.emit(signal, self.config.send_batch_size, now, output);
        }
        Ok(())
    }

    fn tick(&mut self, now: Timestamp, output: &mut Output) {
        for signal in Signal::ALL {
            let since = self.held[signal.index()].since();
            if since.is_some_and(|since| now.since(since) >= self.config.timeout.get()) {
                self.by_timeout.add(1);
                self.emit(signal, 0, now, output);
            }
        }
        // Others may have been answered since the last data came; at the end of the process nothing comes any more. In a replay
        // nobody waits for an answer, and time alone decides.
        if self.admission.in_flight_requests() > 0 && self.all_wait_here() {
            self.flush(now, output);
        }
    }

    fn tick_interval(&self) -> Duration {
        self.config.timeout.get().clamp(SHORTEST_TICK, LONGEST_TICK)
    }

    fn idle(&mut self, output: &mut Output) {
        if self.all_wait_here() {
            let now = self.clock.now();
            self.flush(now, output);
        }
    }

    fn flush(&mut self, now: Timestamp, output: &mut Output) {
        for signal in Signal::ALL {
            self.emit(signal, 0, now, output);
        }
    }
}

impl Batcher {
    fn new(config: Config, context: &Context) -> Self {
        let id = context.key.id.to_string();
        let labels = &[("processor", id.as_str())];
        Self {
            clock: context.clock.clone(),
            admission: context.admission.clone(),
            held: std::array::from_fn(|_| Held::default()),
            by_size: context.telemetry.counter(
                "otelcol_processor_batch_batch_size_trigger_send",
                "Batches that went out because they were large enough",
                labels,
            ),
            by_timeout: context.telemetry.counter(
                "otelcol_processor_batch_timeout_trigger_send",
                "Batches that went out because they had waited long enough",
                labels,
            ),
            sizes: context.telemetry.histogram(
                "otelcol_processor_batch_batch_send_size",
                "Items in the batches that went out",
                labels,
                &[
                    10.0, 100.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 10_000.0, 20_000.0, 50_000.0,
                    100_000.0,
                ],
            ),
            config,
        }
    }

    /// Whether every request in flight waits for what is held here. Then no company can come: senders send no more before they
    /// are answered.
    fn all_wait_here(&self) -> bool {
        let awaited: usize = self.held.iter().map(Held::awaited).sum();
        awaited > 0 && self.admission.in_flight_requests() <= awaited
    }

    /// Lets go of what is held, but for what would make a batch of fewer than `least` items.
    fn emit(&mut self, signal: Signal, least: usize, now: Timestamp, output: &mut Output) {
        for delivery in self.held[signal.index()].take(self.config.send_batch_max_size, least, now) {
            self.sizes.observe(delivery.batch.items() as f64);
            output.emit_held(delivery.batch, delivery.ack);
        }
    }
}
