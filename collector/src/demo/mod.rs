//! `watchfire demo`: a simulated shop sends OTLP over loopback gRPC into a real pipeline, faults are injected, and the
//! terminal shows what the pipeline finds.
//!
//! The simulation and the pipeline share nothing but the connection and the clock. What was injected and what was found
//! meet only in the verdict.

mod client;
mod exporter;
mod faults;
mod screen;
mod shop;
mod story;
mod telemetry;
mod topology;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::{Args, ValueEnum};
use component::{Clock, Registry, Telemetry};
use config::{Config, Source};
use engine::{Engine, EngineError, Environment};
use pdata::Timestamp;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as ValueError, StrDeserializer};
use tokio::time::Instant;

use self::client::Client;
use self::exporter::SharedStory;
use self::faults::{Fault, Schedule};
use self::screen::Screen;
use self::shop::Shop;
use self::story::Story;
use crate::cli::Failure;

/// What to show.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Injects only this fault; may be given several times. All in turn if not given.
    #[arg(long = "fault", value_name = "FAULT")]
    faults: Vec<Choice>,
    /// Another seed is another shop: other customers, other timings, other moments.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long to go on in the shop's own time, as in `2h`, injecting faults again and again. Without it every fault is
    /// injected once.
    #[arg(long, value_parser = parse_duration)]
    duration: Option<Duration>,
    /// As fast as the machine can, for scripts; fails unless every fault is found at its root and nothing else is
    /// reported.
    #[arg(long)]
    once: bool,
    /// How many times as fast as the clock the shop's time runs.
    #[arg(long, default_value_t = 28.0, value_parser = parse_speed, conflicts_with = "once")]
    speed: f64,
}

/// A fault, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Choice {
    /// The product database answers slowly.
    SlowDependency,
    /// The payment service fails many requests.
    ErrorBurst,
    /// The recommendation service leaks memory until it is killed.
    MemoryLeak,
    /// The cart service crashes again and again.
    CrashLoop,
    /// Nothing happens, and nothing should be found.
    None,
}

impl Choice {
    const fn fault(self) -> Option<Fault> {
        match self {
            Self::SlowDependency => Some(Fault::SlowDependency),
            Self::ErrorBurst => Some(Fault::ErrorBurst),
            Self::MemoryLeak => Some(Fault::MemoryLeak),
            Self::CrashLoop => Some(Fault::CrashLoop),
            Self::None => None,
        }
    }
}

fn parse_duration(text: &str) -> Result<Duration, ValueError> {
    let text: StrDeserializer<'_, ValueError> = text.into_deserializer();
    config::Duration::deserialize(text).map(config::Duration::get)
}

fn parse_speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if (0.1..=10_000.0).contains(&speed) { Ok(speed) } else { Err("must be from 0.1 to 10000".to_owned()) }
}

/// The shop always opens at the same moment, so that the same seed tells the same story: 2026-01-05 09:00 UTC.
const OPENING: Timestamp = Timestamp::from_secs(1_767_603_600);
/// How much time passes between two deliveries.
const STEP: Duration = Duration::from_secs(5);

/// Runs the demo to its end or until it is interrupted.
///
/// # Errors
/// If the pipeline cannot start or does not take what the shop sends; with `--once`, if something was not found.
pub(crate) fn run(args: &DemoArgs, registry: &Registry) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(show(args, registry))
}

async fn show(args: &DemoArgs, registry: &Registry) -> Result<(), Failure> {
    let faults: Vec<Fault> = match args.faults.as_slice() {
        [] => Fault::ALL.to_vec(),
        chosen => chosen.iter().filter_map(|choice| choice.fault()).collect(),
    };
    let schedule = Schedule::new(OPENING, &faults, args.duration);
    let story = Arc::new(Mutex::new(Story::new(Screen::stdout(), OPENING, &schedule)));
    let (engine, environment, address) = start(registry, &story).await?;
    introduce(&story, args, address);
    let shop = Shop::new(args.seed, OPENING, schedule.clone());
    let client = Client::connect(address).await?;
    let pace = (!args.once).then(|| STEP.div_f64(args.speed));
    let began = Instant::now();
    let mut play =
        Play { shop, client, schedule, story: Arc::clone(&story), environment, pace, sent: Sent::default() };
    let outcome = tokio::select! {
        outcome = play.play() => outcome,
        interrupted = tokio::signal::ctrl_c() => interrupted.map(|()| false).context("cannot listen for Ctrl-C"),
    };
    let sent = format!("{} over gRPC in {:.0} s", play.sent.words(), began.elapsed().as_secs_f64());
    let finished = outcome.as_ref().is_ok_and(|finished| *finished);
    // What the end of the input would bring to light was not found in time.
    let good = lock(&story).close(&sent);
    engine.shut_down().await;
    outcome?;
    match lock(&story).failure() {
        Some(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(anyhow!(error).context("cannot write to standard output"))?
        }
        _ if args.once && finished && !good => {
            Err(anyhow!("not everything was found, or more than there was"))?
        }
        _ => Ok(()),
    }
}

fn lock(story: &SharedStory) -> MutexGuard<'_, Story> {
    story.lock().unwrap_or_else(PoisonError::into_inner)
}

fn introduce(story: &SharedStory, args: &DemoArgs, address: SocketAddr) {
    let mut story = lock(story);
    story.say(&format!(
        "A shop of ten services in this process sends OTLP over gRPC to {address}; Watchfire's pipeline there is\n\
         normalize, detect, correlate. It knows nothing about the shop beforehand."
    ));
    story.whisper(&topology::map());
    let speed =
        if args.once { "as fast as it can".to_owned() } else { format!("{} times as fast", args.speed) };
    story.whisper(&format!("Shop time runs {speed} · seed {} · Ctrl-C ends it\n", args.seed));
}

/// Starts the pipeline on a free port of the loopback interface.
async fn start(
    registry: &Registry,
    story: &Arc<SharedStory>,
) -> Result<(Engine, Environment, SocketAddr), Failure> {
    let registry = Registry { exporters: exporter::FACTORIES, ..*registry };
    let environment = Environment { clock: Clock::manual(OPENING), ..Environment::default() };
    environment.handles.offer(Arc::clone(story));
    let address = free_address().context("no free port on the loopback interface")?;
    let config = pipeline(address)?;
    match Engine::start(&config, registry, environment.clone()).await {
        Ok(engine) => Ok((engine, environment, address)),
        Err(EngineError::Config(errors)) => Err(Failure::Config(errors)),
        Err(other) => Err(Failure::Other(other.into())),
    }
}

fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// An ordinary configuration; only the exporter is the demo's own.
fn pipeline(address: SocketAddr) -> Result<Config, Failure> {
    let yaml = format!(
        "
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: {address}
processors:
  normalize:
  detect:
  correlate:
exporters:
  demo:
service:
  pipelines:
    all:
      receivers: [otlp]
      processors: [normalize, detect, correlate]
      exporters: [demo]
"
    );
    Ok(config::load(&[Source::Yaml(yaml)], &[], &|_| None)?)
}

/// A run of the simulation.
struct Play {
    shop: Shop,
    client: Client,
    schedule: Schedule,
    story: Arc<SharedStory>,
    environment: Environment,
    /// Time between two steps; `None` for as fast as it goes.
    pace: Option<Duration>,
    sent: Sent,
}

impl Play {
    /// Lets time pass until the end. Returns true: it was not interrupted.
    async fn play(&mut self) -> anyhow::Result<bool> {
        let mut due = Instant::now();
        loop {
            let now = self.shop.now();
            let seen = self.sent.seen(&self.environment.telemetry);
            {
                let mut story = lock(&self.story);
                story.arrive(now, &self.schedule, &seen);
                if let Some(error) = story.failure() {
                    return Err(error).context("cannot write to standard output");
                }
            }
            if now >= self.schedule.end {
                return Ok(true);
            }
            for batch in self.shop.step(now + STEP) {
                self.client.send(&batch).await?;
                self.sent.count(&batch);
            }
            // Only now: everything up to this moment has been acknowledged.
            self.environment.clock.advance_to(self.shop.now());
            if let Some(pace) = self.pace {
                due += pace;
                tokio::time::sleep_until(due).await;
            }
        }
    }
}

/// What was sent and acknowledged.
#[derive(Debug, Default)]
struct Sent([usize; 4]);

impl Sent {
    fn count(&mut self, batch: &pdata::Batch) {
        self.0[batch.signal().index()] += batch.items();
    }

    fn words(&self) -> String {
        let items = |signal: pdata::Signal| self.0[signal.index()];
        format!(
            "{} spans, {} metric points, {} log records",
            items(pdata::Signal::Traces),
            items(pdata::Signal::Metrics),
            items(pdata::Signal::Logs)
        )
    }

    fn seen(&self, telemetry: &Telemetry) -> String {
        let spans = self.0[pdata::Signal::Traces.index()];
        format!("{} series watched, {spans} spans so far", telemetry.total("otelcol_processor_detect_series"))
    }
}
