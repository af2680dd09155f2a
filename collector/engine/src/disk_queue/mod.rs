//! A queue on disk: what is in it survives the process.
//!
//! A batch is acknowledged once it is on disk: a thread of its own writes whatever has come in since the last write, syncs
//! once for all of it, and answers. Consumers read it back in order. The cursor moves behind the oldest record that is not
//! delivered; after a crash everything from there on is delivered again, so a batch may arrive twice but is never lost.

mod segment;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use component::delivery::{Sizer, size};
use component::{Ack, Counter, Delivery, Gauge, Nack};
use tokio::sync::{Notify, mpsc};
use tracing::{error, warn};

use self::segment::{Found, Position};

/// A segment that has grown to this size is followed by a new one.
const SEGMENT_BYTES: u64 = 16 << 20;
/// Batches that may wait to be written.
const WRITE_QUEUE: usize = 256;
/// The cursor is written at least after so many records.
const REMEMBER_EVERY: u64 = 64;

/// A queue on disk.
pub(crate) struct DiskQueue {
    shared: Arc<Shared>,
    inbox: Mutex<Option<mpsc::Sender<Delivery>>>,
    capacity: u64,
    sizer: Sizer,
}

struct Shared {
    directory: PathBuf,
    state: Mutex<State>,
    /// Something was written, or the queue was closed.
    changed: Notify,
    size: Gauge,
    damaged: Counter,
}

#[derive(Default)]
struct State {
    read: Position,
    reader: Option<File>,
    written: Position,
    /// Handed out and not settled: where each begins, and its size.
    out: BTreeMap<Position, Option<Position>>,
    since_remembered: u64,
    size: u64,
    closed: bool,
    /// The writer has written its last.
    ended: bool,
}

impl DiskQueue {
    /// Opens the queue in `directory`, with what an earlier process left in it.
    ///
    /// # Errors
    /// If the directory cannot be read or written.
    pub(crate) fn open(
        directory: PathBuf,
        capacity: u64,
        sizer: Sizer,
        size_gauge: Gauge,
        damaged: Counter,
    ) -> io::Result<Self> {
        fs::create_dir_all(&directory)?;
        let state = recover(&directory, sizer, &damaged)?;
        size_gauge.set(state.size as f64);
        let file = segment::append_to(&directory, state.written.segment)?;
        let shared = Arc::new(Shared {
            directory,
            state: Mutex::new(state),
            changed: Notify::new(),
            size: size_gauge,
            damaged,
        });
        let (inbox, outbox) = mpsc::channel(WRITE_QUEUE);
        let writer = Writer { shared: Arc::clone(&shared), file, sizer };
        std::thread::Builder::new().name("disk-queue".to_owned()).spawn(move || writer.run(outbox))?;
        Ok(Self { shared, inbox: Mutex::new(Some(inbox)), capacity, sizer })
    }

    /// Puts a delivery in; it is acknowledged once it is on disk.
    ///
    /// # Errors
    /// The delivery's duty and why it was not taken, if the queue is full or closed.
    pub(crate) fn push(&self, delivery: Delivery) -> Result<(), (Ack, Nack)> {
        let inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(inbox) = inbox.as_ref() else {
            return Err((delivery.ack, Nack::retryable("the exporter is shutting down")));
        };
        {
            let state = self.shared.lock();
            let fits = state.size == 0
                || state.size.saturating_add(size(&delivery.batch, self.sizer)) <= self.capacity;
            if !fits {
                return Err((delivery.ack, Nack::retryable("the exporter's queue is full")));
            }
        }
        inbox.try_send(delivery).map_err(|error| {
            (error.into_inner().ack, Nack::retryable("the exporter's queue cannot be written fast enough"))
        })
    }

    /// Takes the next delivery, waiting for one; `None` once the queue is closed and everything was handed out. Its duty is
    /// to settle the record: it is forgotten when the duty is done, and stays when it fails. Cancellation safe.
    pub(crate) async fn pop(&self) -> Option<Delivery> {
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            match self.shared.next(self.sizer) {
                Next::Delivery(delivery) => {
                    self.shared.changed.notify_one();
                    return Some(delivery);
                }
                Next::Ended => {
                    self.shared.changed.notify_one();
                    return None;
                }
                Next::Empty => changed.await,
            }
        }
    }

    /// Takes nothing in any more. What is on disk is still handed out.
    pub(crate) fn close(&self) {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.shared.lock().closed = true;
        self.shared.changed.notify_one();
    }

    /// Hands out nothing any more: what is on disk stays for the next process.
    pub(crate) fn abandon(&self) {
        let mut state = self.shared.lock();
        state.closed = true;
        state.ended = true;
        state.read = state.written;
        state.reader = None;
        drop(state);
        self.shared.changed.notify_waiters();
    }
}

enum Next {
    Delivery(Delivery),
    Empty,
    Ended,
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(self: &Arc<Self>, sizer: Sizer) -> Next {
        let mut state = self.lock();
        while state.read < state.written {
            let position = state.read;
            match self.read(&mut state) {
                Ok(Found::Record(batch, next)) => {
                    state.read = next;
                    state.out.insert(position, None);
                    let weight = size(&batch, sizer);
                    let shared = Arc::clone(self);
                    let ack = Ack::new(move |outcome| {
                        if outcome.is_ok() {
                            shared.settle(position, next, weight);
                        }
                    });
                    return Next::Delivery(Delivery { batch, ack });
                }
                Ok(Found::End) => {
                    state.read = Position { segment: position.segment + 1, offset: 0 };
                    state.reader = None;
                }
                Ok(Found::Damaged) => self.skip_damage(&mut state),
                Err(error) => {
                    error!(directory = %self.directory.display(), %error, "the queue cannot be read");
                    return if state.ended { Next::Ended } else { Next::Empty };
                }
            }
        }
        if state.closed && state.ended { Next::Ended } else { Next::Empty }
    }

    fn read(&self, state: &mut State) -> io::Result<Found> {
        let position = state.read;
        if state.reader.is_none() {
            match File::open(segment::path(&self.directory, position.segment)) {
                Ok(file) => state.reader = Some(file),
                // A number that was never used.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::End),
                Err(error) => return Err(error),
            }
        }
        match &mut state.reader {
            Some(file) => segment::read(file, position),
            None => Ok(Found::End),
        }
    }

    fn skip_damage(&self, state: &mut State) {
        let position = state.read;
        self.damaged.add(1);
        warn!(directory = %self.directory.display(), ?position, "a damaged part of the queue was set aside");
        if let Err(error) = segment::set_aside(&self.directory, position) {
            error!(%error, "it could not be set aside");
        }
        state.read = Position { segment: position.segment + 1, offset: 0 };
        state.reader = None;
    }

    /// Forgets a delivered record, and moves the cursor if it was the oldest one.
    fn settle(&self, position: Position, next: Position, weight: u64) {
        let mut state = self.lock();
        state.size = state.size.saturating_sub(weight);
        self.size.set(state.size as f64);
        state.out.insert(position, Some(next));
        let mut cursor = None;
        while let Some(oldest) = state.out.first_entry() {
            let Some(behind) = *oldest.get() else { break };
            cursor = Some(behind);
            oldest.remove();
        }
        let Some(cursor) = cursor else { return };
        state.since_remembered += 1;
        let drained = state.out.is_empty();
        if drained || state.since_remembered >= REMEMBER_EVERY {
            state.since_remembered = 0;
            self.remember(cursor);
        }
    }

    fn remember(&self, cursor: Position) {
        let result = segment::remember(&self.directory, cursor).and_then(|()| {
            let segments = segment::list(&self.directory)?;
            let mut old = segments.into_iter().filter(|segment| *segment < cursor.segment);
            old.try_for_each(|segment| fs::remove_file(segment::path(&self.directory, segment)))
        });
        if let Err(error) = result {
            warn!(directory = %self.directory.display(), %error, "what was delivered cannot be noted");
        }
    }
}

/// Finds out where reading and writing go on, and how much waits.
fn recover(directory: &Path, sizer: Sizer, damaged: &Counter) -> io::Result<State> {
    let segments = segment::list(directory)?;
    let first = segments.first().copied().unwrap_or_default();
    let start =
        segment::remembered(directory)?.unwrap_or_default().max(Position { segment: first, offset: 0 });
    let mut state = State { read: start, written: start, ..State::default() };
    for number in segments.into_iter().filter(|number| *number >= start.segment) {
        let mut position =
            if number == start.segment { start } else { Position { segment: number, offset: 0 } };
        let mut file = File::open(segment::path(directory, number))?;
        loop {
            match segment::read(&mut file, position)? {
                Found::Record(batch, next) => {
                    state.size += size(&batch, sizer);
                    position = next;
                }
                Found::End => break,
                Found::Damaged => {
                    damaged.add(1);
                    warn!(directory = %directory.display(), ?position, "an unfinished or damaged record was set aside");
                    segment::set_aside(directory, position)?;
                    break;
                }
            }
        }
        state.written = position;
    }
    Ok(state)
}

struct Writer {
    shared: Arc<Shared>,
    file: File,
    sizer: Sizer,
}

impl Writer {
    fn run(mut self, mut inbox: mpsc::Receiver<Delivery>) {
        let mut group = Vec::new();
        while let Some(first) = inbox.blocking_recv() {
            group.push(first);
            while group.len() < WRITE_QUEUE
                && let Ok(more) = inbox.try_recv()
            {
                group.push(more);
            }
            match self.write(&group) {
                Ok(()) => group.drain(..).for_each(|delivery| delivery.ack.done()),
                Err(error) => {
                    let directory = self.shared.directory.display();
                    error!(%directory, %error, "the queue cannot be written");
                    let nack = Nack::retryable("the exporter's queue cannot be written");
                    group.drain(..).for_each(|delivery| delivery.ack.fail(nack.clone()));
                }
            }
        }
        self.shared.lock().ended = true;
        self.shared.changed.notify_one();
    }

    /// Appends a group and syncs it. On failure nothing of it counts, and what was written of it is cut off again.
    fn write(&mut self, group: &[Delivery]) -> io::Result<()> {
        let before = self.shared.lock().written;
        if before.offset >= SEGMENT_BYTES {
            self.roll(before.segment + 1)?;
        }
        let start = self.shared.lock().written;
        let records: Vec<u8> = group.iter().flat_map(|delivery| segment::encode(&delivery.batch)).collect();
        if let Err(error) = self.file.write_all(&records).and_then(|()| self.file.sync_data()) {
            // A reader never looks behind `written`, so a failure here leaves at worst a torn end for the next start.
            let cut = self.file.set_len(start.offset);
            return Err(cut.err().unwrap_or(error));
        }
        let mut state = self.shared.lock();
        state.written.offset += records.len() as u64;
        state.size += group.iter().map(|delivery| size(&delivery.batch, self.sizer)).sum::<u64>();
        self.shared.size.set(state.size as f64);
        drop(state);
        self.shared.changed.notify_one();
        Ok(())
    }

    fn roll(&mut self, segment: u64) -> io::Result<()> {
        self.file = segment::append_to(&self.shared.directory, segment)?;
        File::open(&self.shared.directory)?.sync_all()?;
        let mut state = self.shared.lock();
        state.written = Position { segment, offset: 0 };
        Ok(())
    }
}
