//! Who calls whom.
//!
//! Nodes are services and the peers that send no telemetry of their own: databases, queues, other people's services. An edge
//! points from caller to callee. The graph is bounded; edges not seen for a day are forgotten.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use pdata::Timestamp;
use petgraph::Direction;
use petgraph::stable_graph::{NodeIndex, StableDiGraph};
use petgraph::visit::{EdgeRef, IntoEdgeReferences};
use serde::{Deserialize, Serialize};

const MOST_SERVICES: usize = 2_000;
const MOST_EDGES: usize = 10_000;
const FORGET_AFTER: Duration = Duration::from_secs(24 * 3600);

/// A service or peer.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Node {
    name: Arc<str>,
    /// Whether it sends telemetry of its own.
    reports: bool,
}

/// Who calls whom.
#[derive(Clone, Debug, Default)]
pub struct ServiceGraph {
    graph: StableDiGraph<Node, Timestamp>,
    index: BTreeMap<Arc<str>, NodeIndex>,
    refused: u64,
}

impl ServiceGraph {
    /// Notes that `caller` called `callee`.
    pub fn link(&mut self, caller: &str, callee: &str, time: Timestamp) {
        if caller == callee {
            return;
        }
        let (Some(from), Some(to)) = (self.node(caller), self.node(callee)) else { return };
        match self.graph.find_edge(from, to) {
            Some(edge) => self.graph[edge] = self.graph[edge].max(time),
            None if self.graph.edge_count() >= MOST_EDGES => self.refused += 1,
            None => {
                self.graph.add_edge(from, to, time);
            }
        }
    }

    /// Notes that `service` sends telemetry of its own.
    pub fn reports(&mut self, service: &str) {
        if let Some(node) = self.node(service) {
            self.graph[node].reports = true;
        }
    }

    /// Whether `service` sends telemetry of its own.
    pub fn is_real(&self, service: &str) -> bool {
        self.index.get(service).is_some_and(|node| self.graph[*node].reports)
    }

    /// Whether `service` is known at all.
    pub fn knows(&self, service: &str) -> bool {
        self.index.contains_key(service)
    }

    /// Whom `service` calls, in name order.
    pub fn callees(&self, service: &str) -> Vec<Arc<str>> {
        self.neighbours(service, Direction::Outgoing)
    }

    /// Who calls `service`, in name order.
    pub fn callers(&self, service: &str) -> Vec<Arc<str>> {
        self.neighbours(service, Direction::Incoming)
    }

    /// Whether `callee` can be reached from `caller` in at most `most` calls.
    pub fn reaches(&self, caller: &str, callee: &str, most: usize) -> bool {
        self.path(caller, callee, most, &|_| true).is_some()
    }

    /// A shortest path of calls from `caller` to `callee` through services that `through` allows, both ends included.
    /// Of several, the first in name order.
    pub fn path(
        &self,
        caller: &str,
        callee: &str,
        most: usize,
        through: &dyn Fn(&str) -> bool,
    ) -> Option<Vec<Arc<str>>> {
        let (start, _) = self.index.get_key_value(caller)?;
        let mut queue = VecDeque::from([vec![Arc::clone(start)]]);
        let mut seen = BTreeSet::from([Arc::clone(start)]);
        while let Some(path) = queue.pop_front() {
            let last = path.last()?;
            if **last == *callee {
                return Some(path);
            }
            if path.len() > most || (path.len() > 1 && !through(last)) {
                continue;
            }
            for next in self.callees(last) {
                if seen.insert(Arc::clone(&next)) {
                    let mut longer = path.clone();
                    longer.push(next);
                    queue.push_back(longer);
                }
            }
        }
        None
    }

    /// Forgets edges that were not seen for a day, and services without any.
    pub fn forget(&mut self, now: Timestamp) {
        self.graph.retain_edges(|graph, edge| now.since(graph[edge]) <= FORGET_AFTER);
        let graph = &mut self.graph;
        self.index.retain(|_, node| {
            let keep = graph[*node].reports || graph.neighbors_undirected(*node).next().is_some();
            if !keep {
                graph.remove_node(*node);
            }
            keep
        });
    }

    /// How many services and edges there are.
    pub fn size(&self) -> (usize, usize) {
        (self.graph.node_count(), self.graph.edge_count())
    }

    /// How many services and edges were refused because there were too many.
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    fn node(&mut self, name: &str) -> Option<NodeIndex> {
        if let Some(node) = self.index.get(name) {
            return Some(*node);
        }
        if self.graph.node_count() >= MOST_SERVICES {
            self.refused += 1;
            return None;
        }
        let name: Arc<str> = Arc::from(name);
        let node = self.graph.add_node(Node { name: Arc::clone(&name), reports: false });
        self.index.insert(name, node);
        Some(node)
    }

    fn neighbours(&self, service: &str, direction: Direction) -> Vec<Arc<str>> {
        let Some(node) = self.index.get(service) else { return Vec::new() };
        let neighbours = self.graph.neighbors_directed(*node, direction);
        let mut names: Vec<Arc<str>> = neighbours.map(|node| Arc::clone(&self.graph[node].name)).collect();
        names.sort_unstable();
        names
    }
}

/// A graph's snapshot: services and edges by name.
#[derive(Debug, Serialize, Deserialize)]
pub struct SavedGraph {
    services: Vec<(Arc<str>, bool)>,
    edges: Vec<(Arc<str>, Arc<str>, Timestamp)>,
}

impl From<&ServiceGraph> for SavedGraph {
    fn from(graph: &ServiceGraph) -> Self {
        let name = |node: NodeIndex| Arc::clone(&graph.graph[node].name);
        let mut edges: Vec<_> = graph
            .graph
            .edge_references()
            .map(|edge| (name(edge.source()), name(edge.target()), *edge.weight()))
            .collect();
        edges.sort_unstable();
        let services =
            graph.index.iter().map(|(name, node)| (Arc::clone(name), graph.graph[*node].reports)).collect();
        Self { services, edges }
    }
}

impl From<SavedGraph> for ServiceGraph {
    fn from(saved: SavedGraph) -> Self {
        let mut graph = Self::default();
        for (service, reports) in saved.services {
            if let Some(node) = graph.node(&service) {
                graph.graph[node].reports = reports;
            }
        }
        for (caller, callee, time) in saved.edges {
            graph.link(&caller, &callee, time);
        }
        graph
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &str)]) -> ServiceGraph {
        let mut graph = ServiceGraph::default();
        edges.iter().for_each(|(a, b)| graph.link(a, b, Timestamp::from_secs(1_000_000)));
        graph
    }

    #[test]
    fn distance_follows_the_direction_of_calls() {
        let graph = graph(&[("frontend", "cart"), ("cart", "redis"), ("frontend", "email")]);
        assert!(graph.reaches("frontend", "redis", 2));
        assert!(!graph.reaches("frontend", "redis", 1));
        assert!(!graph.reaches("redis", "frontend", 5));
        assert!(!graph.reaches("email", "cart", 5));
    }

    #[test]
    fn cycles_end() {
        let graph = graph(&[("a", "b"), ("b", "a"), ("b", "c")]);
        assert!(!graph.reaches("a", "z", 100));
        assert_eq!(graph.path("a", "c", 5, &|_| true).unwrap().len(), 3);
        assert!(graph.path("a", "c", 5, &|service| service != "b").is_none());
    }

    #[test]
    fn edges_not_seen_for_a_day_are_forgotten() {
        let mut graph = graph(&[("a", "b")]);
        graph.link("a", "c", Timestamp::from_secs(1_080_000));
        graph.forget(Timestamp::from_secs(1_000_000 + 25 * 3600));
        assert_eq!((graph.callees("a"), graph.knows("b")), (vec![Arc::from("c")], false));
    }

    #[test]
    fn the_number_of_services_is_bounded_and_counted() {
        let mut graph = ServiceGraph::default();
        (0..3_000).for_each(|n| graph.link("a", &format!("peer-{n}"), Timestamp::from_secs(1)));
        assert_eq!(graph.size().0, MOST_SERVICES);
        assert_eq!(graph.refused(), 1_001);
    }

    #[test]
    fn a_snapshot_holds_everything() {
        let mut original = graph(&[("a", "b"), ("b", "c")]);
        original.reports("b");
        let bytes = postcard::to_allocvec(&SavedGraph::from(&original)).unwrap();
        let restored = ServiceGraph::from(postcard::from_bytes::<SavedGraph>(&bytes).unwrap());
        assert_eq!(postcard::to_allocvec(&SavedGraph::from(&restored)).unwrap(), bytes);
    }
}
