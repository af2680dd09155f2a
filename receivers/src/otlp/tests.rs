//! The receiver over real sockets, in front of a pipeline that answers what a test says.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::config::Section;
use async_trait::async_trait;
use bytes::Bytes;
use component::{
    Ack, Admission, Ingress, Intake, Nack, Outcome, Pressure, Receiver, RunError, ShutdownTrigger, Telemetry,
};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use pdata::event::{Change, Event};
use pdata::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use pdata::{Batch, Logs, Signal, SignalSet, Timestamp};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use transport::compression::Compression;
use transport::grpc::Code;

use super::{Config, Otlp};

/// Answers every batch of a signal as told, and keeps it.
struct Pipeline {
    wanted: SignalSet,
    outcome: Box<dyn Fn(Signal) -> Outcome + Send + Sync>,
    batches: Mutex<Vec<Batch>>,
}

#[async_trait]
impl Intake for Pipeline {
    async fn push(&self, batch: Batch, ack: Ack) {
        let outcome = (self.outcome)(batch.signal());
        self.batches.lock().unwrap().push(batch);
        ack.resolve(outcome);
    }

    fn wanted(&self) -> SignalSet {
        self.wanted
    }
}

struct Running {
    pipeline: Arc<Pipeline>,
    admission: Admission,
    telemetry: Telemetry,
    grpc: String,
    http: String,
    trigger: ShutdownTrigger,
    task: JoinHandle<Result<(), RunError>>,
}

const LOGS_METHOD: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

/// How a call ended.
struct Called {
    code: i32,
    message: Bytes,
    headers: HeaderMap,
}

impl Running {
    /// Takes logs and metrics, and answers all of them with `outcome`.
    async fn start(outcome: Outcome) -> Self {
        Self::start_with(&[Signal::Logs, Signal::Metrics], move |_| outcome.clone()).await
    }

    async fn start_with(
        wanted: &[Signal],
        outcome: impl Fn(Signal) -> Outcome + Send + Sync + 'static,
    ) -> Self {
        let section = Section::from_json(
            "otlp",
            &json!({"protocols": {
                "grpc": {"endpoint": "127.0.0.1:0", "max_recv_msg_size_mib": 1},
                "http": {"endpoint": "127.0.0.1:0", "max_request_body_size": "1MiB"},
            }}),
        );
        let mut receiver = Box::new(Otlp::new(section.parse().unwrap()));
        receiver.start().await.unwrap();
        let url = |server: &Option<transport::http::Server>| {
            format!("http://{}", server.as_ref().and_then(transport::http::Server::local_addr).unwrap())
        };
        let (grpc, http) = (url(&receiver.grpc), url(&receiver.http));
        let (wanted, outcome) = (SignalSet::of(wanted), Box::new(outcome));
        let pipeline = Arc::new(Pipeline { wanted, outcome, batches: Mutex::default() });
        let (admission, telemetry) = (Admission::default(), Telemetry::default());
        let ingress = Ingress::new("otlp", Arc::clone(&pipeline) as _, admission.clone(), &telemetry);
        let trigger = ShutdownTrigger::default();
        let task = tokio::spawn(receiver.run(ingress, trigger.listener()));
        Self { pipeline, admission, telemetry, grpc, http, trigger, task }
    }

    fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
        let protobuf = "application/x-protobuf";
        client().post(format!("{}{path}", self.http)).header("content-type", protobuf).body(body)
    }

    fn post_json(&self, path: &str, body: &Value) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.http);
        client().post(url).header("content-type", "application/json").body(body.to_string())
    }

    async fn call(&self, method: &str, message: &Bytes, compression: Compression) -> Called {
        let message = compression.encode(message).unwrap();
        let prefix = [&[u8::from(compression.header().is_some())], &length(&message)[..]].concat();
        let mut request = Request::post(format!("{}{method}", self.grpc))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        if let Some(encoding) = compression.header() {
            request = request.header("grpc-encoding", encoding);
        }
        let request = request.body(Full::new(Bytes::from([&prefix, &message[..]].concat()))).unwrap();
        let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Full<Bytes>>();
        let (head, body) = client.request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap();
        let mut headers = head.headers;
        headers.extend(body.trailers().cloned().unwrap_or_default());
        let code = headers["grpc-status"].to_str().unwrap().parse().unwrap();
        let message = body.to_bytes();
        Called { code, message: message.slice(message.len().min(5)..), headers }
    }

    async fn call_logs(&self, message: &Bytes) -> Called {
        self.call(LOGS_METHOD, message, Compression::None).await
    }

    fn delivered(&self) -> Vec<Batch> {
        self.pipeline.batches.lock().unwrap().clone()
    }

    async fn end(self) {
        self.trigger.trigger();
        self.task.await.unwrap().unwrap();
        assert_eq!(self.admission.in_flight_bytes(), 0);
    }
}

fn length(message: &Bytes) -> [u8; 4] {
    u32::try_from(message.len()).unwrap().to_be_bytes()
}

fn client() -> reqwest::Client {
    transport::http::client(&transport::http::ClientSettings::default()).unwrap()
}

fn change() -> Event {
    Event::Change(Change {
        time: Timestamp::from_nanos(17),
        service: "cart".to_owned(),
        kind: "deploy".to_owned(),
        attributes: serde_json::Map::new(),
        message: "deployed".to_owned(),
    })
}

/// Log records with an event among them.
fn logs_with_event(records: usize) -> Bytes {
    let events = pdata::event::to_logs(&[change()]).into_message().resource_logs;
    let others = Logs::from_bytes(logs(records)).unwrap().into_message().resource_logs;
    Logs::from_message(LogsData { resource_logs: [events, others].concat() }).bytes().clone()
}

fn logs(records: usize) -> Bytes {
    let scope = ScopeLogs { log_records: vec![LogRecord::default(); records], ..ScopeLogs::default() };
    let resource = ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() };
    Logs::from_message(LogsData { resource_logs: vec![resource] }).bytes().clone()
}

#[tokio::test]
async fn http_delivers_plain_and_compressed_bodies() {
    let running = Running::start(Ok(())).await;
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd, Compression::Deflate] {
        let mut request = running.post("/v1/logs", compression.encode(&logs(3)).unwrap());
        if let Some(name) = compression.header() {
            request = request.header("content-encoding", name);
        }
        assert_eq!(request.send().await.unwrap().status(), 200, "{compression:?}");
    }
    let expected = Batch::from(Logs::from_bytes(logs(3)).unwrap());
    assert_eq!(running.delivered(), vec![expected; 4]);
    assert_eq!(running.telemetry.total("otelcol_receiver_accepted_log_records"), 12.0);
    running.end().await;
}

#[tokio::test]
async fn grpc_delivers_plain_and_compressed_messages() {
    let running = Running::start(Ok(())).await;
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let called = running.call(LOGS_METHOD, &logs(2), compression).await;
        assert_eq!((called.code, called.message), (0, Bytes::new()), "{compression:?}");
    }
    let expected = Batch::from(Logs::from_bytes(logs(2)).unwrap());
    assert_eq!(running.delivered(), vec![expected; 3]);
    running.end().await;
}

#[tokio::test]
async fn retryable_failures_ask_to_try_again_later() {
    let nack = Nack::retry_after(Duration::from_millis(1500), "queue is full");
    let running = Running::start(Err(nack)).await;
    let response = running.post("/v1/logs", logs(1)).send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "2");
    let called = running.call_logs(&logs(1)).await;
    assert_eq!(called.code, Code::Unavailable.number());
    assert_eq!(called.headers["grpc-message"], "queue is full");
    assert!(called.headers.contains_key("grpc-status-details-bin"));
    assert_eq!(running.telemetry.total("otelcol_receiver_refused_log_records"), 2.0);
    running.end().await;
}

#[tokio::test]
async fn permanent_failures_do_not_ask_to_try_again() {
    let running = Running::start(Err(Nack::permanent("not wanted"))).await;
    assert_eq!(running.post("/v1/logs", logs(1)).send().await.unwrap().status(), 400);
    let called = running.call_logs(&logs(1)).await;
    assert_eq!(called.code, Code::InvalidArgument.number());
    assert_eq!(called.headers["grpc-message"], "not wanted");
    assert!(!called.headers.contains_key("grpc-status-details-bin"));
    running.end().await;
}

#[tokio::test]
async fn malformed_messages_are_refused_for_good_and_counted() {
    let running = Running::start(Ok(())).await;
    let broken = Bytes::from_static(b"\x0a\xff\xff\xff\xff\x0f no protobuf");
    assert_eq!(running.post("/v1/logs", broken.clone()).send().await.unwrap().status(), 400);
    let not_gzip = running.post("/v1/logs", logs(1)).header("content-encoding", "gzip");
    assert_eq!(not_gzip.send().await.unwrap().status(), 400);
    assert_eq!(running.post_json("/v1/logs", &json!([1])).send().await.unwrap().status(), 400);
    assert_eq!(running.call_logs(&broken).await.code, Code::InvalidArgument.number());
    assert_eq!(running.telemetry.total("otelcol_receiver_failed_log_records"), 4.0);
    assert!(running.delivered().is_empty());
    running.end().await;
}

#[tokio::test]
async fn bombs_and_giants_are_refused_for_good() {
    let running = Running::start(Ok(())).await;
    let giant = Bytes::from(vec![0; (1 << 20) + 1]);
    assert_eq!(running.post("/v1/logs", giant.clone()).send().await.unwrap().status(), 413);
    let bomb = Compression::Gzip.encode(&giant).unwrap();
    let bomb = running.post("/v1/logs", bomb).header("content-encoding", "gzip");
    assert_eq!(bomb.send().await.unwrap().status(), 413);
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let called = running.call(LOGS_METHOD, &giant, compression).await;
        assert_eq!(called.code, Code::ResourceExhausted.number(), "{compression:?}");
        assert!(!called.headers.contains_key("grpc-status-details-bin"), "trying again does not help");
    }
    assert_eq!(running.telemetry.total("otelcol_receiver_failed_log_records"), 5.0);
    running.end().await;
}

#[tokio::test]
async fn nothing_is_taken_in_while_memory_is_short() {
    let running = Running::start(Ok(())).await;
    running.admission.set_pressure(Pressure::Soft);
    let response = running.post("/v1/logs", logs(1)).send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "1");
    let called = running.call_logs(&logs(1)).await;
    assert_eq!(called.code, Code::Unavailable.number());
    assert!(called.headers.contains_key("grpc-status-details-bin"));
    assert!(running.delivered().is_empty());
    running.admission.set_pressure(Pressure::Normal);
    assert_eq!(running.call_logs(&logs(1)).await.code, 0);
    running.end().await;
}

#[tokio::test]
async fn what_nobody_wants_or_knows_is_said_to_be_so() {
    let running = Running::start(Ok(())).await;
    assert_eq!(running.post("/v1/traces", Bytes::new()).send().await.unwrap().status(), 404);
    assert_eq!(running.post("/v2/logs", Bytes::new()).send().await.unwrap().status(), 404);
    let traces = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    let called = running.call(traces, &Bytes::new(), Compression::None).await;
    assert_eq!(called.code, Code::Unimplemented.number());
    let logs_url = format!("{}/v1/logs", running.http);
    let get = client().get(&logs_url).send().await.unwrap();
    assert_eq!((get.status().as_u16(), &get.headers()["allow"]), (405, &"POST".parse().unwrap()));
    let text = client().post(&logs_url).header("content-type", "text/plain").body("{}");
    assert_eq!(text.send().await.unwrap().status(), 415);
    let strange = running.post("/v1/logs", logs(1)).header("content-encoding", "br");
    assert_eq!(strange.send().await.unwrap().status(), 415);
    running.end().await;
}

#[tokio::test]
async fn json_is_taken_in_and_answered_in_json() {
    let running = Running::start_with(&[Signal::Logs], |_| Ok(())).await;
    let record = json!({"body": {"stringValue": "hello"}, "timeUnixNano": "17", "traceId": "5b8efff798038103d269b633813fc60c"});
    let body = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]});
    let response = running.post_json("/v1/logs", &body).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (200, &"application/json".parse().unwrap())
    );
    assert_eq!(response.text().await.unwrap(), "{}");
    let expected = pdata::json::from_json(Signal::Logs, body.to_string().as_bytes()).unwrap();
    assert_eq!(running.delivered(), vec![expected]);
    running.end().await;

    let running = Running::start(Err(Nack::retry_after(Duration::from_secs(2), "queue is full"))).await;
    let response = running.post_json("/v1/logs", &body).send().await.unwrap();
    assert_eq!(response.headers()["retry-after"], "2");
    let status: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(status["message"], "queue is full");
    assert_eq!(status["details"][0]["retryDelay"], "2s");
    running.end().await;
}

#[tokio::test]
async fn events_among_log_records_become_events_again_where_they_are_wanted() {
    let running = Running::start_with(&[Signal::Logs, Signal::Events], |_| Ok(())).await;
    assert_eq!(running.call_logs(&logs_with_event(2)).await.code, 0);
    let rest = Batch::from(Logs::from_bytes(logs(2)).unwrap());
    assert_eq!(running.delivered(), vec![Batch::events(vec![change()]), rest]);
    running.end().await;

    let running = Running::start(Ok(())).await;
    assert_eq!(running.call_logs(&logs_with_event(2)).await.code, 0);
    assert_eq!(running.delivered(), vec![Batch::from(Logs::from_bytes(logs_with_event(2)).unwrap())]);
    running.end().await;
}

#[tokio::test]
async fn what_is_refused_for_good_beside_something_delivered_is_a_partial_success() {
    let only_events = |signal| match signal {
        Signal::Events => Ok(()),
        _ => Err(Nack::permanent("no logs today")),
    };
    let running = Running::start_with(&[Signal::Logs, Signal::Events], only_events).await;
    // ExportLogsServiceResponse {partial_success: {rejected_log_records: 3, error_message}}
    let partial = Bytes::from_static(b"\x0a\x11\x08\x03\x12\x0dno logs today");
    assert_eq!(running.call_logs(&logs_with_event(3)).await.message, partial);
    let response = running.post("/v1/logs", logs_with_event(3)).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.bytes().await.unwrap()), (200, partial));
    let mut json = Vec::new();
    pdata::json::to_json(&Logs::from_bytes(logs_with_event(3)).unwrap().into(), &mut json);
    let body = serde_json::from_slice(&json).unwrap();
    let response = running.post_json("/v1/logs", &body).send().await.unwrap().text().await.unwrap();
    let expected = json!({"partialSuccess": {"rejectedLogRecords": "3", "errorMessage": "no logs today"}});
    assert_eq!(serde_json::from_str::<Value>(&response).unwrap(), expected);
    running.end().await;

    let running = Running::start_with(&[Signal::Events], |_| Ok(())).await;
    assert!(running.call_logs(&logs_with_event(3)).await.message.starts_with(b"\x0a"));
    assert_eq!(running.call_logs(&logs(3)).await.code, Code::InvalidArgument.number());
    running.end().await;
}

#[tokio::test]
async fn all_is_sent_again_if_a_part_may_succeed_later() {
    let no_events = |signal| match signal {
        Signal::Events => Err(Nack::retryable("full")),
        _ => Ok(()),
    };
    let running = Running::start_with(&[Signal::Logs, Signal::Events], no_events).await;
    assert_eq!(running.call_logs(&logs_with_event(3)).await.code, Code::Unavailable.number());
    running.end().await;
}

#[test]
fn protocols_are_switched_on_by_their_keys() {
    let parse = |value| Section::from_json("otlp", &value).parse::<Config>();
    let both = parse(json!({"protocols": {"grpc": null, "http": null}})).unwrap().protocols;
    assert_eq!(both.grpc.unwrap().endpoint, "localhost:4317");
    assert_eq!(both.http.unwrap().endpoint, "localhost:4318");
    let one = parse(json!({"protocols": {"http": {"endpoint": "localhost:1"}}})).unwrap().protocols;
    assert!(one.grpc.is_none());
    assert!(parse(json!({"protocols": {}})).is_err());
    assert!(parse(json!({"protocols": {"http": {"endpoint": "nowhere"}}})).is_err());
}
