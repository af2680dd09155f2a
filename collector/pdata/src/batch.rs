//! What travels through a pipeline.

use std::sync::Arc;

use crate::{Event, Limits, Logs, Metrics, Otlp, Payload, Signal, Traces, merge, split};

/// An event is a few hundred bytes of text; queues only need the order of magnitude.
const EVENT_BYTES: usize = 512;

/// A batch of one signal. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub enum Batch {
    /// Spans.
    Traces(Traces),
    /// Metric data points.
    Metrics(Metrics),
    /// Log records.
    Logs(Logs),
    /// Anomalies, incidents and so on.
    Events(Arc<Vec<Event>>),
}

impl Batch {
    /// A batch of events.
    pub fn events(events: Vec<Event>) -> Self {
        Self::Events(Arc::new(events))
    }

    /// Which signal this is.
    pub const fn signal(&self) -> Signal {
        match self {
            Self::Traces(_) => Signal::Traces,
            Self::Metrics(_) => Signal::Metrics,
            Self::Logs(_) => Signal::Logs,
            Self::Events(_) => Signal::Events,
        }
    }

    /// Spans, data points, log records or events.
    pub fn items(&self) -> usize {
        match self {
            Self::Traces(traces) => traces.items(),
            Self::Metrics(metrics) => metrics.items(),
            Self::Logs(logs) => logs.items(),
            Self::Events(events) => events.len(),
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.items() == 0
    }

    /// Joins batches: the result has at most one batch a signal, in the order of [`Signal::ALL`], and each has its
    /// items in the order in which they came.
    pub fn join(batches: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let mut traces = Vec::new();
        let mut metrics = Vec::new();
        let mut logs = Vec::new();
        let mut events = Vec::new();
        for batch in batches {
            match batch {
                Self::Traces(batch) => traces.push(batch),
                Self::Metrics(batch) => metrics.push(batch),
                Self::Logs(batch) => logs.push(batch),
                Self::Events(batch) => events.extend(Arc::unwrap_or_clone(batch)),
            }
        }
        let events = (!events.is_empty()).then(|| Self::events(events));
        let joined = joined(traces).into_iter().chain(joined(metrics)).chain(joined(logs)).chain(events);
        joined.collect()
    }

    /// Splits the batch into parts within `limits`, in order. A batch within the limits is the only part.
    pub fn split(&self, limits: Limits) -> Vec<Self> {
        match self {
            Self::Traces(traces) => split(traces, limits).into_iter().map(Self::from).collect(),
            Self::Metrics(metrics) => split(metrics, limits).into_iter().map(Self::from).collect(),
            Self::Logs(logs) => split(logs, limits).into_iter().map(Self::from).collect(),
            Self::Events(events) => {
                let by_bytes = limits.bytes.map(|bytes| (bytes.get() / EVENT_BYTES).max(1));
                let most = limits.items.map(std::num::NonZero::get).into_iter().chain(by_bytes).min();
                events.chunks(most.unwrap_or(usize::MAX)).map(|part| Self::events(part.to_vec())).collect()
            }
        }
    }

    /// Size in bytes when encoded as OTLP; for events an estimate.
    pub fn encoded_len(&self) -> usize {
        match self {
            Self::Traces(traces) => traces.encoded_len(),
            Self::Metrics(metrics) => metrics.encoded_len(),
            Self::Logs(logs) => logs.encoded_len(),
            Self::Events(events) => events.len() * EVENT_BYTES,
        }
    }
}

fn joined<T: Payload>(batches: Vec<Otlp<T>>) -> Option<Batch>
where
    Batch: From<Otlp<T>>,
{
    (!batches.is_empty()).then(|| merge(batches).into())
}

impl From<Traces> for Batch {
    fn from(traces: Traces) -> Self {
        Self::Traces(traces)
    }
}

impl From<Metrics> for Batch {
    fn from(metrics: Metrics) -> Self {
        Self::Metrics(metrics)
    }
}

impl From<Logs> for Batch {
    fn from(logs: Logs) -> Self {
        Self::Logs(logs)
    }
}

impl From<Vec<Event>> for Batch {
    fn from(events: Vec<Event>) -> Self {
        Self::events(events)
    }
}
