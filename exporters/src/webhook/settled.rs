//! Remembers what became of events, so that a batch that is tried again does not repeat those that are settled.

use std::collections::{HashMap, VecDeque};

/// Delivered, or refused for this reason.
pub(super) type Fate = Result<(), String>;

/// How many events are remembered: more than any batch that is worth retrying holds.
const CAPACITY: usize = 4096;

/// The fates of the last [`CAPACITY`] events.
#[derive(Default)]
pub(super) struct Settled {
    fates: HashMap<String, Fate>,
    order: VecDeque<String>,
}

impl Settled {
    /// What became of the event, if it is remembered.
    pub(super) fn get(&self, id: &str) -> Option<&Fate> {
        self.fates.get(id)
    }

    /// Remembers an event; forgets the oldest one if there are too many.
    pub(super) fn insert(&mut self, id: String, fate: Fate) {
        if self.fates.insert(id.clone(), fate).is_none() {
            self.order.push_back(id);
        }
        while self.order.len() > CAPACITY {
            if let Some(oldest) = self.order.pop_front() {
                self.fates.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_the_oldest_and_stays_bounded() {
        let mut settled = Settled::default();
        for n in 0..=CAPACITY {
            settled.insert(n.to_string(), Ok(()));
        }
        assert_eq!(settled.fates.len(), CAPACITY);
        assert!(settled.get("0").is_none());
        assert!(settled.get("1").is_some());
    }
}
