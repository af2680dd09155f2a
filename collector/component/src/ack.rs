//! Acknowledgement, end to end.
//!
//! Every batch travels with an [`Ack`]. Whoever splits a batch splits the ack, whoever merges batches merges the acks,
//! and when the last part is resolved the receiver learns the worst outcome. An ack that is dropped without a word
//! counts as failed, so no path through the code can claim a delivery that did not happen.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What became of a batch.
pub type Outcome = Result<(), Nack>;

/// A batch was not delivered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Nack {
    /// Whether sending it again may help.
    pub kind: NackKind,
    /// Why: a lowercase fragment without payload.
    pub reason: Arc<str>,
}

/// Whether sending a refused batch again may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NackKind {
    /// It may, after this long if it is said.
    Retryable {
        /// How long the sender should wait.
        after: Option<Duration>,
    },
    /// It will not: the batch itself is the problem.
    Permanent,
}

impl Nack {
    /// Sending again may help.
    pub fn retryable(reason: impl Into<Arc<str>>) -> Self {
        Self { kind: NackKind::Retryable { after: None }, reason: reason.into() }
    }

    /// Sending again after `after` may help.
    pub fn retry_after(after: Duration, reason: impl Into<Arc<str>>) -> Self {
        Self { kind: NackKind::Retryable { after: Some(after) }, reason: reason.into() }
    }

    /// Sending again will not help.
    pub fn permanent(reason: impl Into<Arc<str>>) -> Self {
        Self { kind: NackKind::Permanent, reason: reason.into() }
    }

    /// Whether sending again will not help.
    pub const fn is_permanent(&self) -> bool {
        matches!(self.kind, NackKind::Permanent)
    }
}

/// The duty to say what became of a batch, or of a part of it. Cloning splits the duty.
#[derive(Default)]
pub struct Ack {
    shared: Option<Arc<Shared>>,
    resolved: bool,
}

type Complete = Box<dyn FnOnce(Outcome) + Send>;

struct Shared {
    failure: Mutex<Option<Nack>>,
    complete: Mutex<Option<Complete>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        let failure = self.failure.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(complete) = self.complete.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            complete(failure.map_or(Ok(()), Err));
        }
    }
}

impl Ack {
    /// For a batch that nobody waits for, such as events that a processor made on a tick.
    pub const fn none() -> Self {
        Self { shared: None, resolved: true }
    }

    /// Calls `complete` once, with the worst outcome of all parts, when every part is resolved.
    pub fn new(complete: impl FnOnce(Outcome) + Send + 'static) -> Self {
        let shared = Shared { failure: Mutex::new(None), complete: Mutex::new(Some(Box::new(complete))) };
        Self { shared: Some(Arc::new(shared)), resolved: false }
    }

    /// One duty that stands for all of `acks`: each learns the merged batch's outcome.
    pub fn merge(mut acks: Vec<Self>) -> Self {
        acks.retain(|ack| ack.shared.is_some());
        match acks.len() {
            0 => Self::none(),
            1 => acks.swap_remove(0),
            _ => Self::new(move |outcome| acks.into_iter().for_each(|ack| ack.resolve(outcome.clone()))),
        }
    }

    /// Splits the duty into `n` equal ones. With none the part counts as delivered.
    pub fn split(self, n: usize) -> Vec<Self> {
        let mut parts = vec![self; n.max(1)];
        if n == 0 {
            parts.drain(..).for_each(Self::done);
        }
        parts
    }

    /// The part was delivered, or was dropped on purpose (a filter).
    pub fn done(mut self) {
        self.resolved = true;
    }

    /// The part was not delivered.
    pub fn fail(mut self, nack: Nack) {
        self.note(nack);
    }

    /// The part came to `outcome`.
    pub fn resolve(self, outcome: Outcome) {
        match outcome {
            Ok(()) => self.done(),
            Err(nack) => self.fail(nack),
        }
    }

    /// Whether somebody waits for the outcome.
    pub const fn is_awaited(&self) -> bool {
        self.shared.is_some()
    }

    fn note(&mut self, nack: Nack) {
        self.resolved = true;
        let Some(shared) = &self.shared else { return };
        let mut failure = shared.failure.lock().unwrap_or_else(PoisonError::into_inner);
        // A sender that retries gets another chance for all parts; one that gives up loses those that could succeed. So
        // retryable outweighs permanent.
        match failure.as_ref() {
            Some(known) if !known.is_permanent() || nack.is_permanent() => {}
            _ => *failure = Some(nack),
        }
    }
}

impl Clone for Ack {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), resolved: self.shared.is_none() }
    }
}

impl Drop for Ack {
    fn drop(&mut self) {
        if !self.resolved {
            self.note(Nack::retryable("the batch was dropped on its way"));
        }
    }
}

impl fmt::Debug for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_awaited() { "Ack(awaited)" } else { "Ack(none)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn awaited() -> (Ack, Arc<Mutex<Option<Outcome>>>) {
        let outcome = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&outcome);
        (Ack::new(move |outcome| *seen.lock().unwrap() = Some(outcome)), outcome)
    }

    #[test]
    fn completes_only_when_every_part_is_resolved() {
        let (ack, outcome) = awaited();
        let part = ack.clone();
        ack.done();
        assert_eq!(*outcome.lock().unwrap(), None);
        part.done();
        assert_eq!(*outcome.lock().unwrap(), Some(Ok(())));
    }

    #[test]
    fn a_dropped_part_is_a_retryable_failure() {
        let (ack, outcome) = awaited();
        drop(ack.clone());
        ack.done();
        assert!(matches!(*outcome.lock().unwrap(), Some(Err(ref nack)) if !nack.is_permanent()));
    }

    #[test]
    fn merged_acks_all_learn_the_outcome() {
        let (a, outcome_a) = awaited();
        let (b, outcome_b) = awaited();
        Ack::merge(vec![a, Ack::none(), b]).fail(Nack::permanent("no"));
        assert_eq!(*outcome_a.lock().unwrap(), Some(Err(Nack::permanent("no"))));
        assert_eq!(*outcome_b.lock().unwrap(), Some(Err(Nack::permanent("no"))));
    }

    #[test]
    fn split_acks_complete_when_the_last_one_does() {
        let (ack, outcome) = awaited();
        let mut parts = ack.split(3);
        let last = parts.pop().unwrap();
        parts.into_iter().for_each(Ack::done);
        assert_eq!(*outcome.lock().unwrap(), None);
        last.done();
        assert_eq!(*outcome.lock().unwrap(), Some(Ok(())));
        let (ack, outcome) = awaited();
        assert!(ack.split(0).is_empty());
        assert_eq!(*outcome.lock().unwrap(), Some(Ok(())));
    }

    #[test]
    fn retryable_outweighs_permanent() {
        let (ack, outcome) = awaited();
        ack.clone().fail(Nack::permanent("bad"));
        ack.clone().fail(Nack::retryable("busy"));
        ack.fail(Nack::permanent("bad"));
        assert_eq!(*outcome.lock().unwrap(), Some(Err(Nack::retryable("busy"))));
    }
}
