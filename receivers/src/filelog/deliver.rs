//! Between the thread that reads and the pipeline that takes.
//!
//! Reading blocks, so it has a thread of its own. It hands batches over through a short channel; when that is full, it waits,
//! and so do the files. Batches are sent in order, several at once; a file's mark moves on when its batch and all before
//! it have been taken.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use component::{Clock, Ingress, NackKind, Outcome, RunError, Shutdown};
use futures::future::BoxFuture;
use pdata::{Logs, Timestamp};
use tokio::sync::mpsc;

use super::batcher::Packet;
use super::checkpoint::Checkpoints;
use super::config::Retry;
use super::identity::{FileId, Mark};
use super::poller::Poller;
use super::read::{Sink, Stopped};

/// Batches that are read ahead.
const CHANNEL: usize = 2;
/// Batches that are on their way at once: few enough that what one stage wrote is still in the processor's cache when the next one
/// reads it, and enough for 10 MB a second where an answer takes a tenth of a second.
const WINDOW: usize = 8;
/// Bytes that are on their way at once, but for one batch more.
const WINDOW_BYTES: usize = 32 << 20;
/// The state is stored at most this often.
const SAVE_INTERVAL: Duration = Duration::from_millis(200);

/// When nobody takes batches any more, all that is left to do is to note what is still delivered.
const UNTIL_STOPPED: Duration = Duration::from_secs(3600);

/// What the thread works with.
pub(super) struct Worker {
    pub(super) poller: Poller,
    pub(super) checkpoints: Checkpoints,
    pub(super) clock: Clock,
    pub(super) interval: Duration,
}

/// What the two sides tell each other beside batches.
#[derive(Default)]
struct Shared {
    state: Mutex<News>,
    changed: Condvar,
}

#[derive(Default)]
struct News {
    commits: BTreeMap<FileId, Mark>,
    stop: bool,
}

impl Shared {
    fn tell(&self, change: impl FnOnce(&mut News)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_one();
    }

    /// Waits until it is told to stop, or `timeout` has passed; takes what was delivered meanwhile.
    fn wait(&self, timeout: Duration) -> (BTreeMap<FileId, Mark>, bool) {
        let news = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut news, _) = self
            .changed
            .wait_timeout_while(news, timeout, |news| !news.stop)
            .unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut news.commits), news.stop)
    }
}

/// Ends the thread when the receiver ends, however it ends.
struct StopOnDrop(Arc<Shared>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.tell(|news| news.stop = true);
    }
}

struct ToChannel(mpsc::Sender<Packet>);

impl Sink for ToChannel {
    fn put(&mut self, packet: Packet) -> Result<(), Stopped> {
        self.0.blocking_send(packet).map_err(|_| Stopped)
    }
}

/// Reads and delivers until `shutdown` is requested.
pub(super) async fn run(
    worker: Worker,
    retry: &Retry,
    ingress: Ingress,
    shutdown: Shutdown,
) -> Result<(), RunError> {
    let shared = Arc::new(Shared::default());
    let stop = StopOnDrop(Arc::clone(&shared));
    let (sender, packets) = mpsc::channel(CHANNEL);
    let (done, mut ended) = mpsc::channel::<()>(1);
    let thread = thread::Builder::new().name("filelog".to_owned()).spawn({
        let shared = Arc::clone(&shared);
        move || {
            worker.run(&shared, sender);
            drop(done);
        }
    });
    let thread =
        thread.map_err(|source| RunError::Io { what: "cannot start a thread".to_owned(), source })?;
    let mut delivery = Delivery { ingress, retry, shared, in_flight: VecDeque::new(), bytes: 0 };
    delivery.run(packets, &shutdown).await;
    drop(stop);
    // The thread stores the state one last time.
    let _ = ended.recv().await;
    thread.join().map_err(|_| RunError::Other("the thread that reads the files panicked".to_owned()))
}

impl Worker {
    fn run(mut self, shared: &Shared, sender: mpsc::Sender<Packet>) {
        let mut sink = ToChannel(sender);
        // Where reading begins is worth storing before anything has been read.
        let (mut saved, mut is_changed) = (Timestamp::default(), true);
        loop {
            let now = self.clock.now();
            let round = self.poller.round(now, &mut sink);
            let timeout = if matches!(round, Ok(true)) { Duration::ZERO } else { self.interval };
            let (commits, stop) = shared.wait(if round.is_err() { UNTIL_STOPPED } else { timeout });
            is_changed |= !commits.is_empty();
            commits.into_iter().for_each(|(id, mark)| self.poller.commit(id, mark));
            if is_changed && (stop || now.since(saved) >= SAVE_INTERVAL) {
                (saved, is_changed) = (now, false);
                self.save();
            }
            if stop {
                return;
            }
        }
    }

    fn save(&self) {
        if let Err(error) = self.checkpoints.save(&self.poller.state()) {
            tracing::error!(%error, "cannot store how far the files have been read: a restart would read some of it again");
        }
    }
}

/// Sends batches and waits for their outcomes, in order.
struct Delivery<'a> {
    ingress: Ingress,
    retry: &'a Retry,
    shared: Arc<Shared>,
    in_flight: VecDeque<Flight>,
    /// What is in flight.
    bytes: usize,
}

struct Flight {
    bytes: usize,
    logs: Option<Logs>,
    /// Until its outcome is known.
    pending: Option<BoxFuture<'static, Outcome>>,
    outcome: Outcome,
    marks: BTreeMap<FileId, Mark>,
}

impl Delivery<'_> {
    async fn run(&mut self, mut packets: mpsc::Receiver<Packet>, shutdown: &Shutdown) {
        let mut wait = self.retry.initial_interval.get();
        loop {
            let has_room = self.in_flight.len() < WINDOW && self.bytes < WINDOW_BYTES;
            tokio::select! {
                biased;
                () = shutdown.requested() => break,
                outcome = head_outcome(&mut self.in_flight), if !self.in_flight.is_empty() => {
                    let is_settled = tokio::select! {
                        is_settled = self.settle(outcome, &mut wait) => is_settled,
                        () = shutdown.requested() => break,
                    };
                    if is_settled {
                        wait = self.retry.initial_interval.get();
                    }
                }
                packet = packets.recv(), if has_room => match packet {
                    Some(packet) => self.send(packet).await,
                    None => break,
                },
            }
        }
        // From here on nothing is taken in, which also ends the thread's waiting for room; what was taken in is sent.
        packets.close();
        while let Some(packet) = packets.recv().await {
            self.send(packet).await;
        }
        // What is refused now is read again after the restart.
        while !self.in_flight.is_empty() {
            if head_outcome(&mut self.in_flight).await.is_err_and(|nack| !nack.is_permanent()) {
                return;
            }
            self.commit_head();
        }
    }

    async fn send(&mut self, packet: Packet) {
        let Packet { bytes, items, marks } = packet;
        self.bytes += bytes.len();
        let mut flight = Flight { bytes: bytes.len(), logs: None, pending: None, outcome: Ok(()), marks };
        if items > 0 {
            let logs = Logs::from_encoder(Bytes::from(bytes), items);
            flight.pending = Some(Box::pin(self.ingress.send(logs.clone(), None).await.outcome()));
            flight.logs = Some(logs);
        }
        self.in_flight.push_back(flight);
    }

    /// Deals with the outcome of the oldest batch; false if it is to be sent again.
    async fn settle(&mut self, outcome: Outcome, wait: &mut Duration) -> bool {
        let Err(nack) = outcome else {
            self.commit_head();
            return true;
        };
        let NackKind::Retryable { after } = nack.kind else {
            tracing::error!(reason = %nack.reason, "records were refused for good");
            self.commit_head();
            return true;
        };
        tracing::debug!(reason = %nack.reason, "records were refused and are sent again");
        tokio::time::sleep(after.unwrap_or(*wait).max(*wait)).await;
        *wait = (*wait * 2).min(self.retry.max_interval.get().max(self.retry.initial_interval.get()));
        if let Some(flight) = self.in_flight.front_mut()
            && let Some(logs) = flight.logs.clone()
        {
            flight.pending = Some(Box::pin(self.ingress.send(logs, None).await.outcome()));
        }
        false
    }

    fn commit_head(&mut self) {
        if let Some(flight) = self.in_flight.pop_front() {
            self.bytes -= flight.bytes;
            self.shared.tell(|news| news.commits.extend(flight.marks));
        }
    }
}

/// The outcome of the oldest batch on its way. Cancellation safe, and the same when it is asked for again.
async fn head_outcome(in_flight: &mut VecDeque<Flight>) -> Outcome {
    let Some(flight) = in_flight.front_mut() else { return Ok(()) };
    if let Some(pending) = &mut flight.pending {
        flight.outcome = pending.await;
        flight.pending = None;
    }
    flight.outcome.clone()
}
