//! Timestamps as programs write them, found at the beginning of a text.
//!
//! What is not written is filled in: zones are UTC, years and days come from a reference time that the caller gives.

use pdata::Timestamp;

use super::clock::{Date, Time, moment, nearest, with_day, with_year};

/// A timestamp at the beginning of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// `None` if a year or day is missing that the reference does not give.
    pub(super) time: Option<Timestamp>,
    /// How many bytes it takes.
    pub(super) len: usize,
    /// Whether it is but a time of day, which alone is a weak sign of a log line.
    pub(super) is_time_only: bool,
    /// Whether it is but a number, which alone is a weak sign too.
    pub(super) is_number: bool,
}

/// The timestamp at the beginning of `text`, if it ends at the end of a word.
pub(super) fn scan(text: &[u8], reference: Timestamp) -> Option<Stamp> {
    let stamp = match text.first()? {
        b'0'..=b'9' => digits(text, reference),
        b'A'..=b'Z' => names(text, reference),
        _ => None,
    }?;
    // "2024-01-01 10:00:00x" is something else.
    let ends = text.get(stamp.len).is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
    ends.then_some(stamp)
}

/// The time of day at the beginning of `text`, on a day of which the year is not written. `None` if there is no such day.
pub(super) fn of_month_and_day(month: u8, day: u8, text: &[u8], reference: Timestamp) -> Option<Stamp> {
    Date::new(2000, month, day)?;
    let mut at = Cursor::new(text, 0);
    let time = at.time_of_day()?;
    at.stamp(with_year(month, day, reference).and_then(|date| moment(date, time, 0)))
}

/// The moment that all of `text` says: a timestamp, or seconds, milliseconds, microseconds or nanoseconds since the epoch.
pub(super) fn whole(text: &str, reference: Timestamp) -> Option<Timestamp> {
    let bytes = text.trim_ascii().as_bytes();
    match scan(bytes, reference) {
        Some(stamp) if stamp.len == bytes.len() && !stamp.is_time_only => stamp.time,
        _ => epoch(text),
    }
}

/// A number of seconds, milliseconds, microseconds or nanoseconds since the epoch, told apart by how large it is: seconds from
/// 1973 to 5138.
pub(super) fn epoch(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_plain(whole) || !is_plain(fraction) {
        // With an exponent, as `1.7040672e+09`.
        let seconds: f64 = text.parse().ok().filter(|seconds: &f64| seconds.is_finite())?;
        let scale = scale(seconds as u64)?;
        return Some(Timestamp::from_nanos((seconds * scale as f64) as u64));
    }
    let number: u64 = whole.parse().ok()?;
    let scale = scale(number)?;
    let below = fraction.bytes().take(9).fold((0, scale), |(sum, unit), digit| {
        let unit = unit / 10;
        (sum + u64::from(digit - b'0') * unit, unit)
    });
    Some(Timestamp::from_nanos(number.checked_mul(scale)?.checked_add(below.0)?))
}

/// How many nanoseconds one is.
const fn scale(number: u64) -> Option<u64> {
    match number {
        100_000_000..100_000_000_000 => Some(1_000_000_000),
        100_000_000_000..100_000_000_000_000 => Some(1_000_000),
        100_000_000_000_000..100_000_000_000_000_000 => Some(1_000),
        100_000_000_000_000_000.. => Some(1),
        _ => None,
    }
}

/// Those that begin with a digit, by how many digits there are and what follows them.
fn digits(text: &[u8], reference: Timestamp) -> Option<Stamp> {
    let n = text.iter().take(20).take_while(|byte| byte.is_ascii_digit()).count();
    let mut at = Cursor::new(text, n);
    match (n, text.get(n).copied()) {
        (4, Some(separator @ (b'-' | b'/' | b'.'))) => {
            let date = at.month_and_day(separator).and_then(|(m, d)| Date::new(number(text, 0, 4), m, d));
            at.day_and_time(date?)
        }
        (8, Some(b'-' | b'T' | b' ' | b'_')) => {
            let date = Date::new(number(text, 0, 4), pair(text, 4)?, pair(text, 6)?)?;
            at.day_and_time(date)
        }
        (6, Some(b' ')) => {
            let date = Date::new(2000 + number(text, 0, 2), pair(text, 2)?, pair(text, 4)?)?;
            at.step();
            let time = at.time_of_day()?;
            at.stamp(moment(date, time, 0))
        }
        (1 | 2, Some(b':')) => {
            at.at = 0;
            let time = at.time_of_day()?;
            let stamp = at.stamp(with_day(time, reference))?;
            Some(Stamp { is_time_only: true, ..stamp })
        }
        (1 | 2, Some(b'/' | b'-' | b'.' | b' ')) => short(text, n, reference),
        (10 | 13 | 16 | 19, _) => seconds(text, n, reference),
        _ => None,
    }
}

/// Those that begin with one or two digits and a separator: a day, a month or a year.
fn short(text: &[u8], n: usize, reference: Timestamp) -> Option<Stamp> {
    let separator = text[n];
    let first = number(text, 0, n) as u8;
    let mut at = Cursor::new(text, n + 1);
    if let Some(month) = at.month_name() {
        // 10/Oct/2000:13:55:36, 01-Jan-2024 12:00:00, 01 Jan 2024 12:00:00
        at.exactly(separator)?;
        let date = Date::new(at.year()?, month, first)?;
        return at.day_and_time(date);
    }
    let second = at.one_or_two()?;
    if separator == b' ' {
        return None;
    }
    if at.exactly(separator).is_none() {
        // 03-17 16:13:38.811, 10.30 16:49:06
        at.exactly(b' ')?;
        let stamp = of_month_and_day(first, second, &text[at.at..], reference)?;
        return Some(Stamp { len: at.at + stamp.len, ..stamp });
    }
    let n_year = at.digits();
    let (first_year, last_year) = (2000 + i64::from(first), number(text, at.at, at.at + n_year));
    let readings = match n_year {
        // dd.MM.yyyy before MM/dd/yyyy, unless with a slash
        4 if separator == b'/' => {
            [Date::new(last_year, first, second), Date::new(last_year, second, first), None]
        }
        4 => [Date::new(last_year, second, first), Date::new(last_year, first, second), None],
        // 17/06/09
        2 => [
            Date::new(first_year, second, last_year as u8),
            Date::new(2000 + last_year, second, first),
            Date::new(2000 + last_year, first, second),
        ],
        _ => return None,
    };
    at.at += n_year;
    at.day_and_time(nearest(readings, reference)?)
}

/// Seconds since the epoch, or parts of them: from 2000 to a year after the reference.
fn seconds(text: &[u8], n: usize, reference: Timestamp) -> Option<Stamp> {
    const LEAST: Timestamp = Timestamp::from_secs(946_684_800);
    const YEAR: std::time::Duration = std::time::Duration::from_secs(366 * 86_400);
    let mut len = n;
    if text.get(n) == Some(&b'.') {
        let fraction = text[n + 1..].iter().take(9).take_while(|byte| byte.is_ascii_digit()).count();
        len += if fraction > 0 { fraction + 1 } else { 0 };
    }
    let time = epoch(std::str::from_utf8(&text[..len]).ok()?)?;
    let most = if reference.is_unknown() { Timestamp::from_secs(4_102_444_800) } else { reference + YEAR };
    (LEAST..=most).contains(&time).then_some(Stamp {
        time: Some(time),
        len,
        is_time_only: false,
        is_number: true,
    })
}

/// Those that begin with the name of a month or a day of the week.
fn names(text: &[u8], reference: Timestamp) -> Option<Stamp> {
    let mut at = Cursor::new(text, 0);
    let is_weekday = text.get(..3).is_some_and(|name| DAYS.contains(&name));
    if is_weekday {
        at.at = 3;
        at.optional(b',');
        at.exactly(b' ')?;
        // Mon, 02 Jan 2006 15:04:05 GMT
        if at.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            let day = at.one_or_two()?;
            let separator = at.step()?;
            let month = at.month_name()?;
            at.exactly(separator)?;
            let date = Date::new(at.year()?, month, day)?;
            return at.day_and_time(date);
        }
    }
    let month = at.month_name()?;
    at.exactly(b' ')?;
    at.optional(b' ');
    let day = at.one_or_two()?;
    Date::new(2000, month, day)?;
    at.optional(b',');
    at.exactly(b' ')?;
    if at.digits() == 4 {
        // Jan 02, 2024 3:04:05 PM
        let date = Date::new(at.year()?, month, day)?;
        return at.day_and_time(date);
    }
    let time = at.time_of_day()?;
    // Sun Dec 04 04:47:44 2005; who writes no day of the week writes no year, and a number there is something else.
    if is_weekday && at.byte() == Some(b' ') {
        let before = at.at;
        at.step();
        if at.digits() == 4 {
            let date = Date::new(at.year()?, month, day)?;
            return at.stamp(moment(date, time, 0));
        }
        at.at = before;
    }
    at.stamp(with_year(month, day, reference).and_then(|date| moment(date, time, 0)))
}

const DAYS: [&[u8]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// The digits from `start` to `end`, which are digits.
fn number(text: &[u8], start: usize, end: usize) -> i64 {
    text[start..end].iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'))
}

/// The two digits at `at`.
fn pair(text: &[u8], at: usize) -> Option<u8> {
    match text.get(at..at + 2)? {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Some((tens - b'0') * 10 + ones - b'0'),
        _ => None,
    }
}

/// A place in a text.
struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    const fn new(text: &'a [u8], at: usize) -> Self {
        Self { text, at }
    }

    fn byte(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn step(&mut self) -> Option<u8> {
        let byte = self.byte()?;
        self.at += 1;
        Some(byte)
    }

    fn exactly(&mut self, byte: u8) -> Option<()> {
        (self.byte()? == byte).then(|| self.at += 1)
    }

    fn optional(&mut self, byte: u8) -> bool {
        self.exactly(byte).is_some()
    }

    /// How many digits there are here.
    fn digits(&self) -> usize {
        self.text[self.at..].iter().take(12).take_while(|byte| byte.is_ascii_digit()).count()
    }

    fn one_or_two(&mut self) -> Option<u8> {
        let n = self.digits();
        let value = (1..=2).contains(&n).then(|| number(self.text, self.at, self.at + n) as u8)?;
        self.at += n;
        Some(value)
    }

    fn year(&mut self) -> Option<i64> {
        let year = (self.digits() == 4).then(|| number(self.text, self.at, self.at + 4))?;
        self.at += 4;
        Some(year)
    }

    fn month_name(&mut self) -> Option<u8> {
        let name = self.text.get(self.at..self.at + 3)?;
        let month = MONTHS.iter().position(|month| name == *month)?;
        self.at += 3;
        Some(month as u8 + 1)
    }

    /// `-06-09`
    fn month_and_day(&mut self, separator: u8) -> Option<(u8, u8)> {
        self.exactly(separator)?;
        let month = self.one_or_two()?;
        self.exactly(separator)?;
        Some((month, self.one_or_two()?))
    }

    /// What follows a day: a time, and perhaps a zone.
    fn day_and_time(&mut self, date: Date) -> Option<Stamp> {
        match self.step()? {
            // Two spaces are seen as well.
            b' ' => drop(self.optional(b' ')),
            b'T' | b't' | b'-' | b'_' | b':' => {}
            b',' => drop(self.optional(b' ')),
            _ => return None,
        }
        let time = self.time_of_day()?;
        let offset = self.zone();
        self.stamp(moment(date, time, offset))
    }

    /// `15:04:05`, `15.04.05`, `150405` or `3:04:05 PM`, with a fraction behind `.`, `,` or `:`.
    fn time_of_day(&mut self) -> Option<Time> {
        let (hour, minute, second) = if self.digits() == 6 {
            let at = self.at;
            self.at += 6;
            (pair(self.text, at)?, pair(self.text, at + 2)?, pair(self.text, at + 4)?)
        } else {
            let hour = self.one_or_two()?;
            let separator = self.step().filter(|byte| matches!(byte, b':' | b'.'))?;
            let minute = self.one_or_two()?;
            self.exactly(separator)?;
            (hour, minute, self.one_or_two()?)
        };
        // 60 is a leap second.
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let nanos = self.fraction();
        let hour = self.half(hour);
        Some(Time { seconds: i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second), nanos })
    }

    /// Nanoseconds.
    fn fraction(&mut self) -> i64 {
        if !matches!(self.byte(), Some(b'.' | b',' | b':')) {
            return 0;
        }
        let digits = self.text[self.at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return 0;
        }
        let start = self.at + 1;
        self.at = start + digits;
        let kept = digits.min(9);
        number(self.text, start, start + kept) * 10i64.pow(9 - kept as u32)
    }

    /// The hour of 24, by the `AM` or `PM` that may follow.
    fn half(&mut self, hour: u8) -> u8 {
        let is_pm = match self.text.get(self.at..self.at + 3) {
            Some(b" AM") => false,
            Some(b" PM") => true,
            _ => return hour,
        };
        self.at += 3;
        match (hour, is_pm) {
            (12, false) => 0,
            (1..=11, true) => hour + 12,
            _ => hour,
        }
    }

    /// Seconds ahead of UTC, by the zone that may follow.
    fn zone(&mut self) -> i64 {
        let before = self.at;
        let spaced = self.optional(b' ');
        match self.byte() {
            Some(b'Z' | b'z') if !spaced => {
                self.at += 1;
                return 0;
            }
            Some(sign @ (b'+' | b'-')) => {
                if let Some((offset, len)) = offset(&self.text[self.at + 1..], spaced) {
                    self.at += 1 + len;
                    return if sign == b'-' { -offset } else { offset };
                }
            }
            Some(b'U' | b'G') if matches!(self.text.get(self.at..self.at + 3), Some(b"UTC" | b"GMT")) => {
                self.at += 3;
                return 0;
            }
            _ => {}
        }
        self.at = before;
        0
    }

    fn stamp(&self, time: Option<Timestamp>) -> Option<Stamp> {
        Some(Stamp { time, len: self.at, is_time_only: false, is_number: false })
    }
}

/// `0100`, `01:00` or, unless behind a space, `01`: as seconds, and how many bytes it takes.
fn offset(text: &[u8], spaced: bool) -> Option<(i64, usize)> {
    let hours = pair(text, 0)?;
    let (minutes, len) = match text.get(2) {
        Some(b':') => (pair(text, 3)?, 5),
        Some(b'0'..=b'9') => (pair(text, 2)?, 4),
        _ if spaced => return None,
        _ => (0, 2),
    };
    let ends = text.get(len).is_none_or(|byte| !byte.is_ascii_alphanumeric());
    (ends && hours <= 23 && minutes <= 59).then(|| (i64::from(hours) * 3600 + i64::from(minutes) * 60, len))
}
