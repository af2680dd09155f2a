//! Which departures belong together, and what is at the root of them.
//!
//! Anomalies go in, revisions of incidents come out. Symptoms join a case by time and by closeness in the
//! service graph ([`incident`]); what each says about whom is in [`evidence`]; [`rank`] finds the root.

pub mod calls;
pub mod evidence;
pub mod incident;
pub mod rank;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use pdata::event::{Anomaly, Change, Incident, IncidentState};
use pdata::{Event, Timestamp, Traces};
use serde::{Deserialize, Serialize};

use self::calls::{Calls, SavedCalls};
use self::evidence::{Symptom, identity};
use self::incident::Case;
pub use self::incident::Lifecycle;
use crate::detect::{Findings, Settings, vectors};
use crate::event_time::{AHEAD, EventTime};
use crate::graph::{SavedGraph, ServiceGraph};
use crate::snapshot::{self, SnapshotError};

/// More cases than this are not kept: the oldest suspicion makes room.
const MOST_CASES: usize = 256;
const MOST_CHANGES: usize = 256;
/// Changes this long before the onset may have to do with an incident.
const CHANGE_WINDOW: Duration = Duration::from_secs(1800);
/// A symptom that is not reported again for this long is over: its detector repeats what goes on.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(900);
const VERSION: u32 = 2;

/// Makes incidents of anomalies.
#[derive(Debug)]
pub struct Correlator {
    lifecycle: Lifecycle,
    graph: ServiceGraph,
    calls: Calls,
    cases: Vec<Case>,
    changes: VecDeque<Change>,
    /// Which times of anomalies are to be believed.
    time: EventTime,
    now: Timestamp,
    /// When a tick last saw time move in the data.
    heard: Timestamp,
    heard_now: Timestamp,
    forgot: Timestamp,
    dropped: u64,
}

#[derive(Serialize)]
struct Writing<'a> {
    graph: SavedGraph,
    calls: SavedCalls,
    cases: &'a [Case],
    now: Timestamp,
}

#[derive(Deserialize)]
struct Reading {
    graph: SavedGraph,
    calls: SavedCalls,
    cases: Vec<Case>,
    now: Timestamp,
}

impl Correlator {
    /// Knows nothing yet.
    pub fn new(lifecycle: Lifecycle, settings: Settings) -> Self {
        Self {
            lifecycle,
            graph: ServiceGraph::default(),
            calls: Calls::new(settings),
            cases: Vec::new(),
            changes: VecDeque::new(),
            time: EventTime::default(),
            now: Timestamp::default(),
            heard: Timestamp::default(),
            heard_now: Timestamp::default(),
            forgot: Timestamp::default(),
            dropped: 0,
        }
    }

    /// Looks at spans: who calls whom, and what is lost in between. Gives anomalies and incidents.
    pub fn traces(&mut self, traces: &Traces) -> Vec<Event> {
        let mut findings = Findings::default();
        self.calls.read(traces, &mut self.graph, &mut findings);
        self.now = self.now.max(self.calls.newest());
        self.after(findings)
    }

    /// Looks at events that others found.
    pub fn events(&mut self, events: &[Event]) -> Vec<Event> {
        for event in events {
            match event {
                Event::Anomaly(anomaly) => self.anomaly(anomaly),
                Event::Change(change) => {
                    if self.changes.len() >= MOST_CHANGES {
                        self.changes.pop_front();
                    }
                    self.changes.push_back(change.clone());
                }
                Event::Incident(_) | Event::Score(_) | Event::Forecast(_) | Event::Action(_) => {}
            }
        }
        self.review()
    }

    /// Lets time pass. Only how much of it passes without data counts, not what the clock shows.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Event> {
        self.time.tick(now);
        if self.now > now + AHEAD {
            // An anomaly from the future came before there was a clock to know it by.
            self.now = now;
        }
        if self.now > self.heard_now {
            self.heard = now;
            self.heard_now = self.now;
        } else if !self.heard.is_unknown() {
            self.now = self.heard_now + now.since(self.heard);
            self.heard_now = self.now;
            self.heard = now;
        }
        let mut findings = Findings::default();
        self.calls.tick(now, &mut findings);
        if self.now.since(self.forgot) > Duration::from_secs(600) {
            self.graph.forget(self.now);
            self.forgot = self.now;
        }
        self.after(findings)
    }

    /// How many incidents are open.
    pub fn open(&self) -> usize {
        self.cases.iter().filter(|case| case.is_open()).count()
    }

    /// Who calls whom.
    pub const fn graph(&self) -> &ServiceGraph {
        &self.graph
    }

    /// How many suspicions had to make room so far.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The graph and all open incidents.
    ///
    /// # Errors
    /// If they cannot be encoded, which no state that this type can be in causes.
    pub fn snapshot(&self) -> Result<Vec<u8>, SnapshotError> {
        let (graph, calls) = (SavedGraph::from(&self.graph), self.calls.save());
        let state = Writing { graph, calls, cases: &self.cases, now: self.now };
        snapshot::encode(VERSION, &state)
    }

    /// Takes over what an earlier one knew.
    ///
    /// # Errors
    /// If the snapshot is damaged or of another version; nothing has changed then.
    pub fn restore(&mut self, snapshot: &[u8]) -> Result<(), SnapshotError> {
        let saved: Reading = snapshot::decode(VERSION, snapshot)?;
        self.graph = saved.graph.into();
        self.calls.restore(saved.calls);
        self.cases = saved.cases;
        self.now = saved.now;
        Ok(())
    }

    /// Handles what was found in here and looks at all cases.
    fn after(&mut self, findings: Findings) -> Vec<Event> {
        for event in &findings.events {
            if let Event::Anomaly(anomaly) = event {
                self.anomaly(anomaly);
            }
        }
        let mut events = findings.events;
        events.extend(self.review());
        events
    }

    fn anomaly(&mut self, anomaly: &Anomaly) {
        if self.time.observe(anomaly.time) {
            self.now = self.now.max(anomaly.time);
        }
        // That a service's metrics no longer fit together says neither what is wrong nor where it came from. On Nezha's recordings it
        // kept incidents open for longer, into which the next fault then fell: 30 % of the faults were detected instead of 39 %. The
        // series that are out of their own range are evidence enough.
        if anomaly.name == vectors::NAME {
            return;
        }
        let key = identity(anomaly);
        let symptom = Symptom::of(anomaly, |peer| self.calls.resolve(peer).to_owned());
        if symptom.peer.is_none() {
            self.graph.reports(&symptom.service);
        }
        if let Some(case) = self.cases.iter_mut().find(|case| case.holds(key)) {
            case.add(key, symptom);
        } else if symptom.active {
            self.place(key, symptom);
        }
    }

    /// Puts a new symptom where it belongs; joins cases that it shows to be one.
    fn place(&mut self, key: u64, symptom: Symptom) {
        let fitting: Vec<usize> = (0..self.cases.len())
            .filter(|at| self.cases[*at].takes(&symptom, &self.graph, &self.lifecycle))
            .collect();
        let open_first = |at: &usize| (!self.cases[*at].is_open(), self.cases[*at].age(), *at);
        let Some(home) = fitting.iter().copied().min_by_key(open_first) else {
            if self.cases.len() >= MOST_CASES {
                self.make_room();
            }
            self.cases.push(Case::new(key, symptom));
            return;
        };
        self.cases[home].add(key, symptom);
        // Suspicions that turn out to be part of it; open incidents stay apart unless `review` merges them.
        for at in fitting.into_iter().rev().filter(|at| *at != home) {
            if !self.cases[at].is_open() {
                let other = self.cases[at].clone();
                self.cases[home].absorb(&other);
                self.cases[at].clear();
            }
        }
        self.cases.retain(|case| !case.is_cleared());
    }

    fn make_room(&mut self) {
        let victim = self.cases.iter().position(|case| !case.is_open()).unwrap_or(0);
        self.cases.remove(victim);
        self.dropped += 1;
    }

    fn review(&mut self) -> Vec<Event> {
        let mut incidents = self.merge();
        let (now, lifecycle) = (self.now, self.lifecycle);
        for case in &mut self.cases {
            case.expire(now, FORGOTTEN_AFTER);
            let state = if case.try_open(now, &self.graph, &lifecycle) {
                IncidentState::Open
            } else if case.is_open() && case.is_over(now, &lifecycle) {
                IncidentState::Resolved
            } else {
                IncidentState::Updated
            };
            if case.is_open()
                && let Some(mut incident) = case.news(state, now, &self.graph, &lifecycle)
            {
                incident.changes = changes(&self.changes, case);
                incidents.push(incident);
            }
        }
        self.cases.retain(|case| !case.is_over(now, &lifecycle));
        incidents.into_iter().map(Event::Incident).collect()
    }

    /// Open incidents that share the same suffering services are one; the older survives.
    fn merge(&mut self) -> Vec<Incident> {
        let mut merged = Vec::new();
        let mut at = 0;
        while at < self.cases.len() {
            let twin = (0..at).find(|older| {
                let (a, b) = (&self.cases[*older], &self.cases[at]);
                a.is_open() && b.is_open() && a.is_same_as(b, &self.graph, &self.lifecycle)
            });
            let Some(older) = twin else {
                at += 1;
                continue;
            };
            let mut younger = self.cases.remove(at);
            let news = younger.news(IncidentState::Merged, self.now, &self.graph, &self.lifecycle);
            let survivor = &mut self.cases[older];
            survivor.absorb(&younger);
            merged.extend(news.map(|mut incident| {
                incident.merged_into = Some(survivor.id.clone());
                incident.summary = format!("Part of {} from now on. {}", survivor.id, incident.summary);
                incident
            }));
        }
        merged
    }
}

/// Changes to services of the case shortly before it began, in words. They say what happened, not what caused it.
fn changes(changes: &VecDeque<Change>, case: &Case) -> Vec<String> {
    let (services, onset) = (case.services(), case.onset());
    let near = |change: &&Change| {
        services.contains(&change.service)
            && change.time <= onset + Duration::from_secs(60)
            && onset.since(change.time) <= CHANGE_WINDOW
    };
    changes.iter().filter(near).map(|change| format!("{}: {}", change.service, change.message)).collect()
}
