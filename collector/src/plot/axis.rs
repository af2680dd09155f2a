//! Where the ticks of an axis are, and what they say.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use pdata::Timestamp;

/// A tick: where it is, and what it says.
pub(super) type Tick<T> = (T, String);

/// At most so many ticks are on an axis of values, and of time.
const MOST_VALUES: f64 = 5.0;
const MOST_TIMES: u64 = 12;

/// Ticks at round values from `low` to `high`, in one power of ten of the unit (UCUM).
pub(super) fn values(low: f64, high: f64, unit: &str) -> Vec<Tick<f64>> {
    let (factor, name) = scale(low.abs().max(high.abs()), unit);
    let step = round_up((high - low) * factor / MOST_VALUES);
    if !(step.is_finite() && step > 0.0) {
        return Vec::new();
    }
    let decimals = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
    let (first, last) = ((low * factor / step).ceil(), (high * factor / step).floor());
    let n = (last - first).clamp(0.0, 2.0 * MOST_VALUES) as u32;
    (0..=n)
        .map(|n| {
            // Adding zero makes a negative zero a positive one.
            let value = (first + f64::from(n)) * step + 0.0;
            (value / factor, format!("{value:.decimals$}{name}"))
        })
        .collect()
}

/// What to multiply values with whose size is up to `most`, and what to write behind them.
fn scale(most: f64, unit: &str) -> (f64, String) {
    let pick = |steps: &[(f64, &'static str)]| {
        let found = steps.iter().find(|(least, _)| most >= *least).or(steps.last());
        found.map_or((1.0, ""), |(least, prefix)| (1.0 / least, *prefix))
    };
    let large = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")];
    let (factor, prefix) = match unit {
        "s" => pick(&[(1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n")]),
        "ms" | "us" | "ns" | "" | "1/s" | "By" | "By/s" => pick(&large),
        "1" => return (100.0, "%".to_owned()),
        _ => pick(&large),
    };
    match unit {
        "" => (factor, prefix.to_owned()),
        "1/s" => (factor, format!("{prefix}/s")),
        "By" | "By/s" => (factor, format!(" {prefix}{}", unit.replace("By", "B"))),
        // A thousand milliseconds are no kilo-anything to anybody.
        "ms" | "us" | "ns" => (1.0, format!(" {}", unit.replace('u', "µ"))),
        unit => (factor, format!(" {prefix}{unit}")),
    }
}

/// The least of 1, 2 and 5 times a power of ten that is not less.
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    steps.into_iter().map(|step| step * power).find(|step| *step >= value * (1.0 - 1e-9)).unwrap_or(value)
}

/// Steps of time in seconds, each with how its ticks are written.
const STEPS: [(u64, &str); 19] = [
    (1, "%H:%M:%S"),
    (5, "%H:%M:%S"),
    (15, "%H:%M:%S"),
    (30, "%H:%M:%S"),
    (60, "%H:%M"),
    (2 * 60, "%H:%M"),
    (5 * 60, "%H:%M"),
    (10 * 60, "%H:%M"),
    (15 * 60, "%H:%M"),
    (30 * 60, "%H:%M"),
    (3600, "%H:%M"),
    (2 * 3600, "%H:%M"),
    (3 * 3600, "%H:%M"),
    (6 * 3600, "%H:%M"),
    (12 * 3600, "%H:%M"),
    (DAY, DATE),
    (2 * DAY, DATE),
    (7 * DAY, DATE),
    (14 * DAY, DATE),
];
const DAY: u64 = 86_400;
const DATE: &str = "%b %-d";
/// The first Monday of the epoch, so that weeks begin as they do.
const MONDAY: u64 = 4 * DAY;

/// Ticks at round times, UTC, from `begin` to `end`.
pub(super) fn times(begin: Timestamp, end: Timestamp) -> Vec<Tick<Timestamp>> {
    let (from, to) = (begin.as_nanos().div_ceil(1_000_000_000), end.as_nanos() / 1_000_000_000);
    let span = to.saturating_sub(from);
    let Some((step, format)) = STEPS.into_iter().find(|(step, _)| span / step < MOST_TIMES) else {
        return months(begin, end);
    };
    let offset = if step >= 7 * DAY { MONDAY } else { 0 };
    let first = from.saturating_sub(offset).div_ceil(step) * step + offset;
    let tick = |second: u64| {
        let format = if second.is_multiple_of(DAY) { DATE } else { format };
        (Timestamp::from_secs(second), write(second, format))
    };
    (first..=to).step_by(usize::try_from(step).unwrap_or(usize::MAX)).map(tick).collect()
}

fn months(begin: Timestamp, end: Timestamp) -> Vec<Tick<Timestamp>> {
    let date = |time: Timestamp| {
        let time = jiff::Timestamp::from_nanosecond(i128::from(time.as_nanos())).ok()?;
        let date = TimeZone::UTC.to_datetime(time).date();
        Some(i32::from(date.year()) * 12 + i32::from(date.month()) - 1)
    };
    let (Some(first), Some(last)) = (date(begin), date(end)) else { return Vec::new() };
    let fits = |step: &i32| ((last - first) / step) < MOST_TIMES as i32;
    let step = [1, 2, 3, 6, 12, 24, 60, 120].into_iter().find(fits).unwrap_or(1200);
    let tick = |month: i32| {
        let (year, number) = (i16::try_from(month / 12).ok()?, i8::try_from(month % 12 + 1).ok()?);
        let midnight = Date::new(year, number, 1).ok()?.at(0, 0, 0, 0);
        let second = u64::try_from(TimeZone::UTC.to_timestamp(midnight).ok()?.as_second()).ok()?;
        let time = Timestamp::from_secs(second);
        (begin <= time && time <= end).then(|| (time, write(second, if step < 12 { "%b %Y" } else { "%Y" })))
    };
    (first..=last).filter(|month| month % step == 0).filter_map(tick).collect()
}

fn write(second: u64, format: &str) -> String {
    let time = i64::try_from(second).ok().and_then(|second| jiff::Timestamp::from_second(second).ok());
    time.map(|time| time.strftime(format).to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels<T>(ticks: Vec<Tick<T>>) -> String {
        ticks.into_iter().map(|(_, label)| label).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn values_are_round_and_of_one_size() {
        assert_eq!(labels(values(0.0, 0.21, "s")), "0 ms | 50 ms | 100 ms | 150 ms | 200 ms");
        assert_eq!(labels(values(-3.0, 12.0, "")), "0 | 5 | 10");
        assert_eq!(labels(values(0.0, 2.3e9, "By")), "0.0 GB | 0.5 GB | 1.0 GB | 1.5 GB | 2.0 GB");
        assert_eq!(labels(values(0.97, 1.0, "1")), "97% | 98% | 99% | 100%");
        assert_eq!(labels(values(0.0, 45_000.0, "1/s")), "0k/s | 10k/s | 20k/s | 30k/s | 40k/s");
        assert_eq!(labels(values(5.0, 5.0, "")), "");
        assert_eq!(labels(values(f64::NAN, 5.0, "")), "");
        assert_eq!(labels(values(0.0, 900.0, "ms")), "0 ms | 200 ms | 400 ms | 600 ms | 800 ms");
        assert_eq!(values(1e300, 1.1e300, "").len(), 6);
    }

    #[test]
    fn times_are_round_and_midnight_is_a_date() {
        let second = |second| Timestamp::from_secs(1_699_999_200 + second);
        assert_eq!(
            labels(times(second(0), second(2 * 3600))),
            "22:00 | 22:15 | 22:30 | 22:45 | 23:00 | 23:15 | 23:30 | 23:45 | Nov 15"
        );
        assert_eq!(
            labels(times(second(0), second(20))),
            "22:00:00 | 22:00:05 | 22:00:10 | 22:00:15 | 22:00:20"
        );
        assert_eq!(labels(times(second(0), second(40 * DAY))), "Nov 20 | Nov 27 | Dec 4 | Dec 11 | Dec 18");
        assert_eq!(
            labels(times(second(0), second(300 * DAY))),
            "Dec 2023 | Jan 2024 | Feb 2024 | Mar 2024 | Apr 2024 | May 2024 | Jun 2024 | Jul 2024 | Aug 2024 | Sep 2024"
        );
        assert_eq!(labels(times(second(0), second(9000 * DAY))), "2025 | 2030 | 2035 | 2040 | 2045");
        assert_eq!(labels(times(second(1), second(1))), "22:00:01");
        assert!(times(Timestamp(0), Timestamp(u64::MAX)).len() < 20);
    }
}
