//! A lane: an input, a chain of stages, and the branches at its end.
//!
//! Every pipeline is a lane, and so is every connector. Each stage has a task per shard with a bounded queue in front;
//! batches for keyed stages are split by the key's hash, so that
//! one key always meets the same shard, in order.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use component::{Ack, Affinity, Clock, Context, Delivery, Nack};
use pdata::{Batch, Signal, SignalSet};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use crate::branch::Branch;
use crate::partition::partition;
use crate::stage::{Slot, Stage};

/// Batches that may wait in front of one shard of a stage. Small, because what waits here is memory; large enough that
/// a burst does not stall a receiver.
const STAGE_QUEUE: usize = 64;

/// How often a clock that does not move by itself is looked at.
const MANUAL_CLOCK_POLL: Duration = Duration::from_millis(10);

/// A lane's fixed address: what stands behind it is exchanged on a reload.
pub(crate) struct LaneInput {
    name: String,
    signals: SignalSet,
    target: ArcSwapOption<Target>,
}

/// Where a delivery goes next.
pub(crate) enum Target {
    /// Into a stage.
    Stage(Shards),
    /// To the ends of the lane.
    Ends(Ends),
}

/// The queues of one stage.
pub(crate) struct Shards {
    affinity: Affinity,
    senders: Vec<mpsc::Sender<Message>>,
    turn: AtomicUsize,
}

/// What a stage's task is told.
pub(crate) enum Message {
    /// Work.
    Deliver(Delivery),
    /// Say what the processors have learned.
    Snapshot(oneshot::Sender<Vec<Learned>>),
}

/// What one processor has learned.
pub(crate) struct Learned {
    /// Who learned it.
    pub(crate) context: Context,
    /// In its own form.
    pub(crate) snapshot: Vec<u8>,
}

/// The branches at the end of a lane.
#[derive(Default)]
pub(crate) struct Ends {
    /// Exporters.
    pub(crate) branches: Vec<Arc<Branch>>,
    /// Other lanes, each with the signals that go there.
    pub(crate) lanes: Vec<(Arc<LaneInput>, SignalSet)>,
}

impl LaneInput {
    /// The address of a lane that takes `signals`. Nothing stands behind it yet.
    pub(crate) fn new(name: String, signals: SignalSet) -> Self {
        Self { name, signals, target: ArcSwapOption::empty() }
    }

    /// The signals that the lane takes.
    pub(crate) const fn signals(&self) -> SignalSet {
        self.signals
    }

    /// Puts `target` behind the address, or nothing; what stood there before is drained once nobody uses it any more.
    pub(crate) fn aim(&self, target: Option<Arc<Target>>) {
        self.target.store(target);
    }

    /// Hands a delivery in, waiting while the first stage's queue is full.
    pub(crate) async fn push(&self, delivery: Delivery) {
        match self.target.load_full() {
            Some(target) => target.push(delivery).await,
            None => delivery.ack.fail(Nack::retryable(format!("pipeline {} is not running", self.name))),
        }
    }
}

impl Target {
    async fn push(&self, delivery: Delivery) {
        match self {
            Self::Stage(shards) => shards.push(delivery).await,
            Self::Ends(ends) => ends.push(delivery).await,
        }
    }
}

impl Shards {
    fn new(affinity: Affinity, senders: Vec<mpsc::Sender<Message>>) -> Self {
        Self { affinity, senders, turn: AtomicUsize::new(0) }
    }

    async fn push(&self, delivery: Delivery) {
        match self.affinity {
            _ if self.senders.len() == 1 => self.send(0, delivery).await,
            Affinity::Single => self.send(0, delivery).await,
            Affinity::Anywhere => {
                let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.senders.len();
                self.send(turn, delivery).await;
            }
            Affinity::ByKey(key) => {
                let shards = NonZeroUsize::new(self.senders.len()).unwrap_or(NonZeroUsize::MIN);
                let parts = partition(delivery.batch, key, shards);
                let acks = delivery.ack.split(parts.len());
                for ((shard, batch), ack) in parts.into_iter().zip(acks) {
                    self.send(shard, Delivery { batch, ack }).await;
                }
            }
        }
    }

    async fn send(&self, shard: usize, delivery: Delivery) {
        let sent = self.senders[shard].send(Message::Deliver(delivery)).await;
        if let Err(mpsc::error::SendError(Message::Deliver(delivery))) = sent {
            delivery.ack.fail(Nack::retryable("a pipeline stage ended"));
        }
    }
}

impl Ends {
    /// Whether anything at the end of the lane takes `signal`.
    fn takers(&self, signal: Signal) -> usize {
        self.branches.iter().filter(|branch| branch.takes(signal)).count()
            + self.lanes.iter().filter(|(_, signals)| signals.contains(signal)).count()
    }

    /// Hands a delivery to every branch that takes its signal. What nothing takes, such as events in a pipeline whose
    /// exporters want none, ends here.
    async fn push(&self, delivery: Delivery) {
        let signal = delivery.batch.signal();
        let mut acks = delivery.ack.split(self.takers(signal)).into_iter();
        let mut next =
            |batch: &Batch| Delivery { batch: batch.clone(), ack: acks.next().unwrap_or_else(Ack::none) };
        for branch in self.branches.iter().filter(|branch| branch.takes(signal)) {
            branch.offer(next(&delivery.batch));
        }
        for (lane, _) in self.lanes.iter().filter(|(_, signals)| signals.contains(signal)) {
            Box::pin(lane.push(next(&delivery.batch))).await;
        }
    }
}

/// A stage's queues before its tasks run: data may already wait in them.
pub(crate) struct Prepared {
    /// Weak, so that the tasks end when nobody else can send to them.
    senders: Vec<mpsc::WeakSender<Message>>,
    inboxes: Vec<mpsc::Receiver<Message>>,
    next: Arc<Target>,
}

/// Makes the queues of a lane's stages, last first, each knowing the next.
pub(crate) fn prepare(stages: &[(Affinity, usize)], ends: Ends) -> (Arc<Target>, Vec<Prepared>) {
    let mut next = Arc::new(Target::Ends(ends));
    let mut prepared = Vec::with_capacity(stages.len());
    for (affinity, shards) in stages.iter().rev() {
        let (senders, inboxes): (Vec<_>, _) = (0..*shards).map(|_| mpsc::channel(STAGE_QUEUE)).unzip();
        prepared.push(Prepared {
            senders: senders.iter().map(mpsc::Sender::downgrade).collect(),
            inboxes,
            next,
        });
        next = Arc::new(Target::Stage(Shards::new(*affinity, senders)));
    }
    prepared.reverse();
    (next, prepared)
}

/// A running stage: one task per shard.
pub(crate) struct RunningStage {
    tasks: Vec<JoinHandle<Vec<Slot>>>,
    senders: Vec<mpsc::WeakSender<Message>>,
}

impl RunningStage {
    /// Starts the tasks of a stage, one for each of `shards`.
    pub(crate) fn spawn(prepared: Prepared, shards: Vec<Stage>, clock: &Clock) -> Self {
        let tasks = prepared.inboxes.into_iter().zip(shards).map(|(inbox, stage)| {
            tokio::spawn(run_shard(inbox, stage, Arc::clone(&prepared.next), clock.clone()))
        });
        Self { tasks: tasks.collect(), senders: prepared.senders }
    }

    /// What the processors have learned so far.
    pub(crate) async fn snapshot(&self) -> Vec<Learned> {
        let mut learned = Vec::new();
        for sender in self.senders.iter().filter_map(mpsc::WeakSender::upgrade) {
            let (answer, answered) = oneshot::channel();
            if sender.send(Message::Snapshot(answer)).await.is_ok()
                && let Ok(answer) = answered.await
            {
                learned.extend(answer);
            }
        }
        learned
    }

    /// Waits for the tasks to end, and gives back the processors in their places.
    pub(crate) async fn join(self) -> Vec<Slot> {
        let mut slots = Vec::new();
        for task in self.tasks {
            match task.await {
                Ok(ended) => slots.extend(ended),
                Err(error) => tracing::error!(%error, "a pipeline stage ended badly"),
            }
        }
        slots
    }
}

async fn run_shard(
    mut inbox: mpsc::Receiver<Message>,
    mut stage: Stage,
    next: Arc<Target>,
    clock: Clock,
) -> Vec<Slot> {
    let period = if clock.is_manual() { MANUAL_CLOCK_POLL } else { stage.tick_interval() };
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last_tick = Instant::now();
    loop {
        // Data first: on a clock that somebody advances, time must not overtake the data that was sent before it. On the
        // system's clock a busy stage must not forget the time, though.
        let overdue = !clock.is_manual() && last_tick.elapsed() >= period * 2;
        let emitted = tokio::select! {
            biased;
            () = std::future::ready(()), if overdue => {
                last_tick = Instant::now();
                stage.tick(clock.now())
            }
            message = inbox.recv() => match message {
                Some(Message::Snapshot(answer)) => {
                    // Whoever asked may have gone away.
                    let _ = answer.send(stage.learned());
                    Vec::new()
                }
                Some(Message::Deliver(delivery)) => {
                    let mut emitted = stage.process(delivery);
                    if inbox.is_empty() {
                        emitted.extend(stage.idle());
                    }
                    emitted
                }
                None => break,
            },
            _ = ticks.tick() => {
                last_tick = Instant::now();
                stage.tick(clock.now())
            }
        };
        for delivery in emitted {
            next.push(delivery).await;
        }
    }
    for delivery in stage.flush(clock.now()) {
        next.push(delivery).await;
    }
    stage.into_slots()
}
