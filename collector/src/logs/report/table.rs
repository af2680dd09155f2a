//! The report for a terminal.

use std::fmt::Write;

use super::super::severity::Severity;
use super::style::{Look, Style};
use super::{Report, Row, anomalies};
use crate::words::{self, Clock};

/// How wide a template is at least; other columns make room for it.
const TEMPLATE: usize = 40;
/// How wide other columns are at most.
const CELL: usize = 26;
/// How many digits of an id are shown.
const DIGITS: usize = 8;
const GAP: &str = "  ";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Count,
    Share,
    Severity,
    Class,
    First,
    Last,
    Id,
}

impl Column {
    const ALL: [Self; 7] =
        [Self::Count, Self::Share, Self::Severity, Self::Class, Self::First, Self::Last, Self::Id];
    /// What is left out if there is no room, in this order.
    const DISPENSABLE: [Self; 4] = [Self::Last, Self::First, Self::Class, Self::Share];

    const fn title(self) -> &'static str {
        match self {
            Self::Count => "COUNT",
            Self::Share => "SHARE",
            Self::Severity => "SEVERITY",
            Self::Class => "CLASS",
            Self::First => "FIRST",
            Self::Last => "LAST",
            Self::Id => "ID",
        }
    }

    const fn is_number(self) -> bool {
        matches!(self, Self::Count | Self::Share)
    }
}

/// A column with the text of its cells.
struct Filled {
    column: Column,
    cells: Vec<String>,
    width: usize,
}

/// The whole report.
pub(super) fn print(report: &Report<'_>, style: &Style) -> String {
    let mut text = String::new();
    if report.tally.lines() > 0 {
        table(report, style, &mut text);
        for words in report.left_out() {
            line(&mut text, &style.paint(Some(Look::Dim), &format!("… {words}")));
        }
        line(&mut text, "");
    }
    found(report, style, &mut text);
    line(&mut text, &report.summary());
    text
}

fn table(report: &Report<'_>, style: &Style, text: &mut String) {
    let columns = columns(report, style);
    let taken: usize = columns.iter().map(|column| column.width + GAP.len()).sum();
    let room = style.columns.map_or(usize::MAX, |columns| columns.saturating_sub(taken));
    let titles = columns.iter().map(|column| padded(column, column.column.title()));
    let titles: String = titles.map(|title| title + GAP).chain(["TEMPLATE".to_owned()]).collect();
    line(text, &style.paint(Some(Look::Strong), &titles));
    for (n, row) in report.rows.iter().enumerate() {
        let mut out = String::new();
        for column in &columns {
            let cell = column.cells.get(n).map(String::as_str).unwrap_or_default();
            let look = match column.column {
                Column::Severity => Look::of(row.found.spread.worst()),
                Column::Count | Column::Class => None,
                _ => Some(Look::Dim),
            };
            out.push_str(&style.paint(look, &padded(column, cell)));
            out.push_str(GAP);
        }
        let template = words::plain(row.template());
        out.push_str(&style.template(&words::fitted(&template, room)));
        line(text, &out);
        if report.args.verbose {
            details(row, style, text);
        }
    }
}

/// What there is to say about a template beyond its row.
fn details(row: &Row<'_>, style: &Style, text: &mut String) {
    let room = style.columns.map_or(usize::MAX, |columns| columns.saturating_sub(10));
    let mut add = |name: &str, value: &str| {
        let value = words::plain(value);
        let shown = format!("    {name:<5} {}", words::fitted(&value, room));
        line(text, &style.paint(Some(Look::Dim), &shown));
    };
    add("line", &row.found.exemplar);
    add("id", row.id);
    if !row.found.cluster.is_empty() && row.found.cluster != row.id {
        add("like", &row.found.cluster);
    }
    let classes = row.classes();
    if classes.len() > 1 {
        add("class", &classes.join(", "));
    }
}

fn columns(report: &Report<'_>, style: &Style) -> Vec<Filled> {
    let times = || report.rows.iter().flat_map(|row| [row.found.first, row.found.last]);
    let clock = Clock::for_times(times());
    let fill = |column: Column| {
        let cell = |row: &Row<'_>| words::fitted(&cell(report, row, column, clock), CELL).into_owned();
        let cells: Vec<_> = report.rows.iter().map(cell).collect();
        let widest = cells.iter().map(|cell| words::width(cell)).max().unwrap_or(0);
        Filled { column, cells, width: widest.max(column.title().len()) }
    };
    let mut columns: Vec<_> = Column::ALL.into_iter().map(fill).collect();
    // A column that says nothing about anything need not be there.
    columns.retain(|column| {
        let is_optional = !matches!(column.column, Column::Count | Column::Share | Column::Id);
        !is_optional || column.cells.iter().any(|cell| cell != "-")
    });
    let is_time = |column: Column| matches!(column, Column::First | Column::Last);
    if report.rows.len() > 1 && times().all(|time| time == report.rows[0].found.first) {
        // In a file without times everything is of the same.
        columns.retain(|column| !is_time(column.column));
    }
    for dispensable in Column::DISPENSABLE {
        let taken: usize = columns.iter().map(|column| column.width + GAP.len()).sum();
        if style.columns.is_none_or(|columns| taken + TEMPLATE <= columns) {
            break;
        }
        columns.retain(|column| column.column != dispensable);
    }
    columns
}

fn cell(report: &Report<'_>, row: &Row<'_>, column: Column, clock: Clock) -> String {
    match column {
        Column::Count => words::grouped(row.found.lines),
        Column::Share => words::percent(report.share(row.found)),
        Column::Severity => severity(row),
        Column::Class => match row.classes()[..] {
            [] => "-".to_owned(),
            [one] => one.to_owned(),
            [first, ref others @ ..] => format!("{first} +{}", others.len()),
        },
        Column::First => clock.text(row.found.first),
        Column::Last => clock.text(row.found.last),
        Column::Id => short(row.id).to_owned(),
    }
}

/// The most frequent severity, and the worst with its share if that is another one.
pub(super) fn severity(row: &Row<'_>) -> String {
    let spread = row.found.spread;
    let worst = spread.worst();
    let most = spread.by_count().first().map_or(Severity::Unset, |(severity, _)| *severity);
    if most == worst {
        return most.name().to_owned();
    }
    let n = spread.iter().find(|(severity, _)| *severity == worst).map_or(0, |(_, n)| n);
    let share = words::percent(100.0 * n as f64 / row.found.lines.max(1) as f64);
    let most = if most == Severity::Unset { "none" } else { most.name() };
    format!("{most}, {} {share}", worst.name())
}

/// The first digits of an id: enough to name it.
pub(super) fn short(id: &str) -> &str {
    match id.split_once(':') {
        Some((_, digits)) => digits.get(..DIGITS).unwrap_or(digits),
        None => id,
    }
}

fn padded(column: &Filled, cell: &str) -> String {
    let space = " ".repeat(column.width.saturating_sub(words::width(cell)));
    if column.column.is_number() { space + cell } else { cell.to_owned() + &space }
}

fn found(report: &Report<'_>, style: &Style, text: &mut String) {
    let stretches = anomalies::stretches(report.tally.anomalies());
    if stretches.is_empty() {
        return;
    }
    line(text, &style.paint(Some(Look::Strong), "ANOMALIES"));
    let clock = Clock::for_times(stretches.iter().flat_map(|stretch| [stretch.since, stretch.until]));
    for stretch in &stretches {
        let when = format!("{} – {}", clock.text(stretch.since), stretch.end(clock));
        let look = Look::of(stretch.severity());
        let severity = style.paint(look, &format!("{:<8}", stretch.worst.name()));
        let what = stretch.text();
        let room =
            style.columns.map_or(usize::MAX, |columns| columns.saturating_sub(words::width(&when) + 12));
        line(text, &format!("{when}  {severity}  {}", words::fitted(&words::plain(&what), room)));
    }
    let more = report.tally.more_anomalies();
    if more > 0 {
        line(text, &format!("… {} more", words::many(more, "report")));
    }
    line(text, "");
}

fn line(text: &mut String, line: &str) {
    // Writing to a `String` cannot fail.
    let _ = writeln!(text, "{}", line.trim_end());
}
