//! A signal that left its usual range: where it was found, how odd it is, and why.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Severity, number};
use crate::{Signal, Timestamp};

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
    /// What else is known about log records that come more or less often than usual, or for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<Box<LogDetail>>,
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

/// How log records are out of the ordinary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogKind {
    /// A template comes more often than usual, also for the traffic there is.
    Burst,
    /// A template comes less often than usual, also for the traffic there is.
    Drop,
    /// A template that came regularly has stopped.
    Silence,
    /// A template of a kind that is rarely new.
    NewTemplate,
    /// Records of a class are more than usual.
    ClassSurge,
    /// Error records are more than usual.
    ErrorSurge,
    /// Warnings are more than usual.
    WarningSurge,
    /// A service says more than usual, of everything.
    VolumeSurge,
    /// A service says less than usual, of everything.
    VolumeDrop,
    /// A service that logged regularly has stopped.
    ServiceSilence,
}

impl LogKind {
    /// The name in JSON, such as `new_template`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Burst => "burst",
            Self::Drop => "drop",
            Self::Silence => "silence",
            Self::NewTemplate => "new_template",
            Self::ClassSurge => "class_surge",
            Self::ErrorSurge => "error_surge",
            Self::WarningSurge => "warning_surge",
            Self::VolumeSurge => "volume_surge",
            Self::VolumeDrop => "volume_drop",
            Self::ServiceSilence => "service_silence",
        }
    }
}

/// What else is known about an anomaly of log records. `observed` and `expected` of the anomaly are numbers of records in the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogDetail {
    /// How they are out of the ordinary.
    pub kind: LogKind,
    /// The template that it is about, or that most of the records are of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_id: Option<String>,
    /// Its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// The class that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// The worst severity number of the template's records; 0 if they have none.
    #[serde(default)]
    pub severity_number: i32,
    /// How probable so unusual a count was, in (0, 1].
    #[serde(with = "number")]
    pub p_value: f64,
    /// The window that was looked at.
    #[serde(with = "number")]
    pub window_seconds: f64,
    /// A record's body, without secrets where `drain` took them out; cut at 256 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exemplar: Option<String>,
}
