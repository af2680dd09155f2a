//! JSON objects: one pass over the line finds what is known by its key, and checks that all of it is JSON.

use std::borrow::Cow;

use memchr::memchr2;
use pdata::Timestamp;

use super::escape::unescape;
use super::level::{self, Level};
use super::{ids, time};

/// How deep values may be nested; deeper lines are no JSON for us.
const MAX_DEPTH: usize = 64;
/// The longest key that means something to us.
const MAX_KEY: usize = 32;

/// What an object says, as it stands in the line.
#[derive(Clone, Debug, Default)]
pub(super) struct Object<'a> {
    /// The message, still escaped, with its rank among the keys that may hold it.
    message: Option<(u8, &'a str)>,
    severity: Option<(u8, Level<'a>)>,
    time: Option<(u8, Timestamp)>,
    pub(super) trace_id: Option<[u8; 16]>,
    pub(super) span_id: Option<[u8; 8]>,
    /// Docker's `log`, still escaped.
    log: Option<&'a str>,
    /// GELF's level, syslog's 0 to 7.
    gelf: Option<u8>,
    is_gelf: bool,
    has_stream: bool,
    n_keys: usize,
}

impl<'a> Object<'a> {
    /// The message without escapes; borrowed if it has none.
    pub(super) fn message(&self) -> Option<Cow<'a, str>> {
        self.message.map(|(_, escaped)| unescape(escaped))
    }

    pub(super) fn severity(&self) -> Option<Level<'a>> {
        let gelf = self.gelf.filter(|_| self.is_gelf).map(level::of_syslog);
        self.severity.map(|(_, severity)| severity).or(gelf)
    }

    pub(super) fn time(&self) -> Option<Timestamp> {
        self.time.map(|(_, time)| time)
    }

    /// The line that docker wrapped, still escaped and without the line break at its end.
    pub(super) fn docker(&self) -> Option<&'a str> {
        let log = self.log.filter(|_| self.has_stream && self.n_keys <= 4)?;
        let log = log.strip_suffix("\\n").unwrap_or(log);
        Some(log.strip_suffix("\\r").unwrap_or(log))
    }

    /// Whether it is a log line beyond doubt: it has a message, and a severity or a time.
    pub(super) const fn is_evident(&self) -> bool {
        self.message.is_some() && (self.severity.is_some() || self.time.is_some() || self.is_gelf)
    }
}

/// What a line says that is one JSON object. `None` if it is none.
pub(super) fn parse(line: &str, reference: Timestamp) -> Option<Object<'_>> {
    let line = line.trim_ascii();
    if !line.starts_with('{') || !line.ends_with('}') {
        return None;
    }
    let mut scanner = Scanner { text: line, at: 0, reference, found: Object::default() };
    scanner.object(Place::Top, 0)?;
    (scanner.at == line.len()).then_some(scanner.found)
}

/// What the keys of an object mean.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Everything.
    Top,
    /// An object in which a message or ids may be, such as `fields` or `context`.
    Details,
    /// `log`, `trace` or `span`, whose keys are the ends of longer ones.
    Log,
    Trace,
    Span,
    /// A time in parts: MongoDB's `$date`.
    Time,
    /// Nothing.
    Other,
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    reference: Timestamp,
    found: Object<'a>,
}

impl<'a> Scanner<'a> {
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.byte() {
            self.at += 1;
        }
    }

    fn exactly(&mut self, byte: u8) -> Option<()> {
        (self.byte()? == byte).then(|| self.at += 1)
    }

    /// Past an object.
    fn object(&mut self, place: Place, depth: usize) -> Option<()> {
        self.exactly(b'{')?;
        self.space();
        if self.exactly(b'}').is_some() {
            return Some(());
        }
        loop {
            self.space();
            let key = self.string()?;
            self.space();
            self.exactly(b':')?;
            self.space();
            if place == Place::Top {
                self.found.n_keys += 1;
            }
            self.entry(place, key, depth)?;
            self.space();
            match self.byte()? {
                b',' => self.at += 1,
                b'}' => break self.at += 1,
                _ => return None,
            }
        }
        Some(())
    }

    /// Past a value, which is remembered if its key means something.
    fn entry(&mut self, place: Place, key: &'a str, depth: usize) -> Option<()> {
        match self.byte()? {
            b'"' => {
                let value = self.string()?;
                self.note(place, key, value, true);
            }
            b'{' if depth < MAX_DEPTH => {
                let inner = if place == Place::Top { inside(key) } else { Place::Other };
                self.object(inner, depth + 1)?;
            }
            b'0'..=b'9' | b'-' => {
                let value = self.number()?;
                self.note(place, key, value, false);
            }
            _ => self.value(depth)?,
        }
        Some(())
    }

    /// Past a value that means nothing.
    fn value(&mut self, depth: usize) -> Option<()> {
        match self.byte()? {
            b'"' => drop(self.string()?),
            b'0'..=b'9' | b'-' => drop(self.number()?),
            b'{' if depth < MAX_DEPTH => self.object(Place::Other, depth + 1)?,
            b'[' if depth < MAX_DEPTH => self.array(depth + 1)?,
            b't' => self.word("true")?,
            b'f' => self.word("false")?,
            b'n' => self.word("null")?,
            _ => return None,
        }
        Some(())
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.exactly(b'[')?;
        self.space();
        if self.exactly(b']').is_some() {
            return Some(());
        }
        loop {
            self.space();
            self.value(depth)?;
            self.space();
            match self.byte()? {
                b',' => self.at += 1,
                b']' => break self.at += 1,
                _ => return None,
            }
        }
        Some(())
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.text.get(self.at..)?.starts_with(word).then(|| self.at += word.len())
    }

    /// What is between the quotes, escapes and all.
    fn string(&mut self) -> Option<&'a str> {
        self.exactly(b'"')?;
        let start = self.at;
        loop {
            self.at += memchr2(b'"', b'\\', &self.text.as_bytes()[self.at..])?;
            if self.byte()? == b'"' {
                break;
            }
            // Whatever is escaped is no quote that ends it.
            self.at += 2;
            if self.at > self.text.len() {
                return None;
            }
        }
        // An escaped character of several bytes may have been cut, which is no JSON.
        let text = self.text.get(start..self.at)?;
        self.at += 1;
        Some(text)
    }

    fn number(&mut self) -> Option<&'a str> {
        let rest = &self.text.as_bytes()[self.at..];
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let len = rest.iter().take_while(|byte| is_part(byte)).count();
        let text = &self.text[self.at..self.at + len];
        self.at += len;
        text.ends_with(|char: char| char.is_ascii_digit()).then_some(text)
    }

    /// Remembers a value if its key means something and no better one was seen.
    fn note(&mut self, place: Place, key: &str, value: &'a str, is_string: bool) {
        let mut buffer = [0; MAX_KEY];
        let Some(key) = normal(key, &mut buffer) else { return };
        let Some((meaning, rank)) = meaning(place, key) else { return };
        let found = &mut self.found;
        match meaning {
            Meaning::Message if is_string => {
                found.is_gelf |= key == b"shortmessage";
                keep(&mut found.message, rank, Some(value));
            }
            Meaning::Log if is_string => {
                found.log = Some(value);
                keep(&mut found.message, rank, Some(value));
            }
            Meaning::Severity => match value.as_bytes() {
                [digit @ b'0'..=b'7'] => found.gelf = Some(digit - b'0'),
                _ => keep(&mut found.severity, rank, severity(value, is_string)),
            },
            Meaning::Python => {
                let number = value.parse().ok().filter(|number| matches!(number, 10..=50));
                keep(&mut found.severity, rank, number.and_then(|n: u64| level::of_number(n + 10)));
            }
            Meaning::Otel => {
                let number = value.parse().ok().filter(|number| (1..=24).contains(number));
                keep(&mut found.severity, rank, number.map(level::usual));
            }
            Meaning::Time => {
                let time = if is_string { time::whole(value, self.reference) } else { time::epoch(value) };
                keep(&mut found.time, rank, time);
            }
            Meaning::TraceId => found.trace_id = found.trace_id.or_else(|| ids::parse(last_part(value))),
            Meaning::SpanId => found.span_id = found.span_id.or_else(|| ids::parse(value)),
            Meaning::Stream => found.has_stream = matches!(value, "stdout" | "stderr"),
            Meaning::Message | Meaning::Log => {}
        }
    }
}

/// Keeps what was found under the key of the lowest rank.
fn keep<T>(kept: &mut Option<(u8, T)>, rank: u8, found: Option<T>) {
    if let Some(found) = found
        && kept.as_ref().is_none_or(|(before, _)| rank < *before)
    {
        *kept = Some((rank, found));
    }
}

fn severity(value: &str, is_string: bool) -> Option<Level<'_>> {
    if let (true, [letter]) = (is_string, value.as_bytes())
        && let Some(severity) = level::of_letter(letter.to_ascii_uppercase())
    {
        return Some(severity);
    }
    // MongoDB's debug levels.
    if is_string && matches!(value, "D1" | "D2" | "D3" | "D4" | "D5") {
        return level::of_letter(b'D');
    }
    level::of_word(value).or_else(|| level::of_number(value.parse().ok()?))
}

/// Google's trace is `projects/P/traces/ID`.
fn last_part(value: &str) -> &str {
    value.rsplit('/').next().unwrap_or(value)
}

enum Meaning {
    Message,
    Log,
    Severity,
    /// Python's numbers.
    Python,
    /// OpenTelemetry's numbers.
    Otel,
    Time,
    TraceId,
    SpanId,
    Stream,
}

/// A key in lower case, without what separates its words. `None` if it is too long to mean something.
fn normal<'b>(key: &str, buffer: &'b mut [u8; MAX_KEY]) -> Option<&'b [u8]> {
    if key.len() > MAX_KEY {
        return None;
    }
    let mut len = 0;
    for byte in key.bytes().filter(|byte| !matches!(byte, b'_' | b'-' | b'.' | b'@' | b'$')) {
        buffer[len] = byte.to_ascii_lowercase();
        len += 1;
    }
    Some(&buffer[..len])
}

/// What a key means and how much it is to be preferred: the lower the rank the more.
fn meaning(place: Place, key: &[u8]) -> Option<(Meaning, u8)> {
    match place {
        Place::Top => top(key),
        Place::Details => match top(key)? {
            (Meaning::Message, rank) => Some((Meaning::Message, rank + 10)),
            known @ (Meaning::TraceId | Meaning::SpanId, _) => Some(known),
            _ => None,
        },
        Place::Log => (key == b"level").then_some((Meaning::Severity, 1)),
        Place::Trace => (key == b"id").then_some((Meaning::TraceId, 0)),
        Place::Span => (key == b"id").then_some((Meaning::SpanId, 0)),
        Place::Time => (key == b"date").then_some((Meaning::Time, 4)),
        Place::Other => None,
    }
}

fn top(key: &[u8]) -> Option<(Meaning, u8)> {
    Some(match key {
        b"msg" => (Meaning::Message, 0),
        b"message" => (Meaning::Message, 1),
        b"shortmessage" | b"logmessage" => (Meaning::Message, 2),
        b"log" => (Meaning::Log, 3),
        b"body" => (Meaning::Message, 4),
        b"event" => (Meaning::Message, 5),
        b"text" => (Meaning::Message, 6),
        b"m" => (Meaning::Message, 7),
        b"mt" => (Meaning::Message, 8),
        b"level" => (Meaning::Severity, 0),
        b"severity" => (Meaning::Severity, 1),
        b"loglevel" | b"lvl" | b"levelname" | b"severitytext" => (Meaning::Severity, 2),
        b"l" | b"s" => (Meaning::Severity, 5),
        b"levelno" => (Meaning::Python, 3),
        b"severitynumber" => (Meaning::Otel, 3),
        b"time" => (Meaning::Time, 0),
        b"timestamp" => (Meaning::Time, 1),
        b"ts" | b"datetime" | b"asctime" => (Meaning::Time, 2),
        b"date" | b"eventtime" | b"timeunixnano" => (Meaning::Time, 3),
        b"t" => (Meaning::Time, 4),
        b"traceid" | b"oteltraceid" | b"ddtraceid" | b"trace" | b"tr" | b"logginggoogleapiscom/trace" => {
            (Meaning::TraceId, 0)
        }
        b"spanid" | b"otelspanid" | b"ddspanid" | b"span" | b"sp" | b"logginggoogleapiscom/spanid" => {
            (Meaning::SpanId, 0)
        }
        b"stream" => (Meaning::Stream, 0),
        _ => return None,
    })
}

/// What the keys of an object under `key` mean.
fn inside(key: &str) -> Place {
    match key {
        "fields" | "context" | "ctx" | "mdc" | "record" | "extra" | "attributes" | "labels"
        | "contextMap" => Place::Details,
        "log" => Place::Log,
        "trace" => Place::Trace,
        "span" => Place::Span,
        "t" => Place::Time,
        _ => Place::Other,
    }
}
