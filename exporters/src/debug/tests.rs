//! What people see.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use component::{Clock, Exporter as _};
use pdata::event::{Evidence, Incident, IncidentState, RootCause, Severity};
use pdata::proto::common::{AnyValue, KeyValue, any_value::Value};
use pdata::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use pdata::{Batch, Event, Logs, Timestamp};

use super::output::Outputs;
use super::style::Style;
use super::value::number;
use super::{Config, Debug, Verbosity, render};

const PLAIN: Style = Style { colour: false };
const OPENED: Timestamp = Timestamp::from_secs(1_700_000_000);

#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<u8>>>);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn text(value: &str) -> Option<AnyValue> {
    Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) })
}

fn logs(body: &str) -> Batch {
    let record = LogRecord {
        time_unix_nano: OPENED.as_nanos(),
        severity_text: "WARN".to_owned(),
        body: text(body),
        attributes: vec![KeyValue { key: "user".to_owned(), value: text("ada"), ..KeyValue::default() }],
        ..LogRecord::default()
    };
    let scope_logs = vec![ScopeLogs { log_records: vec![record], ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
    Logs::from_message(LogsData { resource_logs }).into()
}

fn incident(state: IncidentState) -> Incident {
    let evidence = Evidence {
        signal: "process.memory.usage".to_owned(),
        observed: 812e6,
        baseline: 210e6,
        surprise: 9.14,
        onset: OPENED,
        message: String::new(),
    };
    Incident {
        id: "inc-1".to_owned(),
        revision: 2,
        state,
        severity: Severity::Critical,
        title: "checkout is slow because of cart".to_owned(),
        opened: OPENED,
        updated: Timestamp::from_secs(1_700_000_060),
        resolved: (state == IncidentState::Resolved).then(|| Timestamp::from_secs(1_700_000_252)),
        root_causes: vec![RootCause {
            service: "cart".to_owned(),
            confidence: 0.874,
            kind: "resource".to_owned(),
            evidence: vec![evidence],
        }],
        services: vec!["cart".to_owned(), "checkout".to_owned()],
        anomalies: 14,
        path: vec!["cart".to_owned(), "checkout".to_owned()],
        changes: vec!["deploy of cart 2.3.1 at 22:12:55".to_owned()],
        merged_into: None,
        summary: "Memory of cart grows.".to_owned(),
    }
}

fn shown(event: Event) -> String {
    render(&Batch::events(vec![event]), Verbosity::Basic, PLAIN)
}

#[test]
fn an_open_incident_shows_cause_evidence_path_and_change() {
    let expected = "
●  INCIDENT  critical checkout is slow because of cart
│ root cause cart resource, 87% sure
│            · process.memory.usage 812M, usual 210M, 9.1σ, since 22:13:20
│ path       cart → checkout
│ changed    deploy of cart 2.3.1 at 22:12:55
│            Memory of cart grows.
╰ opened 22:13:20 UTC, updated 22:14:20 · 14 anomalies in 2 services · inc-1 r2
";
    assert_eq!(shown(Event::Incident(incident(IncidentState::Open))), expected);
}

#[test]
fn a_resolved_incident_says_how_long_it_lasted() {
    let text = shown(Event::Incident(incident(IncidentState::Resolved)));
    assert!(text.contains("✔ RESOLVED critical"), "{text}");
    assert!(text.contains("over after 4m12s"), "{text}");
}

#[test]
fn colours_appear_only_where_they_are_allowed() {
    let batch = Batch::events(vec![Event::Incident(incident(IncidentState::Open))]);
    assert!(!render(&batch, Verbosity::Basic, PLAIN).contains('\x1b'));
    assert!(render(&batch, Verbosity::Basic, Style { colour: true }).contains("\x1b[1;37;41m"));
}

#[test]
fn text_from_outside_cannot_control_the_terminal() {
    for verbosity in [Verbosity::Normal, Verbosity::Detailed] {
        let text = render(&logs("\x1b[2J\u{9b}gone\rx"), verbosity, PLAIN);
        assert!(text.contains("gone"));
        assert!(!text.contains(['\x1b', '\u{9b}', '\r']), "{text:?}");
    }
    let mut loud = incident(IncidentState::Open);
    loud.title = "\x1b]0;owned\x07".to_owned();
    assert!(!shown(Event::Incident(loud)).contains(['\x1b', '\x07']));
}

#[test]
fn each_verbosity_says_more() {
    let batch = logs("hello");
    assert_eq!(render(&batch, Verbosity::Basic, PLAIN), "logs     resource logs: 1, log records: 1\n");
    let normal = render(&batch, Verbosity::Normal, PLAIN);
    assert_eq!(normal, "logs    \n  2023-11-14T22:13:20Z WARN hello user=ada\n");
    let detailed = render(&batch, Verbosity::Detailed, PLAIN);
    assert!(
        detailed.contains("    severity       WARN (0)\n    body           hello\n    - user: ada\n"),
        "{detailed}"
    );
}

#[test]
fn numbers_keep_three_digits_that_matter() {
    let cases = [
        (0.0, "0"),
        (0.012_345, "0.0123"),
        (12.345, "12.3"),
        (100.0, "100"),
        (9999.0, "9999"),
        (45_612.0, "45.6k"),
        (812e6, "812M"),
        (-2.5e9, "-2.5G"),
        (1e-9, "1.00e-9"),
        (f64::MAX, "1.80e293P"),
    ];
    for (value, expected) in cases {
        assert_eq!(number(value), expected);
    }
    assert_eq!(number(f64::NAN), "NaN");
}

fn exporter(config: Config) -> (Debug, Screen, Clock) {
    let (screen, clock) = (Screen::default(), Clock::manual(OPENED));
    let debug = Debug::new(config, clock.clone());
    *debug.outputs.lock().unwrap() = Outputs::to(Box::new(screen.clone()));
    (debug, screen, clock)
}

fn lines(screen: &Screen) -> usize {
    screen.0.lock().unwrap().iter().filter(|byte| **byte == b'\n').count()
}

#[tokio::test]
async fn sampling_starts_anew_each_second_and_never_hides_events() {
    let config = Config { sampling_initial: 2, sampling_thereafter: 10, ..Config::default() };
    let (debug, screen, clock) = exporter(config);
    for _ in 0..22 {
        debug.export(logs("x")).await.unwrap();
    }
    assert_eq!(lines(&screen), 4, "two at first, then the 12th and the 22nd");
    clock.advance_to(Timestamp::from_secs(1_700_000_001));
    debug.export(logs("x")).await.unwrap();
    assert_eq!(lines(&screen), 5);
    for _ in 0..5 {
        debug.export(Batch::events(vec![Event::Incident(incident(IncidentState::Open))])).await.unwrap();
    }
    assert_eq!(lines(&screen), 5 + 5 * 8);
}

#[tokio::test]
async fn an_output_that_cannot_be_opened_stops_the_start() {
    let output_paths = vec!["/nonexistent/directory/file".to_owned()];
    let config = Config { use_internal_logger: false, output_paths, ..Config::default() };
    let debug = Debug::new(config, Clock::default());
    assert!(debug.start().await.unwrap_err().to_string().contains("/nonexistent/directory/file"));
}
