//! `watchfire logs`: what is in log files, by template, on one screen.
//!
//! In: files, directories or standard input. They go through the same stages as everything else, `drain`, `log_classify`
//! and `detect`, in the lines' own time; an exporter of this command's own tallies what comes out, so that no line stays in
//! memory. Out: a table of templates, the anomalies, and what it all adds up to; or the lines of one template.

mod args;
mod exporter;
mod lines;
mod report;
mod severity;
mod tally;
#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, anyhow};
use component::Registry;
use config::{Config, Source};
use engine::Environment;

pub(crate) use self::args::LogsArgs;
use self::exporter::Collected;
use self::lines::{Lines, Wanted};
use self::report::{Report, Summary};
use crate::cli::{ConfigArgs, Failure};
use crate::replay::{Inputs, Options, Play, Played, Stop, play};
use crate::run::log_to_stderr;

/// The pipelines. The receiver stands for the files.
const PIPELINE: &str = "
receivers:
  otlp:
    protocols:
      grpc:
processors:
  drain:
    emit_merges: true
    typed_masks: true
  log_classify:
  detect:
exporters:
  tally:
service:
  telemetry:
    logs:
      level: error
  pipelines:
    all:
      receivers: [otlp]
      processors: [PROCESSORS]
      exporters: [tally]
";

/// What finds everything, and what finds only which template a line has.
const EVERYTHING: &str = "drain, log_classify, detect";
const TEMPLATES: &str = "drain";

/// Shows what is in the files.
///
/// # Errors
/// If there is nothing to read, an input cannot be read, or nothing can be written.
pub(crate) fn run(args: &LogsArgs, config: &ConfigArgs, registry: &Registry) -> Result<(), Failure> {
    let stop = Stop::on_interrupt().context("cannot listen for Ctrl-C")?;
    let run = Run { args, settings: config, registry, stop };
    let named = run.inputs()?;
    let mut readable = Vec::new();
    for path in &named {
        match check(path) {
            Ok(()) => readable.push(path.clone()),
            Err(error) => eprintln!("cannot open {}: {error}", path.display()),
        }
    }
    if !readable.is_empty() {
        match &args.template {
            Some(id) => run.lines(&readable, id)?,
            None => run.report(&readable)?,
        }
    }
    match named.len() - readable.len() {
        0 => Ok(()),
        n => Err(anyhow!("{n} of {} inputs could not be read", named.len()))?,
    }
}

/// Whether the file can be opened: one that cannot does not keep the others from being shown.
fn check(path: &Path) -> io::Result<()> {
    if path == Path::new("-") { Ok(()) } else { std::fs::File::open(path).map(drop) }
}

struct Run<'a> {
    args: &'a LogsArgs,
    settings: &'a ConfigArgs,
    registry: &'a Registry,
    /// Ctrl-C ends the reading, and what was read by then is shown.
    stop: Stop,
}

impl Run<'_> {
    /// What to read: what was named, or standard input if that is no terminal.
    fn inputs(&self) -> Result<Vec<PathBuf>, Failure> {
        if !self.args.inputs.is_empty() {
            return Ok(self.args.inputs.clone());
        }
        if io::stdin().is_terminal() {
            return Err(Failure::Usage("no input: name a log file, or pipe one in".to_owned()));
        }
        Ok(vec![PathBuf::from("-")])
    }

    /// Prints the report.
    fn report(&self, inputs: &[PathBuf]) -> Result<(), Failure> {
        let began = Instant::now();
        let Some((collected, played)) = self.play(inputs, EVERYTHING, Collected::default())? else {
            return Ok(());
        };
        let summary = Summary::new(&played, began.elapsed());
        let report = Report::new(&collected.tally, &summary, self.args);
        crate::cli::print(&report.text())?;
        Ok(played.read.map_err(anyhow::Error::from)?)
    }

    /// Prints the lines of a template.
    fn lines(&self, inputs: &[PathBuf], id: &str) -> Result<(), Failure> {
        // What the template of a line is called in the end is known only in the end, so files are read twice.
        let wanted = if inputs.iter().all(|path| path.is_file() || path.is_dir()) {
            let tallied = self.play(inputs, TEMPLATES, Collected::default())?;
            tallied.map(|(collected, _)| Wanted::of(&collected.tally, id)).transpose()?
        } else {
            None
        };
        let wanted = wanted.unwrap_or_else(|| Wanted::beginning_with(id));
        let collected = Collected { lines: Some(Lines::stdout(wanted)), ..Collected::default() };
        let Some((collected, played)) = self.play(inputs, TEMPLATES, collected)? else { return Ok(()) };
        let Some(lines) = collected.lines else { return Ok(()) };
        if lines.missed() > 0 {
            eprintln!(
                "{} lines came before it was known that they are of this template, and are not shown; name a file \
                 instead of piping it in to see them",
                lines.missed()
            );
        }
        if lines.printed() == 0 {
            return Err(anyhow!("no line has the template {id}"))?;
        }
        Ok(played.read.map_err(anyhow::Error::from)?)
    }

    /// Plays the inputs; nothing if nobody reads what is printed any more.
    fn play(
        &self,
        inputs: &[PathBuf],
        processors: &str,
        collected: Collected,
    ) -> Result<Option<(Collected, Played)>, Failure> {
        let config = self.config(processors)?;
        log_to_stderr(&config);
        let options = Options {
            form: self.args.input,
            service: self.args.service.clone(),
            any_text: true,
            stop: self.stop.clone(),
            ..Options::default()
        };
        let inputs =
            Inputs::open(inputs, &options, |found| eprintln!("{found}")).map_err(anyhow::Error::from)?;
        let environment = Environment::default();
        let shared = Arc::new(Mutex::new(collected));
        environment.handles.offer(Arc::clone(&shared));
        let registry = Registry { exporters: exporter::FACTORIES, ..*self.registry };
        let how = Play { config: &config, registry: &registry, environment, speed: None };
        let played = play(inputs, how);
        let mut collected = std::mem::take(&mut *shared.lock().unwrap_or_else(PoisonError::into_inner));
        match collected.lines.as_mut().and_then(Lines::failure) {
            Some(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(None),
            Some(error) => Err(anyhow!(error).context("cannot write to standard output"))?,
            None => Ok(Some((collected, played?))),
        }
    }

    /// The pipelines, and over them what the user changes about them.
    fn config(&self, processors: &str) -> Result<Config, Failure> {
        let mut sources = vec![Source::Yaml(PIPELINE.replace("PROCESSORS", processors))];
        sources.extend(self.settings.sources.iter().cloned());
        Ok(config::load(&sources, &self.settings.sets, &|name| std::env::var(name).ok())?)
    }
}
