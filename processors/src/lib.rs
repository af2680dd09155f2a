//! Processors: components that compute.

use component::ProcessorFactory;

/// Every processor of this build, by type name. Adding one here is all the registration there is.
pub const FACTORIES: &[ProcessorFactory] = &[];
