//! Exporters: components that send telemetry and incidents out.

use component::ExporterFactory;

pub mod debug;

/// Every exporter of this build, by type name. Adding one here is all the registration there is.
pub const FACTORIES: &[ExporterFactory] = &[debug::FACTORY];
