//! Text to the numbers of a BERT vocabulary's pieces.
//!
//! WordPiece as BERT's uncased models use it (Devlin et al., NAACL 2019, and its published tokenizer): words and punctuation apart,
//! lower case, then the longest pieces that the vocabulary knows from the left.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::super::EmbedError;

/// Longer words are unknown, as in the original.
const MAX_WORD_CHARS: usize = 100;

/// A vocabulary.
pub(super) struct WordPiece {
    pieces: HashMap<Box<str>, u32, FixedState>,
    unknown: u32,
    start: u32,
    end: u32,
}

impl WordPiece {
    /// Reads a `vocab.txt`: one piece a line, numbered from zero.
    pub(super) fn new(vocabulary: &str) -> Result<Self, EmbedError> {
        let pieces: HashMap<Box<str>, u32, FixedState> =
            vocabulary.lines().zip(0..).map(|(piece, number)| (piece.trim_end().into(), number)).collect();
        let special = |name: &str| {
            let missing = || EmbedError::Load(format!("vocab.txt has no `{name}`"));
            pieces.get(name).copied().ok_or_else(missing)
        };
        let (unknown, start, end) = (special("[UNK]")?, special("[CLS]")?, special("[SEP]")?);
        Ok(Self { pieces, unknown, start, end })
    }

    /// The largest number that can come out.
    pub(super) fn largest(&self) -> u32 {
        self.pieces.values().copied().max().unwrap_or(0)
    }

    /// The pieces of a text, at most `most` with the marks at both ends.
    pub(super) fn encode(&self, text: &str, most: usize) -> Vec<u32> {
        let mut numbers = vec![self.start];
        for word in words(text) {
            if numbers.len() >= most {
                break;
            }
            self.word(&word, &mut numbers);
        }
        numbers.truncate(most.saturating_sub(1).max(1));
        numbers.push(self.end);
        numbers
    }

    fn word(&self, word: &str, numbers: &mut Vec<u32>) {
        let before = numbers.len();
        if word.chars().count() > MAX_WORD_CHARS {
            numbers.push(self.unknown);
            return;
        }
        let mut rest = word;
        let mut key = String::new();
        while !rest.is_empty() {
            let ends = rest.char_indices().map(|(at, char)| at + char.len_utf8());
            let longest = ends.collect::<Vec<_>>().into_iter().rev().find_map(|end| {
                key.clear();
                if rest.len() < word.len() {
                    key.push_str("##");
                }
                key.push_str(&rest[..end]);
                self.pieces.get(key.as_str()).map(|number| (end, *number))
            });
            let Some((end, number)) = longest else {
                numbers.truncate(before);
                numbers.push(self.unknown);
                return;
            };
            numbers.push(number);
            rest = &rest[end..];
        }
    }
}

/// Lower-case words; every punctuation mark and every ideograph is a word.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let flush = |word: &mut String, words: &mut Vec<String>| {
        if !word.is_empty() {
            words.push(std::mem::take(word));
        }
    };
    for char in text.chars() {
        if char.is_whitespace() {
            flush(&mut word, &mut words);
        } else if char == '\0' || char == '\u{fffd}' || char.is_control() {
            // Left out.
        } else if is_punctuation(char) || is_ideograph(char) {
            flush(&mut word, &mut words);
            words.push(char.to_string());
        } else {
            word.extend(char.to_lowercase().map(without_accent).filter(|char| !is_combining(*char)));
        }
    }
    flush(&mut word, &mut words);
    words
}

/// ASCII symbols count as punctuation, as in the original.
const fn is_punctuation(char: char) -> bool {
    char.is_ascii_punctuation()
        || matches!(char, '\u{a1}' | '\u{a7}' | '\u{ab}' | '\u{b6}' | '\u{b7}' | '\u{bb}' | '\u{bf}')
        || matches!(char, '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205e}' | '\u{3001}'..='\u{3003}')
        || matches!(char, '\u{3008}'..='\u{3011}' | '\u{3014}'..='\u{301f}' | '\u{ff01}'..='\u{ff0f}')
}

const fn is_ideograph(char: char) -> bool {
    matches!(char, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{2ceaf}')
}

const fn is_combining(char: char) -> bool {
    matches!(char, '\u{300}'..='\u{36f}')
}

/// Latin letters with the usual accents; others stay as they are, and are then mostly unknown.
const fn without_accent(char: char) -> char {
    match char {
        'à'..='å' | 'ā' | 'ă' | 'ą' => 'a',
        'ç' | 'ć' | 'ĉ' | 'č' => 'c',
        'ď' => 'd',
        'è'..='ë' | 'ē' | 'ė' | 'ę' | 'ě' => 'e',
        'ğ' | 'ģ' => 'g',
        'ì'..='ï' | 'ī' | 'į' => 'i',
        'ķ' => 'k',
        'ĺ' | 'ļ' | 'ľ' => 'l',
        'ñ' | 'ń' | 'ņ' | 'ň' => 'n',
        'ò'..='ö' | 'ō' | 'ő' => 'o',
        'ŕ' | 'ř' => 'r',
        'ś' | 'ş' | 'š' => 's',
        'ţ' | 'ť' => 't',
        'ù'..='ü' | 'ū' | 'ů' | 'ű' => 'u',
        'ý' | 'ÿ' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pieces() -> WordPiece {
        WordPiece::new("[PAD]\n[UNK]\n[CLS]\n[SEP]\nun\n##aff\n##able\nconnection\n,\nuber\n##s").unwrap()
    }

    #[test]
    fn the_longest_pieces_from_the_left_are_taken() {
        assert_eq!(pieces().encode("Unaffable, Connections", 64), [2, 4, 5, 6, 8, 7, 10, 3]);
        assert_eq!(pieces().encode("über unknown", 64), [2, 9, 1, 3]);
        assert_eq!(pieces().encode("un un un un", 4), [2, 4, 4, 3]);
    }

    #[test]
    fn a_vocabulary_without_marks_is_refused() {
        assert!(WordPiece::new("a\nb").err().unwrap().to_string().contains("[UNK]"));
    }

    proptest! {
        #[test]
        fn any_text_has_pieces(text in any::<String>(), most in 2_usize..70) {
            let numbers = pieces().encode(&text, most);
            prop_assert!((2..=most).contains(&numbers.len()));
            prop_assert!(numbers.iter().all(|number| *number <= 10));
        }
    }
}
