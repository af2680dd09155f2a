//! What the story shows, given a schedule and findings made by hand.

use std::io::Write;
use std::sync::{Arc, Mutex};

use pdata::event::{RootCause, Severity};

use super::*;

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

const START: Timestamp = Timestamp::from_secs(1_767_603_600);

fn incident(id: &str, state: IncidentState, root: &str, opened: Timestamp, updated: Timestamp) -> Event {
    Event::Incident(Incident {
        id: id.to_owned(),
        revision: 1,
        state,
        severity: Severity::Error,
        title: format!("{root} is slow"),
        opened,
        updated,
        resolved: (state == IncidentState::Resolved).then_some(updated),
        root_causes: vec![RootCause {
            service: root.to_owned(),
            confidence: 0.9,
            kind: "latency".to_owned(),
            evidence: Vec::new(),
        }],
        services: vec![root.to_owned()],
        anomalies: 3,
        path: Vec::new(),
        changes: Vec::new(),
        merged_into: None,
        summary: String::new(),
    })
}

/// Plays one fault with what `found` gives for its begin and end; returns the text and whether all was well.
fn tell(found: impl Fn(Timestamp, Timestamp) -> Vec<Event>) -> (String, bool) {
    let schedule = Schedule::new(START, &[Fault::SlowDependency], None);
    let Injected { begin, end, .. } = schedule.faults[0];
    let page = Page::default();
    let mut story = Story::new(Screen::plain(Box::new(page.clone())), START, &schedule);
    story.arrive(begin, &schedule, "nothing");
    found(begin, end).iter().for_each(|event| story.found(event));
    story.arrive(end, &schedule, "nothing");
    story.arrive(schedule.end, &schedule, "nothing");
    let good = story.close("all sent");
    let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
    (text, good)
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn the_right_root_is_confirmed_with_times() {
    let (text, good) = tell(|begin, end| {
        let opened = begin + seconds(40);
        vec![
            incident("inc-1", IncidentState::Open, "postgres", opened, opened),
            incident("inc-1", IncidentState::Resolved, "postgres", opened, end + seconds(95)),
        ]
    });
    assert!(good, "{text}");
    let verdict = "✔ VERDICT injected slow-dependency at postgres\n          \
                   found postgres (latency, 90% sure) after 40s, resolved 1m35s after the repair";
    assert!(text.contains(verdict), "{text}");
    assert!(text.contains("━━ INJECTED 09:08:00 ━━"), "{text}");
    assert!(text.contains("1 of 1 faults found at their root, 0 false alarms"), "{text}");
}

#[test]
fn a_wrong_root_is_told_as_such() {
    let (text, good) = tell(|begin, _| vec![incident("inc-1", IncidentState::Open, "catalog", begin, begin)]);
    assert!(!good);
    assert!(
        text.contains("✘ VERDICT injected slow-dependency at postgres\n          found catalog"),
        "{text}"
    );
    assert!(text.contains("not resolved yet"), "{text}");
}

#[test]
fn nothing_found_is_told_as_such() {
    let (text, good) = tell(|_, _| Vec::new());
    assert!(!good);
    assert!(text.contains("found nothing"), "{text}");
    assert!(text.contains("0 of 1 faults"), "{text}");
}

#[test]
fn a_second_incident_counts_against_it_unless_it_was_merged() {
    let second = |state| {
        move |begin: Timestamp, _| {
            vec![
                incident("inc-1", IncidentState::Open, "postgres", begin, begin),
                incident("inc-2", state, "catalog", begin, begin),
            ]
        }
    };
    let (text, good) = tell(second(IncidentState::Open));
    assert!(!good);
    assert!(text.contains("and 1 more incidents") && text.contains("1 false alarms"), "{text}");
    assert!(tell(second(IncidentState::Merged)).1);
}

#[test]
fn an_incident_without_a_fault_is_a_false_alarm() {
    let schedule = Schedule::new(START, &[], None);
    let page = Page::default();
    let mut story = Story::new(Screen::plain(Box::new(page.clone())), START, &schedule);
    story.found(&incident("inc-1", IncidentState::Open, "cart", START, START));
    story.arrive(schedule.end, &schedule, "nothing");
    assert!(!story.close("all sent"));
    assert!(Story::new(Screen::plain(Box::new(page)), START, &schedule).close("all sent"));
}
