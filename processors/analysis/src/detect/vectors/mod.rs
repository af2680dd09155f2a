#![doc = include_str!("README.md")]

mod allowance;
mod fitting;
mod forest;
mod frame;
mod hold;
mod kmeans;
mod learner;
mod linear;
mod model;
mod moments;
mod news;
mod projection;
mod random;
mod report;
mod sample;
#[cfg(test)]
mod tests;
mod usual;
mod vae;
mod vector;

use std::time::Duration;

use pdata::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::forest::{Forest, shapley};
pub use self::frame::Reading;
use self::vector::Vector;
use super::findings::Findings;
use super::series;
use super::watcher::{Resource, SeriesTable};
use crate::table::{Saved, Table};

/// What a vector is called, beside its resource: the `name` of its anomalies and scores.
pub const NAME: &str = "metrics.together";

/// What looks at a resource's metrics together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Detector {
    /// Each metric as all the others predict it.
    Relations,
    /// What principal components do not explain.
    Pca,
    /// Distance to the nearest of a few usual states.
    Kmeans,
    /// How few random cuts set the frame apart from others.
    Forest,
    /// What a variational autoencoder cannot rebuild.
    Vae,
    /// What the series' own detectors say, taken together.
    Series,
}

impl Detector {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Relations, Self::Pca, Self::Kmeans, Self::Forest, Self::Vae, Self::Series];

    /// Its name in [`pdata::event::Anomaly::detectors`].
    pub const fn name(self) -> &'static str {
        match self {
            Self::Relations => "relations",
            Self::Pca => "pca",
            Self::Kmeans => "kmeans",
            Self::Forest => "forest",
            Self::Vae => "vae",
            Self::Series => "series",
        }
    }

    /// How much it counts beside others.
    const fn weight(self) -> f64 {
        match self {
            Self::Relations | Self::Pca | Self::Vae => 1.0,
            Self::Kmeans | Self::Forest => 0.5,
            Self::Series => 0.25,
        }
    }

    /// Whether it learns from past frames and not from their means and covariances alone.
    const fn needs_frames(self) -> bool {
        matches!(self, Self::Kmeans | Self::Forest | Self::Vae)
    }
}

/// How vectors are watched.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Which detectors look at them. None: there are no vectors.
    pub detectors: Vec<Detector>,
    /// Resources at most.
    pub max_resources: usize,
    /// Metrics of one resource at most; the first ones seen.
    pub max_metrics: usize,
    /// A resource with fewer metrics is no vector.
    pub min_metrics: usize,
    /// A departure that lasts this long, and for at least 500 frames, becomes usual: longer than a weekend.
    pub adapt_after: Duration,
    /// The share of a processor that training may take for one resource, at a billion operations a second.
    pub training: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            detectors: vec![Detector::Relations, Detector::Vae, Detector::Series],
            max_resources: 2_000,
            max_metrics: 64,
            min_metrics: 5,
            adapt_after: Duration::from_hours(72),
            training: 2e-4,
        }
    }
}

/// What did not become part of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Readings that came after their frame was closed.
    pub late: u64,
    /// Readings of metrics beyond [`Settings::max_metrics`].
    pub crowded: u64,
    /// Models that were made.
    pub models: u64,
    /// Changes for good of how well a model explains its resource.
    pub drifts: u64,
}

/// The metrics of every resource, seen together.
#[derive(Clone, Debug)]
pub struct Vectors {
    settings: Settings,
    series: series::Settings,
    table: Table<Vector>,
    counted: Counted,
}

/// What a snapshot holds of [`Vectors`].
#[derive(Deserialize)]
pub(super) struct SavedVectors {
    table: Saved<Vector>,
    counted: Counted,
}

impl Serialize for Vectors {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.table, self.counted).serialize(serializer)
    }
}

impl SavedVectors {
    /// The vectors, watched as `settings` say from now on.
    pub(super) fn into_vectors(self, settings: Settings, series: series::Settings) -> Vectors {
        let mut table = self.table.into_table(settings.max_resources);
        table.values_mut().for_each(|vector| vector.settle_in(&settings));
        Vectors { settings, series, table, counted: self.counted }
    }
}

impl Vectors {
    /// Knows none yet.
    pub fn new(settings: Settings, series: series::Settings) -> Self {
        Self { table: Table::new(settings.max_resources), settings, series, counted: Counted::default() }
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// How many had to make room so far.
    pub const fn evicted(&self) -> u64 {
        self.table.evicted()
    }

    /// What did not become part of a frame.
    pub const fn counted(&self) -> Counted {
        self.counted
    }

    /// Whether a resource's metrics are scored together, so that scores of its single series would only repeat a part of that.
    pub fn is_judged(&self, resource: &Resource<'_>) -> bool {
        self.table.get(resource.identity.finish()).is_some_and(Vector::is_judged)
    }

    /// Looks at what came of a resource in one batch. `readings` is emptied.
    pub fn observe(
        &mut self,
        resource: &Resource<'_>,
        readings: &mut Vec<Reading>,
        series: &SeriesTable,
        findings: &mut Findings,
    ) {
        let id = resource.identity.finish();
        let enough = readings.len() >= self.settings.min_metrics || self.table.get(id).is_some();
        if self.settings.detectors.is_empty() || !enough {
            readings.clear();
            return;
        }
        if !readings.is_sorted_by_key(|reading| reading.time) {
            readings.sort_by_key(|reading| reading.time);
        }
        let (vector, evicted) = self.table.entry(id, || Vector::new(resource, &self.settings));
        let mut around = Around {
            settings: &self.settings,
            episodes: &self.series,
            series,
            findings,
            counted: &mut self.counted,
        };
        vector.observe(readings, &mut around);
        readings.clear();
        if let Some(mut evicted) = evicted {
            evicted.end(findings);
        }
    }

    /// Closes frames that nothing was added to lately, and ends episodes of resources that have ended.
    pub fn sweep(&mut self, newest: Timestamp, series: &SeriesTable, findings: &mut Findings) {
        self.close(series, findings, |vector| vector.is_waiting_in_vain(newest));
        let ended = |vector: &&mut Vector| vector.has_ended(newest);
        self.table.values_mut().filter(ended).for_each(|vector| vector.end(findings));
    }

    /// The input has ended: closes all frames.
    pub fn finish(&mut self, series: &SeriesTable, findings: &mut Findings) {
        self.close(series, findings, |_| true);
    }

    fn close(&mut self, series: &SeriesTable, findings: &mut Findings, which: impl Fn(&Vector) -> bool) {
        let mut around = Around {
            settings: &self.settings,
            episodes: &self.series,
            series,
            findings,
            counted: &mut self.counted,
        };
        for vector in self.table.values_mut().filter(|vector| which(vector)) {
            vector.close(&mut around);
        }
    }
}

/// What a vector needs from outside while it looks at readings.
struct Around<'a> {
    settings: &'a Settings,
    episodes: &'a series::Settings,
    series: &'a SeriesTable,
    findings: &'a mut Findings,
    counted: &'a mut Counted,
}
