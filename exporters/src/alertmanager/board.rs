//! The alerts that are firing, and those whose end is not known to everybody yet.
//!
//! It is bounded, and knows of every alert the last thing that was said. News that is older than what is known changes nothing,
//! so an attempt that comes late cannot open again what is over.

use std::time::Duration;

use foldhash::HashMap;
use pdata::Timestamp;
use serde::{Deserialize, Serialize};

use super::alert::{Alert, News};

/// How long the end of an alert is remembered.
const REMEMBER_ENDED: Duration = Duration::from_secs(15 * 60);
/// An alert's labels change with its severity and its service; more former ones than this are left to expire.
const MOST_FORMER: usize = 8;

/// Everything that is known.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Board {
    entries: HashMap<String, Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    revision: u64,
    alert: Alert,
    /// The same alert under labels it no longer has: ended.
    former: Vec<Alert>,
    /// When something was last heard of it.
    heard: Timestamp,
    /// Counts changes, so that an answer is not taken for one to what came after it.
    version: u64,
    /// Whether everybody has this version.
    is_known: bool,
}

/// What was read from the board: the alerts, and which versions they are.
pub(super) struct Reading {
    pub(super) alerts: Vec<Alert>,
    versions: Vec<(String, u64)>,
}

impl Board {
    /// Takes news in; returns how many alerts had to be forgotten for it.
    pub(super) fn put(&mut self, news: News, now: Timestamp, most: usize) -> usize {
        let News { key, revision, alert } = news;
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.update(revision, alert, now);
            return 0;
        }
        let forgotten = self.make_room(now, most);
        let entry = Entry { revision, alert, former: Vec::new(), heard: now, version: 0, is_known: false };
        self.entries.insert(key, entry);
        forgotten
    }

    /// Forgets what has ended first, then what was heard of least lately.
    fn make_room(&mut self, now: Timestamp, most: usize) -> usize {
        let mut forgotten = 0;
        while self.entries.len() >= most {
            let oldest = self.entries.iter().min_by_key(|(key, entry)| {
                (entry.alert.is_firing(now), !entry.is_known, entry.heard, key.as_str())
            });
            let Some((key, is_firing)) = oldest.map(|(key, entry)| (key.clone(), entry.alert.is_firing(now)))
            else {
                break;
            };
            self.entries.remove(&key);
            forgotten += usize::from(is_firing);
        }
        forgotten
    }

    /// The alerts under these keys.
    pub(super) fn read<'a>(&self, keys: impl Iterator<Item = &'a str>) -> Reading {
        Reading::of(keys.filter_map(|key| self.entries.get_key_value(key)))
    }

    /// Every alert that somebody must hear of: those that fire, and ends that not everybody knows.
    pub(super) fn read_due(&self, now: Timestamp) -> Reading {
        let is_due =
            |entry: &Entry| entry.alert.is_firing(now) && entry.alert.ends.is_none() || !entry.is_known;
        Reading::of(self.entries.iter().filter(|(_, entry)| is_due(entry)))
    }

    /// Everybody has what was read.
    pub(super) fn known(&mut self, reading: &Reading) {
        for (key, version) in &reading.versions {
            if let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.version == *version) {
                entry.is_known = true;
                entry.former.clear();
            }
        }
    }

    /// Forgets ends that are long past, and what nothing was heard of for `forget_after`.
    pub(super) fn tidy(&mut self, now: Timestamp, forget_after: Duration) {
        self.entries.retain(|_, entry| {
            let silent = now.since(entry.heard);
            if entry.alert.is_firing(now) {
                forget_after.is_zero() || silent <= forget_after
            } else {
                silent <= REMEMBER_ENDED
            }
        });
    }

    /// Takes over what an earlier process knew, unless something is known already. Who knows of it is not.
    pub(super) fn adopt(&mut self, earlier: Self) {
        for (key, mut entry) in earlier.entries {
            entry.is_known = false;
            self.entries.entry(key).or_insert(entry);
        }
    }

    /// How many alerts are firing.
    pub(super) fn firing(&self, now: Timestamp) -> usize {
        self.entries.values().filter(|entry| entry.alert.is_firing(now)).count()
    }
}

impl Entry {
    fn update(&mut self, revision: u64, alert: Alert, now: Timestamp) {
        if revision < self.revision || (revision == self.revision && alert == self.alert) {
            return;
        }
        if alert.labels != self.alert.labels {
            let mut former = std::mem::replace(&mut self.alert, alert);
            former.end(now);
            self.former.retain(|old| old.labels != self.alert.labels && old.labels != former.labels);
            self.former.push(former);
            let surplus = self.former.len().saturating_sub(MOST_FORMER);
            self.former.drain(..surplus);
        } else {
            self.alert = alert;
        }
        self.revision = revision;
        self.heard = now;
        self.version += 1;
        self.is_known = false;
    }
}

impl Reading {
    fn of<'a>(entries: impl Iterator<Item = (&'a String, &'a Entry)>) -> Self {
        // In the order of their keys, so that what is sent is the same on every run.
        let mut entries: Vec<_> = entries.collect();
        entries.sort_by_key(|(key, _)| *key);
        let alerts = entries.iter().flat_map(|(_, entry)| entry.former.iter().chain([&entry.alert]));
        Self {
            alerts: alerts.cloned().collect(),
            versions: entries.iter().map(|(key, entry)| ((*key).clone(), entry.version)).collect(),
        }
    }
}
