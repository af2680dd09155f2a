#![doc = include_str!("README.md")]

mod config;
mod filter;
mod host;
mod parse;
mod scrapers;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use component::{
    BuildError, Clock, ConfigSpec, Context, Counter, HealthReporter, Ingress, Receiver, ReceiverFactory,
    RunError, Shutdown, Stability, Telemetry,
};
use pdata::proto::common::InstrumentationScope;
use pdata::proto::metrics::{MetricsData, ResourceMetrics, ScopeMetrics};
use pdata::proto::resource::Resource;
use pdata::{Metrics, Signal, SignalSet, Timestamp};
use tokio::task::JoinHandle;

pub use self::config::{Config, Disk, Filesystem, Load, Network, Plain, Process, Scrapers};
pub use self::filter::{Devices, FsTypes, Interfaces, MatchType, MountPoints, Names, RegexpCache};
use self::host::{Host, ScrapeError};
use self::scrapers::{Scraped, Scraper};
use crate::emit::text;
pub use crate::emit::{Toggle, Toggles};
use crate::periodic::{self, Collect};

/// The semantic conventions that the metrics follow.
const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.9.0";

/// Builds `hostmetrics` receivers.
pub const FACTORY: ReceiverFactory = ReceiverFactory {
    type_name: "hostmetrics",
    aliases: &["host_metrics"],
    stability: Stability::Beta,
    signals: SignalSet::of(&[Signal::Metrics]),
    config: ConfigSpec::of::<Config>(),
    create: |section, context| Ok(Box::new(HostMetrics::new(&section.parse()?, context)?)),
};

/// Reads the host's metrics once per interval.
pub struct HostMetrics {
    schedule: (Duration, Duration),
    collector: Collector,
}

impl HostMetrics {
    /// A receiver of the metrics that `config` names.
    ///
    /// # Errors
    /// If a filter is not a regular expression, or the host's files cannot be read at all.
    pub fn new(config: &Config, context: &Context) -> Result<Self, BuildError> {
        let scrapers =
            scrapers::build(&config.scrapers).map_err(|invalid| BuildError::other(invalid.to_string()))?;
        let host = Host::new(&config.root_path).map_err(|error| BuildError::other(error.to_string()))?;
        let interval = config.collection_interval.get();
        let timeout = if config.timeout.is_zero() { interval } else { config.timeout.get() };
        let receiver = context.key.id.to_string();
        let counters = scrapers
            .iter()
            .map(|scraper| (scraper.name(), Counters::new(&context.telemetry, &receiver, scraper.name())));
        let collector = Collector {
            timeout,
            clock: context.clock.clone(),
            health: context.health.clone(),
            counters: counters.collect(),
            reported: HashMap::new(),
            work: Work::Idle(Box::new(Readers { host, scrapers })),
        };
        Ok(Self { schedule: (config.initial_delay.get(), interval), collector })
    }

    /// Reads everything once, outside the schedule. `None` if there is nothing to report.
    ///
    /// # Errors
    /// If reading cannot go on at all.
    ///
    /// # Cancellation safety
    /// A reading under way goes on, and the next call takes its result.
    pub async fn read(&mut self) -> Result<Option<Metrics>, RunError> {
        self.collector.collect().await
    }
}

#[async_trait]
impl Receiver for HostMetrics {
    async fn run(self: Box<Self>, ingress: Ingress, shutdown: Shutdown) -> Result<(), RunError> {
        let Self { schedule, mut collector } = *self;
        periodic::run(&mut collector, schedule, &ingress, &shutdown).await
    }
}

/// One scraper's own metrics.
#[derive(Debug)]
struct Counters {
    scraped: Counter,
    errored: Counter,
}

impl Counters {
    fn new(telemetry: &Telemetry, receiver: &str, scraper: &str) -> Self {
        let counter = |name: &str, help: &str| {
            telemetry.counter(name, help, &[("receiver", receiver), ("scraper", scraper)])
        };
        Self {
            scraped: counter("otelcol_scraper_scraped_metric_points", "Metric points that were scraped."),
            errored: counter("otelcol_scraper_errored_metric_points", "Things that could not be scraped."),
        }
    }
}

/// Reads the files, off the runtime's threads: a file system that hangs blocks only this.
struct Readers {
    host: Host,
    scrapers: Vec<Box<dyn Scraper>>,
}

type Reading = Vec<(&'static str, Result<Scraped, ScrapeError>)>;

impl Readers {
    fn read(&mut self, now: Timestamp) -> Reading {
        let Self { host, scrapers } = self;
        scrapers.iter_mut().map(|scraper| (scraper.name(), scraper.scrape(host, now))).collect()
    }
}

enum Work {
    Idle(Box<Readers>),
    /// A reading that is under way, or did not end in time.
    Reading(JoinHandle<(Box<Readers>, Reading)>),
    /// Lost with a reading that panicked.
    Lost,
}

struct Collector {
    timeout: Duration,
    clock: Clock,
    health: HealthReporter,
    counters: HashMap<&'static str, Counters>,
    /// The error that each scraper was last reported with, so that one that stays is logged once.
    reported: HashMap<&'static str, String>,
    work: Work,
}

#[async_trait]
impl Collect for Collector {
    async fn collect(&mut self) -> Result<Option<Metrics>, RunError> {
        let now = self.clock.now();
        let mut handle = match std::mem::replace(&mut self.work, Work::Lost) {
            Work::Idle(mut readers) => tokio::task::spawn_blocking(move || {
                let reading = readers.read(now);
                (readers, reading)
            }),
            Work::Reading(handle) => handle,
            Work::Lost => return Err(RunError::Other("an earlier reading panicked".to_owned())),
        };
        match tokio::time::timeout(self.timeout, &mut handle).await {
            Ok(Ok((readers, reading))) => {
                let name = readers.host.name();
                self.work = Work::Idle(readers);
                Ok(self.assemble(name, reading))
            }
            Ok(Err(error)) => Err(RunError::Other(format!("reading the host's files failed: {error}"))),
            Err(_) => {
                self.work = Work::Reading(handle);
                let why = format!("reading the host's files takes longer than {:?}", self.timeout);
                tracing::warn!("{why}");
                self.health.recovering(why);
                Ok(None)
            }
        }
    }
}

impl Collector {
    /// Puts a reading into one batch, and says what could not be read.
    fn assemble(&mut self, host_name: Option<String>, reading: Reading) -> Option<Metrics> {
        let mut attributes = vec![text("os.type", "linux")];
        attributes.extend(host_name.map(|name| text("host.name", &name)));
        let mut of_host = ResourceMetrics {
            resource: Some(Resource { attributes: attributes.clone(), ..Resource::default() }),
            schema_url: SCHEMA_URL.to_owned(),
            ..ResourceMetrics::default()
        };
        let mut of_others = Vec::new();
        let mut worked = false;
        for (scraper, result) in reading {
            let Some(Scraped { host, resources, .. }) = self.note(scraper, result) else { continue };
            worked = true;
            if !host.is_empty() {
                of_host.scope_metrics.push(scope(scraper, host));
            }
            of_others.extend(resources.into_iter().map(|(own, metrics)| ResourceMetrics {
                resource: Some(Resource {
                    attributes: attributes.iter().cloned().chain(own).collect(),
                    ..Resource::default()
                }),
                scope_metrics: vec![scope(scraper, metrics)],
                schema_url: SCHEMA_URL.to_owned(),
            }));
        }
        if worked {
            self.health.ok();
        } else {
            self.health.recovering("none of the scrapers works");
        }
        let of_host = (!of_host.scope_metrics.is_empty()).then_some(of_host);
        let resource_metrics: Vec<_> = of_host.into_iter().chain(of_others).collect();
        (!resource_metrics.is_empty()).then(|| Metrics::from_message(MetricsData { resource_metrics }))
    }

    /// Counts a scraper's result, and logs an error when it is new.
    fn note(&mut self, scraper: &'static str, result: Result<Scraped, ScrapeError>) -> Option<Scraped> {
        let counters = self.counters.get(scraper);
        match result {
            Ok(scraped) => {
                self.reported.remove(scraper);
                if let Some(counters) = counters {
                    let metrics =
                        scraped.host.iter().chain(scraped.resources.iter().flat_map(|(_, metrics)| metrics));
                    counters.scraped.add(metrics.map(points).sum());
                    counters.errored.add(scraped.errors);
                }
                Some(scraped)
            }
            Err(error) => {
                if let Some(counters) = counters {
                    counters.errored.add(1);
                }
                let message = error.to_string();
                if self.reported.get(scraper) != Some(&message) {
                    tracing::warn!(scraper, error = message, "a part of the host cannot be read");
                    self.reported.insert(scraper, message);
                }
                None
            }
        }
    }
}

fn scope(scraper: &str, metrics: Vec<pdata::proto::metrics::Metric>) -> ScopeMetrics {
    let scope = InstrumentationScope {
        name: format!("watchfire/hostmetrics/{scraper}"),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    ScopeMetrics { scope: Some(scope), metrics, schema_url: SCHEMA_URL.to_owned() }
}

fn points(metric: &pdata::proto::metrics::Metric) -> u64 {
    use pdata::proto::metrics::metric::Data;
    match &metric.data {
        Some(Data::Gauge(gauge)) => gauge.data_points.len() as u64,
        Some(Data::Sum(sum)) => sum.data_points.len() as u64,
        Some(Data::Histogram(_) | Data::ExponentialHistogram(_) | Data::Summary(_)) | None => 0,
    }
}
