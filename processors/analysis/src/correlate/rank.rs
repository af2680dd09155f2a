//! Which service is at the root.
//!
//! `score = own + half of what nothing below explains - half of what something below explains`. A service's own evidence
//! counts by aspect; latency and errors count as far as no callee shows the same or worse; what callers see of a service
//! that reports nothing itself is evidence about that service. Every term is kept for the explanation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::evidence::{Aspect, Symptom};
use crate::graph::ServiceGraph;

/// What propagated evidence is worth where nothing below explains it.
const UNEXPLAINED: f64 = 0.6;
/// How much explained evidence speaks against a service.
const EXPLAINED: f64 = 0.4;
/// What a caller's view of a service that reports by itself is worth.
const SECOND_HAND: f64 = 0.25;
/// How far down explanations are looked for.
const DEPTH: usize = 2;

/// A candidate.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate<'a> {
    /// The service.
    pub service: String,
    /// The sum of all terms.
    pub score: f64,
    /// Share of belief, in [0, 1].
    pub confidence: f64,
    /// `resource`, `latency` and so on.
    pub kind: &'static str,
    /// What speaks for it, strongest first.
    pub evidence: Vec<&'a Symptom>,
}

/// What is known about one service.
#[derive(Debug, Default)]
struct View<'a> {
    /// The strongest symptom of each aspect of its own.
    own: BTreeMap<Aspect, &'a Symptom>,
    /// What callers see of it: the strongest of each aspect, and how many callers.
    seen: BTreeMap<Aspect, (&'a Symptom, BTreeSet<&'a str>)>,
    /// Raised gaps on its edges.
    gaps: Vec<&'a Symptom>,
}

/// Ranks every service that has a symptom, most likely root first.
pub fn rank<'a>(symptoms: impl Iterator<Item = &'a Symptom>, graph: &ServiceGraph) -> Vec<Candidate<'a>> {
    let views = views(symptoms);
    let strengths: BTreeMap<&str, f64> =
        views.iter().map(|(service, view)| (*service, view.propagated().max(view.own_sum()))).collect();
    let mut candidates: Vec<Candidate<'a>> =
        views.iter().map(|(service, view)| candidate(service, view, &strengths, graph)).collect();
    candidates.retain(|candidate| candidate.score > 0.0);
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.service.cmp(&b.service)));
    let total: f64 = candidates.iter().map(|candidate| candidate.score).sum();
    for candidate in &mut candidates {
        let proof = 1.0 - (-candidate.score).exp();
        candidate.confidence = (candidate.score / total * proof).clamp(0.0, 0.99);
    }
    candidates
}

fn views<'a>(symptoms: impl Iterator<Item = &'a Symptom>) -> BTreeMap<&'a str, View<'a>> {
    let mut views: BTreeMap<&'a str, View<'a>> = BTreeMap::new();
    let stronger = |old: &mut &'a Symptom, new: &'a Symptom| {
        if new.surprise > old.surprise {
            *old = new;
        }
    };
    for symptom in symptoms {
        let view = views.entry(&symptom.service).or_default();
        match (symptom.aspect, &symptom.peer) {
            (Aspect::Gap, Some(peer)) => {
                view.gaps.push(symptom);
                views.entry(peer).or_default().gaps.push(symptom);
            }
            (aspect, Some(peer)) => {
                let seen = &mut views.entry(peer).or_default().seen;
                let (strongest, callers) = seen.entry(aspect).or_insert_with(|| (symptom, BTreeSet::new()));
                stronger(strongest, symptom);
                callers.insert(&symptom.service);
            }
            (aspect, None) => {
                view.own.entry(aspect).and_modify(|old| stronger(old, symptom)).or_insert(symptom);
            }
        }
    }
    views
}

impl View<'_> {
    fn strength(&self, aspect: Aspect) -> f64 {
        self.own.get(&aspect).map_or(0.0, |symptom| symptom.strength())
    }

    fn seen_strength(&self, aspect: Aspect) -> f64 {
        self.seen.get(&aspect).map_or(0.0, |(symptom, _)| symptom.strength())
    }

    /// The strongest evidence that it may only pass on.
    fn propagated(&self) -> f64 {
        let own = self.strength(Aspect::Latency).max(self.strength(Aspect::Errors));
        own.max(self.seen_strength(Aspect::CallLatency)).max(self.seen_strength(Aspect::CallErrors))
    }

    fn own_sum(&self) -> f64 {
        self.own.iter().map(|(aspect, symptom)| weight(*aspect, symptom) * symptom.strength()).sum()
    }

    /// Time lost on its edges, by the share of its edges that show it: a fault of the network at a service slows all of
    /// them.
    fn gap(&self, service: &str, graph: &ServiceGraph) -> f64 {
        let raised: BTreeSet<&str> = self
            .gaps
            .iter()
            .filter_map(|gap| if gap.service == service { gap.peer.as_deref() } else { Some(&*gap.service) })
            .collect();
        let edges = graph.callers(service).len()
            + graph.callees(service).iter().filter(|callee| graph.is_real(callee)).count();
        let share = (raised.len() as f64 / edges.max(1) as f64).min(1.0);
        let strongest = self.gaps.iter().map(|gap| gap.strength()).fold(0.0, f64::max);
        if share < 0.5 {
            0.3 * share * strongest
        } else {
            share * strongest * (1.0 + 0.2 * (raised.len() as f64).ln())
        }
    }

    /// What callers see and the service itself does not say: all there is to know about a database, and the sign of a
    /// service that no longer answers.
    fn hearsay(&self, service: &str, graph: &ServiceGraph) -> f64 {
        let real = graph.is_real(service);
        let term = |aspect, own: f64| {
            let Some((symptom, callers)) = self.seen.get(&aspect) else { return 0.0 };
            let silent = !real || (aspect == Aspect::CallErrors && own == 0.0);
            let weight = if silent { 1.0 + 0.2 * (callers.len() as f64).ln() } else { SECOND_HAND };
            weight * symptom.strength()
        };
        term(Aspect::CallLatency, self.strength(Aspect::Latency))
            + term(Aspect::CallErrors, self.strength(Aspect::Errors).max(self.strength(Aspect::ErrorOrigin)))
    }
}

/// A fall of what is worrying when it rises says little: the load went elsewhere.
fn weight(aspect: Aspect, symptom: &Symptom) -> f64 {
    let fell = !symptom.up && matches!(aspect, Aspect::Cpu | Aspect::Memory | Aspect::Saturation);
    aspect.own_weight() * if fell { 0.3 } else { 1.0 }
}

fn candidate<'a>(
    service: &str,
    view: &View<'a>,
    strengths: &BTreeMap<&str, f64>,
    graph: &ServiceGraph,
) -> Candidate<'a> {
    let below = below(service, graph)
        .iter()
        .filter_map(|callee| strengths.get(&**callee))
        .fold(0.0, |most: f64, strength| most.max(*strength));
    let propagated = view.strength(Aspect::Latency).max(view.strength(Aspect::Errors));
    let explained = propagated.min(below);
    let mut own = view.own_sum();
    if below > 0.0 && view.strength(Aspect::ErrorOrigin) == 0.0 {
        // Complaints about somebody else's errors look like one's own in the logs.
        own -= 0.7 * weight_of_logs(view);
    }
    let score = own
        + view.gap(service, graph)
        + view.hearsay(service, graph)
        + UNEXPLAINED * (propagated - explained)
        - EXPLAINED * explained;
    let evidence = evidence(view);
    Candidate { service: service.to_owned(), score, confidence: 0.0, kind: kind(view, &evidence), evidence }
}

fn weight_of_logs(view: &View<'_>) -> f64 {
    view.own
        .get(&Aspect::LogErrors)
        .map_or(0.0, |symptom| Aspect::LogErrors.own_weight() * symptom.strength())
}

fn below(service: &str, graph: &ServiceGraph) -> BTreeSet<Arc<str>> {
    let mut found = BTreeSet::new();
    let mut level: Vec<Arc<str>> = graph.callees(service);
    for _ in 0..DEPTH {
        let next: Vec<Arc<str>> = level.iter().flat_map(|callee| graph.callees(callee)).collect();
        found.extend(level);
        level = next;
    }
    found.remove(service);
    found
}

/// Everything about the service, its own first, strongest first.
fn evidence<'a>(view: &View<'a>) -> Vec<&'a Symptom> {
    let own = view.own.iter().map(|(aspect, symptom)| (weight(*aspect, symptom).max(0.1), *symptom));
    let seen = view.seen.values().map(|(symptom, _)| (SECOND_HAND, *symptom));
    let strongest_gap = view.gaps.iter().max_by(|a, b| a.surprise.total_cmp(&b.surprise));
    let gap = strongest_gap.map(|symptom| (0.8, *symptom));
    let mut all: Vec<(f64, &Symptom)> = own.chain(seen).chain(gap).collect();
    all.sort_by(|(a_weight, a), (b_weight, b)| {
        let (a_size, b_size) = (a_weight * a.strength(), b_weight * b.strength());
        b_size.total_cmp(&a_size).then_with(|| a.signal.cmp(&b.signal))
    });
    all.into_iter().map(|(_, symptom)| symptom).collect()
}

fn kind(view: &View<'_>, evidence: &[&Symptom]) -> &'static str {
    let began = |aspect| view.own.get(&aspect).filter(|symptom| symptom.up).map(|symptom| symptom.onset);
    match (began(Aspect::Memory), began(Aspect::Restart)) {
        // Memory that rose before the restarts is why it restarts.
        (Some(memory), Some(restart)) if memory < restart => "resource",
        (_, Some(_)) => "crash",
        _ => evidence.first().map_or("unknown", |symptom| symptom.aspect.kind()),
    }
}
