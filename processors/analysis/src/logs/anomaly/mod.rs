//! Which log records come more or less often than usual, stop, or are new.
//!
//! In: records with their templates and classes, as `drain` and `log_classify` found them, and ticks. Out: an [`Anomaly`] when one
//! begins, goes on or ends. Time is the records' own. A record costs the same however many there are; everything is bounded.
//!
//! Counts of every template, class and severity and of the whole service are kept in buckets of ten seconds and looked at over the last
//! 10 s, 1 min and 5 min. A count is held against the negative binomial distribution that its own past has (`baseline`), and a
//! template's also against what the rest of its service does, so that more traffic is no news (`judge`). Of all
//! p-values of a tick those count that are small beside all others (Benjamini and Hochberg), must be seen again unless they leave no doubt, and
//! become episodes that are reported once.
//!
//! Not here: which templates there are ([`super::miner`]), and what they are about ([`super::classify`]).

mod baseline;
mod clock;
mod judge;
mod merge;
mod novelty;
mod report;
mod service;
mod stretch;
mod suspects;
mod tail;
#[cfg(test)]
mod tests;
mod track;

use std::sync::Arc;
use std::time::Duration;

use pdata::Timestamp;
use pdata::event::Anomaly;
use serde::{Deserialize, Serialize};

use self::clock::{BUCKET, Place};
use self::service::Service;
use self::suspects::Suspects;
use super::classify::ClassSet;
use super::template::TemplateId;
use crate::detect::series;
use crate::identity::Identity;
use crate::snapshot::{self, SnapshotError};
use crate::table::{Saved, Table};

/// How log records are watched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The share of false ones among what one tick takes for out of the ordinary, in (0, 1).
    pub false_discovery_rate: f64,
    /// How long a service, and every template, is learned from before anything is reported about it.
    pub warm_up: Duration,
    /// How soon after its end an episode that comes back counts as the same one.
    pub cooldown: Duration,
    /// A departure that lasts this long becomes the new normal.
    pub adapt_after: Duration,
    /// How often an episode that goes on is reported again.
    pub repeat: Duration,
    /// Services at most.
    pub max_services: usize,
    /// Templates at most, of all services together. When there are more, of their service's the rarest make room. A template takes about
    /// 1.5 KiB.
    pub max_templates: usize,
    /// Templates of one service at most.
    pub max_templates_per_service: usize,
}

impl Default for Settings {
    fn default() -> Self {
        let episodes = series::Settings::default();
        Self {
            false_discovery_rate: 0.001,
            warm_up: Duration::from_secs(600),
            cooldown: episodes.cooldown,
            adapt_after: episodes.adapt_after,
            repeat: episodes.repeat,
            max_services: 1_000,
            max_templates: 20_000,
            max_templates_per_service: 1_000,
        }
    }
}

impl Settings {
    fn warm_up_buckets(&self) -> u64 {
        (self.warm_up.as_secs() / BUCKET.as_secs()).max(12)
    }

    fn episodes(&self) -> series::Settings {
        series::Settings {
            cooldown: self.cooldown,
            adapt_after: self.adapt_after,
            repeat: self.repeat,
            ..series::Settings::default()
        }
    }
}

/// Whose records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// What tells the service from others.
    pub identity: u64,
    /// What it is called.
    pub name: &'a str,
}

impl<'a> Key<'a> {
    /// A service that is known by its name alone.
    pub fn named(name: &'a str) -> Self {
        Self { identity: Identity::new().text(name).finish(), name }
    }
}

/// A log record, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record<'a> {
    /// When it happened, or was first seen.
    pub time: Timestamp,
    /// The severity number by OpenTelemetry; 0 if it has none.
    pub severity: i32,
    /// What it is about.
    pub classes: ClassSet,
    /// Its template's id and text, if it has one.
    pub template: Option<(TemplateId, &'a str)>,
}

/// Watches the log records of many services.
#[derive(Clone, Debug)]
pub struct LogWatch {
    settings: Settings,
    services: Table<Service>,
    now: Timestamp,
    /// Templates of all services.
    templates: usize,
    /// What services and templates that are no more have counted.
    gone: Counted,
    found: Vec<Anomaly>,
}

/// What was left out so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Records that came after their time had been judged, or whose time is wrong.
    pub late: u64,
    /// Templates that made room for others, or found no room.
    pub evicted: u64,
}

/// Counts up when the layout of anything below changes.
const VERSION: u32 = 1;

/// What a snapshot holds.
#[derive(Deserialize)]
pub struct SavedLogs {
    services: Saved<Service>,
    now: Timestamp,
    gone: Counted,
}

impl Serialize for LogWatch {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.services, self.now, self.gone).serialize(serializer)
    }
}

impl SavedLogs {
    /// Goes on where the one that was saved stopped, within these settings.
    pub fn into_watch(self, settings: Settings) -> LogWatch {
        let mut services = self.services.into_table(settings.max_services);
        let mut templates = 0;
        for service in services.values_mut() {
            service.restored(&settings);
            templates += service.templates.len();
        }
        LogWatch { settings, services, now: self.now, templates, gone: self.gone, found: Vec::new() }
    }
}

impl LogWatch {
    /// Knows nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            services: Table::new(settings.max_services),
            now: Timestamp::default(),
            templates: 0,
            gone: Counted::default(),
            found: Vec::new(),
        }
    }

    /// Counts a record. `exemplar` gives its body, without secrets; it is asked for once in a bucket of each template.
    pub fn observe<E: AsRef<str>>(
        &mut self,
        key: Key<'_>,
        record: &Record<'_>,
        exemplar: impl FnOnce() -> E,
    ) {
        let (service, evicted) =
            self.services.entry(key.identity, || Service::new(Arc::from(service::head(key.name, 256))));
        if let Some(evicted) = evicted {
            self.templates -= evicted.templates.len().min(self.templates);
            self.gone.late += evicted.clock.late();
            self.gone.evicted += evicted.evicted() + evicted.templates.len() as u64;
        }
        let bucket = match service.place(record.time, self.now) {
            Place::Nowhere => return,
            Place::Open(bucket) => bucket,
            Place::After(bucket) => {
                while bucket >= service.clock.next() + track::OPEN as u64 {
                    step(&mut [service], &self.settings, &mut self.found);
                }
                bucket
            }
            Place::Anew(bucket) => {
                service.start(bucket);
                bucket
            }
        };
        let before = service.templates.len();
        let room = self.settings.max_templates.saturating_sub(self.templates);
        service.count(bucket, record, exemplar, &self.settings, room);
        self.templates = self.templates + service.templates.len() - before;
    }

    /// Records of template `old` are of `new` from now on, in every service.
    pub fn merge(&mut self, old: TemplateId, new: TemplateId, text: &str) {
        for service in self.services.values_mut() {
            let before = service.templates.len();
            service.merge(old, new, text);
            self.templates -= before - service.templates.len();
        }
    }

    /// Lets time pass, and says what was found since the last call.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Anomaly> {
        self.now = now;
        self.services.values_mut().for_each(|service| service.clock.tick(now));
        self.close(|service| service.clock.is_due());
        std::mem::take(&mut self.found)
    }

    /// The input has ended: closes what is open, and says what was found.
    pub fn finish(&mut self) -> Vec<Anomaly> {
        self.close(|service| service.clock.is_left());
        std::mem::take(&mut self.found)
    }

    /// Closes the buckets that are due, one of each service at a time.
    fn close(&mut self, is_due: impl Fn(&Service) -> bool) {
        loop {
            let mut due: Vec<&mut Service> =
                self.services.values_mut().filter(|service| is_due(service)).collect();
            if due.is_empty() {
                return;
            }
            step(&mut due, &self.settings, &mut self.found);
        }
    }

    /// What was left out so far.
    pub fn counted(&mut self) -> Counted {
        self.services.values_mut().fold(self.gone, |sum, service| Counted {
            late: sum.late + service.clock.late(),
            evicted: sum.evicted + service.evicted(),
        })
    }

    /// How many templates are watched, of all services.
    pub const fn templates(&self) -> usize {
        self.templates
    }

    /// Everything that was learned.
    ///
    /// # Errors
    /// If it cannot be encoded, which no state that this type can be in causes.
    pub fn snapshot(&self) -> Result<Vec<u8>, SnapshotError> {
        snapshot::encode(VERSION, self)
    }

    /// Takes over what an earlier one learned.
    ///
    /// # Errors
    /// If the snapshot is damaged or of another version; nothing has changed then.
    pub fn restore(&mut self, snapshot: &[u8]) -> Result<(), SnapshotError> {
        *self = snapshot::decode::<SavedLogs>(VERSION, snapshot)?.into_watch(self.settings);
        Ok(())
    }
}

/// Closes the next bucket of each service and judges all of them together.
fn step(services: &mut [&mut Service], settings: &Settings, found: &mut Vec<Anomaly>) {
    let mut suspects: Vec<Suspects> = Vec::with_capacity(services.len());
    for service in services.iter_mut() {
        service.close();
        suspects.push(service.suspects(settings));
    }
    let n: usize = suspects.iter().map(|suspects| suspects.looked_at).sum();
    let rate = settings.false_discovery_rate;
    let p_values = suspects.iter().flat_map(Suspects::p_values).collect();
    let threshold = tail::benjamini_hochberg(p_values, n, rate);
    // New templates are a family of their own: their p-values can never be as small as those of counts.
    let new: Vec<f64> = suspects.iter().filter_map(Suspects::new_p_value).collect();
    let n_new = new.len();
    let new_threshold = tail::benjamini_hochberg(new, n_new, rate);
    for (service, suspects) in services.iter_mut().zip(&suspects) {
        service.judge(suspects, (threshold, rate / n.max(1) as f64), new_threshold, settings, found);
        service.advance();
    }
}
