//! What a probe tells about a certificate.

use std::net::IpAddr;

use pdata::Timestamp;
use pdata::proto::common::KeyValue;
use rustls::ClientConnection;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

use crate::emit::{list, text};

/// A server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Certificate {
    issuer: String,
    common_name: String,
    alternative_names: Vec<String>,
    /// When it ends, in seconds since 1970.
    not_after: i64,
}

impl Certificate {
    /// The certificate that the server of `connection` showed; none if it cannot be read.
    pub(super) fn of(connection: &ClientConnection) -> Option<Self> {
        Self::parse(connection.peer_certificates()?.first()?)
    }

    fn parse(der: &[u8]) -> Option<Self> {
        let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
        let common_name = certificate.subject().iter_common_name().next();
        Some(Self {
            issuer: certificate.issuer().to_string(),
            common_name: common_name.and_then(|name| name.as_str().ok()).unwrap_or_default().to_owned(),
            alternative_names: alternative_names(&certificate),
            not_after: certificate.validity().not_after.timestamp(),
        })
    }

    /// Seconds until it ends; negative if it has ended.
    pub(super) fn time_left(&self, now: Timestamp) -> i64 {
        let now = i64::try_from(now.as_nanos() / 1_000_000_000).unwrap_or(i64::MAX);
        self.not_after.saturating_sub(now)
    }

    /// Attributes under the keys for issuer, common name and alternative names.
    pub(super) fn attributes(&self, [issuer, common_name, alternative_names]: [&str; 3]) -> Vec<KeyValue> {
        vec![
            text(issuer, &self.issuer),
            text(common_name, &self.common_name),
            list(alternative_names, &self.alternative_names),
        ]
    }
}

fn alternative_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => {
            Some((*name).to_owned())
        }
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    };
    extension.value.general_names.iter().filter_map(name).collect()
}

fn address(bytes: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let address = v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
    address.ok().map(|address| address.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_a_certificate_or_none(bytes: Vec<u8>) {
            let _ = Certificate::parse(&bytes);
        }
    }
}
