//! Components that compute.

use std::time::Duration;

use pdata::{Batch, Timestamp};

use crate::Ack;

/// A stage that computes. It never waits: waiting belongs to receivers and exporters.
pub trait Processor: Send {
    /// Takes one batch and hands zero or more on to `output`, in order. Only batches of the signals that the factory
    /// declares arrive here; others pass by.
    ///
    /// # Errors
    /// Only if the batch must be refused, which the receiver tells its sender. Data that merely cannot be analysed is
    /// emitted unchanged.
    fn process(&mut self, batch: Batch, output: &mut Output) -> Result<(), ProcessError>;

    /// Lets time pass. Called about every [`Processor::tick_interval`]; `now` never goes back.
    fn tick(&mut self, _now: Timestamp, _output: &mut Output) {}

    /// How often [`Processor::tick`] is wanted.
    fn tick_interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    /// The queue in front of this stage has run empty. Whoever holds batches back for company may let them go.
    fn idle(&mut self, _output: &mut Output) {}

    /// The input has ended: emits everything that is held back.
    fn flush(&mut self, _now: Timestamp, _output: &mut Output) {}

    /// What it has learned, to survive a restart. `None` if it learns nothing.
    fn snapshot(&self) -> Option<Vec<u8>> {
        None
    }

    /// Takes over what an earlier instance learned.
    ///
    /// # Errors
    /// If the snapshot is not usable; the processor must then be as new.
    fn restore(&mut self, _snapshot: &[u8]) -> Result<(), ProcessError> {
        Ok(())
    }
}

/// Why a batch was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProcessError {
    /// The batch itself is the problem.
    #[error("{0}")]
    Permanent(String),
    /// Sending it again may help.
    #[error("{0}")]
    Retryable(String),
}

/// Which parallel copies of a processor may see a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Affinity {
    /// Any: the processor keeps no state between batches.
    Anywhere,
    /// Always the same one for the same key.
    ByKey(Key),
    /// There is only one.
    Single,
}

/// What batches are split by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// The resource's `service.name` (with its namespace).
    Service,
    /// All of the resource's attributes.
    Resource,
    /// The trace id; data without one goes by service.
    Trace,
}

/// A batch and the duty to say what became of it.
#[derive(Debug)]
pub struct Delivery {
    /// The data.
    pub batch: Batch,
    /// The duty.
    pub ack: Ack,
}

impl Delivery {
    /// A batch that nobody waits for.
    pub const fn unawaited(batch: Batch) -> Self {
        Self { batch, ack: Ack::none() }
    }
}

/// Where a processor puts its results.
#[derive(Debug, Default)]
pub struct Output {
    emitted: Vec<Delivery>,
    current: Option<Ack>,
}

impl Output {
    /// An output for the batch whose duty is `ack`. The engine calls this, and tests.
    pub fn for_batch(ack: Ack) -> Self {
        Self { emitted: Vec::new(), current: Some(ack) }
    }

    /// Hands a batch on. It shares the duty of the batch in hand: the sender learns that its batch was delivered only
    /// when this one was too. On a tick there is no batch in hand, and nobody waits.
    pub fn emit(&mut self, batch: impl Into<Batch>) {
        let ack = self.current.clone().unwrap_or_else(Ack::none);
        self.emitted.push(Delivery { batch: batch.into(), ack });
    }

    /// Takes over the duty of the batch in hand, for a processor that holds data back; goes on with
    /// [`Output::emit_held`].
    pub fn hold(&mut self) -> Ack {
        self.current.take().unwrap_or_else(Ack::none)
    }

    /// Hands on a batch that was held back.
    pub fn emit_held(&mut self, batch: impl Into<Batch>, ack: Ack) {
        self.emitted.push(Delivery { batch: batch.into(), ack });
    }

    /// Ends the batch in hand: what was not emitted was dropped on purpose. Returns what was emitted.
    pub fn finish(mut self, result: Result<(), ProcessError>) -> Vec<Delivery> {
        if let Some(ack) = self.current.take() {
            match result {
                Ok(()) => ack.done(),
                Err(ProcessError::Permanent(reason)) => ack.fail(crate::Nack::permanent(reason)),
                Err(ProcessError::Retryable(reason)) => ack.fail(crate::Nack::retryable(reason)),
            }
        }
        self.emitted
    }

    /// What was emitted so far.
    pub fn take(&mut self) -> Vec<Delivery> {
        std::mem::take(&mut self.emitted)
    }
}
