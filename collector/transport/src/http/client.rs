//! An HTTP client from settings.

use std::collections::BTreeMap;

use config::{Duration, Invalid, Opaque, Validate};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::compression::Compression;
use crate::tls::ClientTls;
use crate::{TransportError, describe};

/// Settings of an HTTP client.
// A component repeats those that it has among its own, instead of flattening these into them: an error in a flattened field
// would not know its place in the file.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClientSettings {
    /// The URL to talk to, such as `https://otlp.example.com:4318`.
    pub endpoint: String,
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

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            tls: ClientTls::default(),
            headers: BTreeMap::new(),
            proxy_url: String::new(),
            compression: Compression::Gzip,
            max_idle_conns: None,
            max_idle_conns_per_host: None,
            max_conns_per_host: None,
            idle_conn_timeout: Duration::from_secs(90),
            disable_keep_alives: false,
            force_attempt_http2: true,
            http2_read_idle_timeout: Duration::default(),
            http2_ping_timeout: Duration::default(),
            read_buffer_size: 0,
            write_buffer_size: 512 * 1024,
        }
    }
}

impl Validate for ClientSettings {
    fn validate(&self) -> Result<(), Invalid> {
        if !self.endpoint.is_empty() {
            check_url(&self.endpoint).map_err(|reason| Invalid::new("endpoint", reason))?;
        }
        self.tls
            .validate()
            .map_err(|invalid| Invalid::new(format!("tls.{}", invalid.field), invalid.message))?;
        header_map(&self.headers).map(drop).map_err(|error| Invalid::new("headers", error.to_string()))
    }
}

/// Whether `url` is one an HTTP client can talk to.
fn check_url(url: &str) -> Result<(), String> {
    let parsed = reqwest::Url::parse(url).map_err(|error| format!("`{url}` is not a URL: {error}"))?;
    if !matches!(parsed.scheme(), "http" | "https") || parsed.host_str().is_none() {
        return Err(format!("`{url}` must begin with http:// or https:// and name a host"));
    }
    Ok(())
}

/// Headers from settings; their values are marked as sensitive, so that nothing prints them.
///
/// # Errors
/// If a name or a value may not stand in a header.
pub(crate) fn header_map(headers: &BTreeMap<String, Opaque>) -> Result<HeaderMap, TransportError> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| TransportError::setting("headers", format!("`{name}` is not a header name")))?;
        let mut value = HeaderValue::from_str(value.reveal()).map_err(|_| {
            TransportError::setting("headers", format!("the value of `{name}` may not stand in a header"))
        })?;
        value.set_sensitive(true);
        map.insert(name, value);
    }
    Ok(map)
}

/// A client for these settings. Compression of bodies is the caller's ([`Compression::encode`]), and so are timeouts.
///
/// # Errors
/// If certificates, headers or the proxy are not usable.
pub fn client(settings: &ClientSettings) -> Result<reqwest::Client, TransportError> {
    client_builder(settings)?.build().map_err(|error| TransportError::Client(describe(&error)))
}

/// A builder of a client for these settings, for those who want more than the settings say.
///
/// # Errors
/// If certificates, headers or the proxy are not usable.
pub fn client_builder(settings: &ClientSettings) -> Result<reqwest::ClientBuilder, TransportError> {
    let alpn: &[&str] = if settings.force_attempt_http2 { &["h2", "http/1.1"] } else { &["http/1.1"] };
    let tls = settings.tls.client_config(alpn)?;
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured((*tls).clone())
        .default_headers(header_map(&settings.headers)?)
        .user_agent(concat!("watchfire/", env!("CARGO_PKG_VERSION")))
        .tcp_nodelay(true)
        .connect_timeout(std::time::Duration::from_secs(30))
        .pool_idle_timeout((!settings.idle_conn_timeout.is_zero()).then(|| settings.idle_conn_timeout.get()));
    if settings.disable_keep_alives {
        builder = builder.pool_max_idle_per_host(0);
    } else if let Some(most) = settings.max_idle_conns_per_host {
        builder = builder.pool_max_idle_per_host(most as usize);
    }
    if !settings.http2_read_idle_timeout.is_zero() {
        let timeout = Some(settings.http2_ping_timeout).filter(|timeout| !timeout.is_zero());
        builder = builder
            .http2_keep_alive_interval(settings.http2_read_idle_timeout.get())
            .http2_keep_alive_timeout(timeout.unwrap_or(Duration::from_secs(15)).get());
    }
    if !settings.proxy_url.is_empty() {
        let proxy = reqwest::Proxy::all(&settings.proxy_url)
            .map_err(|error| TransportError::setting("proxy_url", describe(&error)))?;
        builder = builder.proxy(proxy);
    }
    Ok(builder)
}
