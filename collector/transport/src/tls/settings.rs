//! The collector's TLS keys.

use config::{Duration, Invalid, Opaque, Validate};
use rustls::{CipherSuite, NamedGroup};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// TLS of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ServerTls {
    /// The server's certificate chain, in PEM.
    pub cert_file: String,
    /// The certificate chain itself, instead of `cert_file`.
    pub cert_pem: Opaque,
    /// The certificate's private key, in PEM.
    pub key_file: String,
    /// The private key itself, instead of `key_file`.
    pub key_pem: Opaque,
    /// Authorities that clients' certificates must be signed by. With it, every client needs a certificate (mTLS).
    pub client_ca_file: String,
    /// Read `client_ca_file` again when it changes.
    pub client_ca_file_reload: bool,
    /// Not used by a server; accepted because the collector accepts it.
    pub ca_file: String,
    /// Not used by a server; accepted because the collector accepts it.
    pub ca_pem: Opaque,
    /// Not used by a server; accepted because the collector accepts it.
    pub include_system_ca_certs_pool: bool,
    /// The oldest TLS version to speak: `1.2` (default) or `1.3`. Older ones are never spoken.
    pub min_version: String,
    /// The newest TLS version to speak: `1.2` or `1.3` (default).
    pub max_version: String,
    /// The TLS 1.2 cipher suites to use; empty for all safe ones.
    pub cipher_suites: Vec<String>,
    /// The key exchange groups to use, such as `X25519` and `P256`; empty for all.
    pub curve_preferences: Vec<String>,
    /// How often certificates, keys and authorities are read again; `0s` for never.
    pub reload_interval: Duration,
}

/// TLS of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClientTls {
    /// No TLS at all, unless the endpoint begins with `https://`.
    pub insecure: bool,
    /// Use TLS, but accept any certificate.
    pub insecure_skip_verify: bool,
    /// The name that the server's certificate must be for, instead of the endpoint's host.
    pub server_name_override: String,
    /// Authorities that the server's certificate must be signed by, in PEM; the system's if empty.
    pub ca_file: String,
    /// The authorities themselves, instead of `ca_file`.
    pub ca_pem: Opaque,
    /// Accept the system's authorities too, beside `ca_file`.
    pub include_system_ca_certs_pool: bool,
    /// The client's certificate chain for mTLS, in PEM.
    pub cert_file: String,
    /// The certificate chain itself, instead of `cert_file`.
    pub cert_pem: Opaque,
    /// The certificate's private key, in PEM.
    pub key_file: String,
    /// The private key itself, instead of `key_file`.
    pub key_pem: Opaque,
    /// The oldest TLS version to speak: `1.2` (default) or `1.3`. Older ones are never spoken.
    pub min_version: String,
    /// The newest TLS version to speak: `1.2` or `1.3` (default).
    pub max_version: String,
    /// The TLS 1.2 cipher suites to use; empty for all safe ones.
    pub cipher_suites: Vec<String>,
    /// The key exchange groups to use, such as `X25519` and `P256`; empty for all.
    pub curve_preferences: Vec<String>,
    /// How often certificates, keys and authorities are read again; `0s` for never.
    pub reload_interval: Duration,
}

impl Validate for ServerTls {
    fn validate(&self) -> Result<(), Invalid> {
        pair("cert", &self.cert_file, &self.cert_pem)?;
        pair("key", &self.key_file, &self.key_pem)?;
        let certificate = !self.cert_file.is_empty() || !self.cert_pem.is_empty();
        let key = !self.key_file.is_empty() || !self.key_pem.is_empty();
        Invalid::unless(certificate, "cert_file", "a server with TLS needs a certificate")?;
        Invalid::unless(key, "key_file", "a server with TLS needs the certificate's key")?;
        check_versions(&self.min_version, &self.max_version)
    }
}

impl Validate for ClientTls {
    fn validate(&self) -> Result<(), Invalid> {
        pair("ca", &self.ca_file, &self.ca_pem)?;
        pair("cert", &self.cert_file, &self.cert_pem)?;
        pair("key", &self.key_file, &self.key_pem)?;
        let certificate = !self.cert_file.is_empty() || !self.cert_pem.is_empty();
        let key = !self.key_file.is_empty() || !self.key_pem.is_empty();
        Invalid::unless(certificate == key, "cert_file", "a certificate and its key belong together")?;
        check_versions(&self.min_version, &self.max_version)
    }
}

fn pair(name: &str, file: &str, pem: &Opaque) -> Result<(), Invalid> {
    let both = !file.is_empty() && !pem.is_empty();
    Invalid::unless(!both, &format!("{name}_pem"), "give the file or the PEM itself, not both")
}

fn check_versions(min: &str, max: &str) -> Result<(), Invalid> {
    super::versions(min, max).map(drop).map_err(|error| {
        let field = if max.is_empty() { "min_version" } else { "max_version" };
        Invalid::new(field, error.to_string())
    })
}

/// Whether `name` is the suite's name, as Go and IANA write it.
pub(super) fn is_suite(suite: CipherSuite, name: &str) -> bool {
    // rustls writes TLS 1.3 suites as TLS13_AES_128_GCM_SHA256.
    suite.as_str().is_some_and(|known| known == name || known.replacen("TLS13_", "TLS_", 1) == name)
}

/// Whether `name` is the group's name, as Go or rustls write it.
pub(super) fn is_curve(group: NamedGroup, name: &str) -> bool {
    match group {
        NamedGroup::secp256r1 => matches!(name, "P256" | "secp256r1" | "CurveP256"),
        NamedGroup::secp384r1 => matches!(name, "P384" | "secp384r1" | "CurveP384"),
        NamedGroup::secp521r1 => matches!(name, "P521" | "secp521r1" | "CurveP521"),
        _ => group.as_str() == Some(name),
    }
}
