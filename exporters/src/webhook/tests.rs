//! Tests of the `webhook` exporter against a scripted HTTP server.

use std::time::Duration;

use ::config::Section;
use base64::Engine as _;
use component::{Context, Kind};
use hmac::{Hmac, KeyInit, Mac};
use pdata::Timestamp;
use pdata::event::{Action, Change, Incident, IncidentState, Severity};
use serde_json::{Map, Value as Json, json};

use super::*;
use crate::test_server::{Answer, Request, TestServer};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn incident(revision: u64) -> Event {
    Event::Incident(Incident {
        id: "inc-1".into(),
        revision,
        state: IncidentState::Open,
        severity: Severity::Error,
        title: "cart is slow".into(),
        opened: Timestamp::from_secs(1_600_000_000),
        updated: Timestamp::from_secs(1_600_000_000),
        resolved: None,
        root_causes: Vec::new(),
        services: vec!["cart".into()],
        anomalies: 1,
        path: Vec::new(),
        changes: Vec::new(),
        merged_into: None,
        summary: "slow".into(),
    })
}

fn action(message: &str) -> Event {
    Event::Action(Action {
        time: Timestamp::from_secs(1_600_000_000),
        incident: "inc-1".into(),
        action: "restart".into(),
        target: "cart".into(),
        state: "proposed".into(),
        attributes: Map::new(),
        message: message.into(),
    })
}

fn change() -> Event {
    Event::Change(Change {
        time: Timestamp::from_secs(1_600_000_000),
        service: "cart".into(),
        kind: "deploy".into(),
        attributes: Map::new(),
        message: "v2".into(),
    })
}

fn exporter(server: &TestServer, more: &Json) -> (Box<dyn Exporter>, Context) {
    let mut config = json!({"url": format!("{}/hook?token=geheim", server.url)});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let context = Context::detached(Kind::Exporter, "webhook");
    context.clock.advance_to(Timestamp::from_secs(1_700_000_000));
    let exporter = (FACTORY.create)(&Section::from_json("webhook", &config), &context).unwrap();
    (exporter, context)
}

async fn sent(config: &Json, events: Vec<Event>) -> Vec<Request> {
    let server = TestServer::start(&[]).await;
    let (exporter, _) = exporter(&server, config);
    exporter.export(Batch::events(events)).await.unwrap();
    server.requests()
}

#[tokio::test]
async fn an_incident_is_a_structured_cloud_event() {
    let config = json!({"headers": {"x-key": "k"}, "source": "/eu/gateway"});
    let requests = sent(&config, vec![incident(3), change()]).await;
    assert_eq!(requests.len(), 1, "changes are not sent unless asked for");
    assert_eq!(requests[0].line, "POST /hook?token=geheim HTTP/1.1");
    assert_eq!(requests[0].header("content-type"), Some("application/cloudevents+json; charset=utf-8"));
    assert_eq!(requests[0].header("x-key"), Some("k"));
    assert_eq!(requests[0].header("webhook-signature"), None);
    let mut body = requests[0].json();
    let data = body.as_object_mut().unwrap().remove("data").unwrap();
    assert_eq!(data, serde_json::to_value(incident(3)).unwrap());
    let expected = json!({"specversion": "1.0", "id": "inc-1.3", "source": "/eu/gateway", "type": "watchfire.incident",
        "time": "2020-09-13T12:26:40Z", "subject": "inc-1", "sequence": "0000000003", "state": "open",
        "severitytext": "error", "severitynumber": 17, "datacontenttype": "application/json"});
    assert_eq!(body, expected);
}

#[tokio::test]
async fn binary_mode_puts_the_attributes_into_headers() {
    let requests = sent(&json!({"format": "cloudevents_binary", "events": ["change"]}), vec![change()]).await;
    assert_eq!(requests[0].header("content-type"), Some("application/json"));
    assert_eq!(requests[0].header("ce-type"), Some("watchfire.change"));
    assert_eq!(requests[0].header("ce-specversion"), Some("1.0"));
    assert_eq!(requests[0].header("ce-subject"), Some("cart"));
    assert_eq!(requests[0].json(), serde_json::to_value(change()).unwrap());
}

#[tokio::test]
async fn plain_json_is_the_event_alone() {
    let requests = sent(&json!({"format": "json"}), vec![incident(1)]).await;
    assert_eq!(requests[0].json(), serde_json::to_value(incident(1)).unwrap());
    assert_eq!(
        requests[0].header("webhook-id"),
        Some("inc-1.1"),
        "repetitions can be told without a secret, too"
    );
}

/// What a receiver does, written without the exporter's code.
fn verified(request: &Request, secret: &str) -> bool {
    let encoded = secret.trim_start_matches("whsec_");
    let key = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap();
    let id = request.header("webhook-id").unwrap();
    let time = request.header("webhook-timestamp").unwrap();
    let signed = format!("{id}.{time}.{}", request.body);
    request.header("webhook-signature").unwrap().split(' ').any(|signature| {
        let signature = signature.strip_prefix("v1,").unwrap();
        let signature = base64::engine::general_purpose::STANDARD.decode(signature).unwrap();
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).unwrap();
        mac.update(signed.as_bytes());
        mac.verify_slice(&signature).is_ok()
    })
}

#[tokio::test]
async fn every_configured_secret_verifies_the_signature() {
    let second = format!("whsec_{}", base64::engine::general_purpose::STANDARD.encode([9; 32]));
    let requests = sent(&json!({"secrets": [SECRET, second]}), vec![incident(1)]).await;
    assert_eq!(requests[0].header("webhook-id"), Some("inc-1.1"));
    assert_eq!(requests[0].header("webhook-timestamp"), Some("1700000000"));
    assert!(verified(&requests[0], SECRET) && verified(&requests[0], &second));
    let other = format!("whsec_{}", base64::engine::general_purpose::STANDARD.encode([1; 32]));
    assert!(!verified(&requests[0], &other));
}

#[tokio::test]
async fn answers_decide_whether_it_is_tried_again() {
    let script = [Answer::Status(429, "retry-after: 7\r\n"), Answer::Status(500, ""), Answer::Close];
    let server = TestServer::start(&script).await;
    let (exporter, context) = exporter(&server, &json!({}));
    let batch = Batch::events(vec![incident(1)]);
    let after = Some(Duration::from_secs(7));
    assert!(
        matches!(exporter.export(batch.clone()).await, Err(ExportError::Retryable { after: a, .. }) if a == after)
    );
    assert!(matches!(exporter.export(batch.clone()).await, Err(ExportError::Retryable { after: None, .. })));
    let error = exporter.export(batch.clone()).await.unwrap_err();
    assert!(matches!(error, ExportError::Retryable { .. }));
    assert!(!error.to_string().contains("geheim"), "{error}");
    exporter.export(batch).await.unwrap();
    let ids: Vec<_> = server.requests().iter().map(|request| request.json()["id"].clone()).collect();
    assert_eq!(ids, ["inc-1.1"; 4], "the id is the same on every attempt");
    assert_eq!(context.telemetry.total("otelcol_exporter_webhook_events"), 1.0);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = TestServer::start(&[]).await;
    let location: &'static str = Box::leak(format!("location: {}/\r\n", other.url).into_boxed_str());
    let server = TestServer::start(&[Answer::Status(302, location)]).await;
    let (exporter, _) = exporter(&server, &json!({}));
    let outcome = exporter.export(Batch::events(vec![incident(1)])).await;
    assert!(matches!(outcome, Err(ExportError::Permanent { .. })), "{outcome:?}");
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn one_refused_event_does_not_hold_up_the_others_and_nothing_is_sent_twice() {
    let script = [Answer::Status(400, ""), Answer::Status(200, ""), Answer::Status(503, "")];
    let server = TestServer::start(&script).await;
    let (exporter, _) = exporter(&server, &json!({}));
    let batch = Batch::events(vec![action("a"), action("b"), action("c")]);
    assert!(matches!(exporter.export(batch.clone()).await, Err(ExportError::Retryable { .. })));
    assert!(matches!(exporter.export(batch).await, Err(ExportError::Permanent { .. })));
    let messages: Vec<_> =
        server.requests().iter().map(|request| request.json()["data"]["message"].clone()).collect();
    assert_eq!(messages, ["a", "b", "c", "c"]);
}

#[tokio::test]
async fn an_attempt_that_was_given_up_can_be_repeated() {
    let server = TestServer::start(&[Answer::Silence]).await;
    let (exporter, _) = exporter(&server, &json!({}));
    let batch = Batch::events(vec![incident(1)]);
    tokio::select! {
        outcome = exporter.export(batch.clone()) => panic!("there was no answer, and yet {outcome:?}"),
        _ = server.wait_for(1) => {}
    }
    exporter.export(batch).await.unwrap();
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_webhook_that_is_gone_shows_in_the_health_report() {
    let server = TestServer::start(&[Answer::Status(410, "")]).await;
    let health = component::Health::default();
    let mut context = Context::detached(Kind::Exporter, "webhook");
    context.health = health.reporter(context.key.clone());
    let section = Section::from_json("webhook", &json!({"url": server.url}));
    let exporter = (FACTORY.create)(&section, &context).unwrap();
    exporter.export(Batch::events(vec![incident(1)])).await.unwrap_err();
    assert_eq!(health.snapshot()[&context.key].status, component::Status::Failed);
}

#[test]
fn mistakes_in_the_configuration_are_explained_without_showing_secrets() {
    let refused = |config: &Json| {
        (FACTORY.config.check)(&Section::from_json("webhook", config)).unwrap_err().to_string()
    };
    assert!(refused(&json!({})).contains("url: is required"));
    let text = refused(&json!({"url": "ftp://hook/geheim"}));
    assert!(text.contains("http://") && !text.contains("geheim"), "{text}");
    let text = refused(&json!({"url": "http://hook", "secrets": ["geheim"]}));
    assert!(text.contains("whsec_") && !text.contains("geheim"), "{text}");
}
