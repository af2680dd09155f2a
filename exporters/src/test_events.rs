//! Events for tests.

use std::collections::BTreeMap;

use pdata::event::{
    Anomaly, Event, Evidence, Expected, Incident, IncidentState, Phase, RootCause, Severity, Source,
};
use pdata::{Batch, Timestamp};
use serde_json::{Map, json};

/// When everything here begins.
pub(crate) const OPENED: Timestamp = Timestamp::from_secs(1_700_000_000);

/// The incident `inc-1` of the service `cart`.
pub(crate) fn incident(revision: u64, state: IncidentState, severity: Severity) -> Incident {
    let updated = Timestamp::from_secs(1_700_000_000 + 60 * (revision - 1));
    let is_over = matches!(state, IncidentState::Resolved);
    let evidence = Evidence {
        signal: "process.memory.usage".to_owned(),
        observed: 812e6,
        baseline: 210e6,
        surprise: 9.1,
        onset: OPENED,
        message: "memory is 812 MB, usually 210 MB".to_owned(),
    };
    let cause = RootCause {
        service: "cart".to_owned(),
        confidence: 0.834,
        kind: "resource".to_owned(),
        evidence: vec![evidence],
    };
    Incident {
        id: "inc-1".to_owned(),
        revision,
        state,
        severity,
        title: "cart uses unusually much memory, shop affected".to_owned(),
        opened: OPENED,
        updated,
        resolved: is_over.then_some(updated),
        root_causes: vec![cause],
        services: vec!["cart".to_owned(), "shop".to_owned()],
        anomalies: 3,
        path: vec!["cart".to_owned(), "shop".to_owned()],
        changes: Vec::new(),
        merged_into: (state == IncidentState::Merged).then(|| "inc-0".to_owned()),
        summary: "Most likely cause: cart. \"Größe\" 100%.".to_owned(),
    }
}

/// An anomaly of the processor `cpu` of the service `cart`.
pub(crate) fn anomaly(second: u64, cpu: &str, phase: Option<Phase>) -> Anomaly {
    let mut attributes = Map::new();
    attributes.insert("cpu".to_owned(), json!(cpu));
    Anomaly {
        time: Timestamp::from_secs(1_700_000_000 + second),
        service: "cart".to_owned(),
        signal: Source::Metric,
        name: "system.cpu.utilization".to_owned(),
        attributes,
        phase,
        onset: phase.map(|_| OPENED),
        score: 0.9,
        severity: Severity::Warning,
        observed: 0.97,
        expected: Expected { low: 0.1, mid: 0.2, high: 0.3 },
        detectors: BTreeMap::new(),
        why: Vec::new(),
        message: "cart: processor time is high".to_owned(),
        log: None,
    }
}

/// A batch of events.
pub(crate) fn batch(events: impl IntoIterator<Item = Event>) -> Batch {
    Batch::events(events.into_iter().collect())
}
