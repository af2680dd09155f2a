//! Makes room: what was seen least and longest ago is forgotten, and its lines become other.

use super::Miner;
use super::group::Row;
use super::learn::{group_cost, row_cost};
use super::words::SECRET;

/// After making room, so many hundredths of the budget are used.
const LEAVE_PERCENT: usize = 70;

impl Miner {
    /// Makes room if the budget is used up. The newest row of the group at `newest` stays.
    pub(super) fn make_room(&mut self, newest: usize) {
        if self.groups.get_index(newest).is_some_and(|(_, group)| group.rows.len() > self.settings.max_rows) {
            self.thin(newest);
        }
        let budget = self.settings.max_bytes;
        let is_full = self.bytes() > budget || self.slots.live() > self.settings.max_templates;
        if !is_full {
            return;
        }
        self.forget_least(newest);
        self.compact_words();
    }

    /// Forgets half of the rows of a group that has too many: what covers them remembers enough, and the others are
    /// seen too seldom.
    fn thin(&mut self, at: usize) {
        let keep = self.settings.max_rows / 2;
        let rows = &self.groups[at].rows;
        let mut order: Vec<usize> = (0..rows.len() - 1).collect();
        order.sort_by_key(|i| std::cmp::Reverse((self.slots.worth(rows[*i].slot), *i)));
        let mut stays = vec![false; rows.len()];
        order.iter().take(keep).for_each(|i| stays[*i] = true);
        if let Some(last) = stays.last_mut() {
            *last = true;
        }
        self.drop_rows(at, &stays);
    }

    fn drop_rows(&mut self, at: usize, stays: &[bool]) {
        let rows = std::mem::take(&mut self.groups[at].rows);
        let mut kept = Vec::with_capacity(rows.len());
        for (row, stays) in rows.into_iter().zip(stays) {
            if *stays {
                kept.push(row);
            } else {
                self.release(&row);
            }
        }
        self.groups[at].rows = kept;
    }

    pub(super) fn release(&mut self, row: &Row) {
        self.slots.release(row.slot);
        self.bytes -= row_cost(&row.tokens).min(self.bytes);
    }

    /// Forgets the patterns of a group that are worth no more than `bar`, with the rows that were part of them.
    fn drop_patterns(&mut self, at: usize, bar: (u64, u64)) {
        let patterns = std::mem::take(&mut self.groups[at].patterns);
        let (kept, gone): (Vec<Row>, Vec<Row>) = patterns
            .into_iter()
            .partition(|row| self.slots.root(row.slot) != row.slot || self.slots.worth(row.slot) > bar);
        // Another pattern may have been part of one that goes.
        let (kept, orphans): (Vec<Row>, Vec<Row>) =
            kept.into_iter().partition(|row| !gone.iter().any(|pattern| pattern.covers(&row.tokens)));
        let rows = &self.groups[at].rows;
        let stays: Vec<bool> =
            rows.iter().map(|row| !gone.iter().any(|pattern| pattern.covers(&row.tokens))).collect();
        self.drop_rows(at, &stays);
        for row in orphans.iter().chain(&gone) {
            self.release(row);
        }
        self.groups[at].patterns = kept;
    }

    /// Forgets the rows that are worth least, over all groups, and groups that are empty then.
    fn forget_least(&mut self, newest: usize) {
        let mut worth: Vec<(u64, u64)> = self
            .groups
            .values()
            .flat_map(|group| group.rows.iter().chain(&group.patterns))
            .map(|row| self.slots.worth(row.slot))
            .collect();
        let used = self.bytes().saturating_sub(self.cache.bytes());
        let allowed = self.settings.max_bytes.saturating_sub(self.cache.bytes()) * LEAVE_PERCENT / 100;
        let by_bytes = worth.len() * allowed.min(used) / used.max(1);
        let by_count = self.settings.max_templates * LEAVE_PERCENT / 100;
        let keep = by_bytes.min(by_count).max(1);
        if keep >= worth.len() {
            return;
        }
        let drop = worth.len() - keep;
        let (_, bar, _) = worth.select_nth_unstable(drop - 1);
        let bar = *bar;
        for at in 0..self.groups.len() {
            let rows = &self.groups[at].rows;
            let mut stays: Vec<bool> = rows.iter().map(|row| self.slots.worth(row.slot) > bar).collect();
            if at == newest
                && let Some(last) = stays.last_mut()
            {
                *last = true;
            }
            if stays.contains(&false) {
                self.drop_rows(at, &stays);
            }
            if at != newest && !self.groups[at].patterns.is_empty() {
                self.drop_patterns(at, bar);
            }
        }
        let bytes = &mut self.bytes;
        self.groups.retain(|_, group| {
            let stays = !(group.rows.is_empty() && group.patterns.is_empty());
            if !stays {
                *bytes -= group_cost(&group.glue).min(*bytes);
            }
            stays
        });
    }

    /// Forgets the words that nothing uses any more.
    fn compact_words(&mut self) {
        let mut used = vec![false; self.words.len()];
        for group in self.groups.values() {
            let rows = group.rows.iter().chain(&group.patterns).flat_map(|row| &*row.tokens);
            for number in rows.chain(&*group.glue) {
                used[*number as usize] = true;
            }
        }
        let total = used.len();
        let kept = used.iter().filter(|used| **used).count() + SECRET as usize + 1;
        // Not worth the work for a few.
        if kept * 8 > total * 7 {
            return;
        }
        let numbers = self.words.keep(&used);
        let renumber =
            |tokens: &mut [u32]| tokens.iter_mut().for_each(|token| *token = numbers[*token as usize]);
        for (_, mut group) in std::mem::take(&mut self.groups) {
            group.rows.iter_mut().chain(&mut group.patterns).for_each(|row| renumber(&mut row.tokens));
            renumber(&mut group.glue);
            self.groups.insert(group.glue.clone(), group);
        }
    }
}
