//! `level=info ts=2024-01-02T15:04:05Z msg="all is well" n=3`
//!
//! A sentence with a pair in it is no such line: nearly all of its words must be pairs, from the first on.

use std::borrow::Cow;

use memchr::memchr2;
use pdata::Timestamp;

use super::escape::unescape;
use super::level::{self, Level};
use super::{ids, time};

/// What a line of pairs says.
#[derive(Clone, Debug, Default)]
pub(super) struct Pairs<'a> {
    /// Still escaped.
    message: Option<&'a str>,
    pub(super) severity: Option<Level<'a>>,
    pub(super) time: Option<Timestamp>,
    pub(super) trace_id: Option<[u8; 16]>,
    pub(super) span_id: Option<[u8; 8]>,
}

impl<'a> Pairs<'a> {
    /// The message without escapes; borrowed if it has none.
    pub(super) fn message(&self) -> Option<Cow<'a, str>> {
        self.message.map(unescape)
    }

    /// Whether it is a log line beyond doubt: it has at least two of message, severity and time.
    pub(super) fn is_evident(&self) -> bool {
        let known = [self.message.is_some(), self.severity.is_some(), self.time.is_some()];
        known.iter().filter(|is_known| **is_known).count() >= 2
    }
}

/// What a line says that consists of pairs. `None` if it does not.
pub(super) fn parse(line: &str, reference: Timestamp) -> Option<Pairs<'_>> {
    let bytes = line.as_bytes();
    let mut pairs = Pairs::default();
    let (mut at, mut n_pairs, mut n_others) = (0, 0_usize, 0_usize);
    loop {
        at += bytes[at..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        if at >= bytes.len() {
            break;
        }
        let len = bytes[at..].iter().take_while(|byte| is_key(**byte)).count();
        let key = &line[at..at + len];
        at += len;
        match bytes.get(at) {
            Some(b'=') if len > 0 => {
                let (value, end) = value(line, at + 1)?;
                note(&mut pairs, key, value, reference);
                n_pairs += 1;
                at = end;
            }
            // A key without a value, as some libraries write what is true. None comes first.
            None | Some(b' ' | b'\t') if n_pairs > 0 && len > 0 => n_others += 1,
            _ => return None,
        }
    }
    (n_pairs >= 2 && n_others * 4 <= n_pairs).then_some(pairs)
}

const fn is_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/' | b'@' | b':')
}

/// The value that begins at `start`, still escaped, and where it ends.
fn value(line: &str, start: usize) -> Option<(&str, usize)> {
    let bytes = line.as_bytes();
    if bytes.get(start) != Some(&b'"') {
        let len = bytes[start..]
            .iter()
            .take_while(|byte| !matches!(byte, b' ' | b'\t' | b'"' | b'\n' | b'\r'))
            .count();
        return Some((&line[start..start + len], start + len));
    }
    let mut at = start + 1;
    loop {
        at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            break;
        }
        at += 2;
    }
    let ends = bytes.get(at + 1).is_none_or(|byte| matches!(byte, b' ' | b'\t'));
    ends.then(|| (&line[start + 1..at], at + 1))
}

fn note<'a>(pairs: &mut Pairs<'a>, key: &str, value: &'a str, reference: Timestamp) {
    match key {
        "msg" | "message" | "event" if pairs.message.is_none() => pairs.message = Some(value),
        "level" | "lvl" | "severity" | "loglevel" | "log.level" if pairs.severity.is_none() => {
            let letter = match value.as_bytes() {
                [letter] => level::of_letter(letter.to_ascii_uppercase()),
                _ => None,
            };
            pairs.severity = letter.or_else(|| level::of_word(value));
        }
        "ts" | "time" | "timestamp" | "t" | "@timestamp" | "date" if pairs.time.is_none() => {
            pairs.time = time::whole(value, reference);
        }
        "trace_id" | "traceId" | "traceID" | "traceid" | "trace.id" | "dd.trace_id" | "trace"
            if pairs.trace_id.is_none() =>
        {
            pairs.trace_id = ids::parse(value);
        }
        "span_id" | "spanId" | "spanID" | "spanid" | "span.id" | "dd.span_id" | "span"
            if pairs.span_id.is_none() =>
        {
            pairs.span_id = ids::parse(value);
        }
        _ => {}
    }
}
