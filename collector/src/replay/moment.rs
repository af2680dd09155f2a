//! Moments as people and programs write them into tables.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use pdata::Timestamp;

/// Reads ISO 8601 (without an offset: UTC) or Unix time in seconds, milliseconds, microseconds or nanoseconds, told apart
/// by size: each is taken for what puts it nearest to the present.
pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(number) = text.parse::<i128>() {
        let nanos = number.checked_mul(nanos_of(number as f64))?;
        return u64::try_from(nanos).ok().map(Timestamp);
    }
    if let Ok(number) = text.parse::<f64>() {
        let nanos = number * nanos_of(number) as f64;
        return (0.0..u64::MAX as f64).contains(&nanos).then_some(Timestamp(nanos as u64));
    }
    let moment = match text.parse::<jiff::Timestamp>() {
        Ok(moment) => moment,
        Err(_) => TimeZone::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok()?,
    };
    u64::try_from(moment.as_nanosecond()).ok().map(Timestamp)
}

/// How many nanoseconds the unit has in which `number` is a moment of these centuries.
const fn nanos_of(number: f64) -> i128 {
    match number {
        ..1e11 => 1_000_000_000,
        ..1e14 => 1_000_000,
        ..1e17 => 1_000,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_in_any_usual_form() {
        let expected = Some(Timestamp::from_secs(1_700_000_000));
        for text in [
            "1700000000",
            "1700000000.0",
            "1700000000000",
            "1700000000000000",
            "1700000000000000000",
            "2023-11-14T22:13:20Z",
            "2023-11-14T23:13:20+01:00",
            "2023-11-14 22:13:20",
            " 2023-11-14 22:13:20.000000 ",
        ] {
            assert_eq!(moment(text), expected, "{text}");
        }
        assert_eq!(moment("1700000000.5"), Some(Timestamp(1_700_000_000_500_000_000)));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in
            ["", "soon", "NaN", "inf", "-5", "1e40", "2023-13-01", "999999999999999999999999999999999"]
        {
            assert_eq!(moment(text), None, "{text}");
        }
    }
}
