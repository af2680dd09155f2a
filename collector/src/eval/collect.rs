//! The end of the pipeline: what was scored and what was reported, by service.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hash, Hasher};

use component::{ExportError, ExporterFactory};
use foldhash::fast::FixedState;
use indexmap::IndexMap;
use pdata::event::{Anomaly, Phase, Score};
use pdata::{Batch, Event, Signal, SignalSet, Timestamp};
use serde_json::{Map, Value};

use super::labels::Window;
use crate::sink::{Sink, factory};

/// What came out.
#[derive(Debug, Default)]
pub(super) struct Collected {
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
    series: HashSet<u64, FixedState>,
    /// What was reported.
    pub(super) episodes: Vec<Episode>,
    /// The last episode of each series.
    last: HashMap<u64, usize, FixedState>,
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
        let service = self.service(text("service.name"));
        service.series.insert(id);
        match service.scores.last_mut() {
            Some((time, highest)) if *time == score.time => *highest = highest.max(score.score),
            _ => service.scores.push((score.time, score.score)),
        }
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
                });
            }
        }
    }
}

impl Service {
    /// The largest score of each moment, in the order of time.
    pub(super) fn scores(&self) -> Vec<(Timestamp, f64)> {
        let mut scores = self.scores.clone();
        // Stable, and the largest one of a moment comes first.
        scores.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
        scores.dedup_by_key(|(time, _)| *time);
        scores
    }

    /// How many series were scored.
    pub(super) fn series(&self) -> usize {
        self.series.len()
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
