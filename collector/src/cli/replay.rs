//! `watchfire replay`: recorded telemetry and log files through a configuration.
//!
//! Exit code 1 if an input cannot be read, an exporter does not take what it is given or a processor refuses a batch; 0
//! otherwise.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use component::Registry;
use config::Config;
use engine::{Environment, Replayed};
use pdata::Signal;
use tracing::warn;

use super::Failure;
use crate::replay::{Form, Inputs, Malformed, Options, Play, Played, Tally, play};
use crate::run::log_to_stderr;

/// What to play, and how.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// A file of OTLP/JSON lines, of OTLP frames, of events or of log lines, plain or compressed; a directory of such; `-` for
    /// standard input.
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Plays at a multiple of the speed at which it was recorded, as in `--speed 1`. [default: as fast as it goes]
    #[arg(long, value_name = "N", value_parser = speed)]
    speed: Option<f64>,
    /// Ends at the first line that cannot be read, instead of counting it.
    #[arg(long)]
    strict: bool,
    /// What the inputs hold. A file that does not begin with telemetry is taken for lines of text; in a directory only
    /// if its name has the ending `.log`.
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    input: Form,
    /// The service whose logs lines of text are. [default: the file's name without endings]
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
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
    let options = Options {
        strict: args.strict,
        form: args.input,
        service: args.service.clone(),
        ..Options::default()
    };
    let inputs = Inputs::open(&args.inputs, &options, report).map_err(anyhow::Error::from)?;
    let environment = Environment::default();
    let how = Play { config, registry, environment, speed: args.speed };
    let Played { tally, replayed, read } = play(inputs, how)?;
    eprint!("{}", summary(&tally, &replayed, started.elapsed()));
    read.map_err(anyhow::Error::from)?;
    match replayed.refusal {
        Some(nack) => {
            Err(anyhow::anyhow!("{} batches were refused; the first one: {nack}", replayed.refused))?
        }
        None => Ok(()),
    }
}

fn report(malformed: &Malformed) {
    eprintln!("{malformed}");
}

fn summary(tally: &Tally, played: &Replayed, took: Duration) -> String {
    let mut text = String::new();
    // Writing to a `String` cannot fail, here and below.
    let _ = writeln!(
        text,
        "replayed {} lines of {} inputs, {} of them malformed",
        tally.counts.records, tally.inputs, tally.malformed
    );
    for (n, what) in [(tally.counts.cut, "cut after 1 MiB"), (tally.counts.replaced, "not UTF-8 and mended")]
    {
        if n > 0 {
            let _ = writeln!(text, "  {n} of them {what}");
        }
    }
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
        tally.counts.bytes as f64 / 1e6 / took
    );
    text
}
