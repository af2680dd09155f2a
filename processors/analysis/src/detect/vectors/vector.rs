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
use super::hold::Hold;
use super::learner::Learner;
use super::model::{Model, Seen};
use super::news::News;
use super::report::{self, Judged};
use super::usual::{Gate, Usual};
use super::{Around, Counted, Detector, Settings};
use crate::detect::episode::Episode;
use crate::detect::findings::{Findings, Label};
use crate::detect::watcher::Resource;

/// Frames over which energies are smoothed, as a running mean of so many has the same variance.
const SMOOTHING: f64 = 20.0;
const RATE: f64 = 2.0 / (SMOOTHING + 1.0);
/// What energies have at least, of each metric, so that their logarithm is a number.
const LEAST_ENERGY: f64 = 1e-3;
/// Frames that a resource is learned from before anything is reported.
const WARM_UP: f64 = 200.0;
/// A departure must last for so many frames to become usual.
const ADAPT_FRAMES: u64 = 500;
/// After that models take about so many frames to know it.
const SETTLE_FRAMES: u64 = 100;
/// A resource without metrics for this long has ended.
const ENDED_AFTER: std::time::Duration = std::time::Duration::from_secs(900);

/// One detector's smoothed energy, and what it usually is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Voice {
    detector: Detector,
    energy: f64,
    usual: Usual,
    surprise: f64,
    /// How far its energy is from what it usually is, in standard deviations.
    deviation: f64,
}

/// A resource's metrics.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Vector {
    label: Label,
    assembly: Assembly,
    learner: Learner,
    model: Option<Model>,
    hold: Hold,
    voices: Vec<Voice>,
    usual: Usual,
    gate: Gate,
    /// Since when nothing was learned; unknown if something was.
    shut_since: Timestamp,
    /// What is too far out to learn from has lasted so long that it is learned from nevertheless: after so many frames.
    accepted: Option<u64>,
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
            learner: Learner::default(),
            model: None,
            hold: Hold::default(),
            voices: Vec::new(),
            usual: Usual::default(),
            gate: Gate::default(),
            shut_since: Timestamp::default(),
            accepted: None,
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
                deviation: 0.0,
            })
        };
        let voices: Vec<Voice> = settings.detectors.iter().map(voice).collect();
        if voices.iter().map(|voice| voice.detector).ne(self.voices.iter().map(|voice| voice.detector)) {
            // Numbers that others made say nothing about the ones to come.
            (self.usual, self.gate, self.hold) = (Usual::default(), Gate::default(), Hold::default());
            self.learner.begin_anew();
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
        self.learner.turn_back(now);
    }

    fn reset(&mut self, at: usize, value: f64, settings: &Settings) {
        self.learner.reset(at, value, settings);
        if let Some(model) = &mut self.model {
            model.reset(at);
        }
        self.parts.resize(self.learner.len(), 0.0);
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
        if let Some(number) = number {
            self.watch(number, around.counted);
        }
        if self.may_learn(time, number, around) {
            // As long as models do not know yet what was accepted, numbers are not what they will be.
            let settles = self.accepted.is_some_and(|at| self.gate.out() < at + SETTLE_FRAMES);
            if let Some(number) = number.filter(|_| !settles) {
                self.usual.learn(number);
                self.gate.learn(number);
            }
            self.learner.learn(&self.assembly, around.settings);
        }
        let made = self.learner.work(time, &self.assembly, self.model.as_ref(), around.settings);
        if let Some(model) = made {
            self.model = Some(model);
            around.counted.models += 1;
        }
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
            voice.deviation = voice.usual.deviation(own);
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
        let warm = self.learner.learned() >= WARM_UP && self.usual.is_warm();
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
        let shapley = shapley
            .and_then(|model| model.shapley(&self.z, self.learner.sample(), self.learner.learned() as u64));
        let parts: Option<Vec<f32>> =
            shapley.map(|values| values.into_iter().map(|value| value.max(0.0) as f32).collect());
        let judged = Judged { parts: parts.as_deref().unwrap_or(judged.parts), ..*judged };
        judged.anomaly(phase, &self.episode, voices, expected)
    }

    /// Whether the frame is one to learn from.
    fn may_learn(&mut self, time: Timestamp, number: Option<f64>, around: &mut Around<'_>) -> bool {
        if !number.is_some_and(|number| self.gate.is_shut(number)) {
            (self.shut_since, self.accepted) = (Timestamp::default(), None);
            return true;
        }
        if self.shut_since.is_unknown() {
            self.shut_since = time;
        }
        let out = self.gate.out();
        if out < ADAPT_FRAMES || time.since(self.shut_since) < around.settings.adapt_after {
            return false;
        }
        if self.accepted.is_none() {
            self.accepted = Some(out);
            around.counted.drifts += 1;
            self.accept(out as f64);
        }
        true
    }

    /// If models have ceased to hold for good, new ones are made, and what was seen since counts for more.
    fn watch(&mut self, number: f64, counted: &mut Counted) {
        let voices = self.voices.iter().map(|voice| voice.deviation);
        let together = self.usual.deviation(number);
        let Some(frames) = self.hold.observe(together, voices, self.assembly.interval()) else { return };
        // A departure that nothing is learned from may be a long fault: that it lasts is not enough, see `may_learn`.
        if self.gate.out() == 0 {
            counted.drifts += 1;
            self.learner.learn_anew(frames);
        }
    }

    /// What was out of the ordinary for so many frames is usual now: the past counts no more than that.
    fn accept(&mut self, frames: f64) {
        self.usual.forget_down_to(frames);
        self.gate.forget_down_to(frames);
        self.learner.learn_anew(frames);
    }
}
