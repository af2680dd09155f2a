//! What a line says about itself: its format, and the severity, time and ids that can be lifted out of it.
//!
//! In: one line after another of a stream ([`Sniffer`]). Out: [`Lifted`], which borrows from the line: the part that is the
//! message, and what the rest says. Nothing is ever refused: a line that is of no known format is its own message.
//!
//! Formats that cannot be mistaken are seen in every line, whatever the stream is usually like: a klog or syslog header, an object
//! with a message and a severity or time. What might be chance, a line that is a JSON object or a row of pairs without
//! those, counts only in streams that are of that format.

mod clock;
mod escape;
mod header;
mod ids;
mod json;
mod level;
mod logfmt;
mod plain;
#[cfg(test)]
mod tests;
mod time;

use std::borrow::Cow;

use pdata::Timestamp;

use self::level::Level;

/// How deep lines may be wrapped in each other: a container's runtime around syslog around JSON, say.
const MAX_WRAPS: usize = 3;
/// A stream is of another format after so many lines of that format in a row.
const LINES_TO_SWITCH: u8 = 4;

/// How a line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// For people: with a header of timestamp and severity, or without.
    #[default]
    Plain,
    /// A JSON object.
    Json,
    /// `key=value` pairs.
    Logfmt,
    /// The header of Kubernetes' components and of glog.
    Klog,
    /// RFC 5424 or RFC 3164, the latter also without a priority, as files have it.
    Syslog,
}

/// What a line says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lifted<'a> {
    /// How the line is written: if a container's runtime wrapped it, or syslog something that is not plain, what is inside.
    pub format: Format,
    /// What it says, without timestamp and severity. A part of the line, unless that part has escapes in it.
    pub message: Cow<'a, str>,
    /// How bad it says it is.
    pub severity: Option<Severity<'a>>,
    /// When it says that it was written. UTC if it names no zone.
    pub time: Option<Timestamp>,
    /// The trace that it belongs to.
    pub trace_id: Option<[u8; 16]>,
    /// The span that it belongs to.
    pub span_id: Option<[u8; 8]>,
}

/// How bad a line says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Severity<'a> {
    /// OpenTelemetry's number, 1 (`TRACE`) to 24 (`FATAL4`).
    pub number: u8,
    /// The word that the line has; for letters and numbers the usual word.
    pub text: Cow<'a, str>,
}

/// Reads the lines of one stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sniffer {
    /// What most lines are.
    format: Option<Format>,
    /// What the last lines were instead, and how many in a row.
    rival: Format,
    in_a_row: u8,
}

impl Sniffer {
    /// The format that the stream is of, once a line was seen.
    pub const fn format(&self) -> Option<Format> {
        self.format
    }

    /// Reads the next line. `observed` is when it was seen, or zero if that is not known: a timestamp without a year is of the
    /// year before it, and one without a day of the day around it.
    pub fn lift<'a>(&mut self, line: &'a str, observed: Timestamp) -> Lifted<'a> {
        let (lifted, seen) = read(line, Context { observed, expected: self.format, wraps: 0 });
        // Parts of a stack trace or of a table say nothing about the others.
        let is_part = line.is_empty() || line.starts_with([' ', '\t', '}', ']', ')']);
        if !is_part {
            self.note(seen);
        }
        lifted
    }

    fn note(&mut self, seen: Format) {
        if *self.format.get_or_insert(seen) == seen {
            self.in_a_row = 0;
            return;
        }
        self.in_a_row = if self.rival == seen { self.in_a_row.saturating_add(1) } else { 1 };
        self.rival = seen;
        if self.in_a_row >= LINES_TO_SWITCH {
            self.format = Some(seen);
            self.in_a_row = 0;
        }
    }
}

/// What is known before a line is read.
#[derive(Clone, Copy)]
struct Context {
    observed: Timestamp,
    expected: Option<Format>,
    wraps: usize,
}

impl Context {
    /// Whether a line that may be of `format` by chance is taken to be of it.
    fn allows(self, format: Format) -> bool {
        self.expected.is_none_or(|expected| expected == format)
    }

    fn inside(self) -> Option<Self> {
        (self.wraps < MAX_WRAPS).then_some(Self { wraps: self.wraps + 1, ..self })
    }
}

/// What a line says, and the format that it seems to be of even if that is not believed yet.
fn read(line: &str, context: Context) -> (Lifted<'_>, Format) {
    match line.as_bytes().first() {
        Some(b'{') => json_line(line, context),
        Some(b'<') => match header::syslog(line, context.observed) {
            Some(header) => wrapped(header, Wrap::Syslog { is_dated: line.contains(">1 ") }, context),
            None => plain_line(line, None, context),
        },
        Some(b'I' | b'W' | b'E' | b'F') => match header::klog(line, context.observed) {
            Some(header) => {
                let lifted = Lifted {
                    format: Format::Klog,
                    message: Cow::Borrowed(header.rest),
                    severity: header.severity.map(severity),
                    time: header.time,
                    ..Lifted::default()
                };
                (lifted, Format::Klog)
            }
            None => text_line(line, context),
        },
        _ => text_line(line, context),
    }
}

fn json_line(line: &str, context: Context) -> (Lifted<'_>, Format) {
    let Some(object) = json::parse(line, context.observed) else { return plain_line(line, None, context) };
    if let (Some(escaped), Some(inside)) = (object.docker(), context.inside()) {
        let (mut lifted, seen) = match escape::unescape(escaped) {
            Cow::Borrowed(line) => read(line, inside),
            Cow::Owned(line) => {
                let (lifted, seen) = read(&line, inside);
                (lifted.into_owned(), seen)
            }
        };
        lifted.time = object.time().or(lifted.time);
        return (lifted, seen);
    }
    if !object.is_evident() && !context.allows(Format::Json) {
        return (Lifted::plain(line), Format::Json);
    }
    let lifted = Lifted {
        format: Format::Json,
        message: object.message().unwrap_or(Cow::Borrowed(line)),
        severity: object.severity().map(severity),
        time: object.time(),
        trace_id: object.trace_id,
        span_id: object.span_id,
    };
    (lifted, Format::Json)
}

/// A line that begins neither with a bracket nor as klog's do.
fn text_line(line: &str, context: Context) -> (Lifted<'_>, Format) {
    let stamp = time::scan(line.as_bytes(), context.observed);
    if let Some(stamp) = stamp {
        if let Some(header) = header::cri(line, stamp) {
            return wrapped(header, Wrap::Runtime, context);
        }
        if let Some(header) = header::named(line, stamp) {
            return wrapped(header, Wrap::Syslog { is_dated: false }, context);
        }
        return plain_line(line, Some(stamp), context);
    }
    let Some(pairs) = logfmt::parse(line, context.observed) else { return plain_line(line, None, context) };
    if !pairs.is_evident() && !context.allows(Format::Logfmt) {
        return (Lifted::plain(line), Format::Logfmt);
    }
    let lifted = Lifted {
        format: Format::Logfmt,
        message: pairs.message().unwrap_or(Cow::Borrowed(line)),
        severity: pairs.severity.map(severity),
        time: pairs.time,
        trace_id: pairs.trace_id,
        span_id: pairs.span_id,
    };
    (lifted, Format::Logfmt)
}

fn plain_line(line: &str, stamp: Option<time::Stamp>, context: Context) -> (Lifted<'_>, Format) {
    let header = plain::parse(line, stamp, context.observed);
    let message = line.get(header.start..).filter(|message| !message.is_empty()).unwrap_or(line);
    let lifted = Lifted {
        message: Cow::Borrowed(message),
        severity: header.severity.map(severity),
        time: header.time,
        ..Lifted::default()
    };
    (lifted, Format::Plain)
}

/// Who put a header before a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrap {
    /// A container's runtime.
    Runtime,
    /// Syslog; `is_dated` if its timestamp has a year and a zone.
    Syslog { is_dated: bool },
}

/// What a header says, and what the line behind it says.
fn wrapped<'a>(header: header::Header<'a>, wrap: Wrap, context: Context) -> (Lifted<'a>, Format) {
    let (mut lifted, mut seen) = match context.inside() {
        Some(inside) => read(header.rest, inside),
        None => (Lifted::plain(header.rest), Format::Plain),
    };
    if wrap != Wrap::Runtime && lifted.format == Format::Plain {
        (lifted.format, seen) = (Format::Syslog, Format::Syslog);
    }
    lifted.severity = lifted.severity.or(header.severity.map(severity));
    // The program knows best, unless it did not say which year or zone it means.
    lifted.time = match wrap {
        Wrap::Syslog { is_dated: false } => lifted.time.or(header.time),
        Wrap::Runtime | Wrap::Syslog { .. } => header.time.or(lifted.time),
    };
    (lifted, seen)
}

const fn severity(level: Level<'_>) -> Severity<'_> {
    Severity { number: level.number, text: Cow::Borrowed(level.text) }
}

impl<'a> Lifted<'a> {
    /// A line that says nothing about itself.
    fn plain(line: &'a str) -> Self {
        Self { message: Cow::Borrowed(line), ..Self::default() }
    }

    /// The same, which does not borrow.
    pub fn into_owned(self) -> Lifted<'static> {
        let severity =
            self.severity.map(|it| Severity { number: it.number, text: Cow::Owned(it.text.into_owned()) });
        Lifted { message: Cow::Owned(self.message.into_owned()), severity, ..self }
    }
}
