//! The receiver over real sockets, in front of a pipeline that answers what a test says.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::config::Section;
use async_trait::async_trait;
use bytes::Bytes;
use component::{
    Ack, Admission, Ingress, Intake, Nack, Outcome, Pressure, Receiver, RunError, ShutdownTrigger, Telemetry,
};
use pdata::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use pdata::{Batch, Logs, Signal, SignalSet};
use serde_json::json;
use tokio::task::JoinHandle;
use tonic::codec::CompressionEncoding;
use tonic::{Code, Status};
use transport::compression::Compression;

use super::grpc::Raw;
use super::{Config, Otlp};

/// Answers every batch with `outcome` and keeps it.
struct Pipeline {
    outcome: Outcome,
    batches: Mutex<Vec<Batch>>,
}

#[async_trait]
impl Intake for Pipeline {
    async fn push(&self, batch: Batch, ack: Ack) {
        self.batches.lock().unwrap().push(batch);
        ack.resolve(self.outcome.clone());
    }

    fn wanted(&self) -> SignalSet {
        SignalSet::of(&[Signal::Logs, Signal::Metrics])
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

impl Running {
    async fn start(outcome: Outcome) -> Self {
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
        let pipeline = Arc::new(Pipeline { outcome, batches: Mutex::default() });
        let (admission, telemetry) = (Admission::default(), Telemetry::default());
        let ingress = Ingress::new("otlp", Arc::clone(&pipeline) as _, admission.clone(), &telemetry);
        let trigger = ShutdownTrigger::default();
        let task = tokio::spawn(receiver.run(ingress, trigger.listener()));
        Self { pipeline, admission, telemetry, grpc, http, trigger, task }
    }

    fn post(&self, path: &str, body: Bytes) -> reqwest::RequestBuilder {
        let client = transport::http::client(&transport::http::ClientSettings::default()).unwrap();
        client
            .post(format!("{}{path}", self.http))
            .header("content-type", "application/x-protobuf")
            .body(body)
    }

    async fn call(
        &self,
        method: &'static str,
        body: Bytes,
        compression: Option<CompressionEncoding>,
    ) -> Result<Bytes, Status> {
        let channel =
            tonic::transport::Endpoint::from_shared(self.grpc.clone()).unwrap().connect().await.unwrap();
        let mut client = tonic::client::Grpc::new(channel);
        if let Some(compression) = compression {
            client = client.send_compressed(compression);
        }
        client.ready().await.unwrap();
        let path = http::uri::PathAndQuery::from_static(method);
        client.unary(tonic::Request::new(body), path, Raw).await.map(tonic::Response::into_inner)
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
    for compression in [None, Some(CompressionEncoding::Gzip), Some(CompressionEncoding::Zstd)] {
        assert_eq!(running.call(LOGS_METHOD, logs(2), compression).await.unwrap(), Bytes::new());
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
    let status = running.call(LOGS_METHOD, logs(1), None).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "queue is full"));
    assert!(String::from_utf8_lossy(status.details()).contains("google.rpc.RetryInfo"));
    assert_eq!(running.telemetry.total("otelcol_receiver_refused_log_records"), 2.0);
    running.end().await;
}

#[tokio::test]
async fn permanent_failures_do_not_ask_to_try_again() {
    let running = Running::start(Err(Nack::permanent("not wanted"))).await;
    assert_eq!(running.post("/v1/logs", logs(1)).send().await.unwrap().status(), 400);
    let status = running.call(LOGS_METHOD, logs(1), None).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::InvalidArgument, "not wanted"));
    running.end().await;
}

#[tokio::test]
async fn malformed_messages_are_refused_for_good_and_counted() {
    let running = Running::start(Ok(())).await;
    let broken = Bytes::from_static(b"\x0a\xff\xff\xff\xff\x0f no protobuf");
    assert_eq!(running.post("/v1/logs", broken.clone()).send().await.unwrap().status(), 400);
    let not_gzip = running.post("/v1/logs", logs(1)).header("content-encoding", "gzip");
    assert_eq!(not_gzip.send().await.unwrap().status(), 400);
    let status = running.call(LOGS_METHOD, broken, None).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(running.telemetry.total("otelcol_receiver_failed_log_records"), 3.0);
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
    for compression in [None, Some(CompressionEncoding::Gzip), Some(CompressionEncoding::Zstd)] {
        let status = running.call(LOGS_METHOD, giant.clone(), compression).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{compression:?}");
    }
    running.end().await;
}

#[tokio::test]
async fn nothing_is_taken_in_while_memory_is_short() {
    let running = Running::start(Ok(())).await;
    running.admission.set_pressure(Pressure::Soft);
    let response = running.post("/v1/logs", logs(1)).send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(running.call(LOGS_METHOD, logs(1), None).await.unwrap_err().code(), Code::Unavailable);
    running.admission.set_pressure(Pressure::Normal);
    assert!(running.call(LOGS_METHOD, logs(1), None).await.is_ok());
    running.end().await;
}

#[tokio::test]
async fn what_nobody_wants_or_knows_is_said_to_be_so() {
    let running = Running::start(Ok(())).await;
    assert_eq!(running.post("/v1/traces", Bytes::new()).send().await.unwrap().status(), 404);
    assert_eq!(running.post("/v2/logs", Bytes::new()).send().await.unwrap().status(), 404);
    let traces = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    assert_eq!(running.call(traces, Bytes::new(), None).await.unwrap_err().code(), Code::Unimplemented);
    let client = reqwest_client();
    let logs_url = format!("{}/v1/logs", running.http);
    assert_eq!(client.get(&logs_url).send().await.unwrap().status(), 405);
    let json = client.post(&logs_url).header("content-type", "application/json").body("{}");
    assert_eq!(json.send().await.unwrap().status(), 415);
    let strange = running.post("/v1/logs", logs(1)).header("content-encoding", "br");
    assert_eq!(strange.send().await.unwrap().status(), 415);
    running.end().await;
}

fn reqwest_client() -> reqwest::Client {
    transport::http::client(&transport::http::ClientSettings::default()).unwrap()
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
