//! JSON's tokens.
//!
//! In: UTF-8 that claims to be JSON. Out: tokens, one after the other, or what is wrong. Text is copied only if it has
//! escapes in it.

use crate::wire::MAX_DEPTH;

/// That the text is not what it should be; the lexer's position says where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault(pub(super) &'static str);

/// A position in the text.
#[derive(Clone, Debug)]
pub(super) struct Lexer<'a> {
    text: &'a [u8],
    /// How many bytes have been read.
    pub(super) at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) const fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// The next byte that is not white space; it is not taken.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                byte => return byte.copied(),
            }
        }
    }

    /// Takes `byte` if it comes next.
    #[inline]
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Takes `byte`, which must come next.
    #[inline]
    pub(super) fn expect(&mut self, byte: u8, otherwise: &'static str) -> Result<(), Fault> {
        if self.take(byte) { Ok(()) } else { Err(Fault(otherwise)) }
    }

    /// After an element of a list or an object: whether another one follows.
    #[inline]
    pub(super) fn another(&mut self, end: u8) -> Result<bool, Fault> {
        if self.take(b',') {
            return Ok(true);
        }
        self.expect(end, "neither `,` nor the end of a list or an object").map(|()| false)
    }

    /// Takes a word: `true`, `false` or `null`.
    pub(super) fn word(&mut self, word: &str) -> bool {
        self.peek();
        let found = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes()));
        self.at += if found { word.len() } else { 0 };
        found
    }

    /// Takes text. What it says is in the input or, if it has escapes, in `scratch`.
    #[inline]
    pub(super) fn string<'s>(&mut self, scratch: &'s mut Vec<u8>) -> Result<&'s [u8], Fault>
    where
        'a: 's,
    {
        self.expect(b'"', "text expected")?;
        let start = self.at;
        self.at += plain_run(self.text.get(start..).unwrap_or_default());
        if self.text.get(self.at) == Some(&b'"') {
            let plain = self.text.get(start..self.at).unwrap_or_default();
            self.at += 1;
            return Ok(plain);
        }
        self.escaped(start, scratch)?;
        Ok(scratch)
    }

    fn escaped(&mut self, start: usize, scratch: &mut Vec<u8>) -> Result<(), Fault> {
        scratch.clear();
        scratch.extend_from_slice(self.text.get(start..self.at).unwrap_or_default());
        loop {
            match self.text.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    let character = self.escape()?;
                    scratch.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Some(0..0x20) => return Err(Fault("control character in text")),
                Some(_) => {
                    let rest = self.text.get(self.at..).unwrap_or_default();
                    let run = plain_run(rest);
                    scratch.extend_from_slice(rest.get(..run).unwrap_or_default());
                    self.at += run;
                }
                None => return Err(Fault("text without an end")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Fault> {
        let byte = self.text.get(self.at + 1).copied();
        self.at += 2;
        Ok(match byte {
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'u') => {
                let unit = self.hex4()?;
                self.character(unit)?
            }
            _ => return Err(Fault("unknown escape in text")),
        })
    }

    /// The character of a UTF-16 unit and, if it needs one, its partner. Half a pair stands for no character; as Go's
    /// JSON does, and with it the collector, it reads as U+FFFD.
    fn character(&mut self, unit: u32) -> Result<char, Fault> {
        let pair = matches!(unit, 0xd800..0xdc00)
            && self.text.get(self.at..).is_some_and(|rest| rest.starts_with(b"\\u"));
        if pair {
            let before = self.at;
            self.at += 2;
            let low = self.hex4()?;
            if matches!(low, 0xdc00..0xe000) {
                let code = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = before;
        }
        Ok(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex4(&mut self) -> Result<u32, Fault> {
        let digits = self.text.get(self.at..self.at + 4).ok_or(Fault("text without an end"))?;
        let mut number = 0;
        for digit in digits {
            let digit = char::from(*digit).to_digit(16).ok_or(Fault("unknown escape in text"))?;
            number = number << 4 | digit;
        }
        self.at += 4;
        Ok(number)
    }

    /// Takes a number; returns its text.
    #[inline]
    pub(super) fn number(&mut self) -> Result<&'a [u8], Fault> {
        self.peek();
        let rest = self.text.get(self.at..).unwrap_or_default();
        let len = rest
            .iter()
            .position(|byte| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .unwrap_or(rest.len());
        let number = rest.get(..len).unwrap_or_default();
        if !is_number(number) {
            return Err(Fault("number expected"));
        }
        self.at += len;
        Ok(number)
    }

    /// Takes any value, and forgets it.
    pub(super) fn skip(&mut self, scratch: &mut Vec<u8>, depth: u32) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault("values nest too deeply"));
        }
        match self.peek() {
            Some(b'"') => self.string(scratch).map(drop),
            Some(b'{') => {
                self.at += 1;
                if self.take(b'}') {
                    return Ok(());
                }
                loop {
                    self.string(scratch)?;
                    self.expect(b':', "no `:` after a name")?;
                    self.skip(scratch, depth + 1)?;
                    if !self.another(b'}')? {
                        return Ok(());
                    }
                }
            }
            Some(b'[') => {
                self.at += 1;
                if self.take(b']') {
                    return Ok(());
                }
                loop {
                    self.skip(scratch, depth + 1)?;
                    if !self.another(b']')? {
                        return Ok(());
                    }
                }
            }
            Some(b't' | b'f' | b'n') if self.word("true") || self.word("false") || self.word("null") => {
                Ok(())
            }
            Some(_) => self.number().map(drop),
            None => Err(Fault("value expected")),
        }
    }
}

/// Whether JSON allows this number.
pub(super) fn is_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(text);
    if whole == 0 || (whole > 1 && text.first() == Some(&b'0')) {
        return false;
    }
    let mut rest = text.get(whole..).unwrap_or_default();
    if let [b'.', fraction @ ..] = rest {
        let len = digits(fraction);
        if len == 0 {
            return false;
        }
        rest = fraction.get(len..).unwrap_or_default();
    }
    match rest {
        [] => true,
        [b'e' | b'E', b'+' | b'-', exponent @ ..] | [b'e' | b'E', exponent @ ..] => {
            !exponent.is_empty() && digits(exponent) == exponent.len()
        }
        _ => false,
    }
}

/// How many bytes from the start need no escape in JSON text.
#[inline]
pub(super) fn plain_run(bytes: &[u8]) -> usize {
    // Whole blocks without asking where, which the compiler makes vector instructions of; the last one may lie over the one before.
    let is_plain = |block: &[u8; 16]| !block.iter().fold(false, |any, byte| any | is_special(*byte));
    let (blocks, rest) = bytes.as_chunks::<16>();
    let plain = 16 * blocks.iter().take_while(|block| is_plain(block)).count();
    if plain == 16 * blocks.len() && (rest.is_empty() || bytes.last_chunk().is_some_and(is_plain)) {
        return bytes.len();
    }
    let rest = bytes.get(plain..).unwrap_or_default();
    plain + rest.iter().position(|byte| is_special(*byte)).unwrap_or(rest.len())
}

const fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}
