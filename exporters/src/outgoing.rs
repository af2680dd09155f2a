//! What the OTLP exporters share: a batch as an encoded request, and what the answer says about it.

use bytes::Bytes;
use component::{Context, Counter};
use pdata::{Batch, Signal, event};
use prost::Message;

/// A batch as OTLP knows it: events are log records.
pub(crate) fn telemetry(batch: Batch) -> Batch {
    match batch {
        Batch::Events(events) => Batch::Logs(event::to_logs(&events)),
        telemetry => telemetry,
    }
}

/// The batch as an encoded `Export*ServiceRequest`. Bytes that came in go out as they are.
pub(crate) fn request(telemetry: &Batch) -> Bytes {
    match telemetry {
        Batch::Traces(traces) => traces.bytes().clone(),
        Batch::Metrics(metrics) => metrics.bytes().clone(),
        Batch::Logs(logs) => logs.bytes().clone(),
        Batch::Events(events) => event::to_logs(events).bytes().clone(),
    }
}

/// The `partial_success` of an answer; the same on the wire for every signal.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PartialSuccess {
    /// How many items were not taken.
    #[prost(int64, tag = "1")]
    pub(crate) rejected: i64,
    /// Why, or a warning if none was rejected.
    #[prost(string, tag = "2")]
    pub(crate) error_message: String,
}

/// An `Export*ServiceResponse`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Response {
    #[prost(message, optional, tag = "1")]
    pub(crate) partial_success: Option<PartialSuccess>,
}

/// Counts and tells what the other side did not take although it answered with success. OTLP forbids to send it again.
#[derive(Debug)]
pub(crate) struct Rejections([Counter; 4]);

impl Rejections {
    pub(crate) fn new(context: &Context) -> Self {
        let exporter = context.key.id.to_string();
        Self(Signal::ALL.map(|signal| {
            let name = format!("otelcol_exporter_rejected_{}", signal.items_name());
            let help = "Items that the other side rejected while it took the rest (partial success).";
            context.telemetry.counter(&name, help, &[("exporter", &exporter)])
        }))
    }

    /// Notes the answer to a batch that was taken.
    pub(crate) fn note(&self, signal: Signal, response: &Response) {
        let Some(partial) = &response.partial_success else { return };
        let PartialSuccess { rejected, error_message } = partial;
        if let Some(rejected) = u64::try_from(*rejected).ok().filter(|rejected| *rejected > 0) {
            self.0[signal.index()].add(rejected);
            tracing::warn!(%signal, rejected, reason = %error_message, "the other side rejected a part of a batch");
        } else if !error_message.is_empty() {
            tracing::warn!(%signal, warning = %error_message, "the other side took a batch with a warning");
        }
    }
}
