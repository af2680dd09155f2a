//! The report for other programs: one JSON object.

use serde_json::{Map, Value, json};

use super::super::severity::Severity;
use super::{Report, Row};
use crate::words;

/// The whole report.
pub(super) fn print(report: &Report<'_>) -> String {
    let templates: Vec<_> = report.rows.iter().map(|row| template(report, row)).collect();
    let whole = json!({
        "summary": summary(report),
        "templates": templates,
        "anomalies": report.tally.anomalies(),
    });
    // Maps with text as keys have a JSON form.
    serde_json::to_string_pretty(&whole).unwrap_or_default() + "\n"
}

fn template(report: &Report<'_>, row: &Row<'_>) -> Value {
    let found = row.found;
    let name = |severity: Severity| if severity == Severity::Unset { "unset" } else { severity.name() };
    let severities: Map<_, _> =
        found.spread.iter().map(|(severity, n)| (name(severity).to_owned(), n.into())).collect();
    let classes: Map<_, _> = found.classes.iter().map(|(class, n)| (class.clone(), (*n).into())).collect();
    let cluster = (!found.cluster.is_empty()).then_some(&found.cluster);
    json!({
        "id": row.id,
        "template": row.template(),
        "count": found.lines,
        "share": report.share(found) / 100.0,
        "severities": severities,
        "classes": classes,
        "cluster_id": cluster,
        "first_seen": words::rfc3339(found.first),
        "last_seen": words::rfc3339(found.last),
        "exemplar": found.exemplar,
    })
}

fn summary(report: &Report<'_>) -> Value {
    let summary = report.summary;
    json!({
        "inputs": summary.inputs,
        "lines": summary.lines(),
        "blank_lines": summary.counts.blank,
        "joined_lines": report.joined(),
        "cut_lines": summary.counts.cut,
        "mended_lines": summary.counts.replaced,
        "malformed_lines": summary.malformed,
        "records": report.tally.lines(),
        "templates": report.tally.len(),
        "anomalies_left_out": report.tally.more_anomalies(),
        "templates_left_out": report.more.0 + report.unwanted.0,
        "records_left_out": report.more.1 + report.unwanted.1,
        "bytes": summary.counts.bytes,
        "elapsed_seconds": summary.elapsed.as_secs_f64(),
        "lines_per_second": summary.lines_per_second(),
    })
}
