//! Settings of the `alertmanager` exporter.

use std::collections::BTreeMap;

use config::{Duration, Invalid, Opaque, Validate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use transport::http::ClientSettings;
use transport::tls::ClientTls;

/// Settings of the `alertmanager` exporter.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The URL of an Alertmanager, such as `http://alertmanager:9093`, with a path prefix if it has one.
    pub endpoint: String,
    /// The URLs of more Alertmanagers, usually the members of a cluster. Alerts go to all of them.
    pub endpoints: Vec<String>,
    /// The version of Alertmanager's API; only `v2` exists today.
    pub api_version: String,
    /// A URL that leads from an alert back to its source; nothing is sent if it is empty.
    pub generator_url: String,
    /// The label `alertname` of incidents.
    pub alertname: String,
    /// Labels to add to every alert.
    pub labels: BTreeMap<String, String>,
    /// Whether anomalies become alerts too, as `WatchfireAnomaly`. They end after `resolve_timeout` without being repeated.
    pub anomalies: bool,
    /// After this long without a repetition an Alertmanager takes an alert for resolved; sent as the alert's `endsAt`.
    pub resolve_timeout: Duration,
    /// How often firing alerts are repeated. Must be less than half of `resolve_timeout`, so that one lost repetition
    /// does no harm.
    pub resend_interval: Duration,
    /// User and password for HTTP basic authentication.
    pub basic_auth: Option<BasicAuth>,
    /// Headers to send with every request.
    pub headers: BTreeMap<String, Opaque>,
    /// TLS, for URLs that begin with `https://`.
    pub tls: ClientTls,
    /// A proxy for all requests; otherwise the environment's `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` count.
    pub proxy_url: String,
}

/// HTTP basic authentication.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BasicAuth {
    /// The user's name.
    pub username: String,
    /// The user's password.
    pub password: Opaque,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            endpoints: Vec::new(),
            api_version: "v2".to_owned(),
            generator_url: String::new(),
            alertname: "WatchfireIncident".to_owned(),
            labels: BTreeMap::new(),
            anomalies: false,
            resolve_timeout: Duration::from_secs(300),
            resend_interval: Duration::from_secs(60),
            basic_auth: None,
            headers: BTreeMap::new(),
            tls: ClientTls::default(),
            proxy_url: String::new(),
        }
    }
}

/// The labels that the exporter sets itself.
const OWN_LABELS: &[&str] = &["alertname", "incident_id", "service", "severity", "name"];

impl Config {
    /// The addresses that alerts are posted to.
    pub(super) fn urls(&self) -> Vec<String> {
        let all = std::iter::once(&self.endpoint).chain(&self.endpoints);
        all.filter(|url| !url.is_empty())
            .map(|url| format!("{}/api/v2/alerts", url.trim_end_matches('/')))
            .collect()
    }

    /// The settings of the client that sends.
    pub(super) fn client(&self) -> ClientSettings {
        ClientSettings {
            headers: self.headers.clone(),
            tls: self.tls.clone(),
            proxy_url: self.proxy_url.clone(),
            ..ClientSettings::default()
        }
    }
}

impl Validate for Config {
    fn validate(&self) -> Result<(), Invalid> {
        let any = !self.endpoint.is_empty() || !self.endpoints.is_empty();
        Invalid::unless(any, "endpoint", "is required: the URL of an Alertmanager")?;
        if !self.endpoint.is_empty() {
            check_url("endpoint", &self.endpoint)?;
        }
        self.endpoints.iter().try_for_each(|url| check_url("endpoints", url))?;
        if !self.generator_url.is_empty() {
            check_url("generator_url", &self.generator_url)?;
        }
        Invalid::unless(self.api_version == "v2", "api_version", "must be `v2`")?;
        Invalid::unless(!self.alertname.is_empty(), "alertname", "must not be empty")?;
        for name in self.labels.keys() {
            let mut bytes = name.bytes();
            let valid = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
                && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_');
            let message = format!("`{name}` is not a label name: letters, digits and `_` only");
            Invalid::unless(valid, "labels", &message)?;
            let message = format!("`{name}` is set by the exporter itself");
            Invalid::unless(!OWN_LABELS.contains(&name.as_str()), "labels", &message)?;
        }
        Invalid::unless(!self.resend_interval.is_zero(), "resend_interval", "must not be 0")?;
        let often_enough = self.resend_interval.get() * 2 < self.resolve_timeout.get();
        Invalid::unless(often_enough, "resend_interval", "must be less than half of `resolve_timeout`")?;
        self.client().validate()
    }
}

fn check_url(field: &str, url: &str) -> Result<(), Invalid> {
    let parsed = reqwest::Url::parse(url)
        .map_err(|error| Invalid::new(field, format!("`{url}` is not a URL: {error}")))?;
    let usable = matches!(parsed.scheme(), "http" | "https") && parsed.has_host();
    Invalid::unless(usable, field, "must begin with http:// or https:// and name a host")
}
