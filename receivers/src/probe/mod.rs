#![doc = include_str!("README.md")]

mod certificate;
mod config;
mod connect;
mod dns;
mod error;
mod http;
mod metrics;
mod target;
#[cfg(test)]
mod tests;
mod validation;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use component::{
    BuildError, Clock, ConfigSpec, Context, Counter, Ingress, Receiver, ReceiverFactory, RunError, Shutdown,
    Stability,
};
use futures::StreamExt;
use pdata::proto::common::{InstrumentationScope, KeyValue};
use pdata::proto::metrics::{Metric, MetricsData, ResourceMetrics, ScopeMetrics};
use pdata::proto::resource::Resource;
use pdata::{Metrics, Signal, SignalSet, Timestamp};

pub use self::config::{Config, DnsTarget, HttpTarget, TcpTarget, TlsTarget, Validation};
use self::metrics::Round;
use self::target::{Outcome, Target};
use crate::emit::Toggles;
use crate::periodic::{self, Collect};

/// Builds `probe` receivers.
pub const FACTORY: ReceiverFactory = ReceiverFactory {
    type_name: "probe",
    aliases: &["http_check", "httpcheck"],
    stability: Stability::Beta,
    signals: SignalSet::of(&[Signal::Metrics]),
    config: ConfigSpec::of::<Config>(),
    create: |section, context| Ok(Box::new(Probe::new(&section.parse()?, context)?)),
};

/// Probes targets once per interval.
pub struct Probe {
    schedule: (Duration, Duration),
    prober: Prober,
}

impl Probe {
    /// A receiver that probes the targets of `config`.
    ///
    /// # Errors
    /// If certificates are not usable.
    pub fn new(config: &Config, context: &Context) -> Result<Self, BuildError> {
        let targets = Target::all(config)?;
        let id = context.key.id.to_string();
        let probes = |outcome| {
            let labels = [("receiver", id.as_str()), ("outcome", outcome)];
            context.telemetry.counter("otelcol_receiver_probe_probes", "Probes, by outcome.", &labels)
        };
        let prober = Prober {
            errors: vec![BTreeMap::new(); targets.len()],
            targets,
            max_concurrent: config.max_concurrent,
            toggles: config.metrics.clone(),
            clock: context.clock.clone(),
            start: context.clock.now(),
            succeeded: probes("success"),
            failed: probes("failure"),
        };
        Ok(Self { schedule: (config.initial_delay.get(), config.collection_interval.get()), prober })
    }
}

#[async_trait]
impl Receiver for Probe {
    async fn run(self: Box<Self>, ingress: Ingress, shutdown: Shutdown) -> Result<(), RunError> {
        let Self { schedule, mut prober } = *self;
        periodic::run(&mut prober, schedule, &ingress, &shutdown).await
    }
}

struct Prober {
    targets: Vec<Target>,
    /// How often each target failed, by the collector's codes.
    errors: Vec<BTreeMap<&'static str, u64>>,
    max_concurrent: usize,
    toggles: Toggles,
    clock: Clock,
    start: Timestamp,
    succeeded: Counter,
    failed: Counter,
}

#[async_trait]
impl Collect for Prober {
    async fn collect(&mut self) -> Result<Option<Metrics>, RunError> {
        let time = self.clock.now();
        let clock = &self.clock;
        let probes: Vec<_> = self.targets.iter().map(|target| target.probe(clock)).collect();
        let outcomes: Vec<_> = futures::stream::iter(probes).buffered(self.max_concurrent).collect().await;
        let outcomes = std::iter::zip(&self.targets, &mut self.errors).zip(outcomes);
        let outcomes = outcomes.map(|((target, errors), mut outcome)| {
            count(target, errors, &mut outcome);
            if outcome.is_success() {
                self.succeeded.add(1)
            } else {
                self.failed.add(1)
            }
            (target, outcome)
        });
        let round = Round { toggles: &self.toggles, start: self.start, time, outcomes: outcomes.collect() };
        let resource_metrics = round.report();
        Ok((!resource_metrics.is_empty()).then(|| Metrics::from_message(MetricsData { resource_metrics })))
    }
}

/// Counts a TCP target's failure; the others have no such metric.
fn count(target: &Target, errors: &mut BTreeMap<&'static str, u64>, outcome: &mut Outcome) {
    if target.is_tcp() {
        if let Err(error) = &outcome.result {
            *errors.entry(error.code()).or_default() += 1;
        }
        outcome.errors_so_far = errors.iter().map(|(code, count)| (*code, *count)).collect();
    }
}

/// Metrics of one resource, if there are any.
fn resource_metrics(attributes: Vec<KeyValue>, metrics: Vec<Metric>) -> Option<ResourceMetrics> {
    let scope = InstrumentationScope {
        name: "watchfire/probe".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    let scope_metrics = vec![ScopeMetrics { scope: Some(scope), metrics, ..ScopeMetrics::default() }];
    let is_empty = scope_metrics.iter().all(|scope| scope.metrics.is_empty());
    let resource = Some(Resource { attributes, ..Resource::default() });
    (!is_empty).then(|| ResourceMetrics { resource, scope_metrics, ..ResourceMetrics::default() })
}
