//! How inputs are to be read.

use clap::ValueEnum;

use super::labels::Labels;
use super::stop::Stop;

/// What an input holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// Telemetry if it begins like it, lines of text otherwise.
    #[default]
    Auto,
    /// OTLP/JSON lines, OTLP frames or events.
    Otlp,
    /// Lines of text, each of which becomes a log record.
    Text,
    /// A table of numbers: the time, one metric a column, and `label` if there are labels.
    Csv,
}

/// How inputs are to be read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Whether the first record that cannot be read ends the reading.
    pub(crate) strict: bool,
    /// What the inputs hold.
    pub(crate) form: Form,
    /// The service that wrote the lines of text, or whose metrics are in the tables; the file's name says it if this does not.
    pub(crate) service: Option<String>,
    /// The unit of the metrics in tables (UCUM); empty if nobody knows.
    pub(crate) unit: String,
    /// Takes what tables say about their rows.
    pub(crate) labels: Labels,
    /// Tells the inputs to end.
    pub(crate) stop: Stop,
    /// Whether any text in a directory is an input, not only what is named like a log file.
    pub(crate) any_text: bool,
}
