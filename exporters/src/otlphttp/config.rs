//! Settings of the `otlphttp` exporter: the collector's keys.

use std::collections::BTreeMap;

use config::{Duration, Invalid, Opaque, Validate};
use pdata::Signal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use transport::compression::Compression;
use transport::http::ClientSettings;
use transport::tls::ClientTls;

/// Settings of the `otlphttp` exporter.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The URL that `/v1/traces`, `/v1/metrics` and `/v1/logs` are put behind.
    pub endpoint: String,
    /// The whole URL for traces, instead of one below `endpoint`.
    pub traces_endpoint: String,
    /// The whole URL for metrics, instead of one below `endpoint`.
    pub metrics_endpoint: String,
    /// The whole URL for logs, instead of one below `endpoint`.
    pub logs_endpoint: String,
    /// How telemetry is written.
    pub encoding: Encoding,
    /// TLS, for endpoints that begin with `https://`.
    pub tls: ClientTls,
    /// Headers to send with every request.
    pub headers: BTreeMap<String, Opaque>,
    /// A proxy for all requests; otherwise the environment's `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` count.
    pub proxy_url: String,
    /// How bodies are compressed: `gzip`, `zstd`, `zlib`, `deflate` or `none`.
    pub compression: Compression,
    /// Accepted for the collector's sake; the number of idle connections is bounded per host.
    pub max_idle_conns: Option<u32>,
    /// How many idle connections to keep for each host.
    pub max_idle_conns_per_host: Option<u32>,
    /// Accepted for the collector's sake; the number of consumers of the sending queue bounds connections.
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

/// How telemetry is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Protobuf.
    #[default]
    Proto,
    /// OTLP's JSON.
    Json,
}

impl Encoding {
    /// The content type.
    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Proto => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        let client = ClientSettings::default();
        Self {
            endpoint: String::new(),
            traces_endpoint: String::new(),
            metrics_endpoint: String::new(),
            logs_endpoint: String::new(),
            encoding: Encoding::default(),
            tls: client.tls,
            headers: client.headers,
            proxy_url: client.proxy_url,
            compression: client.compression,
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
    /// The HTTP client's part of the settings.
    pub(super) fn client(&self) -> ClientSettings {
        ClientSettings {
            endpoint: self.endpoint.clone(),
            tls: self.tls.clone(),
            headers: self.headers.clone(),
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

    /// Where a signal goes, if anywhere.
    pub(super) fn url(&self, signal: Signal) -> Option<String> {
        let (own, path) = match signal {
            Signal::Traces => (&self.traces_endpoint, "v1/traces"),
            Signal::Metrics => (&self.metrics_endpoint, "v1/metrics"),
            Signal::Logs | Signal::Events => (&self.logs_endpoint, "v1/logs"),
        };
        if !own.is_empty() {
            return Some(own.clone());
        }
        (!self.endpoint.is_empty()).then(|| format!("{}/{path}", self.endpoint.trim_end_matches('/')))
    }
}

impl Validate for Config {
    fn validate(&self) -> Result<(), Invalid> {
        let some = Signal::ALL.iter().any(|signal| self.url(*signal).is_some());
        Invalid::unless(
            some,
            "endpoint",
            "is required, or one of `traces_endpoint`, `metrics_endpoint`, `logs_endpoint`",
        )?;
        self.client().validate()?;
        for (key, url) in [
            ("traces_endpoint", &self.traces_endpoint),
            ("metrics_endpoint", &self.metrics_endpoint),
            ("logs_endpoint", &self.logs_endpoint),
        ] {
            let client = ClientSettings { endpoint: url.clone(), ..ClientSettings::default() };
            client.validate().map_err(|invalid| Invalid::new(key, invalid.message))?;
        }
        Ok(())
    }
}
