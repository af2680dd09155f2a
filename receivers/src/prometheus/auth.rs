//! Credentials and TLS of a job, with Prometheus's keys.

use config::Opaque;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use transport::tls::ClientTls;

/// User name and password.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BasicAuth {
    /// The user's name.
    pub username: String,
    /// A file with the user's name, read at every scrape.
    pub username_file: String,
    /// The password.
    pub password: Opaque,
    /// A file with the password, read at every scrape.
    pub password_file: String,
}

/// Credentials of any kind.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Authorization {
    /// The kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// The credentials.
    pub credentials: Opaque,
    /// A file with the credentials, read at every scrape.
    pub credentials_file: String,
}

impl Default for Authorization {
    fn default() -> Self {
        Self { kind: "Bearer".to_owned(), credentials: Opaque::default(), credentials_file: String::new() }
    }
}

/// TLS of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// Authorities that targets' certificates must be signed by, in PEM; the system's if empty.
    pub ca_file: String,
    /// The authorities themselves, instead of `ca_file`.
    pub ca: Opaque,
    /// The client's certificate chain, in PEM.
    pub cert_file: String,
    /// The certificate chain itself, instead of `cert_file`.
    pub cert: Opaque,
    /// The certificate's key, in PEM.
    pub key_file: String,
    /// The key itself, instead of `key_file`.
    pub key: Opaque,
    /// The name that targets' certificates must be for, instead of their hosts.
    pub server_name: String,
    /// Accept any certificate.
    pub insecure_skip_verify: bool,
    /// The oldest TLS version to speak: `TLS12` (default) or `TLS13`.
    pub min_version: String,
    /// The newest TLS version to speak: `TLS12` or `TLS13` (default).
    pub max_version: String,
}

impl TlsConfig {
    /// The same under the collector's keys.
    pub(super) fn to_client(&self) -> ClientTls {
        let version = |name: &str| match name {
            "TLS10" => "1.0".to_owned(),
            "TLS11" => "1.1".to_owned(),
            "TLS12" => "1.2".to_owned(),
            "TLS13" => "1.3".to_owned(),
            other => other.to_owned(),
        };
        ClientTls {
            ca_file: self.ca_file.clone(),
            ca_pem: self.ca.clone(),
            cert_file: self.cert_file.clone(),
            cert_pem: self.cert.clone(),
            key_file: self.key_file.clone(),
            key_pem: self.key.clone(),
            server_name_override: self.server_name.clone(),
            insecure_skip_verify: self.insecure_skip_verify,
            min_version: version(&self.min_version),
            max_version: version(&self.max_version),
            ..ClientTls::default()
        }
    }
}

impl BasicAuth {
    /// # Errors
    /// If a value and its file are both given.
    pub(super) fn validate(&self) -> Result<(), &'static str> {
        if !self.username.is_empty() && !self.username_file.is_empty() {
            return Err("give the username or its file, not both");
        }
        if !self.password.is_empty() && !self.password_file.is_empty() {
            return Err("give the password or its file, not both");
        }
        Ok(())
    }
}

impl Authorization {
    /// # Errors
    /// If the credentials and their file are both given, or the kind has a key of its own.
    pub(super) fn validate(&self) -> Result<(), &'static str> {
        if self.kind.eq_ignore_ascii_case("basic") {
            return Err("use basic_auth for the type Basic");
        }
        if !self.credentials.is_empty() && !self.credentials_file.is_empty() {
            return Err("give the credentials or their file, not both");
        }
        Ok(())
    }
}
