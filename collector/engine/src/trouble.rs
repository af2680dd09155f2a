//! Decides which failed attempts are worth a line in the log: the first one, then one a minute, and the success after
//! them. A busy exporter makes hundreds in a second.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// The least time between two lines about trouble.
const PAUSE: Duration = Duration::from_secs(60);

/// Whether something works, as far as the log was told.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    /// Whether the log was told of trouble, and not yet of its end.
    is_known: AtomicBool,
    told: Mutex<Option<Instant>>,
}

impl Trouble {
    /// Notes a failure; returns whether the log should be told.
    pub(crate) fn goes_on(&self) -> bool {
        let now = Instant::now();
        // A time is whole even if another thread panicked while it held the lock.
        let mut told = self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if told.is_some_and(|at| now.duration_since(at) < PAUSE) {
            return false;
        }
        *told = Some(now);
        self.is_known.store(true, Ordering::Relaxed);
        true
    }

    /// Notes a success; returns whether the log should be told.
    pub(crate) fn is_over(&self) -> bool {
        self.is_known.load(Ordering::Relaxed) && self.is_known.swap(false, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn trouble_is_told_once_a_minute_and_its_end_once() {
        let trouble = Trouble::default();
        assert!(!trouble.is_over(), "there was none");
        assert_eq!([trouble.goes_on(), trouble.goes_on()], [true, false]);
        assert_eq!([trouble.is_over(), trouble.is_over()], [true, false]);
        assert!(!trouble.goes_on(), "it comes and goes: the minute is not over");
        assert!(!trouble.is_over(), "nothing was told that could be over");
        tokio::time::advance(PAUSE).await;
        assert_eq!([trouble.goes_on(), trouble.goes_on()], [true, false]);
        tokio::time::advance(PAUSE).await;
        assert!(trouble.goes_on(), "it lasts");
    }
}
