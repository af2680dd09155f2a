//! Why a probe failed.

use std::io;
use std::time::Duration;

use config::ByteSize;

/// Why a probe failed. Its text becomes an attribute, so it holds nothing that differs from probe to probe.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProbeError {
    #[error("cannot resolve {host}")]
    Resolve { host: String, source: io::Error },
    #[error("{host} has no address")]
    NoAddress { host: String },
    #[error("cannot connect")]
    Connect { source: io::Error },
    #[error("TLS handshake failed")]
    Tls { source: io::Error },
    #[error("`{0}` is no name that a certificate could be for")]
    ServerName(String),
    #[error("the server showed no certificate that can be read")]
    NoCertificate,
    #[error("the certificate has expired")]
    Expired,
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    #[error("request failed")]
    Http { source: hyper::Error },
    #[error("cannot make the request")]
    Request { source: http::Error },
    #[error("the body is larger than {limit}")]
    TooLarge { limit: ByteSize },
    #[error("more than {limit} redirects")]
    TooManyRedirects { limit: u32 },
    #[error("redirected to something that is no HTTP URL")]
    BadRedirect,
    #[error("cannot use the system's name servers: {0}")]
    NameServers(String),
    #[error("{0}")]
    Lookup(String),
    #[error("`{0}` is not among the answers")]
    Unexpected(String),
}

impl ProbeError {
    /// The collector's name for what went wrong with a TCP connection.
    pub(super) fn code(&self) -> &'static str {
        use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable, TimedOut};
        match self {
            Self::Timeout(_) => "connection_timeout",
            Self::Resolve { .. } | Self::NoAddress { .. } => "invalid_endpoint",
            Self::Connect { source } => match source.kind() {
                ConnectionRefused => "connection_refused",
                TimedOut => "connection_timeout",
                NetworkUnreachable | HostUnreachable => "network_unreachable",
                _ => "unknown_error",
            },
            _ => "unknown_error",
        }
    }
}
