//! What is shown, and when: what the demo did to the shop, what the pipeline found, and how the two compare.
//!
//! In: the truth from the simulation, events from the pipeline. The two meet only in the verdict.

use std::time::Duration;

use indexmap::IndexMap;
use pdata::event::{Anomaly, Incident, IncidentState, Phase};
use pdata::{Event, Timestamp};

use super::faults::{Fault, Injected, Schedule};
use super::screen::{Look, Screen, bar, time_of_day};

/// Of a fault's anomalies the first of so many services are shown, the others are counted: the incident gathers them.
const MOST_SHOWN: usize = 4;

/// Tells what happens.
pub(super) struct Story {
    screen: Screen,
    start: Timestamp,
    first_fault: Timestamp,
    now: Timestamp,
    /// The fault that was injected last, until its verdict.
    chapter: Option<Injected>,
    /// Whether its end was told.
    repaired: bool,
    /// Services whose anomalies were shown since the chapter began.
    shown: Vec<String>,
    /// Anomalies since then that were not shown.
    hidden: usize,
    /// Incidents since the chapter began, by id, as last reported.
    incidents: IndexMap<String, Incident>,
    verdicts: Vec<Verdict>,
    /// Incidents that no fault explains.
    false_alarms: usize,
    closed: bool,
}

/// How a finding compares to the truth.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Verdict {
    /// What was injected.
    pub(super) fault: Fault,
    /// The root that was found, with its kind and how sure that is, if an incident was opened.
    pub(super) found: Option<(String, String, f64)>,
    /// From the injection to the incident.
    pub(super) after: Option<Duration>,
    /// From the repair to the resolution.
    pub(super) resolved: Option<Duration>,
    /// Other incidents that were opened meanwhile.
    pub(super) others: usize,
}

impl Verdict {
    /// Whether the fault was found, at its root, and nothing else beside it.
    pub(super) fn is_right(&self) -> bool {
        self.others == 0 && self.found.as_ref().is_some_and(|(root, ..)| root == self.fault.root())
    }
}

impl Story {
    /// A story that begins at `start`.
    pub(super) fn new(screen: Screen, start: Timestamp, schedule: &Schedule) -> Self {
        Self {
            screen,
            start,
            first_fault: schedule.faults.first().map_or(schedule.end, |injected| injected.begin),
            now: start,
            chapter: None,
            repaired: false,
            shown: Vec::new(),
            hidden: 0,
            incidents: IndexMap::new(),
            verdicts: Vec::new(),
            false_alarms: 0,
            closed: false,
        }
    }

    /// Writes a line.
    pub(super) fn say(&mut self, text: &str) {
        self.screen.line(text);
    }

    /// Writes a line of less weight.
    pub(super) fn whisper(&mut self, text: &str) {
        let text = self.screen.paint(Look::Dim, text);
        self.screen.line(&text);
    }

    /// Why nothing could be written any more, if so.
    pub(super) const fn failure(&mut self) -> Option<std::io::Error> {
        self.screen.failure()
    }

    /// The simulation has come to `now`; tells what the demo does to the shop. `seen` says what the pipeline was given.
    pub(super) fn arrive(&mut self, now: Timestamp, schedule: &Schedule, seen: &str) {
        self.now = now;
        if let Some(next) = schedule.faults.iter().find(|injected| injected.begin == now) {
            if self.chapter.is_none() {
                self.whisper(&format!("{}  learned what is normal: {seen}", time_of_day(now)));
            }
            self.judge();
            self.inject(*next);
        }
        if let Some(chapter) = self.chapter.filter(|chapter| chapter.end <= now && !self.repaired) {
            self.repaired = true;
            self.mark(&format!(" REPAIRED {} ", time_of_day(now)), chapter.fault.name());
        }
        self.status(seen);
    }

    fn status(&mut self, seen: &str) {
        let now = time_of_day(self.now);
        let text = match self.chapter {
            _ if self.now < self.first_fault => {
                let total = self.first_fault.since(self.start).as_secs_f64();
                let share = self.now.since(self.start).as_secs_f64() / total;
                format!("{now}  learning what is normal {} {:.0}%  {seen}", bar(share), share * 100.0)
            }
            Some(chapter) if !self.repaired => {
                format!(
                    "{now}  {} since {}  {seen}",
                    chapter.fault.name(),
                    duration(self.now.since(chapter.begin))
                )
            }
            _ => format!("{now}  no fault in force  {seen}"),
        };
        self.screen.status(&text);
    }

    fn inject(&mut self, injected: Injected) {
        self.chapter = Some(injected);
        self.repaired = false;
        self.screen.line("");
        self.mark(&format!(" INJECTED {} ", time_of_day(injected.begin)), injected.fault.story());
        self.whisper("   the pipeline is not told; from here on it speaks for itself");
    }

    fn mark(&mut self, label: &str, text: &str) {
        let rule = self.screen.paint(Look::Injected, &format!("━━{label}━━"));
        let text = self.screen.paint(Look::Strong, text);
        self.screen.line(&format!("{rule} {text}"));
    }

    /// The pipeline found something.
    pub(super) fn found(&mut self, event: &Event) {
        if self.closed {
            return;
        }
        match event {
            Event::Anomaly(anomaly) => self.anomaly(anomaly),
            Event::Incident(incident) => self.incident(incident, event),
            Event::Change(_) | Event::Action(_) | Event::Score(_) | Event::Forecast(_) => {}
        }
    }

    fn anomaly(&mut self, anomaly: &Anomaly) {
        if anomaly.phase.is_some_and(|phase| phase != Phase::Begin) {
            return;
        }
        if self.shown.len() < MOST_SHOWN && !self.shown.contains(&anomaly.service) {
            self.shown.push(anomaly.service.clone());
            let sign = self.screen.paint(Look::Bad, "▲");
            let time = self.screen.paint(Look::Dim, &time_of_day(anomaly.time));
            self.screen.line(&format!("{sign} {time} {}", anomaly.message));
        } else {
            self.hidden += 1;
        }
    }

    fn incident(&mut self, incident: &Incident, event: &Event) {
        let root = |incident: &Incident| incident.root_causes.first().map(|root| root.service.clone());
        let before = self.incidents.insert(incident.id.clone(), incident.clone());
        let news = before.is_none_or(|before| root(&before) != root(incident));
        let over = matches!(incident.state, IncidentState::Resolved | IncidentState::Merged);
        if over || !news {
            self.brief(incident);
        } else {
            let block = exporters::debug::block(event, self.screen.colour());
            self.screen.line(block.trim_end_matches('\n'));
        }
    }

    fn brief(&mut self, incident: &Incident) {
        let (sign, look, word) = match incident.state {
            IncidentState::Resolved => ("✔", Look::Good, "RESOLVED"),
            IncidentState::Merged => ("○", Look::Good, "MERGED"),
            IncidentState::Open | IncidentState::Updated => ("●", Look::Bad, "UPDATE"),
        };
        let head = self.screen.paint(look, &format!("{sign} {word}"));
        let time = self.screen.paint(Look::Dim, &time_of_day(incident.updated));
        let foot = match incident.resolved {
            Some(resolved) => format!("(over after {})", duration(resolved.since(incident.opened))),
            None => format!("({} anomalies)", incident.anomalies),
        };
        let foot = self.screen.paint(Look::Dim, &foot);
        self.screen.line(&format!("{head} {time} {} {foot}", incident.title));
    }

    /// Compares what was found with the truth, and begins a new chapter.
    fn judge(&mut self) {
        let incidents = std::mem::take(&mut self.incidents);
        let alive = incidents.values().filter(|incident| incident.state != IncidentState::Merged);
        self.shown.clear();
        let hidden = std::mem::take(&mut self.hidden);
        let Some(Injected { fault, begin, end }) = self.chapter.take() else {
            self.false_alarms += alive.count();
            return;
        };
        let incidents: Vec<&Incident> = alive.collect();
        // If there are several, the one that names the root counts, and the others count against it.
        let root = |incident: &Incident| incident.root_causes.first().map(|root| root.service.clone());
        let right = incidents.iter().find(|incident| root(incident).as_deref() == Some(fault.root()));
        let main = right.or_else(|| incidents.first());
        let cause = main.and_then(|incident| incident.root_causes.first());
        let verdict = Verdict {
            fault,
            found: cause.map(|root| (root.service.clone(), root.kind.clone(), root.confidence)),
            after: main.map(|incident| incident.opened.since(begin)),
            resolved: main.and_then(|incident| Some(incident.resolved?.since(end))),
            others: incidents.len().saturating_sub(1),
        };
        if hidden > 0 {
            self.whisper(&format!("  {hidden} more anomalies were not shown"));
        }
        self.tell(&verdict);
        self.verdicts.push(verdict);
    }

    fn tell(&mut self, verdict: &Verdict) {
        let (sign, look) = if verdict.is_right() { ("✔", Look::Good) } else { ("✘", Look::Bad) };
        let head = self.screen.paint(look, &format!("{sign} VERDICT"));
        self.screen.line(&format!("{head} {}", verdict.sentence()));
    }

    /// The end: judges the last chapter and sums up. Returns whether every fault was found at its root and nothing else
    /// was reported.
    pub(super) fn close(&mut self, sent: &str) -> bool {
        self.screen.clear();
        let unfinished = self.chapter.is_some_and(|chapter| self.now < chapter.end);
        if unfinished {
            self.chapter = None;
            self.whisper("   the last fault was not over; there is no verdict on it");
        } else {
            self.judge();
        }
        self.closed = true;
        let right = self.verdicts.iter().filter(|verdict| verdict.is_right()).count();
        let extra = self.false_alarms + self.verdicts.iter().map(|verdict| verdict.others).sum::<usize>();
        let good = right == self.verdicts.len() && extra == 0;
        self.screen.line("");
        let head = self.screen.paint(
            if good { Look::Good } else { Look::Bad },
            &format!("{right} of {} faults found at their root, {extra} false alarms", self.verdicts.len()),
        );
        self.screen.line(&head);
        self.whisper(sent);
        good && !unfinished
    }
}

impl Verdict {
    fn sentence(&self) -> String {
        let mut text = format!("injected {} at {}\n          found ", self.fault.name(), self.fault.root());
        match &self.found {
            None => text.push_str("nothing"),
            Some((root, kind, confidence)) => {
                text.push_str(&format!("{root} ({kind}, {:.0}% sure)", confidence * 100.0));
            }
        }
        if let Some(after) = self.after {
            text.push_str(&format!(" after {}", duration(after)));
        }
        match self.resolved {
            Some(resolved) => text.push_str(&format!(", resolved {} after the repair", duration(resolved))),
            None if self.found.is_some() => text.push_str(", not resolved yet"),
            None => {}
        }
        if self.others > 0 {
            text.push_str(&format!(", and {} more incidents", self.others));
        }
        text
    }
}

/// Whole seconds: `4m12s`, `9s`.
fn duration(duration: Duration) -> String {
    match (duration.as_secs() / 60, duration.as_secs() % 60) {
        (0, seconds) => format!("{seconds}s"),
        (minutes, seconds) => format!("{minutes}m{seconds:02}s"),
    }
}

#[cfg(test)]
mod tests;
