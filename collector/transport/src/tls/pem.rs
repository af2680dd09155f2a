//! Certificates and keys from PEM files or text.

use std::path::PathBuf;
use std::sync::Arc;

use config::Opaque;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::TransportError;

/// Where a PEM text comes from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    File(PathBuf),
    Text(Opaque),
}

impl Source {
    /// The file or the text, whichever is set.
    pub(super) fn of(file: &str, text: &Opaque) -> Option<Self> {
        if !file.is_empty() {
            Some(Self::File(file.into()))
        } else if !text.is_empty() {
            Some(Self::Text(text.clone()))
        } else {
            None
        }
    }

    fn read(&self, what: &'static str) -> Result<Vec<u8>, TransportError> {
        match self {
            Self::Text(text) => Ok(text.reveal().as_bytes().to_vec()),
            Self::File(path) => std::fs::read(path).map_err(|source| TransportError::Read {
                what,
                path: path.clone(),
                source,
            }),
        }
    }

    fn certificates(&self, what: &'static str) -> Result<Vec<CertificateDer<'static>>, TransportError> {
        let pem = self.read(what)?;
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<_, _>>()
            .map_err(|error| TransportError::tls(what, error))?;
        if certificates.is_empty() {
            return Err(TransportError::tls(what, "holds no certificate"));
        }
        Ok(certificates)
    }

    /// Adds the authorities to `roots`.
    pub(super) fn add_to(&self, roots: &mut RootCertStore, what: &'static str) -> Result<(), TransportError> {
        for certificate in self.certificates(what)? {
            roots.add(certificate).map_err(|error| TransportError::tls(what, error))?;
        }
        Ok(())
    }
}

/// A certificate and its key.
#[derive(Clone, Debug)]
pub(super) struct Material {
    certificate: Source,
    key: Source,
}

impl Material {
    /// `None` if neither is set.
    pub(super) fn new(
        cert_file: &str,
        cert_pem: &Opaque,
        key_file: &str,
        key_pem: &Opaque,
    ) -> Result<Option<Self>, TransportError> {
        match (Source::of(cert_file, cert_pem), Source::of(key_file, key_pem)) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => Ok(Some(Self { certificate, key })),
            _ => Err(TransportError::tls("tls.cert_file", "a certificate and its key belong together")),
        }
    }

    /// Reads both and checks that they belong together.
    pub(super) fn load(&self, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, TransportError> {
        let certificates = self.certificate.certificates("tls.cert_file")?;
        let key = PrivateKeyDer::from_pem_slice(&self.key.read("tls.key_file")?)
            .map_err(|error| TransportError::tls("tls.key_file", error))?;
        CertifiedKey::from_der(certificates, key, provider)
            .map(Arc::new)
            .map_err(|error| TransportError::tls("tls.cert_file", error))
    }
}
