//! Events as Alertmanager's alerts (`postableAlert` of its API v2).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pdata::Timestamp;
use pdata::event::{Anomaly, Incident, RootCause};
use serde::Serialize;

use super::config::Config;
use crate::webhook::message::rfc3339;

/// Alertmanager keeps annotations in memory and puts them into messages; this is long for a message.
const LONGEST_ANNOTATION: usize = 4096;
/// How many pieces of evidence an annotation names.
const MOST_EVIDENCE: usize = 5;

/// An alert, without the time at which it ends.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Alert {
    /// What identifies it.
    pub(super) labels: BTreeMap<String, String>,
    /// What is shown of it.
    pub(super) annotations: BTreeMap<&'static str, String>,
    /// When it began.
    pub(super) starts: Timestamp,
}

/// An alert as it is posted.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Posted<'a> {
    labels: &'a BTreeMap<String, String>,
    annotations: &'a BTreeMap<&'static str, String>,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL", skip_serializing_if = "str::is_empty")]
    generator_url: &'a str,
}

impl Alert {
    /// The alert of an incident.
    pub(super) fn of_incident(incident: &Incident, config: &Config) -> Self {
        let cause = incident.root_causes.first();
        let service = cause
            .map(|cause| cause.service.as_str())
            .or_else(|| incident.services.first().map(String::as_str))
            .unwrap_or_default();
        let mut alert = Self::new(&config.alertname, config, incident.opened);
        alert.label("incident_id", &incident.id);
        alert.label("service", service);
        alert.label("severity", incident.severity.name());
        alert.annotate("summary", incident.title.clone());
        alert.annotate("description", incident.summary.clone());
        if let Some(cause) = cause {
            alert.annotate("root_cause", root_cause(cause));
            let evidence =
                cause.evidence.iter().take(MOST_EVIDENCE).map(|evidence| evidence.message.as_str());
            alert.annotate("evidence", evidence.collect::<Vec<_>>().join("\n"));
        }
        alert.annotate("services", incident.services.join(", "));
        alert.annotate("path", incident.path.join(" -> "));
        alert.annotate("changes", incident.changes.join("\n"));
        if let Some(other) = &incident.merged_into {
            alert.annotate("merged_into", other.clone());
        }
        alert
    }

    /// The alert of an anomaly.
    pub(super) fn of_anomaly(anomaly: &Anomaly, config: &Config) -> Self {
        let mut alert = Self::new("WatchfireAnomaly", config, anomaly.time);
        alert.label("service", &anomaly.service);
        alert.label("name", &anomaly.name);
        alert.label("severity", anomaly.severity.name());
        alert.annotate("summary", anomaly.message.clone());
        let expected = &anomaly.expected;
        let description = format!(
            "observed {}, expected {} ({} to {}), score {:.2}",
            anomaly.observed, expected.mid, expected.low, expected.high, anomaly.score
        );
        alert.annotate("description", description);
        alert
    }

    fn new(name: &str, config: &Config, starts: Timestamp) -> Self {
        let mut labels = config.labels.clone();
        labels.insert("alertname".to_owned(), name.to_owned());
        labels.retain(|_, value| !value.is_empty());
        Self { labels, annotations: BTreeMap::new(), starts }
    }

    /// Alertmanager takes an empty label for one that is not there.
    fn label(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.labels.insert(name.to_owned(), value.to_owned());
        }
    }

    fn annotate(&mut self, name: &'static str, mut text: String) {
        if text.len() > LONGEST_ANNOTATION {
            let mut end = LONGEST_ANNOTATION;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
            text.push_str("...");
        }
        if !text.is_empty() {
            self.annotations.insert(name, text);
        }
    }

    /// The alert as it is posted, ending at `ends`.
    pub(super) fn posted<'a>(&'a self, ends: Timestamp, generator_url: &'a str) -> Posted<'a> {
        Posted {
            labels: &self.labels,
            annotations: &self.annotations,
            starts_at: rfc3339(self.starts),
            // Alertmanager refuses an alert that ends before it starts.
            ends_at: rfc3339(ends.max(self.starts)),
            generator_url,
        }
    }
}

fn root_cause(cause: &RootCause) -> String {
    let mut text = format!("{}: {}", cause.service, cause.kind);
    // Writing to a string cannot fail.
    let _ = write!(text, " (confidence {:.0} %)", cause.confidence * 100.0);
    text
}
