//! Lines for people: a header of timestamp, severity, thread and logger in any order, and then the message.
//!
//! Only timestamp and severity are lifted; the message begins behind the last of them. A word counts as a severity only where a
//! header has it, among the first few words: `ERROR` does by itself, `error` in brackets, before a colon or between bars or tabs.

use pdata::Timestamp;

use super::level::{self, Level};
use super::time::{self, Stamp};

/// How many parts a header has at most.
const MAX_PARTS: usize = 9;
/// How long a part in brackets may be.
const MAX_BRACKETS: usize = 100;
/// How long another part may be.
const MAX_WORD: usize = 120;
/// What access logs have before their time: an address, and one or two names.
const ACCESS_TIME_WITHIN: usize = 120;

/// What the header of a line says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Plain<'a> {
    pub(super) time: Option<Timestamp>,
    pub(super) severity: Option<Level<'a>>,
    /// Where the message begins.
    pub(super) start: usize,
}

/// What the header of a line says; `stamp` is the timestamp at its very beginning.
pub(super) fn parse(line: &str, stamp: Option<Stamp>, reference: Timestamp) -> Plain<'_> {
    let mut header = Header {
        line,
        bytes: line.as_bytes(),
        at: 0,
        reference,
        stamp: None,
        severity: None,
        end: 0,
        separator: Separator::Start,
        before: Part::Start,
        is_redis: false,
    };
    if let Some(stamp) = stamp {
        header.found_time(stamp);
    }
    for _ in 0..MAX_PARTS {
        if !header.part() {
            break;
        }
    }
    header.finish()
}

/// What is between two parts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Separator {
    Start,
    Space,
    /// A tab, `|` or ` - `: what stands between two of these is a field, whatever it looks like.
    Bar,
}

/// What a part was.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Start,
    Time,
    Severity,
    Number,
    Other,
}

struct Header<'a> {
    line: &'a str,
    bytes: &'a [u8],
    at: usize,
    reference: Timestamp,
    stamp: Option<Stamp>,
    severity: Option<Level<'a>>,
    /// Behind the last timestamp or severity.
    end: usize,
    separator: Separator,
    before: Part,
    /// Redis writes a mark instead of a severity.
    is_redis: bool,
}

impl<'a> Header<'a> {
    /// Takes the next part. Returns whether there may be more.
    fn part(&mut self) -> bool {
        self.separators();
        if self.stamp.is_some() && self.severity.is_some() {
            return false;
        }
        match self.bytes.get(self.at) {
            None | Some(b'\n' | b'\r') => false,
            Some(b'[' | b'(' | b'<') => self.brackets(),
            Some(byte) => {
                let may_be_time = byte.is_ascii_digit() || byte.is_ascii_uppercase();
                if may_be_time && self.stamp.is_none() && self.time() {
                    return true;
                }
                self.word()
            }
        }
    }

    /// Past white space, bars, dashes and colours.
    fn separators(&mut self) {
        if self.at > 0 {
            self.separator = Separator::Space;
        }
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b' ' | b']' | b',' | b':' | b'"' => {}
                b'\t' | b'|' => self.separator = Separator::Bar,
                b'-' if is_dash(self.bytes, self.at) => self.separator = Separator::Bar,
                0x1b => self.at += colour(&self.bytes[self.at..]),
                _ => return,
            }
            self.at += 1;
        }
    }

    fn time(&mut self) -> bool {
        let stamp = time::scan(&self.bytes[self.at..], self.reference);
        // A number that is not first may be anything.
        match stamp.filter(|stamp| !stamp.is_number || matches!(self.before, Part::Start | Part::Severity)) {
            Some(stamp) => {
                self.found_time(stamp);
                true
            }
            None => false,
        }
    }

    fn found_time(&mut self, stamp: Stamp) {
        self.at += stamp.len;
        self.end = self.at;
        self.stamp = Some(stamp);
        self.before = Part::Time;
    }

    fn found_severity(&mut self, severity: Level<'a>, end: usize) {
        self.at = end;
        // `Error: no such file` without a timestamp is a sentence as much as a header, so it stays.
        let is_quiet = severity.text.bytes().any(|byte| byte.is_ascii_lowercase());
        let is_bare = end > 0 && self.bytes[end - 1].is_ascii_alphabetic();
        if self.stamp.is_some() || !(is_quiet && is_bare) {
            self.end = end;
        }
        self.severity = Some(severity);
        self.before = Part::Severity;
    }

    /// A part in brackets: a timestamp, a severity, both at the beginning of more, or something else.
    fn brackets(&mut self) -> bool {
        let inner = self.at + 1;
        let Some(len) = closing(&self.bytes[self.at..]) else { return false };
        let end = self.at + len;
        let text = &self.line[inner..end - 1];
        if self.stamp.is_none()
            && let Some(stamp) = time::scan(text.as_bytes(), self.reference)
        {
            self.at = inner;
            self.found_time(stamp);
            if stamp.len == text.len() {
                self.at = end;
                self.end = end;
            }
            return true;
        }
        if self.severity.is_none()
            && let Some(severity) = in_brackets(text)
        {
            self.found_severity(severity, end);
            return true;
        }
        self.at = end;
        self.before = Part::Other;
        true
    }

    /// A word: a severity, or another part of a header. Returns false if it is neither.
    fn word(&mut self) -> bool {
        let rest = &self.bytes[self.at..];
        let is_end = |byte: &u8| matches!(byte, b' ' | b'\t' | b'|' | b'\n' | b'\r' | 0x1b);
        let Some(len) = rest
            .iter()
            .take(MAX_WORD + 1)
            .position(is_end)
            .or_else(|| (rest.len() <= MAX_WORD).then_some(rest.len()))
        else {
            return false;
        };
        let Some(word) = self.line.get(self.at..self.at + len) else { return false };
        if self.severity.is_none()
            && let Some((severity, len)) = self.severity(word)
        {
            self.found_severity(severity, self.at + len);
            return true;
        }
        self.is_redis |= is_redis(word);
        let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
        let is_field = self.separator == Separator::Bar && self.is_before_bar(self.at + len);
        if !(is_number || is_field || is_name(word)) {
            return false;
        }
        self.at += len;
        self.before = if is_number { Part::Number } else { Part::Other };
        true
    }

    /// The severity that a word is, and how much of the word it takes.
    fn severity(&self, word: &'a str) -> Option<(Level<'a>, usize)> {
        let letters = word.bytes().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let (name, tail) = word.split_at(letters);
        if name.len() == 1 {
            return self.letter(name, tail).map(|severity| (severity, 1));
        }
        if self.is_redis && self.before == Part::Time && word.len() == 1 {
            return redis_mark(word).map(|severity| (severity, 1));
        }
        // Python writes `ERROR:root:text`, others `ERROR,` or `ERROR/core`.
        let ends = tail.is_empty() || tail.starts_with(':') || tail == "," || tail.starts_with('/');
        if name.len() < 3 || name.len() > 13 || !ends {
            return None;
        }
        let is_loud = name.bytes().all(|byte| byte.is_ascii_uppercase());
        let is_before_colon = tail.starts_with(':');
        let end = self.at + letters;
        let is_field = self.separator == Separator::Bar && self.is_before_bar(end);
        let is_sure = match name {
            // PostgreSQL's.
            "LOG" | "STATEMENT" | "DETAIL" | "HINT" => {
                return (is_before_colon && self.stamp.is_some())
                    .then_some((Level { number: 9, text: name }, letters));
            }
            // .NET's.
            "fail" if is_before_colon => {
                return Some((Level { number: 17, text: name }, letters));
            }
            "CONFIG" | "FINE" | "ALERT" | "NOTICE" | "SUCCESS" | "FAILURE" | "VERBOSE" | "PANIC" => {
                is_before_colon || self.stamp.is_some() || is_field
            }
            _ if is_loud => true,
            _ => is_before_colon || is_field,
        };
        // What is before it must be a header too: "lost 3 errors: ..." has none.
        let is_header = match self.before {
            Part::Number => self.stamp.is_some(),
            Part::Start | Part::Time | Part::Severity | Part::Other => true,
        };
        level::of_word(name).filter(|_| is_sure && is_header).map(|severity| (severity, letters))
    }

    /// A letter is a severity between bars, behind Android's process and thread, before its `/tag`, and in MongoDB's old form.
    fn letter(&self, name: &str, tail: &str) -> Option<Level<'static>> {
        let letter = name.bytes().next()?;
        let end = self.at + 1;
        let is_alone = tail.is_empty();
        let is_mongo = || {
            let word = self.line[end..].trim_start_matches(' ').split(' ').next().unwrap_or_default();
            self.before == Part::Time && word.len() >= 3 && word.bytes().all(|byte| byte.is_ascii_uppercase())
        };
        let is_sure = if is_alone {
            let is_field = self.separator == Separator::Bar && self.is_before_bar(end);
            is_field || (self.before == Part::Number && self.stamp.is_some()) || is_mongo()
        } else {
            // `E/AndroidRuntime( 1234): `
            tail.starts_with('/') && tail.contains('(') && matches!(self.before, Part::Start | Part::Time)
        };
        level::of_letter(letter).filter(|_| is_sure)
    }

    /// Whether a bar or tab, or the end of the line, follows.
    fn is_before_bar(&self, at: usize) -> bool {
        let rest = &self.bytes[at..];
        let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
        match rest.get(spaces) {
            Some(b'\t' | b'|') => true,
            Some(b'-') => spaces > 0 && is_dash(self.bytes, at + spaces),
            _ => false,
        }
    }

    fn finish(self) -> Plain<'a> {
        // A time of day alone, or a number alone, may be the message's own.
        let is_weak = self.stamp.is_some_and(|stamp| stamp.is_time_only) && self.severity.is_none();
        if is_weak {
            return Plain::default();
        }
        let Some(stamp) = self.stamp else {
            let time = if self.severity.is_none() { access_time(self.line, self.reference) } else { None };
            return Plain { time, severity: self.severity, start: message(self.bytes, self.end) };
        };
        Plain { time: stamp.time, severity: self.severity, start: message(self.bytes, self.end) }
    }
}

/// Where the message begins: behind what separates it from a header that ends at `end`.
fn message(bytes: &[u8], end: usize) -> usize {
    let mut at = end;
    while let Some(byte) = bytes.get(at).filter(|_| end > 0) {
        match byte {
            b' ' | b'\t' | b']' | b':' | b'|' | b',' => at += 1,
            b'-' if is_dash(bytes, at) => at += 1,
            0x1b => at += colour(&bytes[at..]) + 1,
            _ => break,
        }
    }
    at
}

/// Whether the `-` at `at` stands alone.
fn is_dash(bytes: &[u8], at: usize) -> bool {
    let is_before = at == 0 || matches!(bytes[at - 1], b' ' | b'-' | b']');
    let rest = &bytes[at..];
    let len = rest.iter().take(4).take_while(|byte| **byte == b'-').count();
    is_before && len <= 3 && matches!(rest.get(len), Some(b' '))
}

/// How many bytes follow the escape character of a colour, if it is one. Always inside of the text.
fn colour(bytes: &[u8]) -> usize {
    let is_part = |byte: &&u8| matches!(byte, b'[' | b';' | b'0'..=b'9');
    let len = bytes[1..].iter().take(12).take_while(is_part).count();
    if bytes.get(len + 1) == Some(&b'm') { len + 1 } else { 0 }
}

/// How long the part in brackets at the beginning of `bytes` is, brackets and all.
fn closing(bytes: &[u8]) -> Option<usize> {
    let (open, close) = match bytes.first()? {
        b'[' => (b'[', b']'),
        b'(' => (b'(', b')'),
        _ => (b'<', b'>'),
    };
    let mut depth = 0;
    for (at, byte) in bytes.iter().enumerate().take(MAX_BRACKETS) {
        if *byte == open {
            depth += 1;
        } else if *byte == close {
            depth -= 1;
            if depth == 0 {
                return Some(at + 1);
            }
        } else if *byte == b'\n' {
            return None;
        }
    }
    None
}

/// `[ERROR]`, `[ info ]`, `[core:error]`, `[E]`
fn in_brackets(text: &str) -> Option<Level<'_>> {
    let mut text = text.trim_ascii();
    if text.starts_with('\u{1b}') {
        text = text.get(colour(text.as_bytes()) + 1..)?;
        text = text.split('\u{1b}').next()?;
    }
    if let [letter] = text.as_bytes() {
        return level::of_letter(*letter);
    }
    level::of_word(text).or_else(|| level::of_word(text.rsplit_once(':')?.1))
}

/// Whether a word looks like the name of a logger, thread, host or place in the source.
fn is_name(word: &str) -> bool {
    let bytes = word.as_bytes();
    let bytes = bytes.strip_suffix(b":").unwrap_or(bytes);
    // The last character ends a sentence as well; one that is not ASCII does so always.
    let Some((b'\0'..=b'\x7f', inner)) = bytes.split_last() else { return false };
    !bytes.contains(&b'=')
        && inner
            .iter()
            .any(|byte| matches!(byte, b'.' | b':' | b'/' | b'$' | b'@' | b'_' | b'#' | b'0'..=b'9'))
}

/// `1:M`
fn is_redis(word: &str) -> bool {
    let [pid @ .., b':', b'M' | b'S' | b'C' | b'X'] = word.as_bytes() else { return false };
    !pid.is_empty() && pid.iter().all(u8::is_ascii_digit)
}

fn redis_mark(word: &str) -> Option<Level<'static>> {
    match word {
        "." => level::of_letter(b'D'),
        "*" => Some(level::usual(10)),
        "#" => level::of_letter(b'W'),
        _ => None,
    }
}

/// The time of an access log: `10.0.0.1 - ada [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 2326`.
fn access_time(line: &str, reference: Timestamp) -> Option<Timestamp> {
    let bytes = line.as_bytes();
    let head = &bytes[..bytes.len().min(ACCESS_TIME_WITHIN)];
    let at = memchr::memchr(b'[', head)? + 1;
    if bytes.get(at + 2) != Some(&b'/') || !bytes[..at - 1].contains(&b' ') {
        return None;
    }
    let stamp = time::scan(&bytes[at..], reference)?;
    (bytes.get(at + stamp.len) == Some(&b']')).then_some(stamp.time).flatten()
}
