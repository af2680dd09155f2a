//! gRPC servers from settings with the collector's keys (`configgrpc`). A server is the HTTP [`Server`] that speaks HTTP/2
//! only; [`Call`] and [`respond`] are a unary call's two ends, with messages as bytes; a [`Client`] makes such calls.

mod call;
mod client;
mod status;
mod target;
#[cfg(test)]
mod tests;

use config::{Duration, Endpoint, Invalid, Validate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::TransportError;
use crate::http::{Options, Server, check_endpoint, listening_at, normalise};
use crate::tls::ServerTls;

pub use call::{Answer, Call, respond};
pub use client::{Client, ClientKeepalive, ClientSettings};
pub use status::{Code, Status};

/// Settings of a gRPC server.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSettings {
    /// Where to listen: `host:port`, or a path if `transport` is `unix`.
    pub endpoint: String,
    /// `tcp` or `unix`.
    pub transport: String,
    /// TLS; without it the server speaks plain HTTP/2.
    pub tls: Option<ServerTls>,
    /// The largest message that is accepted, in MiB, after decompression; `0` means 4.
    pub max_recv_msg_size_mib: u32,
    /// How many calls a connection may have at once; `0` means 32. Senders wait with more.
    pub max_concurrent_streams: u32,
    /// Accepted for the collector's sake; buffers size themselves.
    pub read_buffer_size: u64,
    /// Accepted for the collector's sake; buffers size themselves.
    pub write_buffer_size: u64,
    /// When connections are probed and closed.
    pub keepalive: Keepalive,
    /// Accepted for the collector's sake; no component here reads request metadata.
    pub include_metadata: bool,
}

/// When connections are probed and closed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Keepalive {
    /// What the server does.
    pub server_parameters: KeepaliveParameters,
    /// Accepted for the collector's sake; clients may ping as often as they like.
    pub enforcement_policy: EnforcementPolicy,
}

/// How often clients may ping. Accepted for the collector's sake.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EnforcementPolicy {
    /// The shortest time between two pings.
    pub min_time: Duration,
    /// Whether clients may ping while no call is going on.
    pub permit_without_stream: bool,
}

/// What a server does with quiet and old connections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KeepaliveParameters {
    /// Close a connection without calls after this long; `0s` for never.
    pub max_connection_idle: Duration,
    /// Close any connection after this long, so that clients spread anew; `0s` for never.
    pub max_connection_age: Duration,
    /// How long calls may go on after `max_connection_age`; `0s` for as long as they like.
    pub max_connection_age_grace: Duration,
    /// Ping a silent connection after this long; `0s` means 2 hours.
    pub time: Duration,
    /// Close a connection that leaves a ping unanswered for this long; `0s` means 20 seconds.
    pub timeout: Duration,
}

/// The port that is registered for OTLP over gRPC.
const DEFAULT_ENDPOINT: &str = "localhost:4317";
/// What gRPC takes for a maximal message if the configuration does not say, in MiB.
const DEFAULT_MAX_MESSAGE_MIB: u32 = 4;
const DEFAULT_PING_INTERVAL: Duration = Duration::from_secs(2 * 60 * 60);
const DEFAULT_PING_TIMEOUT: Duration = Duration::from_secs(20);

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            endpoint: DEFAULT_ENDPOINT.to_owned(),
            transport: "tcp".to_owned(),
            tls: None,
            max_recv_msg_size_mib: 0,
            max_concurrent_streams: 0,
            read_buffer_size: 512 * 1024,
            write_buffer_size: 0,
            keepalive: Keepalive::default(),
            include_metadata: false,
        }
    }
}

impl Validate for ServerSettings {
    fn validate(&self) -> Result<(), Invalid> {
        check_endpoint(&self.endpoint, &self.transport)?;
        let Some(tls) = &self.tls else { return Ok(()) };
        tls.validate().map_err(|invalid| Invalid::new(format!("tls.{}", invalid.field), invalid.message))
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        vec![listening_at(&self.endpoint, &self.transport)]
    }
}

impl ServerSettings {
    /// The largest message that is accepted, after decompression.
    pub const fn max_message(&self) -> usize {
        let mib = if self.max_recv_msg_size_mib == 0 {
            DEFAULT_MAX_MESSAGE_MIB
        } else {
            self.max_recv_msg_size_mib
        };
        (mib as usize).saturating_mul(1 << 20)
    }

    /// Binds the endpoint.
    ///
    /// # Errors
    /// If the address is taken or not ours, or the certificates are not usable.
    pub async fn bind(&self) -> Result<Server, TransportError> {
        let keepalive = &self.keepalive.server_parameters;
        let options = Options {
            http2_only: true,
            idle_timeout: normalise(keepalive.max_connection_idle),
            max_age: normalise(keepalive.max_connection_age),
            max_age_grace: normalise(keepalive.max_connection_age_grace),
            ping_interval: normalise(keepalive.time).or(Some(DEFAULT_PING_INTERVAL.get())),
            ping_timeout: normalise(keepalive.timeout).or(Some(DEFAULT_PING_TIMEOUT.get())),
            max_streams: (self.max_concurrent_streams > 0).then_some(self.max_concurrent_streams),
            ..Options::default()
        };
        let tls = self.tls.as_ref().map(|tls| tls.server_config(&["h2"])).transpose()?;
        Server::bind_with(&self.endpoint, &self.transport, tls, options).await
    }
}
