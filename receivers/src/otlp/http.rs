//! OTLP over HTTP: POSTs of protobuf or JSON in, answers of the same kind out.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use component::{Ingress, Permit};
use http::header::{ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use pdata::Signal;
use transport::compression::{DecompressError, Encoding};
use transport::grpc::{Code, Status};

use super::body::{self, ReadError};
use super::config::HttpConfig;
use super::intake::{Format, deliver, is_wanted};
use super::{USUAL_REQUEST, grpc, response};

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// Answers requests.
#[derive(Clone)]
pub(super) struct Handler {
    ingress: Ingress,
    settings: Arc<HttpConfig>,
    max_body: usize,
}

/// Why a request is answered with an error.
struct Refused {
    http: StatusCode,
    status: Status,
}

impl Refused {
    fn new(http: StatusCode, code: Code, message: impl Into<String>) -> Self {
        Self { http, status: Status::new(code, message) }
    }
}

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        let http = match status.code {
            Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        Self { http, status }
    }
}

impl Handler {
    pub(super) fn new(ingress: Ingress, settings: HttpConfig) -> Self {
        let max_body = settings.server().max_body();
        Self { ingress, settings: Arc::new(settings), max_body }
    }

    pub(super) async fn handle(self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let format = format_of(request.headers());
        match self.answer(request, format).await {
            Ok(body) => body_of(StatusCode::OK, format, body),
            Err(refused) => refusal(format, &refused),
        }
    }

    async fn answer(&self, request: Request<Incoming>, format: Option<Format>) -> Result<Bytes, Refused> {
        let ingress = &self.ingress;
        let signal = self.signal_of(request.uri().path());
        let Some(signal) = signal.filter(|signal| is_wanted(ingress.wanted(), *signal)) else {
            let message = "no pipeline takes this from here";
            return Err(Refused::new(StatusCode::NOT_FOUND, Code::Unimplemented, message));
        };
        if request.method() != Method::POST {
            let message = "only POST is answered";
            return Err(Refused::new(StatusCode::METHOD_NOT_ALLOWED, Code::Unimplemented, message));
        }
        let format = format.ok_or_else(|| {
            let message = format!("this content-type is not supported: send `{PROTOBUF}` or `{JSON}`");
            Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::InvalidArgument, message)
        })?;
        let encoding = self.encoding(request.headers())?;
        let length = declared_length(request.headers());
        if length.is_some_and(|length| length > self.max_body) {
            ingress.count_failed(signal, 1);
            return Err(self.too_large());
        }
        // Before the body is read: what is not admitted stays in the sender's memory.
        let mut permit = match ingress.admission().admit(length.unwrap_or(USUAL_REQUEST)).await {
            Ok(permit) => permit,
            Err(refusal) => {
                ingress.count_refused(signal, 1);
                discard(request, length).await;
                return Err(grpc::refused(&refusal.into()).into());
            }
        };
        // The head goes first: it lies in the connection's read buffer, which could not be used again.
        let body = request.into_body();
        let body =
            self.read(body, length, &mut permit).await.inspect_err(|refused| match refused.status.code {
                Code::Cancelled => ingress.count_refused(signal, 1),
                _ => ingress.count_failed(signal, 1),
            })?;
        permit.resize(body.len());
        let body = encoding.decode(body, self.max_body).map_err(|error| {
            ingress.count_failed(signal, 1);
            match error {
                DecompressError::TooLarge { .. } => self.too_large(),
                DecompressError::Malformed { .. } => {
                    Refused::new(StatusCode::BAD_REQUEST, Code::InvalidArgument, error.to_string())
                }
            }
        })?;
        match deliver(ingress, signal, format, body, permit).await {
            Ok(accepted) => Ok(response::accepted(signal, format, &accepted)),
            Err(rejection) => Err(grpc::refused(&rejection).into()),
        }
    }

    fn signal_of(&self, path: &str) -> Option<Signal> {
        let HttpConfig { traces_url_path, metrics_url_path, logs_url_path, .. } = &*self.settings;
        [
            (traces_url_path, Signal::Traces),
            (metrics_url_path, Signal::Metrics),
            (logs_url_path, Signal::Logs),
        ]
        .into_iter()
        .find_map(|(known, signal)| (known == path).then_some(signal))
    }

    fn encoding(&self, headers: &HeaderMap) -> Result<Encoding, Refused> {
        let name = match headers.get(CONTENT_ENCODING) {
            None => "",
            Some(value) => value.to_str().unwrap_or("unreadable"),
        };
        let unsupported = || {
            let message = format!("content-encoding `{name}` is not supported");
            Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::InvalidArgument, message)
        };
        let encoding = Encoding::from_header(name).ok_or_else(unsupported)?;
        let allowed = &self.settings.compression_algorithms;
        let is_allowed =
            allowed.is_empty() || allowed.iter().any(|known| Encoding::from_header(known) == Some(encoding));
        if is_allowed { Ok(encoding) } else { Err(unsupported()) }
    }

    /// Reads a body, charging `permit` for what it turns out to hold beyond what was declared.
    async fn read(
        &self,
        body: Incoming,
        declared: Option<usize>,
        permit: &mut Permit,
    ) -> Result<Bytes, Refused> {
        let read = body::read(body, declared, self.max_body, |held| {
            if held > permit.bytes() {
                permit.resize(held);
            }
        });
        let timeout = self.settings.read_timeout;
        let read = if timeout.is_zero() {
            read.await
        } else {
            tokio::time::timeout(timeout.get(), read).await.map_err(|_| {
                let message = "the body took too long to come in";
                Refused::new(StatusCode::REQUEST_TIMEOUT, Code::Cancelled, message)
            })?
        };
        read.map_err(|error| match error {
            ReadError::TooLarge(_) => self.too_large(),
            ReadError::Broken(_) => Refused::new(StatusCode::BAD_REQUEST, Code::Cancelled, error.to_string()),
        })
    }

    fn too_large(&self) -> Refused {
        let message = format!("body is larger than {} bytes", self.max_body);
        Refused::new(StatusCode::PAYLOAD_TOO_LARGE, Code::ResourceExhausted, message)
    }
}

/// How long a sender is listened to that is refused.
const DISCARD_PATIENCE: Duration = Duration::from_secs(5);

/// Lets a body pass by. Over HTTP/1 a sender reads the answer only after it has sent all, and the connection can go on only
/// then; over HTTP/2 neither is so.
async fn discard(request: Request<Incoming>, length: Option<usize>) {
    if request.version() >= Version::HTTP_2 || length.is_none() {
        return;
    }
    let mut body = request.into_body();
    let pass = async { while let Some(Ok(_)) = body.frame().await {} };
    // A sender that is slower than this has its connection closed.
    let _ = tokio::time::timeout(DISCARD_PATIENCE, pass).await;
}

/// The format that `content-type` names; nothing if it is another.
fn format_of(headers: &HeaderMap) -> Option<Format> {
    let named = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let media = named.split(';').next().unwrap_or_default().trim();
    if media.eq_ignore_ascii_case(PROTOBUF) {
        Some(Format::Protobuf)
    } else if media.eq_ignore_ascii_case(JSON) {
        Some(Format::Json)
    } else {
        None
    }
}

fn declared_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn refusal(format: Option<Format>, refused: &Refused) -> Response<Full<Bytes>> {
    let body = response::refused(format.unwrap_or(Format::Protobuf), &refused.status);
    let mut response = body_of(refused.http, format, body);
    if refused.http == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    }
    if let Some(after) = refused.status.retry_after {
        // The header knows whole seconds only; less than one would mean "at once".
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

fn body_of(status: StatusCode, format: Option<Format>, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let kind = if format == Some(Format::Json) { JSON } else { PROTOBUF };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
