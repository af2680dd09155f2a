//! Delivery to one exporter: queue, batching, timeout, retry, dead letter, acknowledgement.
//!
//! Every exporter is a branch of its own. Offering it a delivery never waits, so a stuck one delays no other; what it
//! cannot take is refused, and the sender learns that.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use component::delivery::DeliverySettings;
use component::{Ack, ComponentKey, Context, Counter, Delivery, ExportError, Exporter, Gauge, Nack};
use futures::FutureExt;
use pdata::{Batch, Signal, SignalSet};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use crate::panic_text;
use crate::queue::Queue;
use crate::retry::BackOff;

/// One exporter with everything around it.
pub(crate) struct Branch {
    key: ComponentKey,
    signals: SignalSet,
    settings: DeliverySettings,
    exporter: Arc<dyn Exporter>,
    context: Context,
    queue: Queue,
    dead_letter: OnceLock<Arc<Self>>,
    counters: [Counters; 4],
    in_flight: Gauge,
    panics: Counter,
    /// Cancelled when a shutdown begins: from then on a failed attempt is the last one.
    closing: CancellationToken,
    /// Cancelled when the deadline of a shutdown has passed: give up what is still under way.
    abandon: CancellationToken,
}

struct Counters {
    sent: Counter,
    send_failed: Counter,
    enqueue_failed: Counter,
}

impl Branch {
    /// A branch for `exporter`. Nothing moves before [`Branch::run`].
    pub(crate) fn new(
        exporter: Arc<dyn Exporter>,
        signals: SignalSet,
        settings: DeliverySettings,
        context: Context,
    ) -> Self {
        let name = context.key.id.to_string();
        let labels = [("exporter", name.as_str())];
        let telemetry = &context.telemetry;
        let counters = Signal::ALL.map(|signal| {
            let counter = |what: &str, help: &str| {
                telemetry.counter(&format!("otelcol_exporter_{what}_{}", signal.items_name()), help, &labels)
            };
            Counters {
                sent: counter("sent", "Items that the other side took."),
                send_failed: counter("send_failed", "Items that could not be delivered."),
                enqueue_failed: counter("enqueue_failed", "Items that found the queue full."),
            }
        });
        let capacity = if settings.sending_queue.enabled { settings.sending_queue.queue_size } else { 1 };
        telemetry
            .gauge("otelcol_exporter_queue_capacity", "What fits into the queue.", &labels)
            .set(capacity as f64);
        let size = telemetry.gauge("otelcol_exporter_queue_size", "What waits in the queue.", &labels);
        let queue = Queue::new(
            capacity,
            settings.sending_queue.sizer,
            settings.sending_queue.block_on_overflow,
            size,
        );
        Self {
            key: context.key.clone(),
            signals,
            in_flight: telemetry.gauge(
                "otelcol_exporter_in_flight_requests",
                "Batches being sent now.",
                &labels,
            ),
            panics: telemetry.counter(
                "otelcol_component_panics",
                "Panics that were caught.",
                &[("component", &name)],
            ),
            settings,
            exporter,
            context,
            queue,
            dead_letter: OnceLock::new(),
            counters,
            closing: CancellationToken::new(),
            abandon: CancellationToken::new(),
        }
    }

    /// The exporter that gets what this one cannot deliver, as configured.
    pub(crate) const fn settings(&self) -> &DeliverySettings {
        &self.settings
    }

    /// Names the branch that gets what this one cannot deliver. Only the first call counts.
    pub(crate) fn set_dead_letter(&self, branch: Arc<Self>) {
        // Set once, right after all branches exist.
        let _ = self.dead_letter.set(branch);
    }

    /// Whether the exporter takes `signal`.
    pub(crate) const fn takes(&self, signal: Signal) -> bool {
        self.signals.contains(signal)
    }

    /// Offers a delivery; never waits for the other side.
    pub(crate) fn offer(&self, delivery: Delivery) {
        let signal = delivery.batch.signal();
        let items = delivery.batch.items() as u64;
        let Delivery { batch, ack } = delivery;
        let early = !self.settings.sending_queue.wait_for_result;
        // An early answer takes the duty away from what waits in the queue.
        let (queued, early) = if early { (Ack::none(), Some(ack)) } else { (ack, None) };
        match self.queue.push(Delivery { batch, ack: queued }) {
            Ok(()) => early.into_iter().for_each(Ack::done),
            Err((queued, nack)) => {
                self.counters[signal.index()].enqueue_failed.add(items);
                debug!(exporter = %self.key.id, reason = %nack, "refused a batch");
                match early {
                    // What was queued is nobody's duty then.
                    Some(ack) => ack.fail(nack),
                    None => queued.fail(nack),
                }
            }
        }
    }

    /// Delivers until the queue is closed and empty.
    pub(crate) async fn run(self: Arc<Self>) {
        self.context.health.ok();
        let consumers =
            if self.settings.sending_queue.enabled { self.settings.sending_queue.num_consumers } else { 1 };
        let mut tasks = JoinSet::new();
        for _ in 0..consumers {
            let this = Arc::clone(&self);
            tasks.spawn(async move {
                while let Some(delivery) = this.queue.pop().await {
                    this.deliver(delivery).await;
                }
            });
        }
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                error!(exporter = %self.key.id, %error, "a delivery task ended badly");
            }
        }
    }

    /// Takes nothing in any more, delivers what waits until `deadline`, then gives up the rest and closes the exporter.
    pub(crate) async fn shut_down(&self, runner: tokio::task::JoinHandle<()>, deadline: Instant) {
        self.closing.cancel();
        self.queue.close();
        let mut runner = runner;
        if tokio::time::timeout_at(deadline, &mut runner).await.is_err() {
            self.abandon.cancel();
            self.queue.abandon(&Nack::retryable("shut down before it could be delivered"));
            // Everything under way sees the cancellation at its next wait.
            if tokio::time::timeout(Duration::from_secs(1), &mut runner).await.is_err() {
                runner.abort();
            }
            warn!(exporter = %self.key.id, "not everything could be delivered before the shutdown deadline");
        }
        let closed = AssertUnwindSafe(self.exporter.shutdown()).catch_unwind();
        match tokio::time::timeout(Duration::from_secs(5), closed).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => error!(exporter = %self.key.id, %error, "closing failed"),
            Ok(Err(panic)) => {
                error!(exporter = %self.key.id, panic = panic_text(panic.as_ref()), "closing panicked")
            }
            Err(_) => error!(exporter = %self.key.id, "closing took too long"),
        }
    }

    async fn deliver(&self, delivery: Delivery) {
        let Delivery { batch, ack } = delivery;
        let counters = &self.counters[batch.signal().index()];
        let items = batch.items() as u64;
        match self.attempts(&batch).await {
            Ok(()) => {
                counters.sent.add(items);
                self.context.health.ok();
                ack.done();
            }
            Err(nack) => {
                counters.send_failed.add(items);
                match self.dead_letter.get().filter(|branch| branch.takes(batch.signal())) {
                    Some(dead_letter) => {
                        warn!(exporter = %self.key.id, items, reason = %nack, to = %dead_letter.key.id, "not delivered");
                        dead_letter.offer(Delivery { batch, ack });
                    }
                    None => {
                        error!(exporter = %self.key.id, items, reason = %nack, "not delivered");
                        ack.fail(nack);
                    }
                }
            }
        }
    }

    async fn attempts(&self, batch: &Batch) -> Result<(), Nack> {
        let retry = &self.settings.retry_on_failure;
        let started = Instant::now();
        let mut back_off = BackOff::new(retry, self.context.clock.now().as_nanos());
        loop {
            let (reason, after) = match self.attempt(batch).await {
                Ok(()) => return Ok(()),
                Err(ExportError::Permanent { reason }) => return Err(Nack::permanent(reason)),
                Err(ExportError::Retryable { reason, after }) => (reason, after),
            };
            self.context.health.recovering(reason.clone());
            let wait = back_off.next(after);
            let limit = retry.max_elapsed_time.get();
            let exhausted = !limit.is_zero() && started.elapsed() + wait > limit;
            if !retry.enabled || exhausted || self.closing.is_cancelled() {
                return Err(Nack { kind: component::NackKind::Retryable { after }, reason: reason.into() });
            }
            debug!(exporter = %self.key.id, reason, ?wait, "will try again");
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.closing.cancelled() => {}
            }
        }
    }

    async fn attempt(&self, batch: &Batch) -> Result<(), ExportError> {
        self.in_flight.add(1.0);
        let result = self.guarded_export(batch.clone()).await;
        self.in_flight.add(-1.0);
        result
    }

    async fn guarded_export(&self, batch: Batch) -> Result<(), ExportError> {
        let export = AssertUnwindSafe(self.exporter.export(batch)).catch_unwind();
        let timeout = self.settings.timeout.get();
        let bounded = async {
            if timeout.is_zero() {
                return Ok(export.await);
            }
            tokio::time::timeout(timeout, export).await
        };
        let ended = tokio::select! {
            ended = bounded => ended,
            () = self.abandon.cancelled() => return Err(ExportError::retryable("shut down while sending")),
        };
        match ended {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => {
                let text = panic_text(panic.as_ref());
                error!(exporter = %self.key.id, panic = text, "the exporter panicked");
                self.panics.add(1);
                self.context.health.restarted();
                Err(ExportError::permanent(format!("exporter {} panicked", self.key.id)))
            }
            Err(_) => Err(ExportError::retryable(format!("no answer within {timeout:?}"))),
        }
    }
}
