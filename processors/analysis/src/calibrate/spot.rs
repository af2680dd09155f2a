//! Peaks over a threshold: what is beyond anything seen so far has a probability, too.

use serde::{Deserialize, Serialize};

/// Bins of the body: quarters of an octave, from a quarter of the unit to 256 times it.
const BINS: usize = 40;
const BELOW_UNIT: i32 = 8;
/// How many bits of the mantissa are below the quarters, and which quarter 1 begins, in the bits of an `f32`.
const MANTISSA: u32 = 21;
const ONE: i32 = (1.0_f32.to_bits() >> MANTISSA) as i32;
/// So many of the first scores give the unit.
const FIRST: usize = 8;
/// Scores before there is a tail.
const WARM_UP: u32 = 200;
/// The share of scores in the tail.
const TAIL: f32 = 0.02;
/// The tail is cut off elsewhere when its share is so many times as large, or as small.
const TAIL_SLACK: f32 = 3.0;
/// How many scores the body remembers: then all counts are halved.
const MOST_COUNTS: u16 = 32_768;
/// How many scores the tail remembers.
const MEMORY: f32 = 50_000.0;
/// So many peaks is what is assumed at first worth, and this is the shape that is assumed.
const PRIOR_PEAKS: f32 = 20.0;
const PRIOR_SHAPE: f32 = 0.1;
/// Tails with an end and tails without a variance are believed in to these bounds: a fit to few peaks may go astray.
const SHAPES: (f32, f32) = (-0.5, 0.7);
/// A peak rarer than this teaches no more than one that is so rare: a fault is not to become the tail.
const RAREST: f32 = 1e-6;
/// No p-value is smaller.
const LEAST: f64 = 1e-12;
/// Excesses are at least this share of the threshold: a series that hardly varies does not make the next variation impossible.
const LEAST_EXCESS: f32 = 0.02;

/// Turns the scores of one series into p-values, point by point (after Siffer et al., "Anomaly detection in streams with extreme value theory",
/// KDD 2017).
///
/// Below a threshold, which 2% of the scores exceed, the p-value is counted in a histogram. Above it, excesses follow a generalised Pareto
/// distribution whatever the scores' own distribution (Pickands, Balkema, de Haan). Its shape and scale come from two running means,
/// that of the excesses and that of the smaller of two: the probability-weighted moments of Hosking and Wallis (Technometrics 1987), which
/// need no list of peaks and, unlike the ordinary moments, no finite variance. Old peaks fade out, and the threshold follows what is usual.
///
/// It takes 150 bytes; learning a score and a p-value take about 0.2 microseconds together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spot {
    /// A usual score; 0 while nobody knows.
    unit: f32,
    threshold: f32,
    /// Scores in memory, and how many of them exceed the threshold.
    total: f32,
    over: f32,
    /// The mean excess, and that of the smaller of two.
    mean: f32,
    least: f32,
    /// Peaks that the means are made of.
    peaks: f32,
    seen: u32,
    /// How many scores the body counts.
    counts: u16,
    /// The last excesses; of a new series the first scores.
    recent: [f32; FIRST],
    /// How many there are.
    kept: u8,
    #[serde(with = "super::array")]
    body: [u16; BINS],
}

impl Default for Spot {
    fn default() -> Self {
        Self {
            unit: 0.0,
            threshold: 0.0,
            total: 0.0,
            over: 0.0,
            mean: 0.0,
            least: 0.0,
            peaks: 0.0,
            seen: 0,
            counts: 0,
            recent: [0.0; FIRST],
            kept: 0,
            body: [0; BINS],
        }
    }
}

impl Spot {
    /// The p-value of a score, and learns from it.
    pub fn observe(&mut self, score: f64) -> f64 {
        let p = self.p_value(score);
        self.learn(score);
        p
    }

    /// Whether there is a tail: before, no p-value is less than one over the number of scores seen.
    pub const fn is_warm(&self) -> bool {
        self.seen >= WARM_UP
    }

    /// How many scores were seen.
    pub const fn seen(&self) -> u32 {
        self.seen
    }

    /// The share of scores that are at least so large when nothing is wrong, in (0, 1]; 1 for what is not a number.
    pub fn p_value(&self, score: f64) -> f64 {
        if score.is_nan() || self.seen < FIRST as u32 {
            return 1.0;
        }
        let score = (score as f32).min(f32::MAX);
        let counted = self.counted(score);
        if !self.is_warm() {
            return f64::from(counted);
        }
        let share = self.over / self.total;
        if score <= self.threshold {
            return f64::from(counted.max(share));
        }
        let tail = self.fit().survival(score - self.threshold);
        (f64::from(share) * tail).max(LEAST)
    }

    /// The score that has this p-value: what an alarm at `p` would take. Infinite while there is no tail, and for a `p` that is not in it.
    pub fn score_at(&self, p: f64) -> f64 {
        let share = self.over / self.total;
        if !self.is_warm() || p <= 0.0 || p > f64::from(share) {
            return f64::INFINITY;
        }
        f64::from(self.threshold + self.fit().quantile((p / f64::from(share)) as f32))
    }

    /// Learns from a score; one that is not a number teaches nothing.
    pub fn learn(&mut self, score: f64) {
        if score.is_nan() {
            return;
        }
        let score = (score as f32).clamp(0.0, f32::MAX);
        self.seen = self.seen.saturating_add(1);
        if self.seen <= FIRST as u32 {
            self.recent[self.seen as usize - 1] = score;
            if self.seen == FIRST as u32 {
                self.measure_unit();
            }
            return;
        }
        if self.unit == 0.0 {
            self.unit = score;
        }
        self.count(score);
        match self.seen {
            ..WARM_UP => {}
            WARM_UP => self.begin_tail(PRIOR_SHAPE),
            _ => self.learn_tail(score),
        }
    }

    /// The unit is the median of the first scores, or the largest if that is 0.
    fn measure_unit(&mut self) {
        self.recent.sort_by(f32::total_cmp);
        let middle = self.recent[FIRST / 2];
        self.unit = if middle > 0.0 { middle } else { self.recent[FIRST - 1] };
        for score in self.recent {
            self.count(score);
        }
        self.recent = [0.0; FIRST];
    }

    fn count(&mut self, score: f32) {
        let bin = self.bin(score);
        if self.counts == MOST_COUNTS {
            self.body.iter_mut().for_each(|count| *count /= 2);
            self.counts = self.body.iter().sum();
        }
        self.body[bin] += 1;
        self.counts += 1;
    }

    fn bin(&self, score: f32) -> usize {
        if self.unit <= 0.0 || score <= 0.0 {
            return 0;
        }
        // The exponent and the first two bits of the mantissa: quarters of an octave, without a logarithm.
        let quarter = ((score / self.unit).to_bits() >> MANTISSA) as i32 - ONE;
        quarter.saturating_add(BELOW_UNIT).clamp(0, BINS as i32 - 1) as usize
    }

    /// The lower end of a bin, but for the first, which begins at 0.
    fn edge(&self, bin: usize) -> f32 {
        let quarter = bin as i32 - BELOW_UNIT + ONE;
        self.unit * f32::from_bits((quarter as u32) << MANTISSA)
    }

    /// The share of scores in the histogram that are at least so large; never 0.
    fn counted(&self, score: f32) -> f32 {
        let bin = self.bin(score);
        let above: u16 = self.body.iter().skip(bin + 1).sum();
        let (low, high) = (if bin == 0 { 0.0 } else { self.edge(bin) }, self.edge(bin + 1));
        let part = if high > low { ((high - score) / (high - low)).clamp(0.0, 1.0) } else { 1.0 };
        ((f32::from(above) + part * f32::from(self.body[bin]) + 1.0) / (f32::from(self.counts) + 1.0))
            .min(1.0)
    }

    /// Puts the threshold where the tail has its share, by the histogram.
    fn begin_tail(&mut self, shape: f32) {
        let total = f32::from(self.counts);
        let wanted = TAIL * total;
        let (mut above, mut excess) = (0.0, 0.0);
        let mut bin = BINS - 1;
        while bin > 0 && above + f32::from(self.body[bin]) <= wanted {
            above += f32::from(self.body[bin]);
            bin -= 1;
        }
        let (low, high) = (if bin == 0 { 0.0 } else { self.edge(bin) }, self.edge(bin + 1));
        let part = if bin == 0 { 0.0 } else { (wanted - above) / f32::from(self.body[bin]).max(1.0) };
        self.threshold = high - (high - low) * part;
        for (bin, count) in self.body.iter().enumerate().skip(bin + 1) {
            let middle = (self.edge(bin) + self.edge(bin + 1)) / 2.0;
            excess += f32::from(*count) * (middle - self.threshold);
        }
        let inside = part * f32::from(self.body[bin]);
        excess += inside * (high - self.threshold) / 2.0;
        (self.total, self.over) = (total, (above + inside).max(1.0));
        let mean = (excess / self.over).max(LEAST_EXCESS * self.threshold).max(f32::MIN_POSITIVE);
        self.set_excess(mean, shape);
        (self.peaks, self.kept) = (0.0, 0);
    }

    /// The means that a tail of this shape and mean excess has.
    fn set_excess(&mut self, mean: f32, shape: f32) {
        self.mean = mean;
        self.least = mean * (1.0 - shape) / (2.0 - shape);
    }

    fn learn_tail(&mut self, score: f32) {
        let fading = 1.0 - 1.0 / MEMORY;
        self.total = self.total * fading + 1.0;
        self.over *= fading;
        if score > self.threshold {
            self.over += 1.0;
            self.learn_peak(score - self.threshold);
        }
        let share = self.over / self.total;
        if share > TAIL * TAIL_SLACK {
            self.raise_threshold(share);
        } else if share < TAIL / TAIL_SLACK {
            self.begin_tail(self.fit().shape);
        }
    }

    fn learn_peak(&mut self, excess: f32) {
        let share = self.over / self.total;
        let excess = excess.min(self.fit().quantile(RAREST / share));
        self.peaks += 1.0;
        let rate = (1.0 / (self.peaks + PRIOR_PEAKS)).max(1.0 / (TAIL * MEMORY));
        self.mean += rate * (excess - self.mean);
        self.mean = self.mean.max(LEAST_EXCESS * self.threshold);
        let others = &self.recent[..usize::from(self.kept)];
        if !others.is_empty() {
            let least = others.iter().map(|other| other.min(excess)).sum::<f32>() / others.len() as f32;
            self.least += rate * (least - self.least);
        }
        if others.len() < FIRST {
            self.recent[others.len()] = excess;
            self.kept += 1;
        } else {
            self.recent.rotate_left(1);
            self.recent[FIRST - 1] = excess;
        }
    }

    /// Beyond a higher threshold the tail has the same shape, and a scale that follows from it.
    fn raise_threshold(&mut self, share: f32) {
        let tail = self.fit();
        let step = tail.quantile(TAIL / share);
        let scale = tail.scale + tail.shape * step;
        self.threshold += step;
        self.over = TAIL * self.total;
        self.set_excess(scale / (1.0 - tail.shape), tail.shape);
        self.kept = 0;
    }

    fn fit(&self) -> Tail {
        let difference = (self.mean - self.least).max(1e-6 * self.mean);
        let shape = (2.0 - self.mean / difference).clamp(SHAPES.0, SHAPES.1);
        Tail { shape, scale: (self.mean * (1.0 - shape)).max(f32::MIN_POSITIVE) }
    }
}

/// A generalised Pareto distribution.
#[derive(Clone, Copy, Debug)]
struct Tail {
    shape: f32,
    scale: f32,
}

/// Below this a shape is none, and the distribution exponential.
const NO_SHAPE: f32 = 1e-4;

impl Tail {
    /// The share of excesses that are larger.
    fn survival(self, excess: f32) -> f64 {
        let (shape, ratio) = (f64::from(self.shape), f64::from(excess) / f64::from(self.scale));
        if self.shape.abs() < NO_SHAPE {
            return (-ratio).exp();
        }
        let base = 1.0 + shape * ratio;
        if base > 0.0 { base.powf(-1.0 / shape) } else { 0.0 }
    }

    /// The excess that this share of all exceeds.
    fn quantile(self, share: f32) -> f32 {
        let share = share.clamp(1e-12, 1.0);
        if self.shape.abs() < NO_SHAPE {
            return -self.scale * share.ln();
        }
        self.scale / self.shape * (share.powf(-self.shape) - 1.0)
    }
}
