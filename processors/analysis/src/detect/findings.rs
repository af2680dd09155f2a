//! From scored points to events, and the words for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use pdata::Event;
use pdata::event::{Anomaly, Contribution, Expected, Phase, Score, Source};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::budget::Budget;
use super::excursions::Excursions;
use super::point::{Nature, Point, Unit};
use super::series::{Scored, Series, Settings, score};

/// Keys and values that identify a series beside its service and name.
pub type Attributes = Box<[(Box<str>, Box<str>)]>;

/// What a series is called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// `service.name`.
    pub service: Arc<str>,
    /// In which kind of telemetry it was found.
    pub source: Source,
    /// The metric, template or edge, with the derived statistic.
    pub name: Box<str>,
    /// What it is, in words that fit before "is 3": `p95 latency of POST /cart`.
    pub subject: Box<str>,
    /// What else identifies it.
    pub attributes: Attributes,
    /// What is known about its values.
    pub nature: Nature,
}

impl Label {
    pub(super) fn attributes(&self) -> Map<String, Value> {
        let text = |(key, value): &(Box<str>, Box<str>)| (key.to_string(), Value::String(value.to_string()));
        self.attributes.iter().map(text).collect()
    }
}

/// A series with its name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Named {
    /// What it is called.
    pub label: Label,
    /// What was learned.
    pub series: Series,
    /// How often it left its usual range, if it ever did.
    pub excursions: Option<Box<Excursions>>,
}

/// Collects events.
#[derive(Debug, Default)]
pub struct Findings {
    /// What was found.
    pub events: Vec<Event>,
    /// Whether every scored point becomes an event, too.
    pub emit_scores: bool,
    /// Whether a point whose series is part of a vector does, too.
    pub emit_series_scores: bool,
    /// Whether the vector of the resource that is looked at has scores of its own.
    pub(super) in_vector: bool,
    /// Frames of vectors that were judged.
    pub vectors: u64,
    /// Points that were scored.
    pub scored: u64,
    /// Points that were not looked at.
    pub ignored: u64,
}

impl Findings {
    /// Findings of anomalies, and of every score if wanted.
    pub fn new(emit_scores: bool) -> Self {
        Self { emit_scores, ..Self::default() }
    }

    /// Shows a series its next point and notes what comes of it. Gives what was thought of it, if it was looked at.
    pub fn observe(
        &mut self,
        named: &mut Named,
        point: Point,
        settings: &Settings,
        budget: &mut Budget,
    ) -> Option<Scored> {
        let was_open = named.series.episode().is_open();
        let Ok(scored) = named.series.observe(point, named.label.nature, settings) else {
            self.ignored += 1;
            return None;
        };
        self.scored += 1;
        if self.emit_scores && (self.emit_series_scores || !self.in_vector) {
            self.events.push(Event::Score(score_of(&named.label, &point, &scored)));
        }
        if let Some(phase) = budget.told(named, point.time, &scored, was_open, settings) {
            self.events.push(Event::Anomaly(anomaly(named, &point, &scored, phase, settings)));
        }
        Some(scored)
    }

    /// Ends the episode of a series that has ended.
    pub fn end(&mut self, named: &mut Named, budget: &mut Budget) {
        if named.series.end() && budget.ended(named.excursions.as_deref()) {
            let onset = named.series.episode().onset();
            let label = &named.label;
            self.events.push(Event::Anomaly(Anomaly {
                time: named.series.last(),
                service: label.service.to_string(),
                signal: label.source,
                name: label.name.to_string(),
                attributes: label.attributes(),
                phase: Some(Phase::End),
                onset: Some(onset),
                score: score(0.0, 1.0),
                severity: named.series.episode().severity(),
                observed: 0.0,
                expected: Expected { low: 0.0, mid: 0.0, high: 0.0 },
                detectors: BTreeMap::new(),
                why: Vec::new(),
                message: format!("{}: {} is no longer reported", label.service, label.subject),
                log: None,
            }));
        }
    }
}

fn score_of(label: &Label, point: &Point, scored: &Scored) -> Score {
    let mut series = label.attributes();
    series.insert("service.name".to_owned(), Value::from(&*label.service));
    series.insert("name".to_owned(), Value::from(&*label.name));
    let verdict = &scored.verdict;
    Score {
        time: point.time,
        series,
        value: point.value,
        score: scored.rank,
        // The first points have nothing to be compared with.
        expected: (verdict.low < verdict.high).then_some(Expected {
            low: verdict.low,
            mid: verdict.mid,
            high: verdict.high,
        }),
        unit: ucum(label.nature.unit).to_owned(),
        why: Vec::new(),
    }
}

/// The unit as it is written in telemetry; empty if it is none.
const fn ucum(unit: Unit) -> &'static str {
    match unit {
        Unit::None => "",
        Unit::Seconds => "s",
        Unit::Milliseconds => "ms",
        Unit::Microseconds => "us",
        Unit::Nanoseconds => "ns",
        Unit::Bytes => "By",
        Unit::BytesPerSecond => "By/s",
        Unit::Ratio => "1",
        Unit::PerSecond => "1/s",
    }
}

fn anomaly(named: &Named, point: &Point, scored: &Scored, phase: Phase, settings: &Settings) -> Anomaly {
    let label = &named.label;
    let verdict = &scored.verdict;
    let ended = phase == Phase::End;
    let parts: Vec<(&str, f64)> = verdict.opinions.iter().map(|(name, d)| (*name, d.abs())).collect();
    let total: f64 = parts.iter().map(|(_, deviation)| deviation * deviation).sum();
    let share = |(name, deviation): &(&str, f64)| Contribution {
        feature: (*name).to_owned(),
        share: if total > 0.0 { deviation * deviation / total } else { 0.0 },
    };
    let mut why: Vec<Contribution> = if ended { Vec::new() } else { parts.iter().map(share).collect() };
    why.sort_by(|a, b| b.share.total_cmp(&a.share));
    Anomaly {
        time: point.time,
        service: label.service.to_string(),
        signal: label.source,
        name: label.name.to_string(),
        attributes: label.attributes(),
        phase: Some(phase),
        onset: Some(named.series.episode().onset()),
        score: scored.score,
        severity: named.series.episode().severity(),
        observed: point.value,
        expected: Expected { low: verdict.low, mid: verdict.mid, high: verdict.high },
        detectors: parts
            .iter()
            .map(|(name, deviation)| ((*name).to_owned(), score(*deviation, settings.threshold)))
            .collect(),
        why,
        message: sentence(label, point.value, (verdict.low, verdict.high), phase),
        log: None,
    }
}

fn sentence(label: &Label, observed: f64, (low, high): (f64, f64), phase: Phase) -> String {
    let unit = label.nature.unit;
    let observed = amount(observed, unit);
    let usual = range(low, high, unit);
    let (service, subject) = (&label.service, &label.subject);
    match phase {
        Phase::Begin => format!("{service}: {subject} is {observed}, usually {usual}"),
        Phase::Continue => {
            format!("{service}: {subject} is still out of the ordinary at {observed}, usually {usual}")
        }
        Phase::End => format!("{service}: {subject} is back to normal at {observed}"),
    }
}

/// A range for a person, such as `80-120 ms`.
pub fn range(low: f64, high: f64, unit: Unit) -> String {
    let (low, high) = (amount(low, unit), amount(high, unit));
    if low == high {
        return high;
    }
    match (low.split_once(' '), high.split_once(' ')) {
        (Some((number, a)), Some((_, b))) if a == b && !number.starts_with('-') => format!("{number}-{high}"),
        (None, None) if low.ends_with('%') && !low.starts_with('-') => {
            format!("{}-{high}", low.trim_end_matches('%'))
        }
        (None, None) if !low.starts_with('-') => format!("{low}-{high}"),
        _ => format!("{low} to {high}"),
    }
}

/// A value for a person: three significant digits and a fitting unit.
pub fn amount(value: f64, unit: Unit) -> String {
    let time = |seconds: f64| match seconds.abs() {
        s if s >= 1.0 || s == 0.0 => format!("{} s", digits(seconds)),
        s if s >= 1e-3 => format!("{} ms", digits(seconds * 1e3)),
        s if s >= 1e-6 => format!("{} us", digits(seconds * 1e6)),
        _ => format!("{} ns", digits(seconds * 1e9)),
    };
    let bytes = |bytes: f64| {
        let steps = [(1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
        let (factor, name) =
            steps.into_iter().find(|(factor, _)| bytes.abs() >= *factor).unwrap_or((1.0, "B"));
        format!("{} {name}", digits(bytes / factor))
    };
    match unit {
        Unit::None => digits(value),
        Unit::Seconds => time(value),
        Unit::Milliseconds => time(value / 1e3),
        Unit::Microseconds => time(value / 1e6),
        Unit::Nanoseconds => time(value / 1e9),
        Unit::Bytes => bytes(value),
        Unit::BytesPerSecond => format!("{}/s", bytes(value)),
        Unit::Ratio => format!("{}%", digits(value * 100.0)),
        Unit::PerSecond => format!("{}/s", digits(value)),
    }
}

fn digits(value: f64) -> String {
    let decimals = match value.abs() {
        v if v == 0.0 || v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 => 2,
        v if v >= 0.1 => 3,
        v if v >= 1e-4 => 5,
        _ => return if value == 0.0 { "0".to_owned() } else { format!("{value:.1e}") },
    };
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    text.strip_prefix("-0").filter(|rest| rest.is_empty()).map_or_else(|| text.to_owned(), |_| "0".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_well() {
        assert_eq!(amount(2.4, Unit::Seconds), "2.4 s");
        assert_eq!(amount(0.0834, Unit::Seconds), "83.4 ms");
        assert_eq!(amount(1.5e9, Unit::Bytes), "1.5 GB");
        assert_eq!(amount(0.125, Unit::Ratio), "12.5%");
        assert_eq!(amount(12_345.0, Unit::None), "12345");
        assert_eq!(amount(0.0, Unit::PerSecond), "0/s");
        assert_eq!(range(0.08, 0.12, Unit::Seconds), "80-120 ms");
        assert_eq!(range(0.0, 0.01, Unit::Ratio), "0-1%");
        assert_eq!(range(-5.0, 5.0, Unit::None), "-5 to 5");
        assert_eq!(range(0.9, 1.2, Unit::Seconds), "900 ms to 1.2 s");
    }
}
