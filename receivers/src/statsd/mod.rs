#![doc = include_str!("README.md")]

mod aggregate;
mod config;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
pub mod line;
mod listen;
mod observe;
mod output;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::config::Section;
use async_trait::async_trait;
use component::{
    BuildError, Clock, ConfigSpec, Context, Counter, Ingress, NackKind, Receiver, ReceiverFactory, RunError,
    Shutdown, Stability,
};
use pdata::{Metrics, Signal, SignalSet};
use tokio::time::{Instant, MissedTickBehavior};

use self::aggregate::Aggregator;
pub use self::config::{
    Config, CounterType, ExplicitBuckets, HistogramSettings, Mapping, ObservationType, Observer,
    SummarySettings, Transport,
};
use self::line::{Line, LineError};
use self::listen::{Listener, Sink};

/// Builds `statsd` receivers.
pub const FACTORY: ReceiverFactory = ReceiverFactory {
    type_name: "statsd",
    aliases: &[],
    stability: Stability::Beta,
    signals: SignalSet::of(&[Signal::Metrics]),
    config: ConfigSpec::of::<Config>(),
    create,
};

fn create(section: &Section, context: &Context) -> Result<Box<dyn Receiver>, BuildError> {
    let config: Config = section.parse()?;
    let aggregator = Aggregator::new(&config, context.clock.now())
        .map_err(|invalid| section.error(&invalid.field, invalid.message))?;
    Ok(Box::new(Statsd::new(config, aggregator, context)))
}

/// Brings StatsD in.
struct Statsd {
    config: Config,
    listener: Option<Listener>,
    intake: Intake,
}

impl Statsd {
    fn new(config: Config, aggregator: Aggregator, context: &Context) -> Self {
        let id = context.key.id.to_string();
        let counter = |name: &str, help: &str| context.telemetry.counter(name, help, &[("receiver", &id)]);
        let intake = Intake {
            aggregator: Arc::new(Mutex::new(aggregator)),
            clock: context.clock.clone(),
            simple_tags: config.enable_simple_tags,
            ingress: None,
            malformed: counter("otelcol_receiver_statsd_malformed_lines", "Lines that could not be parsed."),
            unsupported: counter("otelcol_receiver_statsd_unsupported_lines", "Events and service checks."),
            over_limit: counter(
                "otelcol_receiver_statsd_dropped_values",
                "Values dropped because there were too many series, set members or points.",
            ),
        };
        Self { config, listener: None, intake }
    }
}

#[async_trait]
impl Receiver for Statsd {
    async fn start(&mut self) -> Result<(), RunError> {
        let listener = Listener::bind(&self.config).await;
        let bind = |source| RunError::Bind { address: self.config.endpoint.clone(), source };
        self.listener = Some(listener.map_err(bind)?);
        Ok(())
    }

    async fn run(mut self: Box<Self>, ingress: Ingress, shutdown: Shutdown) -> Result<(), RunError> {
        if self.listener.is_none() {
            self.start().await?;
        }
        let Some(listener) = self.listener else { return Ok(()) };
        let mut intake = self.intake;
        intake.ingress = Some(ingress.clone());
        let interval = self.config.aggregation_interval.get();
        let listening = tokio::spawn(listener.run(intake.clone(), shutdown.clone()));
        let mut ticks = tokio::time::interval_at(Instant::now() + interval, interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.requested() => break,
                _ = ticks.tick() => {
                    if let Some(metrics) = intake.flush() {
                        deliver(&ingress, &shutdown, metrics, interval).await;
                    }
                }
            }
        }
        let ended = listening.await;
        if let Some(metrics) = intake.flush() {
            deliver(&ingress, &shutdown, metrics, interval).await;
        }
        ended.map_err(|error| RunError::Other(format!("listening ended: {error}")))
    }
}

/// Delivers an interval. One that is refused is sent again until the next is due: nobody else has it.
async fn deliver(ingress: &Ingress, shutdown: &Shutdown, metrics: Metrics, interval: Duration) {
    let deadline = Instant::now() + interval;
    loop {
        let Err(nack) = ingress.deliver(metrics.clone(), None).await else { return };
        let NackKind::Retryable { after } = nack.kind else {
            tracing::warn!(%nack, "an interval was refused for good");
            return;
        };
        let pause = after.unwrap_or(Duration::from_secs(1)).max(Duration::from_millis(10));
        if shutdown.is_requested() || Instant::now() + pause >= deadline {
            tracing::warn!(%nack, "an interval was not delivered");
            return;
        }
        tokio::select! {
            () = shutdown.requested() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Takes lines in. Cheap to clone.
#[derive(Clone)]
struct Intake {
    aggregator: Arc<Mutex<Aggregator>>,
    clock: Clock,
    simple_tags: bool,
    /// Counts what is lost; there is none before the receiver runs.
    ingress: Option<Ingress>,
    malformed: Counter,
    unsupported: Counter,
    over_limit: Counter,
}

impl Intake {
    fn flush(&self) -> Option<Metrics> {
        let mut aggregator = self.aggregator.lock().unwrap_or_else(PoisonError::into_inner);
        aggregator.flush(self.clock.now()).map(Metrics::from_message)
    }

    fn count_failed(&self, items: u64) {
        if let Some(ingress) = &self.ingress
            && items > 0
        {
            ingress.count_failed(Signal::Metrics, items);
        }
    }
}

impl Sink for Intake {
    fn take(&self, lines: &[u8]) {
        let now = self.clock.now();
        let mut lost = 0;
        let mut aggregator = self.aggregator.lock().unwrap_or_else(PoisonError::into_inner);
        for line in lines.split(|byte| *byte == b'\n') {
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            match Line::parse(line, self.simple_tags) {
                Ok(line) => {
                    let taken = aggregator.add(&line, now);
                    self.over_limit.add(taken.over_limit);
                    lost += taken.over_limit;
                }
                Err(LineError::Unsupported) => self.unsupported.add(1),
                Err(error) => {
                    tracing::debug!(%error, "malformed line");
                    self.malformed.add(1);
                    lost += 1;
                }
            }
        }
        drop(aggregator);
        self.count_failed(lost);
    }

    fn too_long(&self) {
        self.malformed.add(1);
        self.count_failed(1);
    }
}
