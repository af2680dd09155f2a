//! Log records to error and warning rates per service, for where templates are not watched ([`super::templates`]).

use std::sync::Arc;

use pdata::event::Source;
use pdata::view::LogRecordView;
use pdata::{Logs, Timestamp};
use serde::{Deserialize, Serialize};

use super::findings::{Findings, Label};
use super::point::{Direction, Nature, Point, Unit};
use super::watcher::{Limits, Resource, SeriesTable};
use super::windows::{Closed, WIDTH, Windows};
use crate::identity::Identity;
use crate::table::{Saved, Table};

/// Counts of one window.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Counts {
    errors: u64,
    warnings: u64,
}

/// The windows of one service.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Service {
    name: Arc<str>,
    identity: u64,
    windows: Windows<Counts>,
}

/// Windows over the log records of every service.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct LogWindows {
    services: Table<Service>,
}

/// What a snapshot holds.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct SavedLogs(Saved<Service>);

impl SavedLogs {
    /// The windows, as far as they fit.
    pub fn into_windows(self, limits: Limits) -> LogWindows {
        LogWindows { services: self.0.into_table(limits.services) }
    }
}

impl LogWindows {
    /// No windows yet.
    pub fn new(limits: Limits) -> Self {
        Self { services: Table::new(limits.services) }
    }

    /// Reads all records of a batch.
    pub fn read(&mut self, logs: &Logs, series: &mut SeriesTable, findings: &mut Findings) {
        let mut touched = Vec::new();
        for group in logs.view().resources() {
            let resource = Resource::read(group.resource());
            let id = resource.service_identity();
            let make =
                || Service { name: Arc::clone(&resource.service), identity: id, windows: Windows::default() };
            let service = self.services.entry(id, make).0;
            for record in group.scopes().flat_map(|scope| scope.records()) {
                if let Some(counts) = service.windows.at(record.time_or_observed()) {
                    match Level::of(&record) {
                        Level::Error => counts.errors += 1,
                        Level::Warning => counts.warnings += 1,
                        Level::Other => {}
                    }
                }
            }
            if !touched.contains(&id) {
                touched.push(id);
            }
        }
        for id in touched {
            if let Some(service) = self.services.get_mut(id) {
                let closed = service.windows.close();
                service.observe(&closed, series, findings);
            }
        }
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Timestamp, series: &mut SeriesTable, findings: &mut Findings) {
        for service in self.services.values_mut() {
            let closed = service.windows.tick(now);
            service.observe(&closed, series, findings);
        }
    }

    /// The input has ended.
    pub fn finish(&mut self, series: &mut SeriesTable, findings: &mut Findings) {
        for service in self.services.values_mut() {
            let closed = service.windows.finish();
            service.observe(&closed, series, findings);
        }
    }

    /// How many records came too late.
    pub fn late(&mut self) -> u64 {
        self.services.values_mut().map(|service| service.windows.late()).sum()
    }
}

impl Service {
    fn observe(&self, closed: &[Closed<Counts>], series: &mut SeriesTable, findings: &mut Findings) {
        for window in closed {
            let counted = [("error", window.stats.errors), ("warning", window.stats.warnings)];
            for (level, count) in counted {
                let seconds = WIDTH.as_secs_f64();
                let point = Point::new(window.end, count as f64 / seconds)
                    .with_noise((count as f64 + 1.0).sqrt() / seconds);
                let id = Identity::new().number(self.identity).text("log").text(level).finish();
                let label = || Label {
                    service: Arc::clone(&self.name),
                    source: Source::Log,
                    name: format!("log.{level}:rate").into(),
                    subject: format!("rate of {level} logs").into(),
                    attributes: Box::default(),
                    nature: Nature { direction: Direction::Up, unit_floor: 0.0, unit: Unit::PerSecond },
                };
                series.observe(id, label, point, findings);
            }
        }
    }
}

pub(super) enum Level {
    Error,
    Warning,
    Other,
}

impl Level {
    pub(super) fn of(record: &LogRecordView<'_>) -> Self {
        match record.severity_number() {
            17.. => Self::Error,
            13..=16 => Self::Warning,
            1..=12 => Self::Other,
            _ => Self::of_text(record.severity_text()),
        }
    }

    fn of_text(text: &str) -> Self {
        let starts = |words: &[&str]| {
            words
                .iter()
                .any(|word| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)))
        };
        if starts(&["err", "fatal", "crit", "emerg", "alert", "panic", "severe"]) {
            Self::Error
        } else if starts(&["warn"]) {
            Self::Warning
        } else {
            Self::Other
        }
    }
}

impl Resource<'_> {
    /// The identity of the service over all its instances.
    pub fn service_identity(&self) -> u64 {
        self.identifying()
            .filter(|(key, _)| matches!(&**key, "service.namespace" | "deployment.environment.name"))
            .fold(Identity::new().text(&self.service), |identity, (key, value)| {
                identity.attribute(&key, &value)
            })
            .finish()
    }
}
