//! `watchfire run`: the pipelines until somebody ends them.

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::Context as _;
use component::Registry;
use config::{Config, LogEncoding};
use engine::{Engine, EngineError, Environment};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info, warn};
use tracing_subscriber::EnvFilter;

use crate::cli::{ConfigArgs, Failure};
use crate::telemetry::OwnMetrics;
use crate::watch::Watch;

/// Runs what the configuration asks for until SIGTERM or SIGINT. SIGHUP, or a change of one of its files, reads the
/// configuration again; a wrong one leaves everything as it was.
///
/// # Errors
/// If the configuration is wrong or something cannot start.
pub(crate) fn run(args: &ConfigArgs, registry: &Registry) -> Result<(), Failure> {
    let config = args.load()?;
    log_to_stderr(&config);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(serve(args, &config, registry))
}

async fn serve(args: &ConfigArgs, config: &Config, registry: &Registry) -> Result<(), Failure> {
    // The handlers come first, so that a signal during the start is not lost.
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut hang_up = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    let mut collector = Collector::start(args, config, registry).await?;
    info!(version = env!("CARGO_PKG_VERSION"), "everything is running");
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => info!("SIGHUP: reading the configuration again"),
            () = collector.watch.changed() => info!("the configuration's files have changed"),
            () = tokio::time::sleep(collector.save_every) => {
                collector.engine.save_state().await;
                continue;
            }
        }
        collector.reload().await;
    }
    info!("shutting down");
    collector.engine.shut_down().await;
    collector.metrics.shut_down().await;
    Ok(())
}

/// What runs, and what it is made from.
struct Collector<'a> {
    args: &'a ConfigArgs,
    engine: Engine,
    metrics: OwnMetrics,
    watch: Watch,
    /// How often what was learned is written.
    save_every: Duration,
}

impl<'a> Collector<'a> {
    async fn start(args: &'a ConfigArgs, config: &Config, registry: &Registry) -> Result<Self, Failure> {
        warn_of(config);
        let watch = Watch::new(&config.files).await;
        let environment = Environment::default();
        let mut metrics = OwnMetrics::new(environment.telemetry.clone());
        let addresses = &config.service.telemetry.metrics.addresses;
        let bound = metrics.bind(addresses).await.map_err(anyhow::Error::from)?;
        let engine = Engine::start(config, *registry, environment).await.map_err(failure)?;
        metrics.serve(bound, addresses).await;
        Ok(Self { args, engine, metrics, watch, save_every: save_every(config) })
    }

    async fn reload(&mut self) {
        match self.change().await {
            Ok(()) => info!("the new configuration is in force"),
            Err(error) => error!(%error, "the new configuration was refused; the old one goes on"),
        }
    }

    async fn change(&mut self) -> Result<(), Failure> {
        // Before it is read: a change that comes later is another one.
        self.watch.mark_read().await;
        let config = self.args.load()?;
        self.watch.follow(&config.files).await;
        warn_of(&config);
        let addresses = &config.service.telemetry.metrics.addresses;
        let bound = self.metrics.bind(addresses).await.map_err(anyhow::Error::from)?;
        self.engine.reload(&config).await.map_err(failure)?;
        self.metrics.serve(bound, addresses).await;
        self.save_every = save_every(&config);
        Ok(())
    }
}

/// Once a second is the most; a snapshot costs.
fn save_every(config: &Config) -> Duration {
    config.service.state.interval.get().max(Duration::from_secs(1))
}

fn warn_of(config: &Config) {
    config.warnings.iter().for_each(|warning| warn!("{warning}"));
}

/// What a command says about the engine's error.
pub(crate) fn failure(error: EngineError) -> Failure {
    match error {
        EngineError::Config(errors) => Failure::Config(errors),
        other => Failure::Other(other.into()),
    }
}

/// Sends the log to standard error, as the configuration asks for.
pub(crate) fn log_to_stderr(config: &Config) {
    let logs = &config.service.telemetry.logs;
    // RUST_LOG is for whoever looks into one component; the configuration decides otherwise.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(logs.level.name()));
    let colours = std::io::stderr().is_terminal();
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr);
    let installed = match logs.encoding {
        LogEncoding::Json => subscriber.json().try_init(),
        LogEncoding::Text => subscriber.try_init(),
    };
    // A second subscriber exists only in tests that run commands in this process.
    drop(installed);
}
