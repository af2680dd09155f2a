#![doc = include_str!("README.md")]

mod auth;
mod collect;
mod config;
mod declared;
mod discovery;
mod fetch;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod labels;
mod output;
mod points;
mod relabel;
mod scrape;
mod series;
mod target;
#[cfg(test)]
mod tests;
pub mod text;
mod units;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::config::Section;
use async_trait::async_trait;
use component::{
    BuildError, ConfigSpec, Context, Gauge, Ingress, Receiver, ReceiverFactory, RunError, Shutdown, Stability,
};
use pdata::{Signal, SignalSet};
use reqwest::Client;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

pub use self::auth::{Authorization, BasicAuth, TlsConfig};
pub use self::config::{
    Config, FileSdConfig, GlobalConfig, PrometheusConfig, Scheme, ScrapeConfig, TargetGroup,
};
use self::discovery::Discovery;
pub use self::relabel::{Action, RelabelConfig};
use self::scrape::{Scraper, Shared};
use self::target::{Job, Target};

/// Builds `prometheus` receivers.
pub const FACTORY: ReceiverFactory = ReceiverFactory {
    type_name: "prometheus",
    aliases: &[],
    stability: Stability::Beta,
    signals: SignalSet::of(&[Signal::Metrics]),
    config: ConfigSpec::of::<Config>(),
    create,
};

fn create(section: &Section, context: &Context) -> Result<Box<dyn Receiver>, BuildError> {
    let config: Config = section.parse()?;
    let jobs = Job::all(&config).map_err(|invalid| section.error(&invalid.field, invalid.message))?;
    let jobs = jobs.into_iter().map(|job| {
        let client = fetch::client(&job.config).map_err(|error| BuildError::other(error.to_string()))?;
        Ok((Arc::new(job), client))
    });
    let jobs: Vec<_> = jobs.collect::<Result<_, BuildError>>()?;
    Ok(Box::new(Prometheus { jobs, context: context.clone() }))
}

/// Scrapes targets.
struct Prometheus {
    jobs: Vec<(Arc<Job>, Client)>,
    context: Context,
}

#[async_trait]
impl Receiver for Prometheus {
    async fn run(self: Box<Self>, ingress: Ingress, shutdown: Shutdown) -> Result<(), RunError> {
        let id = self.context.key.id.to_string();
        let scrapes = |outcome| {
            let name = "otelcol_receiver_prometheus_scrapes";
            let labels = [("receiver", id.as_str()), ("outcome", outcome)];
            self.context.telemetry.counter(name, "Scrapes, by outcome.", &labels)
        };
        let shared = Shared {
            ingress,
            shutdown,
            clock: self.context.clock.clone(),
            succeeded: scrapes("success"),
            failed: scrapes("failure"),
        };
        let mut running = JoinSet::new();
        for (job, client) in self.jobs {
            let labels = [("receiver", id.as_str()), ("job", job.config.job_name.as_str())];
            let help = "Targets that are being scraped.";
            let targets = self.context.telemetry.gauge("otelcol_receiver_prometheus_targets", help, &labels);
            running.spawn(RunningJob::new(job, client, shared.clone(), targets).run());
        }
        while let Some(ended) = running.join_next().await {
            // The engine starts the receiver again.
            ended.map_err(|error| RunError::Other(format!("a job ended: {error}")))??;
        }
        Ok(())
    }
}

/// A job and the scrapers of its targets.
struct RunningJob {
    job: Arc<Job>,
    client: Client,
    shared: Shared,
    n_targets: Gauge,
    over_limit: Arc<AtomicBool>,
    scrapers: JoinSet<()>,
    removal: HashMap<String, CancellationToken>,
}

impl RunningJob {
    fn new(job: Arc<Job>, client: Client, shared: Shared, n_targets: Gauge) -> Self {
        Self {
            job,
            client,
            shared,
            n_targets,
            over_limit: Arc::default(),
            scrapers: JoinSet::new(),
            removal: HashMap::new(),
        }
    }

    /// Looks for targets and scrapes them until the shutdown.
    ///
    /// # Errors
    /// If a scraper panicked.
    async fn run(mut self) -> Result<(), RunError> {
        let mut discovery = Discovery::new(Arc::clone(&self.job));
        let interval = discovery.interval();
        let shutdown = self.shared.shutdown.clone();
        loop {
            let look = tokio::task::spawn_blocking(move || {
                let targets = discovery.targets();
                (discovery, targets)
            });
            // It fails only when the runtime ends.
            let Ok((looked, targets)) = look.await else { break };
            discovery = looked;
            self.adjust(targets);
            let next = async {
                match interval {
                    Some(interval) => tokio::time::sleep(interval).await,
                    None => std::future::pending().await,
                }
            };
            tokio::pin!(next);
            loop {
                tokio::select! {
                    () = shutdown.requested() => return self.end().await,
                    () = &mut next => break,
                    Some(ended) = self.scrapers.join_next(), if !self.scrapers.is_empty() => ended.map_err(panicked)?,
                }
            }
        }
        self.end().await
    }

    /// Starts scrapers for new targets and stops those of old ones; the others go on undisturbed.
    fn adjust(&mut self, targets: Vec<Target>) {
        let limit = self.job.config.target_limit;
        self.over_limit.store(limit > 0 && targets.len() > limit, Ordering::Release);
        self.n_targets.set(targets.len() as f64);
        let mut former = std::mem::take(&mut self.removal);
        for target in targets {
            let identity = format!("{:?}", target.identity());
            let removed = former.remove(&identity).unwrap_or_else(|| {
                let removed = CancellationToken::new();
                let (client, shared) = (self.client.clone(), self.shared.clone());
                let scraper = Scraper::new(target, client, Arc::clone(&self.over_limit), shared);
                self.scrapers.spawn(scraper.run(removed.clone()));
                removed
            });
            self.removal.insert(identity, removed);
        }
        former.into_values().for_each(|removed| removed.cancel());
    }

    async fn end(mut self) -> Result<(), RunError> {
        while let Some(ended) = self.scrapers.join_next().await {
            ended.map_err(panicked)?;
        }
        self.n_targets.set(0.0);
        Ok(())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn panicked(error: JoinError) -> RunError {
    RunError::Other(format!("a scraper ended: {error}"))
}
