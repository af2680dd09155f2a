//! What is shown of a tally: which templates, in which order, and in which form.

mod anomalies;
mod json;
mod markdown;
mod style;
mod table;

use std::cmp::Reverse;
use std::fmt::Write;
use std::time::Duration;

use super::args::{LogsArgs, Sort};
use super::tally::{Found, Tally};
use crate::cli::Output;
use crate::replay::{Counts, Played};
use crate::words;

/// So many lines say something about speed; of fewer, most of the time is for the start.
const ENOUGH: u64 = 10_000;

/// What was read, and how long it took.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Summary {
    inputs: usize,
    counts: Counts,
    malformed: u64,
    elapsed: Duration,
}

impl Summary {
    /// Of what was played.
    pub(super) const fn new(played: &Played, elapsed: Duration) -> Self {
        let tally = &played.tally;
        Self { inputs: tally.inputs, counts: tally.counts, malformed: tally.malformed, elapsed }
    }

    /// All lines, blank ones too.
    const fn lines(&self) -> u64 {
        self.counts.records + self.counts.blank
    }

    fn lines_per_second(&self) -> f64 {
        self.lines() as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }
}

/// A template that is shown.
#[derive(Clone, Copy, Debug)]
struct Row<'a> {
    id: &'a str,
    found: &'a Found,
}

/// What is shown.
pub(super) struct Report<'a> {
    args: &'a LogsArgs,
    tally: &'a Tally,
    summary: &'a Summary,
    rows: Vec<Row<'a>>,
    /// Templates, and their lines, that are left out because there are too many.
    more: (usize, u64),
    /// Templates, and their lines, that nobody asked for.
    unwanted: (usize, u64),
}

impl<'a> Report<'a> {
    /// What `args` ask for.
    pub(super) fn new(tally: &'a Tally, summary: &'a Summary, args: &'a LogsArgs) -> Self {
        let all = tally.templates().map(|(id, found)| Row { id, found });
        let (mut rows, unwanted): (Vec<_>, Vec<_>) = all.partition(|row| row.is_wanted(args));
        sort(&mut rows, args.sort);
        let more = rows.split_off(args.top().min(rows.len()));
        let sum = |rows: &[Row<'_>]| (rows.len(), rows.iter().map(|row| row.found.lines).sum());
        Self { args, tally, summary, more: sum(&more), unwanted: sum(&unwanted), rows }
    }

    /// In the form that is asked for.
    pub(super) fn text(&self) -> String {
        match self.args.output {
            Output::Text => table::print(self, &style::Style::of_stdout(self.args.color)),
            Output::Json => json::print(self),
            Output::Markdown => markdown::print(self),
        }
    }

    /// The share of all lines, in percent.
    fn share(&self, found: &Found) -> f64 {
        100.0 * found.lines as f64 / self.tally.lines().max(1) as f64
    }

    /// Lines of text that became part of the record of the line before; nothing if there is more than text.
    const fn joined(&self) -> u64 {
        let counts = &self.summary.counts;
        if counts.text == counts.records { counts.text.saturating_sub(self.tally.lines()) } else { 0 }
    }

    /// What is not in the table, in words.
    fn left_out(&self) -> Vec<String> {
        let of = |(templates, lines): (usize, u64)| {
            format!("{} with {}", words::many(templates as u64, "template"), words::many(lines, "line"))
        };
        let mut parts = Vec::new();
        if self.more.0 > 0 {
            parts.push(format!("{} more: --all shows them", of(self.more)));
        }
        if self.unwanted.0 > 0 {
            parts.push(format!("{} not asked for", of(self.unwanted)));
        }
        parts
    }

    /// What it all adds up to, in words.
    fn summary(&self) -> String {
        let Summary { inputs, counts, malformed, elapsed } = *self.summary;
        // Writing to a `String` cannot fail, here and below.
        let mut text = format!(
            "{}, {}, {} in {}",
            words::many(self.summary.lines(), "line"),
            words::many(self.tally.len() as u64, "template"),
            words::bytes(counts.bytes),
            words::seconds(elapsed),
        );
        if self.summary.lines() >= ENOUGH {
            let speed = words::grouped(self.summary.lines_per_second() as u64);
            let _ = write!(text, ", {speed} lines/s");
        }
        if inputs > 1 {
            let _ = write!(text, ", {inputs} files");
        }
        if counts.text != counts.records {
            let _ = write!(text, ", {}", words::many(self.tally.lines(), "record"));
        }
        let remarks = [
            (self.joined(), "joined to the line before"),
            (counts.blank, "blank"),
            (counts.cut, "cut after 1 MiB"),
            (counts.replaced, "not UTF-8 and mended"),
            (malformed, "malformed"),
        ];
        for (n, what) in remarks.into_iter().filter(|(n, _)| *n > 0) {
            let _ = write!(text, ", {} {what}", words::grouped(n));
        }
        text
    }
}

impl Row<'_> {
    fn is_wanted(&self, args: &LogsArgs) -> bool {
        let has = |class: &String| self.found.classes.iter().any(|(name, _)| name == class);
        args.severity.is_none_or(|severity| self.found.spread.worst() >= severity)
            && (args.classes.is_empty() || args.classes.iter().any(has))
    }

    /// Its classes, the most frequent first.
    fn classes(&self) -> Vec<&str> {
        let mut classes: Vec<_> = self.found.classes.iter().collect();
        classes.sort_by_key(|(name, count)| (Reverse(*count), name));
        classes.into_iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Its text, or what it is if it has none.
    fn template(&self) -> &str {
        if self.found.template.is_empty() { self.id } else { &self.found.template }
    }
}

fn sort(rows: &mut [Row<'_>], sort: Sort) {
    // What does not say when it was comes last.
    let first = |found: &Found| (found.first.is_unknown(), found.first);
    rows.sort_by(|a, b| {
        let frequent = b.found.lines.cmp(&a.found.lines).then_with(|| a.template().cmp(b.template()));
        let order = match sort {
            Sort::Count => frequent,
            Sort::First => first(a.found).cmp(&first(b.found)).then(frequent),
            Sort::Last => b.found.last.cmp(&a.found.last).then(frequent),
            Sort::Severity => b.found.spread.worst().cmp(&a.found.spread.worst()).then(frequent),
            Sort::Template => a.template().cmp(b.template()),
        };
        order.then_with(|| a.id.cmp(b.id))
    });
}
