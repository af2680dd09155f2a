//! Reports of anomalies, put together to stretches of time.
//!
//! An anomaly is reported when it begins, again and again while it goes on, and when it ends. For somebody who looks back it
//! is one thing, with a beginning and an end.

use std::borrow::Cow;

use pdata::Timestamp;
use pdata::event::{Anomaly, Phase, Severity as Badness};

use super::super::severity::Severity;
use crate::words::Clock;

/// A stretch of time in which something was out of the ordinary.
#[derive(Clone, Debug)]
pub(super) struct Stretch<'a> {
    key: (&'a str, &'a str, String),
    /// Since when.
    pub(super) since: Timestamp,
    /// Until when, or when it was last reported.
    pub(super) until: Timestamp,
    /// Whether it has ended.
    pub(super) over: bool,
    /// How bad it was at worst.
    pub(super) worst: Badness,
    /// Whose logs.
    pub(super) service: &'a str,
    /// What was said about it when it was worst.
    pub(super) message: &'a str,
    score: f64,
}

impl Stretch<'_> {
    /// When it ended, in words.
    pub(super) fn end(&self, clock: Clock) -> String {
        if self.over { clock.text(self.until) } else { "the end".to_owned() }
    }

    /// Whose logs, and what about them.
    pub(super) fn text(&self) -> Cow<'_, str> {
        if self.message.starts_with(self.service) {
            return Cow::Borrowed(self.message);
        }
        Cow::Owned(format!("{}: {}", self.service, self.message))
    }

    /// How it is shown.
    pub(super) const fn severity(&self) -> Severity {
        match self.worst {
            Badness::Info => Severity::Info,
            Badness::Warning => Severity::Warn,
            Badness::Error => Severity::Error,
            Badness::Critical => Severity::Fatal,
        }
    }
}

/// The stretches that `anomalies` report, by when they began.
pub(super) fn stretches(anomalies: &[Anomaly]) -> Vec<Stretch<'_>> {
    let mut stretches: Vec<Stretch<'_>> = Vec::new();
    for anomaly in anomalies {
        let attributes = serde_json::to_string(&anomaly.attributes).unwrap_or_default();
        let key = (anomaly.service.as_str(), anomaly.name.as_str(), attributes);
        let open = stretches.iter_mut().rev().find(|stretch| !stretch.over && stretch.key == key);
        match open {
            Some(open) if matches!(anomaly.phase, Some(Phase::Continue | Phase::End)) => open.add(anomaly),
            _ => stretches.push(Stretch::new(anomaly, key)),
        }
    }
    stretches.sort_by_key(|stretch| stretch.since);
    stretches
}

impl<'a> Stretch<'a> {
    fn new(anomaly: &'a Anomaly, key: (&'a str, &'a str, String)) -> Self {
        Self {
            key,
            since: anomaly.onset.unwrap_or(anomaly.time),
            until: anomaly.time,
            // A detector that does not say where a stretch begins does not say where it ends.
            over: anomaly.is_over() || anomaly.phase.is_none(),
            worst: anomaly.severity,
            service: &anomaly.service,
            message: &anomaly.message,
            score: anomaly.score,
        }
    }

    fn add(&mut self, anomaly: &'a Anomaly) {
        self.until = self.until.max(anomaly.time);
        self.worst = self.worst.max(anomaly.severity);
        self.over = anomaly.is_over();
        if !self.over && anomaly.score > self.score {
            (self.message, self.score) = (&anomaly.message, anomaly.score);
        }
    }
}
