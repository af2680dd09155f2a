//! Reading a time part by part, and what the parts found come to.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};

use super::Part;

/// Units of `factor` nanoseconds since the epoch, as nanoseconds. Without `decimals` there may be no point.
pub(super) fn parse_epoch(text: &str, factor: u64, decimals: usize) -> Option<u64> {
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
pub(super) struct Found {
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
    pub(super) fn take<'a>(&mut self, part: &Part, text: &'a str) -> Option<&'a str> {
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

    /// Nanoseconds since the epoch. `now` tells the year if the text did not.
    pub(super) fn nanos(&self, zone: &TimeZone, now: u64) -> Option<u64> {
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
