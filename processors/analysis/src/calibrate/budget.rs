//! So many alerts a day and no more, and of all that could be said the most important.

use std::time::Duration;

use pdata::Timestamp;
use serde::{Deserialize, Serialize};

/// Bins of strength: quarters of a power of ten, and one for all beyond.
const BINS: usize = 56;
const BINS_PER_UNIT: f64 = 4.0;
/// What is so strong is told whatever came before: no chance makes it.
const BEYOND_DOUBT: f64 = 12.0;
/// On the first day, when everything is a record, what is stronger by less than this is as strong.
const MARGIN: f64 = 0.5;
/// How long past candidates count, in days.
const MEMORY: f64 = 7.0;
const DAY: f64 = 86_400.0;
/// What comes so soon after an alert belongs to it: one fault shows in many series.
const COMPANY: Duration = Duration::from_secs(600);
/// A rate of points is known after so long; before, it is taken over this time.
const SHORTEST: f64 = 600.0;

/// Decides what of a service's candidates is worth an alert.
///
/// A candidate is told by its strength, minus the decimal logarithm of its p-value. It must pass two bars. The first is set by the p-values: with
/// `n` points a day and a budget of `b`, a p-value below `b / n` comes `b` times a day when nothing is wrong. The second is set by what really
/// came: a candidate is told if, itself included, no more candidates of at least its strength came than the budget allows for the time that
/// is remembered, a week, fading. So the bar rises for a service that has much to say, the strongest is told
/// whatever the bar, and what p-values got wrong is made up for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    first: Timestamp,
    /// Up to when everything has faded.
    now: Timestamp,
    /// When something was told last.
    told: Timestamp,
    /// Points that were looked at, fading.
    points: f64,
    /// The time over which they came, in seconds, fading.
    time: f64,
    /// Candidates by strength, fading.
    #[serde(with = "super::array")]
    candidates: [f32; BINS],
}

/// What becomes of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is an alert.
    Alert,
    /// It belongs to an alert of a moment ago.
    Company,
    /// It is not told.
    Withheld,
}

impl Decision {
    /// Whether somebody is told.
    pub const fn is_told(self) -> bool {
        !matches!(self, Self::Withheld)
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            first: Timestamp::default(),
            now: Timestamp::default(),
            told: Timestamp::default(),
            points: 0.0,
            time: 0.0,
            candidates: [0.0; BINS],
        }
    }
}

impl Budget {
    /// A point was looked at.
    pub fn count(&mut self, now: Timestamp) {
        self.points += 1.0;
        // Fading is for whoever asks: an hour more or less changes nothing.
        if now.since(self.now) >= Duration::from_secs(3600) || self.first.is_unknown() {
            self.fade(now);
        }
    }

    /// Something left its usual range. `before` is the strength at which the same stretch was offered before, if it was: then it has
    /// only become stronger. The budget is in alerts a day.
    pub fn offer(&mut self, now: Timestamp, strength: f64, before: Option<f64>, budget: f64) -> Decision {
        self.fade(now);
        match before {
            Some(before) => self.raise(before, strength),
            None => self.candidates[bin(strength)] += 1.0,
        }
        if !self.told.is_unknown() && now.since(self.told) <= COMPANY {
            return Decision::Company;
        }
        if strength < self.bar_of_chance(budget) {
            return Decision::Withheld;
        }
        let margin = if self.time < DAY { MARGIN } else { 0.0 };
        let as_strong: f32 = self.candidates.iter().skip(bin(strength - margin)).sum();
        let allowed = budget * (self.time / DAY).max(1.0);
        if f64::from(as_strong) > allowed && strength < BEYOND_DOUBT {
            return Decision::Withheld;
        }
        self.told = now;
        Decision::Alert
    }

    /// What was offered has become stronger.
    pub fn raise(&mut self, before: f64, strength: f64) {
        let before = &mut self.candidates[bin(before)];
        *before = (*before - 1.0).max(0.0);
        self.candidates[bin(strength)] += 1.0;
    }

    /// The strength that so many candidates a day have by chance alone.
    pub fn bar_of_chance(&self, budget: f64) -> f64 {
        let a_day = self.points / self.time.max(SHORTEST) * DAY;
        (a_day / budget).max(1.0).log10()
    }

    fn fade(&mut self, now: Timestamp) {
        if self.first.is_unknown() {
            (self.first, self.now) = (now, now);
            return;
        }
        let passed = now.since(self.now).as_secs_f64();
        if passed <= 0.0 {
            return;
        }
        self.now = now;
        let kept = (-passed / (MEMORY * DAY)).exp();
        self.time = self.time * kept + passed;
        self.points *= kept;
        self.candidates.iter_mut().for_each(|count| *count *= kept as f32);
    }
}

fn bin(strength: f64) -> usize {
    ((strength.max(0.0) * BINS_PER_UNIT) as usize).min(BINS - 1)
}
