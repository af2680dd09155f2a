//! One resource's metrics, seen together: frame by frame judged, explained and learned from.
//!
//! Each detector gives every metric a square, its part of the detector's energy. Energies are smoothed over about twenty frames,
//! because a fault lasts longer than a reading; their logarithms, weighted, make one number, and [`Usual`] says how
//! surprising that is. Models are replaced at ever longer intervals, so that they change slowly once they know a lot, and do not learn from
//! lasting departures ([`Gate`]).

use pdata::Timestamp;
use pdata::event::Phase;
use serde::{Deserialize, Serialize};

use super::frame::{Added, Assembly, Place, Reading};
use super::model::{Model, Past, Seen};
use super::moments::Moments;
use super::news::News;
use super::report::{self, Judged};
use super::sample::Sample;
use super::usual::{Gate, Usual};
use super::vae::Training;
use super::{Around, Detector, Settings};
use crate::detect::episode::Episode;
use crate::detect::findings::{Findings, Label};
use crate::detect::watcher::Resource;

/// Frames over which energies are smoothed, as a running mean of so many has the same variance.
const SMOOTHING: f64 = 20.0;
const RATE: f64 = 2.0 / (SMOOTHING + 1.0);
/// What energies have at least, of each metric, so that their logarithm is a number.
const LEAST_ENERGY: f64 = 1e-3;
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
/// Frames that a resource is learned from before anything is reported.
const WARM_UP: f64 = 200.0;
/// A departure must last for so many frames to become usual.
const ADAPT_FRAMES: u64 = 500;
/// A resource without metrics for this long has ended.
const ENDED_AFTER: std::time::Duration = std::time::Duration::from_secs(900);

/// One detector's smoothed energy, and what it usually is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Voice {
    detector: Detector,
    energy: f64,
    usual: Usual,
    surprise: f64,
}

/// A resource's metrics.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Vector {
    label: Label,
    assembly: Assembly,
    moments: Moments,
    sample: Sample,
    training: Training,
    model: Option<Model>,
    voices: Vec<Voice>,
    usual: Usual,
    gate: Gate,
    /// Since when nothing was learned; unknown if something was.
    shut_since: Timestamp,
    /// What is too far out to learn from has lasted so long that it is learned from nevertheless.
    accepted: bool,
    /// Frames that were learned from, and at how many the next model is due.
    learned: f64,
    due: f64,
    /// Frames since the model was made.
    since_fit: u32,
    /// Each metric's smoothed part of what was found.
    parts: Vec<f32>,
    /// When a frame was judged last.
    last: Timestamp,
    news: News,
    episode: Episode,
    /// Scratch.
    #[serde(skip)]
    z: Vec<f32>,
    #[serde(skip)]
    squares: Vec<f32>,
}

impl Vector {
    /// Of a resource that was not seen yet.
    pub(super) fn new(resource: &Resource<'_>, settings: &Settings) -> Self {
        let mut new = Self {
            label: report::label(resource),
            assembly: Assembly::default(),
            moments: Moments::default(),
            sample: Sample::default(),
            training: Training::default(),
            model: None,
            voices: Vec::new(),
            usual: Usual::default(),
            gate: Gate::default(),
            shut_since: Timestamp::default(),
            accepted: false,
            learned: 0.0,
            due: FIRST_FIT,
            since_fit: 0,
            parts: Vec::new(),
            last: Timestamp::default(),
            news: News::default(),
            episode: Episode::default(),
            z: Vec::new(),
            squares: Vec::new(),
        };
        new.settle_in(settings);
        new
    }

    /// Goes by other settings from now on.
    pub(super) fn settle_in(&mut self, settings: &Settings) {
        let kept = |detector: Detector| self.voices.iter().find(|voice| voice.detector == detector).copied();
        let voice = |detector: &Detector| {
            kept(*detector).unwrap_or(Voice {
                detector: *detector,
                energy: 0.0,
                usual: Usual::default(),
                surprise: 0.0,
            })
        };
        let voices: Vec<Voice> = settings.detectors.iter().map(voice).collect();
        if voices.iter().map(|voice| voice.detector).ne(self.voices.iter().map(|voice| voice.detector)) {
            // Numbers that others made say nothing about the ones to come.
            (self.usual, self.gate, self.due) = (Usual::default(), Gate::default(), FIRST_FIT);
            self.voices = voices;
        }
    }

    /// Whether it has a model.
    pub(super) const fn is_judged(&self) -> bool {
        self.model.is_some()
    }

    /// Whether the open frame will not be completed any more.
    pub(super) fn is_waiting_in_vain(&self, newest: Timestamp) -> bool {
        let open = self.assembly.open();
        let patience = 2.0 * self.assembly.interval() + 10.0;
        !open.is_unknown() && newest.since(open).as_secs_f64() > patience
    }

    /// Whether an episode is open of which no end can come.
    pub(super) fn has_ended(&self, newest: Timestamp) -> bool {
        self.episode.is_open() && newest.since(self.last) > ENDED_AFTER
    }

    /// Ends the episode, if one is open.
    pub(super) fn end(&mut self, findings: &mut Findings) {
        let last = self.last;
        if self.episode.end(last) {
            findings.events.push(report::gone(&self.label, last, &self.episode));
        }
    }

    /// Takes in readings, in order of time.
    pub(super) fn observe(&mut self, readings: &[Reading], around: &mut Around<'_>) {
        for reading in readings {
            match self.assembly.place(reading.time) {
                Place::Late => {
                    self.assembly.add_late(reading);
                    around.counted.late += 1;
                    continue;
                }
                Place::Next => self.close(around),
                Place::Anew => self.turn_back(reading.time),
                Place::Here => {}
            }
            match self.assembly.add(reading, around.settings.max_metrics) {
                Added::Known => {}
                Added::New(at) => self.reset(at, reading.value, around.settings),
                Added::Full => around.counted.crowded += 1,
            }
        }
        if self.assembly.is_complete() {
            self.close(around);
        }
    }

    /// The clock was ahead: what began in its future begins now.
    fn turn_back(&mut self, now: Timestamp) {
        self.shut_since = self.shut_since.min(now);
        self.last = self.last.min(now);
        self.news.turn_back(now);
    }

    fn reset(&mut self, at: usize, value: f64, settings: &Settings) {
        self.moments.reset(at);
        if settings.detectors.iter().any(|detector| detector.needs_frames()) {
            self.sample.reset(at, value);
        }
        if let Some(model) = &mut self.model {
            model.reset(at);
        }
        self.parts.resize(self.moments.len(), 0.0);
        self.parts[at] = 0.0;
    }

    /// Closes the open frame: judges it, reports what is to be reported, learns.
    pub(super) fn close(&mut self, around: &mut Around<'_>) {
        let time = self.assembly.open();
        self.last = time;
        let number = self.judge();
        if let Some(number) = number {
            self.report(time, number, around);
        }
        if self.may_learn(time, number, around.settings) {
            self.learn(number, around.settings);
        }
        self.train(around.settings);
        self.fit(around.settings);
        self.assembly.close();
    }

    /// The weighted logarithm of the energies, if there is a model to have them from.
    fn judge(&mut self) -> Option<f64> {
        let model = self.model.as_ref()?;
        model.standardise(self.assembly.metrics(), &mut self.z);
        let seen = Seen { metrics: self.assembly.metrics(), z: &self.z };
        let least = LEAST_ENERGY * self.z.len() as f64;
        let (mut number, mut weight) = (0.0, 0.0);
        self.parts.iter_mut().for_each(|part| *part *= 1.0 - RATE as f32);
        for voice in &mut self.voices {
            let Some(energy) = model.judge(voice.detector, &seen, &mut self.squares) else { continue };
            voice.energy += RATE * (energy - voice.energy);
            let own = (voice.energy + least).ln();
            voice.surprise = voice.usual.surprise(own);
            voice.usual.learn(own);
            number += voice.detector.weight() * own;
            weight += voice.detector.weight();
            let share = (RATE * voice.detector.weight() / (voice.energy + least)) as f32;
            self.parts.iter_mut().zip(&self.squares).for_each(|(part, square)| *part += share * square);
        }
        (weight > 0.0).then(|| number / weight)
    }

    fn report(&mut self, time: Timestamp, number: f64, around: &mut Around<'_>) {
        let surprise = self.usual.surprise(number);
        let told = self.news.observe(time, number, surprise, around.episodes);
        if told.accepted {
            self.episode.accept();
        }
        let warm = self.learned >= WARM_UP && self.usual.is_warm();
        let news = if warm { told.surprise } else { 0.0 };
        let phase = self.episode.observe(time, news, self.assembly.interval(), around.episodes);
        around.findings.vectors += 1;
        if around.findings.emit_scores || phase.is_some() {
            let judged = Judged {
                label: &self.label,
                time,
                surprise,
                number,
                threshold: around.episodes.threshold,
                parts: &self.parts,
                metrics: self.assembly.metrics(),
                series: around.series,
            };
            if around.findings.emit_scores {
                around.findings.events.push(judged.score());
            }
            if let Some(phase) = phase {
                around.findings.events.push(self.anomaly(&judged, phase));
            }
        }
    }

    fn anomaly(&self, judged: &Judged<'_>, phase: Phase) -> pdata::Event {
        let voices = self.voices.iter().map(|voice| (voice.detector.name(), voice.surprise)).collect();
        let seen = Seen { metrics: judged.metrics, z: &self.z };
        let expected = |at: usize| self.model.as_ref().and_then(|model| model.expected(at, &seen));
        // Paths say which metrics were cut, Shapley values how much each matters; they take their time, so only anomalies have them.
        let alone = self.voices.iter().all(|voice| voice.detector == Detector::Forest);
        let shapley = self.model.as_ref().filter(|_| alone && phase != Phase::End);
        let shapley = shapley.and_then(|model| model.shapley(&self.z, &self.sample, self.learned as u64));
        let parts: Option<Vec<f32>> =
            shapley.map(|values| values.into_iter().map(|value| value.max(0.0) as f32).collect());
        let judged = Judged { parts: parts.as_deref().unwrap_or(judged.parts), ..*judged };
        judged.anomaly(phase, &self.episode, voices, expected)
    }

    /// Whether the frame is one to learn from.
    fn may_learn(&mut self, time: Timestamp, number: Option<f64>, settings: &Settings) -> bool {
        if !number.is_some_and(|number| self.gate.is_shut(number)) {
            (self.shut_since, self.accepted) = (Timestamp::default(), false);
            return true;
        }
        if self.shut_since.is_unknown() {
            self.shut_since = time;
        }
        let out = self.gate.out();
        if out < ADAPT_FRAMES || time.since(self.shut_since) < settings.adapt_after {
            return false;
        }
        if !std::mem::replace(&mut self.accepted, true) {
            self.accept(out as f64);
        }
        true
    }

    /// What was out of the ordinary for so many frames is usual now: the past counts no more than that.
    fn accept(&mut self, frames: f64) {
        self.moments.forget_down_to(frames);
        self.sample.forget_down_to(frames as u64);
        self.usual.forget_down_to(frames);
        self.gate.forget_down_to(frames);
        self.learned = self.learned.min(frames);
        self.due = self.learned + SOONEST;
    }

    fn learn(&mut self, number: Option<f64>, settings: &Settings) {
        if let Some(number) = number {
            self.usual.learn(number);
            self.gate.learn(number);
        }
        let metrics = self.assembly.metrics();
        let interval = self.assembly.interval().max(0.001);
        let memory = MEMORY_FRAMES.max(MEMORY_SECONDS / interval).min(1e6);
        self.moments.learn(
            |at| metrics[at].is_known().then_some(metrics[at].last),
            |at| metrics[at].floor(metrics[at].last),
            memory,
        );
        if settings.detectors.iter().any(|detector| detector.needs_frames()) {
            self.sample.learn(|at| metrics[at].last);
        }
        self.learned += 1.0;
    }

    /// One step of what is trained in steps: after each frame at first, seldom later.
    fn train(&mut self, settings: &Settings) {
        let Some(model) = &self.model else { return };
        let steps = self.training.steps();
        let due = steps < FIRST_STEPS || self.since_fit.is_multiple_of(STEP_EVERY);
        if due && settings.detectors.contains(&Detector::Vae) {
            let (sample, standard) = (&self.sample, model.standard());
            self.training.step(sample.len(), |at| sample.row(at, |at, value| standard.of(at, value)));
        }
    }

    /// Makes the model anew if it is time, or if it is not about the metrics that there are.
    fn fit(&mut self, settings: &Settings) {
        self.since_fit = self.since_fit.saturating_add(1);
        let (moments, metrics) = (&self.moments, self.assembly.metrics());
        let other = || self.model.as_ref().is_some_and(|model| !model.is_about(moments, metrics));
        let is_time = self.learned >= self.due;
        let enough = self.assembly.came() >= settings.min_metrics;
        if !enough || !(is_time || f64::from(self.since_fit) > SOONEST && other()) {
            return;
        }
        let seed = self.learned as u64;
        let past = Past { moments, sample: &self.sample, training: &self.training };
        self.model = Some(Model::fit(&past, metrics, &settings.detectors, seed));
        self.since_fit = 0;
        if is_time {
            self.due = self.learned + (MORE * self.learned).clamp(SOONEST, LATEST);
        }
    }
}
