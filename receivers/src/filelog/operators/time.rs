//! Times as logs write them: by the layouts of `strptime`, of Go, or as seconds since the epoch.

mod read;
#[cfg(test)]
mod tests;

use jiff::tz::TimeZone;

use self::read::{Found, parse_epoch};

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
