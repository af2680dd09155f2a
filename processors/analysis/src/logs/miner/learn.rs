//! The way of a line that is not in the table: words to numbers, to its group, to its row or pattern.

use super::group::{Group, Row};
use super::words::{MASK, SECRET, STAR};
use super::{MAX_POSITIONS, Merge, Miner};
use crate::logs::mask::{Kind, Masked, Masker, Role, Settings as MaskSettings};
use crate::logs::template::{Template, WILDCARD};

impl Miner {
    /// The slot of a line, which is remembered if it is of no kind that is known.
    pub(super) fn insert(&mut self, masked: &Masked<'_>) -> u32 {
        self.read(masked);
        let at = match self.groups.get_index_of(&*self.scratch.glue) {
            Some(at) => at,
            None => {
                let glue: Box<[u32]> = self.scratch.glue.clone().into();
                self.bytes += group_cost(&glue);
                self.groups.insert_full(glue.clone(), Group::new(glue)).0
            }
        };
        let group = &mut self.groups[at];
        if let Some(row) = group.find(&self.scratch.tokens) {
            let slot = row.slot;
            let is_same =
                row.kinds.iter().zip(&self.scratch.kinds).all(|(old, new)| old == new || *old == Kind::Any);
            if !is_same {
                row.kinds.iter_mut().zip(&self.scratch.kinds).for_each(|(old, new)| *old = old.or(*new));
                let row = row.clone();
                self.rewrite(at, &row);
            }
            return self.slots.root(slot);
        }
        let row = (self.scratch.tokens.clone().into(), self.scratch.kinds.clone().into());
        let slot = self.add_row(at, row);
        // Whatever makes room for others spares the newest, so that the slot is good.
        self.make_room(at);
        self.slots.root(slot)
    }

    /// The slot of a line if it is of a kind that is known.
    pub(super) fn known(&mut self, masked: &Masked<'_>) -> Option<u32> {
        self.read(masked);
        let row = self.groups.get(&*self.scratch.glue)?.look_up(&self.scratch.tokens)?;
        Some(self.slots.root(row.slot))
    }

    /// The texts of a line at the wildcards of its template, in order. A run of variable parts is one text.
    pub fn wildcards<'a>(&mut self, masked: &Masked<'a>) -> Vec<&'a str> {
        self.read(masked);
        let row = self.groups.get(&*self.scratch.glue).and_then(|group| group.look_up(&self.scratch.tokens));
        let Some(row) = row else { return Vec::new() };
        let mut texts = Vec::new();
        let mut tokens = row.tokens.iter();
        let mut parts = masked.parts.iter().peekable();
        while let Some(part) = parts.next() {
            let mut end = part.end;
            while let Some(joined) = parts.next_if(|next| next.role == Role::Joined) {
                end = joined.end;
            }
            match tokens.next() {
                Some(&(STAR | MASK)) => {
                    texts.push(masked.text.get(part.start as usize..end as usize).unwrap_or_default());
                }
                Some(_) => {}
                None => break,
            }
        }
        texts
    }

    /// Adds a row to a group, and the patterns that follow from it.
    pub(super) fn add_row(&mut self, at: usize, (tokens, kinds): (Box<[u32]>, Box<[Kind]>)) -> u32 {
        let patterns = self.groups[at].patterns_with(&tokens, self.rule());
        let slot = self.slots.take(self.template(&self.groups[at].glue, &tokens, &kinds));
        self.bytes += row_cost(&tokens);
        self.groups[at].rows.push(Row { tokens, kinds, slot, id: None });
        for pattern in patterns {
            self.add_pattern(at, pattern, None);
        }
        if let Some(pattern) = self.groups[at]
            .rows
            .last()
            .and_then(|row| self.groups[at].patterns.iter().find(|pattern| pattern.covers(&row.tokens)))
        {
            let pattern = pattern.slot;
            self.fold(slot, pattern);
        }
        slot
    }

    /// Adds a pattern to a group; what it covers becomes part of it.
    pub(super) fn add_pattern(&mut self, at: usize, tokens: Box<[u32]>, kinds: Option<Box<[Kind]>>) {
        let group = &self.groups[at];
        if group.patterns.iter().any(|pattern| pattern.covers(&tokens)) {
            return;
        }
        let covered = |rows: &[Row], row: &Row| -> Vec<u32> {
            rows.iter().filter(|other| row.covers(&other.tokens)).map(|other| other.slot).collect()
        };
        let is_typed = kinds.is_some();
        let kinds = kinds.unwrap_or_else(|| vec![Kind::Any; tokens.len()].into());
        let mut row = Row { kinds, tokens, slot: 0, id: None };
        if !is_typed {
            self.type_of(at, &mut row);
        }
        let group = &self.groups[at];
        let mut old = covered(&group.rows, &row);
        old.extend(covered(&group.patterns, &row));
        let template = self.template(&group.glue, &row.tokens, &row.kinds);
        row.slot = self.slots.take(template.clone());
        // A row with masks may have had the id already.
        self.slots.rewrite(row.slot, template);
        row.id = Some(self.slots.template(row.slot).id());
        self.bytes += row_cost(&row.tokens);
        let slot = row.slot;
        self.groups[at].add_pattern(row);
        for old in old {
            self.fold(old, slot);
        }
    }

    /// What the rows that a pattern covers have at its fixed positions, as kinds.
    fn type_of(&self, at: usize, pattern: &mut Row) {
        let mut first = true;
        let rows = &self.groups[at].rows;
        let covered: Vec<&Row> = rows.iter().filter(|row| pattern.covers(&row.tokens)).collect();
        for row in covered {
            for (i, kind) in pattern.kinds.iter_mut().enumerate() {
                if pattern.tokens[i] == MASK || pattern.tokens[i] == SECRET {
                    *kind = if first { row.kinds[i] } else { kind.or(row.kinds[i]) };
                }
            }
            first = false;
        }
    }

    pub(super) fn fold(&mut self, old: u32, new: u32) {
        let merge = Merge {
            old: self.slots.template(self.slots.root(old)).id(),
            new: self.slots.template(self.slots.root(new)).id(),
        };
        if self.slots.join(old, new) {
            self.merges.push(merge);
        }
    }

    fn rewrite(&mut self, at: usize, row: &Row) {
        let template = self.template(&self.groups[at].glue, &row.tokens, &row.kinds);
        self.slots.rewrite(row.slot, template);
    }

    /// Turns a line into numbers.
    fn read(&mut self, masked: &Masked<'_>) {
        let Self { scratch, words, .. } = self;
        scratch.tokens.clear();
        scratch.kinds.clear();
        scratch.glue.clear();
        let mut end = 0;
        let mut is_cut = masked.is_cut;
        for part in masked.parts {
            if let Role::Position(kind) = part.role {
                if scratch.tokens.len() == MAX_POSITIONS {
                    is_cut = true;
                    break;
                }
                let glue = masked.text.get(end..part.start as usize).unwrap_or_default();
                tidy(glue, end == 0, &mut scratch.text);
                scratch.glue.push(words.number(&scratch.text));
                scratch.tokens.push(match kind {
                    Kind::Word => words.number(masked.text_of(part)),
                    Kind::Secret => SECRET,
                    _ => MASK,
                });
                scratch.kinds.push(kind);
            }
            end = part.end as usize;
        }
        if is_cut {
            scratch.glue.push(words.number(" <*>"));
        } else {
            tidy(masked.text.get(end..).unwrap_or_default(), end == 0, &mut scratch.text);
            let glue = scratch.text.trim_end();
            scratch.glue.push(words.number(glue));
        }
    }

    pub(super) fn template(&self, glue: &[u32], tokens: &[u32], kinds: &[Kind]) -> Template {
        let mut text = String::new();
        for ((glue, token), kind) in glue.iter().zip(tokens).zip(kinds) {
            text.push_str(self.words.text(*glue));
            text.push_str(match *token {
                STAR => WILDCARD,
                SECRET => Kind::Secret.mask(),
                MASK => kind.mask(),
                word => self.words.text(word),
            });
        }
        text.push_str(glue.last().map_or("", |last| self.words.text(*last)));
        Template::new(&text)
    }

    /// Makes a template known before any line of it came.
    pub fn seed_template(&mut self, text: &str) {
        let settings = MaskSettings { redact: false, ..MaskSettings::default() };
        let mut masker = Masker::new(settings);
        let masked = masker.mask(text);
        if masked.parts.is_empty() {
            return;
        }
        self.insert(&masked);
        // What the author wrote as variable is so from the start.
        let tokens: Box<[u32]> = self
            .scratch
            .tokens
            .iter()
            .zip(&self.scratch.kinds)
            .map(|(t, k)| if *k == Kind::Any { STAR } else { *t })
            .collect();
        if tokens.contains(&STAR)
            && tokens.iter().any(|token| *token > SECRET)
            && let Some(at) = self.groups.get_index_of(&*self.scratch.glue)
        {
            self.add_pattern(at, tokens, None);
        }
    }
}

/// What a row costs.
pub(super) const fn row_cost(tokens: &[u32]) -> usize {
    tokens.len() * 5 + 88
}

/// What a group costs.
pub(super) const fn group_cost(glue: &[u32]) -> usize {
    glue.len() * 8 + 160
}

/// White space as one blank, none at the start of a line.
fn tidy(glue: &str, is_first: bool, out: &mut String) {
    out.clear();
    let mut was_space = is_first;
    for char in glue.chars() {
        let is_space = char <= ' ' || char == '\u{7f}';
        if !is_space {
            out.push(char);
        } else if !was_space {
            out.push(' ');
        }
        was_space = is_space;
    }
}
