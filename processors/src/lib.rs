//! Processors: components that compute.

mod actions;
pub mod attributes;
pub mod batch;
pub mod correlate;
pub mod detect;
pub mod drain;
pub mod filter;
pub mod forward;
pub mod log_classify;
mod matching;
pub mod memory_limiter;
pub mod normalize;
pub mod resource;
mod resource_cache;
pub mod span_metrics;
mod values;
mod watched_file;

use component::{ConnectorFactory, ProcessorFactory};

/// Every processor of this build, by type name. Adding one here is all the registration there is.
pub const FACTORIES: &[ProcessorFactory] = &[
    attributes::FACTORY,
    batch::FACTORY,
    correlate::FACTORY,
    detect::FACTORY,
    drain::FACTORY,
    filter::FACTORY,
    log_classify::FACTORY,
    memory_limiter::FACTORY,
    normalize::FACTORY,
    resource::FACTORY,
];

/// Every connector of this build, by type name. Adding one here is all the registration there is.
pub const CONNECTORS: &[ConnectorFactory] = &[forward::FACTORY, span_metrics::FACTORY];
