//! An event as the body and headers of a request.

use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use pdata::event::{IncidentState, Severity};
use pdata::{Event, Timestamp};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::config::Format;

/// A request without its destination.
pub(super) struct Message {
    /// Names the event: the same whenever it is sent again, so that a receiver can tell.
    pub(super) id: String,
    /// The content type and, in binary mode, the `ce-` headers.
    pub(super) headers: HeaderMap,
    /// The body.
    pub(super) body: Vec<u8>,
}

impl Message {
    /// Writes `event` in `format`.
    ///
    /// # Errors
    /// If the event cannot be written as JSON.
    pub(super) fn new(event: &Event, format: Format, source: &str) -> Result<Self, serde_json::Error> {
        let data = serde_json::to_vec(event)?;
        let id = id(event, &data);
        let mut headers = HeaderMap::new();
        let body = match format {
            Format::Json => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                data
            }
            Format::Cloudevents => {
                let content_type = HeaderValue::from_static("application/cloudevents+json; charset=utf-8");
                headers.insert(CONTENT_TYPE, content_type);
                let mut envelope = attributes(event, &id, source);
                envelope.insert("datacontenttype".to_owned(), "application/json".into());
                envelope.insert("data".to_owned(), serde_json::to_value(event)?);
                serde_json::to_vec(&envelope)?
            }
            Format::CloudeventsBinary => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                for (name, value) in attributes(event, &id, source) {
                    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    let name = HeaderName::from_bytes(format!("ce-{name}").as_bytes());
                    if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&percent_encode(&text))) {
                        headers.insert(name, value);
                    }
                }
                data
            }
        };
        Ok(Self { id, headers, body })
    }
}

/// An incident has a name of its own, which with its revision names the event; others are named by their content.
fn id(event: &Event, data: &[u8]) -> String {
    if let Event::Incident(incident) = event {
        return format!("{}.{}", incident.id, incident.revision);
    }
    let digest = Sha256::digest(data);
    digest.iter().take(16).fold(String::new(), |mut text, byte| {
        text.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
        text.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
        text
    })
}

/// The CloudEvents attributes, without those about the data.
fn attributes(event: &Event, id: &str, source: &str) -> Map<String, Value> {
    let mut attributes = Map::new();
    let mut set = |name: &str, value: Value| attributes.insert(name.to_owned(), value);
    set("specversion", "1.0".into());
    set("id", id.into());
    set("source", source.into());
    set("type", event.name().into());
    set("time", rfc3339(event.time()).into());
    match event {
        Event::Incident(incident) => {
            set("subject", incident.id.as_str().into());
            // CloudEvents sorts sequences as text.
            set("sequence", format!("{:010}", incident.revision).into());
            let state = match incident.state {
                IncidentState::Open => "open",
                IncidentState::Updated => "updated",
                IncidentState::Resolved => "resolved",
                IncidentState::Merged => "merged",
            };
            set("state", state.into());
            severity(&mut set, incident.severity);
        }
        Event::Action(action) => {
            set("subject", action.incident.as_str().into());
        }
        Event::Anomaly(anomaly) => {
            set("subject", anomaly.service.as_str().into());
            severity(&mut set, if anomaly.is_over() { Severity::Info } else { anomaly.severity });
        }
        Event::Forecast(_) | Event::Change(_) | Event::Score(_) => {
            if let Some(service) = event.service() {
                set("subject", service.into());
            }
        }
    }
    // An attribute that is there must not be empty.
    attributes.retain(|_, value| value.as_str() != Some(""));
    attributes
}

/// The severity extension of CloudEvents, on OpenTelemetry's scale.
fn severity<R>(set: &mut impl FnMut(&str, Value) -> R, severity: Severity) {
    let number = match severity {
        Severity::Info => 9,
        Severity::Warning => 13,
        Severity::Error => 17,
        Severity::Critical => 21,
    };
    set("severitytext", severity.name().into());
    set("severitynumber", json!(number));
}

/// The time as RFC 3339 writes it, in UTC.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(time.as_nanos()))
        .map_or_else(|_| String::new(), |time| time.to_string())
}

/// The HTTP binding of CloudEvents: space, `"`, `%` and everything outside printable ASCII is percent-encoded.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if (0x21..=0x7e).contains(&byte) && byte != b'"' && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(char::from(b"0123456789ABCDEF"[usize::from(byte >> 4)]));
            encoded.push(char::from(b"0123456789ABCDEF"[usize::from(byte & 15)]));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_values_are_percent_encoded() {
        assert_eq!(percent_encode("Euro € 100% \"x\""), "Euro%20%E2%82%AC%20100%25%20%22x%22");
    }

    #[test]
    fn times_are_rfc_3339() {
        assert_eq!(rfc3339(Timestamp::from_millis(1_600_000_000_123)), "2020-09-13T12:26:40.123Z");
    }
}
