//! `watchfire print-config`: the configuration after merging and substitution, secrets redacted.

mod redact;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use component::Registry;
use config::Config;

use super::Failure;

/// How to print the configuration.
#[derive(Debug, Args)]
pub(crate) struct PrintConfigArgs {
    /// Whether secrets are shown.
    #[arg(long, value_enum, default_value_t = Mode::Redacted)]
    mode: Mode,
    /// The language of the output.
    #[arg(long, value_enum, default_value_t = Format::Yaml)]
    format: Format,
    /// Checks the configuration first.
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    validate: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Mode {
    /// Secrets are replaced by `[REDACTED]`.
    Redacted,
    /// Secrets are shown.
    Unredacted,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// YAML.
    Yaml,
    /// JSON.
    Json,
}

pub(super) fn run(args: &PrintConfigArgs, config: &Config, registry: &Registry) -> Result<String, Failure> {
    if args.validate {
        engine::validate(config, registry)?;
    }
    let mut tree = config.tree.clone();
    match args.mode {
        Mode::Redacted => redact::redact(&mut tree, registry),
        Mode::Unredacted => {}
    }
    Ok(match args.format {
        Format::Yaml => serde_saphyr::to_string(&tree).context("cannot write the configuration as YAML")?,
        Format::Json => {
            serde_json::to_string_pretty(&tree).context("cannot write the configuration as JSON")? + "\n"
        }
    })
}
