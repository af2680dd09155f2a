//! What messages say about their classes on the first day, before anybody has taught us anything.
//!
//! In: the words of a message. Out: evidence for and against each class, in log-odds. A term that is denied ("no error",
//! "failed=0", "not killed") is no evidence.

mod terms;
mod terms_host;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, Match};
use foldhash::fast::FixedState;

use super::evidence::Evidence;
use super::{Class, Strength};

/// Terms of one class and strength.
type Terms = (Class, Strength, &'static [&'static str]);

/// Between the parts of a term.
const GAP: &str = " .. ";
const MAX_GAP_WORDS: usize = 6;

/// The lexicon.
pub(super) static LEXICON: LazyLock<Lexicon> = LazyLock::new(Lexicon::new);

/// A term: one or two parts in order.
#[derive(Clone, Copy, Debug)]
struct Term {
    class: Class,
    strength: Strength,
}

/// A part of a term.
#[derive(Clone, Copy, Debug)]
struct Part {
    term: u16,
    /// It is the first of two.
    opens: bool,
    /// It is the second of two.
    closes: bool,
    /// It stands at the start of the message.
    anchored: bool,
}

/// All terms, compiled.
pub(super) struct Lexicon {
    matcher: AhoCorasick,
    /// The parts that each pattern of the matcher is.
    parts: Vec<Vec<Part>>,
    terms: Vec<Term>,
}

/// Where a term, or the first part of one, is.
struct Hit {
    term: u16,
    start: usize,
    end: usize,
}

impl Lexicon {
    fn new() -> Self {
        let mut patterns: Vec<String> = Vec::new();
        let mut parts: Vec<Vec<Part>> = Vec::new();
        let mut index: HashMap<String, usize, FixedState> = HashMap::default();
        let mut terms = Vec::new();
        for (class, strength, texts) in terms::TERMS.iter().chain(terms_host::TERMS) {
            for text in *texts {
                let term = terms.len() as u16;
                terms.push(Term { class: *class, strength: *strength });
                let pieces: Vec<&str> = text.splitn(2, GAP).collect();
                for (at, piece) in pieces.iter().enumerate() {
                    let part = Part {
                        term,
                        opens: pieces.len() == 2 && at == 0,
                        closes: at == 1,
                        anchored: piece.starts_with('^'),
                    };
                    let pattern = pattern(piece);
                    let slot = *index.entry(pattern.clone()).or_insert_with(|| {
                        patterns.push(pattern);
                        parts.push(Vec::new());
                        parts.len() - 1
                    });
                    parts[slot].push(part);
                }
            }
        }
        let matcher = AhoCorasick::new(&patterns).expect("a few thousand short patterns");
        Self { matcher, parts, terms }
    }

    /// Adds what `text` (as [`crate::logs::words::Words::text`] gives it) says.
    pub(super) fn read(&self, text: &str, evidence: &mut Evidence) {
        let hits = self.hits(text);
        let denied: Vec<&Hit> = hits.iter().filter(|hit| is_denied(text, hit.start, hit.end)).collect();
        let mut counted: Vec<u16> = Vec::new();
        for hit in &hits {
            let term = self.terms[usize::from(hit.term)];
            // What is denied as a whole is denied in its parts: "no kernel panic" is no panic.
            let doubtful = denied.iter().any(|whole| whole.start <= hit.start && hit.end <= whole.end);
            if doubtful && term.strength != Strength::Against || counted.contains(&hit.term) {
                continue;
            }
            counted.push(hit.term);
            evidence.add(term.class, term.strength);
        }
    }

    /// Where which terms are.
    fn hits(&self, text: &str) -> Vec<Hit> {
        let mut hits = Vec::new();
        let mut open: Vec<Hit> = Vec::new();
        for found in self.matcher.find_overlapping_iter(text) {
            let (start, end) = (found.start(), end_of_word(text, &found));
            for part in &self.parts[found.pattern().as_usize()] {
                let term = part.term;
                if part.anchored && start != 0 {
                    continue;
                }
                if part.opens {
                    open.push(Hit { term, start, end });
                } else if !part.closes {
                    hits.push(Hit { term, start, end });
                } else if let Some(start) = opened(&open, term, start, text) {
                    hits.push(Hit { term, start, end });
                }
            }
        }
        hits
    }
}

/// Messages that are about a class beyond doubt: its certain terms.
pub(super) fn certain(class: Class) -> impl Iterator<Item = &'static str> {
    terms::TERMS
        .iter()
        .chain(terms_host::TERMS)
        .filter(move |(of, strength, _)| *of == class && *strength == Strength::Certain)
        .flat_map(|(.., texts)| texts.iter().copied())
        .filter(|text| !text.contains(['*', '^', '#']) && !text.contains(GAP))
}

/// The start of the latest first part of `term` that ends shortly before `start`.
fn opened(open: &[Hit], term: u16, start: usize, text: &str) -> Option<usize> {
    open.iter().rev().filter(|open| open.term == term && open.end <= start).find_map(|open| {
        let between = &text[open.end..=start];
        (between.split_ascii_whitespace().count() <= MAX_GAP_WORDS).then_some(open.start)
    })
}

/// What to search for: the piece between blanks, open at its end if it ends in `*`.
fn pattern(piece: &str) -> String {
    let piece = piece.trim_start_matches('^').trim_end_matches('.').trim();
    piece.strip_suffix('*').map_or_else(|| format!(" {piece} "), |prefix| format!(" {prefix}"))
}

/// Where the last word of a match ends.
fn end_of_word(text: &str, found: &Match) -> usize {
    if text[..found.end()].ends_with(' ') {
        return found.end() - 1;
    }
    text[found.end()..].find(' ').map_or(text.len(), |blank| found.end() + blank)
}

/// Whether what stands between `start` and `end` is said not to be: "no X", "0 X", "X=0", "X: none".
fn is_denied(text: &str, start: usize, end: usize) -> bool {
    let mut before = text[..start].rsplit(' ').filter(|word| !word.is_empty() && !is_filler(word));
    let after = text[end..].split_ascii_whitespace().next().unwrap_or_default();
    before.next().is_some_and(is_negation) || matches!(after, "0" | "none" | "nil" | "null" | "false")
}

/// Words that may stand between a negation and what it denies.
fn is_filler(word: &str) -> bool {
    matches!(word, "any" | "been" | "be" | "yet" | "a" | "an" | "further" | "more" | "other" | "longer")
}

fn is_negation(word: &str) -> bool {
    matches!(
        word,
        "0" | "no" | "not" | "without" | "zero" | "never" | "non" | "nothing" | "none" | "prevents" | "avoid"
    )
}
