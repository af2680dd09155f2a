//! How new a point is to its series: the ranking behind the emitted scores.
//!
//! Four detectors look at every point, and each says in digits how rare what it sees is in the series' own past
//! ([`rarity`](super::rarity)), so that they need no common scale and a series that is often odd is seldom new:
//!
//! - [`SEASON`]: how far the point is from what is usual at this time of the day or week ([`Season`]), or from the level if the
//!   series has no rhythm;
//! - [`SHIFT`]: how far the last few points have moved from where the series is in the long run;
//! - [`PATTERN`]: whether steps like this one are known at values like this one;
//! - [`SEQUENCE`]: whether values like this one are known to follow values like that of twenty points ago.
//!
//! They are joined by a norm between sum and maximum, so that one that is sure suffices, and several that are nearly sure do, too. What
//! was as new at this time of the day on earlier days is less new now.

use pdata::Timestamp;
use serde::{Deserialize, Serialize};

use super::rarity::{Bytes, Grid, Place, Sizes, chance};
use super::season::{At, Season, Usual};

/// Name of the detector of departures from the time of day and week.
pub const SEASON: &str = "season";
/// Name of the detector of a moved mean.
pub const SHIFT: &str = "shift";
/// Name of the detector of steps that are unknown at such values.
pub const PATTERN: &str = "pattern";
/// Name of the detector of values that are unknown after such values.
pub const SEQUENCE: &str = "sequence";

/// How many detectors there are.
pub const NOVELTIES: usize = 4;

/// Points this new are out of the ordinary, in digits. Their score is 0.5.
pub const NOVEL: f64 = 3.0;

/// How new a point is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Novel {
    /// In digits; 0 is nothing new, 4 is much, there is no upper end.
    pub digits: f64,
    /// What each detector thinks, in digits.
    pub opinions: [(&'static str, f64); NOVELTIES],
    /// What is usual at this time of the day or week, if that makes a difference.
    pub usual: Option<Usual>,
}

/// Values beyond are taken for this, so that squares are numbers, too.
const LARGEST: f64 = 1e150;

/// What a series has shown so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Novelty {
    seen: u32,
    last: f64,
    level: Baseline,
    season: Season,
    seasonal: Sizes,
    shift: Shift,
    steps: Place,
    values: Place,
    pattern: Grid<256>,
    earlier: Earlier,
    habit: Habit,
}

impl Novelty {
    /// Says how new a point is, and learns from it.
    pub fn observe(&mut self, time: Timestamp, value: f64) -> Novel {
        let value = value.clamp(-LARGEST, LARGEST);
        if self.seen == 0 {
            self.last = value;
            self.level.mid = value;
        }
        let seen = self.seen;
        let (season, usual) = self.judge_season(time, value);
        let shift = self.shift.observe(value, seen);
        let column = self.values.of(value, seen);
        let row = self.steps.of(value - self.last, seen);
        self.last = value;
        let pair = (part(row, Grid::<256>::SIDE), part(column, Grid::<256>::SIDE));
        let pattern = self.pattern.rarity(pair, seen);
        self.pattern.learn(pair, chance(seen, 2));
        let sequence = self.earlier.observe(column, seen);
        self.seen = seen.saturating_add(1);
        let opinions = [(SEASON, season), (SHIFT, shift), (PATTERN, pattern), (SEQUENCE, sequence)];
        let opinions = opinions.map(|(name, digits)| (name, f64::from(digits)));
        let digits = self.habit.observe(time, join(&opinions));
        Novel { digits, opinions, usual }
    }

    fn judge_season(&mut self, time: Timestamp, value: f64) -> (f32, Option<Usual>) {
        let level = self.level.mid;
        let usual = self.season.observe(&At { time, value, level, spread: self.level.spread });
        let distance = (value - usual.map_or(level, |usual| usual.value)).abs();
        let size = in_units(distance, self.level.error);
        let digits = rarity(&mut self.seasonal, size, self.seen, 0);
        self.level.learn(value, distance, self.seen);
        (digits, usual)
    }
}

/// Between the sum and the maximum of opinions.
fn join(opinions: &[(&str, f64)]) -> f64 {
    opinions.iter().map(|(_, digits)| digits.powi(4)).sum::<f64>().sqrt().sqrt()
}

/// Which of `parts` equal parts a place is in.
fn part(place: f32, parts: usize) -> usize {
    ((place * parts as f32) as usize).min(parts - 1)
}

/// A distance as a multiple of what it usually is. If there never was any, the first is odd.
fn in_units(distance: f64, usual: f64) -> f32 {
    const FIRST: f32 = 10.0;
    const LARGEST_SIZE: f64 = 1e30;
    match distance {
        0.0 => 0.0,
        _ if usual > 0.0 => (distance / usual).min(LARGEST_SIZE) as f32,
        _ => FIRST,
    }
}

/// How rare a size is; learns it, too. Before it is known what is usual, a multiple of it means nothing.
fn rarity(sizes: &mut Sizes, size: f32, seen: u32, use_of_chance: u32) -> f32 {
    const ENOUGH: u32 = 6;
    let Some(seen_sizes) = seen.checked_sub(ENOUGH) else { return 0.0 };
    let digits = sizes.rarity(size, seen_sizes);
    sizes.learn(size, chance(seen, use_of_chance));
    digits
}

/// The share by which a running mean over `memory` points moves with one that comes after `seen` others.
fn rate(seen: u32, memory: f64) -> f64 {
    (1.0 / (f64::from(seen) + 1.0)).max(1.0 / memory)
}

/// The level for series without a rhythm, and how well values are foretold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Baseline {
    mid: f64,
    /// Mean distance from the level.
    spread: f64,
    /// Mean distance from what was foretold, by the season or by the level.
    error: f64,
}

impl Baseline {
    const MEMORY: f64 = 300.0;
    const MEMORY_OF_ERRORS: f64 = 1000.0;

    fn learn(&mut self, value: f64, distance: f64, seen: u32) {
        let slow = rate(seen, Self::MEMORY_OF_ERRORS);
        self.error += slow * (distance - self.error);
        self.spread += slow * ((value - self.mid).abs() - self.spread);
        self.mid += rate(seen, Self::MEMORY) * (value - self.mid);
    }
}

/// How far the mean of the last few points is from that of the last few hundred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Shift {
    fast: f64,
    slow: f64,
    /// Mean square of the distance between both.
    square: f64,
    sizes: Sizes,
}

impl Shift {
    const FAST: f64 = 5.0;
    const SLOW: f64 = 500.0;
    const MEMORY: f64 = 1000.0;

    fn observe(&mut self, value: f64, seen: u32) -> f32 {
        if seen == 0 {
            self.slow = value;
        }
        self.fast += rate(seen, Self::FAST) * (value - self.fast);
        let distance = (self.fast - self.slow).abs();
        let size = in_units(distance, self.square.sqrt());
        let digits = rarity(&mut self.sizes, size, seen, 1);
        self.square += rate(seen, Self::MEMORY) * (distance * distance - self.square);
        self.slow += rate(seen, Self::SLOW) * (value - self.slow);
        digits
    }
}

/// What comes [`LAG`] points after what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Earlier {
    pairs: Grid<64>,
    ring: Bytes<LAG>,
}

const LAG: usize = 20;

impl Earlier {
    fn observe(&mut self, place: f32, seen: u32) -> f32 {
        let now = part(place, Grid::<64>::SIDE);
        let slot = &mut self.ring.0[seen as usize % LAG];
        let then = usize::from(std::mem::replace(slot, now as u8)).min(Grid::<64>::SIDE - 1);
        let Some(seen_pairs) = seen.checked_sub(LAG as u32) else { return 0.0 };
        let digits = self.pairs.rarity((then, now), seen_pairs);
        self.pairs.learn((then, now), chance(seen, 3));
        digits
    }
}

/// How new the newest point was in each half hour of the days before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Habit {
    part: u8,
    /// In 32nds of a digit, fading by the day.
    before: Bytes<PARTS>,
    /// The same of the last twelve hours. It counts only when they have passed, so that an event is not its own precedent.
    lately: Bytes<{ PARTS / 2 }>,
}

/// Half hours of a day.
const PARTS: usize = 48;

impl Habit {
    const STEPS: f64 = 32.0;
    const FADING: f64 = 0.9;
    /// A point that is as new as those of the days before becomes less new by this factor and one.
    const DAMPING: f64 = 0.7;

    fn observe(&mut self, time: Timestamp, digits: f64) -> f64 {
        let part = (time.as_nanos() / 1_800_000_000_000 % PARTS as u64) as usize;
        let lately = &mut self.lately.0[part % (PARTS / 2)];
        if part != usize::from(self.part) {
            let half_a_day_ago = &mut self.before.0[(part + PARTS / 2) % PARTS];
            let faded = (f64::from(*half_a_day_ago) * Self::FADING) as u8;
            *half_a_day_ago = std::mem::take(lately).max(faded);
            self.part = part as u8;
        }
        *lately = (*lately).max((digits * Self::STEPS) as u8);
        let near = [part + PARTS - 1, part, part + 1].map(|part| self.before.0[part % PARTS]);
        let before = f64::from(near.into_iter().fold(0, u8::max)) / Self::STEPS;
        if digits > 0.0 { digits / (1.0 + Self::DAMPING * (before / digits).min(1.0)) } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_700_000_000;

    /// A minute between points.
    fn novelties(values: impl IntoIterator<Item = f64>) -> Vec<Novel> {
        let mut novelty = Novelty::default();
        let at = |n: usize| Timestamp::from_secs(START + 60 * n as u64);
        values.into_iter().enumerate().map(|(n, value)| novelty.observe(at(n), value)).collect()
    }

    fn noise(n: u32) -> f64 {
        (0..4).map(|k| f64::from(chance(n, 50 + k)) / f64::from(u32::MAX)).sum::<f64>() - 2.0
    }

    fn newest(novelties: &[Novel]) -> usize {
        (0..novelties.len()).max_by(|a, b| novelties[*a].digits.total_cmp(&novelties[*b].digits)).unwrap()
    }

    #[test]
    fn the_one_odd_point_is_the_newest() {
        let values = (0..2_000).map(|n| 100.0 + noise(n) + if n == 1_500 { 30.0 } else { 0.0 });
        let found = novelties(values);
        assert_eq!(newest(&found), 1_500);
        assert!(found[1_500].digits > NOVEL, "{:?}", found[1_500]);
        let others = found.iter().skip(100).filter(|novel| novel.digits > NOVEL).count();
        assert!(others <= 20, "{others}");
    }

    #[test]
    fn what_happens_again_and_again_is_less_and_less_new() {
        let values = (0..4_000).map(|n| noise(n) + if n % 400 == 399 { 50.0 } else { 0.0 });
        let found = novelties(values);
        let spikes: Vec<f64> = found.iter().skip(799).step_by(400).map(|novel| novel.digits).collect();
        assert!(*spikes.last().unwrap() < spikes[0] - 0.5, "{spikes:?}");
    }

    #[test]
    fn a_missing_daily_peak_is_new_and_the_peak_is_not() {
        let day = 1_440;
        let peak = |n: u32| if (600..900).contains(&(n % day)) { 80.0 } else { 0.0 };
        let values = (0..day * 22).map(|n| 10.0 + noise(n) + if n / day == 21 { 0.0 } else { peak(n) });
        let found = novelties(values);
        let newest_of = |day_n: u32| {
            let day = &found[(day_n * day) as usize..((day_n + 1) * day) as usize];
            day.iter().map(|novel| novel.digits).fold(0.0, f64::max)
        };
        assert!(newest_of(21) > 1.3 * newest_of(20), "{} {}", newest_of(21), newest_of(20));
        assert!(found[(21 * day + 700) as usize].usual.is_some_and(|usual| usual.value > 40.0));
    }

    #[test]
    fn a_moved_mean_is_seen_by_the_shift() {
        let found = novelties((0..3_000).map(|n| 4.0 * noise(n) + if n >= 2_500 { 6.0 } else { 0.0 }));
        let shift = found[2_515].opinions.iter().find(|(name, _)| *name == SHIFT).unwrap().1;
        assert!(shift > 3.0, "{:?}", found[2_515]);
    }

    #[test]
    fn the_first_points_are_quiet() {
        let found = novelties((0..60).map(|n| 100.0 + noise(n)));
        assert!(found.iter().all(|novel| novel.digits < NOVEL + 0.5), "{found:?}");
    }

    #[test]
    fn it_is_small() {
        assert!(size_of::<Novelty>() <= 640, "{}", size_of::<Novelty>());
    }
}
