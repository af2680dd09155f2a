//! Tests of the `alertmanager` exporter against a scripted HTTP server.

use ::config::Section;
use component::{Context, Kind};
use pdata::Timestamp;
use pdata::event::{Evidence, Incident, IncidentState, RootCause, Severity};
use serde_json::{Value as Json, json};

use super::*;
use crate::test_server::{Answer, TestServer};

const START: Timestamp = Timestamp::from_secs(1_600_000_000);

fn incident(revision: u64, state: IncidentState, severity: Severity) -> Incident {
    let evidence = Evidence {
        signal: "system.memory.usage".into(),
        observed: 9.0,
        baseline: 2.0,
        surprise: 12.0,
        onset: START,
        message: "memory is 12 sigma above normal".into(),
    };
    let resolved = (state == IncidentState::Resolved).then(|| Timestamp::from_secs(1_600_000_060));
    Incident {
        id: "inc-1".into(),
        revision,
        state,
        severity,
        title: "cart is slow".into(),
        opened: START,
        updated: START,
        resolved,
        root_causes: vec![RootCause {
            service: "cart".into(),
            confidence: 0.9,
            kind: "resource".into(),
            evidence: vec![evidence],
        }],
        services: vec!["cart".into(), "web".into()],
        anomalies: 3,
        path: vec!["cart".into(), "web".into()],
        changes: Vec::new(),
        merged_into: None,
        summary: "cart leaks memory".into(),
    }
}

fn batch(incident: Incident) -> Batch {
    Batch::events(vec![Event::Incident(incident)])
}

struct Setup {
    exporter: Box<dyn Exporter>,
    context: Context,
}

fn exporter(endpoints: &[&str], more: &Json) -> Setup {
    let mut config = json!({"endpoints": endpoints});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let context = Context::detached(Kind::Exporter, "alertmanager");
    context.clock.advance_to(Timestamp::from_secs(1_600_000_010));
    let exporter = (FACTORY.create)(&Section::from_json("alertmanager", &config), &context).unwrap();
    Setup { exporter, context }
}

#[tokio::test]
async fn an_open_incident_fires_and_a_resolved_one_ends() {
    let server = TestServer::start(&[]).await;
    let more = json!({"labels": {"team": "sre"}, "basic_auth": {"username": "u", "password": "p"}});
    let Setup { exporter, .. } = exporter(&[&server.url], &more);
    exporter.export(batch(incident(1, IncidentState::Open, Severity::Error))).await.unwrap();
    exporter.export(batch(incident(2, IncidentState::Resolved, Severity::Error))).await.unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].line, "POST /api/v2/alerts HTTP/1.1");
    assert_eq!(requests[0].header("content-type"), Some("application/json"));
    assert_eq!(requests[0].header("authorization"), Some("Basic dTpw"));
    let labels = json!({"alertname": "WatchfireIncident", "incident_id": "inc-1", "service": "cart",
                        "severity": "error", "team": "sre"});
    let annotations = json!({"summary": "cart is slow", "description": "cart leaks memory",
                             "root_cause": "cart: resource (confidence 90 %)",
                             "evidence": "memory is 12 sigma above normal", "services": "cart, web",
                             "path": "cart -> web"});
    let firing = json!([{"labels": labels, "annotations": annotations,
                         "startsAt": "2020-09-13T12:26:40Z", "endsAt": "2020-09-13T12:31:50Z"}]);
    assert_eq!(requests[0].json(), firing);
    // Resolved in event time at 12:27:40, which is ahead of the clock: it ends now.
    assert_eq!(requests[1].json()[0]["endsAt"], "2020-09-13T12:26:50Z");
    assert_eq!(requests[1].json()[0]["labels"], labels);
}

#[tokio::test]
async fn when_the_labels_change_the_old_alert_ends() {
    let server = TestServer::start(&[]).await;
    let Setup { exporter, .. } = exporter(&[&server.url], &json!({}));
    exporter.export(batch(incident(1, IncidentState::Open, Severity::Warning))).await.unwrap();
    exporter.export(batch(incident(2, IncidentState::Updated, Severity::Critical))).await.unwrap();
    let alerts = server.requests()[1].json();
    assert_eq!(alerts.as_array().unwrap().len(), 2);
    assert_eq!(alerts[0]["labels"]["severity"], "warning");
    assert_eq!(alerts[0]["endsAt"], "2020-09-13T12:26:50Z");
    assert_eq!(alerts[1]["labels"]["severity"], "critical");
    assert_eq!(alerts[1]["endsAt"], "2020-09-13T12:31:50Z");
}

#[tokio::test]
async fn the_end_of_an_alert_survives_a_failed_attempt_and_a_late_revision_is_ignored() {
    let server = TestServer::start(&[Answer::Status(200, ""), Answer::Status(503, "")]).await;
    let Setup { exporter, .. } = exporter(&[&server.url], &json!({}));
    exporter.export(batch(incident(1, IncidentState::Open, Severity::Warning))).await.unwrap();
    let second = batch(incident(2, IncidentState::Updated, Severity::Critical));
    assert!(matches!(exporter.export(second.clone()).await, Err(ExportError::Retryable { .. })));
    exporter.export(second).await.unwrap();
    let requests = server.requests();
    assert_eq!(requests[1].json(), requests[2].json());
    assert_eq!(requests[2].json()[0]["labels"]["severity"], "warning");
    exporter.export(batch(incident(1, IncidentState::Open, Severity::Warning))).await.unwrap();
    assert_eq!(server.requests().len(), 3, "revision 1 comes too late to say anything");
}

#[tokio::test]
async fn firing_alerts_are_repeated_until_they_end() {
    let server = TestServer::start(&[]).await;
    let more = json!({"resend_interval": "10ms", "resolve_timeout": "1m"});
    let Setup { exporter, context } = exporter(&[&server.url], &more);
    exporter.start().await.unwrap();
    exporter.export(batch(incident(1, IncidentState::Open, Severity::Error))).await.unwrap();
    context.clock.advance_to(Timestamp::from_secs(1_600_000_100));
    let requests = server.wait_for(3).await;
    assert_eq!(requests.last().unwrap().json()[0]["endsAt"], "2020-09-13T12:29:20Z");
    exporter.shutdown().await.unwrap();
}

#[test]
fn ended_alerts_are_repeated_for_a_while_and_then_forgotten() {
    let mut active = Active::default();
    let config = Config::default();
    let timeout = config.resolve_timeout.get();
    let over = incident(1, IncidentState::Resolved, Severity::Error);
    let now = Timestamp::from_secs(1_600_000_010);
    assert_eq!(active.update(&over, Alert::of_incident(&over, &config), now, timeout).len(), 1);
    assert_eq!(active.firing(), 0);
    assert_eq!(active.repeat(now + timeout / 2, timeout).len(), 1);
    assert_eq!(active.repeat(now + timeout, timeout).len(), 0);
}

#[tokio::test]
async fn answers_decide_whether_it_is_tried_again() {
    let script = [
        Answer::Status(429, "retry-after: 7\r\n"),
        Answer::Status(400, ""),
        Answer::Status(500, ""),
        Answer::Close,
    ];
    let server = TestServer::start(&script).await;
    let Setup { exporter, context } = exporter(&[&server.url], &json!({}));
    let open = batch(incident(1, IncidentState::Open, Severity::Error));
    let after = Some(Duration::from_secs(7));
    assert!(
        matches!(exporter.export(open.clone()).await, Err(ExportError::Retryable { after: a, .. }) if a == after)
    );
    assert!(matches!(exporter.export(open.clone()).await, Err(ExportError::Permanent { .. })));
    assert!(matches!(exporter.export(open.clone()).await, Err(ExportError::Retryable { after: None, .. })));
    assert!(matches!(exporter.export(open.clone()).await, Err(ExportError::Retryable { .. })));
    exporter.export(open).await.unwrap();
    assert_eq!(context.telemetry.total("otelcol_exporter_alertmanager_failed_requests"), 4.0);
}

#[tokio::test]
async fn one_of_several_alertmanagers_is_enough() {
    let good = TestServer::start(&[]).await;
    let bad = TestServer::start(&[Answer::Status(500, "")]).await;
    let hanging = TestServer::start(&[Answer::Silence]).await;
    let Setup { exporter, .. } = exporter(&[&bad.url, &hanging.url, &good.url], &json!({}));
    exporter.export(batch(incident(1, IncidentState::Open, Severity::Error))).await.unwrap();
    assert_eq!([good.requests().len(), bad.requests().len()], [1, 1]);
}

#[test]
fn mistakes_in_the_configuration_are_explained() {
    let refused = |config: &Json| {
        (FACTORY.config.check)(&Section::from_json("alertmanager", config)).unwrap_err().to_string()
    };
    assert!(refused(&json!({})).contains("endpoint: is required"), "{}", refused(&json!({})));
    assert!(refused(&json!({"endpoint": "alertmanager:9093"})).contains("http://"));
    let reserved = json!({"endpoint": "http://a", "labels": {"severity": "x"}});
    assert!(refused(&reserved).contains("set by the exporter itself"));
    let rare = json!({"endpoint": "http://a", "resend_interval": "3m"});
    assert!(refused(&rare).contains("less than half"));
}
