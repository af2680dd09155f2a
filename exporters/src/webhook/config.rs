//! Settings of the `webhook` exporter.

use std::collections::BTreeMap;

use config::{Invalid, Opaque, Validate};
use pdata::Event;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use transport::tls::ClientTls;

use super::signature::Key;

/// Settings of the `webhook` exporter.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where to send events: an `http://` or `https://` URL. Such URLs often hold a token, so it is never shown.
    #[serde(alias = "endpoint")]
    pub url: Opaque,
    /// How an event is written: `cloudevents` (structured), `cloudevents_binary` or `json` (the event alone).
    pub format: Format,
    /// Which events are sent: `anomaly`, `incident`, `forecast`, `change`, `action`, `score`.
    pub events: Vec<EventType>,
    /// The `source` of CloudEvents: a URI or a path that says which Watchfire this is.
    pub source: String,
    /// Secrets to sign with (Standard Webhooks, `whsec_...`). Every one signs, so that one can be replaced without a
    /// gap: add the new one, change the receiver, remove the old one. Without any nothing is signed.
    pub secrets: Vec<Opaque>,
    /// Headers to send with every request.
    pub headers: BTreeMap<String, Opaque>,
    /// TLS, for URLs that begin with `https://`.
    pub tls: ClientTls,
    /// A proxy for all requests; otherwise the environment's `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` count.
    pub proxy_url: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: Opaque::default(),
            format: Format::default(),
            events: vec![EventType::Incident, EventType::Action],
            source: "/watchfire".to_owned(),
            secrets: Vec::new(),
            headers: BTreeMap::new(),
            tls: ClientTls::default(),
            proxy_url: String::new(),
        }
    }
}

/// How an event is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A CloudEvents 1.0 envelope in JSON around the event.
    #[default]
    Cloudevents,
    /// The event as body, the CloudEvents attributes as `ce-` headers.
    CloudeventsBinary,
    /// The event alone, as the `file` exporter writes it.
    Json,
}

/// A type of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EventType {
    /// A signal left its usual range.
    Anomaly,
    /// A group of anomalies with a ranked root cause.
    Incident,
    /// Every scored point, for benchmarks.
    Score,
    /// A prediction.
    Forecast,
    /// Something was changed on purpose.
    Change,
    /// Something was done about an incident.
    Action,
}

impl EventType {
    /// The type of `event`.
    pub(super) const fn of(event: &Event) -> Self {
        match event {
            Event::Anomaly(_) => Self::Anomaly,
            Event::Incident(_) => Self::Incident,
            Event::Score(_) => Self::Score,
            Event::Forecast(_) => Self::Forecast,
            Event::Change(_) => Self::Change,
            Event::Action(_) => Self::Action,
        }
    }
}

impl Config {
    /// The signing keys.
    pub(super) fn keys(&self) -> Result<Vec<Key>, Invalid> {
        let key =
            |secret: &Opaque| Key::new(secret.reveal()).map_err(|reason| Invalid::new("secrets", reason));
        self.secrets.iter().map(key).collect()
    }

    /// The settings of the client that sends.
    pub(super) fn client(&self) -> transport::http::ClientSettings {
        transport::http::ClientSettings {
            headers: self.headers.clone(),
            tls: self.tls.clone(),
            proxy_url: self.proxy_url.clone(),
            ..Default::default()
        }
    }
}

impl Validate for Config {
    fn validate(&self) -> Result<(), Invalid> {
        Invalid::unless(!self.url.is_empty(), "url", "is required: where to send events")?;
        // The reason must not quote the URL, which may hold a token.
        let url = reqwest::Url::parse(self.url.reveal())
            .map_err(|error| Invalid::new("url", format!("is not a URL: {error}")))?;
        let usable = matches!(url.scheme(), "http" | "https") && url.has_host();
        Invalid::unless(usable, "url", "must begin with http:// or https:// and name a host")?;
        Invalid::unless(!self.events.is_empty(), "events", "must name at least one type of event")?;
        Invalid::unless(!self.source.is_empty(), "source", "must not be empty")?;
        self.keys()?;
        self.client().validate()
    }
}
