//! Words and parts of words as numbers, for models over hashed features.

use crate::identity::Identity;

/// What a feature is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::logs) enum Gram {
    /// A word.
    Word,
    /// Two words in a row.
    Pair,
    /// Three to five letters of a word, its ends included.
    Letters,
}

const LENGTHS: std::ops::RangeInclusive<usize> = 3..=5;

/// Words that say nothing about what a message is about.
const STOP: &[&str] = &[
    "0", "a", "about", "after", "all", "also", "an", "and", "any", "are", "as", "at", "be", "because",
    "been", "before", "being", "by", "com", "did", "do", "does", "due", "during", "for", "from", "had",
    "has", "have", "his", "if", "in", "into", "is", "it", "its", "java", "lang", "me", "may", "might", "of",
    "on", "or", "org", "our", "please", "so", "some", "such", "than", "that", "the", "their", "them", "then",
    "there", "these", "they", "this", "those", "to", "us", "via", "was", "we", "were", "when", "which",
    "while", "will", "with", "you", "your", "#",
];

/// Whether a word says nothing about what a message is about.
pub(in crate::logs) fn is_stop_word(word: &str) -> bool {
    word.len() == 1 && !word.as_bytes()[0].is_ascii_alphanumeric() || STOP.contains(&word)
}

/// The number of a text; the same on every machine and in every version.
pub(in crate::logs) fn hash(text: &str) -> u64 {
    Identity::new().text(text).finish()
}

/// The grams of words, in order.
pub(in crate::logs) fn visit<'a>(words: impl Iterator<Item = &'a str>, mut each: impl FnMut(Gram, u64)) {
    let mut before = None;
    let mut letters = String::new();
    for word in words {
        let number = hash(word);
        each(Gram::Word, number);
        if let Some(before) = before {
            each(Gram::Pair, Identity::new().number(before).number(number).finish());
        }
        before = Some(number);
        letters.clear();
        letters.extend(["^", word, "$"]);
        let starts: Vec<usize> = letters.char_indices().map(|(at, _)| at).chain([letters.len()]).collect();
        for length in LENGTHS {
            for window in starts.windows(length + 1) {
                each(Gram::Letters, hash(&letters[window[0]..window[length]]));
            }
        }
    }
}
