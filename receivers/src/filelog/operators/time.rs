//! Times as logs write them: by the layouts of `strptime`, of Go, or as seconds since the epoch.

#[cfg(test)]
mod tests;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};

/// How times are written.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    format: Format,
    zone: TimeZone,
}

#[derive(Clone, Debug)]
enum Format {
    Parts(Vec<Part>),
    Epoch { factor: u64, decimals: usize },
}

/// Why a layout is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::filelog) enum LayoutError {
    /// A directive that does not exist.
    #[error("`{0}` is not a directive of `strptime`")]
    Directive(String),
    /// An epoch layout that does not exist.
    #[error("`{0}` is not an epoch layout: use s, ms, us, ns, s.ms, s.us or s.ns")]
    Epoch(String),
    /// A time zone that does not exist.
    #[error("`{0}` is not a time zone of this system's database")]
    Zone(String),
}

/// A part of a time as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Year,
    ShortYear,
    Month,
    MonthName,
    Day,
    Hour,
    Hour12,
    Minute,
    Second,
    /// Digits of a second, with the point before them if there is one.
    Fraction {
        with_point: bool,
    },
    DayOfYear,
    Half,
    Weekday,
    /// `+01:00`, `+0100`, `+01` or `Z`.
    Offset,
    ZoneName,
    Space,
}

impl Part {
    /// Whether it reads what may stand behind the seconds.
    fn is_fraction(&self) -> bool {
        match self {
            Self::Fraction { .. } => true,
            Self::Literal(text) => text.starts_with(['.', ',']),
            _ => false,
        }
    }
}

impl Layout {
    /// A layout in the notation of `strptime`.
    pub(super) fn strptime(layout: &str, zone: &str) -> Result<Self, LayoutError> {
        let mut parts = Vec::new();
        let mut chars = layout.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                literal(&mut parts, c);
                continue;
            }
            let directive = chars.next().ok_or_else(|| LayoutError::Directive("%".to_owned()))?;
            strptime_directive(directive, &mut parts)?;
        }
        Ok(Self { format: Format::Parts(parts), zone: find_zone(zone)? })
    }

    /// A layout in Go's notation: how it would write 15:04:05 on Monday, 2 January 2006.
    pub(super) fn gotime(layout: &str, zone: &str) -> Result<Self, LayoutError> {
        let mut parts = Vec::new();
        let mut rest = layout;
        while let Some(c) = rest.chars().next() {
            if let Some((text, part)) = GO.iter().find(|(text, _)| rest.starts_with(text)) {
                parts.push(part.clone());
                rest = &rest[text.len()..];
            } else if let Some(len) = go_fraction(rest) {
                parts.push(Part::Fraction { with_point: true });
                rest = &rest[len..];
            } else {
                literal(&mut parts, c);
                rest = &rest[c.len_utf8()..];
            }
        }
        Ok(Self { format: Format::Parts(parts), zone: find_zone(zone)? })
    }

    /// Seconds, or parts of them, since the epoch.
    pub(super) fn epoch(layout: &str) -> Result<Self, LayoutError> {
        let (factor, decimals) = match layout {
            "s" => (1_000_000_000, 0),
            "ms" => (1_000_000, 0),
            "us" => (1000, 0),
            "ns" => (1, 0),
            "s.ms" => (1_000_000_000, 3),
            "s.us" => (1_000_000_000, 6),
            "s.ns" => (1_000_000_000, 9),
            _ => return Err(LayoutError::Epoch(layout.to_owned())),
        };
        Ok(Self { format: Format::Epoch { factor, decimals }, zone: TimeZone::UTC })
    }

    /// Nanoseconds since the epoch; nothing if `text` is not written so. `now` tells the year if the text does not.
    pub(super) fn parse(&self, text: &str, now: u64) -> Option<u64> {
        match &self.format {
            Format::Epoch { factor, decimals } => parse_epoch(text.trim(), *factor, *decimals),
            Format::Parts(parts) => {
                let mut found = Found::default();
                let mut rest = text.trim();
                for (at, part) in parts.iter().enumerate() {
                    rest = found.take(part, rest)?;
                    if *part == Part::Second && !parts.get(at + 1).is_some_and(Part::is_fraction) {
                        rest = found.take(&Part::Fraction { with_point: true }, rest)?;
                    }
                }
                rest.is_empty().then(|| found.nanos(&self.zone, now)).flatten()
            }
        }
    }
}

fn literal(parts: &mut Vec<Part>, c: char) {
    if c.is_whitespace() {
        if parts.last() != Some(&Part::Space) {
            parts.push(Part::Space);
        }
        return;
    }
    match parts.last_mut() {
        Some(Part::Literal(text)) => text.push(c),
        _ => parts.push(Part::Literal(c.to_string())),
    }
}

fn strptime_directive(directive: char, parts: &mut Vec<Part>) -> Result<(), LayoutError> {
    let mut expand = |layout: &str| {
        for c in layout.chars() {
            if c.is_alphabetic() {
                strptime_directive(c, parts)?;
            } else {
                literal(parts, c);
            }
        }
        Ok(())
    };
    let part = match directive {
        'Y' => Part::Year,
        'y' => Part::ShortYear,
        'm' | 'o' | 'q' => Part::Month,
        'b' | 'B' | 'h' => Part::MonthName,
        'd' | 'e' | 'g' => Part::Day,
        'j' => Part::DayOfYear,
        'a' | 'A' => Part::Weekday,
        'H' | 'k' => Part::Hour,
        'I' | 'l' => Part::Hour12,
        'M' => Part::Minute,
        'S' => Part::Second,
        'L' | 'f' | 's' | 'N' => Part::Fraction { with_point: false },
        'p' | 'P' => Part::Half,
        'z' | 'i' => Part::Offset,
        'Z' => Part::ZoneName,
        'n' | 't' => Part::Space,
        'D' | 'x' => return expand("m/d/y"),
        'F' => return expand("Y-m-d"),
        'T' | 'X' => return expand("H:M:S"),
        'R' => return expand("H:M"),
        'r' => return expand("I:M:S p"),
        'c' => return expand("a b e H:M:S Y"),
        'v' => return expand("e-b-Y"),
        '%' => {
            literal(parts, '%');
            return Ok(());
        }
        _ => return Err(LayoutError::Directive(format!("%{directive}"))),
    };
    parts.push(part);
    Ok(())
}

/// Go's way to write the parts, longer ones before those that they begin with.
const GO: &[(&str, Part)] = &[
    ("2006", Part::Year),
    ("January", Part::MonthName),
    ("Jan", Part::MonthName),
    ("Monday", Part::Weekday),
    ("Mon", Part::Weekday),
    ("MST", Part::ZoneName),
    ("002", Part::DayOfYear),
    ("__2", Part::DayOfYear),
    ("01", Part::Month),
    ("02", Part::Day),
    ("03", Part::Hour12),
    ("04", Part::Minute),
    ("05", Part::Second),
    ("06", Part::ShortYear),
    ("15", Part::Hour),
    ("_2", Part::Day),
    ("PM", Part::Half),
    ("pm", Part::Half),
    ("Z07:00:00", Part::Offset),
    ("-07:00:00", Part::Offset),
    ("Z07:00", Part::Offset),
    ("-07:00", Part::Offset),
    ("Z0700", Part::Offset),
    ("-0700", Part::Offset),
    ("Z07", Part::Offset),
    ("-07", Part::Offset),
    ("1", Part::Month),
    ("2", Part::Day),
    ("3", Part::Hour12),
    ("4", Part::Minute),
    ("5", Part::Second),
];

/// The length of `.000` or `,999`.
fn go_fraction(text: &str) -> Option<usize> {
    let digits = text.strip_prefix(['.', ','])?;
    let digit = digits.chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let len = digits.chars().take_while(|c| *c == digit).count();
    let is_over = !digits[len..].starts_with(|c: char| c.is_ascii_digit());
    is_over.then_some(len + 1)
}

/// UTC, this system's zone (`Local`), or one by its name.
fn find_zone(name: &str) -> Result<TimeZone, LayoutError> {
    match name {
        "" | "UTC" => Ok(TimeZone::UTC),
        "Local" => Ok(TimeZone::try_system().unwrap_or(TimeZone::UTC)),
        name => TimeZone::get(name).map_err(|_| LayoutError::Zone(name.to_owned())),
    }
}

fn parse_epoch(text: &str, factor: u64, decimals: usize) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty()
        || !is_number(whole)
        || !is_number(fraction)
        || (decimals == 0 && !fraction.is_empty())
    {
        return None;
    }
    let nanos = whole.parse::<u64>().ok()?.checked_mul(factor)?;
    nanos.checked_add(u64::from(fraction_nanos(fraction)))
}

/// Digits behind the point as nanoseconds.
fn fraction_nanos(digits: &str) -> u32 {
    let digits = digits.get(..9).unwrap_or(digits);
    let missing = 9 - digits.len() as u32;
    digits.parse::<u32>().unwrap_or(0) * 10u32.pow(missing)
}

/// What has been read of a time.
#[derive(Default)]
struct Found {
    year: Option<i16>,
    month: Option<i8>,
    day: Option<i8>,
    day_of_year: Option<i16>,
    hour: i8,
    minute: i8,
    second: i8,
    nanos: i32,
    is_afternoon: Option<bool>,
    offset: Option<Offset>,
}

impl Found {
    /// Reads one part; returns what is left.
    fn take<'a>(&mut self, part: &Part, text: &'a str) -> Option<&'a str> {
        let mut rest = text;
        match part {
            Part::Literal(literal) => rest = text.strip_prefix(literal.as_str())?,
            Part::Space => rest = text.trim_start(),
            Part::Year => self.year = Some(number(&mut rest, 4)?),
            Part::ShortYear => {
                let year: i16 = number(&mut rest, 2)?;
                self.year = Some(if year < 69 { 2000 + year } else { 1900 + year });
            }
            Part::Month => self.month = Some(number(&mut rest, 2)?),
            Part::MonthName => self.month = Some(name(&mut rest, &MONTHS)?),
            Part::Weekday => drop(name(&mut rest, &WEEKDAYS)?),
            Part::Day => self.day = Some(number(&mut rest, 2)?),
            Part::DayOfYear => self.day_of_year = Some(number(&mut rest, 3)?),
            Part::Hour => self.hour = number(&mut rest, 2)?,
            Part::Hour12 => {
                self.hour = Some(number(&mut rest, 2)?).filter(|hour| (1..=12).contains(hour))?;
                self.is_afternoon.get_or_insert(false);
            }
            Part::Minute => self.minute = number(&mut rest, 2)?,
            Part::Second => {
                self.second = number(&mut rest, 2)?;
            }
            Part::Fraction { with_point } => {
                let digits = if *with_point { text.strip_prefix(['.', ',']) } else { Some(text) };
                // Go's `.999` may be missing, and may be there though the layout has none.
                let Some(digits) = digits else { return Some(text) };
                let len = n_digits(digits);
                if len == 0 {
                    return (*with_point).then_some(text);
                }
                self.nanos = i32::try_from(fraction_nanos(&digits[..len])).ok()?;
                rest = &digits[len..];
            }
            Part::Half => {
                let half = text.get(..2)?.to_ascii_lowercase();
                self.is_afternoon = Some(if half == "pm" {
                    true
                } else if half == "am" {
                    false
                } else {
                    return None;
                });
                rest = &text[2..];
            }
            Part::Offset => self.offset = Some(offset(&mut rest)?),
            Part::ZoneName => {
                let len = text.bytes().take_while(u8::is_ascii_alphabetic).count();
                if len == 0 {
                    return None;
                }
                if matches!(&text[..len], "UTC" | "GMT" | "Z") {
                    self.offset = Some(Offset::UTC);
                }
                rest = &text[len..];
            }
        }
        Some(rest)
    }

    fn nanos(&self, zone: &TimeZone, now: u64) -> Option<u64> {
        let hour = match self.is_afternoon {
            None => self.hour,
            Some(is_afternoon) => self.hour % 12 + if is_afternoon { 12 } else { 0 },
        };
        let time = Time::new(hour, self.minute, self.second.min(59), self.nanos).ok()?;
        let date = |year: i16| match self.day_of_year {
            Some(day) => Date::new(year, 1, 1).ok()?.with().day_of_year(day).build().ok(),
            None => Date::new(year, self.month.unwrap_or(1), self.day.unwrap_or(1)).ok(),
        };
        let at = |year: i16| {
            let moment = DateTime::from_parts(date(year)?, time);
            let stamp = match self.offset {
                Some(offset) => offset.to_timestamp(moment).ok()?,
                None => zone.to_timestamp(moment).ok()?,
            };
            u64::try_from(stamp.as_nanosecond()).ok()
        };
        if let Some(year) = self.year {
            return at(year);
        }
        // A time without year is of this year, unless that is more than a week ahead: then it is of the last one.
        const WEEK: u64 = 7 * 86_400 * 1_000_000_000;
        let this_year = zone.to_datetime(jiff::Timestamp::from_nanosecond(now.into()).ok()?).year();
        at(this_year).filter(|time| *time <= now.saturating_add(WEEK)).or_else(|| at(this_year - 1))
    }
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

fn n_digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// A number of at most `max` digits, perhaps padded with a space.
fn number<T: std::str::FromStr>(rest: &mut &str, max: usize) -> Option<T> {
    let text = rest.trim_start_matches(' ');
    let len = n_digits(text).min(max);
    let value = text[..len].parse().ok()?;
    *rest = &text[len..];
    Some(value)
}

/// A name, in full or by its first three letters; its number from 1.
fn name(rest: &mut &str, names: &[&str]) -> Option<i8> {
    let text = *rest;
    let len = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    let begin = text.get(..3)?.to_ascii_lowercase();
    let at = names.iter().position(|name| *name == begin)?;
    *rest = &text[len..];
    i8::try_from(at + 1).ok()
}

fn offset(rest: &mut &str) -> Option<Offset> {
    let text = *rest;
    if let Some(after) = text.strip_prefix(['Z', 'z']) {
        *rest = after;
        return Some(Offset::UTC);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let mut after = &text[1..];
    let hours: i32 = Some(number(&mut after, 2)?).filter(|hours| *hours < 24)?;
    let minutes_text = after.strip_prefix(':').unwrap_or(after);
    let mut minutes = 0;
    if n_digits(minutes_text) >= 2 {
        after = minutes_text;
        minutes = Some(number(&mut after, 2)?).filter(|minutes| *minutes < 60)?;
    }
    *rest = after;
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}
