//! A gRPC client from settings with the collector's keys (`configgrpc`): unary calls, messages as bytes.
//!
//! In: an encoded message. Out: the encoded answer, or the status with which the call failed. There is one connection; it
//! is opened by the first call and anew by the first call after it was lost.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use bytes::buf::Chain;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use config::{Duration, Invalid, Opaque, Validate};
use http::header::{CONTENT_TYPE, TE, USER_AGENT};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use super::status::{Code, Status};
use super::target::{Address, Target};
use crate::compression::{Compression, Encoding};
use crate::http::header_map;
use crate::tls::ClientTls;
use crate::{TransportError, describe};

/// Settings of a gRPC client.
// A component repeats those that it has among its own, instead of flattening these into them: an error in a flattened field
// would not know its place in the file.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClientSettings {
    /// Where to send: `host:port`, `http://host:port`, `https://host:port`, `dns:///host:port` or `unix:///path`.
    pub endpoint: String,
    /// TLS, which is used unless `insecure` is set or the endpoint begins with `http://` or `unix:`.
    pub tls: ClientTls,
    /// Headers (metadata) to send with every call.
    pub headers: BTreeMap<String, Opaque>,
    /// How messages are compressed: `gzip`, `zstd` or `none`.
    pub compression: Compression,
    /// When a silent connection is probed.
    pub keepalive: ClientKeepalive,
    /// Wait for a connection, up to the timeout, instead of failing at once when there is none.
    pub wait_for_ready: bool,
    /// Accepted for the collector's sake; there is one connection, to the first address that answers.
    pub balancer_name: String,
    /// The name in `:authority`, and the one that the server's certificate must be for, instead of the endpoint's.
    pub authority: String,
    /// Accepted for the collector's sake; buffers size themselves.
    pub read_buffer_size: u64,
    /// Accepted for the collector's sake; buffers size themselves.
    pub write_buffer_size: u64,
}

/// When a silent connection is probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClientKeepalive {
    /// Ping a connection that has been silent for this long; at least 10 seconds, `0s` for never.
    pub time: Duration,
    /// Close a connection that leaves a ping unanswered for this long; `0s` means 20 seconds.
    pub timeout: Duration,
    /// Ping even while no call is going on.
    pub permit_without_stream: bool,
}

/// The shortest time between pings; servers punish those who ping more often.
const MIN_PING_INTERVAL: Duration = Duration::from_secs(10);
const DEFAULT_PING_TIMEOUT: Duration = Duration::from_secs(20);
/// How long opening a connection may take.
const CONNECT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(20);
/// How long to wait after the first failure to connect, when waiting for a connection; it doubles each time.
const FIRST_BACK_OFF: std::time::Duration = std::time::Duration::from_millis(100);
const LONGEST_BACK_OFF: std::time::Duration = std::time::Duration::from_secs(5);
/// The largest answer that is read, before and after decompression.
const MAX_ANSWER: usize = 4 << 20;
/// The byte and the length before every message.
const PREFIX: usize = 5;

impl Default for ClientKeepalive {
    fn default() -> Self {
        Self { time: MIN_PING_INTERVAL, timeout: Duration::from_secs(10), permit_without_stream: false }
    }
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            tls: ClientTls::default(),
            headers: BTreeMap::new(),
            compression: Compression::Gzip,
            keepalive: ClientKeepalive::default(),
            wait_for_ready: false,
            balancer_name: "round_robin".to_owned(),
            authority: String::new(),
            read_buffer_size: 0,
            write_buffer_size: 512 * 1024,
        }
    }
}

impl Validate for ClientSettings {
    fn validate(&self) -> Result<(), Invalid> {
        Invalid::unless(!self.endpoint.is_empty(), "endpoint", "is required")?;
        Target::parse(&self.endpoint).map_err(|reason| Invalid::new("endpoint", reason))?;
        self.tls
            .validate()
            .map_err(|invalid| Invalid::new(format!("tls.{}", invalid.field), invalid.message))?;
        header_map(&self.headers).map_err(|error| Invalid::new("headers", error.to_string()))?;
        let known = matches!(self.compression, Compression::Gzip | Compression::Zstd | Compression::None);
        Invalid::unless(known, "compression", "must be `gzip`, `zstd` or `none` over gRPC")?;
        let known = matches!(self.balancer_name.as_str(), "" | "round_robin" | "pick_first");
        Invalid::unless(known, "balancer_name", "must be `round_robin` or `pick_first`")?;
        let valid = self.authority.is_empty() || self.authority.parse::<Authority>().is_ok();
        Invalid::unless(valid, "authority", "is not a host name with or without a port")
    }
}

type Body = Full<Chain<Bytes, Bytes>>;

/// Makes calls. Cheap to share behind an `Arc`; calls run at once over one connection.
pub struct Client {
    target: Target,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    scheme: Scheme,
    authority: Authority,
    headers: HeaderMap,
    compression: Compression,
    keepalive: ClientKeepalive,
    wait_for_ready: bool,
    connection: Mutex<Option<SendRequest<Body>>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({})", self.authority)
    }
}

impl Client {
    /// A client for these settings. It does not connect yet.
    ///
    /// # Errors
    /// If the endpoint, certificates or headers are not usable.
    pub fn new(settings: &ClientSettings) -> Result<Self, TransportError> {
        let target = Target::parse(&settings.endpoint)
            .map_err(|reason| TransportError::setting("endpoint", reason))?;
        let authority =
            if settings.authority.is_empty() { target.authority() } else { settings.authority.clone() };
        let authority: Authority =
            authority.parse().map_err(|error| TransportError::setting("endpoint", error))?;
        let secure = match (&target.address, target.tls) {
            (Address::Unix(_), _) => false,
            (Address::Tcp { .. }, said) => said.unwrap_or(!settings.tls.insecure),
        };
        let tls = secure
            .then(|| {
                let name = server_name(&settings.tls, &authority)?;
                Ok((settings.tls.client_config(&["h2"])?, name))
            })
            .transpose()?;
        Ok(Self {
            scheme: if secure { Scheme::HTTPS } else { Scheme::HTTP },
            headers: headers(settings)?,
            compression: settings.compression,
            keepalive: settings.keepalive,
            wait_for_ready: settings.wait_for_ready,
            connection: Mutex::default(),
            target,
            tls,
            authority,
        })
    }

    /// Calls the method at `path` (`/package.Service/Method`) with one message, for one message.
    ///
    /// # Errors
    /// With the status that the other side gave; [`Code::Unavailable`] if it cannot be reached or the connection breaks.
    ///
    /// # Cancellation safety
    /// Dropping the future cancels the call; whether the other side has acted on it is not known.
    pub async fn call(&self, path: &'static str, message: &Bytes) -> Result<Bytes, Status> {
        let mut request = self.request(path, message)?;
        loop {
            let (mut connection, is_fresh) = self.ready().await?;
            match connection.try_send_request(request).await {
                Ok(response) => return answer(response).await,
                // The connection ended before the request left: it was idle, or the other side sends us away.
                Err(mut error) => match error.take_message() {
                    Some(unsent) if !is_fresh => request = unsent,
                    _ => return Err(Status::new(Code::Unavailable, describe(error.error()))),
                },
            }
        }
    }

    fn request(&self, path: &'static str, message: &Bytes) -> Result<Request<Body>, Status> {
        let internal = |error: &dyn Error| Status::new(Code::Internal, error.to_string());
        let message = self.compression.encode(message).map_err(|error| internal(&error))?;
        let length = u32::try_from(message.len())
            .map_err(|_| Status::new(Code::InvalidArgument, "a message over gRPC is at most 4 GiB"))?;
        let mut prefix = BytesMut::with_capacity(PREFIX);
        prefix.put_u8(u8::from(self.compression != Compression::None));
        prefix.put_u32(length);
        let uri = Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(PathAndQuery::from_static(path))
            .build()
            .map_err(|error| internal(&error))?;
        let mut request = Request::post(uri)
            .body(Full::new(prefix.freeze().chain(message)))
            .map_err(|error| internal(&error))?;
        *request.headers_mut() = self.headers.clone();
        Ok(request)
    }

    /// The open connection, or a new one; whether it is new.
    async fn ready(&self) -> Result<(SendRequest<Body>, bool), Status> {
        // Held while connecting, so that many calls open one connection.
        let mut connection = self.connection.lock().await;
        if let Some(open) = connection.as_ref().filter(|open| !open.is_closed()) {
            return Ok((open.clone(), false));
        }
        let mut back_off = FIRST_BACK_OFF;
        loop {
            match self.connect().await {
                Ok(fresh) => {
                    *connection = Some(fresh.clone());
                    return Ok((fresh, true));
                }
                Err(_) if self.wait_for_ready => {
                    sleep(back_off).await;
                    back_off = (back_off * 2).min(LONGEST_BACK_OFF);
                }
                Err(reason) => return Err(Status::new(Code::Unavailable, reason)),
            }
        }
    }

    async fn connect(&self) -> Result<SendRequest<Body>, String> {
        let failed = |error: &(dyn Error + 'static)| {
            format!("cannot connect to {}: {}", self.authority, describe(error))
        };
        let tls = self.tls.as_ref().map(|(config, name)| (config, name));
        let stream = match timeout(CONNECT_TIMEOUT, self.target.connect(tls)).await {
            Ok(stream) => stream.map_err(|error| failed(&error))?,
            Err(elapsed) => return Err(failed(&elapsed)),
        };
        let mut builder = Builder::new(TokioExecutor::new());
        builder.timer(TokioTimer::new());
        if !self.keepalive.time.is_zero() {
            let patience = Some(self.keepalive.timeout).filter(|timeout| !timeout.is_zero());
            builder
                .keep_alive_interval(self.keepalive.time.max(MIN_PING_INTERVAL).get())
                .keep_alive_timeout(patience.unwrap_or(DEFAULT_PING_TIMEOUT).get())
                .keep_alive_while_idle(self.keepalive.permit_without_stream);
        }
        let (sender, driver) =
            builder.handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
        // Ends with the connection, or when the last sender of requests is gone.
        tokio::spawn(async move {
            if let Err(error) = driver.await {
                tracing::debug!(error = describe(&error), "connection lost");
            }
        });
        Ok(sender)
    }
}

/// The name that the server's certificate must be for.
fn server_name(tls: &ClientTls, authority: &Authority) -> Result<ServerName<'static>, TransportError> {
    let name = match tls.server_name_override.as_str() {
        "" => authority.host().trim_start_matches('[').trim_end_matches(']'),
        name => name,
    };
    ServerName::try_from(name.to_owned()).map_err(|_| {
        TransportError::tls("endpoint", format!("`{name}` is not a name that a certificate can be for"))
    })
}

fn headers(settings: &ClientSettings) -> Result<HeaderMap, TransportError> {
    let mut headers = header_map(&settings.headers)?;
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(TE, HeaderValue::from_static("trailers"));
    headers.insert("grpc-accept-encoding", HeaderValue::from_static("gzip,zstd,identity"));
    if let Some(encoding) = settings.compression.header() {
        headers.insert("grpc-encoding", HeaderValue::from_static(encoding));
    }
    headers
        .entry(USER_AGENT)
        .or_insert(HeaderValue::from_static(concat!("watchfire/", env!("CARGO_PKG_VERSION"))));
    Ok(headers)
}

/// The message in a response, if its status is OK.
async fn answer(response: http::Response<Incoming>) -> Result<Bytes, Status> {
    let (head, body) = response.into_parts();
    // A server that has nothing else to say puts the status into the headers.
    if let Some(status) = Status::from_headers(&head.headers).filter(|status| status.code != Code::Ok) {
        return Err(status);
    }
    let is_grpc =
        head.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    if head.status != StatusCode::OK || !is_grpc {
        return Err(Status::from_http(head.status));
    }
    let body = Limited::new(body, MAX_ANSWER + PREFIX).collect().await;
    let body = body.map_err(|error| Status::new(Code::Unavailable, describe(error.as_ref())))?;
    let status =
        body.trailers().and_then(Status::from_headers).or_else(|| Status::from_headers(&head.headers));
    match status {
        Some(Status { code: Code::Ok, .. }) => {}
        Some(status) => return Err(status),
        None => return Err(Status::new(Code::Unavailable, "the answer ended without a status")),
    }
    message(body.to_bytes(), head.headers.get("grpc-encoding"))
}

/// Takes the one message out of a body.
fn message(mut body: Bytes, encoding: Option<&HeaderValue>) -> Result<Bytes, Status> {
    let malformed = |reason: &str| Status::new(Code::Internal, format!("malformed answer: {reason}"));
    if body.len() < PREFIX {
        return Err(malformed("no message"));
    }
    let compressed = body.get_u8();
    let length = body.get_u32() as usize;
    if body.len() != length {
        return Err(malformed("not one message"));
    }
    let encoding = match compressed {
        0 => Encoding::Identity,
        _ => encoding
            .and_then(|name| Encoding::from_header(name.to_str().ok()?))
            .ok_or_else(|| malformed("unknown compression"))?,
    };
    encoding.decode(body, MAX_ANSWER).map_err(|error| malformed(&error.to_string()))
}
