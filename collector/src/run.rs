//! `watchfire run`: the pipelines until somebody ends them.

use anyhow::Context as _;
use component::Registry;
use config::{Config, LogEncoding};
use engine::{Engine, EngineError, Environment};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info, warn};
use tracing_subscriber::EnvFilter;

use crate::cli::{ConfigArgs, Failure};

/// Runs what the configuration asks for until SIGTERM or SIGINT. SIGHUP reads the configuration again; a wrong one leaves
/// everything as it was.
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
    config.warnings.iter().for_each(|warning| warn!("{warning}"));
    let mut engine = Engine::start(config, *registry, Environment::default()).await.map_err(failure)?;
    info!(version = env!("CARGO_PKG_VERSION"), "everything is running");
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => reload(args, &mut engine).await,
        }
    }
    info!("shutting down");
    engine.shut_down().await;
    Ok(())
}

async fn reload(args: &ConfigArgs, engine: &mut Engine) {
    let result = match args.load() {
        Ok(config) => engine.reload(&config).await.map_err(failure),
        Err(error) => Err(error),
    };
    match result {
        Ok(()) => info!("the new configuration is in force"),
        Err(error) => error!(%error, "the new configuration was refused; the old one goes on"),
    }
}

fn failure(error: EngineError) -> Failure {
    match error {
        EngineError::Config(errors) => Failure::Config(errors),
        other => Failure::Other(other.into()),
    }
}

fn log_to_stderr(config: &Config) {
    let logs = &config.service.telemetry.logs;
    // RUST_LOG is for whoever looks into one component; the configuration decides otherwise.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(logs.level.name()));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let installed = match logs.encoding {
        LogEncoding::Json => subscriber.json().try_init(),
        LogEncoding::Text => subscriber.try_init(),
    };
    // A second subscriber exists only in tests that run commands in this process.
    drop(installed);
}
