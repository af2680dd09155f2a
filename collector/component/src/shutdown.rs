//! Asking tasks to end.

use tokio_util::sync::CancellationToken;

/// Ends the tasks that hold the matching [`Shutdown`].
#[derive(Clone, Debug, Default)]
pub struct ShutdownTrigger(CancellationToken);

impl ShutdownTrigger {
    /// Asks them to end.
    pub fn trigger(&self) {
        self.0.cancel();
    }

    /// What the tasks listen to.
    pub fn listener(&self) -> Shutdown {
        Shutdown(self.0.clone())
    }
}

/// Tells a task that it should end: stop taking in, finish what it has, return.
#[derive(Clone, Debug)]
pub struct Shutdown(CancellationToken);

impl Shutdown {
    /// Completes when the task should end. Cancellation safe.
    pub async fn requested(&self) {
        self.0.cancelled().await;
    }

    /// Whether the task should end.
    pub fn is_requested(&self) -> bool {
        self.0.is_cancelled()
    }
}
