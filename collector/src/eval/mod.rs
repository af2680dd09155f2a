//! `watchfire eval`: how good detection is on somebody's own data.
//!
//! In: recordings or tables, and labels, in a column of a table or in a file. They go through `drain`, `log_classify` and `detect` in their own
//! time, with the defaults or as `--config` and `--set` say; of a whole configuration only these processors are taken. Out: a row
//! for each service and one for all, with how well the scores tell odd points from others, how good the reports are, and what
//! it cost; and pictures of the series.

mod args;
mod collect;
mod judge;
mod labels;
mod measured;
mod measures;
mod plots;
mod report;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use component::Registry;
use config::{Config, Source};
use engine::Environment;

pub(crate) use self::args::EvalArgs;
use self::collect::Collected;
use self::judge::{Known, judge};
use self::labels::{LabelsError, Windows};
use self::measured::Clocked;
use self::report::Report;
use crate::cli::{ConfigArgs, Failure};
use crate::replay::{Inputs, Labelled, Labels, Options, Play, Played, Stop, play};
use crate::run::log_to_stderr;

/// The pipeline. The receiver stands for the inputs; its name and those of exporter and pipeline are no user's.
const PIPELINE: &str = "
receivers:
  otlp/of-eval:
    protocols:
      grpc:
processors:
  drain:
  log_classify:
  detect:
exporters:
  eval/of-eval:
service:
  pipelines:
    all/of-eval:
      receivers: [otlp/of-eval]
      processors: [drain, log_classify, detect]
      exporters: [eval/of-eval]
";
const OURS: &str = "of-eval";

/// Evaluates detection and prints the verdict.
///
/// # Errors
/// If the configuration is wrong, an input or the labels cannot be read, or nothing can be written.
pub(crate) fn run(args: &EvalArgs, settings: &ConfigArgs, registry: &Registry) -> Result<(), Failure> {
    let windows = match &args.labels {
        Some(path) => labels::read(path).map_err(|error| match error {
            LabelsError::Read { .. } => Failure::Other(error.into()),
            LabelsError::Malformed { .. } => Failure::Usage(error.to_string()),
        })?,
        None => Windows::default(),
    };
    let labels = Labels::wanted();
    let (collected, clocked, played) = evaluate(args, &config(settings)?, registry, &labels)?;
    let rows = labels.take();
    for name in windows.keys().filter(|name| !collected.services.contains_key(*name)) {
        eprintln!("the labels name a service that nothing was seen of: {name}");
    }
    let report = verdicts(args, &collected, &rows, &windows, (&clocked, &played));
    crate::cli::print(&report.text(args.output))?;
    if let Some(directory) = &args.plot {
        let drawn = plots::write(directory, args.plot_max, &collected, &report.verdicts)
            .with_context(|| format!("cannot draw into {}", directory.display()))?;
        eprintln!("{drawn}");
    }
    played.read.map_err(anyhow::Error::from)?;
    if collected.points == 0 {
        Err(anyhow!("nothing in the inputs was scored"))?;
    }
    Ok(())
}

fn evaluate(
    args: &EvalArgs,
    config: &Config,
    registry: &Registry,
    labels: &Labels,
) -> Result<(Collected, Arc<Clocked>, Played), Failure> {
    log_to_stderr(config);
    let options = Options {
        form: args.input,
        service: args.service.clone(),
        strict: args.strict,
        unit: args.unit.clone(),
        labels: labels.clone(),
        stop: Stop::on_interrupt().context("cannot listen for Ctrl-C")?,
        ..Options::default()
    };
    let inputs =
        Inputs::open(&args.inputs, &options, |found| eprintln!("{found}")).map_err(anyhow::Error::from)?;
    let environment = Environment::default();
    let shared = Arc::new(Mutex::new(Collected::drawing(args.plot.is_some())));
    let clocked = Arc::new(Clocked::default());
    environment.handles.offer(Arc::clone(&shared));
    environment.handles.offer(Arc::clone(&clocked));
    let registry = Registry { processors: measured::FACTORIES, exporters: collect::FACTORIES, ..*registry };
    let played = play(inputs, Play { config, registry: &registry, environment, speed: None })?;
    let collected = std::mem::take(&mut *shared.lock().unwrap_or_else(PoisonError::into_inner));
    Ok((collected, clocked, played))
}

fn verdicts(
    args: &EvalArgs,
    collected: &Collected,
    rows: &Labelled,
    windows: &Windows,
    (clocked, played): (&Clocked, &Played),
) -> Report {
    let mut verdicts: Vec<_> = collected
        .services
        .iter()
        .filter(|(_, service)| service.series() > 0 || !service.episodes.is_empty())
        .map(|(name, service)| {
            let known = Known {
                rows: rows.get(name).map(Vec::as_slice),
                windows: windows.get(name).map(Vec::as_slice),
            };
            judge(name, service, known, args.window)
        })
        .collect();
    verdicts.sort_by(|a, b| a.service.cmp(&b.service));
    Report {
        verdicts,
        points: collected.points,
        scoring: Duration::from_nanos(clocked.nanos()),
        malformed: played.tally.malformed,
    }
}

/// Our pipeline with the user's processors: no other part of a configuration says anything about detection, and exporters would send what is
/// only tried.
fn config(settings: &ConfigArgs) -> Result<Config, Failure> {
    let mut sources = vec![Source::Yaml(PIPELINE.to_owned())];
    sources.extend(settings.sources.iter().cloned());
    let mut config = config::load(&sources, &settings.sets, &|name| std::env::var(name).ok())?;
    let is_ours = |name: Option<&str>| name == Some(OURS);
    config.receivers.retain(|id, _| is_ours(id.name()));
    config.exporters.retain(|id, _| is_ours(id.name()));
    config.service.pipelines.retain(|id, _| is_ours(id.name.as_deref()));
    let used: Vec<_> =
        config.service.pipelines.values().flat_map(|pipeline| &pipeline.processors).cloned().collect();
    config.processors.retain(|id, _| used.iter().any(|(used, _)| used == id));
    config.connectors.clear();
    config.extensions.clear();
    config.service.extensions.clear();
    config.service.state.storage = None;
    config.service.telemetry = config::Telemetry {
        logs: config::LogSettings { level: config::LogLevel::Error, ..config.service.telemetry.logs },
        ..config.service.telemetry
    };
    Ok(config)
}
