//! What single lines of stack traces look like, whatever white space was in front of them.
//!
//! Every line of every log is looked at, and hardly any is part of a trace. So what may stand anywhere in a line is looked for in
//! one pass ([`has_mark`]), and all else by how the line begins or by its first word.

use std::sync::LazyLock;

use aho_corasick::packed::{Config, Searcher};

/// The names of exceptions end with one of these.
const ENDINGS: [&str; 12] = [
    "Exception",
    "Error",
    "Throwable",
    "Failure",
    "Fault",
    "Warning",
    "Interrupt",
    "Exit",
    "Iteration",
    "Panic",
    "Timeout",
    "Invalid",
];
/// The longest name of an exception.
const MAX_NAME: usize = 200;
/// The first line of Python's traces.
pub(super) const TRACEBACK: &str = "Traceback (most recent call last):";

/// What [`has_go_head`], [`is_rust_head`], [`has_died`] and [`TRACEBACK`] look for anywhere in a line begins with or holds one of these.
static MARKS: LazyLock<Option<Searcher>> = LazyLock::new(|| {
    let marks = ["panic", "thread '", "Exception in thread", "Fatal error:", "Traceback ("];
    Config::new().builder().extend(marks).build()
});

/// Whether something in the line may say that a trace begins.
pub(super) fn has_mark(text: &str) -> bool {
    // Where the processor has no instructions for it, everything may.
    MARKS.as_ref().is_none_or(|marks| marks.find(text).is_some())
}

/// Whether the line is certainly nothing of what is known here by how a line begins or ends: no frame, cause, exception or place, no
/// beginning of a trace of Go or Node, of JSON or of XML. It is the usual answer, and the first word has it.
pub(super) fn is_ordinary(text: &str) -> bool {
    let bytes = text.as_bytes();
    let len = bytes.trim_ascii_end().len();
    let end = bytes.iter().position(|byte| *byte == b' ').unwrap_or(bytes.len());
    let (word, after) = (&bytes[..end], bytes.get(end + 1));
    let (Some(first), Some(last)) = (word.first(), word.last()) else { return false };
    let is_known = matches!(first, b'<' | b'.' | b'-' | b'#')
        || end >= len
        || matches!(after, Some(b'+'))
        || matches!(after, Some(b'[' | b'(')) && first.is_ascii_alphabetic()
        || matches!(bytes[len - 1], b'{' | b'[' | b',')
        || *last == b':' && may_be_label(&word[..end - 1])
        || *last == b'n' && word.ends_with(b":in")
        || word.starts_with(b"SIG")
        || STARTS.contains(&word);
    !is_known
}

/// Whether a word that a colon follows may be a number, the name of an exception or one of the labels in front of one.
fn may_be_label(word: &[u8]) -> bool {
    let Some(last) = word.last() else { return true };
    last.is_ascii_digit()
        || *last == b':'
        || ENDINGS.iter().any(|ending| word.ends_with(ending.as_bytes()))
        || LABELS.contains(&word)
}

/// The first words that [`is_ordinary`] looks for, of which none has a colon at its end.
const STARTS: [&[u8]; 9] =
    [b"at", b"from", b"File", b"Caused", b"Wrapped", b"Uncaught", b"Unhandled", b"fatal", b"goroutine"];
/// And those that have, without it.
const LABELS: [&[u8]; 3] = [b"panic", b"Suppressed", b"error"];

/// A frame, or another line that nobody would write but in a stack trace.
pub(super) fn is_frame(text: &str) -> bool {
    is_at(text)
        || is_omission(text)
        || text.starts_with("--- End of ")
        || text.starts_with("File \"") && text.contains("\", line ")
        || text.strip_prefix("from ").is_some_and(is_ruby_place)
        || is_numbered_place(text)
        || is_go_place(text)
}

/// `at pkg.Class.method(File.java:12)`, `at fn (/a/b.js:1:2)`, `at X.Y() in /a.cs:line 3`, `at /a/b.rs:1:2`
fn is_at(text: &str) -> bool {
    let Some(place) = text.strip_prefix("at ") else { return false };
    let place = place.strip_prefix("async ").unwrap_or(place);
    let place = place.strip_prefix("new ").unwrap_or(place);
    let first = place.split(' ').next().unwrap_or_default();
    let is_name = first.bytes().any(|byte| matches!(byte, b'.' | b'/' | b'<' | b':' | b'('))
        || place.split(' ').nth(1).is_some_and(|next| next.starts_with('(') || next.starts_with('['));
    is_name && (place.contains('(') && place.contains(')') || ends_with_position(place))
}

/// `:12:34`, with closing brackets and what Node writes behind them.
fn ends_with_position(text: &str) -> bool {
    let text = text.trim_end_matches([' ', '{', ')']);
    let mut parts = text.rsplitn(3, ':');
    let is_number = |part: Option<&str>| {
        part.is_some_and(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    is_number(parts.next()) && is_number(parts.next())
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `... 12 more`, `... 3 common frames omitted`
fn is_omission(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("... ") else { return false };
    let rest = rest.trim_start_matches(|char: char| char.is_ascii_digit());
    rest.len() < text.len() - 4
        && (rest == " more" || rest.contains("frames omitted") || rest.contains("frames elided"))
}

/// The exception behind `Caused by: ` and the like.
pub(super) fn cause(text: &str) -> Option<&str> {
    ["Caused by: ", "Suppressed: ", "Wrapped by: ", "---> "].iter().find_map(|start| text.strip_prefix(start))
}

/// `app.rb:3:in `, Ruby's places.
pub(super) fn is_ruby_place(text: &str) -> bool {
    let Some((word, rest)) = text.split_once(' ') else { return false };
    let Some((_, line)) = word.strip_suffix(":in").and_then(|file| file.rsplit_once(':')) else {
        return false;
    };
    let is_quoted = rest.starts_with(['`', '\'']);
    !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit()) && is_quoted
}

/// `#0 /a.php(5): foo()`, `3: core::panicking::panic`, `0: 0x55 - main`
fn is_numbered_place(text: &str) -> bool {
    let (text, is_php) = text.strip_prefix('#').map_or((text, false), |rest| (rest, true));
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 || digits > 4 {
        return false;
    }
    let rest = &text[digits..];
    if is_php {
        return rest == " {main}" || rest.contains("): ") || rest.starts_with(" 0x");
    }
    let name = rest.strip_prefix(": ").unwrap_or_default();
    !name.is_empty()
        && (name.starts_with("0x") || name.contains("::"))
        && !name.split(" - ").last().unwrap_or(name).contains(": ")
}

/// `/a/b.go:12 +0x1d`, `/a/b.go:12`
fn is_go_place(text: &str) -> bool {
    let (word, after) = text.split_once(' ').unwrap_or((text, ""));
    let Some((path, line)) = word.split_once(".go:") else { return false };
    is_number(line) && path.contains('/') && (word.len() == text.len() || after.starts_with("+0x"))
}

/// Lines of Go's traces beside the places.
pub(super) fn is_go(text: &str) -> bool {
    let is_call = || {
        let Some((name, _)) = text.split_once('(') else { return false };
        let name_is_path = !name.is_empty() && !name.contains(' ') && name.contains('.');
        (name_is_path || name == "panic") && text.ends_with(')')
    };
    let is_register = || {
        let mut words = text.split_ascii_whitespace();
        let name = words.next().unwrap_or_default();
        name.len() <= 6 && words.next().is_some_and(|value| value.starts_with("0x")) && words.next().is_none()
    };
    is_goroutine(text)
        || text.starts_with("created by ")
        || text.starts_with("[signal ")
        || text.starts_with("exit status ")
        || text.starts_with("goroutine running on ")
        || text.starts_with("runtime stack:")
        || text.starts_with("...")
        || is_go_place(text)
        || is_call()
        || is_register()
}

/// `goroutine 1 [running]:`
pub(super) fn is_goroutine(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("goroutine ") else { return false };
    let rest = rest.trim_start_matches(|char: char| char.is_ascii_digit());
    rest.starts_with(" [") && rest.ends_with("]:") || rest.starts_with(" gp=") && rest.ends_with("]:")
}

/// What Go's runtime writes first.
pub(super) fn is_go_head(text: &str) -> bool {
    text.starts_with("panic: ")
        || text.starts_with("fatal error: ")
        || text.starts_with("SIG")
            && text.contains(": ")
            && text[3..].starts_with(|c: char| c.is_ascii_uppercase())
        || is_goroutine(text)
}

/// The same anywhere in a line.
pub(super) fn has_go_head(text: &str) -> bool {
    text.contains(" panic: ") || text.contains("panic serving ")
}

/// Lines of Rust's traces beside the frames.
pub(super) fn is_rust(text: &str) -> bool {
    text.starts_with("note: ")
        || text == "stack backtrace:"
        || text == "Caused by:"
        || text.starts_with("left: ")
        || text.starts_with("right: ")
        || text.split_once(": ").is_some_and(|(number, _)| is_number(number))
}

/// `thread 'main' panicked at src/main.rs:4:5:`
pub(super) fn is_rust_head(text: &str) -> bool {
    text.find("thread '")
        .is_some_and(|at| text[at..].contains("' panicked at ") || text[at..].contains(") panicked at "))
}

/// Lines between the parts of a chain of Python's.
pub(super) fn is_python_chain(text: &str) -> bool {
    text.starts_with("During handling of the above exception")
        || text.starts_with("The above exception was the direct cause")
}

/// Lines in Python's traces that have no frame and are no code.
pub(super) fn is_python_mark(text: &str) -> bool {
    text.starts_with("[Previous line repeated ")
        || text.bytes().all(|byte| matches!(byte, b'^' | b'~' | b' '))
        || text.starts_with("| ")
        || text.starts_with("+-")
}

/// `/app/a.js:10`, what Node writes above the code that threw.
pub(super) fn is_node_head(text: &str) -> bool {
    let Some((path, line)) = text.rsplit_once(':') else { return false };
    let is_script = [".js", ".ts", ".mjs", ".cjs", ".tsx", ".jsx"].iter().any(|end| path.ends_with(end));
    !path.contains(' ')
        && (is_script || path.starts_with("node:"))
        && !line.is_empty()
        && line.bytes().all(|byte| byte.is_ascii_digit())
}

/// The name of an exception at the beginning of `text`: `java.io.IOException: gone`, `ValueError`, `Uncaught TypeError: no`.
pub(super) fn exception(text: &str) -> Option<&str> {
    let from = ["Uncaught ", "Unhandled exception. ", "Unhandled Exception: ", "error: Uncaught "]
        .iter()
        .find_map(|start| text.strip_prefix(start))
        .unwrap_or(text);
    let is_part = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$' | b'+' | b'/' | b'@' | b':')
    };
    let mut len = from.bytes().take(MAX_NAME).take_while(|byte| is_part(byte)).count();
    // The name may have colons in it, as Ruby's and Rust's, but does not end with one.
    len = from[..len].find(": ").unwrap_or(len);
    let name = from[..len].trim_end_matches(':');
    let rest = &from[name.len()..];
    let ends = rest.is_empty()
        || rest.starts_with(": ")
        || rest == ":"
        || rest.starts_with(" [")
        || rest.starts_with(" (");
    let last = name.rsplit(['.', '$', ':', '+', '/']).next()?;
    let is_class = last.starts_with(|char: char| char.is_ascii_uppercase())
        && ENDINGS.iter().any(|ending| last.ends_with(ending));
    let is_name = name.starts_with(|char: char| char.is_ascii_alphabetic());
    (ends && is_class && is_name).then_some(name)
}

/// The exception that a thread or program died of, in the text behind `Exception in thread "main" ` and the like.
pub(super) fn died(text: &str) -> bool {
    text.starts_with("Unhandled exception") || text.starts_with("Unhandled Exception")
}

/// The same anywhere in a line.
pub(super) fn has_died(text: &str) -> bool {
    text.contains("Exception in thread \"")
        || text.contains("Fatal error:  Uncaught ")
        || text.contains("Fatal error: Uncaught ")
}

/// A name as Python ends its traces: `ValueError: no`, `socket.timeout: timed out`, `KeyboardInterrupt`.
pub(super) fn is_python_end(text: &str, is_sure: bool) -> bool {
    if exception(text).is_some() {
        return true;
    }
    let name = text.split(':').next().unwrap_or_default();
    let is_name = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_'));
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_class = last.starts_with(|char: char| char.is_ascii_uppercase()) && text.len() > name.len();
    is_name && (is_sure || is_class)
}

/// Whether one of the first words may be a timestamp, or a part of one, of a form that is not known.
pub(super) fn has_stamp(text: &str) -> bool {
    let is_stamp = |word: &str| {
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        let is_clock = || word.bytes().filter(|byte| *byte == b':').count() == 2;
        word.trim_start_matches(['[', '(']).starts_with(|char: char| char.is_ascii_digit())
            && (digits >= 8 || digits >= 5 && is_clock())
    };
    text.split_ascii_whitespace().take(6).any(is_stamp)
}

/// Nothing but closing brackets.
pub(super) fn is_closing(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'}' | b']' | b')' | b',' | b';'))
}

/// Other lines that only follow stack traces.
pub(super) fn is_tail(text: &str) -> bool {
    text.starts_with("Node.js v")
        || text.starts_with("thrown in ")
        || text == "Stack trace:"
        || text == "Call stack:"
}
