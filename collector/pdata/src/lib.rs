//! Telemetry data: one model, OTLP.
//!
//! A [`Batch`] carries traces, metrics or logs as encoded OTLP bytes and decodes only when someone asks for
//! structs; readers walk the borrowed views of [`view`], writers take owned structs with
//! [`Otlp::modify`] (copy on write) or, on hot paths, change encoded log records with [`Logs::edit`]. The fourth signal, [`event`]s, is what Watchfire itself finds out; it has a
//! lossless OTLP form as log records.
//!
//! This crate knows no component, no configuration and no runtime.

pub mod aggregate;
#[cfg(test)]
mod arbitrary;
mod batch;
pub mod event;
pub mod json;
mod otlp;
mod reshape;
mod scan;
mod schema;
mod signal;
#[cfg(test)]
mod tests;
mod time;
pub mod view;
mod wire;

pub use batch::Batch;
pub use event::Event;
pub use otlp::{DecodeError, Logs, Metrics, Otlp, Payload, Traces};
#[doc(hidden)]
pub use reshape::Level;
pub use reshape::{
    EncodedAttributes, Limits, RecordEdit, merge, partition, partition_by_trace, rewrite_resources, split,
};
pub use scan::Scan;
pub use signal::{Signal, SignalSet};
pub use time::Timestamp;

/// The generated OTLP messages, under short names.
pub mod proto {
    pub use opentelemetry_proto::tonic::common::v1 as common;
    pub use opentelemetry_proto::tonic::logs::v1 as logs;
    pub use opentelemetry_proto::tonic::metrics::v1 as metrics;
    pub use opentelemetry_proto::tonic::resource::v1 as resource;
    pub use opentelemetry_proto::tonic::trace::v1 as trace;
}
