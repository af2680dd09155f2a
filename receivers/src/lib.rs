//! Receivers: components that bring telemetry into a pipeline.

mod emit;
pub mod filelog;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod hostmetrics;
pub mod otlp;
mod periodic;
pub mod probe;
pub mod prometheus;
pub mod statsd;

use component::ReceiverFactory;

/// Every receiver of this build, by type name. Adding one here is all the registration there is.
pub const FACTORIES: &[ReceiverFactory] = &[
    filelog::FACTORY,
    hostmetrics::FACTORY,
    otlp::FACTORY,
    probe::FACTORY,
    prometheus::FACTORY,
    statsd::FACTORY,
];
