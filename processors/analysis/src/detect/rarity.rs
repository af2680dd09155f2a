//! How rare something is in a series' own past, from counts that take a byte each.
//!
//! Rarity is given in digits: 3 means that one point in a thousand was as surprising. Two forms: [`Sizes`] counts how large a
//! number was, in steps of half an octave, and extrapolates beyond the largest; [`Grid`] counts which of two things came
//! together. Both judge before they learn, never forget and need no scale, so that a series sets its own standard.
//!
//! Bytes suffice because they count approximately (Morris 1978, "Counting large numbers of events in small registers"):
//! a counter at `k` moves on with probability `BASE^-k` and then stands for `(BASE^k - 1) / (BASE - 1)`. The chances are drawn by
//! hashing how many points were seen, so that a replay counts the same.

use serde::{Deserialize, Serialize};

/// The relative error of a count is about `sqrt((BASE - 1) / 2)`, a sixth: little beside what is to be told apart. A counter ends at five
/// million.
const BASE: f64 = 1.05;
/// What every counter stands for, in [`PARTS`] of a point: sums of whole numbers are quick.
const COUNTS: [u32; 256] = counts();
const PARTS: f64 = 16.0;
/// Of 2^32 chances, how many move a counter on.
const CHANCES: [u32; 256] = chances();

const fn counts() -> [u32; 256] {
    let mut counts = [0; 256];
    let (mut power, mut at) = (1.0, 0);
    while at < counts.len() {
        counts[at] = (PARTS * (power - 1.0) / (BASE - 1.0) + 0.5) as u32;
        power *= BASE;
        at += 1;
    }
    counts
}

const fn chances() -> [u32; 256] {
    let mut chances = [0; 256];
    let (mut power, mut at) = (1.0, 0);
    while at < chances.len() {
        chances[at] = (u32::MAX as f64 / power) as u32;
        power *= BASE;
        at += 1;
    }
    chances
}

/// A number that looks drawn by chance: the `use_of`th for the `seen`th point.
pub fn chance(seen: u32, use_of: u32) -> u32 {
    // The finaliser of SplitMix64 (Steele, Lea and Flood 2014).
    let mut bits = (u64::from(seen) << 8 | u64::from(use_of)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (bits >> 32) as u32
}

/// Half a point is taken to be as rare as what was never seen.
const UNSEEN: f32 = 0.5;

/// The digits of a share: `points` in `seen`.
fn digits(points: f32, seen: u32) -> f32 {
    ((seen as f32 + 1.0) / (points + UNSEEN)).log10().max(0.0)
}

/// An array of any length that can be kept and saved.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bytes<const N: usize>(#[serde(with = "bytes")] pub [u8; N]);

impl<const N: usize> Default for Bytes<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

/// Counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Cells<const N: usize>(Bytes<N>);

impl<const N: usize> Cells<N> {
    /// In [`PARTS`] of a point.
    fn count(&self, at: usize) -> u32 {
        COUNTS[usize::from(self.0.0[at])]
    }

    /// In points, altogether.
    fn sum(&self, cells: impl Iterator<Item = usize>) -> f32 {
        cells.map(|at| self.count(at)).sum::<u32>() as f32 / PARTS as f32
    }

    fn add(&mut self, at: usize, chance: u32) {
        let cell = &mut self.0.0[at];
        if chance <= CHANCES[usize::from(*cell)] {
            *cell = cell.saturating_add(1);
        }
    }
}

/// How large numbers are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sizes(Cells<BINS>);

const BINS: usize = 48;

impl Sizes {
    const PER_OCTAVE: f32 = 2.0;
    /// Where a size of 1 is counted: sizes from 2^-9 to 2^15 are told apart.
    const ONE: f32 = 18.0;
    /// The largest of this share are the tail beyond which is extrapolated, a digit for so many octaves.
    const TAIL: f32 = 0.005;
    const OCTAVES_PER_DIGIT: f32 = 2.0;
    const FEW: f32 = 20.0;

    fn place(size: f32) -> f32 {
        size.max(1e-9).log2() * Self::PER_OCTAVE + Self::ONE
    }

    fn bin(place: f32) -> f32 {
        place.clamp(0.0, BINS as f32 - 1.001)
    }

    /// How rare a number of this size, or a larger one, is among the `seen` before.
    pub fn rarity(&self, size: f32, seen: u32) -> f32 {
        let place = Self::place(size);
        let bin = Self::bin(place);
        let at = bin as usize;
        let above = self.0.sum(at + 1..BINS) + self.0.sum(at..at + 1) * (1.0 - bin.fract());
        let digits = digits(above, seen);
        if above >= Self::tail_size(seen) {
            return digits;
        }
        let beyond = (place - self.tail(seen)).max(0.0) / (Self::PER_OCTAVE * Self::OCTAVES_PER_DIGIT);
        // The tail of a few points says little about what lies beyond.
        digits + beyond * seen as f32 / (seen as f32 + Self::FEW)
    }

    fn tail_size(seen: u32) -> f32 {
        (Self::TAIL * seen as f32).max(1.5)
    }

    /// Where the tail begins.
    fn tail(&self, seen: u32) -> f32 {
        let wanted = Self::tail_size(seen);
        let mut above = 0.0;
        for at in (0..BINS).rev() {
            let here = self.0.sum(at..at + 1);
            if above + here >= wanted {
                return at as f32 + 1.0 - (wanted - above) / here;
            }
            above += here;
        }
        0.0
    }

    /// Counts a number of this size.
    pub fn learn(&mut self, size: f32, chance: u32) {
        self.0.add(Self::bin(Self::place(size)) as usize, chance);
    }
}

/// Which of two things come together. It tells apart as many of each as `CELLS` is the square of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Grid<const CELLS: usize>(Cells<CELLS>);

impl<const CELLS: usize> Grid<CELLS> {
    /// How many of each are told apart.
    pub const SIDE: usize = CELLS.isqrt();

    /// How rare this pair is among the `seen` before. What is next to it counts half.
    pub fn rarity(&self, (row, column): (usize, usize), seen: u32) -> f32 {
        let near = |at: usize| at.saturating_sub(1)..=(at + 1).min(Self::SIDE - 1);
        let cell = |row, column| row * Self::SIDE + column;
        let around = near(row).flat_map(|row| near(column).map(move |column| cell(row, column)));
        digits((self.0.sum(around) + self.0.sum([cell(row, column)].into_iter())) / 2.0, seen)
    }

    /// Counts this pair.
    pub fn learn(&mut self, (row, column): (usize, usize), chance: u32) {
        self.0.add(row * Self::SIDE + column, chance);
    }
}

/// Where a number is among those that a series usually has: from 0 to below 1, 0.5 in the middle, finer there than far out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Place {
    mid: f64,
    spread: f64,
}

impl Place {
    /// How many points are remembered: many, so that what was counted long ago is still at its place.
    const MEMORY: f64 = 2000.0;
    /// `asinh(2 * 10)`: ten mean deviations from the middle is the end.
    const END: f32 = 3.689_504;

    /// Takes a number in and gives its place; `seen` numbers came before.
    pub fn of(&mut self, value: f64, seen: u32) -> f32 {
        if seen == 0 {
            *self = Self { mid: value, spread: 0.0 };
            return 0.5;
        }
        let rate = (1.0 / (f64::from(seen) + 1.0)).max(1.0 / Self::MEMORY);
        self.spread += rate * ((value - self.mid).abs() - self.spread);
        self.mid += rate * (value - self.mid);
        if self.spread <= 0.0 {
            return 0.5;
        }
        let twice = (2.0 * (value - self.mid) / self.spread) as f32;
        // The inverse hyperbolic sine: nearly even in the middle, a logarithm far out.
        let place = (twice.abs() + (twice * twice + 1.0).sqrt()).ln().copysign(twice);
        (place / (2.0 * Self::END) + 0.5).clamp(0.0, 0.999)
    }
}

/// Arrays longer than serde knows.
mod bytes {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer, const N: usize>(
        bytes: &[u8; N],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        bytes[..].serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        from: D,
    ) -> Result<[u8; N], D::Error> {
        let bytes = Vec::<u8>::deserialize(from)?;
        bytes.try_into().map_err(|_| D::Error::custom("another number of counters"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_counts_to_a_million_with_little_error() {
        let mut cells = Cells::<1>::default();
        for n in 0..1_000_000 {
            cells.add(0, chance(n, 0));
            if [10, 100, 1_000, 10_000, 100_000, 999_999].contains(&n) {
                let counted = cells.sum(0..1);
                assert!((0.5..2.0).contains(&(counted / n as f32)), "{n} counted as {counted}");
            }
        }
    }

    #[test]
    fn what_is_larger_is_rarer_also_beyond_the_largest() {
        let mut sizes = Sizes::default();
        for n in 0..10_000 {
            // Half of the numbers below 1, a quarter up to 2, an eighth up to 4 and so on.
            sizes.learn(1.0 / (chance(n, 1) as f32 / u32::MAX as f32 + 1e-3), chance(n, 2));
        }
        let rarities = [0.1, 1.0, 2.0, 10.0, 100.0, 1e3, 1e6, 1e30].map(|size| sizes.rarity(size, 10_000));
        assert!(rarities.is_sorted(), "{rarities:?}");
        assert!(rarities[0] < 0.1 && (0.8..1.2).contains(&rarities[3]), "{rarities:?}");
        assert!(rarities[6] > 5.0 && rarities[7].is_finite(), "{rarities:?}");
    }

    #[test]
    fn a_pair_never_seen_is_rarest_and_one_next_to_a_common_one_is_less_so() {
        let mut grid = Grid::<64>::default();
        (0..1_000).for_each(|n| grid.learn((2, 2), chance(n, 0)));
        let [common, near, far] = [(2, 2), (2, 3), (7, 7)].map(|pair| grid.rarity(pair, 1_000));
        assert!(common < 0.2 && (0.1..0.6).contains(&near) && far > 3.0, "{common} {near} {far}");
        assert_eq!(grid.rarity((0, 7), 1_000), far);
    }

    #[test]
    fn places_do_not_depend_on_the_unit() {
        let places = |scale: f64| {
            let mut place = Place::default();
            (0..100).map(|n| place.of(scale * f64::from(n * 7919 % 13), n as u32)).collect::<Vec<_>>()
        };
        for (a, b) in places(1.0).into_iter().zip(places(1e-7)) {
            assert!((a - b).abs() < 1e-4, "{a} {b}");
        }
    }
}
