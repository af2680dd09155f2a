//! `watchfire demo`: what is injected is found at its root, and where nothing is injected nothing is found.

use crate::workspace::stdout;

/// What was injected and where, as the demo is expected to judge it.
const TRUTH: [(&str, &str); 4] = [
    ("slow-dependency", "postgres"),
    ("error-burst", "payment"),
    ("memory-leak", "recommendation"),
    ("crash-loop", "cart"),
];

fn every_fault_is_found(seed: &str) {
    let text = stdout(&["demo", "--once", "--seed", seed]);
    let mut verdicts = text.split("VERDICT ").skip(1);
    for (fault, root) in TRUTH {
        let verdict = verdicts.next().unwrap_or_else(|| panic!("no verdict on {fault}:\n{text}"));
        let (injected, found) = verdict.split_once('\n').expect("two lines");
        assert_eq!(injected, format!("injected {fault} at {root}"));
        assert!(found.trim_start().starts_with(&format!("found {root} (")), "{verdict}");
        assert!(found.contains("after the repair"), "not resolved: {verdict}");
    }
    assert_eq!(verdicts.next(), None);
    for part in ["▲", " INCIDENT ", "root cause", "✔ RESOLVED", "4 of 4 faults", "0 false alarms"] {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
}

#[test]
fn every_fault_is_found_at_its_root() {
    every_fault_is_found("1");
}

#[test]
fn every_fault_of_another_shop_is_found_at_its_root() {
    every_fault_is_found("20260105");
}

#[test]
fn where_nothing_is_injected_nothing_is_found() {
    let text = stdout(&["demo", "--once", "--fault", "none", "--seed", "3"]);
    assert!(!text.contains("INCIDENT"), "{text}");
    assert!(text.contains("0 of 0 faults found at their root, 0 false alarms"), "{text}");
}
