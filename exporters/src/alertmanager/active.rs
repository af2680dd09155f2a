//! The alerts that Alertmanager must be reminded of.
//!
//! In: incidents as they change. Out: the alerts to post now, with the time at which each ends.

use std::collections::HashMap;
use std::time::Duration;

use pdata::Timestamp;
use pdata::event::{Incident, IncidentState};

use super::alert::Alert;

/// How many incidents are remembered; beyond that the ones that are over are forgotten early, then the oldest.
const CAPACITY: usize = 10_000;

/// How many earlier alerts of one incident are remembered.
const MOST_PAST: usize = 8;

/// An alert and when it ends.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Due {
    pub(super) alert: Alert,
    pub(super) ends: Timestamp,
}

struct Entry {
    revision: u64,
    alert: Alert,
    /// When the incident was over, and when we heard of it.
    over: Option<(Timestamp, Timestamp)>,
    /// Alerts with other labels that the incident had before; the posting of their end may have failed.
    past: Vec<Due>,
}

/// The alerts of open incidents, and of those that ended a short while ago.
#[derive(Default)]
pub(super) struct Active(HashMap<String, Entry>);

impl Active {
    /// Takes an incident's new state. Returns the alerts to post: none if a later revision is known already.
    ///
    /// An alert is its labels: when the root cause or the severity changes, the old alert ends and a new one begins.
    pub(super) fn update(
        &mut self,
        incident: &Incident,
        alert: Alert,
        now: Timestamp,
        timeout: Duration,
    ) -> Vec<Due> {
        let mut past = Vec::new();
        if let Some(known) = self.0.get_mut(&incident.id) {
            if known.revision > incident.revision {
                return Vec::new();
            }
            past = std::mem::take(&mut known.past);
            past.push(Due { alert: known.alert.clone(), ends: now });
            past.retain(|due| due.alert.labels != alert.labels && now.since(due.ends) < timeout);
            let surplus = past.len().saturating_sub(MOST_PAST);
            past.drain(..surplus);
        }
        let over = match incident.state {
            IncidentState::Open | IncidentState::Updated => None,
            IncidentState::Resolved | IncidentState::Merged => {
                Some((incident.resolved.unwrap_or(incident.updated), now))
            }
        };
        let entry = Entry { revision: incident.revision, alert, over, past };
        let due = entry.due(now, timeout).collect();
        self.0.insert(incident.id.clone(), entry);
        self.shrink();
        due
    }

    /// The alerts to repeat. One that ended is repeated for as long as an Alertmanager that missed its end would
    /// show it, and then forgotten.
    pub(super) fn repeat(&mut self, now: Timestamp, timeout: Duration) -> Vec<Due> {
        self.0.retain(|_, entry| entry.over.is_none_or(|(_, heard)| now.since(heard) < timeout));
        for entry in self.0.values_mut() {
            entry.past.retain(|due| now.since(due.ends) < timeout);
        }
        let mut due: Vec<_> = self.0.values().flat_map(|entry| entry.due(now, timeout)).collect();
        due.sort_by(|a, b| {
            a.alert.starts.cmp(&b.alert.starts).then_with(|| a.alert.labels.cmp(&b.alert.labels))
        });
        due
    }

    /// How many incidents are open.
    pub(super) fn firing(&self) -> usize {
        self.0.values().filter(|entry| entry.over.is_none()).count()
    }

    fn shrink(&mut self) {
        while self.0.len() > CAPACITY {
            let least = self.0.iter().min_by_key(|(_, entry)| (entry.over.is_none(), entry.alert.starts));
            let Some(id) = least.map(|(id, _)| id.clone()) else { return };
            self.0.remove(&id);
        }
    }
}

impl Entry {
    /// What ended first, then the alert of today.
    fn due(&self, now: Timestamp, timeout: Duration) -> impl Iterator<Item = Due> {
        // An end in the future would keep the alert firing.
        let ends = self.over.map_or(now + timeout, |(ended, _)| ended.min(now));
        self.past.iter().cloned().chain([Due { alert: self.alert.clone(), ends }])
    }
}
