//! Telemetry for tests and benchmarks, as a shop of a few services would send it.
//!
//! In: a [`Workload`]: a seed, how many services, how many requests, and faults if there are to be any. Out: for each step of
//! time a batch of spans, one of metrics and one of log records that belong together. The same workload gives the same
//! telemetry, byte for byte. Besides, a [`peer`] that takes OTLP and answers as a test says.

mod attributes;
mod logs;
mod metrics;
pub mod peer;
mod random;
mod requests;
#[cfg(test)]
mod tests;
mod workload;

pub use workload::{Fault, Step, Steps, Workload};
