//! Records that are held back because more of their lines may come.
//!
//! Each keeps its own share of the duty to answer its sender, so that a sender waits for its own records only.

use component::Ack;
use pdata::Logs;

use super::stream::{Earlier, Reading, Role};

/// The first lines of a record.
pub(super) struct Unfinished {
    pub(super) earlier: Earlier,
    pub(super) logs: Logs,
    pub(super) ack: Ack,
}

/// What is held back.
#[derive(Default)]
pub(super) struct Store {
    held: Vec<Unfinished>,
    bytes: usize,
}

impl Store {
    pub(super) const fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Takes out what `is_wanted`, in the order in which it came.
    pub(super) fn take(&mut self, mut is_wanted: impl FnMut(u64) -> bool) -> Vec<Unfinished> {
        let taken: Vec<Unfinished> =
            self.held.extract_if(.., |unfinished| is_wanted(unfinished.earlier.stream)).collect();
        self.bytes -= taken.iter().map(|it| it.logs.encoded_len()).sum::<usize>().min(self.bytes);
        taken
    }

    /// Whether so much more may be held back.
    pub(super) const fn has_room(&self, bytes: usize, limit: usize) -> bool {
        self.bytes.saturating_add(bytes) <= limit
    }

    /// Holds back those records of a batch that are open. `taken` is what the batch begins with, `own` the duty for the rest of
    /// it. Returns the batch without them, and the duty for it.
    pub(super) fn split(
        &mut self,
        logs: &Logs,
        reading: &Reading<'_>,
        taken: Vec<Unfinished>,
        own: Ack,
    ) -> (Logs, Ack) {
        let mut acks: Vec<(u64, Ack)> = taken.into_iter().map(|it| (it.earlier.stream, it.ack)).collect();
        for (number, record) in reading.records.iter().enumerate().filter(|(_, record)| record.is_open) {
            let part = select(logs, |role| role == Role::Head(number) || role == Role::Part(number), reading);
            // Who sent its first lines, and who may have sent the others.
            let first = acks.iter().position(|(stream, _)| *stream == record.stream);
            let first = first.map(|at| acks.swap_remove(at).1);
            let ack = Ack::merge(first.into_iter().chain([own.clone()]).collect());
            self.bytes += part.encoded_len();
            let earlier = Earlier { stream: record.stream, n_lines: record.n_lines };
            self.held.push(Unfinished { earlier, logs: part, ack });
        }
        let rest = select(logs, |role| !reading.is_held(role), reading);
        (rest, Ack::merge(acks.into_iter().map(|(_, ack)| ack).chain([own]).collect()))
    }
}

fn select(logs: &Logs, mut is_wanted: impl FnMut(Role) -> bool, reading: &Reading<'_>) -> Logs {
    let mut at = 0;
    logs.retain(|_, _, _| {
        at += 1;
        is_wanted(reading.role(at - 1))
    })
}
