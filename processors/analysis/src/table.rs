//! A bounded table keyed by identity: when it is full, an entry that was hardly used lately makes room.
//!
//! New entries are on probation until they are used again, so that a flood of entries that come once pushes out itself and not what
//! has been there for long (generalised CLOCK, Smith 1978).
//!
//! Which one depends only on the order of use, never on a hash map's order, so that a replay evicts the same entries.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};

/// A bounded table.
#[derive(Clone, Debug)]
pub struct Table<T> {
    slots: Vec<Slot<T>>,
    index: HashMap<u64, u32, FixedState>,
    capacity: usize,
    hand: usize,
    evicted: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Slot<T> {
    id: u64,
    /// One more with every use after the first, up to [`MOST_USES`]; one less when the hand passes, which evicts what has none.
    uses: u8,
    value: T,
}

/// So many rounds of the hand an entry survives that was in use.
const MOST_USES: u8 = 7;

impl<T> Slot<T> {
    fn used(&mut self) {
        self.uses = self.uses.saturating_add(1).min(MOST_USES);
    }
}

impl<T> Table<T> {
    /// An empty table with room for `capacity` entries, at least one.
    pub fn new(capacity: usize) -> Self {
        Self {
            slots: Vec::new(),
            index: HashMap::with_hasher(FixedState::with_seed(0)),
            capacity: capacity.clamp(1, u32::MAX as usize),
            hand: 0,
            evicted: 0,
        }
    }

    /// The entry `id`, made if there is none. Gives back what had to make room.
    pub fn entry(&mut self, id: u64, make: impl FnOnce() -> T) -> (&mut T, Option<T>) {
        if let Some(&at) = self.index.get(&id) {
            let slot = &mut self.slots[at as usize];
            slot.used();
            return (&mut slot.value, None);
        }
        let slot = Slot { id, uses: 0, value: make() };
        if self.slots.len() < self.capacity {
            let at = self.slots.len();
            self.index.insert(id, at as u32);
            self.slots.push(slot);
            return (&mut self.slots[at].value, None);
        }
        let at = self.victim();
        self.evicted += 1;
        self.index.remove(&self.slots[at].id);
        self.index.insert(id, at as u32);
        let old = std::mem::replace(&mut self.slots[at], slot);
        (&mut self.slots[at].value, Some(old.value))
    }

    /// The entry `id`, if there is one; does not count as use.
    pub fn get(&self, id: u64) -> Option<&T> {
        self.index.get(&id).map(|&at| &self.slots[at as usize].value)
    }

    /// The entry `id`, if there is one; counts as use.
    pub fn get_mut(&mut self, id: u64) -> Option<&mut T> {
        let slot = &mut self.slots[*self.index.get(&id)? as usize];
        slot.used();
        Some(&mut slot.value)
    }

    /// All entries, in an order that depends only on the order of use.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().map(|slot| &mut slot.value)
    }

    /// How many entries there are.
    pub const fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// How many entries there can be.
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many entries had to make room so far.
    pub const fn evicted(&self) -> u64 {
        self.evicted
    }

    fn victim(&mut self) -> usize {
        loop {
            self.hand = (self.hand + 1) % self.slots.len();
            let slot = &mut self.slots[self.hand];
            if slot.uses == 0 {
                return self.hand;
            }
            slot.uses -= 1;
        }
    }
}

impl<T: Serialize> Serialize for Table<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.hand as u64, self.evicted, &self.slots).serialize(serializer)
    }
}

/// What a table's snapshot holds. The capacity is the reader's.
#[derive(Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
pub struct Saved<T> {
    hand: u64,
    evicted: u64,
    slots: Vec<Slot<T>>,
}

impl<T> Saved<T> {
    /// A table with these entries, as far as they fit.
    pub fn into_table(mut self, capacity: usize) -> Table<T> {
        let mut table = Table::new(capacity);
        self.slots.truncate(table.capacity);
        table.index = self.slots.iter().zip(0..).map(|(slot, at)| (slot.id, at)).collect();
        table.hand = if self.slots.is_empty() { 0 } else { self.hand as usize % self.slots.len() };
        table.evicted = self.evicted;
        table.slots = self.slots;
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_forgets_what_was_not_used_lately() {
        let mut table = Table::new(3);
        for id in [1, 2, 3] {
            table.entry(id, || id);
        }
        assert_eq!(table.entry(4, || 4).1, Some(2));
        table.entry(3, || unreachable!());
        assert_eq!(table.entry(5, || 5).1, Some(1));
        assert_eq!((table.get(3), table.get(1), table.len(), table.evicted()), (Some(&3), None, 3, 2));
    }

    #[test]
    fn what_is_in_use_outlives_a_flood_of_what_comes_once() {
        let mut table = Table::new(10);
        for n in 0..1_000u64 {
            table.entry(0, || 0);
            table.entry(1_000 + n, || n);
        }
        assert_eq!((table.get(0), table.len()), (Some(&0), 10));
        // Once it is no longer used it goes, too.
        for n in 0..200u64 {
            table.entry(10_000 + n, || n);
        }
        assert_eq!(table.get(0), None);
    }

    #[test]
    fn a_snapshot_goes_on_alike_and_fits_a_smaller_table() {
        let mut table = Table::new(3);
        for id in 0..5u64 {
            table.entry(id, || id);
        }
        let bytes = postcard::to_allocvec(&table).unwrap();
        let saved = || postcard::from_bytes::<Saved<u64>>(&bytes).unwrap();
        let mut restored = saved().into_table(3);
        for id in 10..20 {
            assert_eq!(restored.entry(id, || id).1, table.entry(id, || id).1);
        }
        assert_eq!(saved().into_table(2).len(), 2);
    }
}
