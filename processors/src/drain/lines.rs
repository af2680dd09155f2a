//! What becomes of a record that is made of lines.

use std::borrow::Cow;

use analysis::logs::format::Lifted;
use analysis::logs::join::learnable;
use pdata::view::LogRecordView;
use pdata::{RecordEdit, Timestamp};

use super::Drain;
use super::change::{Body, Change};
use super::message::Redacted;
use super::stream::Record;

/// What a line said about itself and its record did not know yet.
#[derive(Debug, Default)]
pub(super) struct News {
    severity: Option<(u8, Cow<'static, str>)>,
    time: Option<Timestamp>,
    trace_id: Option<[u8; 16]>,
    span_id: Option<[u8; 8]>,
}

impl News {
    /// What `lifted` says that `record` does not. `None` if there is nothing.
    fn of(lifted: &Lifted<'_>, record: LogRecordView<'_>) -> Option<Box<Self>> {
        let has_severity = record.severity_number() != 0 || !record.severity_text().is_empty();
        let severity = lifted.severity.as_ref().filter(|_| !has_severity);
        let has_trace = !record.trace_id().is_empty();
        let news = Self {
            severity: severity.map(|severity| (severity.number, word(&severity.text))),
            time: lifted.time.filter(|_| record.time().is_unknown()),
            trace_id: lifted.trace_id.filter(|_| !has_trace),
            // A span is one of its trace.
            span_id: lifted.span_id.filter(|_| !has_trace && record.span_id().is_empty()),
        };
        let is_news = news.severity.is_some()
            || news.time.is_some()
            || news.trace_id.is_some()
            || news.span_id.is_some();
        is_news.then(|| Box::new(news))
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
    pub(super) fn lines(
        &mut self,
        lines: &Record<'_>,
        record: LogRecordView<'_>,
        done: &mut Redacted,
        change: &mut Change,
    ) {
        if self.config.parse {
            change.news = News::of(&lines.lifted, record);
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
        let (first, rest) = message.split_once('\n').unwrap_or((message, ""));
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

/// Whether a header is too plain to hold a secret: nothing but timestamps, short numbers and words such as a severity.
fn is_harmless(header: &str) -> bool {
    /// No secret that is known by its looks is shorter.
    const SHORTEST: usize = 11;
    let is_of_time = |byte: &u8| {
        byte.is_ascii_digit() || matches!(byte, b'-' | b':' | b'.' | b',' | b'+' | b'/' | b'T' | b'Z')
    };
    let is_plain = |word: &[u8]| match word {
        [b'[', inner @ .., b']'] | inner => {
            let has_time = inner.contains(&b':') && inner.first().is_some_and(u8::is_ascii_digit);
            let is_word = || {
                inner.len() <= 5 && inner.iter().all(u8::is_ascii_alphabetic)
                    || inner.len() < SHORTEST && inner.iter().all(u8::is_ascii_uppercase)
            };
            inner.is_empty()
                || (has_time || inner.len() < SHORTEST) && inner.iter().all(is_of_time)
                || is_word()
        }
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
