//! From the hash of a line to its template, without a look at the tree: a table of fixed size.

/// How many entries share a place.
const WAYS: usize = 4;

/// What is remembered of a line.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    hash: u64,
    slot: u32,
    /// The generation of the slot; 0 means that the entry is empty.
    generation: u32,
}

/// The table.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    entries: Vec<Entry>,
    hand: usize,
}

impl Cache {
    /// One with at least `size` entries.
    pub(super) fn new(size: usize) -> Self {
        Self { entries: vec![Entry::default(); size.next_power_of_two().max(WAYS)], hand: 0 }
    }

    #[inline]
    fn place(&self, hash: u64) -> usize {
        hash as usize & (self.entries.len() - 1) & !(WAYS - 1)
    }

    /// The slot for this hash, with its generation.
    #[inline]
    pub(super) fn get(&self, hash: u64) -> Option<(u32, u32)> {
        let place = self.place(hash);
        let ways = &self.entries[place..place + WAYS];
        ways.iter()
            .find(|entry| entry.hash == hash && entry.generation != 0)
            .map(|entry| (entry.slot, entry.generation))
    }

    /// Remembers a slot; forgets another line for it if need be.
    pub(super) fn put(&mut self, hash: u64, slot: u32, generation: u32) {
        let place = self.place(hash);
        let ways = &mut self.entries[place..place + WAYS];
        let way = match ways.iter().position(|entry| entry.generation == 0 || entry.hash == hash) {
            Some(way) => way,
            None => {
                self.hand += 1;
                self.hand % WAYS
            }
        };
        ways[way] = Entry { hash, slot, generation };
    }

    /// Bytes in use.
    pub(super) fn bytes(&self) -> usize {
        self.entries.len() * size_of::<Entry>()
    }
}
