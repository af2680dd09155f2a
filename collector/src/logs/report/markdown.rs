//! The report for a ticket or a page.

use std::fmt::Write;

use super::table::{severity, short};
use super::{Report, Row, anomalies};
use crate::words::{self, Clock};

/// The whole report.
pub(super) fn print(report: &Report<'_>) -> String {
    // Writing to a `String` cannot fail, here and below.
    let mut text = String::new();
    let _ = writeln!(text, "| count | share | severity | class | first | last | id | template |");
    let _ = writeln!(text, "|---:|---:|---|---|---|---|---|---|");
    let times = report.rows.iter().flat_map(|row| [row.found.first, row.found.last]);
    let clock = Clock::for_times(times);
    for row in &report.rows {
        row_of(report, row, clock, &mut text);
    }
    for words in report.left_out() {
        let _ = writeln!(text, "\n{words}");
    }
    let stretches = anomalies::stretches(report.tally.anomalies());
    if !stretches.is_empty() {
        let clock = Clock::for_times(stretches.iter().flat_map(|stretch| [stretch.since, stretch.until]));
        let _ = writeln!(text, "\n| from | to | severity | service | anomaly |\n|---|---|---|---|---|");
        for stretch in &stretches {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} |",
                clock.text(stretch.since),
                stretch.end(clock),
                stretch.worst.name(),
                escaped(stretch.service),
                escaped(stretch.message)
            );
        }
    }
    let more = report.tally.more_anomalies();
    if more > 0 {
        let _ = writeln!(text, "\n{} more", words::many(more, "report"));
    }
    let _ = writeln!(text, "\n{}", report.summary());
    text
}

fn row_of(report: &Report<'_>, row: &Row<'_>, clock: Clock, text: &mut String) {
    let _ = writeln!(
        text,
        "| {} | {} | {} | {} | {} | {} | {} | {} |",
        words::grouped(row.found.lines),
        words::percent(report.share(row.found)),
        severity(row),
        row.classes().join(", "),
        clock.text(row.found.first),
        clock.text(row.found.last),
        short(row.id).trim_matches(['<', '>']),
        code(row.template())
    );
    if report.args.verbose {
        let _ = writeln!(text, "|  |  |  |  |  |  |  | {} |", code(&row.found.exemplar));
    }
}

/// As code, whatever is in it.
fn code(text: &str) -> String {
    let text = words::plain(text).replace('|', "\\|");
    let longest = text.split(|char| char != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

/// As words, whatever is in them.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for char in words::plain(text).chars() {
        if matches!(char, '|' | '<' | '>' | '`' | '*' | '_' | '[' | ']' | '\\') {
            out.push('\\');
        }
        out.push(char);
    }
    out
}
