//! Alerts against local servers.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::config::Section;
use component::{ComponentKey, Context, ExportError, Exporter, Kind, Storage, StorageClient, StorageError};
use pdata::event::{Event, IncidentState, Phase, Severity};
use serde_json::{Value, json};

use super::{Config, FACTORY};
use crate::test_events::{OPENED, anomaly, batch, incident};
use crate::test_server::{Answer, TestServer};

fn context() -> Context {
    let context = Context::detached(Kind::Exporter, "alertmanager");
    context.clock.advance_to(OPENED);
    context
}

fn build(context: &Context, server: &TestServer, more: &Value) -> Box<dyn Exporter> {
    let mut settings = json!({"endpoint": server.url});
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    (FACTORY.create)(&Section::from_json("alertmanager", &settings), context).unwrap()
}

fn event(revision: u64, state: IncidentState, severity: Severity) -> Event {
    Event::Incident(incident(revision, state, severity))
}

fn open(revision: u64) -> Event {
    event(revision, IncidentState::Open, Severity::Error)
}

/// The alerts of the server's last request.
fn last(server: &TestServer) -> Vec<Value> {
    server.requests().last().unwrap().json().as_array().unwrap().clone()
}

/// `service severity endsAt` of each alert of the last request.
fn outline(server: &TestServer) -> Vec<String> {
    let field = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let line = |alert: &Value| format!("{} {}", field(&alert["labels"]["severity"]), field(&alert["endsAt"]));
    last(server).iter().map(line).collect()
}

#[tokio::test]
async fn an_incident_becomes_an_alert() {
    let server = TestServer::start(&[]).await;
    let settings = json!({
        "endpoint": format!("{}/alerts/", server.url), "generator_url": "http://watchfire/",
        "labels": {"team": "shop"}, "annotations": {"runbook": "http://wiki"},
        "basic_auth": {"username": "ada", "password": "pass"}, "headers": {"x-scope": "1"},
    });
    build(&context(), &server, &settings).export(batch([open(1)])).await.unwrap();
    let request = &server.requests()[0];
    assert_eq!(request.line, "POST /alerts/api/v2/alerts HTTP/1.1");
    assert_eq!(request.header("authorization"), Some("Basic YWRhOnBhc3M="));
    assert_eq!(
        (request.header("x-scope"), request.header("content-type")),
        (Some("1"), Some("application/json"))
    );
    let expected = json!([{
        "labels": {
            "alertname": "WatchfireIncident", "incident_id": "inc-1", "service": "cart", "severity": "error", "team": "shop",
        },
        "annotations": {
            "summary": "cart uses unusually much memory, shop affected",
            "description": "Most likely cause: cart. \"Größe\" 100%.",
            "root_cause": "cart: resource (confidence 83 %)", "evidence": "memory is 812 MB, usually 210 MB",
            "services": "cart, shop", "path": "cart -> shop", "runbook": "http://wiki",
        },
        "startsAt": "2023-11-14T22:13:20Z", "endsAt": "2023-11-14T22:18:20Z", "generatorURL": "http://watchfire/",
    }]);
    assert_eq!(request.json(), expected);
}

#[tokio::test]
async fn an_incident_that_is_over_is_cleared_and_stays_so() {
    let server = TestServer::start(&[]).await;
    let context = context();
    let exporter = build(&context, &server, &json!({}));
    exporter.export(batch([open(1)])).await.unwrap();
    context.clock.advance_to(OPENED + Duration::from_secs(90));
    exporter.export(batch([event(2, IncidentState::Resolved, Severity::Error)])).await.unwrap();
    assert_eq!(outline(&server), ["error 2023-11-14T22:14:20Z"]);
    // The attempt to send the first revision comes late.
    exporter.export(batch([open(1)])).await.unwrap();
    assert_eq!(outline(&server), ["error 2023-11-14T22:14:20Z"]);
}

#[tokio::test]
async fn an_incident_that_became_part_of_another_is_cleared() {
    let server = TestServer::start(&[]).await;
    let context = context();
    let exporter = build(&context, &server, &json!({}));
    context.clock.advance_to(OPENED + Duration::from_secs(90));
    exporter.export(batch([open(1), event(2, IncidentState::Merged, Severity::Error)])).await.unwrap();
    assert_eq!(outline(&server), ["error 2023-11-14T22:14:20Z"]);
    assert_eq!(last(&server)[0]["annotations"]["merged_into"], "inc-0");
}

#[tokio::test]
async fn a_change_of_labels_clears_the_alert_under_the_old_ones() {
    let server = TestServer::start(&[]).await;
    let context = context();
    let exporter = build(&context, &server, &json!({}));
    exporter.export(batch([event(1, IncidentState::Open, Severity::Warning)])).await.unwrap();
    context.clock.advance_to(OPENED + Duration::from_secs(60));
    exporter.export(batch([event(2, IncidentState::Updated, Severity::Critical)])).await.unwrap();
    assert_eq!(outline(&server), ["warning 2023-11-14T22:14:20Z", "critical 2023-11-14T22:19:20Z"]);
    exporter.export(batch([event(3, IncidentState::Updated, Severity::Critical)])).await.unwrap();
    assert_eq!(outline(&server), ["critical 2023-11-14T22:19:20Z"], "the old one is gone");
}

#[tokio::test]
async fn a_clock_that_is_ahead_makes_no_alert_of_the_future() {
    let server = TestServer::start(&[]).await;
    let exporter = build(&context(), &server, &json!({}));
    exporter.export(batch([event(9, IncidentState::Resolved, Severity::Error)])).await.unwrap();
    assert_eq!(outline(&server), ["error 2023-11-14T22:13:20Z"]);
}

#[tokio::test]
async fn what_fires_is_sent_again_until_it_is_over() {
    let server = TestServer::start(&[]).await;
    let context = context();
    let exporter = build(&context, &server, &json!({"resend_interval": "10ms"}));
    exporter.start().await.unwrap();
    exporter.export(batch([open(1)])).await.unwrap();
    let requests = server.wait_for(3).await;
    assert!(requests.iter().all(|request| request.json()[0]["endsAt"] == "2023-11-14T22:18:20Z"));
    context.clock.advance_to(OPENED + Duration::from_secs(100));
    let before = server.requests().len();
    server.wait_for(before + 2).await;
    assert_eq!(outline(&server), ["error 2023-11-14T22:20:00Z"], "it expires later now");
    exporter.export(batch([event(2, IncidentState::Resolved, Severity::Error)])).await.unwrap();
    let cleared = server.requests().len();
    exporter
        .export(batch([Event::Incident(crate::test_events::incident(
            1,
            IncidentState::Open,
            Severity::Info,
        ))]))
        .await
        .unwrap();
    let after = server.requests();
    let still_firing =
        after[cleared..].iter().any(|request| request.json()[0]["endsAt"] != "2023-11-14T22:14:20Z");
    assert!(!still_firing);
    exporter.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_failure_says_whether_trying_again_may_help() {
    let server = TestServer::start(&[]).await;
    let exporter =
        build(&context(), &server, &json!({"basic_auth": {"username": "ada", "password": "s3cret"}}));
    let cases = [
        (Answer::Status(429, "retry-after: 7\r\n"), Some(Some(Duration::from_secs(7)))),
        (Answer::Status(500, ""), Some(None)),
        (Answer::Close, Some(None)),
        (Answer::Text(400, "start time must be before end time"), None),
        (Answer::Status(302, "location: /elsewhere\r\n"), None),
    ];
    for (revision, (answer, retry)) in (1..).zip(cases) {
        server.answer_next(answer);
        let error = exporter.export(batch([open(revision)])).await.expect_err("a failure");
        let found = match &error {
            ExportError::Retryable { after, .. } => Some(*after),
            ExportError::Permanent { .. } => None,
        };
        assert_eq!(found, retry, "{answer:?}: {error}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
        if let Answer::Text(_, text) = answer {
            assert!(error.to_string().contains(text), "says why: {error}");
        }
    }
}

#[tokio::test]
async fn an_attempt_that_was_given_up_does_not_block_the_next() {
    let server = TestServer::start(&[Answer::Silence]).await;
    let exporter = build(&context(), &server, &json!({}));
    tokio::select! {
        _ = exporter.export(batch([open(1)])) => panic!("there is no answer"),
        _ = server.wait_for(1) => {}
    }
    exporter.export(batch([open(1)])).await.unwrap();
}

#[tokio::test]
async fn one_living_alertmanager_suffices_and_the_other_hears_later() {
    let (living, failing) =
        (TestServer::start(&[]).await, TestServer::start(&[Answer::Status(500, "")]).await);
    let settings = json!({"endpoints": [failing.url], "resend_interval": "10ms"});
    let context = context();
    let exporter = build(&context, &living, &settings);
    let resolved = || batch([event(2, IncidentState::Resolved, Severity::Error)]);
    exporter.export(resolved()).await.unwrap();
    assert_eq!((living.requests().len(), failing.requests().len()), (1, 1));
    exporter.start().await.unwrap();
    let requests = failing.wait_for(2).await;
    assert_eq!(requests[1].json()[0]["labels"]["incident_id"], "inc-1");
    exporter.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_silent_alertmanager_holds_nobody_up() {
    let (living, silent) = (TestServer::start(&[]).await, TestServer::start(&[Answer::Silence]).await);
    let exporter = build(&context(), &living, &json!({"endpoints": [silent.url]}));
    exporter.export(batch([open(1)])).await.unwrap();
    assert_eq!((living.requests().len(), silent.requests().len()), (1, 1));
}

#[tokio::test]
async fn if_none_accepts_the_best_hope_counts() {
    let (refusing, busy) = (
        TestServer::start(&[Answer::Status(400, "")]).await,
        TestServer::start(&[Answer::Status(503, "retry-after: 9\r\n")]).await,
    );
    let exporter = build(&context(), &refusing, &json!({"endpoints": [busy.url]}));
    let error = exporter.export(batch([open(1)])).await.expect_err("none accepts");
    assert!(
        matches!(error, ExportError::Retryable { after: Some(after), .. } if after.as_secs() == 9),
        "{error:?}"
    );
}

#[tokio::test]
async fn anomalies_are_sent_only_if_wanted() {
    let server = TestServer::start(&[]).await;
    let begin = |cpu| Event::Anomaly(anomaly(0, cpu, Some(Phase::Begin)));
    build(&context(), &server, &json!({})).export(batch([begin("0")])).await.unwrap();
    assert!(server.requests().is_empty());
    let context = context();
    let exporter = build(&context, &server, &json!({"anomalies": true, "event_labels": ["cpu"]}));
    exporter.export(batch([begin("0"), begin("1")])).await.unwrap();
    let alerts = last(&server);
    assert_eq!(alerts.len(), 2, "two series are two alerts");
    assert_ne!(alerts[0]["labels"]["series"], alerts[1]["labels"]["series"]);
    assert_eq!(alerts[0]["labels"]["alertname"], "WatchfireAnomaly");
    let mut cpus: Vec<_> = alerts.iter().map(|alert| alert["labels"]["cpu"].as_str().unwrap()).collect();
    cpus.sort_unstable();
    assert_eq!(cpus, ["0", "1"]);
    context.clock.advance_to(OPENED + Duration::from_secs(60));
    exporter.export(batch([Event::Anomaly(anomaly(60, "0", Some(Phase::End)))])).await.unwrap();
    assert_eq!(outline(&server), ["warning 2023-11-14T22:14:20Z"]);
}

#[tokio::test]
async fn no_more_alerts_are_kept_alive_than_allowed() {
    let server = TestServer::start(&[]).await;
    let context = context();
    let exporter = build(&context, &server, &json!({"max_alerts": 2, "resend_interval": "10ms"}));
    for (number, second) in [("a", 0), ("b", 1), ("c", 2)] {
        context.clock.advance_to(OPENED + Duration::from_secs(second));
        let mut incident = incident(1, IncidentState::Open, Severity::Error);
        incident.id = number.to_owned();
        exporter.export(batch([Event::Incident(incident)])).await.unwrap();
    }
    assert_eq!(context.telemetry.total("otelcol_exporter_alertmanager_forgotten_alerts"), 1.0);
    exporter.start().await.unwrap();
    server.wait_for(4).await;
    let ids: Vec<_> = last(&server).iter().map(|alert| alert["labels"]["incident_id"].clone()).collect();
    assert_eq!(ids, ["b", "c"]);
    exporter.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_nobody_speaks_of_any_more_is_left_to_expire() {
    let server = TestServer::start(&[]).await;
    let context = context();
    let exporter = build(&context, &server, &json!({"forget_after": "1h", "resend_interval": "10ms"}));
    exporter.export(batch([open(1)])).await.unwrap();
    context.clock.advance_to(OPENED + Duration::from_secs(3601));
    let mut other = incident(1, IncidentState::Open, Severity::Error);
    other.id = "inc-2".to_owned();
    exporter.export(batch([Event::Incident(other)])).await.unwrap();
    exporter.start().await.unwrap();
    server.wait_for(3).await;
    let ids: Vec<_> = last(&server).iter().map(|alert| alert["labels"]["incident_id"].clone()).collect();
    assert_eq!(ids, ["inc-2"]);
    exporter.shutdown().await.unwrap();
}

#[derive(Default)]
struct Memory(Mutex<HashMap<String, Vec<u8>>>);

struct Shelf(Arc<Memory>);

impl Storage for Shelf {
    fn client(&self, _: &ComponentKey, _: &str) -> Result<Arc<dyn StorageClient>, StorageError> {
        Ok(Arc::<Memory>::clone(&self.0))
    }
}

impl StorageClient for Memory {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(self.0.lock().unwrap().get(name).cloned())
    }

    fn set(&self, name: &str, value: &[u8]) -> Result<(), StorageError> {
        self.0.lock().unwrap().insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    fn delete(&self, name: &str) -> Result<(), StorageError> {
        self.0.lock().unwrap().remove(name);
        Ok(())
    }

    fn directory(&self) -> PathBuf {
        PathBuf::new()
    }
}

#[tokio::test]
async fn a_restart_goes_on_with_what_was_firing() {
    let server = TestServer::start(&[]).await;
    let memory = Arc::<Memory>::default();
    let fresh_process = || {
        let mut context = context();
        let shelf: Arc<dyn Storage> = Arc::new(Shelf(Arc::clone(&memory)));
        context.storages = Arc::new(HashMap::from([("file_storage".parse().unwrap(), shelf)]));
        build(&context, &server, &json!({"storage": "file_storage"}))
    };
    let exporter = fresh_process();
    exporter.start().await.unwrap();
    exporter.export(batch([open(1)])).await.unwrap();
    exporter.shutdown().await.unwrap();
    let exporter = fresh_process();
    exporter.start().await.unwrap();
    server.wait_for(2).await;
    assert_eq!(last(&server)[0]["labels"]["incident_id"], "inc-1");
    exporter.shutdown().await.unwrap();
    memory.set("alerts", b"{damaged").unwrap();
    let exporter = fresh_process();
    exporter.start().await.unwrap();
    exporter.export(batch([open(1)])).await.unwrap();
    exporter.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_rebuilt_exporter_knows_what_the_old_one_told() {
    let server = TestServer::start(&[]).await;
    let context = context();
    let old = build(&context, &server, &json!({}));
    old.export(batch([event(1, IncidentState::Open, Severity::Warning)])).await.unwrap();
    let new = build(&context, &server, &json!({"generator_url": "http://new/"}));
    new.export(batch([event(2, IncidentState::Updated, Severity::Error)])).await.unwrap();
    assert_eq!(outline(&server).len(), 2, "the alert with the old severity is cleared");
}

#[test]
fn wrong_settings_are_refused() {
    let refused = |settings: Value| {
        let section = Section::from_json("alertmanager", &settings);
        section.parse::<Config>().expect_err("wrong settings").to_string()
    };
    assert!(refused(json!({"api_version": "v1"})).contains("must be `v2`"));
    assert!(refused(json!({"generator_url": "opentelemetry-collector"})).contains("generator_url"));
    assert!(refused(json!({"labels": {"a-b": "1"}})).contains("`a-b`"));
    assert!(refused(json!({"labels": {"severity": "1"}})).contains("itself"));
    assert!(refused(json!({"resend_interval": "5m"})).contains("less than half"));
    assert!(refused(json!({"endpoint": "http://a", "endpoints": ["http://a/"]})).contains("twice"));
    assert!(refused(json!({"endpoint": "localhost:9093"})).contains("endpoint"));
}
