//! rustls's hooks over files that may change.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::pem::{Material, Source};
use super::{ClientTls, Watched};
use crate::{TransportError, describe};

/// Our own certificate.
#[derive(Debug)]
pub(super) struct Identity(Watched<CertifiedKey>);

impl Identity {
    pub(super) fn load(
        material: Material,
        provider: Arc<CryptoProvider>,
        interval: Option<Duration>,
    ) -> Result<Self, TransportError> {
        let watched = Watched::new(interval, move || material.load(&provider));
        watched.get()?;
        Ok(Self(watched))
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.get().ok()
    }
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.get().ok()
    }

    fn has_certs(&self) -> bool {
        true
    }
}

macro_rules! signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let algorithms = &self.provider.signature_verification_algorithms;
            verify_tls12_signature(message, certificate, signature, algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let algorithms = &self.provider.signature_verification_algorithms;
            verify_tls13_signature(message, certificate, signature, algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.provider.signature_verification_algorithms.supported_schemes()
        }
    };
}

/// Checks servers' certificates against authorities from a file, or the system's.
#[derive(Debug)]
pub(super) struct ServerVerifier {
    authorities: Watched<WebPkiServerVerifier>,
    provider: Arc<CryptoProvider>,
    name: Option<ServerName<'static>>,
}

impl ServerVerifier {
    pub(super) fn load(
        tls: &ClientTls,
        provider: Arc<CryptoProvider>,
        interval: Option<Duration>,
    ) -> Result<Self, TransportError> {
        let source = Source::of(&tls.ca_file, &tls.ca_pem);
        let named = source.is_some();
        let system = source.is_none() || tls.include_system_ca_certs_pool;
        let crypto = Arc::clone(&provider);
        let authorities = Watched::new(interval, move || {
            let mut roots = RootCertStore::empty();
            if let Some(source) = &source {
                source.add_to(&mut roots, "tls.ca_file")?;
            }
            if system {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&crypto))
                .build()
                .map_err(|error| TransportError::tls("tls.ca_file", error))
        });
        if named {
            // A wrong file is an error now. The system's authorities wait until somebody speaks TLS.
            authorities.get()?;
        }
        let name = match tls.server_name_override.as_str() {
            "" => None,
            name => Some(ServerName::try_from(name.to_owned()).map_err(|_| {
                TransportError::tls("tls.server_name_override", format!("`{name}` is not a host name"))
            })?),
        };
        Ok(Self { authorities, provider, name })
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verifier = self.authorities.get().map_err(|error| Error::General(describe(&error)))?;
        let name = self.name.as_ref().unwrap_or(server_name);
        verifier.verify_server_cert(end_entity, intermediates, name, ocsp_response, now)
    }

    signatures!();
}

/// Accepts any certificate, as `insecure_skip_verify` asks for; the server must still own the certificate's key.
#[derive(Debug)]
pub(super) struct NoVerifier {
    provider: Arc<CryptoProvider>,
}

impl NoVerifier {
    pub(super) const fn new(provider: Arc<CryptoProvider>) -> Self {
        Self { provider }
    }
}

impl ServerCertVerifier for NoVerifier {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    signatures!();
}

/// Checks clients' certificates against authorities from a file.
#[derive(Debug)]
pub(super) struct ClientVerifier {
    authorities: Watched<dyn ClientCertVerifier>,
    provider: Arc<CryptoProvider>,
}

impl ClientVerifier {
    pub(super) fn load(
        file: String,
        provider: Arc<CryptoProvider>,
        interval: Option<Duration>,
    ) -> Result<Self, TransportError> {
        let source = Source::File(file.into());
        let crypto = Arc::clone(&provider);
        let authorities = Watched::new(interval, move || {
            let mut roots = RootCertStore::empty();
            source.add_to(&mut roots, "tls.client_ca_file")?;
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&crypto))
                .build()
                .map_err(|error| TransportError::tls("tls.client_ca_file", error))
        });
        authorities.get()?;
        Ok(Self { authorities, provider })
    }
}

impl ClientCertVerifier for ClientVerifier {
    /// Empty: authorities may change, and a client without hints offers what it has.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verifier = self.authorities.get().map_err(|error| Error::General(describe(&error)))?;
        verifier.verify_client_cert(end_entity, intermediates, now)
    }

    signatures!();
}
