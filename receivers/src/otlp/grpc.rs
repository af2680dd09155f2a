//! OTLP over gRPC: calls of the three `Export` methods in, answers out. Messages stay encoded.

use bytes::Bytes;
use component::{Ingress, NackKind};
use http::{Request, Response};
use hyper::body::Incoming;
use pdata::Signal;
use transport::grpc::{Answer, Call, Code, Status, respond};

use super::intake::{Format, Rejection, deliver, is_wanted};
use super::{USUAL_REQUEST, response};

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

    pub(super) async fn handle(self, request: Request<Incoming>) -> Response<Answer> {
        respond(self.answer(request).await)
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Bytes, Status> {
        let ingress = &self.ingress;
        let signal = signal_of(request.uri().path()).filter(|signal| is_wanted(ingress.wanted(), *signal));
        let Some(signal) = signal else {
            return Err(Status::new(Code::Unimplemented, "no pipeline takes this from here"));
        };
        let call = Call::new(request)?;
        // Before the message is read: what is not admitted stays in the sender's memory.
        let mut permit = ingress.admission().admit(USUAL_REQUEST).await.map_err(|refusal| {
            ingress.count_refused(signal, 1);
            refused(&refusal.into())
        })?;
        let message = call.message(self.max_message, |held| {
            if held > permit.bytes() {
                permit.resize(held);
            }
        });
        let message = message.await.inspect_err(|status| match status.code {
            Code::Cancelled => ingress.count_refused(signal, 1),
            _ => ingress.count_failed(signal, 1),
        })?;
        match deliver(ingress, signal, Format::Protobuf, message, permit).await {
            Ok(accepted) => Ok(response::accepted(signal, Format::Protobuf, &accepted)),
            Err(rejection) => Err(refused(&rejection)),
        }
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

/// The status that tells a sender whether to try again, and when.
pub(super) fn refused(rejection: &Rejection) -> Status {
    let (code, retry_after) = match rejection {
        Rejection::Nack(nack) => match nack.kind {
            // Senders try again after this one, all of them; after RESOURCE_EXHAUSTED some do not.
            NackKind::Retryable { after } => (Code::Unavailable, after),
            NackKind::Permanent => (Code::InvalidArgument, None),
        },
        Rejection::Malformed(_) => (Code::InvalidArgument, None),
    };
    Status { retry_after, ..Status::new(code, rejection.to_string()) }
}
