//! Records that are held back until more is known about the logs of their services.

use std::collections::HashMap;
use std::time::Duration;

use component::Ack;
use foldhash::fast::RandomState;
use pdata::{Logs, Timestamp};

use super::change::Change;

/// How many services are remembered; when there are more, all begin anew.
const MAX_SERVICES: usize = 100_000;

/// How long to hold back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// The first so many records of a service.
    pub(super) records: usize,
    /// No longer than this.
    pub(super) time: Duration,
    /// No more than this.
    pub(super) bytes: usize,
}

/// A batch that waits, with what is to change about each of its records as it was known then.
pub(super) struct Held {
    pub(super) logs: Logs,
    pub(super) ack: Ack,
    pub(super) changes: Vec<Change>,
    services: Vec<Box<str>>,
    bytes: usize,
}

#[derive(Clone, Copy)]
struct Service {
    since: Timestamp,
    records: usize,
}

/// What waits, and which services are known well enough.
pub(super) struct Waiting {
    patience: Patience,
    services: HashMap<Box<str>, Service, RandomState>,
    held: Vec<Held>,
    bytes: usize,
}

impl Waiting {
    pub(super) fn new(patience: Patience) -> Self {
        Self { patience, services: HashMap::default(), held: Vec::new(), bytes: 0 }
    }

    /// Whether anything is held back at all.
    pub(super) const fn is_wanted(&self) -> bool {
        self.patience.records > 0 && !self.patience.time.is_zero()
    }

    /// Says whether a service is still new, and counts its further records. They are counted only as long as it is.
    pub(super) fn is_new(&mut self, service: &str, records: impl FnOnce() -> usize, now: Timestamp) -> bool {
        if !self.is_wanted() {
            return false;
        }
        if let Some(known) = self.services.get_mut(service) {
            let is_new = is_new(self.patience, *known, now);
            if is_new {
                known.records = known.records.saturating_add(records());
            }
            return is_new;
        }
        if self.services.len() >= MAX_SERVICES {
            self.services.clear();
        }
        self.services.insert(service.into(), Service { since: now, records: records() });
        true
    }

    /// Holds a batch back.
    pub(super) fn push(&mut self, logs: Logs, ack: Ack, changes: Vec<Change>, services: Vec<Box<str>>) {
        let bytes = logs.encoded_len();
        self.bytes += bytes;
        self.held.push(Held { logs, ack, changes, services, bytes });
    }

    /// What has waited long enough, in the order in which it came.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<Held> {
        if self.held.is_empty() {
            return Vec::new();
        }
        if self.bytes > self.patience.bytes {
            // Too much: who waits now is known well enough.
            for service in self.held.iter().flat_map(|held| &held.services) {
                if let Some(known) = self.services.get_mut(service) {
                    known.records = usize::MAX;
                }
            }
            return self.all();
        }
        let (patience, services) = (self.patience, &self.services);
        let waits = |service: &str| services.get(service).is_some_and(|known| is_new(patience, *known, now));
        let (held, due): (Vec<Held>, Vec<Held>) = std::mem::take(&mut self.held)
            .into_iter()
            .partition(|held| held.services.iter().any(|service| waits(service)));
        self.held = held;
        self.bytes -= due.iter().map(|held| held.bytes).sum::<usize>().min(self.bytes);
        due
    }

    /// Everything that waits.
    pub(super) fn all(&mut self) -> Vec<Held> {
        self.bytes = 0;
        std::mem::take(&mut self.held)
    }
}

fn is_new(patience: Patience, service: Service, now: Timestamp) -> bool {
    service.records < patience.records && now.since(service.since) < patience.time
}
