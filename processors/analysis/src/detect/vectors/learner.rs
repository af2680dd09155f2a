//! What a vector learns from its frames, and when models are made of that.
//!
//! Models are replaced at ever longer intervals, so that they change slowly once they know a lot, and at once when they have ceased to hold.
//! Making one, and training what is trained in steps, is cut into pieces and bounded by an [`Allowance`].

use std::ops::ControlFlow;

use pdata::Timestamp;
use serde::{Deserialize, Serialize};

use super::allowance::Allowance;
use super::fitting::{Fitting, Past};
use super::frame::Assembly;
use super::model::Model;
use super::moments::Moments;
use super::sample::Sample;
use super::vae::Training;
use super::{Detector, Settings};

/// The first model is made of so many frames.
const FIRST_FIT: f64 = 30.0;
/// The next is due after this share more, but after so many frames at least and at most.
const MORE: f64 = 0.1;
const SOONEST: f64 = 20.0;
const LATEST: f64 = 500.0;
/// Frames, and seconds, that are remembered: the longer of both. Two weeks know weekdays and weekends.
const MEMORY_FRAMES: f64 = 20_000.0;
const MEMORY_SECONDS: f64 = 14.0 * 86_400.0;
/// Steps of training that are taken after every frame, and after how many frames one is taken later.
const FIRST_STEPS: u32 = 3_000;
const STEP_EVERY: u32 = 4;
/// After a model has ceased to hold, so many steps are taken after every frame again.
const STEPS_ANEW: u32 = 1_000;

/// What was learned, and the model in the making.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Learner {
    moments: Moments,
    sample: Sample,
    training: Training,
    fitting: Option<Box<Fitting>>,
    allowance: Allowance,
    /// Frames that were learned from, and at how many the next model is due.
    learned: f64,
    due: f64,
    /// How many frames had been learned from when models ceased to hold.
    anew_at: f64,
    /// Frames since the model was made.
    since_fit: u32,
    /// Steps of training that are to be taken one after each frame.
    steps: u32,
}

impl Default for Learner {
    fn default() -> Self {
        Self {
            moments: Moments::default(),
            sample: Sample::default(),
            training: Training::default(),
            fitting: None,
            allowance: Allowance::default(),
            learned: 0.0,
            due: FIRST_FIT,
            anew_at: 0.0,
            since_fit: 0,
            steps: FIRST_STEPS,
        }
    }
}

impl Learner {
    /// How many frames were learned from.
    pub(super) const fn learned(&self) -> f64 {
        self.learned
    }

    /// Past frames, if any detector needs them.
    pub(super) const fn sample(&self) -> &Sample {
        &self.sample
    }

    /// How many metrics there are.
    pub(super) const fn len(&self) -> usize {
        self.moments.len()
    }

    /// The position is another metric from now on, of which only this value is known.
    pub(super) fn reset(&mut self, at: usize, value: f64, settings: &Settings) {
        self.moments.reset(at);
        if needs_frames(settings) {
            self.sample.reset(at, value);
        }
        if let Some(fitting) = &mut self.fitting {
            fitting.reset(at);
        }
    }

    /// It is earlier than was thought.
    pub(super) fn turn_back(&mut self, now: Timestamp) {
        self.allowance.turn_back(now);
    }

    /// Other detectors look at the vector from now on.
    pub(super) fn begin_anew(&mut self) {
        (self.due, self.fitting) = (FIRST_FIT, None);
    }

    /// Learns from the open frame.
    pub(super) fn learn(&mut self, assembly: &Assembly, settings: &Settings) {
        let metrics = assembly.metrics();
        let memory = MEMORY_FRAMES.max(MEMORY_SECONDS / interval(assembly)).min(1e6);
        self.moments.learn(
            |at| metrics[at].is_known().then_some(metrics[at].last),
            |at| metrics[at].floor(metrics[at].last),
            memory,
        );
        if needs_frames(settings) {
            self.sample.learn(|at| metrics[at].last);
        }
        self.learned += 1.0;
    }

    /// Models do not hold any more: the past counts as so many frames at most, and the next models are made soon.
    pub(super) fn learn_anew(&mut self, frames: f64) {
        self.moments.forget_down_to(frames);
        self.sample.forget_down_to(frames as u64);
        self.learned = self.learned.min(frames);
        self.anew_at = self.learned;
        self.due = self.learned + SOONEST;
        self.steps = self.steps.max(STEPS_ANEW);
    }

    /// Goes on with what there is to train, as far as that is allowed after the open frame, of `now`. Gives a model that has become ready.
    pub(super) fn work(
        &mut self,
        now: Timestamp,
        assembly: &Assembly,
        model: Option<&Model>,
        settings: &Settings,
    ) -> Option<Model> {
        self.allowance.fill(now, settings.training);
        let trains = settings.detectors.contains(&Detector::Vae);
        if let Some(model) = model.filter(|_| trains) {
            self.step(model);
        }
        self.since_fit = self.since_fit.saturating_add(1);
        if self.fitting.is_none() && self.is_time(assembly, model, settings) {
            let seed = self.learned as u64;
            let Self { moments, sample, training, .. } = &*self;
            let past = Past { moments, sample, training };
            let new = Fitting::new(&past, assembly.metrics(), &settings.detectors, seed);
            self.fitting = Some(Box::new(new));
        }
        self.fit()
    }

    /// One step of what is trained in steps: after each frame at first, seldom later.
    fn step(&mut self, model: &Model) {
        let (sample, standard) = (&self.sample, model.standard());
        let width = sample.width();
        let due = self.steps > 0 || self.since_fit.is_multiple_of(STEP_EVERY);
        if due && sample.len() > 0 && self.allowance.take(Training::cost(width)) {
            self.steps = self.steps.saturating_sub(1);
            let row = |at: usize, row: &mut Vec<f32>| {
                sample.row(at, width, |at, value| standard.of(at, value), row);
            };
            self.training.step(sample.len(), width, row);
        }
    }

    /// Whether a model is due, or the one that there is is not about the metrics that there are.
    fn is_time(&self, assembly: &Assembly, model: Option<&Model>, settings: &Settings) -> bool {
        let other = || model.is_some_and(|model| !model.is_about(&self.moments, assembly.metrics()));
        let enough = assembly.came() >= settings.min_metrics;
        enough && (self.learned >= self.due || f64::from(self.since_fit) > SOONEST && other())
    }

    fn fit(&mut self) -> Option<Model> {
        let Self { moments, sample, training, fitting, allowance, .. } = self;
        let making = fitting.as_mut()?;
        let past = Past { moments, sample, training };
        while allowance.take(making.cost()) {
            let ControlFlow::Break(model) = making.advance(&past) else { continue };
            (self.fitting, self.since_fit) = (None, 0);
            if self.learned >= self.due {
                let known = self.learned - self.anew_at;
                self.due = self.learned + (MORE * known).clamp(SOONEST, LATEST);
            }
            return Some(model);
        }
        None
    }
}

fn needs_frames(settings: &Settings) -> bool {
    settings.detectors.iter().any(|detector| detector.needs_frames())
}

/// Seconds between frames.
fn interval(assembly: &Assembly) -> f64 {
    assembly.interval().max(0.001)
}
