//! Exporters: components that send telemetry and incidents out.

use component::ExporterFactory;

pub mod alertmanager;
pub mod debug;
pub mod file;
mod http_outcome;
pub mod otlp;
pub mod otlphttp;
mod outgoing;
pub mod prometheus;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod test_events;
#[cfg(test)]
mod test_server;
pub mod webhook;

/// Every exporter of this build, by type name. Adding one here is all the registration there is.
pub const FACTORIES: &[ExporterFactory] = &[
    alertmanager::FACTORY,
    debug::FACTORY,
    file::FACTORY,
    otlp::FACTORY,
    otlphttp::FACTORY,
    prometheus::FACTORY,
    webhook::FACTORY,
];
