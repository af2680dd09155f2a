//! What travels through a pipeline.

use std::sync::Arc;

use crate::{Event, Logs, Metrics, Signal, Traces};

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

    /// Size in bytes when encoded as OTLP; for events an estimate.
    pub fn encoded_len(&self) -> usize {
        /// An event is a few hundred bytes of text; queues only need the order of magnitude.
        const EVENT_BYTES: usize = 512;
        match self {
            Self::Traces(traces) => traces.encoded_len(),
            Self::Metrics(metrics) => metrics.encoded_len(),
            Self::Logs(logs) => logs.encoded_len(),
            Self::Events(events) => events.len() * EVENT_BYTES,
        }
    }
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
