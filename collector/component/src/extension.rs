//! Services beside the pipelines.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{RunError, Shutdown, Storage};

/// A service beside the pipelines.
#[async_trait]
pub trait Extension: Send {
    /// Prepares what may fail at once. Extensions start before every other component.
    ///
    /// # Errors
    /// If it cannot start at all.
    async fn start(&mut self) -> Result<(), RunError> {
        Ok(())
    }

    /// The storage it offers, if it is one.
    fn storage(&self) -> Option<Arc<dyn Storage>> {
        None
    }

    /// Serves until `shutdown` is requested, which is after every other component has ended.
    ///
    /// # Errors
    /// If it cannot go on.
    async fn run(self: Box<Self>, shutdown: Shutdown) -> Result<(), RunError> {
        shutdown.requested().await;
        Ok(())
    }
}
