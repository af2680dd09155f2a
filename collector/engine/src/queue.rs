//! The bounded queue in front of an exporter.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use component::delivery::{Sizer, size};
use component::{Ack, Delivery, Gauge, Nack};
use tokio::sync::Notify;

/// Deliveries waiting for an exporter, in memory, first in first out.
pub(crate) struct Queue {
    state: Mutex<State>,
    filled: Notify,
    capacity: u64,
    sizer: Sizer,
    /// Whether a batch that does not fit is taken all the same: its sender is held back by the memory gate, which counts
    /// it until it is acknowledged.
    block_on_overflow: bool,
    size_gauge: Gauge,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Delivery>,
    size: u64,
    closed: bool,
}

impl Queue {
    /// An empty queue that reports its size to `size_gauge`.
    pub(crate) fn new(capacity: u64, sizer: Sizer, block_on_overflow: bool, size_gauge: Gauge) -> Self {
        Self {
            state: Mutex::default(),
            filled: Notify::new(),
            capacity,
            sizer,
            block_on_overflow,
            size_gauge,
        }
    }

    /// Puts a delivery in.
    ///
    /// # Errors
    /// The delivery's duty and why it was not taken, if the queue is full or closed.
    pub(crate) fn push(&self, delivery: Delivery) -> Result<(), (Ack, Nack)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return Err((delivery.ack, Nack::retryable("the exporter is shutting down")));
        }
        let size = size(&delivery.batch, self.sizer);
        let fits = state.waiting.is_empty() || state.size.saturating_add(size) <= self.capacity;
        if !fits && !self.block_on_overflow {
            return Err((delivery.ack, Nack::retryable("the exporter's queue is full")));
        }
        state.size += size;
        state.waiting.push_back(delivery);
        self.size_gauge.set(state.size as f64);
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    /// Takes the next delivery, waiting for one; `None` once the queue is closed and empty. Cancellation safe.
    pub(crate) async fn pop(&self) -> Option<Delivery> {
        loop {
            let filled = self.filled.notified();
            tokio::pin!(filled);
            filled.as_mut().enable();
            {
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(delivery) = state.waiting.pop_front() {
                    state.size = state.size.saturating_sub(size(&delivery.batch, self.sizer));
                    self.size_gauge.set(state.size as f64);
                    let more = !state.waiting.is_empty() || state.closed;
                    drop(state);
                    if more {
                        self.filled.notify_one();
                    }
                    return Some(delivery);
                }
                if state.closed {
                    // Every other waiting consumer must learn it too.
                    self.filled.notify_one();
                    return None;
                }
            }
            filled.await;
        }
    }

    /// Takes nothing in any more; what waits is still handed out.
    pub(crate) fn close(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.filled.notify_one();
    }

    /// Empties the queue, refusing everything in it.
    pub(crate) fn abandon(&self, nack: &Nack) {
        let waiting = std::mem::take(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner).waiting);
        crate::stage::refuse(waiting.into(), nack);
    }
}
