//! The batches of one signal that wait for company.

use std::collections::VecDeque;
use std::sync::Arc;

use component::{Ack, Delivery};
use pdata::{Batch, Otlp, Payload, Timestamp};
use pdata::{Limits, merge, split};

/// The batches of one signal that wait for company, in the order in which they came.
#[derive(Default)]
pub(super) struct Held {
    batches: Vec<Batch>,
    /// Who waits for how many of the items, in the same order.
    acks: VecDeque<(usize, Ack)>,
    items: usize,
    since: Timestamp,
}

impl Held {
    /// Takes in a batch that is not empty.
    pub(super) fn push(&mut self, batch: Batch, ack: Ack, now: Timestamp) {
        if self.batches.is_empty() {
            self.since = now;
        }
        let items = batch.items();
        self.items += items;
        self.batches.push(batch);
        self.acks.push_back((items, ack));
    }

    /// How many items wait.
    pub(super) const fn items(&self) -> usize {
        self.items
    }

    /// Since when the oldest one has been waiting, if any does.
    pub(super) fn since(&self) -> Option<Timestamp> {
        (!self.batches.is_empty()).then_some(self.since)
    }

    /// How many senders wait for an answer.
    pub(super) fn awaited(&self) -> usize {
        self.acks.iter().filter(|(_, ack)| ack.is_awaited()).count()
    }

    /// Takes everything out, joined and then split into batches of at most `most` items (0: without bound). What would
    /// be a batch of fewer than `least` items stays.
    pub(super) fn take(&mut self, most: usize, least: usize, now: Timestamp) -> Vec<Delivery> {
        let mut parts = join_and_split(std::mem::take(&mut self.batches), most);
        if let Some(last) = parts.pop_if(|last| last.items() < least) {
            self.batches.push(last);
        }
        self.since = now;
        parts
            .into_iter()
            .map(|batch| {
                self.items -= batch.items().min(self.items);
                let ack = self.share(batch.items());
                Delivery { batch, ack }
            })
            .collect()
    }

    /// The duty for the oldest `items` items.
    fn share(&mut self, mut items: usize) -> Ack {
        let mut acks = Vec::new();
        while items > 0 {
            let Some((waiting, ack)) = self.acks.pop_front() else { break };
            if waiting > items {
                acks.push(ack.clone());
                self.acks.push_front((waiting - items, ack));
                break;
            }
            items -= waiting;
            acks.push(ack);
        }
        Ack::merge(acks)
    }
}

/// Batches of one signal, joined and then split into parts of at most `most` items (0: without bound).
fn join_and_split(batches: Vec<Batch>, most: usize) -> Vec<Batch> {
    let mut traces = Vec::new();
    let mut metrics = Vec::new();
    let mut logs = Vec::new();
    let mut events = Vec::new();
    for batch in batches {
        match batch {
            Batch::Traces(batch) => traces.push(batch),
            Batch::Metrics(batch) => metrics.push(batch),
            Batch::Logs(batch) => logs.push(batch),
            Batch::Events(batch) => events.extend(Arc::unwrap_or_clone(batch)),
        }
    }
    let events: Vec<_> = match most {
        0 if events.is_empty() => Vec::new(),
        0 => vec![Batch::events(events)],
        most => events.chunks(most).map(|part| Batch::events(part.to_vec())).collect(),
    };
    let parts = parts(traces, most).map(Batch::from);
    parts
        .chain(self::parts(metrics, most).map(Batch::from))
        .chain(self::parts(logs, most).map(Batch::from))
        .chain(events)
        .collect()
}

fn parts<T: Payload>(batches: Vec<Otlp<T>>, most: usize) -> impl Iterator<Item = Otlp<T>> {
    let joined = (!batches.is_empty()).then(|| merge(batches));
    joined.into_iter().flat_map(move |joined| split(&joined, Limits::items(most)))
}
