//! How the verdicts are shown.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::judge::{Mean, Scores, Verdict};
use crate::cli::Output;
use crate::words;

/// So many points say something about speed; of fewer, most of the time is for the start.
const ENOUGH: u64 = 10_000;

/// What is shown.
pub(super) struct Report {
    /// In the order of the names.
    pub(super) verdicts: Vec<Verdict>,
    /// Points that were scored, of all series.
    pub(super) points: u64,
    /// The time that scoring took.
    pub(super) scoring: Duration,
    /// What the inputs hold that could not be read.
    pub(super) malformed: u64,
}

/// A column: its title, whether it holds numbers, and what it says about a row.
type Column = (&'static str, bool, fn(&Row) -> String);

/// What is known about a service, or about all.
struct Row {
    name: String,
    points: Option<usize>,
    series: Option<usize>,
    windows: Option<usize>,
    reports: Option<usize>,
    scores: Option<Scores>,
    precision: Option<f64>,
    recall: Option<f64>,
    reports_per_day: Option<f64>,
    wrong_per_day: Option<f64>,
    delay: Option<Duration>,
}

const COLUMNS: &[Column] = &[
    ("SERVICE", false, |row| row.name.clone()),
    ("POINTS", true, |row| count(row.points)),
    ("SERIES", true, |row| count(row.series)),
    ("WINDOWS", true, |row| count(row.windows)),
    ("RANDOM", true, |row| share(row.scores.map(|scores| scores.random))),
    ("AUC-PR", true, |row| share(row.scores.map(|scores| scores.auc_pr))),
    ("VUS-PR", true, |row| share(row.scores.map(|scores| scores.vus_pr))),
    ("EVENT-F1", true, |row| share(row.scores.map(|scores| scores.event_f1))),
    ("REPORTS", true, |row| count(row.reports)),
    ("PRECISION", true, |row| share(row.precision)),
    ("RECALL", true, |row| share(row.recall)),
    ("REPORTS/DAY", true, |row| rate(row.reports_per_day)),
    ("FALSE/DAY", true, |row| rate(row.wrong_per_day)),
    ("DELAY", true, |row| row.delay.map_or_else(String::new, short)),
];

impl Report {
    /// In the form that is asked for.
    pub(super) fn text(&self, output: Output) -> String {
        match output {
            Output::Text => self.table(),
            Output::Json => self.json(),
            Output::Markdown => self.markdown(),
        }
    }

    /// The rows; the last one is about all services if there are several.
    fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<_> = self.verdicts.iter().map(Row::of).collect();
        if rows.len() > 1 {
            rows.push(Row::mean(&Mean::of(&self.verdicts)));
        }
        rows
    }

    /// The columns in which something stands, each with its cells.
    fn cells(&self) -> Vec<(&'static Column, Vec<String>)> {
        let rows = self.rows();
        let filled = COLUMNS.iter().map(|column| (column, rows.iter().map(column.2).collect::<Vec<_>>()));
        filled.filter(|(_, cells)| cells.iter().any(|cell| !cell.is_empty())).collect()
    }

    fn table(&self) -> String {
        let columns = self.cells();
        let mut text = String::new();
        let n_rows = columns.first().map_or(0, |(_, cells)| cells.len());
        for row in 0..=n_rows {
            let mut line = String::new();
            for ((title, is_number, _), cells) in &columns {
                let width = cells.iter().map(|cell| words::width(cell)).chain([title.len()]).max();
                let cell = if row == 0 { *title } else { cells[row - 1].as_str() };
                let space = " ".repeat(width.unwrap_or(0).saturating_sub(words::width(cell)));
                let (before, after) = if *is_number { (space.as_str(), "") } else { ("", space.as_str()) };
                let _ = write!(line, "{before}{cell}{after}  ");
            }
            // Writing to a `String` cannot fail, here and below.
            let _ = writeln!(text, "{}", line.trim_end());
        }
        let _ = writeln!(text, "\n{}", self.summary());
        text
    }

    fn markdown(&self) -> String {
        let columns = self.cells();
        let line = |cells: &mut dyn Iterator<Item = String>| {
            let cells: Vec<_> = cells.map(|cell| cell.replace('|', "\\|")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let mut text = line(&mut columns.iter().map(|((title, ..), _)| title.to_lowercase()));
        let rule = |number: bool| if number { "---:" } else { "---" }.to_owned();
        text += &line(&mut columns.iter().map(|((_, is_number, _), _)| rule(*is_number)));
        for row in 0..columns.first().map_or(0, |(_, cells)| cells.len()) {
            text += &line(&mut columns.iter().map(|(_, cells)| cells[row].clone()));
        }
        let _ = writeln!(text, "\n{}", self.summary());
        text
    }

    fn json(&self) -> String {
        let mean = Mean::of(&self.verdicts);
        let whole = json!({
            "services": self.verdicts.iter().map(service).collect::<Vec<_>>(),
            "mean": {
                "services": mean.services,
                "scores": mean.scores.map(scores),
                "precision": mean.precision,
                "recall": mean.recall,
                "reports_per_series_and_day": mean.reports_per_day,
                "false_reports_per_series_and_day": mean.wrong_per_day,
                "delay_seconds": mean.delay.map(|delay| delay.as_secs_f64()),
            },
            "points_scored": self.points,
            "microseconds_per_point": self.micros(),
            "malformed_lines": self.malformed,
        });
        // Maps with text as keys have a JSON form.
        serde_json::to_string_pretty(&whole).unwrap_or_default() + "\n"
    }

    /// Microseconds that scoring a point took.
    fn micros(&self) -> f64 {
        self.scoring.as_secs_f64() * 1e6 / self.points.max(1) as f64
    }

    /// What it all adds up to, in words.
    fn summary(&self) -> String {
        let mut text =
            format!("{} scored in {}", words::many(self.points, "point"), words::seconds(self.scoring));
        if self.points >= ENOUGH {
            let _ = write!(text, ", {:.2} µs each", self.micros());
        }
        if self.malformed > 0 {
            let _ = write!(text, ", {} malformed", words::many(self.malformed, "line"));
        }
        text
    }
}

impl Row {
    fn of(verdict: &Verdict) -> Self {
        let labelled = verdict.labelled.as_ref();
        Self {
            name: words::fitted(&words::plain(&verdict.service), 40).into_owned(),
            points: Some(verdict.points),
            series: Some(verdict.series),
            windows: labelled.map(|labelled| labelled.windows),
            reports: Some(verdict.reports),
            scores: labelled.and_then(|labelled| labelled.scores),
            precision: labelled.and_then(|labelled| labelled.precision),
            recall: labelled.and_then(|labelled| labelled.recall),
            reports_per_day: verdict.reports_per_day(),
            wrong_per_day: verdict.wrong_per_day(),
            delay: labelled.and_then(|labelled| labelled.delay),
        }
    }

    fn mean(mean: &Mean) -> Self {
        Self {
            name: "mean".to_owned(),
            points: None,
            series: None,
            windows: None,
            reports: None,
            scores: mean.scores,
            precision: mean.precision,
            recall: mean.recall,
            reports_per_day: mean.reports_per_day,
            wrong_per_day: mean.wrong_per_day,
            delay: mean.delay,
        }
    }
}

fn service(verdict: &Verdict) -> Value {
    let labelled = verdict.labelled.as_ref();
    json!({
        "service": verdict.service,
        "points": verdict.points,
        "series": verdict.series,
        "days": verdict.days,
        "reports": verdict.reports,
        "reports_per_series_and_day": verdict.reports_per_day(),
        "windows": labelled.map(|labelled| labelled.windows),
        "scores": labelled.and_then(|labelled| labelled.scores).map(scores),
        "precision": labelled.and_then(|labelled| labelled.precision),
        "recall": labelled.and_then(|labelled| labelled.recall),
        "false_reports": labelled.map(|labelled| labelled.wrong),
        "false_reports_per_series_and_day": verdict.wrong_per_day(),
        "delay_seconds": labelled.and_then(|labelled| labelled.delay).map(|delay| delay.as_secs_f64()),
    })
}

fn scores(scores: Scores) -> Value {
    json!({
        "random": scores.random,
        "auc_pr": scores.auc_pr,
        "vus_pr": scores.vus_pr,
        "event_f1": scores.event_f1,
    })
}

fn count(n: Option<usize>) -> String {
    n.map_or_else(String::new, |n| words::grouped(n as u64))
}

fn share(share: Option<f64>) -> String {
    share.map_or_else(String::new, |share| format!("{share:.3}"))
}

fn rate(rate: Option<f64>) -> String {
    rate.map_or_else(String::new, |rate| format!("{rate:.2}"))
}

/// `45 s`, `12.5 min`, `3.0 h`.
fn short(duration: Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds < 120.0 => format!("{seconds:.0} s"),
        seconds if seconds < 7200.0 => format!("{:.1} min", seconds / 60.0),
        seconds => format!("{:.1} h", seconds / 3600.0),
    }
}
