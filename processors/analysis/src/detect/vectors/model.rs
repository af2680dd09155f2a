//! What a vector's detectors have learned: one model of what is usual, replaced as a whole now and then.

use serde::{Deserialize, Serialize};

use super::Detector;
use super::forest::{Forest, shapley};
use super::frame::Metric;
use super::kmeans::KMeans;
use super::moments::Moments;
use super::projection::Projection;
use super::sample::Sample;
use super::vae::Vae;

/// Further out than this many standard deviations is all the same.
const CLIP: f64 = 30.0;
/// A metric that never moved has no scale to measure its first move by: it is this many standard deviations, odd but no proof.
const FIRST_MOVE: f32 = 10.0;
/// A metric of which fewer values are known says nothing yet, nor one that has come later and of which less than this share of the others' values are known:
/// relations to it would be chance.
const FEW: f64 = 30.0;
const FEW_SHARE: f64 = 0.25;
const ENOUGH: f64 = 500.0;
/// Orders in which a forest's metrics are tried, for an anomaly.
const SHAPLEY_ROUNDS: usize = 16;
/// How much more energy a forest's score that is 1 higher is, as a logarithm.
const FOREST_SCALE: f64 = 15.0;
/// A residual counts as at most this many of its usual sizes.
const LARGEST_RESIDUAL: f32 = 50.0;

/// Means and standard deviations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Standard {
    mean: Vec<f64>,
    /// 0 if it never moved, negative if the metric is too new or not known.
    deviation: Vec<f64>,
}

/// Tells which metrics enough is known about, before and now.
fn known<'a>(moments: &'a Moments, metrics: &'a [Metric]) -> impl Fn(usize) -> bool + 'a {
    let enough = (FEW_SHARE * moments.most_seen()).clamp(FEW, ENOUGH);
    move |at| moments.seen(at) >= enough && metrics[at].is_known()
}

impl Standard {
    /// As metrics were until now.
    pub(super) fn new(moments: &Moments, metrics: &[Metric]) -> Self {
        let known = known(moments, metrics);
        let deviation = |at: usize| {
            if !known(at) {
                return -1.0;
            }
            moments.covariance(at, at).sqrt().max(metrics[at].floor(moments.mean(at)))
        };
        let n = moments.len();
        Self { mean: (0..n).map(|at| moments.mean(at)).collect(), deviation: (0..n).map(deviation).collect() }
    }

    /// How many metrics it is about.
    pub(super) const fn len(&self) -> usize {
        self.mean.len()
    }

    /// The correlation of two metrics, 0 if little is known about one of them.
    pub(super) fn correlation(&self, moments: &Moments, i: usize, j: usize) -> f64 {
        let (a, b) = (self.deviation[i], self.deviation[j]);
        match a > 0.0 && b > 0.0 {
            // Of a metric that came later, relations are known from a part of the time only, and count for less.
            true => moments.covariance(i, j) / (a * b) * moments.overlap(i, j),
            false => f64::from(i == j),
        }
    }

    /// A value in standard deviations from its mean.
    pub(super) fn of(&self, at: usize, value: f64) -> f32 {
        let (Some(mean), Some(&deviation)) = (self.mean.get(at), self.deviation.get(at)) else { return 0.0 };
        let departure = value - mean;
        if deviation > 0.0 {
            (departure / deviation).clamp(-CLIP, CLIP) as f32
        } else if deviation < 0.0 || departure == 0.0 {
            0.0
        } else {
            FIRST_MOVE.copysign(departure as f32)
        }
    }

    /// The position is another metric from now on.
    fn reset(&mut self, at: usize) {
        if let Some(deviation) = self.deviation.get_mut(at) {
            *deviation = -1.0;
        }
    }
}

/// Everything that was learned at one time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Model {
    pub(super) standard: Standard,
    pub(super) relations: Option<Projection>,
    pub(super) pca: Option<Projection>,
    pub(super) kmeans: Option<KMeans>,
    pub(super) forest: Option<Forest>,
    pub(super) vae: Option<Vae>,
}

/// A frame as the model sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    /// The metrics.
    pub(super) metrics: &'a [Metric],
    /// Their values in standard deviations; 0 if unknown.
    pub(super) z: &'a [f32],
}

impl Model {
    /// Of which only this is known yet.
    pub(super) fn of(standard: Standard) -> Self {
        Self { standard, ..Self::default() }
    }

    /// The values of a frame in standard deviations.
    pub(super) fn standardise(&self, metrics: &[Metric], z: &mut Vec<f32>) {
        z.clear();
        let value = |(at, metric): (usize, &Metric)| {
            if metric.is_known() { self.standard.of(at, metric.last) } else { 0.0 }
        };
        z.extend(metrics.iter().enumerate().take(self.standard.mean.len()).map(value));
    }

    /// The position is another metric from now on.
    pub(super) fn reset(&mut self, at: usize) {
        self.standard.reset(at);
    }

    /// How values are standardised.
    pub(super) const fn standard(&self) -> &Standard {
        &self.standard
    }

    /// Shapley values of the forest's score, in place of frames of `sample`; nothing without a forest.
    pub(super) fn shapley(&self, z: &[f32], sample: &Sample, seed: u64) -> Option<Vec<f64>> {
        let forest = self.forest.as_ref()?;
        let others = sample.standardised(|at, value| self.standard.of(at, value));
        Some(shapley(|row| forest.score(row), z, &others, SHAPLEY_ROUNDS, seed))
    }

    /// Whether it is about the metrics that there are: one that has ended would only be missed by those that go with it.
    pub(super) fn is_about(&self, moments: &Moments, metrics: &[Metric]) -> bool {
        let in_model = |at: usize| self.standard.deviation.get(at).is_some_and(|deviation| *deviation >= 0.0);
        let known = known(moments, metrics);
        (0..metrics.len()).all(|at| in_model(at) == known(at))
    }

    /// What a detector thinks of each metric: squares, which add up to its energy. `None` if it has learned nothing yet.
    pub(super) fn judge(&self, detector: Detector, seen: &Seen<'_>, parts: &mut Vec<f32>) -> Option<f64> {
        parts.clear();
        match detector {
            Detector::Relations => residuals(self.relations.as_ref()?, seen, parts),
            Detector::Pca => residuals(self.pca.as_ref()?, seen, parts),
            Detector::Kmeans => {
                let state = self.kmeans.as_ref()?.nearest(seen.z);
                let distances = seen.z.iter().zip(state).map(|(z, state)| z - state);
                squares(distances, seen, parts);
            }
            Detector::Forest => {
                let score = self.forest.as_ref()?.explain(seen.z, parts);
                // Scores are close together; as energies they are as far apart as those of others.
                let energy = seen.z.len() as f64 * (FOREST_SCALE * (score - 0.5)).exp();
                let total: f32 = parts.iter().sum();
                let scale = if total > 0.0 { energy as f32 / total } else { 0.0 };
                parts.iter_mut().for_each(|part| *part *= scale);
                return Some(energy);
            }
            Detector::Vae => squares(self.vae.as_ref()?.residuals(seen.z), seen, parts),
            Detector::Series => {
                let own = |metric: &Metric| if metric.is_fresh() { metric.surprise } else { 0.0 };
                parts.extend(seen.metrics.iter().map(|metric| own(metric).min(CLIP as f32).powi(2)));
            }
        }
        Some(parts.iter().map(|part| f64::from(*part)).sum())
    }

    /// What metric `at` should be by the others, lower end, middle and upper end, at three usual sizes of the residual.
    pub(super) fn expected(&self, at: usize, seen: &Seen<'_>) -> Option<(f64, f64, f64)> {
        let (mean, deviation) = (*self.standard.mean.get(at)?, self.standard.deviation.get(at)?.max(0.0));
        let z = *seen.z.get(at)?;
        let (residual, size) = match &self.relations {
            Some(relations) => (relations.residual(at, seen.z), relations.size(at)),
            None => (z, 1.0),
        };
        let mid = mean + deviation * f64::from(z - residual * size);
        let reach = 3.0 * deviation * f64::from(size);
        Some((mid - reach, mid, mid + reach))
    }
}

fn residuals(projection: &Projection, seen: &Seen<'_>, parts: &mut Vec<f32>) {
    squares((0..seen.z.len()).map(|at| projection.residual(at, seen.z)), seen, parts);
}

/// Squares of residuals; falls of what may only rise do not count.
fn squares(residuals: impl Iterator<Item = f32>, seen: &Seen<'_>, parts: &mut Vec<f32>) {
    let square = |(residual, metric): (f32, &Metric)| {
        let harmless = metric.only_up && residual < 0.0;
        let size = if harmless { 0.0 } else { residual.abs().min(LARGEST_RESIDUAL) };
        size * size
    };
    parts.extend(residuals.zip(seen.metrics).map(square));
}
