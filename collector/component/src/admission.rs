//! Memory admission: whether a receiver may take in more, asked before it reads a body.
//!
//! Two bounds. Bytes in flight are charged exactly, from the moment a receiver decides to read a body until its batch is
//! acknowledged; a receiver waits a little for room, which its sender feels as flow control. And the process's measured
//! memory sets a [`Pressure`]; above the soft limit everything is refused with a retryable error.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Notify;

/// The process-wide gate. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Admission(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    in_flight_bytes: AtomicUsize,
    in_flight_requests: AtomicUsize,
    pressure: AtomicU8,
    limits: RwLock<Limits>,
    room: Notify,
}

/// The gate's bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that may be in flight at once. A single larger request passes when it is alone.
    pub in_flight_bytes: usize,
    /// How long a receiver waits for room before it refuses.
    pub patience: Duration,
    /// How long a refused sender is told to wait.
    pub retry_after: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            in_flight_bytes: 24 << 20,
            patience: Duration::from_secs(1),
            retry_after: Duration::from_secs(1),
        }
    }
}

/// How full the memory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Pressure {
    /// Below the soft limit.
    Normal = 0,
    /// Above the soft limit: receivers refuse.
    Soft = 1,
    /// Above the hard limit: receivers refuse and caches are given back.
    Hard = 2,
}

/// A receiver may not take in more now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("memory limit reached, retry after {retry_after:?}")]
pub struct Refusal {
    /// How long the sender should wait.
    pub retry_after: Duration,
}

/// Room for some bytes; gives it back when dropped.
#[derive(Debug)]
pub struct Permit {
    bytes: usize,
    inner: Arc<Inner>,
}

impl Admission {
    /// Asks for room for `bytes`, waiting a little if there is none.
    ///
    /// # Errors
    /// If memory is short, or no room came up in time.
    ///
    /// # Cancellation safety
    /// Nothing is charged if the future is dropped.
    pub async fn admit(&self, bytes: usize) -> Result<Permit, Refusal> {
        let limits = self.limits();
        let wait = async {
            loop {
                let room = self.0.room.notified();
                tokio::pin!(room);
                room.as_mut().enable();
                match self.try_admit(bytes) {
                    Err(_) if self.pressure() == Pressure::Normal => room.await,
                    result => return result,
                }
            }
        };
        tokio::time::timeout(limits.patience, wait)
            .await
            .unwrap_or(Err(Refusal { retry_after: limits.retry_after }))
    }

    /// Asks for room for `bytes` without waiting.
    ///
    /// # Errors
    /// If memory is short.
    pub fn try_admit(&self, bytes: usize) -> Result<Permit, Refusal> {
        let limits = self.limits();
        let refusal = Refusal { retry_after: limits.retry_after };
        if self.pressure() > Pressure::Normal {
            return Err(refusal);
        }
        let charged = self.0.in_flight_bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
            (used == 0 || used.saturating_add(bytes) <= limits.in_flight_bytes)
                .then(|| used.saturating_add(bytes))
        });
        if charged.is_err() {
            return Err(refusal);
        }
        self.0.in_flight_requests.fetch_add(1, Ordering::AcqRel);
        Ok(Permit { bytes, inner: Arc::clone(&self.0) })
    }

    /// Bytes in flight now.
    pub fn in_flight_bytes(&self) -> usize {
        self.0.in_flight_bytes.load(Ordering::Acquire)
    }

    /// Requests in flight now.
    pub fn in_flight_requests(&self) -> usize {
        self.0.in_flight_requests.load(Ordering::Acquire)
    }

    /// How full the memory is.
    pub fn pressure(&self) -> Pressure {
        match self.0.pressure.load(Ordering::Acquire) {
            0 => Pressure::Normal,
            1 => Pressure::Soft,
            _ => Pressure::Hard,
        }
    }

    /// Sets how full the memory is. The engine's memory monitor calls this.
    pub fn set_pressure(&self, pressure: Pressure) {
        self.0.pressure.store(pressure as u8, Ordering::Release);
        self.0.room.notify_waiters();
    }

    /// The bounds in force.
    pub fn limits(&self) -> Limits {
        *self.0.limits.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the bounds.
    pub fn set_limits(&self, limits: Limits) {
        *self.0.limits.write().unwrap_or_else(PoisonError::into_inner) = limits;
        self.0.room.notify_waiters();
    }
}

impl Permit {
    /// Corrects the charge once the real size is known. May go over the limit: the bytes are there already.
    pub fn resize(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.inner.in_flight_bytes.fetch_add(bytes - self.bytes, Ordering::AcqRel);
        } else {
            self.inner.in_flight_bytes.fetch_sub(self.bytes - bytes, Ordering::AcqRel);
            self.inner.room.notify_waiters();
        }
        self.bytes = bytes;
    }

    /// Takes a part of the charge into a permit of its own, for a request that becomes two batches.
    #[must_use]
    pub fn split(&mut self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.inner.in_flight_requests.fetch_add(1, Ordering::AcqRel);
        Self { bytes, inner: Arc::clone(&self.inner) }
    }

    /// Bytes charged.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.inner.in_flight_bytes.fetch_sub(self.bytes, Ordering::AcqRel);
        self.inner.in_flight_requests.fetch_sub(1, Ordering::AcqRel);
        self.inner.room.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(bytes: usize) -> Admission {
        let admission = Admission::default();
        admission.set_limits(Limits { in_flight_bytes: bytes, ..Limits::default() });
        admission
    }

    #[tokio::test(start_paused = true)]
    async fn waits_for_room_and_then_refuses() {
        let admission = gate(100);
        let first = admission.admit(80).await.unwrap();
        let waiting = tokio::spawn({
            let admission = admission.clone();
            async move { admission.admit(80).await.map(|permit| permit.bytes()) }
        });
        tokio::task::yield_now().await;
        drop(first);
        assert_eq!(waiting.await.unwrap(), Ok(80));
        let _held = admission.admit(80).await.unwrap();
        assert!(admission.admit(80).await.is_err());
    }

    #[test]
    fn a_request_larger_than_the_limit_passes_alone() {
        let admission = gate(10);
        let alone = admission.try_admit(1000).unwrap();
        assert!(admission.try_admit(1).is_err());
        drop(alone);
        assert_eq!(admission.in_flight_bytes(), 0);
        assert_eq!(admission.in_flight_requests(), 0);
    }

    #[test]
    fn a_split_permit_charges_as_much_as_before_and_gives_it_back_in_parts() {
        let admission = gate(100);
        let mut whole = admission.try_admit(100).unwrap();
        let part = whole.split(30);
        assert_eq!((whole.bytes(), part.bytes(), admission.in_flight_bytes()), (70, 30, 100));
        drop(whole);
        assert_eq!((admission.in_flight_bytes(), admission.in_flight_requests()), (30, 1));
        drop(part);
        assert_eq!((admission.in_flight_bytes(), admission.in_flight_requests()), (0, 0));
    }

    #[test]
    fn pressure_refuses_everything() {
        let admission = gate(100);
        admission.set_pressure(Pressure::Soft);
        assert!(admission.try_admit(1).is_err());
        admission.set_pressure(Pressure::Normal);
        assert!(admission.try_admit(1).is_ok());
    }
}
