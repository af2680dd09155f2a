//! Receivers that look for themselves, once per interval.

use std::time::Duration;

use async_trait::async_trait;
use component::{Ingress, Outcome, RunError, Shutdown};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use pdata::Metrics;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// How many batches may wait for their outcome: more than a few mean that nothing gets through, and newer values are of
/// more use than a longer queue.
const MAX_PENDING: usize = 8;

/// Finds out how things are now.
#[async_trait]
pub(crate) trait Collect: Send {
    /// What there is to report, if there is anything. May be dropped half-way at shutdown.
    ///
    /// # Errors
    /// If it cannot go on at all.
    async fn collect(&mut self) -> Result<Option<Metrics>, RunError>;
}

/// Calls `collector` every `interval`, first after `initial_delay`, and sends what it finds, until `shutdown`; then waits
/// for the outcome of what was sent. Intervals that pass during a collection are skipped.
pub(crate) async fn run(
    collector: &mut dyn Collect,
    (initial_delay, interval): (Duration, Duration),
    ingress: &Ingress,
    shutdown: &Shutdown,
) -> Result<(), RunError> {
    let mut ticks = interval_at(Instant::now() + initial_delay, interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut pending = FuturesUnordered::new();
    let result = loop {
        tokio::select! {
            biased;
            () = shutdown.requested() => break Ok(()),
            Some(outcome) = pending.next() => note(outcome),
            _ = ticks.tick(), if pending.len() < MAX_PENDING => {
                let collected = tokio::select! {
                    biased;
                    () = shutdown.requested() => break Ok(()),
                    collected = collector.collect() => collected,
                };
                match collected {
                    Ok(Some(metrics)) => pending.push(ingress.send(metrics, None).await.outcome()),
                    Ok(None) => {}
                    Err(error) => break Err(error),
                }
            }
        }
    };
    while let Some(outcome) = pending.next().await {
        note(outcome);
    }
    result
}

/// There is no sender to tell, and the next values are on their way; the ingress has counted it.
fn note(outcome: Outcome) {
    if let Err(nack) = outcome {
        tracing::warn!(%nack, "collected metrics were not delivered");
    }
}
