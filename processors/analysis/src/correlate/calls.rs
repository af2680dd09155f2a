//! Calls between services, from client and server spans joined across batches.
//!
//! A client span and the server span below it come from different processes, in any order. Whichever comes first waits in
//! a bounded table. A client span that nobody answered names a peer without telemetry. The time that the client saw
//! and the server did not, the gap, was spent in between: the strongest sign of a network fault.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use pdata::event::Source;
use pdata::view::{SpanKind, SpanView};
use pdata::{Timestamp, Traces};
use serde::{Deserialize, Serialize};

use crate::detect::findings::Label;
use crate::detect::metrics::resource_name;
use crate::detect::red::{Carry, Red, Request, Statistic};
use crate::detect::spans::{key, peer};
use crate::detect::watcher::SeriesTable;
use crate::detect::windows::{Closed, Windows};
use crate::detect::{Direction, Findings, Nature, Settings, Unit};
use crate::event_time::EventTime;
use crate::graph::ServiceGraph;
use crate::identity::Identity;
use crate::table::Table;

const WAITING: usize = 32_768;
const MOST_EDGES: usize = 2_000;
const MOST_ALIASES: usize = 2_000;
/// How long a client span waits for its answer, in event time.
const PATIENCE: Duration = Duration::from_secs(30);

/// Joins spans to calls.
#[derive(Debug)]
pub struct Calls {
    clients: Table<Client>,
    servers: Table<Server>,
    /// Client spans in order of arrival, to find those that nobody answered.
    unanswered: VecDeque<(Timestamp, u64)>,
    time: EventTime,
    /// Which service answers under a peer's name or address.
    aliases: BTreeMap<Box<str>, Arc<str>>,
    gaps: Gaps,
    series: SeriesTable,
}

#[derive(Clone, Debug)]
struct Client {
    caller: Arc<str>,
    peer: Option<Box<str>>,
    end: Timestamp,
    seconds: f64,
    answered: bool,
}

#[derive(Clone, Debug)]
struct Server {
    callee: Arc<str>,
    seconds: f64,
}

/// Windows over the gaps of every edge.
#[derive(Clone, Debug, Default)]
struct Gaps {
    windows: Windows<BTreeMap<u64, Red>>,
    edges: BTreeMap<u64, (Arc<str>, Arc<str>, Carry)>,
}

/// What a snapshot holds: names are cheap to learn again, but not which address is which service.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct SavedCalls {
    aliases: BTreeMap<Box<str>, Arc<str>>,
}

impl Calls {
    /// Knows no calls yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            clients: Table::new(WAITING),
            servers: Table::new(WAITING),
            unanswered: VecDeque::new(),
            time: EventTime::default(),
            aliases: BTreeMap::new(),
            gaps: Gaps::default(),
            series: SeriesTable::new(MOST_EDGES, MOST_EDGES, settings),
        }
    }

    /// Reads all spans of a batch.
    pub fn read(&mut self, traces: &Traces, graph: &mut ServiceGraph, findings: &mut Findings) {
        for group in traces.view().resources() {
            let service: Arc<str> = Arc::from(resource_name(group.resource()));
            graph.reports(&service);
            for span in group.scopes().flat_map(|scope| scope.spans()) {
                if !self.time.observe(span.end()) {
                    // It would end the windows of all others.
                    continue;
                }
                match span.kind() {
                    SpanKind::Client | SpanKind::Producer => self.client(&service, &span, graph),
                    SpanKind::Server | SpanKind::Consumer => self.server(&service, &span, graph),
                    SpanKind::Internal | SpanKind::Unspecified => {}
                }
            }
        }
        self.give_up(graph);
        let closed = self.gaps.windows.close();
        self.observe(closed, findings);
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Timestamp, findings: &mut Findings) {
        self.time.tick(now);
        let closed = self.gaps.windows.tick(now);
        self.observe(closed, findings);
    }

    /// The newest span's end that is to be believed.
    pub const fn newest(&self) -> Timestamp {
        self.time.newest()
    }

    /// The service that answers under `peer`, as far as that is known.
    pub fn resolve<'a>(&'a self, peer: &'a str) -> &'a str {
        self.aliases.get(peer).map_or(peer, |service| service)
    }

    /// What to keep over a restart.
    pub fn save(&self) -> SavedCalls {
        SavedCalls { aliases: self.aliases.clone() }
    }

    /// Takes over what was kept.
    pub fn restore(&mut self, saved: SavedCalls) {
        self.aliases = saved.aliases;
    }

    fn client(&mut self, service: &Arc<str>, span: &SpanView<'_>, graph: &mut ServiceGraph) {
        let id = key(span.trace_id(), span.span_id());
        let mut client = Client {
            caller: Arc::clone(service),
            peer: peer(span).map(Into::into),
            end: span.end(),
            seconds: span.duration().as_secs_f64(),
            answered: false,
        };
        if let Some(server) = self.servers.get(id).cloned() {
            self.join(&client, &server, graph);
            client.answered = true;
        } else if let Some(answers) = client.peer.as_ref().and_then(|peer| self.aliases.get(peer)) {
            graph.link(service, answers, span.end());
        } else if let Some(peer) = client.peer.as_ref().filter(|peer| graph.is_real(peer)) {
            graph.link(service, peer, span.end());
        }
        if self.unanswered.len() < WAITING {
            self.unanswered.push_back((span.end(), id));
        }
        // A span id that comes twice is the same call; the first one counts.
        self.clients.entry(id, || client);
    }

    fn server(&mut self, service: &Arc<str>, span: &SpanView<'_>, graph: &mut ServiceGraph) {
        if span.parent_span_id().is_empty() {
            return;
        }
        let id = key(span.trace_id(), span.parent_span_id());
        let server = Server { callee: Arc::clone(service), seconds: span.duration().as_secs_f64() };
        let known = self.clients.get_mut(id).map(|client| {
            client.answered = true;
            client.clone()
        });
        match known {
            Some(client) => self.join(&client, &server, graph),
            None => drop(self.servers.entry(id, || server)),
        }
    }

    fn join(&mut self, client: &Client, server: &Server, graph: &mut ServiceGraph) {
        if client.caller == server.callee {
            return;
        }
        graph.link(&client.caller, &server.callee, client.end);
        if let Some(peer) = &client.peer
            && **peer != *server.callee
            && self.aliases.len() < MOST_ALIASES
        {
            self.aliases.insert(peer.clone(), Arc::clone(&server.callee));
        }
        self.gaps.add(client, server);
    }

    /// Client spans that nobody answered for long have called somebody who sends no telemetry.
    fn give_up(&mut self, graph: &mut ServiceGraph) {
        while let Some((end, id)) = self.unanswered.front().copied() {
            if self.newest().since(end) < PATIENCE && self.unanswered.len() < WAITING {
                break;
            }
            self.unanswered.pop_front();
            if let Some(client) = self.clients.get(id).filter(|client| !client.answered)
                && let Some(peer) = &client.peer
            {
                let callee = self.aliases.get(peer).map_or(&**peer, |service| service);
                graph.link(&client.caller, callee, client.end);
            }
        }
    }

    fn observe(&mut self, closed: Vec<Closed<BTreeMap<u64, Red>>>, findings: &mut Findings) {
        let nothing = Red::default();
        for window in closed {
            for (id, (caller, callee, carry)) in &mut self.gaps.edges {
                let red = window.stats.get(id).unwrap_or(&nothing);
                for (statistic, point) in carry.window(window.end, red) {
                    if statistic == Statistic::Mean {
                        let label = || gap_label(caller, callee);
                        self.series.observe(*id, label, point, findings);
                    }
                }
            }
        }
    }
}

impl Gaps {
    fn add(&mut self, client: &Client, server: &Server) {
        let Some(window) = self.windows.at(client.end) else { return };
        let id = Identity::new().text(&client.caller).text(&server.callee).finish();
        if !self.edges.contains_key(&id) {
            if self.edges.len() >= MOST_EDGES {
                return;
            }
            let edge = (Arc::clone(&client.caller), Arc::clone(&server.callee), Carry::default());
            self.edges.insert(id, edge);
        }
        let seconds = (client.seconds - server.seconds).max(0.0);
        window.entry(id).or_default().add(Request { seconds, ..Request::default() });
    }
}

fn gap_label(caller: &Arc<str>, callee: &Arc<str>) -> Label {
    let nature =
        Nature { direction: Direction::Up, unit_floor: 4.0 * Unit::Seconds.floor(), unit: Unit::Seconds };
    Label {
        service: Arc::clone(caller),
        source: Source::Trace,
        name: format!("{caller}->{callee}:network_gap").into(),
        subject: format!("time between {caller} and {callee}").into(),
        attributes: Box::new([("peer".into(), (&**callee).into())]),
        nature,
    }
}
