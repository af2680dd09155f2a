//! Receivers: components that bring telemetry into a pipeline.

mod emit;
pub mod hostmetrics;
mod periodic;

use component::ReceiverFactory;

pub mod prometheus;

/// Every receiver of this build, by type name. Adding one here is all the registration there is.
<<<<<<< HEAD
pub const FACTORIES: &[ReceiverFactory] = &[hostmetrics::FACTORY];
=======
pub const FACTORIES: &[ReceiverFactory] = &[prometheus::FACTORY];
>>>>>>> 0a95bdd (receivers/prometheus: scrape targets)
