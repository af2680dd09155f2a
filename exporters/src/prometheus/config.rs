//! Settings of the `prometheus` exporter: the collector's keys.

use std::collections::BTreeMap;

use config::{Duration, Endpoint, Invalid, Opaque, Validate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use transport::http::{CorsSettings, ServerSettings};
use transport::tls::ServerTls;

use super::names::{Naming, metric_name};

/// Settings of the `prometheus` exporter.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where to listen: `host:port`, or a path if `transport` is `unix`. Metrics are at `/metrics`.
    pub endpoint: String,
    /// `tcp` or `unix`.
    pub transport: String,
    /// TLS; without it the server speaks plain HTTP.
    #[serde(deserialize_with = "::config::present")]
    pub tls: Option<ServerTls>,
    /// Which pages may ask from a browser.
    #[serde(deserialize_with = "::config::present")]
    pub cors: Option<CorsSettings>,
    /// Headers to send with every answer.
    pub response_headers: BTreeMap<String, Opaque>,
    /// How long a request's head may take; `0s` for as long as it likes.
    pub read_header_timeout: Duration,
    /// How long a connection may be idle; `0s` for as long as it likes.
    pub idle_timeout: Duration,
    /// What every metric's name begins with.
    pub namespace: String,
    /// Labels that every series gets, unless it has them already.
    pub const_labels: BTreeMap<String, String>,
    /// Whether samples carry the time of their points. Prometheus then marks no series as gone.
    pub send_timestamps: bool,
    /// A series that gets no point for so long is no longer shown.
    pub metric_expiration: Duration,
    /// Whether scrapers that ask for it get OpenMetrics: with exemplars, units and start times.
    pub enable_open_metrics: bool,
    /// Whether names get the unit and `_total`. Without effect if `translation_strategy` is set.
    pub add_metric_suffixes: bool,
    /// How names are made.
    pub translation_strategy: Option<TranslationStrategy>,
    /// Whether attributes of the resource become labels of every series.
    pub resource_to_telemetry_conversion: ResourceToTelemetry,
    /// The most series that are kept; a histogram is one. Points of more are dropped and counted.
    pub max_series: usize,
}

/// How names are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum TranslationStrategy {
    /// With the unit and `_total`; what may not stand in a name becomes `_`.
    UnderscoreEscapingWithSuffixes,
    /// What may not stand in a name becomes `_`.
    UnderscoreEscapingWithoutSuffixes,
}

/// Whether attributes of the resource become labels of every series.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ResourceToTelemetry {
    /// Whether they do.
    pub enabled: bool,
    /// Leave out `service.name`, `service.namespace` and `service.instance.id`, which are in `job` and `instance`.
    pub exclude_service_attributes: bool,
}

impl Default for Config {
    fn default() -> Self {
        let server = ServerSettings::default();
        Self {
            endpoint: String::new(),
            transport: server.transport,
            tls: None,
            cors: None,
            response_headers: BTreeMap::new(),
            read_header_timeout: server.read_header_timeout,
            idle_timeout: server.idle_timeout,
            namespace: String::new(),
            const_labels: BTreeMap::new(),
            send_timestamps: false,
            metric_expiration: Duration::from_secs(300),
            enable_open_metrics: false,
            add_metric_suffixes: true,
            translation_strategy: None,
            resource_to_telemetry_conversion: ResourceToTelemetry::default(),
            max_series: 250_000,
        }
    }
}

impl Config {
    /// How the server is to run.
    pub(super) fn server(&self) -> ServerSettings {
        ServerSettings {
            transport: self.transport.clone(),
            tls: self.tls.clone(),
            cors: self.cors.clone(),
            response_headers: self.response_headers.clone(),
            read_header_timeout: self.read_header_timeout,
            idle_timeout: self.idle_timeout,
            ..ServerSettings::at(&self.endpoint)
        }
    }

    /// How names are made.
    pub(super) fn naming(&self) -> Naming {
        let suffixes = match self.translation_strategy {
            None => self.add_metric_suffixes,
            Some(strategy) => strategy == TranslationStrategy::UnderscoreEscapingWithSuffixes,
        };
        Naming { namespace: metric_name(&self.namespace), suffixes }
    }
}

impl Validate for Config {
    fn validate(&self) -> Result<(), Invalid> {
        Invalid::unless(!self.endpoint.is_empty(), "endpoint", "is required: `host:port` to listen on")?;
        self.server().validate()?;
        Invalid::unless(
            !self.metric_expiration.is_zero(),
            "metric_expiration",
            "must be longer than nothing",
        )?;
        Invalid::unless(self.max_series > 0, "max_series", "must be at least 1")
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        self.server().endpoints()
    }
}
