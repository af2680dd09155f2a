//! Spans to rate, errors and durations per service, operation and edge, and to each service's own share of both.
//!
//! A request's own time is its duration without the time that it waited for requests of its own; an error is its own if
//! none of those failed. Children come before or with their parents, as tracing libraries send spans when they end.

use std::collections::BTreeMap;
use std::sync::Arc;

use pdata::event::Source;
use pdata::view::{SpanKind, SpanView, StatusCode};
use pdata::{Timestamp, Traces};
use serde::{Deserialize, Serialize};

use super::findings::{Attributes, Findings, Label};
use super::point::{Direction, Nature, Unit};
use super::red::{Carry, Red, Request, Statistic};
use super::watcher::{Limits, Resource, SeriesTable};
use super::windows::{Closed, Windows};
use crate::identity::Identity;
use crate::table::{Saved, Table};

/// How many parents' waiting times are remembered until the parents come.
const PARENTS: usize = 16_384;

/// One kind of request of a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Kind {
    /// Everything it serves.
    All,
    /// One operation that it serves.
    Operation(Box<str>),
    /// What it asks of another.
    Edge(Box<str>),
}

/// One service.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Service {
    name: Arc<str>,
    identity: u64,
    windows: Windows<BTreeMap<Kind, Red>>,
    kinds: BTreeMap<Kind, Carry>,
}

/// Windows over the spans of every service.
#[derive(Clone, Debug, Serialize)]
pub struct SpanWindows {
    services: Table<Service>,
    #[serde(skip)]
    waits: Waits,
    #[serde(skip)]
    operations: usize,
}

/// What a snapshot holds.
#[derive(Deserialize)]
pub struct SavedSpans {
    services: Saved<Service>,
}

impl SavedSpans {
    /// The windows, as far as they fit.
    pub fn into_windows(self, limits: Limits) -> SpanWindows {
        SpanWindows { services: self.services.into_table(limits.services), ..SpanWindows::new(limits) }
    }
}

impl SpanWindows {
    /// No windows yet.
    pub fn new(limits: Limits) -> Self {
        Self { services: Table::new(limits.services), waits: Waits::default(), operations: limits.operations }
    }

    /// Reads all spans of a batch.
    pub fn read(&mut self, traces: &Traces, series: &mut SeriesTable, findings: &mut Findings) {
        let mut touched = Vec::new();
        for group in traces.view().resources() {
            let resource = Resource::read(group.resource());
            let id = resource.service_identity();
            let mut spans: Vec<SpanView<'_>> = group.scopes().flat_map(|scope| scope.spans()).collect();
            // Children first: they end no later than their parents and begin no earlier.
            spans.sort_by_key(|span| (span.end(), std::cmp::Reverse(span.start())));
            let make = || Service {
                name: Arc::clone(&resource.service),
                identity: id,
                windows: Windows::default(),
                kinds: BTreeMap::new(),
            };
            let service = self.services.entry(id, make).0;
            for span in &spans {
                service.add(span, &mut self.waits, self.operations);
            }
            if !touched.contains(&id) {
                touched.push(id);
            }
        }
        for id in touched {
            if let Some(service) = self.services.get_mut(id) {
                let closed = service.windows.close();
                service.observe(closed, series, findings);
            }
        }
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Timestamp, series: &mut SeriesTable, findings: &mut Findings) {
        for service in self.services.values_mut() {
            let closed = service.windows.tick(now);
            service.observe(closed, series, findings);
        }
    }

    /// The input has ended.
    pub fn finish(&mut self, series: &mut SeriesTable, findings: &mut Findings) {
        for service in self.services.values_mut() {
            let closed = service.windows.finish();
            service.observe(closed, series, findings);
        }
    }

    /// How many spans came too late.
    pub fn late(&mut self) -> u64 {
        self.services.values_mut().map(|service| service.windows.late()).sum()
    }
}

impl Service {
    fn add(&mut self, span: &SpanView<'_>, waits: &mut Waits, operations: usize) {
        let seconds = span.duration().as_secs_f64();
        let error = span.status_code() == StatusCode::Error;
        let wait = waits.take(span.trace_id(), span.span_id());
        match span.kind() {
            SpanKind::Client | SpanKind::Producer => {
                waits.note(span, span.start(), span.end(), seconds, error);
                if let Some(peer) = peer(span) {
                    let request = Request { seconds, error, ..Request::default() };
                    self.count(span.end(), Kind::Edge(peer.into()), request, operations);
                }
            }
            SpanKind::Internal | SpanKind::Unspecified if !span.parent_span_id().is_empty() => {
                if let Some(wait) = wait {
                    waits.note(span, wait.from, wait.to, wait.seconds, wait.error);
                }
            }
            _ => {
                let waited = wait.as_ref().map_or(0.0, Wait::seconds).min(seconds);
                let origin = error && !wait.is_some_and(|wait| wait.error);
                let request = Request { seconds, self_seconds: seconds - waited, error, origin };
                self.count(span.end(), Kind::All, request, operations);
                self.count(span.end(), Kind::Operation(span.name().into()), request, operations);
            }
        }
    }

    fn count(&mut self, time: Timestamp, kind: Kind, request: Request, most: usize) {
        let Some(window) = self.windows.at(time) else { return };
        if let Some(red) = window.get_mut(&kind) {
            red.add(request);
        } else if kind == Kind::All || self.kinds.contains_key(&kind) || self.kinds.len() < most {
            self.kinds.entry(kind.clone()).or_default();
            window.entry(kind).or_default().add(request);
        }
    }

    fn observe(
        &mut self,
        closed: Vec<Closed<BTreeMap<Kind, Red>>>,
        series: &mut SeriesTable,
        findings: &mut Findings,
    ) {
        let nothing = Red::default();
        for window in closed {
            for (kind, carry) in &mut self.kinds {
                let red = window.stats.get(kind).unwrap_or(&nothing);
                for (statistic, point) in carry.window(window.end, red) {
                    if let Some(name) = kind.name(&self.name, statistic) {
                        let id = Identity::new().number(self.identity).text("span").text(&name);
                        let id = kind.operation().map_or(id, |operation| id.text(operation)).finish();
                        let label = || kind.label(&self.name, name, statistic);
                        series.observe(id, label, point, findings);
                    }
                }
            }
        }
    }
}

impl Kind {
    fn operation(&self) -> Option<&str> {
        if let Self::Operation(name) = self { Some(name) } else { None }
    }

    /// The series' name; `None` for statistics that this kind does not have.
    fn name(&self, service: &str, statistic: Statistic) -> Option<String> {
        let served = match statistic {
            Statistic::Rate => "server.requests:rate",
            Statistic::ErrorRatio => "server.errors:ratio",
            Statistic::OriginRatio => "server.error_origin:ratio",
            Statistic::Mean => "server.duration:mean",
            Statistic::P95 => "server.duration:p95",
            Statistic::SelfTime => "server.self_time:mean",
        };
        let asked = match statistic {
            Statistic::Rate => "rate",
            Statistic::ErrorRatio => "error_ratio",
            Statistic::Mean => "mean",
            Statistic::P95 => "p95",
            // Where time and errors come from is a question about services.
            Statistic::OriginRatio | Statistic::SelfTime => {
                return (*self == Self::All).then(|| served.to_owned());
            }
        };
        match self {
            Self::Edge(peer) => Some(format!("{service}->{peer}:{asked}")),
            Self::All | Self::Operation(_) => Some(served.to_owned()),
        }
    }

    fn label(&self, service: &Arc<str>, name: String, statistic: Statistic) -> Label {
        let what = match statistic {
            Statistic::Rate => "request rate",
            Statistic::ErrorRatio => "error ratio",
            Statistic::OriginRatio => "ratio of errors of its own",
            Statistic::Mean => "mean latency",
            Statistic::P95 => "p95 latency",
            Statistic::SelfTime => "mean own processing time",
        };
        let (subject, attributes): (String, Attributes) = match self {
            Self::All => (what.to_owned(), Box::default()),
            Self::Operation(operation) => {
                (format!("{what} of {operation}"), Box::new([("operation".into(), operation.clone())]))
            }
            Self::Edge(peer) => {
                (format!("{what} of calls to {peer}"), Box::new([("peer".into(), peer.clone())]))
            }
        };
        let (direction, unit) = match statistic {
            Statistic::Rate => (Direction::Both, Unit::PerSecond),
            Statistic::ErrorRatio | Statistic::OriginRatio => (Direction::Up, Unit::Ratio),
            Statistic::Mean | Statistic::P95 | Statistic::SelfTime => (Direction::Up, Unit::Seconds),
        };
        let nature = Nature { direction, unit_floor: unit.floor(), unit };
        let service = Arc::clone(service);
        Label {
            service,
            source: Source::Trace,
            name: name.into(),
            subject: subject.into(),
            attributes,
            nature,
        }
    }
}

/// Whom a client span asks, by semantic conventions old and new.
pub fn peer<'a>(span: &SpanView<'a>) -> Option<&'a str> {
    const KEYS: [&str; 7] = [
        "peer.service",
        "messaging.destination.name",
        "server.address",
        "net.peer.name",
        "db.system.name",
        "db.system",
        "rpc.service",
    ];
    let mut best: Option<(usize, &'a str)> = None;
    for (key, value) in span.attributes() {
        let rank = KEYS.iter().position(|known| *known == key);
        if let (Some(rank), Some(value)) = (rank, value.as_str())
            && !value.is_empty()
            && best.is_none_or(|(best, _)| rank < best)
        {
            best = Some((rank, value));
        }
    }
    best.map(|(_, value)| value)
}

/// What spans waited for, until they come themselves.
#[derive(Clone, Debug)]
struct Waits {
    by_parent: Table<Wait>,
}

#[derive(Clone, Copy, Debug)]
struct Wait {
    from: Timestamp,
    to: Timestamp,
    seconds: f64,
    error: bool,
}

impl Default for Waits {
    fn default() -> Self {
        Self { by_parent: Table::new(PARENTS) }
    }
}

impl Wait {
    /// Time waited: requests one after the other add up, requests at the same time do not.
    fn seconds(&self) -> f64 {
        self.seconds.min(self.to.since(self.from).as_secs_f64())
    }
}

impl Waits {
    fn note(&mut self, span: &SpanView<'_>, from: Timestamp, to: Timestamp, seconds: f64, error: bool) {
        let parent = span.parent_span_id();
        if parent.is_empty() {
            return;
        }
        let new = Wait { from, to, seconds: 0.0, error: false };
        let wait = self.by_parent.entry(key(span.trace_id(), parent), || new).0;
        wait.from = wait.from.min(from);
        wait.to = wait.to.max(to);
        wait.seconds += seconds;
        wait.error |= error;
    }

    fn take(&mut self, trace: &[u8], span: &[u8]) -> Option<Wait> {
        self.by_parent.get(key(trace, span)).copied()
    }
}

/// A span's identity. Ids are random already.
pub fn key(trace: &[u8], span: &[u8]) -> u64 {
    let word = |bytes: &[u8]| {
        bytes.iter().rev().take(8).fold(0u64, |word, byte| word.rotate_left(8) ^ u64::from(*byte))
    };
    Identity::new().number(word(trace)).number(word(span)).finish()
}
