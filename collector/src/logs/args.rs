//! What can be asked of `watchfire logs`.

use std::path::PathBuf;

use analysis::logs::classify::{Class, UnknownClass};
use clap::{Args, ValueEnum};

use super::severity::Severity;
use crate::cli::Output;
use crate::replay::Form;

/// How many templates are shown if nobody says otherwise.
const TOP: usize = 30;

/// What to show, and how.
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// Log files, plain, gzip or zstd; directories of such; `-` for standard input, which is also read if nothing is
    /// named.
    #[arg(value_name = "FILE")]
    pub(super) inputs: Vec<PathBuf>,
    /// What comes first.
    #[arg(long, value_enum, default_value_t)]
    pub(super) sort: Sort,
    /// How many templates to show. [default: 30; all as JSON]
    #[arg(long, value_name = "N", conflicts_with = "all")]
    top: Option<usize>,
    /// Shows all templates.
    #[arg(long)]
    all: bool,
    /// What to print.
    #[arg(long, short, value_enum, default_value_t)]
    pub(super) output: Output,
    /// Shows only templates with lines that are at least so bad.
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub(super) severity: Option<Severity>,
    /// Shows only templates with lines of this class, such as `timeout`; may be given several times.
    #[arg(long = "class", value_name = "CLASS", value_parser = class)]
    pub(super) classes: Vec<String>,
    /// Prints the lines of this template instead, oldest first: its id, or how it begins.
    #[arg(long, value_name = "ID", conflicts_with_all = ["sort", "top", "all", "output", "severity", "classes", "verbose"])]
    pub(super) template: Option<String>,
    /// Shows one line of each template, its whole id, its cluster, and all of its classes.
    #[arg(long, short)]
    pub(super) verbose: bool,
    /// Whether to use colours; `auto` does so on a terminal, unless NO_COLOR is set.
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub(super) color: Color,
    /// What the files hold. What does not begin with telemetry is taken for lines of text.
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub(super) input: Form,
    /// The service whose logs these are. [default: each file's name without endings]
    #[arg(long, value_name = "NAME")]
    pub(super) service: Option<String>,
}

fn class(text: &str) -> Result<String, UnknownClass> {
    text.parse::<Class>().map(|class| class.name().to_owned())
}

/// What comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Sort {
    /// The most frequent.
    #[default]
    Count,
    /// What was seen first.
    First,
    /// What was seen last.
    Last,
    /// The worst, then the most frequent.
    Severity,
    /// In the order of the alphabet.
    Template,
}

/// Whether to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless somebody objects.
    #[default]
    Auto,
    /// Yes.
    Always,
    /// No.
    Never,
}

impl LogsArgs {
    /// How many templates to show at most.
    pub(super) fn top(&self) -> usize {
        match self.top {
            Some(top) => top,
            None if self.all || self.output == Output::Json => usize::MAX,
            None => TOP,
        }
    }
}
