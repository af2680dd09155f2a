//! Inputs that can be told to end.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::signal::unix::{SignalKind, signal};

/// How often an input that has nothing to read looks whether it was told to end, in nanoseconds.
const LOOK: i64 = 100_000_000;

/// How much a pipe holds at most, unless a process was allowed more.
const PIPE: usize = 1 << 20;

/// Tells all inputs that have a clone of it to end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Ctrl-C tells them, from the moment on at which this returns.
    ///
    /// # Errors
    /// If it cannot be listened for.
    pub(crate) fn on_interrupt() -> io::Result<Self> {
        let stop = Self::default();
        let told = stop.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let mut interrupts = {
            let _guard = runtime.enter();
            signal(SignalKind::interrupt())?
        };
        std::thread::Builder::new().name("interrupt".to_owned()).spawn(move || {
            if runtime.block_on(interrupts.recv()).is_some() {
                told.0.store(true, Ordering::Release);
            }
        })?;
        Ok(stop)
    }

    /// Whether the inputs were told to end.
    pub(super) fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A file, a pipe or a terminal that ends when it is told to, also while it waits for more.
pub(super) struct Stoppable {
    file: File,
    stop: Stop,
    /// How much is still read after that if it is there.
    left: usize,
}

impl Stoppable {
    pub(super) const fn new(file: File, stop: Stop) -> Self {
        Self { file, stop, left: PIPE }
    }
}

impl Read for Stoppable {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let is_stopped = self.stop.is_stopped();
            let room = if is_stopped { buffer.len().min(self.left) } else { buffer.len() };
            let timeout = Timespec { tv_sec: 0, tv_nsec: if is_stopped { 0 } else { LOOK } };
            match poll(&mut [PollFd::new(&self.file, PollFlags::IN)], Some(&timeout)) {
                Ok(0) if is_stopped => return Ok(0),
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                // What cannot be waited for can be read, or says why it cannot.
                Ok(_) | Err(_) => {
                    let n = self.file.read(buffer.get_mut(..room).unwrap_or_default())?;
                    self.left -= if is_stopped { n } else { 0 };
                    return Ok(n);
                }
            }
        }
    }
}
