//! The lines of one shape (as many positions, the same punctuation between them), and what varies among them.
//!
//! A group holds *rows*: distinct sequences of words and masks. A position where two rows differ is not taken for
//! variable at once: both stay templates of their own. Only when more than K words were seen at a position, in rows that
//! are alike otherwise, or a number or another mask besides a word, is it a variable: the rows become one *pattern*, and
//! whatever matches it later is of that template (delayed wildcards).
//!
//! Which patterns there are follows from the set of rows alone, up to the order in which the last of K came; two groups
//! are joined by joining their rows and patterns, so that joining is commutative, associative and idempotent.

use super::words::{MASK, STAR};
use crate::logs::mask::Kind;
use crate::logs::template::TemplateId;

/// How many pairs of rows are looked at for patterns, at most.
const MAX_CANDIDATES: usize = 48;

/// Which positions two rows have in common.
type Bits = u128;

/// A row, or a pattern.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) tokens: Box<[u32]>,
    pub(super) kinds: Box<[Kind]>,
    pub(super) slot: u32,
    /// A pattern's template. It decides between patterns that are as general as each other: unlike the numbers of words
    /// it is the same on every node.
    pub(super) id: Option<TemplateId>,
}

/// When a position is a variable.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    /// At most so many words at a position are templates of their own.
    pub(super) distinct: usize,
    /// The share of words that rows must have in common to be compared.
    pub(super) similarity: f64,
}

/// The lines of one shape.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// What is before, between and after the positions.
    pub(super) glue: Box<[u32]>,
    pub(super) rows: Vec<Row>,
    /// The most general one first.
    pub(super) patterns: Vec<Row>,
}

impl Row {
    /// Whether the pattern covers these words.
    pub(super) fn covers(&self, tokens: &[u32]) -> bool {
        self.tokens.iter().zip(tokens).all(|(mine, other)| *mine == STAR || mine == other)
    }

    fn order(&self) -> (usize, Option<TemplateId>) {
        (self.tokens.iter().filter(|token| **token != STAR).count(), self.id)
    }
}

impl Group {
    pub(super) const fn new(glue: Box<[u32]>) -> Self {
        Self { glue, rows: Vec::new(), patterns: Vec::new() }
    }

    /// The pattern or the row for these words.
    pub(super) fn find(&mut self, tokens: &[u32]) -> Option<&mut Row> {
        if let Some(at) = self.patterns.iter().position(|pattern| pattern.covers(tokens)) {
            return self.patterns.get_mut(at);
        }
        self.rows.iter_mut().find(|row| *row.tokens == *tokens)
    }

    /// The same without change.
    pub(super) fn look_up(&self, tokens: &[u32]) -> Option<&Row> {
        let pattern = self.patterns.iter().find(|pattern| pattern.covers(tokens));
        pattern.or_else(|| self.rows.iter().find(|row| *row.tokens == *tokens))
    }

    /// Puts a pattern into its place.
    pub(super) fn add_pattern(&mut self, pattern: Row) {
        let at = self.patterns.partition_point(|other| other.order() < pattern.order());
        self.patterns.insert(at, pattern);
    }

    /// The patterns that follow from the rows now that `tokens` is one of them, the most general first.
    pub(super) fn patterns_with(&self, tokens: &[u32], rule: Rule) -> Vec<Box<[u32]>> {
        let masks = bits(tokens, |token| token == MASK || token == STAR);
        let known = self.rows.iter().chain(&self.patterns).map(|row| &*row.tokens);
        let all: Vec<(Bits, &[u32])> = known.map(|row| (common(tokens, row), row)).collect();
        let width = tokens.len() as u32;
        let mut found: Vec<Bits> = Vec::new();
        for bits in candidates(&all, |bits| is_similar(bits, masks, width, rule.similarity)) {
            let is_new = !found.iter().any(|general| bits & general == *general);
            if is_new && is_variable(bits, tokens, &all, rule.distinct) {
                found.push(bits);
            }
        }
        let pattern = |bits: &Bits| {
            let token = |(at, token): (usize, &u32)| if bits >> at & 1 == 1 { *token } else { STAR };
            tokens.iter().enumerate().map(token).collect()
        };
        found.iter().map(pattern).collect()
    }
}

fn bits(tokens: &[u32], is_set: impl Fn(u32) -> bool) -> Bits {
    tokens.iter().enumerate().fold(0, |bits, (at, token)| bits | Bits::from(is_set(*token)) << at)
}

/// The positions at which both have the same.
fn common(a: &[u32], b: &[u32]) -> Bits {
    a.iter().zip(b).enumerate().fold(0, |bits, (at, (a, b))| bits | Bits::from(a == b) << at)
}

/// Whether enough of the words are common: those that vary by their looks say nothing.
fn is_similar(common: Bits, masks: Bits, width: u32, similarity: f64) -> bool {
    let same = (common & !masks).count_ones();
    let words = width - (common & masks).count_ones();
    same > 0 && common.count_ones() < width && f64::from(same) >= similarity * f64::from(words)
}

/// The sets of positions that may be what a pattern has for words: what the row has in common with each other row, and
/// with two others. The most general first.
fn candidates(all: &[(Bits, &[u32])], is_similar: impl Fn(Bits) -> bool) -> Vec<Bits> {
    let mut single: Vec<Bits> = all.iter().map(|(bits, _)| *bits).filter(|bits| is_similar(*bits)).collect();
    single.sort_unstable();
    single.dedup();
    single.truncate(MAX_CANDIDATES);
    let pairs = single.iter().enumerate().flat_map(|(i, a)| single[..i].iter().map(move |b| a & b));
    let mut every: Vec<Bits> = pairs.filter(|bits| is_similar(*bits)).chain(single.iter().copied()).collect();
    every.sort_unstable_by_key(|bits| (bits.count_ones(), *bits));
    every.dedup();
    every
}

/// Whether each of the other positions varies, among the rows that have these (`tokens` and those of the others that do):
/// because more than `most` different words were seen there, or because one of them varies by its looks.
fn is_variable(fixed: Bits, tokens: &[u32], all: &[(Bits, &[u32])], most: usize) -> bool {
    let matching = || all.iter().filter(|(bits, _)| bits & fixed == fixed).map(|(_, row)| *row);
    let mut seen: Vec<u32> = Vec::with_capacity(most + 1);
    (0..tokens.len()).filter(|at| fixed >> at & 1 == 0).all(|at| {
        seen.clear();
        seen.push(tokens[at]);
        matching().any(|row| {
            let token = row[at];
            if !seen.contains(&token) {
                seen.push(token);
            }
            token == STAR || seen.len() > most || seen.len() > 1 && seen.contains(&MASK)
        })
    })
}
