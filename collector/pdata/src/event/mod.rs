//! What Watchfire finds out: anomalies, incidents, changes, actions, forecasts and scores.
//!
//! The JSON form of these types is a public contract: it is one line of the `file` exporter
//! (`{"type":"anomaly",...}`). Fields are only ever added.

mod number;
mod otlp;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;

pub use otlp::{from_logs, to_logs};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Signal, Timestamp};

/// What the OTLP name of every event begins with.
pub const NAME_PREFIX: &str = "watchfire.";

/// Something found out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Event {
    /// A signal left its usual range.
    Anomaly(Anomaly),
    /// A group of anomalies with a ranked root cause.
    Incident(Incident),
    /// Every scored point, for benchmarks only.
    Score(Score),
    /// A prediction with its interval.
    Forecast(Forecast),
    /// Something was changed on purpose: a deploy, a configuration, a scaling.
    Change(Change),
    /// Something was done about an incident.
    Action(Action),
}

impl Event {
    /// The OTLP event name: `watchfire.anomaly` and so on.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Anomaly(_) => "watchfire.anomaly",
            Self::Incident(_) => "watchfire.incident",
            Self::Score(_) => "watchfire.score",
            Self::Forecast(_) => "watchfire.forecast",
            Self::Change(_) => "watchfire.change",
            Self::Action(_) => "watchfire.action",
        }
    }

    /// When it happened, in event time.
    pub const fn time(&self) -> Timestamp {
        match self {
            Self::Anomaly(anomaly) => anomaly.time,
            Self::Incident(incident) => incident.updated,
            Self::Score(score) => score.time,
            Self::Forecast(forecast) => forecast.time,
            Self::Change(change) => change.time,
            Self::Action(action) => action.time,
        }
    }

    /// What happened, for people.
    pub fn message(&self) -> Cow<'_, str> {
        match self {
            Self::Anomaly(anomaly) => Cow::Borrowed(&anomaly.message),
            Self::Incident(incident) => Cow::Borrowed(&incident.title),
            Self::Score(score) => Cow::Owned(format!("score {:.3} for value {}", score.score, score.value)),
            Self::Forecast(forecast) => Cow::Owned(format!(
                "{} of {}: {} points predicted by {}",
                forecast.name,
                forecast.service,
                forecast.points.len(),
                forecast.model
            )),
            Self::Change(change) => Cow::Borrowed(&change.message),
            Self::Action(action) => Cow::Borrowed(&action.message),
        }
    }

    /// Prints it as JSON on one line, without an end of line.
    pub fn to_json(&self, out: &mut Vec<u8>) {
        // Writing to memory does not fail, and every event has a JSON form: all its maps have text as keys.
        let written = serde_json::to_writer(&mut *out, self);
        debug_assert!(written.is_ok(), "{written:?}");
    }

    /// The service it is about, if it is about one.
    pub fn service(&self) -> Option<&str> {
        match self {
            Self::Anomaly(anomaly) => Some(&anomaly.service),
            Self::Incident(incident) => incident.root_causes.first().map(|cause| cause.service.as_str()),
            Self::Score(score) => score.series.get("service.name").and_then(Value::as_str),
            Self::Forecast(forecast) => Some(&forecast.service),
            Self::Change(change) => Some(&change.service),
            Self::Action(_) => None,
        }
    }
}

/// How bad it is. Ordered: later is worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    #[default]
    Info,
    /// Unusual, perhaps harmless.
    Warning,
    /// Users are, or soon will be, affected.
    Error,
    /// Users are affected badly.
    Critical,
}

impl Severity {
    /// `info`, `warning`, `error` or `critical`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

/// Which kind of telemetry an anomaly was found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A metric series.
    Metric,
    /// A log template.
    Log,
    /// A service or an edge between services, from spans.
    Trace,
}

impl From<Source> for Signal {
    fn from(source: Source) -> Self {
        match source {
            Source::Metric => Self::Metrics,
            Source::Log => Self::Logs,
            Source::Trace => Self::Traces,
        }
    }
}

/// Where a stretch of time stands in which a signal is out of its usual range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It has begun.
    Begin,
    /// It goes on, worse than before or still.
    Continue,
    /// It is over: whoever was told that it began can be told that it ended.
    End,
}

impl Phase {
    /// `begin`, `continue` or `end`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::Continue => "continue",
            Self::End => "end",
        }
    }
}

/// A signal left its usual range, is still out of it, or is back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Anomaly {
    /// When, in event time.
    #[serde(rename = "time_unix_nano")]
    pub time: Timestamp,
    /// Whose signal it is (`service.name`).
    pub service: String,
    /// Found in which kind of telemetry.
    pub signal: Source,
    /// The metric, log template id or edge (`caller->callee`), with the derived statistic if there is one
    /// (`http.server.duration:p95`).
    pub name: String,
    /// What else identifies the series: resource and point attributes.
    #[serde(default)]
    pub attributes: Map<String, Value>,
    /// Where the stretch of odd points stands that this one belongs to. Detectors that judge every point by itself do not
    /// say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// When the signal left its usual range, in event time.
    #[serde(rename = "onset_unix_nano", default, skip_serializing_if = "Option::is_none")]
    pub onset: Option<Timestamp>,
    /// How sure it is, in (0, 1).
    #[serde(with = "number")]
    pub score: f64,
    /// How bad it is; at the end of a stretch, how bad it was at worst.
    pub severity: Severity,
    /// The value that was seen.
    #[serde(with = "number")]
    pub observed: f64,
    /// The value that would have been normal.
    pub expected: Expected,
    /// Each detector's own score, in (0, 1).
    #[serde(default, with = "number::map")]
    pub detectors: BTreeMap<String, f64>,
    /// What contributed how much; shares sum to at most 1.
    #[serde(default)]
    pub why: Vec<Contribution>,
    /// One sentence for an operator.
    pub message: String,
}

impl Anomaly {
    /// Whether the signal is back in its usual range: there is nothing to page anybody for.
    pub fn is_over(&self) -> bool {
        self.phase == Some(Phase::End)
    }
}

/// The band of normal values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// Lower end.
    #[serde(with = "number")]
    pub low: f64,
    /// Most likely value.
    #[serde(with = "number")]
    pub mid: f64,
    /// Upper end.
    #[serde(with = "number")]
    pub high: f64,
}

/// A part of a score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    /// What contributed.
    pub feature: String,
    /// How much of the score, in [0, 1].
    #[serde(with = "number")]
    pub share: f64,
}

/// Where an incident stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IncidentState {
    /// Newly found.
    Open,
    /// Known already, something about it changed.
    Updated,
    /// Over.
    Resolved,
    /// Became part of another one; see [`Incident::merged_into`].
    Merged,
}

/// A group of anomalies with a ranked root cause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Stable for the incident's whole life.
    pub id: String,
    /// Counts up with every change, from 1.
    pub revision: u64,
    /// Where it stands.
    pub state: IncidentState,
    /// How bad it is.
    pub severity: Severity,
    /// A headline.
    pub title: String,
    /// When it opened, in event time.
    #[serde(rename = "opened_unix_nano")]
    pub opened: Timestamp,
    /// When this revision was made, in event time.
    #[serde(rename = "updated_unix_nano")]
    pub updated: Timestamp,
    /// When it was over, in event time.
    #[serde(rename = "resolved_unix_nano")]
    pub resolved: Option<Timestamp>,
    /// Candidates, most likely first.
    pub root_causes: Vec<RootCause>,
    /// Every service involved, in name order.
    pub services: Vec<String>,
    /// How many anomalies it holds.
    pub anomalies: u64,
    /// Services from the root cause to the symptom that users see.
    #[serde(default)]
    pub path: Vec<String>,
    /// Changes that may have to do with it, in words.
    #[serde(default)]
    pub changes: Vec<String>,
    /// The incident that this one became part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<String>,
    /// A few sentences for an operator.
    pub summary: String,
}

/// A candidate root cause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RootCause {
    /// The service.
    pub service: String,
    /// How sure it is, in [0, 1].
    #[serde(with = "number")]
    pub confidence: f64,
    /// What kind of fault it looks like: `resource`, `latency`, `errors`, `crash`, `traffic`, `unknown`.
    pub kind: String,
    /// What speaks for it, strongest first.
    pub evidence: Vec<Evidence>,
}

/// Something that speaks for a root cause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The series or edge.
    pub signal: String,
    /// The value that was seen.
    #[serde(with = "number")]
    pub observed: f64,
    /// The value that was normal.
    #[serde(with = "number")]
    pub baseline: f64,
    /// How surprising that is, in robust standard deviations.
    #[serde(with = "number")]
    pub surprise: f64,
    /// When it began, in event time.
    #[serde(rename = "onset_unix_nano")]
    pub onset: Timestamp,
    /// One sentence.
    pub message: String,
}

/// One point's score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The point's time.
    #[serde(rename = "time_unix_nano")]
    pub time: Timestamp,
    /// What identifies the series.
    pub series: Map<String, Value>,
    /// The point's value.
    #[serde(with = "number")]
    pub value: f64,
    /// In [0, 1].
    #[serde(with = "number")]
    pub score: f64,
}

/// A prediction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// When it was made, in event time.
    #[serde(rename = "time_unix_nano")]
    pub time: Timestamp,
    /// Whose series it is.
    pub service: String,
    /// The metric.
    pub name: String,
    /// What else identifies the series.
    #[serde(default)]
    pub attributes: Map<String, Value>,
    /// The model that made it.
    pub model: String,
    /// What it predicts.
    pub points: Vec<ForecastPoint>,
}

/// A predicted point.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForecastPoint {
    /// For when.
    #[serde(rename = "time_unix_nano")]
    pub time: Timestamp,
    /// Lower end of the interval.
    #[serde(with = "number")]
    pub low: f64,
    /// Median.
    #[serde(with = "number")]
    pub mid: f64,
    /// Upper end of the interval.
    #[serde(with = "number")]
    pub high: f64,
}

/// Something was changed on purpose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// When, in event time.
    #[serde(rename = "time_unix_nano")]
    pub time: Timestamp,
    /// What was changed.
    pub service: String,
    /// `deploy`, `config`, `scale`, `node` or a word of the sender's.
    pub kind: String,
    /// What else is known.
    #[serde(default)]
    pub attributes: Map<String, Value>,
    /// One sentence.
    pub message: String,
}

/// Something was done about an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// When, in event time.
    #[serde(rename = "time_unix_nano")]
    pub time: Timestamp,
    /// The incident it is for.
    pub incident: String,
    /// What was done.
    pub action: String,
    /// What it was done to.
    pub target: String,
    /// `proposed`, `running`, `succeeded`, `failed`, `undone` and so on.
    pub state: String,
    /// What else is known.
    #[serde(default)]
    pub attributes: Map<String, Value>,
    /// One sentence.
    pub message: String,
}
