//! `watchfire replay`: recorded telemetry through a configuration.
//!
//! Reading and decoding run on a thread of their own, a bounded distance ahead of the pipelines. Exit code 1 if an input
//! cannot be read, an exporter does not take what it is given or a processor refuses a batch; 0 otherwise.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use component::Registry;
use config::Config;
use engine::{Environment, Recorded, Replayed};
use futures::{Stream, StreamExt, stream};
use pdata::Signal;
use tokio::sync::mpsc;
use tracing::warn;

use super::Failure;
use crate::replay::{InputError, Inputs, Malformed, Tally};
use crate::run::{failure, log_to_stderr};

/// What is decoded ahead, in chunks: handing over one batch at a time would cost more than decoding it.
const CHUNKS_AHEAD: usize = 3;
const CHUNK_BATCHES: usize = 64;
const CHUNK_BYTES: usize = 512 << 10;

/// What to play, and how.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// A file of OTLP/JSON lines, of OTLP frames or of events, plain or compressed; a directory of such; `-` for standard input.
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Plays at a multiple of the speed at which it was recorded, as in `--speed 1`. [default: as fast as it goes]
    #[arg(long, value_name = "N", value_parser = speed)]
    speed: Option<f64>,
    /// Ends at the first line that cannot be read, instead of counting it.
    #[arg(long)]
    strict: bool,
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    let good = speed.is_finite() && speed > 0.0;
    good.then_some(speed).ok_or_else(|| "must be greater than 0".to_owned())
}

/// Plays the inputs; says on standard error what came of it.
pub(super) fn run(args: &ReplayArgs, config: &Config, registry: &Registry) -> Result<(), Failure> {
    log_to_stderr(config);
    config.warnings.iter().for_each(|warning| warn!("{warning}"));
    let started = Instant::now();
    let inputs = Inputs::open(&args.inputs, args.strict, report).map_err(anyhow::Error::from)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    let reader = std::thread::Builder::new()
        .name("replay-reader".to_owned())
        .spawn(move || read(inputs, &sender))
        .context("cannot start a thread")?;
    let played = runtime
        .block_on(engine::replay(config, registry, Environment::default(), flattened(receiver), args.speed))
        .map_err(failure);
    // The pipelines have ended, and with them the channel: the reader does not wait any more.
    let (tally, read) = reader.join().map_err(|_| anyhow::anyhow!("the reader of the inputs panicked"))?;
    let played = played?;
    eprint!("{}", summary(&tally, &played, started.elapsed()));
    read.map_err(anyhow::Error::from)?;
    match played.refusal {
        Some(nack) => Err(anyhow::anyhow!("{} batches were refused; the first one: {nack}", played.refused))?,
        None => Ok(()),
    }
}

fn report(malformed: &Malformed) {
    eprintln!("{malformed}");
}

/// Reads until the inputs end, one of them fails, or nobody listens any more.
fn read(mut inputs: Inputs, sender: &mpsc::Sender<Vec<Recorded>>) -> (Tally, Result<(), InputError>) {
    loop {
        let (mut chunk, mut bytes) = (Vec::with_capacity(CHUNK_BATCHES), 0);
        let end = loop {
            if chunk.len() == CHUNK_BATCHES || bytes >= CHUNK_BYTES {
                break None;
            }
            match inputs.next() {
                Some(Ok(recorded)) => {
                    bytes += recorded.batch.encoded_len();
                    chunk.push(recorded);
                }
                Some(Err(error)) => break Some(Err(error)),
                None => break Some(Ok(())),
            }
        };
        let listened = sender.blocking_send(chunk).is_ok();
        match end {
            Some(end) => return (inputs.tally(), end),
            None if !listened => return (inputs.tally(), Ok(())),
            None => {}
        }
    }
}

fn flattened(mut receiver: mpsc::Receiver<Vec<Recorded>>) -> impl Stream<Item = Recorded> {
    stream::poll_fn(move |context| receiver.poll_recv(context)).flat_map(stream::iter)
}

fn summary(tally: &Tally, played: &Replayed, took: Duration) -> String {
    let mut text = String::new();
    // Writing to a `String` cannot fail, here and below.
    let _ = writeln!(
        text,
        "replayed {} lines of {} inputs, {} of them malformed",
        tally.records, tally.inputs, tally.malformed
    );
    for name in &tally.left_out {
        let _ = writeln!(text, "  left out, as it holds no telemetry: {name}");
    }
    for signal in Signal::ALL {
        let (items, untaken) = (played.items[signal.index()], played.untaken[signal.index()]);
        let name = signal.items_name().replace('_', " ");
        let _ = write!(text, "  {items} {name}");
        let _ =
            if untaken > 0 { writeln!(text, ", {untaken} of them for no pipeline") } else { writeln!(text) };
    }
    let _ = writeln!(text, "  {} events came out", played.events);
    let (event_time, took) = (played.ended.since(played.began).as_secs_f64(), took.as_secs_f64().max(1e-9));
    let _ = writeln!(
        text,
        "  {event_time:.0} seconds of event time in {took:.2} seconds: {:.0} times as fast, {:.1} MB/s",
        event_time / took,
        tally.bytes as f64 / 1e6 / took
    );
    text
}
