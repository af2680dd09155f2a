//! OTLP over gRPC: calls of the three `Export` methods in, answers out. Messages stay encoded.

use bytes::{Buf, BufMut, Bytes};
use component::{Ingress, NackKind, Permit};
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Request, Response};
use hyper::body::Incoming;
use pdata::Signal;
use tonic::body::Body;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, UnaryService};
use tonic::{Code, Status};

use super::{Rejection, USUAL_REQUEST, deliver, status};

/// Answers calls.
#[derive(Clone)]
pub(super) struct Handler {
    ingress: Ingress,
    max_message: usize,
}

impl Handler {
    pub(super) const fn new(ingress: Ingress, max_message: usize) -> Self {
        Self { ingress, max_message }
    }

    pub(super) async fn handle(self, request: Request<Incoming>) -> Response<Body> {
        let signal = signal_of(request.uri().path()).filter(|signal| self.ingress.wanted().contains(*signal));
        let Some(signal) = signal else {
            return Status::unimplemented("no pipeline takes this from here").into_http();
        };
        // Before the body is read: what is not admitted stays in the sender's memory.
        let permit = match self.ingress.admission().admit(USUAL_REQUEST).await {
            Ok(permit) => permit,
            Err(refusal) => {
                self.ingress.count_refused(signal, 1);
                return refused(&refusal.into()).into_http();
            }
        };
        let export = Export { ingress: self.ingress.clone(), signal, permit: Some(permit) };
        let response = Grpc::new(Raw)
            .accept_compressed(CompressionEncoding::Gzip)
            .accept_compressed(CompressionEncoding::Zstd)
            .max_decoding_message_size(self.max_message)
            .unary(export, request)
            .await;
        self.unread(signal, &response).map_or(response, Status::into_http)
    }

    /// The status for a message that could not be read: tonic's own codes would tell a sender to try again for ever.
    fn unread(&self, signal: Signal, response: &Response<Body>) -> Option<Status> {
        let limit = self.max_message;
        // `Export` answers with neither of these.
        let status = match response.headers().get("grpc-status")?.as_bytes() {
            b"11" => Status::resource_exhausted(format!("message is larger than {limit} bytes")),
            b"13" => Status::invalid_argument("message is cut off or not compressed as it claims to be"),
            _ => return None,
        };
        self.ingress.count_failed(signal, 1);
        Some(status)
    }
}

fn signal_of(path: &str) -> Option<Signal> {
    match path {
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => Some(Signal::Traces),
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => Some(Signal::Metrics),
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => Some(Signal::Logs),
        _ => None,
    }
}

/// One call.
struct Export {
    ingress: Ingress,
    signal: Signal,
    permit: Option<Permit>,
}

impl UnaryService<Bytes> for Export {
    type Response = Bytes;
    type Future = BoxFuture<'static, Result<tonic::Response<Bytes>, Status>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let (ingress, signal, permit) = (self.ingress.clone(), self.signal, self.permit.take());
        async move {
            let Some(permit) = permit else {
                return Err(Status::failed_precondition("a call takes one message"));
            };
            // An empty response is full success in all three services.
            let done = deliver(&ingress, signal, request.into_inner(), permit).await;
            done.map(|()| tonic::Response::new(Bytes::new())).map_err(|rejection| refused(&rejection))
        }
        .boxed()
    }
}

fn refused(rejection: &Rejection) -> Status {
    let message = rejection.to_string();
    match rejection {
        Rejection::Nack(nack) => match nack.kind {
            NackKind::Retryable { after } => {
                let details = after.map(|after| status::encode(Code::Unavailable, &message, Some(after)));
                Status::with_details(Code::Unavailable, message, details.unwrap_or_default())
            }
            NackKind::Permanent => Status::invalid_argument(message),
        },
        Rejection::Malformed(_) => Status::invalid_argument(message),
    }
}

/// Passes messages on as bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.reserve(item.len());
        out.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = message.remaining();
        Ok(Some(message.copy_to_bytes(length)))
    }
}
