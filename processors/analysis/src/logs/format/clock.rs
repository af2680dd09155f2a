//! From a day and an hour to nanoseconds, and what years and zones that are not written mean.

use pdata::Timestamp;

const SECONDS_A_DAY: i64 = 86_400;
const NANOS_A_SECOND: i64 = 1_000_000_000;
/// How far ahead of the reference a moment without a year may be: clocks and zones differ.
const AHEAD_SECONDS: i64 = SECONDS_A_DAY;

/// A day in the proleptic Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: i64,
    /// 1 to 12.
    pub(super) month: u8,
    /// 1 to 31.
    pub(super) day: u8,
}

impl Date {
    /// `None` if there is no such day.
    pub(super) fn new(year: i64, month: u8, day: u8) -> Option<Self> {
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let length = match month {
            2 if is_leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        (1..=length).contains(&day).then_some(Self { year, month, day })
    }

    /// Days since the epoch (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`).
    pub(super) const fn days(self) -> i64 {
        let (month, day) = (self.month as i64, self.day as i64);
        let year = if month <= 2 { self.year - 1 } else { self.year };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * 146_097 + day_of_era - 719_468
    }

    /// The year of a day since the epoch.
    fn year_of(days: i64) -> i64 {
        // Off by one at most, which the first or last day of the year decides.
        let guess = 1970 + days.div_euclid(366);
        (guess..guess + 60)
            .find(|year| days < Self { year: year + 1, month: 1, day: 1 }.days())
            .unwrap_or(guess)
    }
}

/// A time of day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Time {
    /// Since midnight.
    pub(super) seconds: i64,
    /// Below a second.
    pub(super) nanos: i64,
}

/// The moment of a day and a time that is `offset` seconds ahead of UTC. `None` before the epoch and after 2554.
pub(super) fn moment(date: Date, time: Time, offset: i64) -> Option<Timestamp> {
    let seconds = date.days() * SECONDS_A_DAY + time.seconds - offset;
    let nanos = seconds.checked_mul(NANOS_A_SECOND)?.checked_add(time.nanos)?;
    u64::try_from(nanos).ok().map(Timestamp::from_nanos)
}

/// The year of a month and day without one: the latest that is not ahead of `reference`. `None` without a reference.
pub(super) fn with_year(month: u8, day: u8, reference: Timestamp) -> Option<Date> {
    let now = seconds(reference)?;
    let year = Date::year_of(now.div_euclid(SECONDS_A_DAY));
    [year + 1, year, year - 1, year - 2, year - 3, year - 4]
        .into_iter()
        .filter_map(|year| Date::new(year, month, day))
        .find(|date| date.days() * SECONDS_A_DAY <= now + AHEAD_SECONDS)
}

/// The day of a time without one: the moment nearest to `reference`. `None` without a reference.
pub(super) fn with_day(time: Time, reference: Timestamp) -> Option<Timestamp> {
    let now = seconds(reference)?;
    let today = now - now.rem_euclid(SECONDS_A_DAY) + time.seconds;
    let ahead = today - now;
    let half = SECONDS_A_DAY / 2;
    let moment = match ahead {
        _ if ahead > half => today - SECONDS_A_DAY,
        _ if ahead < -half => today + SECONDS_A_DAY,
        _ => today,
    };
    u64::try_from(moment.checked_mul(NANOS_A_SECOND)?.checked_add(time.nanos)?)
        .ok()
        .map(Timestamp::from_nanos)
}

/// The one of several readings of the same digits that is nearest to `reference`; the first if there is none.
pub(super) fn nearest(readings: [Option<Date>; 3], reference: Timestamp) -> Option<Date> {
    let readings = readings.into_iter().flatten();
    match seconds(reference) {
        Some(now) => readings.min_by_key(|date| (date.days() * SECONDS_A_DAY - now).unsigned_abs()),
        None => { readings }.next(),
    }
}

fn seconds(moment: Timestamp) -> Option<i64> {
    (!moment.is_unknown()).then(|| i64::try_from(moment.as_nanos()).unwrap_or(i64::MAX) / NANOS_A_SECOND)
}
