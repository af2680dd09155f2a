//! TLS from settings with the collector's keys (`configtls`), over rustls with ring.
//!
//! Certificates, keys and authorities are read again while running if `reload_interval` says so; one that has become
//! unreadable leaves the last good one in force.

mod pem;
mod settings;
#[cfg(test)]
mod tests;
mod verify;
mod watched;

use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::{ClientConfig, ServerConfig};
pub use settings::{ClientTls, ServerTls};

use crate::TransportError;
use pem::Material;
use verify::{ClientVerifier, Identity, NoVerifier, ServerVerifier};
use watched::Watched;

/// How often a changed authority is looked for when only `client_ca_file_reload` is set.
const CA_RELOAD_INTERVAL: Duration = Duration::from_secs(10);

impl ServerTls {
    /// The rustls configuration of a server that offers the protocols `alpn`.
    ///
    /// # Errors
    /// If a file cannot be read or is not what it should be.
    pub fn server_config(&self, alpn: &[&str]) -> Result<Arc<ServerConfig>, TransportError> {
        let provider = provider(&self.cipher_suites, &self.curve_preferences)?;
        let versions = versions(&self.min_version, &self.max_version)?;
        let reload = (!self.reload_interval.is_zero()).then(|| self.reload_interval.get());
        let identity = Material::new(&self.cert_file, &self.cert_pem, &self.key_file, &self.key_pem)?
            .ok_or_else(|| TransportError::tls("tls.cert_file", "a server needs a certificate and a key"))?;
        let identity = Identity::load(identity, Arc::clone(&provider), reload)?;

        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .map_err(|error| TransportError::tls("tls.min_version", error))?;
        let builder = if self.client_ca_file.is_empty() {
            builder.with_no_client_auth()
        } else {
            let interval = reload.or(self.client_ca_file_reload.then_some(CA_RELOAD_INTERVAL));
            let verifier = ClientVerifier::load(self.client_ca_file.clone(), provider, interval)?;
            builder.with_client_cert_verifier(Arc::new(verifier) as Arc<dyn ClientCertVerifier>)
        };
        let mut config = builder.with_cert_resolver(Arc::new(identity));
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Ok(Arc::new(config))
    }
}

impl ClientTls {
    /// The rustls configuration of a client that offers the protocols `alpn`.
    ///
    /// # Errors
    /// If a file cannot be read or is not what it should be.
    pub fn client_config(&self, alpn: &[&str]) -> Result<Arc<ClientConfig>, TransportError> {
        let provider = provider(&self.cipher_suites, &self.curve_preferences)?;
        let versions = versions(&self.min_version, &self.max_version)?;
        let reload = (!self.reload_interval.is_zero()).then(|| self.reload_interval.get());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .map_err(|error| TransportError::tls("tls.min_version", error))?
            .dangerous();
        let builder = if self.insecure_skip_verify {
            builder.with_custom_certificate_verifier(Arc::new(NoVerifier::new(Arc::clone(&provider))))
        } else {
            let verifier = ServerVerifier::load(self, Arc::clone(&provider), reload)?;
            builder.with_custom_certificate_verifier(Arc::new(verifier))
        };
        let mut config = match Material::new(&self.cert_file, &self.cert_pem, &self.key_file, &self.key_pem)?
        {
            Some(identity) => {
                builder.with_client_cert_resolver(Arc::new(Identity::load(identity, provider, reload)?))
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Ok(Arc::new(config))
    }
}

fn provider(suites: &[String], curves: &[String]) -> Result<Arc<CryptoProvider>, TransportError> {
    let mut provider = rustls::crypto::ring::default_provider();
    if !suites.is_empty() {
        for name in suites {
            let known = provider.cipher_suites.iter().any(|suite| settings::is_suite(suite.suite(), name));
            if !known {
                return Err(TransportError::tls(
                    "tls.cipher_suites",
                    format!("unknown or unsafe suite `{name}`"),
                ));
            }
        }
        provider.cipher_suites.retain(|suite| {
            suite.tls13().is_some() || suites.iter().any(|name| settings::is_suite(suite.suite(), name))
        });
    }
    if !curves.is_empty() {
        let mut groups = Vec::new();
        for name in curves {
            let group = provider.kx_groups.iter().find(|group| settings::is_curve(group.name(), name));
            groups.push(*group.ok_or_else(|| {
                TransportError::tls("tls.curve_preferences", format!("unknown curve `{name}`"))
            })?);
        }
        provider.kx_groups = groups;
    }
    Ok(Arc::new(provider))
}

static ONLY_TLS12: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];
static ONLY_TLS13: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];

fn versions(
    min: &str,
    max: &str,
) -> Result<&'static [&'static rustls::SupportedProtocolVersion], TransportError> {
    let unsupported = |key, version: &str| {
        TransportError::tls(key, format!("TLS version `{version}` is not supported: use 1.2 or 1.3"))
    };
    let min = match min {
        // Go's names for versions that nobody should speak: the newer ones satisfy the minimum.
        "" | "1.0" | "1.1" | "1.2" => 12,
        "1.3" => 13,
        _ => return Err(unsupported("tls.min_version", min)),
    };
    match (min, max) {
        (12, "" | "1.3") => Ok(rustls::ALL_VERSIONS),
        (12, "1.2") => Ok(ONLY_TLS12),
        (13, "" | "1.3") => Ok(ONLY_TLS13),
        (13, "1.2") => Err(TransportError::tls("tls.max_version", "is below `min_version`")),
        _ => Err(unsupported("tls.max_version", max)),
    }
}
