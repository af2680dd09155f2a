//! Incidents and anomalies as alerts of Alertmanager's API v2.

use std::collections::BTreeMap;
use std::time::Duration;

use pdata::Timestamp;
use pdata::event::{Anomaly, Event, Incident, IncidentState, Phase};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::config::{Config, label_name};
use crate::webhook::message::rfc3339;

/// Longer annotations are shortened.
const LONGEST: usize = 4096;
/// How many pieces of evidence an annotation names.
const MOST_EVIDENCE: usize = 5;

/// An alert. Its labels are its identity: Alertmanager takes one with other labels for another alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Alert {
    pub(super) labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    starts: Timestamp,
    /// When it was over; `None` while it is firing.
    pub(super) ends: Option<Timestamp>,
}

/// What an event says about an alert.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct News {
    /// Whom the alert is about: the same for its whole life, whatever its labels.
    pub(super) key: String,
    /// Grows with every piece of news about the same.
    pub(super) revision: u64,
    pub(super) alert: Alert,
}

/// The API's form.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Posted<'a> {
    labels: &'a BTreeMap<String, String>,
    annotations: &'a BTreeMap<String, String>,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL", skip_serializing_if = "str::is_empty")]
    generator_url: &'a str,
}

impl Alert {
    /// Whether it is firing at `now`.
    pub(super) fn is_firing(&self, now: Timestamp) -> bool {
        self.ends.is_none_or(|ends| ends > now)
    }

    /// Ends it, unless it has ended before.
    pub(super) fn end(&mut self, now: Timestamp) {
        self.ends = Some(self.ends.map_or(now, |ends| ends.min(now)).max(self.starts));
    }
}

/// Alerts as the API wants them, those that fire with their expiry.
///
/// # Errors
/// Never, as long as labels and annotations are text.
pub(super) fn to_json(
    alerts: &[Alert],
    config: &Config,
    now: Timestamp,
    resolve_timeout: Duration,
) -> serde_json::Result<Vec<u8>> {
    let posted = |alert: &Alert| -> serde_json::Result<Value> {
        serde_json::to_value(Posted {
            labels: &alert.labels,
            annotations: &alert.annotations,
            starts_at: rfc3339(alert.starts),
            ends_at: rfc3339(alert.ends.unwrap_or(now + resolve_timeout).max(alert.starts)),
            generator_url: &config.generator_url,
        })
    };
    serde_json::to_vec(&alerts.iter().map(posted).collect::<serde_json::Result<Vec<_>>>()?)
}

/// What an event says about an alert; `None` if it is not about one.
pub(super) fn news(event: &Event, config: &Config, now: Timestamp) -> Option<News> {
    match event {
        Event::Incident(incident) => Some(of_incident(incident, config, now)),
        Event::Anomaly(anomaly) if config.anomalies => Some(of_anomaly(anomaly, config, now)),
        _ => None,
    }
}

fn of_incident(incident: &Incident, config: &Config, now: Timestamp) -> News {
    let root = incident.root_causes.first();
    let labels = [
        ("alertname", config.alertname.clone()),
        ("incident_id", incident.id.clone()),
        (
            "service",
            root.map(|root| &root.service).or(incident.services.first()).cloned().unwrap_or_default(),
        ),
        ("severity", incident.severity.name().to_owned()),
    ];
    let cause = root.map_or_else(String::new, |root| {
        format!("{}: {} (confidence {:.0} %)", root.service, root.kind, root.confidence * 100.0)
    });
    let evidence = root.into_iter().flat_map(|root| &root.evidence).take(MOST_EVIDENCE);
    let evidence: Vec<_> = evidence.map(|evidence| evidence.message.as_str()).collect();
    let annotations = [
        ("summary", incident.title.clone()),
        ("description", incident.summary.clone()),
        ("root_cause", cause),
        ("evidence", evidence.join("\n")),
        ("services", incident.services.join(", ")),
        ("path", incident.path.join(" -> ")),
        ("changes", incident.changes.join("\n")),
        ("merged_into", incident.merged_into.clone().unwrap_or_default()),
    ];
    // A clock that is ahead of ours must not make an alert begin, or end, in the future.
    let starts = incident.opened.min(now);
    let ends = match incident.state {
        IncidentState::Open | IncidentState::Updated => None,
        IncidentState::Resolved | IncidentState::Merged => {
            Some(incident.resolved.unwrap_or(incident.updated).min(now).max(starts))
        }
    };
    News {
        key: format!("incident/{}", incident.id),
        revision: incident.revision,
        alert: alert(labels.into(), annotations.into(), config, starts, ends),
    }
}

fn of_anomaly(anomaly: &Anomaly, config: &Config, now: Timestamp) -> News {
    let series = series(anomaly);
    let mut labels = vec![
        ("alertname", "WatchfireAnomaly".to_owned()),
        ("service", anomaly.service.clone()),
        ("severity", anomaly.severity.name().to_owned()),
        ("name", anomaly.name.clone()),
        ("series", series.clone()),
    ];
    let wanted = config.event_labels.iter().filter_map(|key| {
        let value = match anomaly.attributes.get(key)? {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Some((label_name(key), value))
    });
    let wanted: Vec<_> = wanted.collect();
    labels.extend(wanted.iter().map(|(name, value)| (name.as_str(), value.clone())));
    let expected = format!("{} to {}", anomaly.expected.low, anomaly.expected.high);
    let annotations = [
        ("summary", anomaly.message.clone()),
        ("observed", anomaly.observed.to_string()),
        ("expected", expected),
    ];
    let starts = anomaly.onset.unwrap_or(anomaly.time).min(now);
    let ends = match anomaly.phase {
        Some(Phase::End) => Some(anomaly.time.min(now).max(starts)),
        Some(_) => None,
        // Nobody will say when it is over: it is, unless it comes again.
        None => Some(anomaly.time.min(now) + config.resolve_timeout.get()),
    };
    News {
        key: format!("anomaly/{series}"),
        revision: anomaly.time.as_nanos(),
        alert: alert(labels, annotations.into(), config, starts, ends),
    }
}

fn alert(
    labels: Vec<(&str, String)>,
    annotations: Vec<(&str, String)>,
    config: &Config,
    starts: Timestamp,
    ends: Option<Timestamp>,
) -> Alert {
    let mut all_labels = config.labels.clone();
    all_labels.extend(labels.into_iter().map(|(name, value)| (name.to_owned(), value)));
    // A label without a value is no label.
    all_labels.retain(|_, value| !value.is_empty());
    let mut all_annotations = config.annotations.clone();
    let annotations = annotations.into_iter().filter(|(_, value)| !value.is_empty());
    all_annotations.extend(annotations.map(|(name, value)| (name.to_owned(), shortened(value))));
    Alert { labels: all_labels, annotations: all_annotations, starts, ends }
}

fn shortened(mut text: String) -> String {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST - '…'.len_utf8()));
        text.push('…');
    }
    text
}

/// What tells one series from another, in 16 digits: the same on every machine and in every run.
fn series(anomaly: &Anomaly) -> String {
    let mut digest = Sha256::new();
    let mut put = |text: &str| {
        digest.update((text.len() as u64).to_le_bytes());
        digest.update(text.as_bytes());
    };
    put(&anomaly.service);
    put(&anomaly.name);
    for (key, value) in &anomaly.attributes {
        put(key);
        put(&value.to_string());
    }
    digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
