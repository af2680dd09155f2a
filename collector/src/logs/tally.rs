//! How many lines there are of which template, and what else is known of each.
//!
//! Memory is bounded: beyond [`MOST_BYTES`] of templates, lines of further ones are counted together. A template that turns out
//! to be part of another gives its counts to it, so that the counts of all templates are always those of all lines.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use pdata::Timestamp;
use pdata::event::Anomaly;

use super::severity::{Severity, Spread};

/// What all templates and their exemplars may take.
const MOST_BYTES: usize = 128 << 20;
/// What a template takes beside its texts.
const ENTRY_BYTES: usize = 400;
/// How much of a line is kept as an exemplar.
const EXEMPLAR_BYTES: usize = 1024;
/// How many anomalies are kept, and how many merges.
const MOST_ANOMALIES: usize = 10_000;
const MOST_MERGES: usize = 200_000;

/// A line, as it comes out of the pipeline.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Line<'a> {
    /// Its template's id; empty if it has none.
    pub(super) id: &'a str,
    /// Its template.
    pub(super) template: &'a str,
    /// Its cluster; empty if it has none.
    pub(super) cluster: &'a str,
    /// What it says.
    pub(super) body: &'a str,
    /// How bad it is.
    pub(super) severity: Severity,
    /// When; unknown if it does not say.
    pub(super) time: Timestamp,
}

/// What is known of a template.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// Its text.
    pub(super) template: String,
    /// How many lines.
    pub(super) lines: u64,
    /// How bad they are.
    pub(super) spread: Spread,
    /// What they are about, and how many of them.
    pub(super) classes: Vec<(String, u64)>,
    /// The cluster of templates that say the same; empty if there is none.
    pub(super) cluster: String,
    /// The earliest and the latest time; unknown if no line says.
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    /// One of the lines, or how it begins.
    pub(super) exemplar: String,
}

/// What is known of all lines.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// By id, in the order in which they came up.
    templates: IndexMap<Box<str>, Found, RandomState>,
    /// Lines whose template has not fitted in.
    other: Found,
    /// Lines without a template.
    without: Found,
    /// What became part of what.
    merged: HashMap<Box<str>, Box<str>, RandomState>,
    anomalies: Vec<Anomaly>,
    more_anomalies: u64,
    lines: u64,
    bytes: usize,
}

impl Tally {
    /// Counts a line.
    pub(super) fn record<'a>(&mut self, line: &Line<'_>, classes: impl Iterator<Item = &'a str>) {
        self.lines += 1;
        let found = if line.id.is_empty() { &mut self.without } else { self.entry(line.id, line.template) };
        found.lines += 1;
        // Its masks may become more general, which does not make it another template.
        if found.template != line.template && !line.id.is_empty() {
            line.template.clone_into(&mut found.template);
        }
        found.spread.count(line.severity);
        if !line.time.is_unknown() {
            found.first = if found.first.is_unknown() { line.time } else { found.first.min(line.time) };
            found.last = found.last.max(line.time);
        }
        if found.exemplar.is_empty() {
            head(line.body).clone_into(&mut found.exemplar);
        }
        if found.cluster != line.cluster {
            line.cluster.clone_into(&mut found.cluster);
        }
        for class in classes {
            count_class(&mut found.classes, class, 1);
        }
    }

    /// What was counted for `old` counts for `new` from now on. Returns how many lines that are.
    pub(super) fn merge(&mut self, old: &str, new: &str, template: &str) -> u64 {
        if old == new {
            return 0;
        }
        if self.merged.len() < MOST_MERGES {
            self.merged.insert(old.into(), new.into());
        }
        let Some(gone) = self.templates.swap_remove(old) else { return 0 };
        self.bytes = self.bytes.saturating_sub(size(old, &gone.template));
        let lines = gone.lines;
        self.entry(new, template).add(gone);
        lines
    }

    /// Remembers an anomaly.
    pub(super) fn anomaly(&mut self, anomaly: &Anomaly) {
        if self.anomalies.len() < MOST_ANOMALIES {
            self.anomalies.push(anomaly.clone());
        } else {
            self.more_anomalies += 1;
        }
    }

    /// All templates with their ids; what is no template comes last.
    pub(super) fn templates(&self) -> impl Iterator<Item = (&str, &Found)> {
        let rest = [(OTHER, &self.other), (WITHOUT, &self.without)];
        self.templates
            .iter()
            .map(|(id, found)| (&**id, found))
            .chain(rest.into_iter().filter(|(_, found)| found.lines > 0))
    }

    /// How many templates there are.
    pub(super) fn len(&self) -> usize {
        self.templates.len()
    }

    /// How many lines were counted.
    pub(super) const fn lines(&self) -> u64 {
        self.lines
    }

    /// The anomalies, as they came.
    pub(super) fn anomalies(&self) -> &[Anomaly] {
        &self.anomalies
    }

    /// How many anomalies there were beyond those that were kept.
    pub(super) const fn more_anomalies(&self) -> u64 {
        self.more_anomalies
    }

    /// The ids that became part of this one.
    pub(super) fn former<'a>(&'a self, id: &'a str) -> Vec<&'a str> {
        let mut ids = vec![id];
        // Merges form trees, if none was left out; a loop would be one of ids that came up again.
        let mut next = 0;
        while let Some(known) = ids.get(next).copied() {
            let olds = self.merged.iter().filter(|(_, new)| &***new == known).map(|(old, _)| &**old);
            let olds: Vec<_> = olds.filter(|old| !ids.contains(old)).collect();
            ids.extend(olds);
            next += 1;
        }
        ids
    }

    fn entry(&mut self, id: &str, template: &str) -> &mut Found {
        if let Some(index) = self.templates.get_index_of(id) {
            return &mut self.templates[index];
        }
        let size = size(id, template);
        if self.bytes + size > MOST_BYTES {
            return &mut self.other;
        }
        self.bytes += size;
        let found = Found { template: template.to_owned(), ..Found::default() };
        self.templates.entry(id.into()).or_insert(found)
    }
}

/// What stands in place of an id for lines whose template was one too many.
pub(super) const OTHER: &str = "<other>";
/// What stands in place of an id for lines without a template.
pub(super) const WITHOUT: &str = "<none>";

impl Found {
    fn add(&mut self, other: Self) {
        self.lines += other.lines;
        self.spread.add(&other.spread);
        self.first = match (self.first.is_unknown(), other.first.is_unknown()) {
            (true, _) => other.first,
            (_, true) => self.first,
            _ => self.first.min(other.first),
        };
        self.last = self.last.max(other.last);
        if self.exemplar.is_empty() {
            self.exemplar = other.exemplar;
        }
        if self.cluster.is_empty() {
            self.cluster = other.cluster;
        }
        for (class, count) in other.classes {
            count_class(&mut self.classes, &class, count);
        }
    }
}

fn count_class(classes: &mut Vec<(String, u64)>, class: &str, count: u64) {
    match classes.iter_mut().find(|(name, _)| name == class) {
        Some((_, counted)) => *counted += count,
        None => classes.push((class.to_owned(), count)),
    }
}

const fn size(id: &str, template: &str) -> usize {
    id.len() + template.len() + EXEMPLAR_BYTES + ENTRY_BYTES
}

/// How a text begins.
fn head(text: &str) -> &str {
    &text[..text.floor_char_boundary(EXEMPLAR_BYTES)]
}
