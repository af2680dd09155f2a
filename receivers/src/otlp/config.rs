//! Settings of the `otlp` receiver: the collector's keys.

use std::collections::BTreeMap;

use config::{ByteSize, Duration, Endpoint, Invalid, Opaque, Validate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use transport::http::{CorsSettings, ServerSettings};
use transport::tls::ServerTls;

/// Settings of the `otlp` receiver.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The protocols to listen with; at least one.
    pub protocols: Protocols,
}

/// The protocols to listen with. A key without a value turns its protocol on with its defaults.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Protocols {
    /// OTLP over gRPC, at `localhost:4317` by default.
    #[serde(deserialize_with = "config::present", skip_serializing_if = "Option::is_none")]
    pub grpc: Option<transport::grpc::ServerSettings>,
    /// OTLP over HTTP, at `localhost:4318` by default.
    #[serde(deserialize_with = "config::present", skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpConfig>,
}

/// OTLP over HTTP.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// Where to listen: `host:port`, or a path if `transport` is `unix`.
    pub endpoint: String,
    /// `tcp` or `unix`.
    pub transport: String,
    /// TLS; without it the server speaks plain HTTP.
    pub tls: Option<ServerTls>,
    /// The path for traces.
    pub traces_url_path: String,
    /// The path for metrics.
    pub metrics_url_path: String,
    /// The path for logs.
    pub logs_url_path: String,
    /// The largest body that is accepted, compressed or not; `0` means 20 MiB.
    pub max_request_body_size: ByteSize,
    /// How long a request's head may take; `0s` for as long as it likes.
    pub read_header_timeout: Duration,
    /// How long a request's body may take to come in; `0s` for as long as it likes.
    pub read_timeout: Duration,
    /// Accepted for the collector's sake; an answer waits for its pipeline.
    pub write_timeout: Duration,
    /// How long a connection may be idle; `0s` for as long as it likes.
    pub idle_timeout: Duration,
    /// Whether a connection serves more than one request.
    pub keep_alives_enabled: bool,
    /// Which pages may send from a browser.
    pub cors: Option<CorsSettings>,
    /// Headers to send with every response.
    pub response_headers: BTreeMap<String, Opaque>,
    /// Accepted for the collector's sake; no component here reads request metadata.
    pub include_metadata: bool,
    /// The content encodings that are accepted: a subset of `gzip`, `zstd`, `zlib`, `deflate` and the empty string for
    /// none; empty for all.
    pub compression_algorithms: Vec<String>,
}

impl Default for HttpConfig {
    fn default() -> Self {
        let server = ServerSettings::at("localhost:4318");
        Self {
            endpoint: server.endpoint,
            transport: server.transport,
            tls: server.tls,
            traces_url_path: "/v1/traces".to_owned(),
            metrics_url_path: "/v1/metrics".to_owned(),
            logs_url_path: "/v1/logs".to_owned(),
            max_request_body_size: server.max_request_body_size,
            read_header_timeout: server.read_header_timeout,
            read_timeout: server.read_timeout,
            write_timeout: server.write_timeout,
            idle_timeout: server.idle_timeout,
            keep_alives_enabled: server.keep_alives_enabled,
            cors: server.cors,
            response_headers: server.response_headers,
            include_metadata: server.include_metadata,
            compression_algorithms: server.compression_algorithms,
        }
    }
}

impl HttpConfig {
    /// The server's part of the settings.
    pub(super) fn server(&self) -> ServerSettings {
        ServerSettings {
            endpoint: self.endpoint.clone(),
            transport: self.transport.clone(),
            tls: self.tls.clone(),
            max_request_body_size: self.max_request_body_size,
            read_header_timeout: self.read_header_timeout,
            read_timeout: self.read_timeout,
            write_timeout: self.write_timeout,
            idle_timeout: self.idle_timeout,
            keep_alives_enabled: self.keep_alives_enabled,
            cors: self.cors.clone(),
            response_headers: self.response_headers.clone(),
            include_metadata: self.include_metadata,
            compression_algorithms: self.compression_algorithms.clone(),
        }
    }
}

impl Validate for Config {
    fn validate(&self) -> Result<(), Invalid> {
        let Protocols { grpc, http } = &self.protocols;
        Invalid::unless(grpc.is_some() || http.is_some(), "protocols", "must name `grpc`, `http` or both")?;
        let below = |key: &str, invalid: Invalid| {
            Invalid::new(format!("protocols.{key}.{}", invalid.field), invalid.message)
        };
        if let Some(grpc) = grpc {
            grpc.validate().map_err(|invalid| below("grpc", invalid))?;
        }
        let Some(http) = http else { return Ok(()) };
        http.server().validate().map_err(|invalid| below("http", invalid))?;
        for (key, path) in [
            ("traces_url_path", &http.traces_url_path),
            ("metrics_url_path", &http.metrics_url_path),
            ("logs_url_path", &http.logs_url_path),
        ] {
            Invalid::unless(path.starts_with('/'), &format!("protocols.http.{key}"), "must begin with `/`")?;
        }
        Ok(())
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        let grpc = self.protocols.grpc.iter().flat_map(Validate::endpoints);
        let http = self.protocols.http.iter().flat_map(|http| http.server().endpoints());
        grpc.chain(http).collect()
    }
}
