//! Connections made step by step, so that each step can be timed: name, TCP, TLS.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::ProbeError;

/// A step of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Resolving the name.
    Dns,
    /// Connecting.
    Connect,
    /// The TLS handshake.
    Tls,
    /// From the request to the head of the answer.
    Request,
    /// From the head of the answer to its end.
    Response,
}

impl Phase {
    pub(super) const ALL: [Self; 5] = [Self::Dns, Self::Connect, Self::Tls, Self::Request, Self::Response];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Request => "request",
            Self::Response => "response",
        }
    }
}

/// How long the steps took that came to an end. It outlives a probe that runs out of time.
#[derive(Clone, Debug, Default)]
pub(super) struct Timings([Option<Duration>; Phase::ALL.len()]);

impl Timings {
    pub(super) fn get(&self, phase: Phase) -> Option<Duration> {
        self.0[phase as usize]
    }

    /// Notes that `phase`, which began at `began`, is over. Another round of it counts on top.
    pub(super) fn ended(&mut self, phase: Phase, began: Instant) {
        *self.0[phase as usize].get_or_insert_default() += began.elapsed();
    }
}

/// Resolves and connects. Several addresses are tried in turn, each with its share of what is left of `timeout`.
pub(super) async fn tcp(
    (host, port): (&str, u16),
    timeout: Duration,
    timings: &mut Timings,
) -> Result<TcpStream, ProbeError> {
    let deadline = Instant::now() + timeout;
    let addresses = resolve(host, port, timings).await?;
    let began = Instant::now();
    let mut failure = ProbeError::NoAddress { host: host.to_owned() };
    for (i, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - i).unwrap_or(u32::MAX);
        let connected = tokio::time::timeout(share, TcpStream::connect(address)).await;
        match connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(stream) => {
                timings.ended(Phase::Connect, began);
                // Only a latency matter.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(source) => failure = ProbeError::Connect { source },
        }
    }
    Err(failure)
}

async fn resolve(host: &str, port: u16, timings: &mut Timings) -> Result<Vec<SocketAddr>, ProbeError> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let began = Instant::now();
    let found = tokio::net::lookup_host((host, port)).await;
    timings.ended(Phase::Dns, began);
    let addresses = found.map_err(|source| ProbeError::Resolve { host: host.to_owned(), source })?;
    Ok(addresses.collect())
}

/// Makes a connection one over TLS. `name` is whom the certificate must be for.
pub(super) async fn tls(
    stream: TcpStream,
    name: &str,
    config: &Arc<ClientConfig>,
    timings: &mut Timings,
) -> Result<TlsStream<TcpStream>, ProbeError> {
    let server =
        ServerName::try_from(name.to_owned()).map_err(|_| ProbeError::ServerName(name.to_owned()))?;
    let began = Instant::now();
    let stream = TlsConnector::from(Arc::clone(config)).connect(server, stream).await;
    timings.ended(Phase::Tls, began);
    stream.map_err(|source| ProbeError::Tls { source })
}
