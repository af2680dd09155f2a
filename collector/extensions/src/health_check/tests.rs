//! The extension over a real socket, and its answers.

use std::net::SocketAddr;

use component::{ComponentKey, Kind, ShutdownTrigger};
use pdata::Timestamp;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

struct Fixture {
    context: Context,
    health: Health,
    answers: Answers,
}

fn fixture(config: Config) -> Fixture {
    let context = Context::detached(Kind::Extension, "health_check");
    let health = Health::default();
    context.handles.offer(Arc::new(health.clone()));
    context.clock.advance_to(Timestamp::from_secs(1_700_000_000));
    let answers = HealthCheck::new(config, &context).answers;
    context.clock.advance_to(Timestamp::from_millis(1_700_000_042_500));
    Fixture { context, health, answers }
}

impl Fixture {
    fn reporter(&self, id: &str) -> HealthReporter {
        let id = id.parse().unwrap();
        self.health.reporter(ComponentKey { kind: Kind::Exporter, id, pipeline: None })
    }

    fn get(&self, uri: &str) -> (u16, String) {
        let request = Request::get(uri).body(()).unwrap();
        let response = self.answers.to(&request);
        let code = response.status().as_u16();
        let body = futures_free_body(response);
        (code, body)
    }
}

/// The body of an answer, which is there as a whole.
fn futures_free_body(response: Response<Full<Bytes>>) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let bytes = runtime.block_on(http_body_util::BodyExt::collect(response.into_body())).unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn the_check_answers_as_the_collectors_does() {
    let fixture = fixture(Config::default());
    let (code, body) = fixture.get("/");
    assert_eq!(code, 503, "nothing runs yet");
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["status"], "Server not available");
    fixture.reporter("otlp").ok();
    assert_eq!(fixture.get("/health/status").0, 200, "the path `/` stands for every path");
    let (code, body) = fixture.get("/");
    assert_eq!(code, 200);
    assert_eq!(
        serde_json::from_str::<Value>(&body).unwrap(),
        json!({"status": "Server available", "upSince": "2023-11-14T22:13:20Z", "uptime": "42.5s"})
    );
}

#[test]
fn what_counts_as_unhealthy_can_be_chosen() {
    let strict = ComponentHealth { include_permanent_errors: true, include_recoverable_errors: true };
    let lenient = ComponentHealth { include_permanent_errors: false, include_recoverable_errors: false };
    let codes = |change: fn(&HealthReporter)| {
        [ComponentHealth::default(), strict.clone(), lenient.clone()].map(|component_health| {
            let fixture = fixture(Config { component_health, ..Config::default() });
            fixture.reporter("a").ok();
            change(&fixture.reporter("b"));
            fixture.get("/readyz").0
        })
    };
    assert_eq!(codes(HealthReporter::starting), [503, 503, 503]);
    assert_eq!(codes(|reporter| reporter.recovering("away")), [200, 503, 200]);
    assert_eq!(codes(|reporter| reporter.failed("broken")), [503, 503, 200]);
    assert_eq!(codes(HealthReporter::stopped), [503, 503, 503]);
    assert_eq!(codes(HealthReporter::ok), [200, 200, 200]);
}

#[test]
fn status_lists_every_component_when_asked() {
    let fixture = fixture(Config::default());
    fixture.reporter("debug").ok();
    let otlp = fixture.reporter("otlp/b");
    otlp.starting();
    otlp.restarted();
    otlp.failed("no such host");
    let (code, body) = fixture.get("/status?verbose");
    assert_eq!(code, 503);
    assert_eq!(
        serde_json::from_str::<Value>(&body).unwrap(),
        json!({
            "status": "StatusPermanentError", "healthy": false, "start_time": "2023-11-14T22:13:20Z", "uptime": "42.5s",
            "components": {
                "exporter:debug": {"status": "StatusOK", "healthy": true, "restarts": 0},
                "exporter:otlp/b": {
                    "status": "StatusPermanentError", "healthy": false, "restarts": 1, "message": "no such host",
                },
            },
        })
    );
    let (_, short) = fixture.get("/status?verbose=false&x");
    assert!(serde_json::from_str::<Value>(&short).unwrap().get("components").is_none());
    assert_eq!(fixture.get("/readyz").1, "exporter:otlp/b StatusPermanentError: no such host\n");
    assert_eq!(fixture.get("/livez"), (200, "ok\n".to_owned()));
}

#[test]
fn fixed_bodies_other_paths_and_methods() {
    let body = ResponseBody { healthy: "fine".to_owned(), unhealthy: "ill".to_owned() };
    let fixture =
        fixture(Config { path: "/health".to_owned(), response_body: Some(body), ..Config::default() });
    assert_eq!(fixture.get("/health"), (503, "ill".to_owned()));
    fixture.reporter("otlp").ok();
    assert_eq!(fixture.get("/health?x=1"), (200, "fine".to_owned()));
    assert_eq!(fixture.get("/").0, 404);
    assert_eq!(fixture.get("/health/x").0, 404);
    let refused = fixture.answers.to(&Request::post("/health").body(()).unwrap());
    assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(refused.headers()[ALLOW], "GET, HEAD");
}

async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response
}

#[tokio::test]
async fn it_serves_from_start_to_shutdown() {
    let Fixture { context, health, .. } = fixture(Config::default());
    let config = Config { endpoint: "127.0.0.1:0".to_owned(), ..Config::default() };
    let mut extension = Box::new(HealthCheck::new(config, &context));
    extension.start().await.unwrap();
    let address = extension.server.as_ref().unwrap().local_addr().unwrap();
    let trigger = ShutdownTrigger::default();
    let running = tokio::spawn(extension.run(trigger.listener()));
    assert!(get(address, "/").await.starts_with("HTTP/1.1 503"));
    health.reporter(context.key.clone()).ok();
    let response = get(address, "/status?verbose").await;
    assert!(
        response.starts_with("HTTP/1.1 200") && response.contains("extension:health_check"),
        "{response}"
    );
    trigger.trigger();
    running.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_taken_address_is_an_error_at_the_start() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = taken.local_addr().unwrap().to_string();
    let context = Context::detached(Kind::Extension, "health_check");
    let mut extension =
        HealthCheck::new(Config { endpoint: endpoint.clone(), ..Config::default() }, &context);
    let error = extension.start().await.unwrap_err();
    assert!(matches!(&error, RunError::Bind { address, .. } if *address == endpoint), "{error}");
}

#[test]
fn wrong_settings_are_refused_and_the_address_is_reported() {
    let parse = |json| ::config::Section::from_json("health_check", &json).parse::<Config>();
    assert_eq!(::config::Validate::endpoints(&parse(json!({})).unwrap())[0].address, "localhost:13133");
    assert!(parse(json!({"path": "health"})).unwrap_err().to_string().contains("path"));
    assert!(parse(json!({"endpoint": "localhost"})).unwrap_err().to_string().contains("endpoint"));
    assert!(parse(json!({"response_body": {"healthy": "I'm good", "unhealthy": "I'm bad!"}})).is_ok());
}
