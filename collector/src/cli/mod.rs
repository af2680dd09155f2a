//! The command line: what can be asked for, and what each answer is made of.

mod components;
mod graph;
mod print_config;
mod replay;
mod schema;
#[cfg(test)]
mod tests;
mod validate;

use std::io::Write;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand, ValueEnum};
use component::Registry;
use config::{Config, Errors, Source};

/// An OpenTelemetry Collector that understands what it carries.
#[derive(Debug, Parser)]
#[command(name = "watchfire", version)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Where the configuration comes from.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConfigArgs {
    /// A configuration: a file (YAML, or TOML if named so), `env:NAME` or `yaml:TEXT`. Later ones are laid over earlier ones.
    #[arg(long = "config", value_name = "SOURCE", global = true)]
    pub(crate) sources: Vec<Source>,
    /// Sets one value, as in `--set processors.batch.timeout=2s`.
    #[arg(long = "set", value_name = "KEY=VALUE", global = true)]
    pub(crate) sets: Vec<String>,
}

/// What a report is printed as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// A table for the terminal.
    #[default]
    Text,
    /// One JSON object.
    Json,
    /// A table for a ticket or a page.
    Markdown,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs the pipelines until SIGTERM or SIGINT; SIGHUP reads the configuration again. The default.
    Run,
    /// Checks the configuration and says everything that is wrong with it.
    Validate,
    /// Prints the configuration after merging and substitution.
    #[command(alias = "print-initial-config")]
    PrintConfig(print_config::PrintConfigArgs),
    /// Lists the components of this build.
    Components(components::ComponentsArgs),
    /// Prints the JSON Schema of the configuration, for editors.
    Schema,
    /// Draws the pipelines.
    Graph(graph::GraphArgs),
    /// Shows a simulated shop in which faults are injected, and what the pipeline finds.
    Demo(crate::demo::DemoArgs),
    /// Plays recorded telemetry and log files through the pipelines, in their own time and as fast as it goes.
    Replay(replay::ReplayArgs),
    /// Shows what is in log files: their templates, how often, how bad, and what is out of the ordinary.
    Logs(crate::logs::LogsArgs),
    /// Says how good detection is on recordings or tables with labels, and what it costs.
    Eval(crate::eval::EvalArgs),
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] Errors),
    /// No configuration was given.
    #[error("no configuration: pass `--config FILE`")]
    NoConfig,
    /// The command line asks for something that cannot be.
    #[error("{0}")]
    Usage(String),
    /// Anything else.
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

impl Failure {
    /// The process's exit code: 2 if the configuration or the command line is to blame, 1 otherwise.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::NoConfig | Self::Usage(_) => 2,
            Self::Other(_) => 1,
        }
    }
}

impl ConfigArgs {
    /// Loads the configuration, not yet validated.
    pub(crate) fn load(&self) -> Result<Config, Failure> {
        if self.sources.is_empty() && self.sets.is_empty() {
            return Err(Failure::NoConfig);
        }
        Ok(config::load(&self.sources, &self.sets, &|name| std::env::var(name).ok())?)
    }
}

/// Runs a command.
pub(crate) fn execute(cli: &Cli, registry: &Registry) -> Result<(), Failure> {
    let text = match cli.command.as_ref().unwrap_or(&Command::Run) {
        Command::Run => return crate::run::run(&cli.config, registry),
        Command::Demo(args) => return crate::demo::run(args, registry),
        Command::Eval(args) => return crate::eval::run(args, &cli.config, registry),
        Command::Logs(args) => return crate::logs::run(args, &cli.config, registry),
        Command::Replay(args) => return replay::run(args, &cli.config.load()?, registry),
        Command::Validate => validate::run(&cli.config.load()?, registry)?,
        Command::PrintConfig(args) => print_config::run(args, &cli.config.load()?, registry)?,
        Command::Components(args) => components::run(args, registry)?,
        Command::Schema => schema::text(registry)?,
        Command::Graph(args) => graph::run(args, &cli.config.load()?),
    };
    print(&text)
}

/// Writes to standard output; a reader that has gone away is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")?
        }
        _ => Ok(()),
    }
}
