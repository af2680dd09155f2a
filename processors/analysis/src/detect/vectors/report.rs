//! What is said about a vector: scores, anomalies, and the words for them.

use std::sync::Arc;

use pdata::event::{Anomaly, Contribution, Expected, Phase, Score, Source};
use pdata::{Event, Timestamp};
use serde_json::{Map, Value};

use super::NAME;
use super::frame::Metric;
use crate::detect::episode::Episode;
use crate::detect::findings::{Label, amount, range};
use crate::detect::point::{Nature, Unit};
use crate::detect::series::score;
use crate::detect::watcher::{Resource, SeriesTable};

/// Metrics that an anomaly names at most.
const NAMED: usize = 8;
/// Metrics that a score names.
const NAMED_IN_SCORE: usize = 3;
/// Metrics with a smaller share are not worth a name, in a sentence.
const WORTH_SAYING: f64 = 0.1;

/// The label of a resource's vector.
pub(super) fn label(resource: &Resource<'_>) -> Label {
    Label {
        service: Arc::clone(&resource.service),
        source: Source::Metric,
        name: NAME.into(),
        subject: "its metrics together".into(),
        attributes: resource.identifying().collect(),
        nature: Nature::default(),
    }
}

/// A frame, as it was judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged<'a> {
    pub(super) label: &'a Label,
    pub(super) time: Timestamp,
    pub(super) surprise: f64,
    /// The logarithm of the detectors' energies.
    pub(super) number: f64,
    pub(super) threshold: f64,
    /// Each metric's part.
    pub(super) parts: &'a [f32],
    pub(super) metrics: &'a [Metric],
    pub(super) series: &'a SeriesTable,
}

impl Judged<'_> {
    /// The frame's score.
    pub(super) fn score(&self) -> Event {
        let mut series = self.label.attributes();
        series.insert("service.name".to_owned(), Value::from(&*self.label.service));
        series.insert("name".to_owned(), Value::from(NAME));
        Event::Score(Score {
            time: self.time,
            series,
            value: self.number,
            score: score(self.surprise, self.threshold),
            expected: None,
            unit: String::new(),
            why: self.why(NAMED_IN_SCORE).into_iter().map(|(_, contribution)| contribution).collect(),
        })
    }

    /// The metrics that contribute most, with their positions; largest first.
    fn why(&self, most: usize) -> Vec<(usize, Contribution)> {
        let total: f32 = self.parts.iter().sum();
        let mut order: Vec<usize> = (0..self.parts.len()).filter(|at| self.parts[*at] > 0.0).collect();
        order.sort_by(|a, b| self.parts[*b].total_cmp(&self.parts[*a]));
        order.truncate(most);
        let contribution =
            |at: usize| Contribution { feature: self.feature(at), share: f64::from(self.parts[at] / total) };
        order.into_iter().map(|at| (at, contribution(at))).collect()
    }

    fn of(&self, at: usize) -> Option<&Label> {
        self.series.label(self.metrics.get(at)?.id)
    }

    /// The metric's name, with what tells it apart from others of that name.
    fn feature(&self, at: usize) -> String {
        let Some(label) = self.of(at) else { return "a metric that is not watched any more".to_owned() };
        let own = label.attributes.iter().filter(|pair| !self.label.attributes.contains(pair));
        let own: Vec<String> = own.map(|(key, value)| format!("{key}={value}")).collect();
        if own.is_empty() { label.name.to_string() } else { format!("{}{{{}}}", label.name, own.join(",")) }
    }

    /// What there is to report. `voices` are the detectors' names and surprises; `expected` gives a metric's usual range.
    pub(super) fn anomaly(
        &self,
        phase: Phase,
        episode: &Episode,
        voices: Vec<(&'static str, f64)>,
        expected: impl Fn(usize) -> Option<(f64, f64, f64)>,
    ) -> Event {
        let why = self.why(NAMED);
        let top = why.first().map(|(at, _)| *at);
        let observed = top.and_then(|at| self.metrics.get(at)).map_or(0.0, |metric| metric.last);
        let (low, mid, high) = top.and_then(expected).unwrap_or((observed, observed, observed));
        let message = match phase {
            Phase::End => format!("{}: its metrics fit together as usual again", self.label.service),
            Phase::Begin | Phase::Continue => self.sentence(&why, observed, (low, high), phase),
        };
        let ended = phase == Phase::End;
        Event::Anomaly(Anomaly {
            score: score(if ended { 0.0 } else { self.surprise }, self.threshold),
            observed,
            expected: Expected { low, mid, high },
            detectors: voices
                .into_iter()
                .map(|(name, surprise)| (name.to_owned(), score(surprise, self.threshold)))
                .collect(),
            why: if ended { Vec::new() } else { why.into_iter().map(|(_, why)| why).collect() },
            ..bare(self.label, self.time, phase, episode, message)
        })
    }

    fn sentence(
        &self,
        why: &[(usize, Contribution)],
        observed: f64,
        (low, high): (f64, f64),
        phase: Phase,
    ) -> String {
        let subject = |at: usize| self.of(at).map_or("a metric", |label| &label.subject);
        let named: Vec<&str> = why
            .iter()
            .filter(|(_, why)| why.share >= WORTH_SAYING)
            .take(4)
            .map(|(at, _)| subject(*at))
            .collect();
        let subjects = match named.as_slice() {
            [] => "its metrics".to_owned(),
            [only] => (*only).to_owned(),
            [first @ .., last] => format!("{} and {last}", first.join(", ")),
        };
        let how =
            if named.len() == 1 { "does not fit the other metrics" } else { "do not fit the other metrics" };
        let still = if phase == Phase::Continue { " still" } else { "" };
        let unit = why.first().and_then(|(at, _)| self.of(*at)).map_or(Unit::None, |label| label.nature.unit);
        let top = why.first().map_or("the first", |(at, _)| subject(*at));
        format!(
            "{}: {subjects}{still} {how} as usual: {top} is {}, with the others as they are usually {}",
            self.label.service,
            amount(observed, unit),
            range(low, high, unit)
        )
    }
}

/// The report on a vector that has ended while something was odd.
pub(super) fn gone(label: &Label, time: Timestamp, episode: &Episode) -> Event {
    let message = format!("{}: its metrics are no longer reported", label.service);
    Event::Anomaly(bare(label, time, Phase::End, episode, message))
}

fn bare(label: &Label, time: Timestamp, phase: Phase, episode: &Episode, message: String) -> Anomaly {
    let attributes: Map<String, Value> = label.attributes();
    Anomaly {
        time,
        service: label.service.to_string(),
        signal: label.source,
        name: label.name.to_string(),
        attributes,
        phase: Some(phase),
        onset: Some(episode.onset()),
        score: score(0.0, 1.0),
        severity: episode.severity(),
        observed: 0.0,
        expected: Expected { low: 0.0, mid: 0.0, high: 0.0 },
        detectors: std::collections::BTreeMap::new(),
        why: Vec::new(),
        message,
        log: None,
    }
}
