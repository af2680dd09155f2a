//! Which template a line is of.
//!
//! In: lines taken apart ([`Masked`]). Out: their templates, exact counts, and a [`Merge`] whenever templates turn out to
//! be one. Lines of a kind seen before are found by a hash in a table of fixed size; the others by their shape and
//! words (`group`). Everything is bounded: when the budget is used up, what was seen least and longest ago is
//! forgotten, and its lines are counted as other.
//!
//! After Drain (He et al., ICWS 2017) in that lines are first told apart by shape and then by similarity, but without its
//! dependence on the order of lines.

mod cache;
mod group;
mod hash;
mod learn;
mod portable;
mod room;
mod slots;
#[cfg(test)]
mod tests;
mod words;

use foldhash::fast::FixedState;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use self::cache::Cache;
use self::group::{Group, Rule};
use self::hash::Key;
use self::slots::Slots;
use self::words::Words;
use super::mask::{Kind, Masked};
use super::template::{Template, TemplateId};

/// How many positions a template has, at most: as many as there are bits in a set of them.
const MAX_POSITIONS: usize = 128;

/// How lines become templates, and how much of them is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// At most so many different words at a position are templates of their own; with one more the position varies.
    pub distinct_words: usize,
    /// The share of words, 0 to 1, that two lines must have in common for the others to be a variable.
    pub similarity: f64,
    /// How many templates are kept.
    pub max_templates: usize,
    /// How many rows of one shape are kept.
    pub max_rows: usize,
    /// How many bytes all of it may take.
    pub max_bytes: usize,
    /// How many lines the table in front of the tree remembers.
    pub cache: usize,
    /// The key of the hash. Nothing depends on it, unless somebody knows it.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            distinct_words: 5,
            similarity: 0.5,
            max_templates: 10_000,
            max_rows: 512,
            max_bytes: 32 << 20,
            cache: 1 << 14,
            seed: 0,
        }
    }
}

/// A template turned out to be part of a more general one; its count went there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merge {
    /// The one that is no more.
    pub old: TemplateId,
    /// The one that its lines are of now.
    pub new: TemplateId,
}

/// Learns templates from lines.
#[derive(Clone, Debug)]
pub struct Miner {
    settings: Settings,
    key: Key,
    cache: Cache,
    words: Words,
    groups: IndexMap<Box<[u32]>, Group, FixedState>,
    slots: Slots,
    merges: Vec<Merge>,
    /// Reused from line to line.
    scratch: Scratch,
    /// Bytes in groups and slots.
    bytes: usize,
}

/// A line as numbers.
#[derive(Clone, Debug, Default)]
struct Scratch {
    tokens: Vec<u32>,
    kinds: Vec<Kind>,
    glue: Vec<u32>,
    text: String,
}

impl Miner {
    /// One that knows nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            key: Key::new(settings.seed),
            cache: Cache::new(settings.cache),
            words: Words::new(settings.seed),
            groups: IndexMap::with_hasher(FixedState::with_seed(settings.seed)),
            slots: Slots::default(),
            merges: Vec::new(),
            scratch: Scratch::default(),
            bytes: 0,
        }
    }

    /// Counts a line, and says what its template is as far as is known now.
    pub fn learn(&mut self, masked: &Masked<'_>) -> &Template {
        let hash = self.key.of(masked, MAX_POSITIONS);
        let slot = match self.cached(hash) {
            Some(slot) => slot,
            None => {
                let slot = self.insert(masked);
                self.cache.put(hash, slot, self.slots.generation(slot));
                slot
            }
        };
        self.slots.count(slot);
        self.slots.template(slot)
    }

    /// Makes the template of a line known without counting the line.
    pub fn seed_line(&mut self, masked: &Masked<'_>) {
        self.insert(masked);
    }

    /// The template of a line as far as is known, without counting it.
    pub fn look_up(&mut self, masked: &Masked<'_>) -> Option<&Template> {
        let hash = self.key.of(masked, MAX_POSITIONS);
        let slot = match self.cached(hash) {
            Some(slot) => slot,
            None => {
                let slot = self.known(masked)?;
                self.cache.put(hash, slot, self.slots.generation(slot));
                slot
            }
        };
        Some(self.slots.template(slot))
    }

    fn cached(&mut self, hash: u64) -> Option<u32> {
        let (slot, generation) = self.cache.get(hash)?;
        (self.slots.generation(slot) == generation).then(|| self.slots.root(slot))
    }

    /// What turned out to be one since the last call.
    pub fn take_merges(&mut self) -> Vec<Merge> {
        std::mem::take(&mut self.merges)
    }

    /// The template that the lines of `id` are of now: another one if templates were merged. `None` if it is not known.
    pub fn resolve(&self, id: TemplateId) -> Option<&Template> {
        self.slots.resolve(id)
    }

    /// The templates with their counts, in the order in which they were found.
    pub fn templates(&self) -> impl Iterator<Item = (&Template, u64)> {
        self.slots.templates()
    }

    /// How many templates there are.
    pub const fn len(&self) -> usize {
        self.slots.live()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many lines were of templates that had to make room. With the counts of the templates it makes the number of
    /// lines learned.
    pub const fn other(&self) -> u64 {
        self.slots.other()
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        self.bytes + self.words.bytes() + self.cache.bytes() + self.slots.bytes()
    }

    const fn rule(&self) -> Rule {
        Rule { distinct: self.settings.distinct_words, similarity: self.settings.similarity }
    }
}
