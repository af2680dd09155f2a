//! What log messages call the same thing: phrases and words that mean one concept.
//!
//! In: the words of a template. Out: its concepts in order, which are stems. Also: words whose opposites tell two
//! templates apart however much else they share, and words that tell little.

mod tables;

use std::collections::HashMap;
use std::sync::LazyLock;

use foldhash::fast::FixedState;

use self::tables::{COMMON, OPPOSITES, PHRASES, SYNONYMS};
use crate::logs::words::{Words, grams};

/// What is known about words, by stem.
static TABLES: LazyLock<Tables> = LazyLock::new(Tables::new);

/// A phrase's words after the first one, and what they mean.
type Phrase = (Vec<String>, Vec<String>);

struct Tables {
    phrases: HashMap<String, Vec<Phrase>, FixedState>,
    synonyms: HashMap<String, String, FixedState>,
    common: HashMap<String, f32, FixedState>,
    opposites: HashMap<String, Vec<(u8, bool)>, FixedState>,
}

impl Tables {
    fn new() -> Self {
        let stems = |text: &str| text.split_ascii_whitespace().map(stem).collect::<Vec<_>>();
        let mut phrases: HashMap<String, Vec<Phrase>, FixedState> = HashMap::default();
        for (concepts, texts) in PHRASES {
            for text in *texts {
                let mut words = stems(text);
                if !words.is_empty() {
                    let first = words.remove(0);
                    phrases.entry(first).or_default().push((words, stems(concepts)));
                }
            }
        }
        // The longest phrase that fits is meant.
        phrases
            .values_mut()
            .for_each(|phrases| phrases.sort_by_key(|(rest, _)| std::cmp::Reverse(rest.len())));
        let synonyms = SYNONYMS
            .iter()
            .flat_map(|(concept, words)| words.iter().map(|word| (stem(word), stem(concept))))
            .collect();
        let common = COMMON
            .iter()
            .flat_map(|(weight, words)| words.iter().map(|word| (stem(word), *weight)))
            .collect();
        let mut opposites: HashMap<String, Vec<(u8, bool)>, FixedState> = HashMap::default();
        for ((these, those), pair) in OPPOSITES.iter().zip(0..) {
            for (words, positive) in [(these, true), (those, false)] {
                for word in *words {
                    opposites.entry(stem(word)).or_default().push((pair, positive));
                }
            }
        }
        Self { phrases, synonyms, common, opposites }
    }
}

/// The concepts of a template.
pub(super) fn of(words: &Words) -> Vec<String> {
    let stems: Vec<String> =
        words.iter().filter(|word| *word != crate::logs::words::VARIABLE).map(stem).collect();
    let mut concepts: Vec<String> = Vec::with_capacity(stems.len());
    let mut at = 0;
    while let Some(word) = stems.get(at) {
        let rest = &stems[at + 1..];
        let phrase = TABLES
            .phrases
            .get(word)
            .and_then(|phrases| phrases.iter().find(|(following, _)| rest.starts_with(following)));
        match phrase {
            Some((following, meaning)) => {
                concepts.extend(meaning.iter().cloned());
                at += 1 + following.len();
            }
            None => {
                if !grams::is_stop_word(word) {
                    concepts.push(TABLES.synonyms.get(word).unwrap_or(word).clone());
                }
                at += 1;
            }
        }
    }
    let mut seen = std::collections::HashSet::new();
    concepts.retain(|concept| seen.insert(concept.clone()));
    concepts
}

/// How much a concept tells before any templates were seen: 1 unless it is in every other log.
pub(super) fn weight(concept: &str) -> f32 {
    TABLES.common.get(concept).copied().unwrap_or(1.0)
}

/// Which sides of which opposites a template is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Sides {
    these: u64,
    those: u64,
}

impl Sides {
    /// The sides that concepts are on.
    pub(super) fn of(concepts: &[String]) -> Self {
        let mut sides = Self::default();
        for (pair, positive) in concepts.iter().filter_map(|concept| TABLES.opposites.get(concept)).flatten()
        {
            let side = if *positive { &mut sides.these } else { &mut sides.those };
            *side |= 1 << pair;
        }
        sides
    }

    /// Whether one says up where the other says down.
    pub(super) const fn oppose(self, other: Self) -> bool {
        let (a, b) = (self.these & !self.those, self.those & !self.these);
        let (c, d) = (other.these & !other.those, other.those & !other.these);
        a & d != 0 || b & c != 0
    }
}

/// A word without its ending, so that `refuses`, `refused` and `refusing` are one.
pub(super) fn stem(word: &str) -> String {
    if !word.is_ascii() || word.len() < 4 || word.ends_with("eed") {
        return word.to_owned();
    }
    let cut = |ending: &str, least: usize| {
        word.strip_suffix(ending).filter(|rest| rest.len() >= least && rest.bytes().any(is_vowel))
    };
    let stemmed = if let Some(rest) = cut("ies", 3) {
        format!("{rest}y")
    } else if let Some(rest) = cut("sses", 2) {
        format!("{rest}ss")
    } else if let Some(rest) = cut("ing", 3).or_else(|| cut("ed", 3)) {
        single(rest).to_owned()
    } else if let Some(rest) = cut("s", 3).filter(|rest| !rest.ends_with(['s', 'u', 'i'])) {
        rest.to_owned()
    } else {
        word.to_owned()
    };
    stemmed.strip_suffix('e').filter(|rest| rest.len() >= 3).map_or_else(|| stemmed.clone(), str::to_owned)
}

/// `stopp` as `stop`.
fn single(rest: &str) -> &str {
    let bytes = rest.as_bytes();
    let doubled = bytes.len() > 3 && bytes[bytes.len() - 1] == bytes[bytes.len() - 2];
    if doubled && !rest.ends_with(['l', 's', 'e', 'z']) { &rest[..rest.len() - 1] } else { rest }
}

const fn is_vowel(byte: u8) -> bool {
    matches!(byte, b'a' | b'e' | b'i' | b'o' | b'u' | b'y')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn concepts(text: &str) -> String {
        of(&Words::of(text)).join(" ")
    }

    #[test]
    fn forms_of_a_word_are_one_stem() {
        for forms in [["refuse", "refused", "refusing", "refuses"], ["stop", "stopped", "stopping", "stops"]]
        {
            assert!(forms.iter().all(|form| stem(form) == stem(forms[0])), "{forms:?}");
        }
        assert_eq!(
            (stem("dns"), stem("access"), stem("status")),
            ("dns".into(), "access".into(), "status".into())
        );
    }

    #[test]
    fn other_words_for_the_same_are_the_same_concepts() {
        assert_eq!(concepts("unable to connect to <*>"), concepts("could not connect to <*>"));
        assert_eq!(concepts("operation timed out"), concepts("operation took too long"));
    }

    #[test]
    fn opposites_are_told_apart() {
        let sides = |text: &str| Sides::of(&of(&Words::of(text)));
        assert!(sides("link is up").oppose(sides("link is down")));
        assert!(sides("job failed").oppose(sides("job finished")));
        assert!(!sides("link is up").oppose(sides("link is up again")));
        assert!(!sides("link goes up and down").oppose(sides("link is down")));
    }
}
