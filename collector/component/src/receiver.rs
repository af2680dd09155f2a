//! Components that bring telemetry in.

use async_trait::async_trait;

use crate::{Ingress, Shutdown};

/// Brings telemetry in.
#[async_trait]
pub trait Receiver: Send {
    /// Prepares what may fail at once, such as binding a socket. Called before [`Receiver::run`], while the
    /// configuration can still be rejected.
    ///
    /// # Errors
    /// If it cannot start at all.
    async fn start(&mut self) -> Result<(), RunError> {
        Ok(())
    }

    /// Receives until `shutdown` is requested: then stops taking in, waits for the outcome of what it took in, answers
    /// its senders and returns.
    ///
    /// # Errors
    /// If it cannot go on; the engine starts a new one after a while.
    async fn run(self: Box<Self>, ingress: Ingress, shutdown: Shutdown) -> Result<(), RunError>;
}

/// Why a component cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A socket could not be bound.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address as configured.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// Input or output failed.
    #[error("{what}")]
    Io {
        /// What failed.
        what: String,
        /// Why.
        source: std::io::Error,
    },
    /// Anything else.
    #[error("{0}")]
    Other(String),
}
