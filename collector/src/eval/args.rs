//! What can be asked of `watchfire eval`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::Output;
use crate::replay::Form;

/// What to evaluate, and how.
#[derive(Debug, Args)]
pub(crate) struct EvalArgs {
    /// Recordings as `replay` reads them, or tables (`.csv`, `.csv.gz`): the time, one metric a column, and a column `label` with 0,
    /// 1 or nothing; directories of such; `-` for standard input.
    #[arg(required = true, value_name = "INPUT")]
    pub(super) inputs: Vec<PathBuf>,
    /// A JSON file that says when something was out of the ordinary: `{"<service>": [["<begin>", "<end>"], ...], ...}`, in ISO 8601
    /// or Unix time. It has the last word about its services.
    #[arg(long, value_name = "FILE")]
    pub(super) labels: Option<PathBuf>,
    /// What to print.
    #[arg(long, short, value_enum, default_value_t)]
    pub(super) output: Output,
    /// How far from a labelled stretch a score still counts for VUS-PR, in points.
    #[arg(long, value_name = "POINTS", default_value_t = 20)]
    pub(super) window: usize,
    /// What the inputs hold. [default: told by how they begin; `.csv` is a table]
    #[arg(long, value_enum, default_value_t, value_name = "FORM", hide_default_value = true)]
    pub(super) input: Form,
    /// The service whose metrics are in tables. [default: the file's name without endings]
    #[arg(long, value_name = "NAME")]
    pub(super) service: Option<String>,
    /// The unit of the metrics in tables (UCUM), such as `s`, `By` or `1`.
    #[arg(long, value_name = "UNIT", default_value = "", hide_default_value = true)]
    pub(super) unit: String,
    /// Draws the series into this directory: those with anomalies first, the oddest first of all, one SVG each and a page with all of them.
    #[arg(long, value_name = "DIR")]
    pub(super) plot: Option<PathBuf>,
    /// How many series to draw at most.
    #[arg(long, value_name = "N", default_value_t = 50, requires = "plot")]
    pub(super) plot_max: usize,
    /// Ends at the first line that cannot be read, instead of counting it.
    #[arg(long)]
    pub(super) strict: bool,
}
