//! Knowing when a connection has been idle for long.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Counts a connection's requests.
#[derive(Debug, Default)]
pub(super) struct Activity(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    running: AtomicUsize,
    begun: AtomicU64,
}

/// A request that is being answered.
pub(super) struct Running(Arc<Counts>);

impl Activity {
    pub(super) fn begin(&self) -> Running {
        self.0.running.fetch_add(1, Ordering::Relaxed);
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        Running(Arc::clone(&self.0))
    }

    /// Completes when no request has been running for `timeout` (up to twice as long); never without one.
    pub(super) async fn idle_for(&self, timeout: Option<Duration>) {
        let Some(timeout) = timeout else { return std::future::pending().await };
        loop {
            let begun = self.0.begun.load(Ordering::Relaxed);
            tokio::time::sleep(timeout).await;
            let unchanged = begun == self.0.begun.load(Ordering::Relaxed);
            if unchanged && self.0.running.load(Ordering::Relaxed) == 0 {
                return;
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}
