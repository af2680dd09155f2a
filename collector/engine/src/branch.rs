//! Delivery to one exporter: queue, batching, timeout, retry, dead letter, acknowledgement.
//!
//! Every exporter is a branch of its own. Offering it a delivery never waits, so a stuck one delays no other; what it
//! cannot take is refused, and the sender learns that.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use component::delivery::DeliverySettings;
use component::{
    Ack, ComponentKey, Context, Counter, Delivery, ExportError, Exporter, Gauge, Nack, RunError,
};
use futures::FutureExt;
use pdata::{Batch, Signal, SignalSet};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::batching;
use crate::disk_queue::DiskQueue;
use crate::panic_text;
use crate::queue::Queue;
use crate::retry::BackOff;
use crate::trouble::Trouble;

/// One exporter with everything around it.
pub(crate) struct Branch {
    key: ComponentKey,
    signals: SignalSet,
    settings: DeliverySettings,
    exporter: Arc<dyn Exporter>,
    context: Context,
    waiting: Waiting,
    dead_letter: OnceLock<Arc<Self>>,
    counters: [Counters; 4],
    in_flight: Gauge,
    panics: Counter,
    trouble: Trouble,
    /// Cancelled when a shutdown begins: from then on a failed attempt is the last one.
    closing: CancellationToken,
    /// Cancelled when the deadline of a shutdown has passed: give up what is still under way.
    abandon: CancellationToken,
}

/// What stands in front of an exporter.
pub(crate) enum Waiting {
    /// Gone with the process.
    Memory(Queue),
    /// There after a restart.
    Disk(DiskQueue),
}

impl Waiting {
    fn push(&self, delivery: Delivery) -> Result<(), (Ack, Nack)> {
        match self {
            Self::Memory(queue) => queue.push(delivery),
            Self::Disk(queue) => queue.push(delivery),
        }
    }

    async fn pop(&self) -> Option<Delivery> {
        match self {
            Self::Memory(queue) => queue.pop().await,
            Self::Disk(queue) => queue.pop().await,
        }
    }

    fn close(&self) {
        match self {
            Self::Memory(queue) => queue.close(),
            Self::Disk(queue) => queue.close(),
        }
    }

    fn abandon(&self) {
        match self {
            Self::Memory(queue) => queue.abandon(&Nack::retryable("shut down before it could be delivered")),
            Self::Disk(queue) => queue.abandon(),
        }
    }

    /// Whether what is in it survives the process.
    const fn is_durable(&self) -> bool {
        matches!(self, Self::Disk(_))
    }
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
        waiting: Waiting,
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
            waiting,
            dead_letter: OnceLock::new(),
            trouble: Trouble::default(),
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

    /// What stands in front of the exporter of `context`, as `settings` ask for.
    ///
    /// # Errors
    /// If a queue on disk cannot be opened.
    pub(crate) fn waiting(settings: &DeliverySettings, context: &Context) -> Result<Waiting, RunError> {
        let name = context.key.id.to_string();
        let labels = [("exporter", name.as_str())];
        let queue = &settings.sending_queue;
        let capacity = if queue.enabled { queue.queue_size } else { 1 };
        let gauge = |name: &str, help: &str| context.telemetry.gauge(name, help, &labels);
        gauge("otelcol_exporter_queue_capacity", "What fits into the queue.").set(capacity as f64);
        let size = gauge("otelcol_exporter_queue_size", "What waits in the queue.");
        let Some(storage) = &queue.storage else {
            return Ok(Waiting::Memory(Queue::new(capacity, queue.sizer, queue.block_on_overflow, size)));
        };
        let help = "Damaged parts of a queue on disk that were set aside.";
        let damaged = context.telemetry.counter("otelcol_exporter_queue_damaged", help, &labels);
        let storage = context.storages.get(storage);
        let storage = storage
            .ok_or_else(|| RunError::Other(format!("no storage for the queue of {name} is running")))?;
        let opened = storage
            .client(&context.key, "queue")
            .map_err(|error| (error.to_string(), error.source))
            .and_then(|client| {
                let directory = client.directory();
                let what = format!("cannot open the queue in {}", directory.display());
                DiskQueue::open(directory, capacity, queue.sizer, size, damaged)
                    .map_err(|error| (what, error))
            });
        opened.map(Waiting::Disk).map_err(|(what, source)| RunError::Io { what, source })
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
        match self.waiting.push(Delivery { batch, ack: queued }) {
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
        let finished = self.settings.sending_queue.batch.clone().map(|batch| {
            let (ready, finished) = batching::channel();
            let this = Arc::clone(&self);
            tasks.spawn(async move { batching::run(&batch, || this.waiting.pop(), ready).await });
            finished
        });
        for _ in 0..consumers {
            let (this, finished) = (Arc::clone(&self), finished.clone());
            tasks.spawn(async move {
                loop {
                    let next = match &finished {
                        Some(finished) => finished.next().await,
                        None => this.waiting.pop().await,
                    };
                    let Some(delivery) = next else { break };
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
        self.waiting.close();
        let mut runner = runner;
        if tokio::time::timeout_at(deadline, &mut runner).await.is_err() {
            self.abandon.cancel();
            self.waiting.abandon();
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

    /// Sends one batch now, past the queue, and returns when it was taken or given up.
    pub(crate) async fn send(&self, batch: &Batch) -> Result<(), Nack> {
        let counters = &self.counters[batch.signal().index()];
        let items = batch.items() as u64;
        let result = self.attempts(batch).await;
        if result.is_ok() {
            counters.sent.add(items);
            self.context.health.ok();
            if self.trouble.is_over() {
                info!(exporter = %self.key.id, "delivers again");
            }
        } else {
            counters.send_failed.add(items);
        }
        result
    }

    /// Ends a branch that was only used with [`Branch::send`].
    pub(crate) async fn close(&self) -> Result<(), ExportError> {
        self.exporter.shutdown().await
    }

    async fn deliver(&self, delivery: Delivery) {
        let Delivery { batch, ack } = delivery;
        let items = batch.items() as u64;
        let Err(nack) = self.send(&batch).await else {
            ack.done();
            return;
        };
        match self.dead_letter.get().filter(|branch| branch.takes(batch.signal())) {
            Some(dead_letter) => {
                warn!(exporter = %self.key.id, items, reason = %nack, to = %dead_letter.key.id, "not delivered");
                dead_letter.offer(Delivery { batch, ack });
            }
            // What is on disk can wait for the next start.
            None if self.waiting.is_durable() && !self.closing.is_cancelled() => {
                error!(exporter = %self.key.id, items, reason = %nack, "not delivered, and dropped");
                ack.done();
            }
            None => {
                error!(exporter = %self.key.id, items, reason = %nack, "not delivered");
                ack.fail(nack);
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
            if self.trouble.goes_on() {
                warn!(exporter = %self.key.id, reason, ?wait, "could not deliver, trying again");
            } else {
                debug!(exporter = %self.key.id, reason, ?wait, "trying again");
            }
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
                self.context.health.recovering(format!("panicked: {text}"));
                Err(ExportError::permanent(format!("exporter {} panicked", self.key.id)))
            }
            Err(_) => Err(ExportError::retryable(format!("no answer within {timeout:?}"))),
        }
    }
}
