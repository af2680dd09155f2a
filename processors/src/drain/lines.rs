//! What becomes of a record that is made of lines.

use std::borrow::Cow;

use analysis::logs::format::Lifted;
use analysis::logs::join::learnable;
use pdata::{RecordEdit, Timestamp};

use super::Drain;
use super::change::{Body, Change};
use super::message::Redacted;
use super::stream::{Known, Record};

/// What a line said about itself and its record did not know yet.
#[derive(Debug, Default)]
pub(super) struct News {
    severity: Option<(u8, Cow<'static, str>)>,
    time: Option<Timestamp>,
    trace_id: Option<[u8; 16]>,
    span_id: Option<[u8; 8]>,
}

impl News {
    /// What `lifted` says that its record does not know. `None` if there is nothing.
    fn of(lifted: &Lifted<'_>, known: Known<'_>) -> Option<Self> {
        let severity = lifted.severity.as_ref().filter(|_| !known.has_severity);
        let news = Self {
            severity: severity.map(|severity| (severity.number, word(&severity.text))),
            time: lifted.time.filter(|_| !known.has_time),
            trace_id: lifted.trace_id.filter(|_| !known.has_trace),
            // A span is one of its trace.
            span_id: lifted.span_id.filter(|_| !known.has_trace && !known.has_span),
        };
        let is_news = news.severity.is_some()
            || news.time.is_some()
            || news.trace_id.is_some()
            || news.span_id.is_some();
        is_news.then_some(news)
    }

    /// Writes it to the record.
    pub(super) fn write(&self, edit: &mut RecordEdit) {
        if let Some((number, text)) = &self.severity {
            edit.set_severity(i32::from(*number), text);
        }
        if let Some(time) = self.time {
            edit.set_time(time);
        }
        if let Some(id) = self.trace_id {
            edit.set_trace_id(id);
        }
        if let Some(id) = self.span_id {
            edit.set_span_id(id);
        }
    }
}

/// A word for a severity; the usual ones need no memory.
fn word(text: &str) -> Cow<'static, str> {
    const USUAL: [&str; 16] = [
        "INFO", "info", "WARN", "warn", "ERROR", "error", "DEBUG", "debug", "WARNING", "warning", "I", "W",
        "E", "D", "FATAL", "TRACE",
    ];
    let usual = USUAL.iter().find(|usual| **usual == text);
    usual.map_or_else(|| Cow::Owned(text.to_owned()), |usual| Cow::Borrowed(*usual))
}

impl Drain {
    /// Learns from a record that is made of lines. Notes what it says about itself, and its body if that is another.
    pub(super) fn lines(&mut self, lines: &Record<'_>, done: &mut Redacted, change: &mut Change) {
        if self.config.parse {
            change.news = News::of(&lines.lifted, lines.known);
        }
        if lines.is_joined() {
            self.counters.joined.add(lines.n_lines as u64 - 1);
        }
        let text = lines.text();
        if text.trim().is_empty() {
            return;
        }
        let redacted = match self.learnable(lines) {
            Some(message) => self.learn_part(text, &message, done, change),
            None => self.redacted_text(text, done),
        };
        let redacted = redacted.filter(|_| self.config.redact);
        change.body = match redacted {
            Some(redacted) => Some(Body::Text(redacted)),
            None => lines.is_joined().then(|| Body::Text(text.to_owned())),
        };
    }

    /// What the miner is to see of it, if anything.
    fn learnable<'a>(&self, lines: &'a Record<'_>) -> Option<Cow<'a, str>> {
        let lifted = lines.lifted.message.as_ref();
        let message = if self.config.parse && !lifted.trim().is_empty() { lifted } else { lines.head };
        let (first, rest) = split_line(message);
        let after = match (rest, lines.after()) {
            ("", after) => Cow::Borrowed(after),
            (rest, "") => Cow::Borrowed(rest),
            (rest, after) => Cow::Owned(format!("{rest}\n{after}")),
        };
        learnable(first, &after)
    }

    /// Learns from a message that was found in `text`. Returns the text without its secrets if there were any.
    fn learn_part(
        &mut self,
        text: &str,
        message: &str,
        done: &mut Redacted,
        change: &mut Change,
    ) -> Option<String> {
        if !is_end_of(message, text) {
            // Its secrets are counted where they are taken out.
            self.line(message, &mut Vec::new(), change);
            return self.redacted_text(text, done);
        }
        let header = &text[..text.len() - message.len()];
        let redacted = self.line(message, done, change);
        let redacted_header = if is_harmless(header) { None } else { self.redacted_text(header, done) };
        if redacted.is_none() && redacted_header.is_none() {
            return None;
        }
        Some(format!(
            "{}{}",
            redacted_header.as_deref().unwrap_or(header),
            redacted.as_deref().unwrap_or(message)
        ))
    }

    fn redacted_text(&mut self, text: &str, done: &mut Redacted) -> Option<String> {
        let masked = self.masker.mask(text);
        done.extend(masked.redactions.iter().map(|redaction| redaction.name));
        (!masked.redactions.is_empty()).then(|| masked.text.to_owned())
    }
}

/// The first line and what comes after it.
fn split_line(text: &str) -> (&str, &str) {
    let end = memchr::memchr(b'\n', text.as_bytes());
    end.and_then(|end| Some((text.get(..end)?, text.get(end + 1..)?))).unwrap_or((text, ""))
}

/// A byte that timestamps are made of.
const OF_TIME: u8 = 1;
const LETTER: u8 = 2;
const CAPITAL: u8 = 4;

/// What each byte may be a part of.
const LOOKS: [u8; 256] = {
    let mut looks = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        let of_time =
            byte.is_ascii_digit() || matches!(byte, b'-' | b':' | b'.' | b',' | b'+' | b'/' | b'T' | b'Z');
        looks[byte as usize] = if of_time { OF_TIME } else { 0 }
            | if byte.is_ascii_alphabetic() { LETTER } else { 0 }
            | if byte.is_ascii_uppercase() { CAPITAL } else { 0 };
        byte += 1;
    }
    looks
};

/// Whether a header is too plain to hold a secret: nothing but timestamps, short numbers and words such as a severity.
fn is_harmless(header: &str) -> bool {
    /// No secret that is known by its looks is shorter.
    const SHORTEST: usize = 11;
    let is_plain = |word: &[u8]| {
        let ([b'[', inner @ .., b']'] | inner) = word;
        let of_all = inner.iter().fold(u8::MAX, |all, byte| all & LOOKS[usize::from(*byte)]);
        let has_time = || inner.contains(&b':') && inner.first().is_some_and(u8::is_ascii_digit);
        of_all & OF_TIME != 0 && (inner.len() < SHORTEST || has_time())
            || of_all & LETTER != 0 && inner.len() <= 5
            || of_all & CAPITAL != 0 && inner.len() < SHORTEST
    };
    header.as_bytes().split(u8::is_ascii_whitespace).all(is_plain)
}

/// Whether `part` is the end of `text`, not just equal to it.
fn is_end_of(part: &str, text: &str) -> bool {
    part.len() <= text.len() && part.as_bytes().as_ptr_range().end == text.as_bytes().as_ptr_range().end
}

#[cfg(test)]
mod tests {
    use super::is_harmless;

    #[test]
    fn only_times_numbers_and_short_words_need_not_be_looked_at_for_secrets() {
        for header in
            ["", "081109 203615 148 INFO ", "2026-11-29T10:00:00.123456Z ERROR ", "[10/Oct/2000] [WARNING] "]
        {
            assert_eq!(is_harmless(header), !header.contains("Oct"), "{header}");
        }
        for header in [
            "password=x 10:00:00 ",
            "pin:1234 INFO ",
            "--password hunter2 ",
            "078-05-1120 ",
            "4111111111111111 ",
            "user:secret@ ",
            "[token:abc] INFO ",
            "T0ken INFO ",
        ] {
            assert!(!is_harmless(header), "{header}");
        }
    }
}
