//! Settings of the `log_feedback` extension.

use std::path::PathBuf;

use config::{Endpoint, Invalid, Opaque, Validate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use transport::http::{CorsSettings, ServerSettings};
use transport::tls::ServerTls;

/// Settings of the `log_feedback` extension.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The file that holds the feedback: the `feedback_file` of `log_classify` processors. Created if there is none.
    pub file: PathBuf,
    /// Where to listen: `host:port`, or a path if `transport` is `unix`.
    pub endpoint: String,
    /// `tcp` or `unix`.
    pub transport: String,
    /// Whoever asks must send it as `Authorization: Bearer ...`. Needed unless `endpoint` is of this machine only.
    pub token: Opaque,
    /// TLS; without it the server speaks plain HTTP.
    #[serde(deserialize_with = "::config::present")]
    pub tls: Option<ServerTls>,
    /// Which pages may ask from a browser.
    #[serde(deserialize_with = "::config::present")]
    pub cors: Option<CorsSettings>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            file: PathBuf::new(),
            endpoint: "localhost:13134".to_owned(),
            transport: "tcp".to_owned(),
            token: Opaque::default(),
            tls: None,
            cors: None,
        }
    }
}

impl Config {
    /// The server's settings.
    pub(super) fn server(&self) -> ServerSettings {
        ServerSettings {
            transport: self.transport.clone(),
            tls: self.tls.clone(),
            cors: self.cors.clone(),
            ..ServerSettings::at(&self.endpoint)
        }
    }

    /// Whether only programs of this machine can ask.
    fn is_local(&self) -> bool {
        let host = self.endpoint.rsplit_once(':').map_or(self.endpoint.as_str(), |(host, _)| host);
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
        self.transport == "unix" || host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }
}

impl Validate for Config {
    fn validate(&self) -> Result<(), Invalid> {
        self.server().validate()?;
        Invalid::unless(!self.file.as_os_str().is_empty(), "file", "must name a file")?;
        Invalid::unless(
            self.is_local() || !self.token.is_empty(),
            "token",
            "must be set where others than this machine can ask",
        )
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        self.server().endpoints()
    }
}
