//! Everything that is watched: metric series, services and edges from spans, error rates from logs.

use std::sync::Arc;

use pdata::{Logs, Metrics, Timestamp, Traces};
use serde::{Deserialize, Serialize};

use super::budget::{Budget, SavedBudget};
use super::findings::{Findings, Label, Named};
use super::logs::LogWindows;
use super::metrics::{KEYS, Memory};
use super::point::Point;
use super::series::{Scored, Series, Settings};
use super::spans::SpanWindows;
use super::templates;
use super::vectors::{self, SavedVectors, Vectors};
use crate::event_time::EventTime;
use crate::identity::Identity;
use crate::logs::anomaly::{self, LogWatch};
use crate::snapshot::{self, SnapshotError};
use crate::table::{Saved, Table};

/// Who sent something.
#[derive(Clone, Debug)]
pub struct Resource<'a> {
    /// The service's name.
    pub service: Arc<str>,
    /// What tells it apart from others.
    pub identity: Identity,
    pub(super) found: [Option<&'a str>; KEYS.len()],
}

/// Named series, bounded.
#[derive(Clone, Debug)]
pub struct SeriesTable {
    table: Table<Named>,
    budget: Budget,
    settings: Settings,
    time: EventTime,
    /// Where the search for series that have ended goes on.
    sweep: usize,
}

/// How many series a tick looks at for having ended.
const SWEEP: usize = 2048;
/// A series without points for this long has ended, as far as an open episode is concerned.
const ENDED_AFTER: std::time::Duration = std::time::Duration::from_secs(900);

impl SeriesTable {
    /// An empty table.
    pub fn new(capacity: usize, services: usize, settings: Settings) -> Self {
        Self {
            table: Table::new(capacity),
            budget: Budget::new(services),
            settings,
            time: EventTime::default(),
            sweep: 0,
        }
    }

    /// Shows the series `id` its next point. Gives what was thought of it, if it was looked at.
    pub fn observe(
        &mut self,
        id: u64,
        label: impl FnOnce() -> Label,
        point: Point,
        findings: &mut Findings,
    ) -> Option<Scored> {
        self.time.observe(point.time);
        let mut is_new = false;
        let make = || {
            is_new = true;
            Named { label: label(), series: Series::default(), excursions: None }
        };
        let (named, evicted) = self.table.entry(id, make);
        if is_new {
            self.budget.joins(&named.label.service);
        }
        let scored = findings.observe(named, point, &self.settings, &mut self.budget);
        if let Some(mut evicted) = evicted {
            self.budget.leaves(&evicted.label.service);
            findings.end(&mut evicted, &mut self.budget);
        }
        scored
    }

    /// What the series `id` is called.
    pub fn label(&self, id: u64) -> Option<&Label> {
        self.table.get(id).map(|named| &named.label)
    }

    /// The newest time of any point that is to be believed.
    pub const fn newest(&self) -> Timestamp {
        self.time.newest()
    }

    /// How many series there are.
    pub const fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// How many series had to make room so far.
    pub const fn evicted(&self) -> u64 {
        self.table.evicted()
    }

    /// Ends the episodes of series that have ended.
    pub fn tick(&mut self, now: Timestamp, findings: &mut Findings) {
        self.time.tick(now);
        if self.table.is_empty() {
            return;
        }
        let newest = self.newest();
        let from = self.sweep % self.table.len();
        for named in self.table.values_mut().skip(from).take(SWEEP) {
            let last = named.series.last();
            if named.series.episode().is_open() && newest.since(last) > ENDED_AFTER {
                findings.end(named, &mut self.budget);
            }
        }
        self.sweep = if from + SWEEP >= self.table.len() { 0 } else { from + SWEEP };
    }
}

/// How much is watched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Series at most.
    pub series: usize,
    /// Services at most.
    pub services: usize,
    /// Operations of one service at most.
    pub operations: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { series: 50_000, services: 1_000, operations: 50 }
    }
}

/// Watches telemetry and reports what leaves its usual range.
#[derive(Clone, Debug)]
pub struct Watcher {
    limits: Limits,
    log_settings: Option<anomaly::Settings>,
    series: SeriesTable,
    settings: Settings,
    vector_settings: vectors::Settings,
    vectors: Vectors,
    /// Scratch: what came of the metrics of one resource.
    readings: Vec<vectors::Reading>,
    memories: Table<Memory>,
    spans: SpanWindows,
    logs: LogWindows,
    /// Stands for `logs` where templates are watched, too.
    templates: Option<LogWatch>,
}

/// Counts up when the layout of anything below changes.
const VERSION: u32 = 9;

#[derive(Serialize)]
struct Writing<'a> {
    series: &'a Table<Named>,
    budget: &'a Budget,
    time: EventTime,
    vectors: &'a Vectors,
    memories: &'a Table<Memory>,
    spans: &'a SpanWindows,
    logs: &'a LogWindows,
    templates: Option<&'a LogWatch>,
}

#[derive(Deserialize)]
struct Reading {
    series: Saved<Named>,
    budget: SavedBudget,
    time: EventTime,
    vectors: SavedVectors,
    memories: Saved<Memory>,
    spans: super::spans::SavedSpans,
    logs: super::logs::SavedLogs,
    templates: Option<anomaly::SavedLogs>,
}

impl Watcher {
    /// Knows nothing yet. With settings for it log records are watched by template, class and severity, without only their error
    /// and warning rates.
    pub fn new(limits: Limits, settings: Settings, templates: Option<anomaly::Settings>) -> Self {
        let vector_settings = vectors::Settings::default();
        Self {
            settings,
            vectors: Vectors::new(vector_settings.clone(), settings),
            vector_settings,
            readings: Vec::new(),
            limits,
            log_settings: templates,
            series: SeriesTable::new(limits.series, limits.services, settings),
            memories: Table::new(limits.series),
            spans: SpanWindows::new(limits),
            logs: LogWindows::new(limits),
            templates: templates.map(LogWatch::new),
        }
    }

    /// The same, with metrics that belong together watched as `settings` say.
    #[must_use]
    pub fn with_vectors(mut self, settings: vectors::Settings) -> Self {
        self.vectors = Vectors::new(settings.clone(), self.settings);
        self.vector_settings = settings;
        self
    }

    /// Looks at metrics. `wanted` decides by metric name.
    pub fn metrics(&mut self, metrics: &Metrics, wanted: &dyn Fn(&str) -> bool, findings: &mut Findings) {
        for group in metrics.view().resources() {
            let resource = Resource::read(group.resource());
            findings.in_vector = self.vectors.is_judged(&resource);
            let mut into = super::metrics::Into {
                series: &mut self.series,
                memories: &mut self.memories,
                readings: &mut self.readings,
                findings,
            };
            super::metrics::read(group, &resource, &mut into, wanted);
            findings.in_vector = false;
            self.vectors.observe(&resource, &mut self.readings, &self.series, findings);
        }
    }

    /// Looks at spans.
    pub fn traces(&mut self, traces: &Traces, findings: &mut Findings) {
        self.spans.read(traces, &mut self.series, findings);
    }

    /// Looks at log records.
    pub fn logs(&mut self, logs: &Logs, findings: &mut Findings) {
        match &mut self.templates {
            Some(watch) => templates::read(logs, watch),
            None => self.logs.read(logs, &mut self.series, findings),
        }
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Timestamp, findings: &mut Findings) {
        self.spans.tick(now, &mut self.series, findings);
        self.logs.tick(now, &mut self.series, findings);
        if let Some(watch) = &mut self.templates {
            templates::tick(now, watch, findings);
        }
        self.series.tick(now, findings);
        self.vectors.sweep(self.series.newest(), &self.series, findings);
    }

    /// The input has ended: closes all windows.
    pub fn finish(&mut self, findings: &mut Findings) {
        self.spans.finish(&mut self.series, findings);
        self.logs.finish(&mut self.series, findings);
        self.vectors.finish(&self.series, findings);
        if let Some(watch) = &mut self.templates {
            templates::report(watch.finish(), findings);
        }
    }

    /// How many series are watched.
    pub const fn series(&self) -> usize {
        self.series.len()
    }

    /// How many episodes of series ended that nobody was told of.
    pub const fn withheld(&self) -> u64 {
        self.series.budget.withheld()
    }

    /// How many series had to make room so far.
    pub const fn evicted(&self) -> u64 {
        self.series.evicted()
    }

    /// The metrics that are seen together.
    pub const fn vectors(&self) -> &Vectors {
        &self.vectors
    }

    /// How many spans and records came after their window was closed.
    pub fn late(&mut self) -> u64 {
        self.spans.late() + self.logs.late() + self.log_counts().late
    }

    /// What was left out of log records.
    pub fn log_counts(&mut self) -> anomaly::Counted {
        self.templates.as_mut().map(LogWatch::counted).unwrap_or_default()
    }

    /// How many log templates are watched.
    pub fn log_templates(&self) -> usize {
        self.templates.as_ref().map_or(0, LogWatch::templates)
    }

    /// Everything that was learned.
    ///
    /// # Errors
    /// If it cannot be encoded, which no state that this type can be in causes.
    pub fn snapshot(&self) -> Result<Vec<u8>, SnapshotError> {
        let state = Writing {
            series: &self.series.table,
            budget: &self.series.budget,
            time: self.series.time,
            vectors: &self.vectors,
            memories: &self.memories,
            spans: &self.spans,
            logs: &self.logs,
            templates: self.templates.as_ref(),
        };
        snapshot::encode(VERSION, &state)
    }

    /// Takes over what an earlier one learned.
    ///
    /// # Errors
    /// If the snapshot is damaged or of another version; nothing has changed then.
    pub fn restore(&mut self, snapshot: &[u8]) -> Result<(), SnapshotError> {
        let saved: Reading = snapshot::decode(VERSION, snapshot)?;
        self.series.table = saved.series.into_table(self.limits.series);
        self.series.budget = saved.budget.into_budget(self.limits.services);
        self.series.time = saved.time;
        self.vectors = saved.vectors.into_vectors(self.vector_settings.clone(), self.settings);
        self.memories = saved.memories.into_table(self.limits.series);
        self.spans = saved.spans.into_windows(self.limits);
        self.logs = saved.logs.into_windows(self.limits);
        self.templates = self.log_settings.map(|settings| match saved.templates {
            Some(saved) => saved.into_watch(settings),
            None => LogWatch::new(settings),
        });
        Ok(())
    }
}
