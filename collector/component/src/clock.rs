//! Where time comes from.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pdata::Timestamp;

/// The engine's clock: the system's in a live run, event time in a replay, so that both give the same answer.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<AtomicU64>>);

impl Clock {
    /// The system's clock.
    pub const fn system() -> Self {
        Self(None)
    }

    /// A clock that only [`Clock::advance_to`] moves.
    pub fn manual(start: Timestamp) -> Self {
        Self(Some(Arc::new(AtomicU64::new(start.as_nanos()))))
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Some(nanos) => Timestamp::from_nanos(nanos.load(Ordering::Acquire)),
            None => {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "this is the one place that reads the system's clock"
                )]
                let now = std::time::SystemTime::now();
                let since_epoch = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_nanos(u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX))
            }
        }
    }

    /// Moves a manual clock forward; it never goes back. Does nothing to the system's clock.
    pub fn advance_to(&self, now: Timestamp) {
        if let Some(nanos) = &self.0 {
            nanos.fetch_max(now.as_nanos(), Ordering::AcqRel);
        }
    }

    /// Whether only [`Clock::advance_to`] moves it.
    pub const fn is_manual(&self) -> bool {
        self.0.is_some()
    }
}
