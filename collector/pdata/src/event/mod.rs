//! What Watchfire finds out: anomalies, incidents, changes, actions, forecasts and scores.
//!
//! The JSON form of these types is a public contract: it is one line of the `file` exporter
//! (`{"type":"anomaly",...}`). Fields are only ever added.

mod anomaly;
mod incident;
mod number;
mod otlp;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub use anomaly::{Anomaly, Contribution, Expected, LogDetail, LogKind, Phase, Source};
pub use incident::{Evidence, Incident, IncidentState, RootCause};
pub use otlp::{from_logs, to_logs};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Timestamp;

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
    /// The value that would have been normal, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expected>,
    /// The unit of the values (UCUM); empty if nobody knows.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// What contributed how much, where several series are scored together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<Contribution>,
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
