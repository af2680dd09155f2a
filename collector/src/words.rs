//! Numbers, times and texts for people.

use std::borrow::Cow;
use std::time::Duration;

use pdata::Timestamp;
use unicode_width::UnicodeWidthChar;

/// `12,345`.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 line`, `12,345 lines`.
pub(crate) fn many(n: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(n), if n == 1 { "" } else { "s" })
}

/// `12.3 MB`.
pub(crate) fn bytes(n: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match units.into_iter().find(|(unit, _)| n >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", n as f64 / unit as f64),
        None => format!("{n} B"),
    }
}

/// `0.25 s`.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}

/// `12.3%`, and not `0.0%` of what there is.
pub(crate) fn percent(share: f64) -> String {
    if share < 0.05 { "<0.1%".to_owned() } else { format!("{share:.1}%") }
}

/// How times are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// Everything is of one day.
    TimeOfDay,
    /// Everything is of less than a year.
    Day,
    /// Everything else.
    Year,
}

impl Clock {
    /// What tells the times from `first` to `last` apart.
    pub(crate) fn for_times(times: impl Iterator<Item = Timestamp>) -> Self {
        let days =
            times.filter(|time| !time.is_unknown()).map(|time| time.as_nanos() / (86_400 * 1_000_000_000));
        let (first, last) = days.fold((u64::MAX, 0), |(first, last), day| (first.min(day), last.max(day)));
        match last.saturating_sub(first) {
            0 => Self::TimeOfDay,
            1..300 => Self::Day,
            _ => Self::Year,
        }
    }

    /// A time, UTC; `-` if it is unknown.
    pub(crate) fn text(self, time: Timestamp) -> String {
        match jiff(time) {
            None => "-".to_owned(),
            Some(time) => {
                let format = match self {
                    Self::TimeOfDay => "%H:%M:%S",
                    Self::Day => "%m-%d %H:%M:%S",
                    Self::Year => "%Y-%m-%d %H:%M",
                };
                time.strftime(format).to_string()
            }
        }
    }
}

/// `2026-01-05T09:00:00.25Z`; nothing if the time is unknown.
pub(crate) fn rfc3339(time: Timestamp) -> Option<String> {
    jiff(time).map(|time| time.to_string())
}

fn jiff(time: Timestamp) -> Option<jiff::Timestamp> {
    if time.is_unknown() {
        return None;
    }
    jiff::Timestamp::from_nanosecond(i128::from(time.as_nanos())).ok()
}

/// The text without anything that would do something to a terminal or change the direction of what follows: lines of
/// logs come from anywhere.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if text.chars().any(|char| visible(char) != char) {
        Cow::Owned(text.chars().map(visible).collect())
    } else {
        Cow::Borrowed(text)
    }
}

const fn visible(char: char) -> char {
    match char {
        '\n' => '⏎',
        '\t' => ' ',
        '\u{7f}' => '␡',
        '\0'..'\u{20}' => match char::from_u32(0x2400 + char as u32) {
            Some(picture) => picture,
            None => '\u{fffd}',
        },
        '\u{80}'..'\u{a0}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            '\u{fffd}'
        }
        other => other,
    }
}

/// How many columns of a terminal the text takes.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

/// The text in at most `columns` columns; what is cut off is shown by `…`.
pub(crate) fn fitted(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let mut room = columns.saturating_sub(1);
    let mut end = 0;
    for (at, char) in text.char_indices() {
        let width = char_width(char);
        if width > room {
            break;
        }
        room -= width;
        end = at + char.len_utf8();
    }
    let ellipsis = if columns == 0 { "" } else { "…" };
    Cow::Owned(format!("{}{ellipsis}", text.get(..end).unwrap_or_default()))
}

fn char_width(char: char) -> usize {
    char.width().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_nouns_have_a_number() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!((many(1, "line"), many(2000, "line")), ("1 line".to_owned(), "2,000 lines".to_owned()));
        assert_eq!([5, 1_500, 2_340_000].map(bytes), ["5 B", "1.5 kB", "2.3 MB"]);
        assert_eq!([0.01, 0.06, 100.0].map(percent), ["<0.1%", "0.1%", "100.0%"]);
    }

    #[test]
    fn a_text_is_cut_between_characters_and_never_wider_than_asked_for() {
        assert_eq!(fitted("short", 5), "short");
        assert_eq!(fitted("longer", 5), "long…");
        // Each of these takes two columns, so that five hold two and the mark.
        assert_eq!(fitted("日本語のログ", 5), "日本…");
        assert_eq!(fitted("日本語のログ", 4), "日…");
        assert_eq!(fitted("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
        assert_eq!(fitted("any", 0), "");
        for columns in 0..20 {
            assert!(width(&fitted("aé日😀\u{301}🏳️‍🌈 ends here", columns)) <= columns);
        }
    }

    #[test]
    fn nothing_in_a_line_reaches_the_terminal_as_a_command() {
        assert_eq!(plain("\x1b[31mred\x1b[0m\r"), "␛[31mred␛[0m␍");
        assert_eq!(plain("one\ntwo\u{202e}\u{9b}"), "one⏎two\u{fffd}\u{fffd}");
        assert!(matches!(plain("plain é 日本"), Cow::Borrowed(_)));
    }

    #[test]
    fn times_have_a_date_only_if_there_is_more_than_one() {
        let (a, b) = (Timestamp::from_secs(1_767_603_600), Timestamp::from_secs(1_767_690_000));
        let clock = |times: &[Timestamp]| Clock::for_times(times.iter().copied());
        assert_eq!(clock(&[a, a + Duration::from_secs(5), Timestamp::default()]).text(a), "09:00:00");
        assert_eq!(clock(&[a, b]).text(b), "01-06 09:00:00");
        let next_year = Timestamp::from_secs(1_799_139_600);
        assert_eq!(clock(&[a, next_year]).text(next_year), "2027-01-05 09:00");
        assert_eq!(clock(&[]).text(Timestamp::default()), "-");
        assert_eq!(rfc3339(a).as_deref(), Some("2026-01-05T09:00:00Z"));
        assert_eq!(rfc3339(Timestamp(u64::MAX)).map(|text| text.len() > 10), Some(true));
    }
}
