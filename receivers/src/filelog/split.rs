//! Cuts a file's bytes into records.
//!
//! In: bytes from somewhere inside a file, and whether more may come. Out: [`Token`]s, each with the place where the
//! next one begins. Nothing is copied.

use memchr::memchr;
use regex::bytes::Regex;

use super::encoding::Encoding;

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// Where its content begins.
    pub(super) start: usize,
    /// Where its content ends.
    pub(super) end: usize,
    /// Where the next one begins.
    pub(super) next: usize,
    /// Whether it was cut because it is too long.
    pub(super) is_cut: bool,
}

/// What ends a record.
#[derive(Clone, Debug)]
pub(super) enum Boundary {
    /// A line feed in a byte-oriented encoding.
    Newline,
    /// A line feed in UTF-16.
    Newline16 {
        /// Whether the high byte comes first.
        big_endian: bool,
    },
    /// The next match of a pattern.
    Start {
        /// What a record begins with.
        pattern: Regex,
        /// Whether what matched is left out.
        omit: bool,
    },
    /// A match of a pattern.
    End {
        /// What a record ends with.
        pattern: Regex,
        /// Whether what matched is left out.
        omit: bool,
    },
    /// Nothing: whatever has been read so far is a record.
    None,
}

/// Cuts bytes into records.
#[derive(Clone, Debug)]
pub(super) struct Splitter {
    /// What ends a record.
    pub(super) boundary: Boundary,
    /// Longer records are cut.
    pub(super) max_len: usize,
    /// Where they may be cut.
    pub(super) encoding: Encoding,
}

impl Splitter {
    /// The record that begins at `from`; none if its end has not been seen yet. With `flush` the end of `data` is an end.
    pub(super) fn next(&self, data: &[u8], from: usize, flush: bool) -> Option<Token> {
        if from >= data.len() {
            return None;
        }
        let token = self.find(data, from).or_else(|| flush.then(|| whole(from, data.len())));
        match token {
            Some(token) if token.end - token.start <= self.max_len => Some(token),
            None if data.len() - from <= self.max_len => None,
            _ => Some(self.cut(data, token.map_or(from, |token| token.start))),
        }
    }

    fn find(&self, data: &[u8], from: usize) -> Option<Token> {
        match &self.boundary {
            Boundary::Newline => {
                let end = from + memchr(b'\n', &data[from..])?;
                Some(Token { start: from, end, next: end + 1, is_cut: false })
            }
            Boundary::Newline16 { big_endian } => {
                let newline = if *big_endian { [0, b'\n'] } else { [b'\n', 0] };
                let (units, _) = data[from..].as_chunks::<2>();
                let end = from + 2 * units.iter().position(|unit| *unit == newline)?;
                Some(Token { start: from, end, next: end + 2, is_cut: false })
            }
            Boundary::Start { pattern, omit } => start(data, from, pattern, *omit),
            Boundary::End { pattern, omit } => {
                let found = pattern.find_at(data, from).filter(|found| found.end() > from)?;
                let end = if *omit { found.start() } else { found.end() };
                Some(Token { start: from, end, next: found.end(), is_cut: false })
            }
            Boundary::None => Some(whole(from, data.len().min(from + self.max_len))),
        }
    }

    /// As much as fits, without cutting a character in two.
    fn cut(&self, data: &[u8], start: usize) -> Token {
        let end = start + self.encoding.floor(&data[start..], self.max_len);
        Token { start, end, next: end, is_cut: true }
    }
}

const fn whole(start: usize, end: usize) -> Token {
    Token { start, end, next: end, is_cut: false }
}

/// A record from one match of `pattern` to the next. What comes before the first match is a record of its own.
fn start(data: &[u8], from: usize, pattern: &Regex, omit: bool) -> Option<Token> {
    // A match that reaches the end of what was read might become longer, or none.
    let find = |at: usize| pattern.find_at(data, at).filter(|found| found.end() < data.len());
    let first = find(from)?;
    if first.start() > from {
        return Some(whole(from, first.start()));
    }
    // The search goes on behind the match, and at least one byte on, so that an empty match makes progress.
    let second = find(first.end().max(from + 1))?;
    let start = if omit { first.end() } else { from };
    Some(Token { start, end: second.start(), next: second.start(), is_cut: false })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn splitter(boundary: Boundary, max_len: usize) -> Splitter {
        Splitter { boundary, max_len, encoding: Encoding::Utf8 }
    }

    fn pattern(text: &str) -> Regex {
        Regex::new(text).unwrap()
    }

    fn records<'a>(splitter: &Splitter, data: &'a str, flush: bool) -> Vec<&'a str> {
        let mut from = 0;
        std::iter::from_fn(|| {
            let token = splitter.next(data.as_bytes(), from, flush)?;
            from = token.next;
            Some(&data[token.start..token.end])
        })
        .collect()
    }

    #[test]
    fn a_line_without_end_waits_for_the_flush() {
        let lines = splitter(Boundary::Newline, 100);
        assert_eq!(records(&lines, "a\n\nbc", false), ["a", ""]);
        assert_eq!(records(&lines, "a\n\nbc", true), ["a", "", "bc"]);
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let lines = splitter(Boundary::Newline, 4);
        assert_eq!(records(&lines, "aaaäb\nc\n", false), ["aaa", "äb", "c"]);
        assert_eq!(records(&lines, "aaaaa", false), ["aaaa"]);
    }

    #[test]
    fn a_start_pattern_joins_what_follows() {
        let data = "pre\n1 a\n  x\n2 b\n3";
        let lines = splitter(Boundary::Start { pattern: pattern(r"(?m)^\d"), omit: false }, 100);
        assert_eq!(records(&lines, data, false), ["pre\n", "1 a\n  x\n"]);
        assert_eq!(records(&lines, data, true), ["pre\n", "1 a\n  x\n", "2 b\n3"]);
        let lines = splitter(Boundary::Start { pattern: pattern(r"(?m)^\d "), omit: true }, 100);
        assert_eq!(records(&lines, data, true), ["pre\n", "a\n  x\n", "2 b\n3"]);
    }

    #[test]
    fn an_end_pattern_ends_a_record() {
        let data = "a\nb;\nc;\nd";
        let lines = splitter(Boundary::End { pattern: pattern(";\n"), omit: false }, 100);
        assert_eq!(records(&lines, data, true), ["a\nb;\n", "c;\n", "d"]);
        let lines = splitter(Boundary::End { pattern: pattern(";\n"), omit: true }, 100);
        assert_eq!(records(&lines, data, false), ["a\nb", "c"]);
    }

    #[test]
    fn utf_16_is_cut_at_its_own_line_feed() {
        // U+0A00 has a byte that looks like a line feed, in either order.
        let data: Vec<u8> = "\u{a00}x\ny\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let boundary = Boundary::Newline16 { big_endian: true };
        let lines = Splitter { boundary, max_len: 100, encoding: Encoding::Utf16Be };
        let first = lines.next(&data, 0, false).unwrap();
        assert_eq!((first.start, first.end, first.next), (0, 4, 6));
    }

    proptest! {
        #[test]
        fn every_byte_is_in_exactly_one_place(
            data in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'a'), any::<u8>()], 0..200),
            max_len in 1..20usize, which in 0..5usize, omit in any::<bool>(),
        ) {
            let boundary = match which {
                0 => Boundary::Newline,
                1 => Boundary::Newline16 { big_endian: omit },
                2 => Boundary::Start { pattern: pattern("(?m)^a?"), omit },
                3 => Boundary::End { pattern: pattern("a*"), omit },
                _ => Boundary::None,
            };
            let encoding = if which == 1 { Encoding::Utf16Be } else { Encoding::Utf8 };
            let splitter = Splitter { boundary, max_len: max_len.max(4), encoding };
            let mut from = 0;
            while let Some(token) = splitter.next(&data, from, true) {
                prop_assert!(from <= token.start && token.start <= token.end && token.end <= token.next);
                prop_assert!(token.next > from && token.next <= data.len());
                prop_assert!(token.end - token.start <= max_len.max(4));
                from = token.next;
            }
            prop_assert_eq!(from, data.len());
        }
    }
}
