//! A model in the making: bounded pieces of work, so that the frames that come in between do not wait for it.
//!
//! In: means, covariances and a sample as they are while it is made. Out: a [`Model`] that replaces the one before as a whole.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::Detector;
use super::forest::Growing;
use super::frame::Metric;
use super::kmeans::States;
use super::linear::{Rotations, Symmetric};
use super::model::{Model, Standard};
use super::moments::Moments;
use super::projection::{Relations, principal_components};
use super::sample::Sample;
use super::vae::{Measuring, Training};

/// What models are made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Past<'a> {
    pub(super) moments: &'a Moments,
    /// Needed for detectors that say so.
    pub(super) sample: &'a Sample,
    pub(super) training: &'a Training,
}

/// What is being made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Stage {
    Relations(Box<Relations>),
    Pca(Box<Rotations>),
    Kmeans(Box<States>),
    Forest(Growing),
    Vae(Box<Measuring>),
}

/// A model in the making.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Fitting {
    model: Model,
    stage: Option<Stage>,
    /// What is to come after that, the next one last.
    left: Vec<Detector>,
    /// Frames of the sample that there were in the beginning.
    rows: usize,
    seed: u64,
}

impl Fitting {
    /// Begins a model of the metrics that there are.
    pub(super) fn new(past: &Past<'_>, metrics: &[Metric], wanted: &[Detector], seed: u64) -> Self {
        let model = Model::of(Standard::new(past.moments, metrics));
        let left = wanted.iter().copied().filter(|detector| *detector != Detector::Series).collect();
        Self { model, stage: None, left, rows: past.sample.len(), seed }
    }

    /// About as many operations as the next piece of work takes.
    pub(super) fn cost(&self) -> u64 {
        let width = self.model.standard().len();
        match &self.stage {
            Some(Stage::Relations(relations)) => relations.cost(),
            Some(Stage::Pca(rotations)) => rotations.cost(),
            Some(Stage::Kmeans(states)) => states.cost(),
            Some(Stage::Forest(_)) => Growing::cost(width),
            Some(Stage::Vae(measuring)) => measuring.cost(),
            // Correlations.
            None => (2 * width * width) as u64 + 1,
        }
    }

    /// Does a piece of work. Ends with the model.
    pub(super) fn advance(&mut self, past: &Past<'_>) -> ControlFlow<Model> {
        let Some(stage) = &mut self.stage else {
            let Some(next) = self.left.pop() else {
                return ControlFlow::Break(std::mem::take(&mut self.model));
            };
            self.stage =
                begin(next, &self.model, past, self.seed).filter(|_| self.rows > 0 || !next.needs_frames());
            return ControlFlow::Continue(());
        };
        let Model { standard, relations, pca, kmeans, forest, vae } = &mut self.model;
        let rows = self.rows;
        let row = |at: usize, row: &mut Vec<f32>| {
            past.sample.row(at, standard.len(), |at, value| standard.of(at, value), row);
        };
        let progress = match stage {
            Stage::Relations(making) => making.advance().map_break(|made| *relations = made),
            Stage::Pca(making) => making.advance().map_break(|made| *pca = Some(principal_components(&made))),
            Stage::Kmeans(making) => making.advance(rows, row).map_break(|made| *kmeans = Some(made)),
            Stage::Forest(making) => making.advance(rows, row).map_break(|made| *forest = made),
            Stage::Vae(making) => making.advance(rows, row).map_break(|made| *vae = Some(made)),
        };
        if progress.is_break() {
            self.stage = None;
        }
        ControlFlow::Continue(())
    }

    /// The position is another metric from now on.
    pub(super) fn reset(&mut self, at: usize) {
        self.model.reset(at);
    }
}

/// The first of a detector's work; nothing if it has none, or nothing to work with.
fn begin(detector: Detector, model: &Model, past: &Past<'_>, seed: u64) -> Option<Stage> {
    let (standard, moments) = (model.standard(), past.moments);
    let width = standard.len();
    let correlations = || Symmetric::from_fn(width, |i, j| standard.correlation(moments, i, j));
    match detector {
        Detector::Relations => Some(Stage::Relations(Box::new(Relations::new(correlations())))),
        Detector::Pca => Some(Stage::Pca(Box::new(Rotations::new(correlations())))),
        Detector::Kmeans => Some(Stage::Kmeans(Box::new(States::new(width, seed)))),
        Detector::Forest => Some(Stage::Forest(Growing::new(seed))),
        Detector::Vae => past.training.measure(width).map(|made| Stage::Vae(Box::new(made))),
        Detector::Series => None,
    }
}
