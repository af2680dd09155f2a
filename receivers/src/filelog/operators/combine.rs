//! Joins entries that belong together: `recombine`, and the parts of long lines that container runtimes cut.

use std::time::Duration;

use indexmap::IndexMap;

use super::config::Overwrite;
use super::entry::{Entry, Origin, Value};
use super::expr::Condition;
use super::field::Field;
use crate::filelog::identity::FileId;

/// No group is longer than this, whatever the configuration says: memory is bounded.
const MOST_BYTES: usize = 16 << 20;
/// All groups of an operator together take no more than this.
pub(super) const MOST_TOTAL: usize = 64 << 20;

/// What an entry takes beside its text, more or less.
const ENTRY_BYTES: usize = 512;

/// How an entry stands in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It begins a group.
    First,
    /// It ends a group.
    Last,
    /// Neither.
    Middle,
}

/// How entries are joined.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// What is joined.
    pub(super) field: Field,
    /// What is put between the parts.
    pub(super) with: String,
    /// A group is complete with so many entries.
    pub(super) max_entries: usize,
    /// Until a condition has been met once, a group is complete with so many; 0 means without bound.
    pub(super) max_unmatched: usize,
    /// Which entry gives everything else.
    pub(super) overwrite: Overwrite,
    /// A group is complete after this long.
    pub(super) timeout: Duration,
    /// So many groups may be open at once.
    pub(super) max_groups: usize,
    /// A group is complete when it is longer than this; 0 means without bound.
    pub(super) max_bytes: usize,
    /// All groups together take no more memory than this: the oldest ones give way.
    pub(super) max_total: usize,
}

/// Joins entries.
#[derive(Clone, Debug)]
pub(super) struct Combiner {
    pub(super) rules: Rules,
    groups: IndexMap<(FileId, String), Group>,
    /// What all groups together take.
    total: usize,
}

#[derive(Clone, Debug)]
struct Group {
    entries: Vec<Entry>,
    bytes: usize,
    held: usize,
    since: u64,
    is_matched: bool,
}

impl Combiner {
    /// With nothing to join yet.
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules, groups: IndexMap::new(), total: 0 }
    }

    /// Takes an entry of the group `key`; gives the groups that are complete now.
    pub(super) fn push(&mut self, entry: Entry, key: &str, role: Role, now: u64, out: &mut Vec<Entry>) {
        let place = (entry.origin.file, key.to_owned());
        if role == Role::First {
            self.close(&place, out);
        }
        if !self.groups.contains_key(&place) && self.groups.len() >= self.rules.max_groups {
            // The oldest group gives way.
            if let Some(oldest) = self.groups.keys().next().cloned() {
                self.close(&oldest, out);
            }
        }
        let group = self.groups.entry(place.clone()).or_insert_with(|| Group {
            entries: Vec::new(),
            bytes: 0,
            held: 0,
            since: now,
            is_matched: false,
        });
        let len = self.rules.field.get(&entry).and_then(Value::as_str).map_or(0, str::len);
        group.bytes += len;
        group.held += len + ENTRY_BYTES;
        self.total += len + ENTRY_BYTES;
        group.is_matched |= role == Role::First;
        group.entries.push(entry);
        let rules = &self.rules;
        let is_unmatched = !group.is_matched && role == Role::Middle;
        let most = if rules.max_bytes == 0 { MOST_BYTES } else { rules.max_bytes };
        let is_full = group.entries.len() >= rules.max_entries
            || group.bytes > most
            || (is_unmatched && rules.max_unmatched > 0 && group.entries.len() >= rules.max_unmatched);
        if role == Role::Last || is_full {
            self.close(&place, out);
        }
        while self.total > self.rules.max_total
            && let Some(oldest) = self.groups.keys().next().cloned()
        {
            self.close(&oldest, out);
        }
    }

    /// Whether no group is open.
    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Whether a group is open under this key.
    pub(super) fn is_open(&self, file: FileId, key: &str) -> bool {
        !self.groups.is_empty() && self.groups.keys().any(|(of, name)| *of == file && name == key)
    }

    /// Gives the groups that have waited long enough; those of `file` in any case.
    pub(super) fn flush(&mut self, now: u64, file: Option<FileId>, out: &mut Vec<Entry>) {
        let timeout = u64::try_from(self.rules.timeout.as_nanos()).unwrap_or(u64::MAX);
        let is_due = |(place, group): (&(FileId, String), &Group)| {
            (file == Some(place.0) || now.saturating_sub(group.since) >= timeout).then(|| place.clone())
        };
        let due: Vec<_> = self.groups.iter().filter_map(is_due).collect();
        due.iter().for_each(|place| self.close(place, out));
    }

    /// The first entry of a file that waits.
    pub(super) fn pending(&self, file: FileId) -> Option<&Origin> {
        let of_file = self.groups.iter().filter(|((of, _), _)| *of == file);
        of_file
            .filter_map(|(_, group)| group.entries.first())
            .map(|entry| &entry.origin)
            .min_by_key(|origin| origin.start)
    }

    fn close(&mut self, place: &(FileId, String), out: &mut Vec<Entry>) {
        if let Some(group) = self.groups.shift_remove(place) {
            self.total -= group.held;
            out.extend(self.join(group.entries));
        }
    }

    fn join(&self, entries: Vec<Entry>) -> Option<Entry> {
        let rules = &self.rules;
        let n_entries = entries.len();
        let first = entries.first()?.origin.clone();
        let replayed = entries.last()?.origin.replayed;
        let mut text = String::new();
        if n_entries > 1 {
            for (i, entry) in entries.iter().enumerate() {
                if i > 0 {
                    text.push_str(&rules.with);
                }
                match rules.field.get(entry) {
                    Some(Value::String(part)) => text.push_str(part),
                    Some(other) => text.push_str(&other.to_text()),
                    None => {}
                }
            }
        }
        let mut entries = entries.into_iter();
        let mut base = match rules.overwrite {
            Overwrite::Newest => entries.next_back(),
            Overwrite::Oldest => entries.next(),
        }?;
        if n_entries > 1 {
            rules.field.set(&mut base, Value::String(text.into()));
        }
        base.origin = Origin { replayed, ..first };
        Some(base)
    }
}

/// `recombine`: joins by a condition.
#[derive(Clone, Debug)]
pub(super) struct Recombine {
    pub(super) combiner: Combiner,
    pub(super) condition: Condition,
    /// Whether the condition is met by the first entry of a group, not the last one.
    pub(super) is_first: bool,
    /// Entries of a file are joined only if they agree in this.
    pub(super) source: Field,
}

impl Recombine {
    /// Takes an entry; gives the groups that are complete now.
    pub(super) fn push(&mut self, entry: Entry, now: u64, out: &mut Vec<Entry>) {
        let key = self.source.get(&entry).map(Value::to_text).unwrap_or_default();
        let role = match (self.condition.holds(&entry), self.is_first) {
            (false, _) => Role::Middle,
            (true, true) => Role::First,
            (true, false) => Role::Last,
        };
        self.combiner.push(entry, &key, role, now, out);
    }
}
