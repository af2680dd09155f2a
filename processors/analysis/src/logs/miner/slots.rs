//! The templates with their counts, and which of them became part of another.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::logs::template::{Template, TemplateId};

/// What a slot costs besides its texts.
const OVERHEAD: usize = 160;

/// A template's place.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    template: Template,
    count: u64,
    /// When it was last seen, in lines.
    last: u64,
    /// The slot that it became part of; itself if none.
    parent: u32,
    /// The parent's generation: with another one the parent is gone.
    parent_generation: u32,
    /// Changes when the slot is given to another template. 0: free.
    generation: u32,
    /// Whether it counts as a template: not part of another one.
    is_live: bool,
    /// How many rows and patterns use it.
    users: u32,
}

/// All places.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_id: HashMap<TemplateId, u32, FixedState>,
    live: usize,
    lines: u64,
    other: u64,
    bytes: usize,
    generations: u32,
}

fn cost(template: &Template) -> usize {
    OVERHEAD + template.text().len() + template.canonical().len()
}

impl Slots {
    /// The slot of a template, a new one if it has none; for one more user.
    pub(super) fn take(&mut self, template: Template) -> u32 {
        if let Some(&at) = self.by_id.get(&template.id()) {
            self.slots[at as usize].users += 1;
            return at;
        }
        self.generations = self.generations.wrapping_add(1).max(1);
        self.bytes += cost(&template);
        let at = self.free.pop().unwrap_or(self.slots.len() as u32);
        self.by_id.insert(template.id(), at);
        let slot = Slot {
            template,
            count: 0,
            last: self.lines,
            parent: at,
            parent_generation: self.generations,
            generation: self.generations,
            is_live: true,
            users: 1,
        };
        match self.slots.get_mut(at as usize) {
            Some(free) => *free = slot,
            None => self.slots.push(slot),
        }
        self.live += 1;
        at
    }

    /// One user less; the last one frees the slot and what was counted becomes other.
    pub(super) fn release(&mut self, at: u32) {
        let slot = &mut self.slots[at as usize];
        slot.users = slot.users.saturating_sub(1);
        if slot.users > 0 || slot.generation == 0 {
            return;
        }
        slot.generation = 0;
        self.other += std::mem::take(&mut slot.count);
        self.bytes -= cost(&slot.template).min(self.bytes);
        self.by_id.remove(&slot.template.id());
        self.live -= usize::from(std::mem::take(&mut slot.is_live));
        self.free.push(at);
    }

    /// Writes the template's text anew; its id stays.
    pub(super) fn rewrite(&mut self, at: u32, template: Template) {
        let slot = &mut self.slots[at as usize];
        if slot.template.id() == template.id() {
            self.bytes = (self.bytes + cost(&template)).saturating_sub(cost(&slot.template));
            slot.template = template;
        }
    }

    /// `old` becomes part of `new`; says whether it was not yet.
    pub(super) fn join(&mut self, old: u32, new: u32) -> bool {
        let (old, new) = (self.root(old), self.root(new));
        if old == new {
            return false;
        }
        let generation = self.generation(new);
        let slot = &mut self.slots[old as usize];
        (slot.parent, slot.parent_generation) = (new, generation);
        self.live -= usize::from(std::mem::take(&mut slot.is_live));
        let (count, last) = (std::mem::take(&mut slot.count), slot.last);
        let target = &mut self.slots[new as usize];
        target.count += count;
        target.last = target.last.max(last);
        true
    }

    /// The slot that `at` is part of. Ways are short: a pattern is joined at once to the most general one.
    #[inline]
    pub(super) fn root(&self, mut at: u32) -> u32 {
        loop {
            let slot = &self.slots[at as usize];
            if slot.parent == at || self.generation(slot.parent) != slot.parent_generation {
                return at;
            }
            at = slot.parent;
        }
    }

    #[inline]
    pub(super) fn generation(&self, at: u32) -> u32 {
        self.slots[at as usize].generation
    }

    /// A line of it.
    #[inline]
    pub(super) fn count(&mut self, at: u32) {
        self.lines += 1;
        let slot = &mut self.slots[at as usize];
        slot.count += 1;
        slot.last = self.lines;
    }

    /// Lines of it that were counted elsewhere.
    pub(super) fn add(&mut self, at: u32, count: u64) {
        let at = self.root(at);
        self.slots[at as usize].count += count;
    }

    /// Lines of no template.
    pub(super) fn add_other(&mut self, count: u64) {
        self.other += count;
    }

    #[inline]
    pub(super) fn template(&self, at: u32) -> &Template {
        &self.slots[at as usize].template
    }

    pub(super) fn slot_of(&self, id: TemplateId) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    pub(super) fn resolve(&self, id: TemplateId) -> Option<&Template> {
        self.by_id.get(&id).map(|at| self.template(self.root(*at)))
    }

    /// How much it is worth keeping: how often it was seen, and when last.
    pub(super) fn worth(&self, at: u32) -> (u64, u64) {
        let slot = &self.slots[at as usize];
        (slot.count, slot.last)
    }

    pub(super) fn templates(&self) -> impl Iterator<Item = (&Template, u64)> {
        self.slots
            .iter()
            .zip(0u32..)
            .filter(|(slot, at)| slot.generation != 0 && self.root(*at) == *at)
            .map(|(slot, _)| (&slot.template, slot.count))
    }

    pub(super) const fn live(&self) -> usize {
        self.live
    }

    pub(super) const fn other(&self) -> u64 {
        self.other
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}
