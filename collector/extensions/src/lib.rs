//! Extensions: services beside the pipelines.

pub mod file_storage;
pub mod health_check;
pub mod log_feedback;
pub mod memory_limiter;

use component::ExtensionFactory;

/// Every extension of this build, by type name. Adding one here is all the registration there is.
pub const FACTORIES: &[ExtensionFactory] =
    &[file_storage::FACTORY, health_check::FACTORY, log_feedback::FACTORY, memory_limiter::FACTORY];
