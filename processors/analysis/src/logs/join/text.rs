//! What a joined record says in one line, for a miner of templates.
//!
//! The head and the exceptions, without frames: two traces of the same fault say the same, and no frame becomes a template.

use std::borrow::Cow;

use super::shape;

/// So many exceptions of a chain are told.
const MAX_EXCEPTIONS: usize = 4;
/// So many bytes of an exception's own line.
const MAX_LINE: usize = 512;

/// What a record of several lines says: `head`, the message of its first line, and the exceptions in the lines `after` it, the
/// one that was thrown with what it says, the others by name. `None` if the record is but the middle of a trace.
///
/// ```text
/// Request failed                                        Request failed java.io.IOException: gone
/// java.io.IOException: gone                        →    Caused by: a.b.Closed
///     at a.b.C.d(C.java:3)
/// Caused by: a.b.Closed: by peer
/// ```
pub fn learnable<'a>(head: &'a str, after: &str) -> Option<Cow<'a, str>> {
    let first = head.trim_ascii();
    if !shape::is_ordinary(first) && (shape::is_frame(first) || shape::is_goroutine(first)) {
        return None;
    }
    // Most records are one line.
    let exceptions = if after.is_empty() { Vec::new() } else { exceptions(first, after) };
    if exceptions.is_empty() {
        return Some(Cow::Borrowed(head));
    }
    let mut text = head.trim_ascii_end().to_owned();
    for exception in exceptions {
        text.push(' ');
        text.push_str(&exception);
    }
    Some(Cow::Owned(text))
}

/// The exceptions of a trace, in their order.
fn exceptions<'a>(head: &str, after: &'a str) -> Vec<Cow<'a, str>> {
    if shape::is_rust_head(head) {
        // What it says comes on the next line, unless it is an old compiler.
        let message = after.lines().next().map(str::trim_ascii).filter(|_| head.ends_with(':'));
        return message.map(|line| Cow::Borrowed(cut(line))).into_iter().collect();
    }
    let is_python =
        head.ends_with(shape::TRACEBACK) || after.lines().any(|line| line.trim_ascii() == shape::TRACEBACK);
    let mut found: Vec<Found<'a>> = Vec::new();
    let mut in_frames = head.ends_with(shape::TRACEBACK);
    for line in after.lines() {
        let is_indented = line.starts_with([' ', '\t']);
        let line = line.trim_ascii();
        if let Some(cause) = shape::cause(line) {
            let name = shape::exception(cause).unwrap_or_else(|| name(cause));
            let start = &line[..line.len() - cause.len()];
            found.push(Found { start, name, line });
        } else if line == shape::TRACEBACK {
            in_frames = true;
        } else if let Some(name) = shape::exception(line).filter(|_| !is_python || !is_indented) {
            in_frames = false;
            found.push(Found { start: "", name, line });
        } else if in_frames && !is_indented && !shape::is_frame(line) && shape::is_python_end(line, false) {
            in_frames = false;
            found.push(Found { start: "", name: name(line), line });
        }
    }
    // Python's last is what was raised in the end, the others' first.
    let skip = if is_python { found.len().saturating_sub(MAX_EXCEPTIONS) } else { 0 };
    let told: Vec<Found<'a>> = found.into_iter().skip(skip).take(MAX_EXCEPTIONS).collect();
    let thrown = if is_python { told.len().saturating_sub(1) } else { 0 };
    // A head that is an exception itself says what was thrown.
    let is_told = shape::exception(head).is_some() || shape::died(head) || shape::has_died(head);
    let tell = |(i, found): (usize, Found<'a>)| match (i == thrown && !is_told, found.start) {
        (true, _) => Cow::Borrowed(cut(found.line)),
        (false, "") => Cow::Borrowed(found.name),
        (false, start) => Cow::Owned(format!("{start}{}", found.name)),
    };
    told.into_iter().enumerate().map(tell).collect()
}

/// An exception in a trace.
struct Found<'a> {
    /// `Caused by: ` or nothing.
    start: &'a str,
    name: &'a str,
    line: &'a str,
}

/// What is before the first colon or space.
fn name(text: &str) -> &str {
    text.split([':', ' ']).next().unwrap_or(text)
}

/// The beginning of a line, not more than what is looked at.
fn cut(line: &str) -> &str {
    &line[..line.floor_char_boundary(MAX_LINE)]
}
