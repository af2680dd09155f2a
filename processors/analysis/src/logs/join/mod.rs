//! Which lines of a stream are one record: stack traces, pretty printed JSON and XML, and lines that continue the one before.
//!
//! In: the lines of one stream in their order ([`Line`]). Out: for each whether it begins a record ([`Decision`]). The lines
//! themselves are not kept. A line that comes with a time of its own always begins one, so nothing is joined that was a
//! record already.
//!
//! Traces of Java, Kotlin, .NET, Node, Python, Go, Ruby, Rust and PHP are known line by line, also when the white space before the
//! lines was taken away on the way. Other lines continue a record if they are indented further than its first line, or if nearly
//! every record of the stream begins with a timestamp and they do not.

mod nested;
mod shape;
#[cfg(test)]
mod tests;
mod text;

use std::time::Duration;

use pdata::Timestamp;

use self::nested::Nested;
pub use self::text::learnable;

/// Severities from here on are errors, which stack traces follow.
const ERROR: u8 = 13;
/// A stream's records begin with timestamps if at least this share of its last lines did. Lines that are certainly parts of others
/// do not count; of those that were only taken for parts because of this share, one a record counts against it.
const DATED_SHARE: f32 = 0.8;
/// What the newest line weighs in that share.
const DATED_WEIGHT: f32 = 1.0 / 32.0;
/// And not before so many were seen.
const DATED_LINES: u32 = 4;
/// So many lines of code stand above Node's errors.
const SOURCE_LINES: u8 = 5;
/// So many lines of fields stand below them.
const FIELD_LINES: u8 = 40;

/// How much is joined at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Lines of a record.
    pub lines: usize,
    /// Bytes of a record, line breaks counted.
    pub bytes: usize,
    /// From the first line of a record to its last.
    pub wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { lines: 500, bytes: 64 << 10, wait: Duration::from_secs(1) }
    }
}

/// What is to be known about a line.
#[derive(Clone, Copy, Debug, Default)]
pub struct Line<'a> {
    /// All of it.
    pub text: &'a str,
    /// Whether it came as a record with time and severity, or says both itself. It is never joined to another.
    pub is_dated: bool,
    /// Whether it has a timestamp of its own in the text.
    pub has_time: bool,
    /// The severity that it says, 1 to 24; 0 if it says none.
    pub severity: u8,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It begins a record; the one before is complete.
    Start,
    /// It belongs to the record before.
    Continue,
}

/// Decides for one stream.
#[derive(Clone, Debug)]
pub struct Joiner {
    limits: Limits,
    state: State,
    head: Head,
    /// Lines and bytes of the record that is open; no lines if none is.
    lines: usize,
    bytes: usize,
    since: Timestamp,
    /// The share of lines that are not parts of others and have a timestamp, and how many there were.
    dated: f32,
    n_heads: u32,
}

/// What is known about the first line of the open record.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    severity: u8,
    has_time: bool,
    indent: usize,
    is_panic: bool,
    is_source: bool,
    /// Whether a line was taken for a part of it only because it has no timestamp.
    is_guess: bool,
}

/// What the open record is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum State {
    /// A line.
    #[default]
    Line,
    /// It is complete: nothing belongs to it any more.
    Done,
    /// A trace whose frames are known by their looks.
    Stack,
    /// The frames of Python's; whether they are indented, and whether a line of code may come now.
    Python {
        is_indented: bool,
        wants_code: bool,
    },
    /// Python's up to the exception; another may follow.
    PythonEnd {
        is_chained: bool,
    },
    Go,
    /// Whether the message of the panic is still to come.
    Rust {
        wants_message: bool,
    },
    /// The code that Node writes above an error, with how many more lines it may have.
    Source(u8),
    /// The fields of an error that Node writes behind its last frame, with how many more lines they may have.
    Fields(u8),
    /// JSON or XML.
    Nested(Nested),
}

impl Joiner {
    /// One that has seen nothing yet.
    pub const fn new(limits: Limits) -> Self {
        let head = Head {
            severity: 0,
            has_time: false,
            indent: 0,
            is_panic: false,
            is_source: false,
            is_guess: false,
        };
        Self {
            limits,
            state: State::Line,
            head,
            lines: 0,
            bytes: 0,
            since: Timestamp::from_nanos(0),
            dated: 0.0,
            n_heads: 0,
        }
    }

    /// Decides about the next line, which was seen at `now`.
    pub fn push(&mut self, line: Line<'_>, now: Timestamp) -> Decision {
        if self.is_due(now) {
            self.close();
        }
        if self.lines > 0 && !line.is_dated && !line.has_time && self.belongs(line) {
            let bytes = self.bytes + line.text.len() + 1;
            if self.lines < self.limits.lines && bytes <= self.limits.bytes {
                self.lines += 1;
                self.bytes = bytes;
                return Decision::Continue;
            }
            // The rest of what is too long is a record of its own; what it is stays the same.
            (self.lines, self.bytes, self.since) = (1, line.text.len(), now);
            return Decision::Start;
        }
        self.start(line, now);
        Decision::Start
    }

    /// Whether there is reason to believe that the record goes on: its first line begins something that is longer, or it has
    /// more than one line already.
    pub fn is_open(&self) -> bool {
        self.lines > 0 && self.state != State::Done && (self.state != State::Line || self.lines > 1)
    }

    /// Whether the record has been open for as long as it may be.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.lines > 0 && now.since(self.since) >= self.limits.wait
    }

    /// Ends the record: the next line begins another.
    pub fn close(&mut self) {
        self.lines = 0;
        self.state = State::Line;
    }

    /// How many lines the record has.
    pub const fn lines(&self) -> usize {
        self.lines
    }

    fn start(&mut self, line: Line<'_>, now: Timestamp) {
        let text = line.text.trim_ascii_start();
        let has_mark = shape::has_mark(text);
        let is_ordinary = shape::is_ordinary(text);
        let is_part =
            !is_ordinary && (text.is_empty() || shape::is_frame(text) || shape::cause(text).is_some());
        if !is_part {
            self.count(line.has_time || line.is_dated);
        }
        (self.lines, self.bytes, self.since) = (1, line.text.len(), now);
        self.head = Head {
            severity: line.severity,
            has_time: line.has_time || line.is_dated,
            indent: line.text.len() - text.len(),
            is_panic: has_mark && text.contains("panic"),
            is_source: !is_ordinary && shape::is_node_head(text.trim_ascii_end()),
            is_guess: false,
        };
        self.state = if is_ordinary && !has_mark { State::Line } else { opening(text, has_mark) };
    }

    /// Counts a line of which it says something whether it has a timestamp.
    fn count(&mut self, has_time: bool) {
        self.n_heads = self.n_heads.saturating_add(1);
        let weight = DATED_WEIGHT.max(1.0 / self.n_heads as f32);
        self.dated += weight * (f32::from(u8::from(has_time)) - self.dated);
    }

    /// Whether a line continues the record that is open. Changes what is expected next.
    fn belongs(&mut self, line: Line<'_>) -> bool {
        let text = line.text.trim_ascii();
        let indent = line.text.len() - line.text.trim_ascii_start().len();
        if text.is_empty() {
            return self.goes_on_after_blank();
        }
        self.goes_on(text, indent) || self.begins_trace(text) || self.is_continued(line, text, indent)
    }

    fn goes_on_after_blank(&self) -> bool {
        match &self.state {
            State::PythonEnd { .. } | State::Go | State::Rust { .. } | State::Source(_) => true,
            State::Nested(_) | State::Fields(_) => true,
            State::Line | State::Done | State::Python { .. } => false,
            // Node says its version behind a blank line.
            State::Stack => self.head.is_source,
        }
    }

    /// Whether a line is what the state makes us expect.
    fn goes_on(&mut self, text: &str, indent: usize) -> bool {
        match &mut self.state {
            State::Line | State::Done => false,
            State::Stack => shape::is_tail(text) || shape::is_ruby_place(text),
            State::Fields(left) => {
                *left = left.saturating_sub(1);
                if *left == 0 || shape::is_closing(text) {
                    self.state = State::Stack;
                }
                true
            }
            State::Nested(nested) => match nested.push(text, indent) {
                nested::Next::Inside => true,
                nested::Next::Last => {
                    self.state = State::Done;
                    true
                }
                nested::Next::Foreign => {
                    self.state = State::Done;
                    false
                }
            },
            State::Python { .. } => self.goes_on_in_python(text, indent),
            State::PythonEnd { is_chained } => {
                if shape::is_python_chain(text) {
                    *is_chained = true;
                    return true;
                }
                let is_next = *is_chained && text.ends_with(shape::TRACEBACK);
                if is_next {
                    self.state = PYTHON;
                }
                is_next
            }
            State::Go => shape::is_go(text) || text.starts_with("panic: ") && indent > 0,
            State::Rust { wants_message } => std::mem::take(wants_message) || shape::is_rust(text),
            State::Source(left) => {
                if shape::exception(text).is_some() {
                    self.state = State::Stack;
                    return true;
                }
                *left = left.saturating_sub(1);
                *left > 0
            }
        }
    }

    /// Frames and their code, up to the exception.
    fn goes_on_in_python(&mut self, text: &str, indent: usize) -> bool {
        let State::Python { is_indented, wants_code } = &mut self.state else { return false };
        if text.starts_with("File \"") {
            *is_indented |= indent > 0;
            *wants_code = true;
            return true;
        }
        if indent > 0 || shape::is_python_mark(text) {
            *wants_code = false;
            return true;
        }
        // Code that lost its indentation can be told from an exception only by how that looks.
        if *wants_code && !*is_indented && !shape::is_python_end(text, false) {
            *wants_code = false;
            return true;
        }
        let is_end = shape::is_python_end(text, *is_indented);
        self.state = if is_end { State::PythonEnd { is_chained: false } } else { State::Line };
        is_end
    }

    /// Whether a line is a part of a trace that belongs to the line or trace before.
    fn begins_trace(&mut self, text: &str) -> bool {
        if self.state == State::Done {
            return false;
        }
        if shape::is_frame(text) || shape::cause(text).is_some() {
            if matches!(self.state, State::Line | State::PythonEnd { .. } | State::Source(_)) {
                self.state = if text.starts_with("File \"") { PYTHON } else { State::Stack };
            }
            if self.state == State::Stack && text.ends_with(" {") {
                self.state = State::Fields(FIELD_LINES);
            }
            return true;
        }
        // What follows need not be about the error, unless it is right behind it.
        let is_first = self.lines == 1 && self.state == State::Line;
        let is_after_error = is_first && (self.head.severity >= ERROR || self.is_dated_stream());
        if shape::is_goroutine(text) && (self.head.is_panic || is_after_error) {
            self.state = State::Go;
            return true;
        }
        if is_after_error && (text == shape::TRACEBACK || shape::exception(text).is_some()) {
            self.state = opening(text, shape::has_mark(text));
            return true;
        }
        false
    }

    /// Whether a line continues the record by how it is written.
    fn is_continued(&mut self, line: Line<'_>, text: &str, indent: usize) -> bool {
        if self.state == State::Done {
            return false;
        }
        if indent > self.head.indent || (self.lines > 1 && shape::is_closing(text)) {
            return true;
        }
        let is_undated = line.severity == 0 && !shape::has_stamp(text);
        let is_continued = is_undated && self.head.has_time && self.is_dated_stream();
        if is_continued && !std::mem::replace(&mut self.head.is_guess, true) {
            self.count(false);
        }
        is_continued
    }

    /// Whether records of this stream begin with a timestamp.
    fn is_dated_stream(&self) -> bool {
        self.n_heads >= DATED_LINES && self.dated >= DATED_SHARE
    }
}

const PYTHON: State = State::Python { is_indented: false, wants_code: false };

/// What a line begins, without the white space in front of it.
fn opening(text: &str, has_mark: bool) -> State {
    let text = text.trim_ascii_end();
    if let Some(state) = has_mark.then(|| marked(text)).flatten() {
        return state;
    }
    if text.starts_with("File \"") && shape::is_frame(text) {
        return PYTHON;
    }
    if shape::is_go_head(text) {
        return State::Go;
    }
    if shape::is_node_head(text) {
        return State::Source(SOURCE_LINES);
    }
    let is_stack = shape::died(text)
        || shape::exception(text).is_some()
        || shape::is_frame(text)
        || shape::cause(text).is_some()
        || shape::is_ruby_place(text);
    if is_stack {
        return State::Stack;
    }
    Nested::begin(text).map_or(State::Line, State::Nested)
}

/// The same by what stands anywhere in the line.
fn marked(text: &str) -> Option<State> {
    if text.ends_with(shape::TRACEBACK) {
        return Some(PYTHON);
    }
    if shape::is_rust_head(text) {
        return Some(State::Rust { wants_message: text.ends_with(':') });
    }
    if shape::has_go_head(text) {
        return Some(State::Go);
    }
    shape::has_died(text).then_some(State::Stack)
}
