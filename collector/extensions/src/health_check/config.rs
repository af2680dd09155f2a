//! Settings of the `health_check` extension, with the collector's keys.

use std::collections::BTreeMap;

use config::{Endpoint, Invalid, Opaque, Validate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use transport::http::{CorsSettings, ServerSettings};
use transport::tls::ServerTls;

/// Settings of the `health_check` extension.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where to listen: `host:port`, or a path if `transport` is `unix`.
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
    /// Where the check is.
    pub path: String,
    /// Fixed bodies for the check's answers, instead of JSON.
    #[serde(deserialize_with = "::config::present")]
    pub response_body: Option<ResponseBody>,
    /// What counts as unhealthy.
    pub component_health: ComponentHealth,
    /// Accepted for the collector's sake: the check always looks at every component.
    #[serde(deserialize_with = "::config::present")]
    pub check_collector_pipeline: Option<CheckPipeline>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoint: "localhost:13133".to_owned(),
            transport: "tcp".to_owned(),
            tls: None,
            cors: None,
            response_headers: BTreeMap::new(),
            path: "/".to_owned(),
            response_body: None,
            component_health: ComponentHealth::default(),
            check_collector_pipeline: None,
        }
    }
}

/// Fixed bodies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ResponseBody {
    /// With status 200.
    pub healthy: String,
    /// With status 503.
    pub unhealthy: String,
}

/// What counts as unhealthy, beside components that are starting or have stopped.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ComponentHealth {
    /// Components that will not work again without help. (False in the collector's second version.)
    pub include_permanent_errors: bool,
    /// Components that do not work now but may recover by themselves, such as an exporter whose backend is away.
    pub include_recoverable_errors: bool,
}

impl Default for ComponentHealth {
    fn default() -> Self {
        Self { include_permanent_errors: true, include_recoverable_errors: false }
    }
}

/// The collector's settings of its check of exporters. None of them has an effect here.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CheckPipeline {
    /// Whether the collector counts failures of exporters.
    pub enabled: bool,
    /// Over how long it counts them.
    pub interval: String,
    /// How many are too many.
    pub exporter_failure_threshold: u64,
}

impl Default for CheckPipeline {
    fn default() -> Self {
        Self { enabled: false, interval: "5m".to_owned(), exporter_failure_threshold: 5 }
    }
}

impl Config {
    /// The server's settings.
    pub(super) fn server(&self) -> ServerSettings {
        ServerSettings {
            transport: self.transport.clone(),
            tls: self.tls.clone(),
            cors: self.cors.clone(),
            response_headers: self.response_headers.clone(),
            ..ServerSettings::at(&self.endpoint)
        }
    }
}

impl Validate for Config {
    fn validate(&self) -> Result<(), Invalid> {
        self.server().validate()?;
        Invalid::unless(self.path.starts_with('/'), "path", "must begin with `/`")
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        self.server().endpoints()
    }
}
