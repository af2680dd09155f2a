//! Settings of the `debug` exporter: the collector's keys.

use config::{Invalid, Validate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the `debug` exporter.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How much of the telemetry to show.
    pub verbosity: Verbosity,
    /// So many batches are shown in each second. Events are always shown.
    pub sampling_initial: u64,
    /// After `sampling_initial` batches in a second only every n-th one is shown; `0` and `1` show them all.
    pub sampling_thereafter: u64,
    /// Write to standard error, where the collector's own log goes; otherwise to `output_paths`.
    pub use_internal_logger: bool,
    /// Where to write if `use_internal_logger` is false: `stdout`, `stderr` or names of files to append to.
    pub output_paths: Vec<String>,
}

/// How much of the telemetry to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verbosity {
    /// One line for each batch.
    #[default]
    Basic,
    /// One line for each span, data point or log record.
    Normal,
    /// Every field.
    Detailed,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            verbosity: Verbosity::default(),
            sampling_initial: 2,
            sampling_thereafter: 1,
            use_internal_logger: true,
            output_paths: vec!["stdout".to_owned()],
        }
    }
}

impl Validate for Config {
    fn validate(&self) -> Result<(), Invalid> {
        let has_output = self.use_internal_logger || !self.output_paths.is_empty();
        Invalid::unless(has_output, "output_paths", "must name at least one output")
    }
}
