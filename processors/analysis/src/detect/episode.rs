//! From odd points to episodes: one fault, one report.

use pdata::Timestamp;
use pdata::event::{Phase, Severity};
use serde::{Deserialize, Serialize};

use super::series::Settings;

/// A stretch of time in which a series is out of the ordinary.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Episode {
    open: bool,
    /// It has become the new normal.
    accepted: bool,
    onset: Timestamp,
    /// First of the odd points that have not made an episode yet.
    suspect: Timestamp,
    reported: Timestamp,
    ended: Timestamp,
    severity: Severity,
    /// The last points, newest in the lowest bit: set if odd.
    odd: u8,
    /// Points in a row that are near normal again.
    calm: u32,
    calm_since: Timestamp,
}

/// Below this share of the threshold a point is near normal again.
const CALM: f64 = 0.5;
const CALM_POINTS: u32 = 3;

impl Episode {
    /// Whether it is going on.
    pub const fn is_open(&self) -> bool {
        self.open
    }

    /// Whether nothing goes on, and the last points were not odd.
    pub const fn is_idle(&self) -> bool {
        !self.open && self.odd == 0
    }

    /// When it began.
    pub const fn onset(&self) -> Timestamp {
        self.onset
    }

    /// How bad it was at worst.
    pub const fn severity(&self) -> Severity {
        self.severity
    }

    /// The departure has become the new normal: the episode ends with the next point.
    pub const fn accept(&mut self) {
        self.accepted = self.open;
        self.odd = 0;
    }

    /// Ends it. Returns whether it was open.
    pub const fn end(&mut self, now: Timestamp) -> bool {
        let was_open = self.open;
        if was_open {
            self.open = false;
            self.accepted = false;
            self.ended = now;
            self.odd = 0;
        }
        was_open
    }

    /// Takes the next point's surprise in and says what there is to report.
    pub fn observe(
        &mut self,
        now: Timestamp,
        surprise: f64,
        interval: f64,
        settings: &Settings,
    ) -> Option<Phase> {
        let odd = surprise >= settings.threshold;
        self.odd = (self.odd << 1 | u8::from(odd)) & 0b111;
        if odd && (self.odd.count_ones() == 1 || self.suspect.is_unknown()) {
            self.suspect = now;
        }
        if self.open {
            self.go_on(now, surprise, settings)
        } else {
            self.begin(now, surprise, interval, settings)
        }
    }

    /// Two odd points of three, or one that leaves no doubt.
    fn begin(&mut self, now: Timestamp, surprise: f64, interval: f64, settings: &Settings) -> Option<Phase> {
        if self.odd & 1 == 0 || (self.odd.count_ones() < 2 && surprise < 2.0 * settings.threshold) {
            return None;
        }
        let cooldown = settings.cooldown.as_secs_f64().max(CALM_POINTS as f64 * interval);
        let again = !self.ended.is_unknown() && now.since(self.ended).as_secs_f64() <= cooldown;
        let severity = severity(surprise, settings.threshold);
        self.open = true;
        self.calm = 0;
        if again {
            self.severity = self.severity.max(severity);
        } else {
            self.onset = self.suspect;
            self.severity = severity;
        }
        self.reported = now;
        Some(if again { Phase::Continue } else { Phase::Begin })
    }

    fn go_on(&mut self, now: Timestamp, surprise: f64, settings: &Settings) -> Option<Phase> {
        if surprise < CALM * settings.threshold {
            if self.calm == 0 {
                self.calm_since = now;
            }
            self.calm += 1;
        } else {
            self.calm = 0;
        }
        if self.accepted || self.calm >= CALM_POINTS {
            self.ended = if self.accepted { now } else { self.calm_since };
            self.open = false;
            self.accepted = false;
            return Some(Phase::End);
        }
        let severity = severity(surprise, settings.threshold);
        let worse = severity > self.severity;
        self.severity = self.severity.max(severity);
        let due = now.since(self.reported) >= settings.repeat;
        (worse || due).then(|| {
            self.reported = now;
            Phase::Continue
        })
    }
}

/// How bad a surprise is. Whether users suffer is for correlation to say.
fn severity(surprise: f64, threshold: f64) -> Severity {
    if surprise >= 3.0 * threshold { Severity::Error } else { Severity::Warning }
}
