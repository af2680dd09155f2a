//! What was learned, as bytes: for a restart, and for another node to learn it too.
//!
//! What travels is the set of rows and patterns of every group. Two nodes' sets are joined by union, and what follows from
//! the union is worked out to the end, so that it does not matter in which order nodes are joined, how they are
//! grouped, or whether one comes twice. Counts are a node's own: they are restored, but not joined.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::group::{Group, Row};
use super::learn::group_cost;
use super::words::{SECRET, Words};
use super::{MAX_POSITIONS, Miner};
use crate::logs::mask::Kind;
use crate::logs::template::TemplateId;
use crate::snapshot::{self, SnapshotError};

/// The version of the layout.
const VERSION: u32 = 1;

/// The layout.
#[derive(Serialize, Deserialize)]
struct Saved {
    words: Vec<String>,
    groups: Vec<SavedGroup>,
    counts: Vec<(TemplateId, u64)>,
    other: u64,
}

#[derive(Serialize, Deserialize)]
struct SavedGroup {
    glue: Vec<u32>,
    rows: Vec<SavedRow>,
    patterns: Vec<SavedRow>,
}

#[derive(Serialize, Deserialize)]
struct SavedRow {
    tokens: Vec<u32>,
    kinds: Vec<Kind>,
}

impl SavedGroup {
    /// Whether its numbers are those of `words` words, and its rows as long as its glue says.
    fn is_sound(&self, words: usize) -> bool {
        let known = |numbers: &[u32]| numbers.iter().all(|number| (*number as usize) < words);
        let fits = |row: &SavedRow| {
            row.tokens.len() + 1 == self.glue.len()
                && row.kinds.len() == row.tokens.len()
                && known(&row.tokens)
        };
        (1..=MAX_POSITIONS + 1).contains(&self.glue.len())
            && known(&self.glue)
            && self.rows.iter().chain(&self.patterns).all(fits)
    }
}

fn decode(snapshot: &[u8]) -> Result<Saved, SnapshotError> {
    let saved: Saved = snapshot::decode(VERSION, snapshot)?;
    let words = saved.words.len();
    let sound = words > SECRET as usize && saved.groups.iter().all(|group| group.is_sound(words));
    if sound { Ok(saved) } else { Err(SnapshotError::Damaged) }
}

impl Miner {
    /// What was learned, as bytes.
    ///
    /// # Errors
    /// If it cannot be written, which has no cause in what was learned.
    pub fn snapshot(&self) -> Result<Vec<u8>, SnapshotError> {
        let row = |row: &Row| SavedRow { tokens: row.tokens.to_vec(), kinds: row.kinds.to_vec() };
        let group = |group: &Group| SavedGroup {
            glue: group.glue.to_vec(),
            rows: group.rows.iter().map(row).collect(),
            patterns: group.patterns.iter().map(row).collect(),
        };
        let saved = Saved {
            words: self.words.iter().map(ToOwned::to_owned).collect(),
            groups: self.groups.values().map(group).collect(),
            counts: self.templates().map(|(template, count)| (template.id(), count)).collect(),
            other: self.other(),
        };
        snapshot::encode(VERSION, &saved)
    }

    /// Takes over what another one learned and counted, instead of what this one did.
    ///
    /// # Errors
    /// If the snapshot is damaged or of another version; nothing has changed then.
    pub fn restore(&mut self, snapshot: &[u8]) -> Result<(), SnapshotError> {
        let saved = decode(snapshot)?;
        *self = Self::new(self.settings);
        self.unite(&saved);
        let mut other = saved.other;
        for (id, count) in saved.counts {
            match self.slots.slot_of(id) {
                Some(slot) => self.slots.add(slot, count),
                None => other += count,
            }
        }
        self.slots.add_other(other);
        self.merges.clear();
        Ok(())
    }

    /// Learns what another one knows, from its snapshot; its counts stay its own. Joining is commutative, associative and
    /// idempotent as long as there is room.
    ///
    /// # Errors
    /// If the snapshot is damaged or of another version; nothing has changed then.
    pub fn merge(&mut self, snapshot: &[u8]) -> Result<(), SnapshotError> {
        let saved = decode(snapshot)?;
        self.unite(&saved);
        Ok(())
    }

    fn unite(&mut self, saved: &Saved) {
        let numbers: Vec<u32> = saved.words.iter().map(|word| self.words.number(word)).collect();
        let renumber = |tokens: &[u32]| -> Box<[u32]> {
            let number = |token: &u32| if *token <= SECRET { *token } else { numbers[*token as usize] };
            tokens.iter().map(number).collect()
        };
        for group in &saved.groups {
            let glue = renumber(&group.glue);
            let row = |row: &SavedRow| (renumber(&row.tokens), row.kinds.clone().into_boxed_slice());
            let rows: Vec<_> = group.rows.iter().map(row).collect();
            let patterns: Vec<_> = group.patterns.iter().map(row).collect();
            self.unite_group(&glue, rows, patterns);
        }
        self.make_room(usize::MAX);
    }

    fn unite_group(&mut self, glue: &[u32], rows: Vec<Texts>, patterns: Vec<Texts>) {
        let at = match self.groups.get_index_of(glue) {
            Some(at) => at,
            None => {
                self.bytes += group_cost(glue);
                self.groups.insert_full(glue.into(), Group::new(glue.into())).0
            }
        };
        let group = &mut self.groups[at];
        let is_new = |known: &[Row], (tokens, kinds): &Texts| {
            !known
                .iter()
                .any(|row| row.tokens == *tokens && row.kinds.iter().zip(kinds).all(|(a, b)| a.or(*b) == *a))
        };
        if !rows.iter().any(|row| is_new(&group.rows, row))
            && !patterns.iter().any(|row| is_new(&group.patterns, row))
        {
            return;
        }
        let old = std::mem::replace(group, Group::new(glue.into()));
        let patterns = union(&self.words, old.patterns.iter(), patterns);
        let rows = union(&self.words, old.rows.iter(), rows);
        for (tokens, kinds) in patterns {
            self.add_pattern(at, tokens, Some(kinds));
        }
        for row in rows {
            self.add_row(at, row);
        }
        self.work_out(at);
        for row in old.patterns.iter().chain(&old.rows) {
            let pattern = self.groups[at].patterns.iter().find(|pattern| pattern.covers(&row.tokens));
            if let Some(slot) = pattern.map(|pattern| pattern.slot) {
                self.fold(row.slot, slot);
            }
            self.release(row);
        }
    }

    /// Adds every pattern that follows from the rows, until none is missing.
    fn work_out(&mut self, at: usize) {
        loop {
            let group = &self.groups[at];
            let rule = self.rule();
            let missing: Vec<Box<[u32]>> = group
                .rows
                .iter()
                .chain(&group.patterns)
                .flat_map(|row| group.patterns_with(&row.tokens, rule))
                .filter(|tokens| !group.patterns.iter().any(|pattern| pattern.covers(tokens)))
                .collect();
            if missing.is_empty() {
                return;
            }
            for tokens in missing {
                self.add_pattern(at, tokens, None);
            }
        }
    }
}

/// The words of a row and their kinds.
type Texts = (Box<[u32]>, Box<[Kind]>);

/// The rows of both, each once, in an order that depends on their texts alone.
fn union<'a>(words: &Words, known: impl Iterator<Item = &'a Row>, more: Vec<Texts>) -> Vec<Texts> {
    let mut all: HashMap<Box<[u32]>, Box<[Kind]>> = HashMap::new();
    for (tokens, kinds) in known.map(|row| (row.tokens.clone(), row.kinds.clone())).chain(more) {
        match all.get_mut(&tokens) {
            Some(old) => old.iter_mut().zip(&kinds).for_each(|(old, new)| *old = old.or(*new)),
            None => {
                all.insert(tokens, kinds);
            }
        }
    }
    let mut all: Vec<Texts> = all.into_iter().collect();
    all.sort_by(|(a, _), (b, _)| {
        let text = |token: &u32| words.text(*token);
        a.iter().map(text).cmp(b.iter().map(text))
    });
    all
}
