//! The other side of an exporter: a server that takes OTLP over gRPC and HTTP on one port and answers as the test says.
//!
//! In: requests over a real socket. Out: what the test's function makes of each of them.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut, Bytes, BytesMut};
use futures::future::BoxFuture;
use futures::stream;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use pdata::{Batch, Logs, Metrics, Signal, Traces};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use transport::compression::Encoding;
use transport::grpc::{Code, Status};
use transport::http::{Server, ServerSettings};
use transport::tls::ServerTls;

/// The largest message that is taken.
const LIMIT: usize = 64 << 20;

/// A request that came in.
#[derive(Clone, Debug)]
pub struct Received {
    /// The path of its URL.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its message, decompressed.
    pub body: Bytes,
    /// What the message holds.
    pub batch: Batch,
}

/// How a request is answered.
#[derive(Clone, Debug)]
pub enum Reply {
    /// With success and an encoded `Export*ServiceResponse`; empty for full success.
    Taken(Bytes),
    /// With a gRPC status.
    Status(Status),
    /// With an HTTP status, headers and a body, also over gRPC.
    Http(StatusCode, HeaderMap, Bytes),
}

impl Reply {
    /// Full success.
    pub const fn taken() -> Self {
        Self::Taken(Bytes::new())
    }

    /// A gRPC status that may ask to wait.
    pub fn status(code: Code, message: &str, retry_after: Option<Duration>) -> Self {
        Self::Status(Status { code, message: message.to_owned(), retry_after })
    }
}

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Peer {
    address: SocketAddr,
    end: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

type Frames = stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>;

impl Peer {
    /// Starts a server on a free port.
    ///
    /// # Panics
    /// If it cannot.
    pub async fn start<F>(reply: F) -> Self
    where
        F: Fn(Received) -> BoxFuture<'static, Reply> + Clone + Send + Sync + 'static,
    {
        Self::start_at("127.0.0.1:0", None, reply).await
    }

    /// Starts a server at an address, with TLS or without.
    ///
    /// # Panics
    /// If it cannot.
    pub async fn start_at<F>(address: &str, tls: Option<ServerTls>, reply: F) -> Self
    where
        F: Fn(Received) -> BoxFuture<'static, Reply> + Clone + Send + Sync + 'static,
    {
        let settings = ServerSettings { tls, ..ServerSettings::at(address) };
        let server = Server::bind(&settings).await.expect("a free port");
        let address = server.local_addr().expect("a TCP address");
        let (end, ended) = oneshot::channel::<()>();
        let handler = move |request| answer(request, reply.clone());
        let serving = tokio::spawn(server.serve(handler, async { drop(ended.await) }));
        Self { address, end: Some(end), serving }
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers what it has, takes nothing more, and ends.
    pub async fn stop(mut self) {
        drop(self.end.take());
        // It ends by itself; if it panicked, the test has seen why.
        let _ = (&mut self.serving).await;
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer<F>(request: Request<Incoming>, reply: F) -> Response<StreamBody<Frames>>
where
    F: Fn(Received) -> BoxFuture<'static, Reply>,
{
    let (head, body) = request.into_parts();
    let is_grpc =
        head.headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    let Ok(body) = body.collect().await else {
        return http_reply(
            StatusCode::BAD_REQUEST,
            HeaderMap::new(),
            Bytes::from_static(b"the body was cut off"),
        );
    };
    match receive(head.uri.path(), &head.headers, body.to_bytes(), is_grpc) {
        Ok(received) => match (reply(received).await, is_grpc) {
            (Reply::Taken(message), true) => grpc_reply(Some(message), &Status::new(Code::Ok, "")),
            (Reply::Status(status), true) => grpc_reply(None, &status),
            (Reply::Taken(message), false) => http_reply(StatusCode::OK, protobuf(), message),
            (Reply::Status(status), false) => {
                http_reply(StatusCode::INTERNAL_SERVER_ERROR, protobuf(), status.encode())
            }
            (Reply::Http(status, headers, body), _) => http_reply(status, headers, body),
        },
        Err(reason) if is_grpc => grpc_reply(None, &Status::new(Code::InvalidArgument, reason)),
        Err(reason) => http_reply(StatusCode::BAD_REQUEST, HeaderMap::new(), reason.into()),
    }
}

/// Reads a request, strictly.
fn receive(path: &str, headers: &HeaderMap, body: Bytes, is_grpc: bool) -> Result<Received, String> {
    let signal = if path.contains("trace") {
        Signal::Traces
    } else if path.contains("metrics") {
        Signal::Metrics
    } else {
        Signal::Logs
    };
    let header =
        |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
    let (compressed, body) = if is_grpc { unframe(body)? } else { (true, body) };
    let encoding =
        if compressed { header(if is_grpc { "grpc-encoding" } else { "content-encoding" }) } else { "" };
    let encoding = Encoding::from_header(encoding).ok_or_else(|| format!("unknown encoding `{encoding}`"))?;
    let body = encoding.decode(body, LIMIT).map_err(|error| error.to_string())?;
    let batch = if header("content-type") == "application/json" {
        pdata::json::from_json(signal, &body)
    } else {
        match signal {
            Signal::Traces => Traces::from_bytes(body.clone()).map(Batch::Traces),
            Signal::Metrics => Metrics::from_bytes(body.clone()).map(Batch::Metrics),
            Signal::Logs | Signal::Events => Logs::from_bytes(body.clone()).map(Batch::Logs),
        }
    };
    let batch = batch.map_err(|error| error.to_string())?;
    Ok(Received { path: path.to_owned(), headers: headers.clone(), body, batch })
}

fn unframe(mut body: Bytes) -> Result<(bool, Bytes), String> {
    let message = body.split_off(5.min(body.len()));
    match &body[..] {
        [flag, length @ ..]
            if u32::from_be_bytes(length.try_into().unwrap_or_default()) as usize == message.len() =>
        {
            Ok((*flag == 1, message))
        }
        _ => Err("not one message".to_owned()),
    }
}

fn protobuf() -> HeaderMap {
    [(http::header::CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"))].into_iter().collect()
}

fn http_reply(status: StatusCode, headers: HeaderMap, body: Bytes) -> Response<StreamBody<Frames>> {
    let mut response = Response::new(StreamBody::new(stream::iter(vec![Ok(Frame::data(body))])));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn grpc_reply(message: Option<Bytes>, status: &Status) -> Response<StreamBody<Frames>> {
    let mut frames = Vec::new();
    if let Some(message) = message {
        let mut framed = BytesMut::new();
        framed.put_u8(0);
        framed.put_u32(u32::try_from(message.len()).expect("a short message"));
        framed.put(message);
        frames.push(Ok(Frame::data(framed.freeze())));
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(status.code.number()));
    trailers.insert("grpc-message", HeaderValue::from_str(&status.message).expect("a plain message"));
    let details = HeaderValue::from_str(&STANDARD.encode(status.encode())).expect("base64 fits a header");
    trailers.insert("grpc-status-details-bin", details);
    frames.push(Ok(Frame::trailers(trailers)));
    let mut response = Response::new(StreamBody::new(stream::iter(frames)));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}
