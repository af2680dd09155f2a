#![doc = include_str!("README.md")]

mod config;
mod durations;
mod points;
mod resources;
mod series;
#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use component::{
    Clock, ConfigSpec, ConnectorFactory, Context, Counter, Gauge, Output, ProcessError, Processor, Stability,
};
use pdata::{Batch, Metrics, Signal, SignalSet, Timestamp};

pub use self::config::Config;
use self::config::Temporality;
use self::points::Style;
use self::resources::Resources;

/// Builds `span_metrics` connectors.
pub const FACTORY: ConnectorFactory = ConnectorFactory {
    type_name: "span_metrics",
    aliases: &["spanmetrics"],
    stability: Stability::Beta,
    inputs: SignalSet::of(&[Signal::Traces]),
    outputs: SignalSet::of(&[Signal::Metrics]),
    config: ConfigSpec::of::<Config>(),
    create: |section, context| Ok(Box::new(SpanMetrics::new(section.parse::<Config>()?, context))),
};

struct SpanMetrics {
    clock: Clock,
    resources: Resources,
    style: Style,
    interval: Duration,
    expiration: Duration,
    /// When metrics were last emitted.
    emitted: Timestamp,
    spans: Counter,
    evicted: Counter,
    known: Gauge,
}

impl SpanMetrics {
    fn new(config: Config, context: &Context) -> Self {
        let id = context.key.id.to_string();
        let labels: &[(&str, &str)] = &[("connector", &id)];
        let counter = |name: &str, help: &str| context.telemetry.counter(name, help, labels);
        // Nothing that is seen from outside depends on the seed.
        let seed = RandomState::new().hash_one(&context.key);
        Self {
            clock: context.clock.clone(),
            style: Style::of(&config),
            interval: config.metrics_flush_interval.get(),
            expiration: config.metrics_expiration.get(),
            emitted: Timestamp::default(),
            spans: counter("otelcol_connector_span_metrics_spans", "Spans that were counted."),
            evicted: counter(
                "otelcol_connector_span_metrics_evicted_resources",
                "Resources that made room for others.",
            ),
            known: context.telemetry.gauge(
                "otelcol_connector_span_metrics_resources",
                "Resources whose spans are counted.",
                labels,
            ),
            resources: Resources::new(config, seed),
        }
    }

    fn emit(&mut self, now: Timestamp, output: &mut Output) {
        let since = self.emitted;
        self.emitted = now;
        if !self.expiration.is_zero() {
            self.resources.expire(now - self.expiration);
        }
        self.evicted.add(std::mem::take(&mut self.resources.evicted));
        self.known.set(self.resources.known.len() as f64);
        let message = self.style.metrics(&self.resources, since, now);
        match self.style.temporality {
            Temporality::Delta => self.resources.begin_anew(),
            Temporality::Cumulative => self.resources.forget_exemplars(),
        }
        if !message.resource_metrics.is_empty() {
            output.emit(Metrics::from_message(message));
        }
    }
}

impl Processor for SpanMetrics {
    fn process(&mut self, batch: Batch, _: &mut Output) -> Result<(), ProcessError> {
        if let Batch::Traces(traces) = batch {
            let now = self.clock.now();
            if self.emitted.is_unknown() {
                self.emitted = now;
            }
            self.spans.add(traces.items() as u64);
            self.resources.count(&traces, now);
        }
        Ok(())
    }

    fn tick(&mut self, now: Timestamp, output: &mut Output) {
        // A replay lets time pass more often than is asked for, and the system's clock a little sooner or later.
        let least = if self.clock.is_manual() { self.interval } else { self.interval.mul_f64(0.9) };
        if now.since(self.emitted) >= least {
            self.emit(now, output);
        }
    }

    fn tick_interval(&self) -> Duration {
        self.interval
    }

    fn flush(&mut self, now: Timestamp, output: &mut Output) {
        self.emit(now, output);
    }
}
