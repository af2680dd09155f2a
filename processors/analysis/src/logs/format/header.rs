//! Headers of fixed form: klog, syslog (RFC 3164, RFC 5424 and as in `/var/log`) and CRI.

use pdata::Timestamp;

use super::level::{self, Level};
use super::time::{self, Stamp};

/// What a header says, and what comes behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header<'a> {
    pub(super) time: Option<Timestamp>,
    pub(super) severity: Option<Level<'a>>,
    pub(super) rest: &'a str,
}

/// The longest name of a host (RFC 1035).
const MAX_HOST: usize = 255;
/// The longest tag of a program; RFC 3164 has 32, which some exceed.
const MAX_TAG: usize = 128;

/// `I0102 15:04:05.000000       1 file.go:12] message`
pub(super) fn klog(line: &str, reference: Timestamp) -> Option<Header<'_>> {
    let bytes = line.as_bytes();
    let severity = match bytes.first()? {
        letter @ (b'I' | b'W' | b'E' | b'F') => level::of_letter(*letter)?,
        _ => return None,
    };
    let digits = bytes.get(1..5)?;
    if !digits.iter().all(u8::is_ascii_digit) || bytes.get(5) != Some(&b' ') {
        return None;
    }
    // As `Mmdd` is a month and a day, the month and day with a separator are read as such.
    let pair = |at: usize| (bytes[at] - b'0') * 10 + (bytes[at + 1] - b'0');
    let time = time::of_month_and_day(pair(1), pair(3), &bytes[6..], reference)?;
    let from = 6 + time.len;
    // The place in the source ends with `] `, and has no space but before it.
    let place = &bytes[from..bytes.len().min(from + 200)];
    let end = memchr::memchr(b']', place)?;
    let mut words = line.get(from..from + end)?.split_ascii_whitespace();
    let is_thread = words.next()?.bytes().all(|byte| byte.is_ascii_digit());
    let is_place = words.next()?.contains(':') && words.next().is_none();
    let rest = line[from + end + 1..].trim_start_matches(' ');
    (is_thread && is_place).then_some(Header { time: time.time, severity: Some(severity), rest })
}

/// `2016-10-06T00:17:09.669794202Z stdout F message`, whose time is known.
pub(super) fn cri(line: &str, stamp: Stamp) -> Option<Header<'_>> {
    let rest = &line[stamp.len..];
    let rest = rest.strip_prefix(" stdout ").or_else(|| rest.strip_prefix(" stderr "))?;
    let (tags, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let is_tags = matches!(tags.split(':').next(), Some("F" | "P"));
    is_tags.then_some(Header { time: stamp.time, severity: None, rest })
}

/// Syslog with its priority in front: `<34>`.
pub(super) fn syslog(line: &str, reference: Timestamp) -> Option<Header<'_>> {
    let end = memchr::memchr(b'>', head(line, 6))?;
    // 24 facilities and 8 severities.
    let priority: u8 = line.strip_prefix('<')?.get(..end - 1)?.parse().ok()?;
    if priority >= 192 {
        return None;
    }
    let rest = &line[end + 1..];
    let header = match rest.strip_prefix("1 ") {
        Some(rest) => rfc5424(rest, reference)?,
        None => {
            let stamp = time::scan(rest.as_bytes(), reference)?;
            let bare = || Header { time: stamp.time, severity: None, rest: after(rest, stamp) };
            named(rest, stamp).unwrap_or_else(bare)
        }
    };
    Some(Header { severity: Some(level::of_syslog(priority)), ..header })
}

/// `2003-10-11T22:14:15.003Z host app procid msgid [data] message`
fn rfc5424(line: &str, reference: Timestamp) -> Option<Header<'_>> {
    let (stamp, mut rest) = line.split_once(' ')?;
    let time = match stamp {
        "-" => None,
        _ => Some(time::scan(stamp.as_bytes(), reference).filter(|found| found.len == stamp.len())?.time?),
    };
    for _ in 0..4 {
        rest = rest.split_once(' ')?.1;
    }
    let rest = match rest.strip_prefix('-') {
        Some(rest) => rest,
        None => structured(rest)?,
    };
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    Some(Header { time, severity: None, rest: rest.strip_prefix('\u{feff}').unwrap_or(rest) })
}

/// What is behind `[id key="value"][id ...]`.
fn structured(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while bytes.get(at) == Some(&b'[') {
        let mut quoted = false;
        loop {
            at += 1;
            match bytes.get(at)? {
                b'\\' if quoted => at += 1,
                b'"' => quoted = !quoted,
                b']' if !quoted => break,
                _ => {}
            }
        }
        at += 1;
    }
    (at > 0).then(|| text.get(at..)).flatten()
}

/// `Oct 11 22:14:15 host program[123]: message`, or with a timestamp of RFC 3339. Its time is known.
pub(super) fn named(line: &str, stamp: Stamp) -> Option<Header<'_>> {
    let first = *line.as_bytes().first()?;
    let rest = line[stamp.len..].strip_prefix(' ')?;
    let (host, rest) = rest.split_at_checked(memchr::memchr(b' ', head(rest, MAX_HOST))?)?;
    let rest = &rest[1..];
    let colon = memchr::memchr(b':', head(rest, MAX_TAG))?;
    let (tag, rest) = (&rest[..colon], &rest[colon + 1..]);
    // Everybody writes RFC 3339, so a number of a process is wanted then. Most lines are told by that.
    if !first.is_ascii_alphabetic() && !tag.ends_with(']') && tag != "kernel" {
        return None;
    }
    if host.is_empty() || !host.bytes().all(is_host) || level::of_word(host).is_some() {
        return None;
    }
    let (program, is_numbered) = match tag.split_once('[') {
        Some((program, pid)) => (program, pid.strip_suffix(']').is_some_and(|pid| !pid.contains(' '))),
        None => (tag, false),
    };
    let is_program = !program.is_empty() && program.bytes().all(is_tag);
    let is_sure = is_numbered || (first.is_ascii_alphabetic() && !tag.contains('[')) || program == "kernel";
    let ends = rest.is_empty() || rest.starts_with(' ');
    (is_program && is_sure && ends && level::of_word(program).is_none()).then(|| Header {
        time: stamp.time,
        severity: None,
        rest: rest.trim_start_matches(' '),
    })
}

fn after(line: &str, stamp: Stamp) -> &str {
    line[stamp.len..].trim_start_matches(' ')
}

fn head(text: &str, most: usize) -> &[u8] {
    &text.as_bytes()[..text.len().min(most)]
}

const fn is_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')
}

const fn is_tag(byte: u8) -> bool {
    is_host(byte) || matches!(byte, b'/' | b'(' | b')' | b'@' | b'+')
}
