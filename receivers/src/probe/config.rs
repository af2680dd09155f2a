//! Settings of the `probe` receiver, with the keys of the collector's `http_check` for HTTP targets.

use std::collections::BTreeMap;

use config::{ByteSize, Duration, Invalid, Opaque, Validate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use transport::tls::ClientTls;

use super::{dns, http, metrics, validation};
use crate::emit::{Spec, Toggles};

/// Settings of the `probe` receiver. At least one target is required.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How often targets are probed.
    pub collection_interval: Duration,
    /// How long to wait before the first probes.
    pub initial_delay: Duration,
    /// An upper bound for every target's own timeout; `0s` for none.
    pub timeout: Duration,
    /// How many targets are probed at the same time.
    pub max_concurrent: usize,
    /// HTTP servers.
    pub targets: Vec<HttpTarget>,
    /// TCP servers: whether they can be connected to.
    pub tcp: Vec<TcpTarget>,
    /// TLS servers: whether their certificates are good, and for how long.
    pub tls: Vec<TlsTarget>,
    /// Names: whether they can be resolved.
    pub dns: Vec<DnsTarget>,
    /// Switches metrics on and off, by name.
    pub metrics: Toggles,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            collection_interval: Duration::from_secs(60),
            initial_delay: Duration::from_secs(1),
            timeout: Duration::default(),
            max_concurrent: 32,
            targets: Vec::new(),
            tcp: Vec::new(),
            tls: Vec::new(),
            dns: Vec::new(),
            metrics: Toggles::default(),
        }
    }
}

/// HTTP servers that are asked alike.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HttpTarget {
    /// A URL, such as `https://shop.example.com/health`.
    pub endpoint: String,
    /// More URLs.
    pub endpoints: Vec<String>,
    /// The request's method.
    pub method: String,
    /// The request's headers.
    pub headers: BTreeMap<String, Opaque>,
    /// The request's body.
    pub body: String,
    /// Derive the body's `Content-Type` from how it begins, if `headers` has none.
    pub auto_content_type: bool,
    /// What must be true of the answer's body.
    pub validations: Vec<Validation>,
    /// How long everything may take, from resolving the name to the last byte; `0s` means 30 seconds.
    pub timeout: Duration,
    /// TLS, for URLs that begin with `https://`.
    pub tls: ClientTls,
    /// How many redirects are followed; one more is an error. With `0` the redirect itself is the answer.
    pub max_redirects: u32,
    /// The largest body that is read; a larger one is an error.
    pub max_response_size: ByteSize,
    /// Accepted for the collector's sake; every probe opens a connection of its own.
    pub disable_keep_alives: bool,
    /// Accepted for the collector's sake; every probe opens a connection of its own.
    pub idle_conn_timeout: Duration,
    /// Accepted for the collector's sake; every probe opens a connection of its own.
    pub max_idle_conns: Option<u32>,
    /// Accepted for the collector's sake; every probe opens a connection of its own.
    pub max_idle_conns_per_host: Option<u32>,
    /// Accepted for the collector's sake; every probe opens a connection of its own.
    pub max_conns_per_host: Option<u32>,
    /// Offer HTTP/2 on TLS connections.
    pub force_attempt_http2: bool,
    /// Accepted for the collector's sake; buffers size themselves.
    pub read_buffer_size: u64,
    /// Accepted for the collector's sake; buffers size themselves.
    pub write_buffer_size: u64,
}

impl Default for HttpTarget {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            endpoints: Vec::new(),
            method: "GET".to_owned(),
            headers: BTreeMap::new(),
            body: String::new(),
            auto_content_type: false,
            validations: Vec::new(),
            timeout: Duration::default(),
            tls: ClientTls::default(),
            max_redirects: 10,
            max_response_size: ByteSize::from_mib(10),
            disable_keep_alives: false,
            idle_conn_timeout: Duration::from_secs(90),
            max_idle_conns: None,
            max_idle_conns_per_host: None,
            max_conns_per_host: None,
            force_attempt_http2: true,
            read_buffer_size: 0,
            write_buffer_size: 0,
        }
    }
}

/// What must be true of an answer's body. Several in one entry are checked independently.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Validation {
    /// It contains this text.
    pub contains: String,
    /// It does not contain this text.
    pub not_contains: String,
    /// It is JSON that has something at this path: keys and indices with dots between them, as in `status` or
    /// `$.services.0.name`; `#` is the length of an array.
    pub json_path: String,
    /// What stands at `json_path` is this.
    pub equals: String,
    /// It has at least this many bytes.
    pub min_size: Option<u64>,
    /// It has at most this many bytes.
    pub max_size: Option<u64>,
    /// This regular expression matches somewhere in it.
    pub regex: String,
}

/// A TCP server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TcpTarget {
    /// `host:port`.
    pub endpoint: String,
    /// How long resolving and connecting may take; `0s` means 10 seconds.
    pub timeout: Duration,
}

impl Default for TcpTarget {
    fn default() -> Self {
        Self { endpoint: String::new(), timeout: DEFAULT_TIMEOUT }
    }
}

/// A TLS server.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TlsTarget {
    /// `host:port`.
    pub endpoint: String,
    /// How long everything may take, from resolving to the end of the handshake; `0s` means 10 seconds.
    pub timeout: Duration,
    /// Which certificates are good, and what the client shows.
    pub tls: ClientTls,
}

impl Default for TlsTarget {
    fn default() -> Self {
        Self { endpoint: String::new(), timeout: DEFAULT_TIMEOUT, tls: ClientTls::default() }
    }
}

/// A name to resolve.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DnsTarget {
    /// The name. The system's search list is not applied.
    pub name: String,
    /// What to ask for: `A`, `AAAA`, `CNAME`, `MX`, `NS`, `PTR`, `SOA`, `SRV`, `TXT` or `CAA`.
    pub record_type: String,
    /// Whom to ask, `address` or `address:port`; empty for the system's name servers.
    pub server: String,
    /// What must be among the answers, as in `10.0.0.7` or `mail.example.com.`
    pub expect: Vec<String>,
    /// How long the answer may take; `0s` means 10 seconds.
    pub timeout: Duration,
}

impl Default for DnsTarget {
    fn default() -> Self {
        Self {
            name: String::new(),
            record_type: "A".to_owned(),
            server: String::new(),
            expect: Vec::new(),
            timeout: DEFAULT_TIMEOUT,
        }
    }
}

/// How long a probe of a target that is not HTTP may take.
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

impl Validate for Config {
    fn validate(&self) -> Result<(), Invalid> {
        let interval = !self.collection_interval.is_zero();
        Invalid::unless(interval, "collection_interval", "must be longer than nothing")?;
        Invalid::unless(self.max_concurrent > 0, "max_concurrent", "must be at least 1")?;
        let known = metrics::SPECS.iter().map(|spec: &&Spec| spec.name);
        self.metrics.validate("metrics", known)?;
        let any = self.targets.len() + self.tcp.len() + self.tls.len() + self.dns.len() > 0;
        Invalid::unless(any, "targets", "name at least one target here or in `tcp`, `tls` or `dns`")?;
        let http = self.targets.iter().map(HttpTarget::validate);
        within("targets", http)?;
        within("tcp", self.tcp.iter().map(|target| host_and_port(&target.endpoint).map(drop)))?;
        within("tls", self.tls.iter().map(TlsTarget::validate))?;
        within("dns", self.dns.iter().map(|target| dns::Query::new(target).map(drop)))
    }
}

/// Puts the key of the list before the key of what is wrong in it.
fn within(list: &str, results: impl Iterator<Item = Result<(), Invalid>>) -> Result<(), Invalid> {
    for (i, result) in results.enumerate() {
        result.map_err(|invalid| Invalid::new(format!("{list}.{i}.{}", invalid.field), invalid.message))?;
    }
    Ok(())
}

impl HttpTarget {
    /// Every URL.
    pub(super) fn urls(&self) -> impl Iterator<Item = &String> {
        self.endpoints.iter().chain(Some(&self.endpoint).filter(|endpoint| !endpoint.is_empty()))
    }

    fn validate(&self) -> Result<(), Invalid> {
        Invalid::unless(self.urls().count() > 0, "endpoint", "name a URL here or in `endpoints`")?;
        for url in self.urls() {
            let field = if *url == self.endpoint { "endpoint" } else { "endpoints" };
            http::parse_url(url).map_err(|reason| Invalid::new(field, reason))?;
        }
        http::check_method(&self.method)?;
        http::headers(self)?;
        validate_tls(&self.tls)?;
        within("validations", self.validations.iter().map(|entry| validation::Rule::all(entry).map(drop)))
    }
}

impl TlsTarget {
    fn validate(&self) -> Result<(), Invalid> {
        host_and_port(&self.endpoint)?;
        validate_tls(&self.tls)
    }
}

fn validate_tls(tls: &ClientTls) -> Result<(), Invalid> {
    tls.validate().map_err(|invalid| Invalid::new(format!("tls.{}", invalid.field), invalid.message))
}

/// The parts of `host:port`; brackets around an IPv6 address are taken off.
pub(super) fn host_and_port(endpoint: &str) -> Result<(&str, u16), Invalid> {
    let invalid = || Invalid::new("endpoint", format!("`{endpoint}` is not `host:port`"));
    let (host, port) = endpoint.rsplit_once(':').ok_or_else(invalid)?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match port.parse() {
        Ok(port) if !host.is_empty() => Ok((host, port)),
        _ => Err(invalid()),
    }
}
