//! A value from files that is read again from time to time.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::{TransportError, describe};

type Load<T> = Box<dyn Fn() -> Result<Arc<T>, TransportError> + Send + Sync>;

/// A value that is loaded on first use and again when `interval` has passed. A load that fails leaves the last good value
/// in force and says so.
pub(super) struct Watched<T: ?Sized> {
    load: Load<T>,
    interval: Option<Duration>,
    current: Mutex<Option<(Arc<T>, Instant)>>,
}

impl<T: ?Sized> Watched<T> {
    pub(super) fn new(
        interval: Option<Duration>,
        load: impl Fn() -> Result<Arc<T>, TransportError> + Send + Sync + 'static,
    ) -> Self {
        Self { load: Box::new(load), interval, current: Mutex::new(None) }
    }

    /// The value in force. Called once a handshake; the files are small.
    pub(super) fn get(&self) -> Result<Arc<T>, TransportError> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((value, loaded)) = current.as_mut() else {
            let value = (self.load)()?;
            *current = Some((Arc::clone(&value), Instant::now()));
            return Ok(value);
        };
        if self.interval.is_some_and(|interval| loaded.elapsed() >= interval) {
            *loaded = Instant::now();
            match (self.load)() {
                Ok(fresh) => *value = fresh,
                Err(error) => {
                    tracing::warn!(
                        error = describe(&error),
                        "cannot reload TLS files, keeping the last good ones"
                    );
                }
            }
        }
        Ok(Arc::clone(value))
    }
}

impl<T: ?Sized> fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watched(every {:?})", self.interval)
    }
}
