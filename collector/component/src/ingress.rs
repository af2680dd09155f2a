//! A receiver's way into the pipelines.

use std::sync::Arc;

use async_trait::async_trait;
use pdata::{Batch, Signal, SignalSet};
use tokio::sync::oneshot;

use crate::{Ack, Admission, Counter, Nack, Outcome, Permit, Telemetry};

/// What the engine puts behind an [`Ingress`].
#[async_trait]
pub trait Intake: Send + Sync {
    /// Hands the batch to every pipeline that wants its signal, waiting while their queues are full.
    async fn push(&self, batch: Batch, ack: Ack);

    /// The signals that some pipeline wants.
    fn wanted(&self) -> SignalSet;
}

/// A receiver's way into the pipelines. Counts what is accepted, refused and failed. Cheap to clone.
#[derive(Clone)]
pub struct Ingress {
    intake: Arc<dyn Intake>,
    admission: Admission,
    counters: Arc<[Counters; 4]>,
}

#[derive(Debug)]
struct Counters {
    accepted: Counter,
    refused: Counter,
    failed: Counter,
}

/// The outcome of a batch, later. Dropping it does not withdraw the batch.
#[derive(Debug)]
pub struct Pending(oneshot::Receiver<Outcome>);

impl Pending {
    /// Waits until every exporter, or its durable queue, has the batch.
    ///
    /// # Errors
    /// If it was not delivered.
    pub async fn outcome(self) -> Outcome {
        self.0.await.unwrap_or_else(|_| Err(Nack::retryable("the pipeline ended")))
    }
}

impl Ingress {
    /// A way into `intake` for the receiver called `receiver`.
    pub fn new(receiver: &str, intake: Arc<dyn Intake>, admission: Admission, telemetry: &Telemetry) -> Self {
        let counters = Signal::ALL.map(|signal| {
            let counter = |what: &str, help: &str| {
                let name = format!("otelcol_receiver_{what}_{}", signal.items_name());
                telemetry.counter(&name, help, &[("receiver", receiver)])
            };
            Counters {
                accepted: counter("accepted", "Items that every exporter, or its durable queue, has."),
                refused: counter("refused", "Items that were refused and may be sent again."),
                failed: counter("failed", "Items that were refused for good."),
            }
        });
        Self { intake, admission, counters: Arc::new(counters) }
    }

    /// The signals that some pipeline wants from this receiver.
    pub fn wanted(&self) -> SignalSet {
        self.intake.wanted()
    }

    /// The memory gate. A receiver of requests asks it before it reads a body and gives the permit to
    /// [`Ingress::send`].
    pub const fn admission(&self) -> &Admission {
        &self.admission
    }

    /// Sends a batch and waits for its outcome.
    ///
    /// # Errors
    /// If it was not delivered.
    pub async fn deliver(&self, batch: impl Into<Batch> + Send, permit: Option<Permit>) -> Outcome {
        self.send(batch, permit).await.outcome().await
    }

    /// Sends a batch. Waits only while the pipelines' queues are full, and for memory if no `permit` is given. The
    /// batch's memory stays charged until its outcome is known.
    pub async fn send(&self, batch: impl Into<Batch> + Send, permit: Option<Permit>) -> Pending {
        let batch = batch.into();
        let (sender, receiver) = oneshot::channel();
        let pending = Pending(receiver);
        let permit = match permit {
            Some(permit) => permit,
            None => match self.admission.admit(batch.encoded_len()).await {
                Ok(permit) => permit,
                Err(refusal) => {
                    let nack = Nack::retry_after(refusal.retry_after, refusal.to_string());
                    self.counters[batch.signal().index()].refused.add(batch.items() as u64);
                    // The receiving end is held above.
                    let _ = sender.send(Err(nack));
                    return pending;
                }
            },
        };
        let (signal, items) = (batch.signal(), batch.items() as u64);
        let counters = Arc::clone(&self.counters);
        let ack = Ack::new(move |outcome| {
            let counters = &counters[signal.index()];
            match &outcome {
                Ok(()) => counters.accepted.add(items),
                Err(nack) if nack.is_permanent() => counters.failed.add(items),
                Err(_) => counters.refused.add(items),
            }
            drop(permit);
            // A receiver that went away does not want to know.
            let _ = sender.send(outcome);
        });
        self.intake.push(batch, ack).await;
        pending
    }

    /// Counts items that were refused before they became a batch.
    pub fn count_refused(&self, signal: Signal, items: u64) {
        self.counters[signal.index()].refused.add(items);
    }

    /// Counts items that were refused for good before they became a batch, such as malformed input.
    pub fn count_failed(&self, signal: Signal, items: u64) {
        self.counters[signal.index()].failed.add(items);
    }
}
