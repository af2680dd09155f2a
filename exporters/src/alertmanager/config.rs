//! Settings of the `alertmanager` exporter: the collector's keys, and ours.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config::{ComponentId, Duration, Invalid, Opaque, Validate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use transport::compression::Compression;
use transport::http::ClientSettings;
use transport::tls::ClientTls;

/// Settings of the `alertmanager` exporter.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The URL of an Alertmanager, with its path prefix if it has one; `http://localhost:9093` if there are no `endpoints` either.
    pub endpoint: String,
    /// The URLs of more Alertmanagers, usually the members of a cluster. Every one gets every alert, as Prometheus does it: they
    /// talk to each other about notifications, not about alerts.
    pub endpoints: Vec<String>,
    /// The version of the API; only `v2` is spoken.
    pub api_version: String,
    /// A link that every alert carries; must be a URL.
    pub generator_url: String,
    /// Accepted for the collector's sake; incidents and anomalies have a severity of their own.
    pub severity: String,
    /// Accepted for the collector's sake; incidents and anomalies have a severity of their own.
    pub severity_attribute: String,
    /// Attributes of anomalies that become labels.
    pub event_labels: BTreeSet<String>,
    /// The label `alertname` of incidents.
    pub alertname: String,
    /// More labels for every alert.
    pub labels: BTreeMap<String, String>,
    /// More annotations for every alert.
    pub annotations: BTreeMap<String, String>,
    /// Whether anomalies become alerts too, not only incidents.
    pub anomalies: bool,
    /// How often firing alerts are sent again. Must be less than half of `resolve_timeout`, so that one lost request does no harm.
    pub resend_interval: Duration,
    /// After this long without being sent again an alert counts as resolved; sent as the alert's `endsAt`.
    pub resolve_timeout: Duration,
    /// An incident that nothing was heard of for so long is no longer kept alive; `0s` means for ever.
    pub forget_after: Duration,
    /// So many alerts are kept alive at most; beyond that, those that nothing was heard of for longest expire.
    pub max_alerts: usize,
    /// A storage extension that keeps the firing alerts over restarts.
    pub storage: Option<ComponentId>,
    /// A user's name and password for every request.
    pub basic_auth: Option<BasicAuth>,
    /// Headers to send with every request.
    pub headers: BTreeMap<String, Opaque>,
    /// TLS, for endpoints that begin with `https://`.
    pub tls: ClientTls,
    /// A proxy for all requests; otherwise the environment's `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` count.
    pub proxy_url: String,
    /// How bodies are compressed: `gzip`, `zstd`, `zlib`, `deflate` or `none`. Alertmanager itself understands only `none`.
    pub compression: Compression,
    /// Accepted for the collector's sake; the number of idle connections is bounded per host.
    pub max_idle_conns: Option<u32>,
    /// How many idle connections to keep for each host.
    pub max_idle_conns_per_host: Option<u32>,
    /// Accepted for the collector's sake; there is one request to an endpoint at a time.
    pub max_conns_per_host: Option<u32>,
    /// How long an idle connection is kept.
    pub idle_conn_timeout: Duration,
    /// Open a connection for every request.
    pub disable_keep_alives: bool,
    /// Offer HTTP/2 on TLS connections.
    pub force_attempt_http2: bool,
    /// Ping an HTTP/2 connection that has been silent for this long; `0s` for never.
    pub http2_read_idle_timeout: Duration,
    /// Close an HTTP/2 connection that leaves a ping unanswered for this long; `0s` means 15 seconds.
    pub http2_ping_timeout: Duration,
    /// Accepted for the collector's sake; buffers size themselves.
    pub read_buffer_size: u64,
    /// Accepted for the collector's sake; buffers size themselves.
    pub write_buffer_size: u64,
}

/// A user's name and password.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BasicAuth {
    /// The user's name.
    pub username: String,
    /// The password; `${file:PATH}` reads it from a file.
    pub password: Opaque,
}

impl Default for Config {
    fn default() -> Self {
        let client = ClientSettings::default();
        Self {
            endpoint: String::new(),
            endpoints: Vec::new(),
            api_version: "v2".to_owned(),
            generator_url: String::new(),
            severity: "info".to_owned(),
            severity_attribute: String::new(),
            event_labels: BTreeSet::new(),
            alertname: "WatchfireIncident".to_owned(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            anomalies: false,
            resend_interval: Duration::from_secs(60),
            resolve_timeout: Duration::from_secs(300),
            forget_after: Duration::from_secs(24 * 60 * 60),
            max_alerts: 1000,
            storage: None,
            basic_auth: None,
            headers: client.headers,
            tls: client.tls,
            proxy_url: client.proxy_url,
            compression: Compression::None,
            max_idle_conns: client.max_idle_conns,
            max_idle_conns_per_host: client.max_idle_conns_per_host,
            max_conns_per_host: client.max_conns_per_host,
            idle_conn_timeout: client.idle_conn_timeout,
            disable_keep_alives: client.disable_keep_alives,
            force_attempt_http2: client.force_attempt_http2,
            http2_read_idle_timeout: client.http2_read_idle_timeout,
            http2_ping_timeout: client.http2_ping_timeout,
            read_buffer_size: client.read_buffer_size,
            write_buffer_size: client.write_buffer_size,
        }
    }
}

impl Config {
    /// Every endpoint.
    pub(super) fn all_endpoints(&self) -> Vec<&str> {
        let all = std::iter::once(&self.endpoint).chain(&self.endpoints);
        let given: Vec<_> = all.filter(|url| !url.is_empty()).map(String::as_str).collect();
        if given.is_empty() { vec![DEFAULT_ENDPOINT] } else { given }
    }

    /// The settings of the client for all endpoints.
    pub(super) fn client(&self) -> ClientSettings {
        let mut headers = self.headers.clone();
        if let Some(BasicAuth { username, password }) = &self.basic_auth {
            let both = STANDARD.encode(format!("{username}:{}", password.reveal()));
            headers.insert("authorization".to_owned(), format!("Basic {both}").as_str().into());
        }
        ClientSettings {
            endpoint: self.endpoint.clone(),
            headers,
            tls: self.tls.clone(),
            proxy_url: self.proxy_url.clone(),
            compression: self.compression,
            max_idle_conns: self.max_idle_conns,
            max_idle_conns_per_host: self.max_idle_conns_per_host,
            max_conns_per_host: self.max_conns_per_host,
            idle_conn_timeout: self.idle_conn_timeout,
            disable_keep_alives: self.disable_keep_alives,
            force_attempt_http2: self.force_attempt_http2,
            http2_read_idle_timeout: self.http2_read_idle_timeout,
            http2_ping_timeout: self.http2_ping_timeout,
            read_buffer_size: self.read_buffer_size,
            write_buffer_size: self.write_buffer_size,
        }
    }
}

impl Validate for Config {
    fn validate(&self) -> Result<(), Invalid> {
        self.client().validate()?;
        for (i, endpoint) in self.endpoints.iter().enumerate() {
            let field = format!("endpoints.{i}");
            Invalid::unless(!endpoint.is_empty(), &field, "must not be empty")?;
            let other = ClientSettings { endpoint: endpoint.clone(), ..ClientSettings::default() };
            other.validate().map_err(|invalid| Invalid::new(field, invalid.message))?;
        }
        let all = self.all_endpoints();
        let distinct: BTreeSet<_> = all.iter().map(|url| url.trim_end_matches('/')).collect();
        Invalid::unless(distinct.len() == all.len(), "endpoints", "name one Alertmanager twice")?;
        Invalid::unless(self.api_version == "v2", "api_version", "must be `v2`")?;
        let url = self.generator_url.is_empty() || reqwest::Url::parse(&self.generator_url).is_ok();
        Invalid::unless(url, "generator_url", "must be a URL: Alertmanager refuses anything else")?;
        Invalid::unless(!self.alertname.is_empty(), "alertname", "must not be empty")?;
        let names = self.labels.keys().map(|name| ("labels", name));
        for (field, name) in names.chain(self.annotations.keys().map(|name| ("annotations", name))) {
            let message = format!("`{name}` is not a name for a label: letters, digits and `_` only");
            Invalid::unless(is_label_name(name), field, &message)?;
            let message = format!("`{name}` is set by the exporter itself");
            Invalid::unless(field != "labels" || !OWN_LABELS.contains(&name.as_str()), field, &message)?;
        }
        Invalid::unless(!self.resend_interval.is_zero(), "resend_interval", "must not be 0")?;
        let often_enough = self.resend_interval.get() * 2 < self.resolve_timeout.get();
        Invalid::unless(often_enough, "resend_interval", "must be less than half of `resolve_timeout`")?;
        Invalid::unless(self.max_alerts > 0, "max_alerts", "must be at least 1")
    }

    fn references(&self) -> Vec<ComponentId> {
        self.storage.iter().cloned().collect()
    }
}

/// Where an Alertmanager listens unless told otherwise.
const DEFAULT_ENDPOINT: &str = "http://localhost:9093";

/// The labels that the exporter sets itself.
const OWN_LABELS: &[&str] = &["alertname", "incident_id", "service", "severity", "name", "series"];

/// What Prometheus calls a valid label name.
fn is_label_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The label for an attribute: what may not stand in a name becomes `_`.
pub(super) fn label_name(attribute: &str) -> String {
    let name: String = attribute.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}
