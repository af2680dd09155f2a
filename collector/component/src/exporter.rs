//! Components that take telemetry out.

use std::time::Duration;

use async_trait::async_trait;
use pdata::Batch;

/// Takes telemetry out. Queue, retry and timeout are the engine's.
#[async_trait]
pub trait Exporter: Send + Sync {
    /// Prepares what may fail at once, such as binding a socket or opening a file.
    ///
    /// # Errors
    /// If it cannot start at all.
    async fn start(&self) -> Result<(), crate::RunError> {
        Ok(())
    }

    /// Sends one batch. Several calls may run at once. Only batches of the signals that the factory declares arrive
    /// here.
    ///
    /// # Errors
    /// If the batch was not taken; the error says whether trying again may help.
    ///
    /// # Cancellation safety
    /// The engine drops the future when the timeout has passed, and may then call again with the same batch.
    async fn export(&self, batch: Batch) -> Result<(), ExportError>;

    /// The input has ended: writes out what is buffered and closes.
    ///
    /// # Errors
    /// If that failed.
    async fn shutdown(&self) -> Result<(), ExportError> {
        Ok(())
    }
}

/// Why a batch was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// Trying again may help.
    #[error("{reason}")]
    Retryable {
        /// Why, without payload.
        reason: String,
        /// How long the other side asked to wait.
        after: Option<Duration>,
    },
    /// Trying again will not help.
    #[error("{reason}")]
    Permanent {
        /// Why, without payload.
        reason: String,
    },
}

impl ExportError {
    /// Trying again may help.
    pub fn retryable(reason: impl Into<String>) -> Self {
        Self::Retryable { reason: reason.into(), after: None }
    }

    /// Trying again will not help.
    pub fn permanent(reason: impl Into<String>) -> Self {
        Self::Permanent { reason: reason.into() }
    }
}
