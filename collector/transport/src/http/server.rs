//! An HTTP server from settings.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration as StdDuration;

use bytes::Bytes;
use config::{ByteSize, Duration, Endpoint, Invalid, Opaque, Validate};
use http::{HeaderMap, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::client::header_map;
use super::cors::CorsSettings;
use crate::http::activity::Activity;
use crate::http::listener::Listener;
use crate::tls::ServerTls;
use crate::{BoxError, TransportError, describe};

/// Settings of an HTTP server.
// A component repeats those that it has among its own, instead of flattening these into them: an error in a flattened field
// would not know its place in the file.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSettings {
    /// Where to listen: `host:port`, or a path if `transport` is `unix`.
    pub endpoint: String,
    /// `tcp` or `unix`.
    pub transport: String,
    /// TLS; without it the server speaks plain HTTP.
    pub tls: Option<ServerTls>,
    /// The largest body that is accepted, compressed or not; `0` means 20 MiB.
    pub max_request_body_size: ByteSize,
    /// How long a request's head may take; `0s` for as long as it likes.
    pub read_header_timeout: Duration,
    /// How long a whole request may take to come in; `0s` for as long as it likes.
    pub read_timeout: Duration,
    /// Accepted for the collector's sake; an answer waits for its pipeline.
    pub write_timeout: Duration,
    /// How long a connection may be idle; `0s` for as long as it likes.
    pub idle_timeout: Duration,
    /// Whether a connection serves more than one request.
    pub keep_alives_enabled: bool,
    /// Which pages may send from a browser.
    pub cors: Option<CorsSettings>,
    /// Headers to send with every response.
    pub response_headers: BTreeMap<String, Opaque>,
    /// Accepted for the collector's sake; no component here reads request metadata.
    pub include_metadata: bool,
    /// The content encodings that are accepted: a subset of `gzip`, `zstd`, `zlib`, `deflate` and the empty string for
    /// none; empty for all.
    pub compression_algorithms: Vec<String>,
}

/// What the collector takes for a maximal body if the configuration does not say.
const DEFAULT_MAX_BODY: ByteSize = ByteSize::from_mib(20);

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            transport: "tcp".into(),
            tls: None,
            max_request_body_size: DEFAULT_MAX_BODY,
            read_header_timeout: Duration::from_secs(60),
            read_timeout: Duration::default(),
            write_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(60),
            keep_alives_enabled: true,
            cors: None,
            response_headers: BTreeMap::new(),
            include_metadata: false,
            compression_algorithms: Vec::new(),
        }
    }
}

impl ServerSettings {
    /// The defaults, listening at `endpoint`.
    pub fn at(endpoint: impl Into<String>) -> Self {
        Self { endpoint: endpoint.into(), ..Self::default() }
    }

    /// The largest body that is accepted.
    pub fn max_body(&self) -> usize {
        match self.max_request_body_size {
            ByteSize(0) => DEFAULT_MAX_BODY.as_usize(),
            size => size.as_usize(),
        }
    }
}

impl Validate for ServerSettings {
    fn validate(&self) -> Result<(), Invalid> {
        check_endpoint(&self.endpoint, &self.transport)?;
        if let Some(tls) = &self.tls {
            tls.validate()
                .map_err(|invalid| Invalid::new(format!("tls.{}", invalid.field), invalid.message))?;
        }
        for name in &self.compression_algorithms {
            let known = crate::compression::Encoding::from_header(name).is_some();
            let reason = format!("`{name}` is not supported: use gzip, zstd, zlib or deflate");
            Invalid::unless(known, "compression_algorithms", &reason)?;
        }
        header_map(&self.response_headers)
            .map(drop)
            .map_err(|error| Invalid::new("response_headers", error.to_string()))
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        vec![listening_at(&self.endpoint, &self.transport)]
    }
}

/// Checks an address to listen on.
pub(crate) fn check_endpoint(endpoint: &str, transport: &str) -> Result<(), Invalid> {
    let known = matches!(transport, "tcp" | "tcp4" | "tcp6" | "unix");
    Invalid::unless(known, "transport", "must be `tcp` or `unix`")?;
    Invalid::unless(!endpoint.is_empty(), "endpoint", "must not be empty")?;
    if transport == "unix" {
        return Ok(());
    }
    let port = endpoint.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    Invalid::unless(port.is_some(), "endpoint", &format!("`{endpoint}` is not `host:port`"))
}

pub(crate) fn listening_at(endpoint: &str, transport: &str) -> Endpoint {
    let network = if transport == "unix" { "unix" } else { "tcp" };
    Endpoint { network, address: endpoint.to_owned() }
}

/// How connections are served.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) http2_only: bool,
    pub(crate) header_timeout: Option<StdDuration>,
    pub(crate) idle_timeout: Option<StdDuration>,
    pub(crate) max_age: Option<StdDuration>,
    pub(crate) max_age_grace: Option<StdDuration>,
    pub(crate) ping_interval: Option<StdDuration>,
    pub(crate) ping_timeout: Option<StdDuration>,
    pub(crate) max_streams: Option<u32>,
    pub(crate) single_request: bool,
    pub(crate) response_headers: HeaderMap,
    pub(crate) cors: Option<CorsSettings>,
}

/// A duration as an option: zero is none.
pub(crate) fn normalise(duration: Duration) -> Option<StdDuration> {
    (!duration.is_zero()).then(|| duration.get())
}

/// A server that is bound and not yet serving.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    tls: Option<Arc<rustls::ServerConfig>>,
    options: Options,
}

/// A body of a response, whatever it is made of.
type AnyBody = UnsyncBoxBody<Bytes, BoxError>;

impl Server {
    /// Binds the endpoint of the settings; serves HTTP/1 and HTTP/2.
    ///
    /// # Errors
    /// If the address is taken or not ours, or the certificates are not usable.
    pub async fn bind(settings: &ServerSettings) -> Result<Self, TransportError> {
        let options = Options {
            header_timeout: normalise(settings.read_header_timeout),
            idle_timeout: normalise(settings.idle_timeout),
            single_request: !settings.keep_alives_enabled,
            response_headers: header_map(&settings.response_headers)?,
            cors: settings.cors.clone().filter(CorsSettings::is_enabled),
            ..Options::default()
        };
        let tls = settings.tls.as_ref().map(|tls| tls.server_config(&["h2", "http/1.1"])).transpose()?;
        Self::bind_with(&settings.endpoint, &settings.transport, tls, options).await
    }

    pub(crate) async fn bind_with(
        endpoint: &str,
        transport: &str,
        tls: Option<Arc<rustls::ServerConfig>>,
        options: Options,
    ) -> Result<Self, TransportError> {
        Ok(Self { listener: Listener::bind(endpoint, transport).await?, tls, options })
    }

    /// The address that was bound; `None` for a Unix socket.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown` completes: then takes no new connections and requests, finishes those it has, and returns.
    /// Dropping the future ends everything at once.
    pub async fn serve<H, F, B>(self, handler: H, shutdown: impl Future<Output = ()> + Send)
    where
        H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let Self { listener, tls, options } = self;
        let tls = tls.map(TlsAcceptor::from);
        let options = Arc::new(options);
        let ending = CancellationToken::new();
        let mut connections = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            let stream = tokio::select! {
                () = &mut shutdown => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
                stream = listener.accept() => stream,
            };
            let connection = Connection {
                options: Arc::clone(&options),
                ending: ending.clone(),
                handler: handler.clone(),
            };
            connections.spawn(connection.accept(stream, tls.clone()));
        }
        drop(listener);
        ending.cancel();
        while connections.join_next().await.is_some() {}
    }
}

/// One connection.
struct Connection<H> {
    options: Arc<Options>,
    ending: CancellationToken,
    handler: H,
}

/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: StdDuration = StdDuration::from_secs(10);

impl<H, F, B> Connection<H>
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    async fn accept(self, stream: super::listener::Stream, tls: Option<TlsAcceptor>) {
        match tls {
            None => self.run(stream).await,
            // Apart, since a connection takes as much memory as its larger branch.
            Some(tls) => Box::pin(self.accept_tls(stream, tls)).await,
        }
    }

    async fn accept_tls(self, stream: super::listener::Stream, tls: TlsAcceptor) {
        let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream));
        tokio::select! {
            () = self.ending.cancelled() => {}
            result = handshake => match result {
                Ok(Ok(stream)) => self.run(stream).await,
                Ok(Err(error)) => tracing::debug!(error = describe(&error), "TLS handshake failed"),
                Err(_) => tracing::debug!("TLS handshake took too long"),
            },
        }
    }

    async fn run(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let activity = Activity::default();
        let options = Arc::clone(&self.options);
        let service = service_fn(|request: Request<Incoming>| {
            let guard = activity.begin();
            let options = Arc::clone(&options);
            let handler = self.handler.clone();
            async move {
                let response = respond(&options, handler, request).await;
                drop(guard);
                Ok::<_, Infallible>(response)
            }
        });
        let builder = builder(&self.options);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let end = async {
            tokio::select! {
                () = self.ending.cancelled() => {}
                () = activity.idle_for(self.options.idle_timeout) => {}
                () = after(self.options.max_age) => {}
            }
        };
        let result = tokio::select! {
            result = connection.as_mut() => result,
            () = end => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    result = connection.as_mut() => result,
                    () = after(self.options.max_age_grace) => Ok(()),
                }
            }
        };
        if let Err(error) = result {
            tracing::debug!(error = describe(&*error), "connection failed");
        }
    }
}

/// Completes after `duration`; never if there is none.
async fn after(duration: Option<StdDuration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}

/// Answers one request, with what the settings add to every answer.
async fn respond<H, F, B>(options: &Options, handler: H, request: Request<Incoming>) -> Response<AnyBody>
where
    H: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<B>>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let preflight = options.cors.is_some() && CorsSettings::is_preflight(request.method(), request.headers());
    let allowed = options.cors.as_ref().and_then(|cors| cors.allow(request.headers(), preflight));
    let mut response = if preflight {
        let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
        *response.status_mut() = http::StatusCode::NO_CONTENT;
        response
    } else {
        handler(request).await.map(|body| body.map_err(Into::into).boxed_unsync())
    };
    if let Some(allowed) = allowed {
        response.headers_mut().extend(allowed);
    }
    for (name, value) in &options.response_headers {
        response.headers_mut().insert(name, value.clone());
    }
    response
}

/// Window of a whole HTTP/2 connection: what a sender can make us buffer before a request is admitted.
const CONNECTION_WINDOW: u32 = 8 << 20;
/// Requests under way at once on an HTTP/2 connection, unless the configuration says otherwise.
const MAX_STREAMS: u32 = 32;
/// The smallest and the largest window of one stream. Smaller ones cost updates, larger ones are no use to a batch.
const STREAM_WINDOWS: (u32, u32) = (64 << 10, 1 << 20);

/// The windows of one stream and of its connection. Requests that wait for admission leave their bodies unread; all of them
/// together must not fill the connection's window, or those that were admitted could not come in either.
fn windows(streams: u32) -> (u32, u32) {
    let (least, most) = STREAM_WINDOWS;
    let stream = (CONNECTION_WINDOW / streams).clamp(least, most);
    (stream, stream.saturating_mul(streams).clamp(CONNECTION_WINDOW, MAX_WINDOW))
}

/// The largest window that HTTP/2 knows.
const MAX_WINDOW: u32 = (1 << 31) - 1;

/// The largest HTTP/2 frame: fewer, larger frames cost less than the default of 16 KiB.
const MAX_FRAME: u32 = 256 << 10;

/// How much of a request an HTTP/1 connection buffers, and so how long a head may be. A connection keeps its buffer for as
/// long as it lives, and nobody counts that: hyper's own 400 KiB would be 400 MiB for a thousand senders. With much less
/// reading costs more (8 KiB: a fifth of what OTLP in and out costs).
const HTTP1_BUFFER: usize = 32 * 1024;

fn builder(options: &Options) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    if options.http2_only {
        builder = builder.http2_only();
    }
    builder
        .http1()
        .timer(TokioTimer::new())
        .max_buf_size(HTTP1_BUFFER)
        .header_read_timeout(options.header_timeout)
        .keep_alive(!options.single_request);
    let streams = options.max_streams.unwrap_or(MAX_STREAMS);
    let (stream_window, connection_window) = windows(streams);
    let mut http2 = builder.http2();
    http2
        .timer(TokioTimer::new())
        .max_concurrent_streams(streams)
        .initial_stream_window_size(stream_window)
        .initial_connection_window_size(connection_window)
        .max_frame_size(MAX_FRAME)
        .keep_alive_interval(options.ping_interval);
    if let Some(timeout) = options.ping_timeout {
        http2.keep_alive_timeout(timeout);
    }
    builder
}
