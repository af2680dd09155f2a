//! The batches of one signal that wait for company.

use std::collections::VecDeque;

use component::{Ack, Delivery};
use pdata::{Batch, Limits, Timestamp};

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
        let joined = Batch::join(std::mem::take(&mut self.batches));
        let mut parts: Vec<_> = joined.iter().flat_map(|batch| batch.split(Limits::items(most))).collect();
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
