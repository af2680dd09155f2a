//! A group of anomalies: its life, and its root causes with what speaks for them.

use serde::{Deserialize, Serialize};

use super::{Severity, number};
use crate::Timestamp;

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
