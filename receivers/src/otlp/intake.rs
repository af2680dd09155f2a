//! From an encoded request to an outcome: decoding, taking events out of log records, delivery.
//!
//! In: a body and the permit for it. Out: success, whole or in part, or why nothing was taken in.

use bytes::Bytes;
use component::{Ingress, Nack, Permit, Refusal};
use pdata::{Batch, DecodeError, Event, Logs, Metrics, Signal, SignalSet, Traces};

/// How a body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Protobuf.
    Protobuf,
    /// OTLP/JSON.
    Json,
}

/// A request that was taken in, perhaps not all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Accepted {
    /// Spans, data points or log records that were refused for good.
    pub(super) rejected: usize,
    /// Why.
    pub(super) message: String,
}

/// Why nothing was taken in.
#[derive(Debug, thiserror::Error)]
pub(super) enum Rejection {
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    #[error(transparent)]
    Nack(#[from] Nack),
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Self::Nack(Nack::retry_after(refusal.retry_after, refusal.to_string()))
    }
}

/// Whether some pipeline takes something that requests for `signal` bring: log records may be events.
pub(super) fn is_wanted(wanted: SignalSet, signal: Signal) -> bool {
    wanted.contains(signal) || (signal == Signal::Logs && wanted.contains(Signal::Events))
}

/// Decodes a request and waits until its data is delivered.
pub(super) async fn deliver(
    ingress: &Ingress,
    signal: Signal,
    format: Format,
    body: Bytes,
    mut permit: Permit,
) -> Result<Accepted, Rejection> {
    permit.resize(body.len());
    let batch = decode(signal, format, body).inspect_err(|_| ingress.count_failed(signal, 1))?;
    let wanted = ingress.wanted();
    let (events, rest) = match batch {
        Batch::Logs(logs) if wanted.contains(Signal::Events) => {
            let (events, rest) = pdata::event::from_logs(logs);
            (events, rest.map(Batch::Logs))
        }
        batch => (Vec::new(), Some(batch)),
    };
    // An empty request is legal and there is nothing to deliver.
    let rest = rest.filter(|batch| !batch.is_empty());
    let unwanted = !wanted.contains(signal);
    match (events.is_empty(), rest) {
        (true, None) => Ok(Accepted::default()),
        (true, Some(batch)) if !unwanted => {
            ingress.deliver(batch, Some(permit)).await?;
            Ok(Accepted::default())
        }
        (false, None) => {
            ingress.deliver(Batch::events(events), Some(permit)).await?;
            Ok(Accepted::default())
        }
        (_, Some(rest)) => deliver_both(ingress, events, rest, permit).await,
    }
}

/// Delivers events and the log records that came with them. What is refused for good beside something that was delivered
/// is reported as rejected: sending all of it again would double the rest.
async fn deliver_both(
    ingress: &Ingress,
    events: Vec<Event>,
    rest: Batch,
    mut permit: Permit,
) -> Result<Accepted, Rejection> {
    let sizes = [events.len(), rest.items()];
    let room = permit.split(rest.encoded_len());
    let pending =
        if events.is_empty() { None } else { Some(ingress.send(Batch::events(events), Some(permit)).await) };
    let logs = if ingress.wanted().contains(rest.signal()) {
        ingress.deliver(rest, Some(room)).await
    } else {
        ingress.count_failed(rest.signal(), rest.items() as u64);
        Err(Nack::permanent(format!("no pipeline takes {} from here", rest.signal())))
    };
    let outcomes = match pending {
        Some(pending) => [pending.outcome().await, logs],
        None => [logs.clone(), logs],
    };
    let failures: Vec<_> =
        outcomes.iter().zip(sizes).filter_map(|(o, size)| Some((o.clone().err()?, size))).collect();
    if let Some((nack, _)) = failures.iter().find(|(nack, _)| !nack.is_permanent()) {
        return Err(nack.clone().into());
    }
    match failures.as_slice() {
        [] => Ok(Accepted::default()),
        [(nack, rejected)] => Ok(Accepted { rejected: *rejected, message: nack.reason.to_string() }),
        [(nack, _), ..] => Err(nack.clone().into()),
    }
}

fn decode(signal: Signal, format: Format, body: Bytes) -> Result<Batch, DecodeError> {
    match (format, signal) {
        (Format::Json, signal) => pdata::json::from_json(signal, &body),
        (Format::Protobuf, Signal::Metrics) => Ok(Metrics::from_bytes(body)?.into()),
        (Format::Protobuf, Signal::Logs) => Ok(Logs::from_bytes(body)?.into()),
        // Nothing routes events here.
        (Format::Protobuf, Signal::Traces | Signal::Events) => Ok(Traces::from_bytes(body)?.into()),
    }
}
