//! What begins with a digit: numbers, addresses, times.
//!
//! Every scanner takes the bytes and where to start, and says where what it knows ends. Whether the end is the end of
//! the word is for the caller to see.

use super::Kind;
use super::class::{DIGIT, DOT, LETTER, class_at, digits, run};

/// What was recognised, and where it ends.
pub(super) type Found = Option<(Kind, usize)>;

/// Whether what ends at `at` ends a word: a full stop may follow.
#[inline]
pub(super) fn ends(bytes: &[u8], at: usize) -> bool {
    match class_at(bytes, at) {
        0 => true,
        DOT => class_at(bytes, at + 1) & (LETTER | DIGIT) == 0 && bytes.get(at + 1) != Some(&b'/'),
        _ => bytes[at] == b'-' && class_at(bytes, at + 1) == 0,
    }
}

/// What begins with the digit at `at`.
pub(super) fn number(bytes: &[u8], at: usize) -> Found {
    let len = digits(bytes, at);
    match bytes.get(at + len) {
        Some(b':') => {
            if let Some(found) =
                time_of_day(bytes, at).map(|end| (Kind::Time, end)).or_else(|| colons(bytes, at))
            {
                return Some(found);
            }
        }
        Some(b'-' | b'/') if matches!(len, 1 | 2 | 4) => {
            if let Some(end) = date(bytes, at) {
                return Some((Kind::Time, with_time(bytes, end)));
            }
        }
        Some(b'.') if len == 4 => {
            if let Some(end) = date(bytes, at) {
                return Some((Kind::Time, with_time(bytes, end)));
            }
        }
        Some(b'T') if len == 8 => {
            let end = clock_digits(bytes, at + len + 1)?;
            return Some((Kind::Time, zone(bytes, end)));
        }
        _ => {}
    }
    if len <= 3
        && bytes.get(at + len) == Some(&b'.')
        && let Some(end) = ip4(bytes, at)
    {
        return Some((Kind::Ip, end));
    }
    if bytes[at] == b'0' && len == 1 && matches!(bytes.get(at + 1), Some(b'x' | b'X')) {
        let end = hex_run(bytes, at + 2);
        return (end > at + 2).then_some((Kind::Hex, end));
    }
    Some(quantity(bytes, at))
}

/// A number with what belongs to it: decimals, exponent, unit.
fn quantity(bytes: &[u8], at: usize) -> (Kind, usize) {
    let end = decimal(bytes, at);
    match class_at(bytes, end) {
        0 if bytes.get(end) == Some(&b' ') => {
            spaced_size(bytes, end).map_or((Kind::Number, end), |end| (Kind::Size, end))
        }
        0 => (Kind::Number, end),
        _ if bytes[end] == b'%' => (Kind::Percent, end + 1),
        _ => match unit(bytes, end) {
            Some((Kind::Duration, after)) => (Kind::Duration, more_durations(bytes, after)),
            Some((kind, after)) => (kind, after),
            None => (Kind::Number, end),
        },
    }
}

/// `1`, `1.5`, `1.5e-9`.
fn decimal(bytes: &[u8], at: usize) -> usize {
    let mut end = run(bytes, at, DIGIT);
    if bytes.get(end) == Some(&b'.') && digits(bytes, end + 1) > 0 {
        end = run(bytes, end + 1, DIGIT);
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            if digits(bytes, end + 1 + sign) > 0 {
                end = run(bytes, end + 1 + sign, DIGIT);
            }
        }
    }
    end
}

/// The unit at `at`, which must end with the word or before another number.
fn unit(bytes: &[u8], at: usize) -> Found {
    let end = if bytes[at..].starts_with("µs".as_bytes()) { at + 3 } else { run(bytes, at, LETTER) };
    let kind =
        match &bytes[at..end] {
            b"ns" | b"us" | b"ms" | b"s" | b"m" | b"h" | b"d" | b"sec" | b"secs" | b"min" | b"mins"
            | b"hr" | b"hrs" | b"msec" | b"usec" | b"seconds" | b"minutes" | b"hours" | b"days"
            | b"millis" => Kind::Duration,
            b"B" | b"k" | b"K" | b"M" | b"G" | b"T" | b"b" => Kind::Size,
            b"x" | b"px" | b"Hz" | b"kHz" | b"MHz" | b"GHz" | b"C" | b"V" | b"mV" | b"W" | b"rpm"
            | b"RPM" => Kind::Number,
            word if is_size(word) => Kind::Size,
            word if word == "µs".as_bytes() => Kind::Duration,
            _ => return None,
        };
    Some((kind, end))
}

/// `KB`, `MiB`, `Gi` and their like.
fn is_size(word: &[u8]) -> bool {
    let Some((b'k' | b'K' | b'M' | b'G' | b'T' | b'P' | b'm' | b'g', rest)) = word.split_first() else {
        return false;
    };
    matches!(rest, b"B" | b"iB" | b"i" | b"b" | b"bps")
}

/// `1h30m`, `1m2.5s`.
fn more_durations(bytes: &[u8], mut end: usize) -> usize {
    while class_at(bytes, end) == DIGIT {
        let after = decimal(bytes, end);
        match unit(bytes, after.min(bytes.len())) {
            Some((Kind::Duration, next)) if after < bytes.len() => end = next,
            _ => break,
        }
    }
    end
}

/// ` KB` after a number.
fn spaced_size(bytes: &[u8], at: usize) -> Option<usize> {
    let end = run(bytes, at + 1, LETTER);
    match &bytes[at + 1..end] {
        b"B" => {}
        word if is_size(word) && word.len() > 1 => {}
        _ => return None,
    }
    ends(bytes, end).then_some(end)
}

/// ` (1.5 KB)` at `at`: what was said before in bytes, once more.
pub(super) fn restated(bytes: &[u8], at: usize) -> Option<usize> {
    if !bytes[at..].starts_with(b" (") {
        return None;
    }
    let number = decimal(bytes, at + 2);
    if number == at + 2 || bytes.get(number) != Some(&b' ') {
        return None;
    }
    let end = run(bytes, number + 1, LETTER);
    let word = &bytes[number + 1..end];
    ((is_size(word) || word == b"B") && bytes.get(end) == Some(&b')')).then_some(end + 1)
}

/// An address of version 4, perhaps with a prefix length.
pub(super) fn ip4(bytes: &[u8], at: usize) -> Option<usize> {
    let mut end = at;
    let mut part = 0;
    loop {
        let mut value = 0u32;
        let first = end;
        while let Some(byte) = bytes.get(end)
            && byte.is_ascii_digit()
        {
            value = value.wrapping_mul(10) + u32::from(byte - b'0');
            end += 1;
        }
        if end == first || end > first + 3 || value > 255 {
            return None;
        }
        part += 1;
        if part == 4 {
            break;
        }
        if bytes.get(end) != Some(&b'.') {
            return None;
        }
        end += 1;
    }
    if bytes.get(end) != Some(&b'/') {
        return Some(end);
    }
    let prefix = digits(bytes, end + 1);
    if (1..=2).contains(&prefix) && ends(bytes, end + 1 + prefix) {
        end += 1 + prefix;
    }
    Some(end)
}

/// `12:34`, `12:34:56`, `12:34:56.789`, with a zone.
fn time_of_day(bytes: &[u8], at: usize) -> Option<usize> {
    let hours = digits(bytes, at);
    if !(1..=2).contains(&hours) || bytes.get(at + hours) != Some(&b':') || digits(bytes, at + hours + 1) != 2
    {
        return None;
    }
    let mut end = at + hours + 3;
    if bytes.get(end) == Some(&b':') {
        if digits(bytes, end + 1) != 2 {
            return None;
        }
        end += 3;
        if matches!(bytes.get(end), Some(b'.' | b',')) && digits(bytes, end + 1) > 0 {
            end = run(bytes, end + 1, DIGIT);
        }
    }
    let end = zone(bytes, end);
    (ends(bytes, end) && bytes.get(end) != Some(&b':')
        || bytes.get(end) == Some(&b':') && class_at(bytes, end + 1) == 0)
        .then_some(end)
}

/// `Z`, `+01:00`, `-0700` after a time.
fn zone(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at) {
        Some(b'Z') => at + 1,
        Some(b'+' | b'-') if digits(bytes, at + 1) == 4 => at + 5,
        Some(b'+' | b'-') if digits(bytes, at + 1) == 2 => {
            if bytes.get(at + 3) == Some(&b':') && digits(bytes, at + 4) == 2 { at + 6 } else { at + 3 }
        }
        _ => at,
    }
}

/// `2015-10-18`, `18/10/2015`, `2005.09.20`, `10/Oct/2000`.
fn date(bytes: &[u8], at: usize) -> Option<usize> {
    let first = digits(bytes, at);
    let separator = *bytes.get(at + first)?;
    let mid = at + first + 1;
    let second = if separator == b'/' && class_at(bytes, mid) & LETTER != 0 {
        month(bytes, mid)?
    } else {
        digits(bytes, mid)
    };
    if bytes.get(mid + second) != Some(&separator) {
        return None;
    }
    let third = digits(bytes, mid + second + 1);
    let year_first = first == 4 && second == 2 && third == 2;
    let year_last = first <= 2 && matches!(second, 1..=3) && (third == 4 || separator == b'/' && third == 2);
    (year_first || year_last && separator != b'.').then_some(mid + second + 1 + third)
}

/// The length of the English name of a month at `at`, in three letters.
pub(super) fn month(bytes: &[u8], at: usize) -> Option<usize> {
    const MONTHS: [&[u8]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    bytes.get(at..at + 3).is_some_and(|name| MONTHS.contains(&name)).then_some(3)
}

/// The time of day that follows a date, if one does.
pub(super) fn with_time(bytes: &[u8], end: usize) -> usize {
    match bytes.get(end) {
        Some(b'T' | b' ' | b':' | b'_') => time_of_day(bytes, end + 1).unwrap_or(end),
        Some(b'-') => clock_dots(bytes, end + 1).or_else(|| time_of_day(bytes, end + 1)).unwrap_or(end),
        _ => end,
    }
}

/// `18.06.01`, after a date.
fn clock_dots(bytes: &[u8], at: usize) -> Option<usize> {
    let dot = |at: usize| digits(bytes, at) == 2 && bytes.get(at + 2) == Some(&b'.');
    if !(dot(at) && dot(at + 3)) {
        return None;
    }
    let mut end = run(bytes, at + 6, DIGIT);
    if bytes.get(end) == Some(&b'.') {
        end = run(bytes, end + 1, DIGIT);
    }
    Some(end)
}

/// `180147`, after the `T` of a compact time.
fn clock_digits(bytes: &[u8], at: usize) -> Option<usize> {
    (digits(bytes, at) == 6).then_some(at + 6)
}

/// What hexadecimal digits and colons make: a hardware address or an address of version 6.
pub(super) fn colons(bytes: &[u8], at: usize) -> Found {
    let mut end = at;
    let (mut groups, mut pairs, mut empty) = (0, 0, 0);
    loop {
        let len = hex_run(bytes, end) - end;
        if len > 4 {
            return None;
        }
        end += len;
        groups += usize::from(len > 0);
        pairs += usize::from(len == 2);
        if bytes.get(end) != Some(&b':') || groups > 32 {
            break;
        }
        if bytes.get(end + 1) == Some(&b':') {
            empty += 1;
            end += 1;
        } else if !bytes.get(end + 1).is_some_and(u8::is_ascii_hexdigit) {
            break;
        }
        end += 1;
    }
    if class_at(bytes, end) & (LETTER | DIGIT) != 0 {
        return None;
    }
    // Six pairs, or the longer identifiers of parts and links.
    if empty == 0 && groups >= 6 && pairs == groups {
        return Some((Kind::Mac, end));
    }
    (empty == 0 && groups == 8 || empty == 1 && (1..8).contains(&groups) && end - at > 3)
        .then_some((Kind::Ip, end))
}

/// Where the hexadecimal digits at `at` end.
pub(super) fn hex_run(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_hexdigit) {
        at += 1;
    }
    at
}

/// Whether a UUID is at `at`.
pub(super) fn uuid(bytes: &[u8], at: usize) -> bool {
    let Some(text) = bytes.get(at..at + 36) else { return false };
    text[8] == b'-'
        && text.iter().enumerate().all(|(i, byte)| match i {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
        && !bytes.get(at + 36).is_some_and(u8::is_ascii_alphanumeric)
}

/// `1 sec` after a `<`: a bound instead of the duration itself.
pub(super) fn bounded_duration(bytes: &[u8], at: usize) -> Option<usize> {
    let end = decimal(bytes, at);
    let at = if bytes.get(end) == Some(&b' ') { end + 1 } else { end };
    match unit(bytes, at.min(bytes.len())) {
        Some((Kind::Duration, end)) if ends(bytes, end) => Some(end),
        _ => None,
    }
}
