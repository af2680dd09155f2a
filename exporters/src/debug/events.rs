//! Events as blocks that an operator reads at a glance.

use pdata::Event;
use pdata::event::{Action, Anomaly, Change, Evidence, Forecast, Incident, IncidentState, RootCause, Score};

use super::style::{Paint, Style};
use super::value::{date_time, number, put, text, time_of_day};

/// Columns of text, without the frame on the left.
const WIDTH: usize = 92;
/// Root causes after the first are shown only if they are at least this likely.
const MIN_CONFIDENCE: f64 = 0.05;
/// At most so many root causes, and pieces of evidence for each.
const MAX_SHOWN: usize = 3;

/// Writes one event as a block.
pub(super) fn block(out: &mut String, event: &Event, style: Style) {
    match event {
        Event::Incident(incident) => write_incident(out, incident, style),
        Event::Anomaly(anomaly) => write_anomaly(out, anomaly, style),
        Event::Change(change) => write_change(out, change, style),
        Event::Action(action) => write_action(out, action, style),
        Event::Forecast(forecast) => write_forecast(out, forecast, style),
        Event::Score(score) => write_score(out, score, style),
    }
}

/// Writes one event with all its fields, as JSON.
pub(super) fn detailed(out: &mut String, event: &Event) {
    // Every event has a JSON form: it is the contract of the `file` exporter.
    let json = serde_json::to_string_pretty(event).unwrap_or_else(|error| error.to_string());
    put(out, format_args!("{} {}\n{json}\n", event.name(), date_time(event.time())));
}

fn write_incident(out: &mut String, incident: &Incident, style: Style) {
    let level = Paint::Level(incident.severity);
    let (sign, label) = match incident.state {
        IncidentState::Open => ("●", "INCIDENT"),
        IncidentState::Updated => ("●", "UPDATE"),
        IncidentState::Resolved => ("✔", "RESOLVED"),
        IncidentState::Merged => ("○", "MERGED"),
    };
    let is_over = matches!(incident.state, IncidentState::Resolved | IncidentState::Merged);
    let paint = if is_over { Paint::Good } else { level };
    let mut frame = Frame { out, bar: style.paint(paint, "│").to_string(), style };
    let label = if is_over {
        style.paint(Paint::Good, label).to_string()
    } else {
        style.paint(Paint::Label(incident.severity), format_args!(" {label} ")).to_string()
    };
    let severity = incident.severity.name();
    put(
        frame.out,
        format_args!(
            "\n{} {label} {} {}\n",
            style.paint(paint, sign),
            style.paint(paint, severity),
            style.paint(Paint::Strong, text(&incident.title)),
        ),
    );
    if incident.state == IncidentState::Merged {
        frame.row("into", incident.merged_into.as_deref().unwrap_or("another incident"));
    } else {
        frame.body(incident);
    }
    let end = style.paint(paint, "╰").to_string();
    put(out, format_args!("{end} {}\n", style.paint(Paint::Dim, footer(incident))));
}

fn footer(incident: &Incident) -> String {
    let mut footer = format!("opened {} UTC", time_of_day(incident.opened));
    match incident.resolved {
        Some(resolved) => {
            let lasted = duration(resolved.since(incident.opened));
            put(&mut footer, format_args!(", over after {lasted}"));
        }
        None if incident.updated > incident.opened => {
            put(&mut footer, format_args!(", updated {}", time_of_day(incident.updated)));
        }
        None => {}
    }
    let (anomalies, services) = (incident.anomalies, incident.services.len());
    put(
        &mut footer,
        format_args!(
            " · {anomalies} {} in {services} {} · {} r{}",
            plural(anomalies == 1, "anomaly", "anomalies"),
            plural(services == 1, "service", "services"),
            text(&incident.id),
            incident.revision
        ),
    );
    footer
}

const fn plural(one: bool, singular: &'static str, plural: &'static str) -> &'static str {
    if one { singular } else { plural }
}

/// The frame on the left of an incident's block.
struct Frame<'a> {
    out: &'a mut String,
    bar: String,
    style: Style,
}

impl Frame<'_> {
    fn body(&mut self, incident: &Incident) {
        let likely = |(i, cause): &(usize, &RootCause)| *i == 0 || cause.confidence >= MIN_CONFIDENCE;
        for (i, cause) in incident.root_causes.iter().enumerate().filter(likely).take(MAX_SHOWN) {
            self.root_cause(if i == 0 { "root cause" } else { "or" }, cause, i == 0);
        }
        if incident.path.len() > 1 {
            self.row("path", &incident.path.join(" → "));
        }
        for change in &incident.changes {
            self.row("changed", change);
        }
        if !incident.summary.is_empty() {
            self.row("", &incident.summary);
        }
    }

    fn root_cause(&mut self, name: &str, cause: &RootCause, with_evidence: bool) {
        let Self { out, bar, style } = self;
        put(
            out,
            format_args!(
                "{bar} {} {} {}\n",
                style.paint(Paint::Dim, format_args!("{name:<10}")),
                style.paint(Paint::Strong, text(&cause.service)),
                style.paint(
                    Paint::Dim,
                    format_args!("{}, {:.0}% sure", text(&cause.kind), cause.confidence * 100.0)
                ),
            ),
        );
        let n_shown = if with_evidence { MAX_SHOWN } else { 1 };
        for evidence in cause.evidence.iter().take(n_shown) {
            self.row("", &format!("· {}", describe(evidence)));
        }
    }

    /// `│ name       text`, wrapped.
    fn row(&mut self, name: &str, content: &str) {
        let Self { out, bar, style } = self;
        let mut name = name;
        for line in wrap(&text(content), WIDTH - 11) {
            put(out, format_args!("{bar} {} {line}\n", style.paint(Paint::Dim, format_args!("{name:<10}"))));
            name = "";
        }
    }
}

/// A piece of evidence: its own sentence if it has one.
fn describe(evidence: &Evidence) -> String {
    let since = time_of_day(evidence.onset);
    if !evidence.message.is_empty() {
        return format!("{} (since {since})", evidence.message);
    }
    format!(
        "{} {}, usual {}, {:.1}σ, since {since}",
        evidence.signal,
        number(evidence.observed),
        number(evidence.baseline),
        evidence.surprise,
    )
}

fn write_anomaly(out: &mut String, anomaly: &Anomaly, style: Style) {
    let (sign, paint) =
        if anomaly.is_over() { ("✔", Paint::Good) } else { ("▲", Paint::Level(anomaly.severity)) };
    put(
        out,
        format_args!(
            "{} {} {} {}\n",
            style.paint(paint, sign),
            style.paint(Paint::Dim, time_of_day(anomaly.time)),
            style.paint(Paint::Name, text(&anomaly.service)),
            text(&anomaly.message).replace('\n', " "),
        ),
    );
    let mut detail = format!(
        "{} {}, usual {} to {}, score {:.3}",
        text(&anomaly.name),
        number(anomaly.observed),
        number(anomaly.expected.low),
        number(anomaly.expected.high),
        anomaly.score,
    );
    for contribution in anomaly.why.iter().take(MAX_SHOWN) {
        put(
            &mut detail,
            format_args!(" · {} {:.0}%", text(&contribution.feature), contribution.share * 100.0),
        );
    }
    put(out, format_args!("  {}\n", style.paint(Paint::Dim, detail)));
}

fn write_change(out: &mut String, change: &Change, style: Style) {
    let (service, kind) = (text(&change.service), text(&change.kind));
    line(out, "◆", change.time, &service, &format!("{kind}: {}", change.message), style);
}

fn write_action(out: &mut String, action: &Action, style: Style) {
    let what = format!("{} {}: {}", action.action, action.state, action.message);
    line(out, "➤", action.time, &text(&action.target), &what, style);
}

fn write_forecast(out: &mut String, forecast: &Forecast, style: Style) {
    let mut what = format!("{} by {}", forecast.name, forecast.model);
    if let Some(last) = forecast.points.last() {
        let (mid, low, high) = (number(last.mid), number(last.low), number(last.high));
        put(&mut what, format_args!(": {mid} ({low} to {high}) at {}", date_time(last.time)));
    }
    line(out, "↗", forecast.time, &text(&forecast.service), &what, style);
}

fn write_score(out: &mut String, score: &Score, style: Style) {
    let service = score.series.get("service.name").and_then(serde_json::Value::as_str).unwrap_or("-");
    line(
        out,
        "·",
        score.time,
        &text(service),
        &format!("{} scores {:.3}", number(score.value), score.score),
        style,
    );
}

fn line(out: &mut String, sign: &str, time: pdata::Timestamp, about: &str, what: &str, style: Style) {
    put(
        out,
        format_args!(
            "{} {} {} {}\n",
            style.paint(Paint::Strong, sign),
            style.paint(Paint::Dim, time_of_day(time)),
            style.paint(Paint::Name, about),
            text(what).replace('\n', " "),
        ),
    );
}

/// Whole seconds, in the largest two units: `2h5m`, `4m12s`, `9s`.
fn duration(duration: std::time::Duration) -> String {
    let secs = duration.as_secs();
    match (secs / 3600, secs / 60 % 60, secs % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m{s}s"),
        (h, m, _) => format!("{h}h{m}m"),
    }
}

/// Breaks text into lines of at most `width` characters, at spaces where there are any.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let (mut line, mut n_chars) = (String::new(), 0);
        for word in paragraph.split_whitespace() {
            let word_chars = word.chars().count();
            if n_chars > 0 && n_chars + 1 + word_chars > width {
                lines.push(std::mem::take(&mut line));
                n_chars = 0;
            }
            if n_chars > 0 {
                line.push(' ');
                n_chars += 1;
            }
            line.push_str(word);
            n_chars += word_chars;
        }
        lines.push(line);
    }
    lines
}
