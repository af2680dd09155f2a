//! Words and punctuation as numbers.

use foldhash::fast::FixedState;
use indexmap::IndexSet;

/// What is known to vary, by earlier lines.
pub(super) const STAR: u32 = 0;
/// What varies by its looks.
pub(super) const MASK: u32 = 1;
/// A secret.
pub(super) const SECRET: u32 = 2;

/// The words seen so far. A word's number is good until the next [`Words::keep`].
#[derive(Clone, Debug)]
pub(super) struct Words {
    set: IndexSet<Box<str>, FixedState>,
    seed: u64,
    bytes: usize,
}

/// What a word costs besides its letters: its entry in the set and in the index, and the allocation.
const OVERHEAD: usize = 56;

impl Words {
    pub(super) fn new(seed: u64) -> Self {
        let mut words = Self { set: IndexSet::with_hasher(FixedState::with_seed(seed)), seed, bytes: 0 };
        // Not texts that a line can have as words: none has an angle bracket in it.
        for reserved in ["<*>", "<MASK>", "<SECRET>"] {
            words.number(reserved);
        }
        words
    }

    /// The word's number, a new one if need be.
    pub(super) fn number(&mut self, word: &str) -> u32 {
        if let Some(at) = self.set.get_index_of(word) {
            return at as u32;
        }
        self.bytes += word.len() + OVERHEAD;
        self.set.insert_full(word.into()).0 as u32
    }

    /// The word with this number.
    pub(super) fn text(&self, number: u32) -> &str {
        self.set.get_index(number as usize).map_or("", |word| word)
    }

    /// All words, by their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.set.iter().map(|word| &**word)
    }

    /// Bytes in use.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.set.len()
    }

    /// Keeps only these words. Returns the new numbers by the old ones.
    pub(super) fn keep(&mut self, used: &[bool]) -> Vec<u32> {
        let mut kept = Self::new(self.seed);
        let mut numbers = vec![STAR; self.set.len()];
        for (old, word) in self.set.iter().enumerate() {
            if used.get(old).copied().unwrap_or_default() || old <= SECRET as usize {
                numbers[old] = kept.number(word);
            }
        }
        *self = kept;
        numbers
    }
}
