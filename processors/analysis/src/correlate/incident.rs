//! One incident: its symptoms, when it opens, changes and ends, and the words for it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pdata::Timestamp;
use pdata::event::{Evidence, Incident, IncidentState, RootCause, Severity};
use serde::{Deserialize, Serialize};

use super::evidence::{Aspect, Family, Symptom};
use super::rank::{Candidate, rank};
use crate::graph::ServiceGraph;

/// More symptoms than this are counted, not kept.
const MOST_SYMPTOMS: usize = 512;
const MOST_CAUSES: usize = 5;
const MOST_EVIDENCE: usize = 6;
/// How long a path is looked for.
const LONGEST_PATH: usize = 8;

/// When an incident opens and ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lifecycle {
    /// How far apart onsets may be that belong together.
    pub window: Duration,
    /// How long evidence is gathered, once there is enough of it, before an incident opens.
    pub hold: Duration,
    /// How long everything must be calm before it is over.
    pub resolve_after: Duration,
    /// The least time between two revisions, unless it gets worse.
    pub update_interval: Duration,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(300),
            hold: Duration::from_secs(30),
            resolve_after: Duration::from_secs(60),
            update_interval: Duration::from_secs(60),
        }
    }
}

/// A group of symptoms: a suspicion at first, an incident once there is enough evidence.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Case {
    /// Empty until it opens.
    pub id: String,
    revision: u64,
    opened: Timestamp,
    /// When the first symptom was reported.
    first: Timestamp,
    last_onset: Timestamp,
    /// Since when the evidence suffices. The first to suffer are often not those at the root.
    convinced: Option<Timestamp>,
    symptoms: BTreeMap<u64, Symptom>,
    anomalies: u64,
    overflow: u64,
    /// Since when no symptom is active.
    calm_since: Option<Timestamp>,
    told: Told,
}

/// What the last revision said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Told {
    at: Timestamp,
    root: Option<String>,
    services: BTreeSet<String>,
    severity: Severity,
}

impl Case {
    /// A suspicion with one symptom.
    pub fn new(key: u64, symptom: Symptom) -> Self {
        let mut case = Self {
            id: String::new(),
            revision: 0,
            opened: Timestamp::default(),
            first: symptom.last,
            last_onset: Timestamp::default(),
            convinced: None,
            symptoms: BTreeMap::new(),
            anomalies: 0,
            overflow: 0,
            calm_since: None,
            told: Told::default(),
        };
        case.add(key, symptom);
        case
    }

    /// Whether it is an incident already.
    pub const fn is_open(&self) -> bool {
        !self.id.is_empty()
    }

    /// Whether the series `key` is among its symptoms.
    pub fn holds(&self, key: u64) -> bool {
        self.symptoms.contains_key(&key)
    }

    /// Takes a report in.
    pub fn add(&mut self, key: u64, symptom: Symptom) {
        let last = symptom.last;
        if symptom.active {
            self.anomalies += 1;
        }
        self.put(key, symptom);
        let calm = self.symptoms.values().all(|symptom| !symptom.active);
        self.calm_since = calm.then(|| self.calm_since.unwrap_or(last));
    }

    fn put(&mut self, key: u64, symptom: Symptom) {
        if let Some(known) = self.symptoms.get_mut(&key) {
            known.update(symptom);
        } else if self.symptoms.len() < MOST_SYMPTOMS {
            self.last_onset = self.last_onset.max(symptom.onset);
            self.symptoms.insert(key, symptom);
        } else {
            self.overflow += 1;
        }
    }

    /// Declares symptoms that were not reported for `limit` to be over.
    pub fn expire(&mut self, now: Timestamp, limit: Duration) {
        for symptom in self.symptoms.values_mut() {
            if symptom.active && now.since(symptom.last) > limit {
                symptom.active = false;
            }
        }
        if self.calm_since.is_none() && self.symptoms.values().all(|symptom| !symptom.active) {
            self.calm_since = Some(now);
        }
    }

    /// Whether `symptom` belongs here: about the same time, and about services that call each other.
    pub fn takes(&self, symptom: &Symptom, graph: &ServiceGraph, lifecycle: &Lifecycle) -> bool {
        let services: BTreeSet<&str> = self.symptoms.values().flat_map(Symptom::services).collect();
        let same = symptom.services().any(|service| services.contains(service));
        let apart = symptom.onset.since(self.last_onset).max(self.last_onset.since(symptom.onset));
        if apart > lifecycle.window && !(same && self.calm_since.is_none()) {
            return false;
        }
        let near = |a: &str, b: &str| graph.reaches(a, b, 2) || graph.reaches(b, a, 2);
        same || symptom.services().any(|new| services.iter().any(|old| near(new, old)))
    }

    /// Takes all of another's symptoms over.
    pub fn absorb(&mut self, other: &Self) {
        for (key, symptom) in &other.symptoms {
            self.put(*key, symptom.clone());
        }
        self.anomalies += other.anomalies;
        self.last_onset = self.last_onset.max(other.last_onset);
        self.first = self.first.min(other.first);
        if other.calm_since.is_none() {
            self.calm_since = None;
        }
    }

    /// Whether two incidents are one: they began together and share services that suffer.
    pub fn is_same_as(&self, other: &Self, graph: &ServiceGraph, lifecycle: &Lifecycle) -> bool {
        let (a, b) = (self.onset(), other.onset());
        let together = a.since(b).max(b.since(a)) <= lifecycle.window;
        let root = |case: &Self| rank(case.symptoms.values(), graph).first().map(|root| root.service.clone());
        together && !self.services().is_disjoint(&other.services()) && root(self) == root(other)
    }

    /// Forgets everything; it has become part of another.
    pub fn clear(&mut self) {
        self.symptoms.clear();
    }

    /// Whether there is nothing in it.
    pub fn is_cleared(&self) -> bool {
        self.symptoms.is_empty()
    }

    /// Opens it if the evidence suffices, and points somewhere: what has no likely cause helps nobody at night.
    pub fn try_open(&mut self, now: Timestamp, graph: &ServiceGraph, lifecycle: &Lifecycle) -> bool {
        if self.is_open() {
            return false;
        }
        let convinces = self.convinces(now) && !rank(self.symptoms.values(), graph).is_empty();
        self.convinced = convinces.then(|| self.convinced.unwrap_or(now));
        if self.convinced.is_none_or(|since| now.since(since) < lifecycle.hold) {
            return false;
        }
        self.opened = now;
        let seed = self.symptoms.values().min_by_key(|symptom| (symptom.onset, symptom.signal.as_str()));
        let seed = seed.map_or_else(String::new, |symptom| format!("{}/{}", symptom.service, symptom.signal));
        let hash = crate::identity::Identity::new().number(now.as_nanos()).text(&seed).finish();
        self.id = format!("inc-{hash:016x}");
        true
    }

    /// Several kinds of evidence together, or a single one that lasts: the weaker, the longer.
    fn convinces(&self, now: Timestamp) -> bool {
        let mut families: BTreeMap<(&str, Family), f64> = BTreeMap::new();
        let mut longest: f64 = 0.0;
        for symptom in self.symptoms.values().filter(|symptom| symptom.aspect.family() != Family::Weak) {
            let strength = symptom.surprise / 6.0;
            let about = symptom.peer.as_deref().unwrap_or(&symptom.service);
            let best = families.entry((about, symptom.aspect.family())).or_default();
            *best = best.max(strength);
            let until = if symptom.active { now } else { symptom.last };
            longest = longest.max(strength * until.since(symptom.onset).as_secs_f64() / 60.0);
        }
        let total: f64 = families.values().sum();
        (families.len() >= 2 && total >= 3.0) || longest >= 6.0
    }

    /// Whether it is over.
    pub fn is_over(&self, now: Timestamp, lifecycle: &Lifecycle) -> bool {
        self.calm_since.is_some_and(|since| now.since(since) >= lifecycle.resolve_after)
    }

    /// The state to report now, if something worth telling has changed since the last revision.
    pub fn news(
        &mut self,
        state: IncidentState,
        now: Timestamp,
        graph: &ServiceGraph,
        lifecycle: &Lifecycle,
    ) -> Option<Incident> {
        let ranking = rank(self.symptoms.values(), graph);
        let told = Told {
            at: now,
            root: ranking.first().map(|candidate| candidate.service.clone()),
            services: self.services(),
            severity: self.severity(graph),
        };
        if state == IncidentState::Updated {
            let worse = told.severity > self.told.severity;
            let changed = told.root != self.told.root || told.services != self.told.services;
            let due = now.since(self.told.at) >= lifecycle.update_interval;
            if !(worse || (changed && due)) {
                return None;
            }
        }
        let incident = self.describe(state, &told, &ranking, graph);
        self.revision += 1;
        self.told = told;
        Some(incident)
    }

    /// When it opened; its age decides which of two survives a merge.
    pub const fn age(&self) -> (Timestamp, Timestamp) {
        (self.opened, self.first)
    }

    /// When it first showed.
    pub fn onset(&self) -> Timestamp {
        self.symptoms.values().map(|symptom| symptom.onset).min().unwrap_or(self.first)
    }

    /// Every service involved.
    pub fn services(&self) -> BTreeSet<String> {
        self.symptoms.values().flat_map(Symptom::services).map(str::to_owned).collect()
    }

    /// Bad for users: errors or latency where nobody calls from inside.
    fn severity(&self, graph: &ServiceGraph) -> Severity {
        let worst = self.symptoms.values().map(|symptom| symptom.severity).max().unwrap_or_default();
        let users = self.symptoms.values().any(|symptom| {
            matches!(symptom.aspect, Aspect::Errors | Aspect::Latency)
                && graph.callers(&symptom.service).is_empty()
                && !graph.callees(&symptom.service).is_empty()
        });
        match worst {
            Severity::Error if users => Severity::Critical,
            Severity::Warning if users => Severity::Error,
            worst => worst,
        }
    }

    fn describe(
        &self,
        state: IncidentState,
        told: &Told,
        ranking: &[Candidate<'_>],
        graph: &ServiceGraph,
    ) -> Incident {
        let path = ranking.first().map_or_else(Vec::new, |root| self.path(&root.service, graph));
        let others: Vec<&str> = told
            .services
            .iter()
            .map(String::as_str)
            .filter(|service| Some(*service) != told.root.as_deref())
            .collect();
        Incident {
            id: self.id.clone(),
            revision: self.revision + 1,
            state,
            severity: told.severity,
            title: title(ranking.first(), &others),
            opened: self.opened,
            updated: told.at,
            resolved: (state == IncidentState::Resolved).then_some(told.at),
            root_causes: ranking.iter().take(MOST_CAUSES).map(cause).collect(),
            services: told.services.iter().cloned().collect(),
            anomalies: self.anomalies,
            summary: summary(state, ranking, &path, &others),
            path,
            changes: Vec::new(),
            merged_into: None,
        }
    }

    /// From the root to the farthest caller that suffers, along services that suffer.
    fn path(&self, root: &str, graph: &ServiceGraph) -> Vec<String> {
        let services = self.services();
        let involved = |service: &str| services.contains(service);
        let paths = services.iter().filter_map(|from| graph.path(from, root, LONGEST_PATH, &involved));
        let longest = paths.max_by(|a, b| a.len().cmp(&b.len()).then_with(|| b.cmp(a)));
        longest.map_or_else(
            || vec![root.to_owned()],
            |path| path.iter().rev().map(|name| (**name).to_owned()).collect(),
        )
    }
}

impl Symptom {
    /// The services that it involves.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.service.as_str()).chain(self.peer.as_deref())
    }
}

fn cause(candidate: &Candidate<'_>) -> RootCause {
    let evidence = candidate.evidence.iter().take(MOST_EVIDENCE).map(|symptom| Evidence {
        signal: symptom.signal.clone(),
        observed: symptom.observed,
        baseline: symptom.baseline,
        surprise: symptom.surprise,
        onset: symptom.onset,
        message: symptom.message.clone(),
    });
    RootCause {
        service: candidate.service.clone(),
        confidence: (candidate.confidence * 1000.0).round() / 1000.0,
        kind: candidate.kind.to_owned(),
        evidence: evidence.collect(),
    }
}

fn title(root: Option<&Candidate<'_>>, others: &[&str]) -> String {
    let Some(root) = root else { return "Unusual behaviour without a clear cause".to_owned() };
    let aspect = root.evidence.first().map(|symptom| symptom.aspect);
    let what = match (root.kind, aspect) {
        ("resource", Some(Aspect::Cpu)) => "uses unusually much processor time",
        ("resource", Some(Aspect::Memory | Aspect::Restart)) => "uses unusually much memory",
        ("resource", _) => "runs short of a resource",
        ("latency", _) => "is slow",
        ("errors", _) => "fails requests",
        ("crash", _) => "keeps restarting",
        ("traffic", _) => "has unusual traffic",
        _ => "behaves unusually",
    };
    let affected = match others {
        [] => String::new(),
        [one] => format!(", {one} affected"),
        [rest @ .., last] if rest.len() <= 2 => format!(", {} and {last} affected", rest.join(", ")),
        all => format!(", {} services affected", all.len()),
    };
    format!("{} {what}{affected}", root.service)
}

fn summary(state: IncidentState, ranking: &[Candidate<'_>], path: &[String], others: &[&str]) -> String {
    let mut text = String::new();
    if state == IncidentState::Resolved {
        text.push_str("Everything is back in its usual range. ");
    }
    let Some(root) = ranking.first() else {
        text.push_str("Several signals left their usual range, none of which points to a cause.");
        return text;
    };
    let percent = (root.confidence * 100.0).round();
    text.push_str(&format!("Most likely cause: {} ({}, {percent:.0}% sure).", root.service, root.kind));
    for symptom in root.evidence.iter().take(2) {
        text.push_str(&format!(" {}.", symptom.message));
    }
    if path.len() > 1 {
        text.push_str(&format!(" It spreads along {}.", path.join(" <- ")));
    } else if !others.is_empty() {
        text.push_str(&format!(" Also affected: {}.", others.join(", ")));
    }
    if let Some(second) = ranking.get(1).filter(|second| second.score > 0.7 * root.score) {
        text.push_str(&format!(" {} is nearly as likely.", second.service));
    }
    text
}
