//! From the components' statuses to an answer.

use std::collections::BTreeMap;
use std::time::Duration;

use component::{ComponentKey, ComponentStatus, Status};
use http::StatusCode;
use pdata::Timestamp;
use serde_json::{Map, Value, json};

use super::config::ComponentHealth;

/// Every component's status.
pub(super) type Statuses = BTreeMap<ComponentKey, ComponentStatus>;

/// Whether this status is well enough.
pub(super) const fn is_healthy(status: Status, settings: &ComponentHealth) -> bool {
    match status {
        Status::Ok => true,
        Status::Recovering => !settings.include_recoverable_errors,
        Status::Failed => !settings.include_permanent_errors,
        Status::Starting | Status::Stopped => false,
    }
}

/// The status of all together: that of the component that is worst off. Nothing runs yet where there is none.
pub(super) fn overall(statuses: &Statuses) -> Status {
    const BY_WEIGHT: [Status; 4] = [Status::Failed, Status::Starting, Status::Stopped, Status::Recovering];
    if statuses.is_empty() {
        return Status::Starting;
    }
    let worst = BY_WEIGHT.iter().find(|weight| statuses.values().any(|entry| entry.status == **weight));
    worst.copied().unwrap_or(Status::Ok)
}

/// Whether all components together are well enough.
pub(super) fn all_healthy(statuses: &Statuses, settings: &ComponentHealth) -> bool {
    !statuses.is_empty() && statuses.values().all(|entry| is_healthy(entry.status, settings))
}

/// The components that are not, with their statuses: one per line.
pub(super) fn unhealthy_lines(statuses: &Statuses, settings: &ComponentHealth) -> String {
    let unhealthy = statuses.iter().filter(|(_, entry)| !is_healthy(entry.status, settings));
    let line = |(key, entry): (&ComponentKey, &ComponentStatus)| match &entry.message {
        Some(message) => format!("{key} {}: {message}\n", entry.status.name()),
        None => format!("{key} {}\n", entry.status.name()),
    };
    let lines: String = unhealthy.map(line).collect();
    if lines.is_empty() { "nothing runs yet\n".to_owned() } else { lines }
}

/// The status code for an answer.
pub(super) const fn code(healthy: bool) -> StatusCode {
    if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// The collector's answer to a check.
pub(super) fn check_body(healthy: bool, since: Timestamp, now: Timestamp) -> Value {
    if healthy {
        json!({"status": "Server available", "upSince": rfc3339(since), "uptime": uptime(since, now)})
    } else {
        json!({"status": "Server not available", "upSince": "0001-01-01T00:00:00Z", "uptime": ""})
    }
}

/// The whole picture; every component in it if it is to be verbose.
pub(super) fn document(
    statuses: &Statuses,
    settings: &ComponentHealth,
    (since, now): (Timestamp, Timestamp),
    verbose: bool,
) -> Value {
    let mut document = json!({
        "status": overall(statuses).name(),
        "healthy": all_healthy(statuses, settings),
        "start_time": rfc3339(since),
        "uptime": uptime(since, now),
    });
    if verbose && let Some(map) = document.as_object_mut() {
        let components = statuses.iter().map(|(key, entry)| (key.to_string(), component(entry, settings)));
        map.insert("components".to_owned(), components.collect::<Map<_, _>>().into());
    }
    document
}

fn component(entry: &ComponentStatus, settings: &ComponentHealth) -> Value {
    let mut component = json!({
        "status": entry.status.name(),
        "healthy": is_healthy(entry.status, settings),
        "restarts": entry.restarts,
    });
    if let (Some(message), Some(map)) = (&entry.message, component.as_object_mut()) {
        map.insert("message".to_owned(), message.as_str().into());
    }
    component
}

fn rfc3339(time: Timestamp) -> String {
    // Beyond the year 9999 there is no text.
    jiff::Timestamp::from_nanosecond(time.as_nanos().into())
        .map_or_else(|_| String::new(), |time| time.to_string())
}

/// As Go writes durations, in seconds.
fn uptime(since: Timestamp, now: Timestamp) -> String {
    let uptime: Duration = now.since(since);
    format!("{}s", uptime.as_secs_f64())
}
