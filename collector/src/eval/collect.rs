//! The end of the pipeline: what was scored and what was reported, by service.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hash, Hasher};

use analysis::detect::vectors;
use component::{ExportError, ExporterFactory};
use foldhash::fast::FixedState;
use indexmap::IndexMap;
use pdata::event::{Anomaly, Phase, Score};
use pdata::{Batch, Event, Signal, SignalSet, Timestamp};
use serde_json::{Map, Value};

use super::labels::Window;
use crate::plot::{Point, Trace};
use crate::sink::{Sink, factory};

/// How many series are kept to be drawn, of all services: about 150 MB.
const MOST_DRAWN: usize = 1000;

/// What came out.
#[derive(Debug, Default)]
pub(super) struct Collected {
    /// Whether somebody wants to see the series.
    draw: bool,
    drawn: usize,
    /// By name, in the order in which they came up.
    pub(super) services: IndexMap<String, Service>,
    /// How many points were scored.
    pub(super) points: u64,
}

/// What came out about one service.
#[derive(Debug, Default)]
pub(super) struct Service {
    /// The largest score of each moment, in the order in which they came; see [`Service::scores`].
    scores: Vec<(Timestamp, f64)>,
    /// The same for metrics that are judged together, which counts where there is one.
    together: Vec<(Timestamp, f64)>,
    series: HashSet<u64, FixedState>,
    /// What was reported.
    pub(super) episodes: Vec<Episode>,
    /// What is to be drawn.
    pub(super) traces: IndexMap<u64, Traced, FixedState>,
    /// The last episode of each series.
    last: HashMap<u64, usize, FixedState>,
}

/// A series as it is to be drawn.
#[derive(Debug)]
pub(super) struct Traced {
    /// What it is called.
    pub(super) name: String,
    /// Its unit (UCUM).
    pub(super) unit: String,
    /// Its points.
    pub(super) trace: Trace,
}

/// A stretch of time in which something was reported as out of the ordinary.
#[derive(Clone, Debug)]
pub(crate) struct Episode {
    /// From when it began to when it was last reported.
    pub(crate) window: Window,
    /// When it was first reported.
    pub(crate) reported: Timestamp,
    /// Whether it has ended.
    pub(crate) over: bool,
    /// In which series.
    pub(crate) series: u64,
    /// How odd it was at worst, and what was said about that.
    pub(crate) score: f64,
    /// See above.
    pub(crate) message: String,
}

/// The command's only exporter.
pub(super) const FACTORIES: &[ExporterFactory] =
    &[factory::<Collected>("eval", SignalSet::of(&[Signal::Events]))];

impl Sink for Collected {
    fn take(&mut self, batch: &Batch) -> Result<(), ExportError> {
        let Batch::Events(events) = batch else { return Ok(()) };
        for event in events.iter() {
            match event {
                Event::Score(score) => self.score(score),
                Event::Anomaly(anomaly) => self.anomaly(anomaly),
                Event::Incident(_) | Event::Forecast(_) | Event::Change(_) | Event::Action(_) => {}
            }
        }
        Ok(())
    }
}

impl Collected {
    /// Nothing yet; keeps the series if they are to be drawn.
    pub(super) fn drawing(draw: bool) -> Self {
        Self { draw, ..Self::default() }
    }

    fn service(&mut self, name: &str) -> &mut Service {
        if let Some(index) = self.services.get_index_of(name) {
            return &mut self.services[index];
        }
        self.services.entry(name.to_owned()).or_default()
    }

    fn score(&mut self, score: &Score) {
        let text = |key| score.series.get(key).and_then(Value::as_str).unwrap_or_default();
        let id = series_id(text("name"), &score.series);
        self.points += 1;
        let (draw, more) = (self.draw, self.drawn < MOST_DRAWN);
        let service = self.service(text("service.name"));
        service.series.insert(id);
        let drawn = draw && service.draw(id, score, more);
        let scores = if text("name") == vectors::NAME { &mut service.together } else { &mut service.scores };
        match scores.last_mut() {
            Some((time, highest)) if *time == score.time => *highest = highest.max(score.score),
            _ => scores.push((score.time, score.score)),
        }
        self.drawn += usize::from(drawn);
    }

    fn anomaly(&mut self, anomaly: &Anomaly) {
        let id = series_id(&anomaly.name, &anomaly.attributes);
        let service = self.service(&anomaly.service);
        let goes_on = matches!(anomaly.phase, Some(Phase::Continue | Phase::End));
        let last = service.last.get(&id).and_then(|index| service.episodes.get_mut(*index));
        match last {
            // One that comes back soon is the same one.
            Some(last) if goes_on => {
                last.window.end = last.window.end.max(anomaly.time);
                last.over = anomaly.is_over();
                if !last.over && anomaly.score > last.score {
                    (last.score, last.message) = (anomaly.score, anomaly.message.clone());
                }
            }
            _ if anomaly.is_over() => {}
            _ => {
                service.last.insert(id, service.episodes.len());
                let begin = anomaly.onset.unwrap_or(anomaly.time).min(anomaly.time);
                service.episodes.push(Episode {
                    window: Window { begin, end: anomaly.time },
                    reported: anomaly.time,
                    // A detector that does not say where a stretch begins does not say where it ends.
                    over: anomaly.phase.is_none(),
                    series: id,
                    score: anomaly.score,
                    message: anomaly.message.clone(),
                });
            }
        }
    }
}

impl Service {
    /// The largest score of each moment, in the order of time.
    pub(super) fn scores(&self) -> Vec<(Timestamp, f64)> {
        let mut scores = self.together.clone();
        let largest_first =
            |a: &(Timestamp, f64), b: &(Timestamp, f64)| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1));
        scores.sort_by(largest_first);
        scores.dedup_by_key(|(time, _)| *time);
        let n_together = scores.len();
        let mut single = self.scores.clone();
        single.sort_by(largest_first);
        single.dedup_by_key(|(time, _)| *time);
        let is_new = |(time, _): &(Timestamp, f64)| {
            scores[..n_together].binary_search_by_key(time, |(time, _)| *time).is_err()
        };
        single.retain(is_new);
        scores.extend(single);
        scores.sort_by_key(|(time, _)| *time);
        scores
    }

    /// Adds a point to what is drawn of its series. Returns whether the series is a new one, which it may be only if there is room
    /// for `more`.
    fn draw(&mut self, id: u64, score: &Score, more: bool) -> bool {
        let expected = score.expected;
        let point = Point { time: score.time, value: score.value, expected, score: score.score };
        if let Some(traced) = self.traces.get_mut(&id) {
            traced.trace.push(&point);
            return false;
        }
        if more {
            let mut traced =
                Traced { name: name_of(&score.series), unit: score.unit.clone(), trace: Trace::default() };
            traced.trace.push(&point);
            self.traces.insert(id, traced);
        }
        more
    }

    /// How many series were scored.
    pub(super) fn series(&self) -> usize {
        self.series.len()
    }
}

/// `cpu.utilization (cpu=0, state=user)`.
fn name_of(series: &Map<String, Value>) -> String {
    let text = |key| series.get(key).and_then(Value::as_str).unwrap_or_default();
    let is_own = |(key, _): &(&String, &Value)| !matches!(key.as_str(), "name" | "service.name");
    let pairs: Vec<_> = series
        .iter()
        .filter(is_own)
        .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)))
        .collect();
    match pairs[..] {
        [] => text("name").to_owned(),
        _ => format!("{} ({})", text("name"), pairs.join(", ")),
    }
}

/// What a series is known by within its service.
fn series_id(name: &str, attributes: &Map<String, Value>) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    name.hash(&mut hasher);
    for (key, value) in attributes {
        if let (Some(text), false) = (value.as_str(), matches!(key.as_str(), "name" | "service.name")) {
            (key, text).hash(&mut hasher);
        }
    }
    hasher.finish()
}
