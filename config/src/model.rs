//! The typed whole of a configuration.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use indexmap::IndexMap;

use crate::{ComponentId, ConfigError, Duration, Location, Node, Section};

/// A whole configuration. Component sections are still trees; `engine::validate` knows what belongs in them.
#[derive(Clone, Debug)]
pub struct Config {
    /// Receivers by id.
    pub receivers: IndexMap<ComponentId, Section>,
    /// Processors by id.
    pub processors: IndexMap<ComponentId, Section>,
    /// Exporters by id.
    pub exporters: IndexMap<ComponentId, Section>,
    /// Connectors by id.
    pub connectors: IndexMap<ComponentId, Section>,
    /// Extensions by id.
    pub extensions: IndexMap<ComponentId, Section>,
    /// What runs, and how.
    pub service: Service,
    /// What deserves a look but is no error.
    pub warnings: Vec<ConfigError>,
    /// The merged tree with all substitutions made. It holds secrets.
    pub tree: Node,
    /// Every file that was read: when one changes, the configuration may have.
    pub files: Vec<PathBuf>,
}

/// What runs, and how.
#[derive(Clone, Debug)]
pub struct Service {
    /// Where `service` is written.
    pub location: Location,
    /// The extensions that run.
    pub extensions: Vec<(ComponentId, Location)>,
    /// The pipelines.
    pub pipelines: IndexMap<PipelineId, Pipeline>,
    /// The collector's own logs and metrics.
    pub telemetry: Telemetry,
    /// Keeping what components learned over restarts.
    pub state: StateSettings,
    /// How long draining may take when the collector ends.
    pub shutdown_timeout: Duration,
}

/// One pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    /// Where its key is written.
    pub location: Location,
    /// Receivers, and connectors that end in it.
    pub receivers: Vec<(ComponentId, Location)>,
    /// Processors, in order.
    pub processors: Vec<(ComponentId, Location)>,
    /// Exporters, and connectors that begin in it.
    pub exporters: Vec<(ComponentId, Location)>,
    /// How many shards keyed processors run on; `None` leaves it to the engine.
    pub workers: Option<usize>,
}

impl Pipeline {
    /// Whether both say the same, wherever they were written.
    pub fn is_same_as(&self, other: &Self) -> bool {
        let ids =
            |list: &[(ComponentId, Location)]| list.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>();
        ids(&self.receivers) == ids(&other.receivers)
            && ids(&self.processors) == ids(&other.processors)
            && ids(&self.exporters) == ids(&other.exporters)
            && self.workers == other.workers
    }
}

/// What flows through a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PipelineSignal {
    /// Spans.
    Traces,
    /// Metric data points.
    Metrics,
    /// Log records.
    Logs,
    /// What Watchfire found out.
    Events,
    /// Every signal.
    All,
}

impl PipelineSignal {
    /// Every kind of pipeline.
    pub const ALL: [Self; 5] = [Self::Traces, Self::Metrics, Self::Logs, Self::Events, Self::All];

    /// The name in a pipeline's key.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
            Self::Events => "events",
            Self::All => "all",
        }
    }
}

/// A pipeline's key: `traces`, `metrics/host`, `all`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PipelineId {
    /// What stands before the slash.
    pub signal: PipelineSignal,
    /// What stands after the slash.
    pub name: Option<String>,
}

impl fmt::Display for PipelineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            None => f.write_str(self.signal.name()),
            Some(name) => write!(f, "{}/{name}", self.signal.name()),
        }
    }
}

/// Why a text is not a pipeline's key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a pipeline: write `traces`, `metrics`, `logs`, `events` or `all`, and `/name` if there are several"
)]
pub struct InvalidPipelineId(String);

impl FromStr for PipelineId {
    type Err = InvalidPipelineId;

    fn from_str(text: &str) -> Result<Self, InvalidPipelineId> {
        let (signal, name) = match text.split_once('/') {
            None => (text.trim(), None),
            Some((signal, name)) => (signal.trim(), Some(name.trim())),
        };
        let signal = PipelineSignal::ALL.into_iter().find(|known| known.name() == signal);
        match (signal, name) {
            (Some(signal), None) => Ok(Self { signal, name: None }),
            (Some(signal), Some(name)) if !name.is_empty() => {
                Ok(Self { signal, name: Some(name.to_owned()) })
            }
            _ => Err(InvalidPipelineId(text.to_owned())),
        }
    }
}

/// The collector's own logs and metrics.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Telemetry {
    /// Its logs.
    pub logs: LogSettings,
    /// Its metrics.
    pub metrics: MetricSettings,
}

/// The collector's own logs.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct LogSettings {
    /// The least level that is written.
    pub level: LogLevel,
    /// How a line looks.
    pub encoding: LogEncoding,
}

/// A level of the collector's own logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// What an operator may want to know.
    #[default]
    Info,
    /// What may need attention.
    Warn,
    /// What needs attention.
    Error,
}

impl LogLevel {
    /// `debug`, `info`, `warn` or `error`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// How a line of the collector's own logs looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogEncoding {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The collector's own metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricSettings {
    /// How much is measured.
    pub level: MetricLevel,
    /// Where a Prometheus server finds them, `host:port` each. Empty if nowhere.
    pub addresses: Vec<String>,
}

impl Default for MetricSettings {
    fn default() -> Self {
        Self { level: MetricLevel::Normal, addresses: vec!["localhost:8888".to_owned()] }
    }
}

/// How much of itself the collector measures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetricLevel {
    /// Nothing is served.
    None,
    /// The essential.
    Basic,
    /// What is usually wanted.
    #[default]
    Normal,
    /// Everything.
    Detailed,
}

/// Keeping what components learned over restarts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateSettings {
    /// The storage extension that keeps it, and where that is written; without one nothing is kept.
    pub storage: Option<(ComponentId, Location)>,
    /// How often it is written.
    pub interval: Duration,
}

impl Default for StateSettings {
    fn default() -> Self {
        Self { storage: None, interval: Duration::from_secs(60) }
    }
}
