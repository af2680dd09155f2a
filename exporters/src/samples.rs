//! What the tests of the OTLP exporters share: batches, and a peer that notes what it gets.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use component::{Context, ExportError, Exporter, ExporterFactory, Kind};
use config::Section;
use futures::FutureExt;
use pdata::event::{Change, Event};
use pdata::{Batch, Signal, Timestamp, Traces};
use prost::Message;
use testkit::peer::{Peer, Received, Reply};

use crate::outgoing::{PartialSuccess, Response};

/// One span, point or record of each kind of telemetry.
pub(crate) fn telemetry() -> Vec<Batch> {
    let samples = [
        (
            Signal::Traces,
            r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"checkout","kind":2}]}]}]}"#,
        ),
        (
            Signal::Metrics,
            r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"queue","gauge":{"dataPoints":[{"timeUnixNano":"7","asInt":"3"}]}}]}]}]}"#,
        ),
        (
            Signal::Logs,
            r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"7","body":{"stringValue":"hello"}}]}]}]}"#,
        ),
    ];
    samples.iter().map(|(signal, text)| pdata::json::from_json(*signal, text.as_bytes()).unwrap()).collect()
}

/// An event.
pub(crate) fn event() -> Event {
    Event::Change(Change {
        time: Timestamp::from_nanos(7),
        service: "cart".to_owned(),
        kind: "deploy".to_owned(),
        attributes: serde_json::Map::new(),
        message: "cart 1.2.3 was deployed".to_owned(),
    })
}

/// A span in bytes that no encoder of ours would write: a field of a later version of OTLP is in it.
pub(crate) fn from_the_future() -> (Bytes, Batch) {
    let Batch::Traces(traces) = telemetry().remove(0) else { unreachable!("the first are traces") };
    let mut bytes = traces.bytes().to_vec();
    // Field 200, a varint.
    bytes.extend([0xc0, 0x0c, 0x2a]);
    let bytes = Bytes::from(bytes);
    (bytes.clone(), Batch::Traces(Traces::from_bytes(bytes).unwrap()))
}

/// An answer that rejects a part.
pub(crate) fn partial() -> Bytes {
    let partial = PartialSuccess { rejected: 3, error_message: "too old".to_owned() };
    Response { partial_success: Some(partial) }.encode_to_vec().into()
}

/// A peer that notes what it gets and always answers the same.
pub(crate) async fn peer(reply: Reply) -> (Peer, Arc<Mutex<Vec<Received>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&seen);
    let peer = Peer::start(move |received| {
        notes.lock().unwrap().push(received);
        let reply = reply.clone();
        async move { reply }.boxed()
    })
    .await;
    (peer, seen)
}

/// An exporter built from configuration.
pub(crate) fn build(factory: &ExporterFactory, settings: &serde_json::Value) -> (Box<dyn Exporter>, Context) {
    let context = Context::detached(Kind::Exporter, factory.type_name);
    let section = Section::from_json(factory.type_name, settings);
    ((factory.create)(&section, &context).unwrap_or_else(|error| panic!("{error}")), context)
}

/// Whether trying again may help, and after how many seconds.
pub(crate) fn verdict(error: &ExportError) -> (bool, Option<u64>) {
    match error {
        ExportError::Retryable { after, .. } => (true, after.map(|after| after.as_secs())),
        ExportError::Permanent { .. } => (false, None),
    }
}
