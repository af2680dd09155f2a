//! The words of a log message, in the form that the lexicon and the embedder read.
//!
//! In: a message or a template. Out: lower-case words with one blank around each, where technical spelling is spelt out:
//! `OOMKilled` is `oom killed`, `ECONNREFUSED` is `connection refused`, `cfg` is `config`, `can't` is `cannot`. Variable
//! parts are `#`, a zero stays `0`, because "0 errors" says the opposite of "7 errors". The numbers' values are kept
//! beside them, for status and exit codes.

mod expand;
pub(super) mod grams;
#[cfg(test)]
mod tests;

pub(super) use self::expand::errno_text;
use super::template::mask_at;

/// What stands for a variable part.
pub(super) const VARIABLE: &str = "#";

/// Longer messages are read up to here: what a message is about stands at its start.
const MAX_BYTES: usize = 2048;
const MAX_WORDS: usize = 192;

/// A number in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    /// Where the `#` or `0` is that stands for it, in bytes of the text.
    pub(super) at: usize,
    /// Its value.
    pub(super) value: u32,
}

/// The words of a message. Reading into the same value again reuses its memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    text: String,
    numbers: Vec<Number>,
    n_words: usize,
}

impl Words {
    /// The words of `message`.
    pub(super) fn of(message: &str) -> Self {
        let mut words = Self::default();
        words.read(message);
        words
    }

    /// Replaces these words by those of `message`.
    pub(super) fn read(&mut self, message: &str) {
        self.text.clear();
        self.text.push(' ');
        self.numbers.clear();
        self.n_words = 0;
        let mut rest = head(message);
        while let Some(first) = rest.chars().next() {
            if self.n_words >= MAX_WORDS {
                break;
            }
            rest = &rest[self.token(first, rest).max(first.len_utf8())..];
        }
    }

    /// ` word word `: every word has a blank on both sides.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The numbers of the message whose values are known, in order.
    pub(super) fn numbers(&self) -> &[Number] {
        &self.numbers
    }

    /// The words, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.text.split_ascii_whitespace()
    }

    /// Reads what is at the start of `rest`; returns how many bytes it was.
    fn token(&mut self, first: char, rest: &str) -> usize {
        if first == '<'
            && let Some(mask) = mask_at(rest)
        {
            self.push(VARIABLE);
            return mask.len();
        }
        if first.is_ascii_digit() {
            return self.number(rest);
        }
        if !first.is_alphanumeric() {
            return first.len_utf8();
        }
        let len = word_len(rest);
        let token = &rest[..len];
        if is_identifier(token) {
            self.push(VARIABLE);
        } else {
            self.word(token);
        }
        len
    }

    fn number(&mut self, rest: &str) -> usize {
        let bytes = rest.as_bytes();
        let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
        let mut len = 0;
        while let Some(byte) = bytes.get(len) {
            let inner = matches!(byte, b'.' | b',' | b':') && digit(len + 1);
            if !(byte.is_ascii_alphanumeric() || inner) {
                break;
            }
            len += 1;
        }
        let token = &rest[..len];
        let digits = token.bytes().take_while(u8::is_ascii_digit).count();
        let value = token[..digits].parse::<u32>().ok();
        let pure = digits == len;
        // `0`, `0.00`, `0ms`, but neither `00` nor `0x0`, which are no counts.
        let zero = digits == 1
            && token.bytes().filter(u8::is_ascii_digit).all(|digit| digit == b'0')
            && len <= 5
            && !token.starts_with("0x");
        self.push(if zero { "0" } else { VARIABLE });
        if let (true, Some(value)) = (pure, value) {
            // Blank, word, blank: the word is two bytes from the end.
            self.numbers.push(Number { at: self.text.len().saturating_sub(2), value });
        }
        len
    }

    /// One word of the message; may be several in ours.
    fn word(&mut self, token: &str) {
        if let Some(expansion) = expand::whole(token) {
            self.push(expansion);
            return;
        }
        for part in camel_parts(token) {
            let mut lower = part.to_lowercase();
            lower.retain(|char| !matches!(char, '\'' | '\u{2019}'));
            let known = expand::abbreviation(&lower);
            self.push(known.unwrap_or(&lower));
        }
    }

    fn push(&mut self, words: &str) {
        if words == VARIABLE && self.text.ends_with(" # ") {
            return;
        }
        self.text.push_str(words);
        self.text.push(' ');
        self.n_words += 1;
    }
}

pub(super) fn head(message: &str) -> &str {
    let mut end = message.len().min(MAX_BYTES);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    &message[..end]
}

/// Letters and digits, and apostrophes between letters.
fn word_len(rest: &str) -> usize {
    let mut chars = rest.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        let inside = char.is_alphanumeric()
            || matches!(char, '\'' | '\u{2019}')
                && chars.peek().is_some_and(|(_, next)| next.is_alphabetic());
        if !inside {
            return at;
        }
    }
    rest.len()
}

/// Hashes, parts of UUIDs and the like: many digits among the letters.
fn is_identifier(token: &str) -> bool {
    let digits = token.bytes().filter(u8::is_ascii_digit).count();
    let hex = token.bytes().all(|byte| byte.is_ascii_hexdigit());
    token.len() >= 6 && digits >= 2 && hex || token.len() >= 8 && digits >= 3
}

/// `OOMKilled` as `OOM`, `Killed`.
fn camel_parts(token: &str) -> impl Iterator<Item = &str> {
    let mut rest = token;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (part, remaining) = rest.split_at(hump(rest));
        rest = remaining;
        Some(part)
    })
}

/// Where the first part of a word in camel case ends.
fn hump(word: &str) -> usize {
    let chars: Vec<(usize, char)> = word.char_indices().collect();
    for (i, window) in chars.windows(2).enumerate() {
        let ((_, before), (at, after)) = (window[0], window[1]);
        if before.is_lowercase() && after.is_uppercase() {
            return at;
        }
        // An acronym and a word: the last capital is the word's. `CPUs` is one word.
        let next = chars.get(i + 2);
        let plural = next.is_some_and(|(_, next)| *next == 's') && chars.len() == i + 3;
        if before.is_uppercase()
            && after.is_uppercase()
            && next.is_some_and(|(_, next)| next.is_lowercase())
            && !plural
        {
            return at;
        }
    }
    word.len()
}
