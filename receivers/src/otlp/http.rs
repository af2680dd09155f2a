//! OTLP over HTTP: POSTs of encoded messages in, answers out.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use component::{Ingress, NackKind};
use http::header::{ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use pdata::Signal;
use tonic::Code;
use transport::compression::{DecompressError, Encoding};
use transport::describe;

use super::config::HttpConfig;
use super::{Rejection, USUAL_REQUEST, deliver, status};

const PROTOBUF: &str = "application/x-protobuf";

/// Answers requests.
#[derive(Clone)]
pub(super) struct Handler {
    ingress: Ingress,
    settings: Arc<HttpConfig>,
    max_body: usize,
}

/// Why a request is answered with an error.
struct Refused {
    status: StatusCode,
    message: String,
    retry_after: Option<Duration>,
}

impl Refused {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), retry_after: None }
    }
}

impl Handler {
    pub(super) fn new(ingress: Ingress, settings: HttpConfig) -> Self {
        let max_body = settings.server().max_body();
        Self { ingress, settings: Arc::new(settings), max_body }
    }

    pub(super) async fn handle(self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        match self.answer(request).await {
            // An empty response is full success for all three signals.
            Ok(()) => response(StatusCode::OK, Bytes::new()),
            Err(refused) => refusal(&refused),
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<(), Refused> {
        let signal =
            self.signal_of(request.uri().path()).filter(|signal| self.ingress.wanted().contains(*signal));
        let Some(signal) = signal else {
            return Err(Refused::new(StatusCode::NOT_FOUND, "no pipeline takes this from here"));
        };
        if request.method() != Method::POST {
            return Err(Refused::new(StatusCode::METHOD_NOT_ALLOWED, "only POST is answered"));
        }
        check_type(request.headers())?;
        let encoding = self.encoding(request.headers())?;
        let length = declared_length(request.headers());
        if length.is_some_and(|length| length > self.max_body) {
            self.ingress.count_failed(signal, 1);
            return Err(self.too_large());
        }
        // Before the body is read: what is not admitted stays in the sender's memory.
        let mut permit =
            self.ingress.admission().admit(length.unwrap_or(USUAL_REQUEST)).await.map_err(|refusal| {
                self.ingress.count_refused(signal, 1);
                refused(&refusal.into())
            })?;
        let body = async {
            let body = self.read(request.into_body()).await?;
            permit.resize(body.len());
            encoding.decode(body, self.max_body).map_err(|error| match error {
                DecompressError::TooLarge { .. } => self.too_large(),
                DecompressError::Malformed { .. } => Refused::new(StatusCode::BAD_REQUEST, error.to_string()),
            })
        };
        let body = body.await.inspect_err(|_| self.ingress.count_failed(signal, 1))?;
        deliver(&self.ingress, signal, body, permit).await.map_err(|rejection| refused(&rejection))
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
            Refused::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                format!("content-encoding `{name}` is not supported"),
            )
        };
        let encoding = Encoding::from_header(name).ok_or_else(unsupported)?;
        let allowed = &self.settings.compression_algorithms;
        let is_allowed =
            allowed.is_empty() || allowed.iter().any(|known| Encoding::from_header(known) == Some(encoding));
        if is_allowed { Ok(encoding) } else { Err(unsupported()) }
    }

    async fn read(&self, body: Incoming) -> Result<Bytes, Refused> {
        let collect = Limited::new(body, self.max_body).collect();
        let timeout = self.settings.read_timeout;
        let collected = if timeout.is_zero() {
            collect.await
        } else {
            tokio::time::timeout(timeout.get(), collect)
                .await
                .map_err(|_| Refused::new(StatusCode::REQUEST_TIMEOUT, "the body took too long to come in"))?
        };
        match collected {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(self.too_large()),
            Err(error) => {
                let error: &(dyn Error + 'static) = &*error;
                Err(Refused::new(StatusCode::BAD_REQUEST, describe(error)))
            }
        }
    }

    fn too_large(&self) -> Refused {
        let message = format!("body is larger than {} bytes", self.max_body);
        Refused::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    }
}

fn check_type(headers: &HeaderMap) -> Result<(), Refused> {
    let named = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = named.split(';').next().unwrap_or_default().trim();
    if media.eq_ignore_ascii_case(PROTOBUF) {
        return Ok(());
    }
    let message = format!("content-type `{media}` is not supported: send `{PROTOBUF}`");
    Err(Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
}

fn declared_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn refused(rejection: &Rejection) -> Refused {
    let (status, retry_after) = match rejection {
        Rejection::Nack(nack) => match nack.kind {
            NackKind::Retryable { after } => (StatusCode::SERVICE_UNAVAILABLE, after),
            NackKind::Permanent => (StatusCode::BAD_REQUEST, None),
        },
        Rejection::Malformed(_) => (StatusCode::BAD_REQUEST, None),
    };
    Refused { status, message: rejection.to_string(), retry_after }
}

fn refusal(refused: &Refused) -> Response<Full<Bytes>> {
    let code = match refused.status {
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Code::Unimplemented,
        StatusCode::PAYLOAD_TOO_LARGE => Code::ResourceExhausted,
        _ => Code::InvalidArgument,
    };
    let body = status::encode(code, &refused.message, refused.retry_after);
    let mut response = response(refused.status, body);
    if refused.status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    }
    if let Some(after) = refused.retry_after {
        // The header knows whole seconds only; less than one would mean "at once".
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

fn response(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROTOBUF));
    response
}
