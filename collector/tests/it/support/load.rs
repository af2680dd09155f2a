//! Senders of log records that each have a number, and what became of each record.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use pdata::Logs;
use pdata::proto::common::{AnyValue, KeyValue, any_value::Value};
use pdata::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use transport::compression::Compression;
use transport::grpc::{Client, ClientSettings, Code};

/// What a sender speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Grpc,
    Http,
}

/// What became of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Taken,
    /// Come again, perhaps not before some time.
    Later(Option<Duration>),
    Never(String),
    /// There was no answer. Over gRPC that looks like being asked to come again.
    Lost(String),
}

/// Sends one record after the other.
#[derive(Clone)]
pub(crate) enum Sender {
    Grpc(Arc<Client>),
    Http(reqwest::Client, String),
}

/// The number of the next record, over all senders of a process: no two records are the same.
static NEXT: AtomicI64 = AtomicI64::new(1);

/// A number for a record.
pub(crate) fn next() -> i64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// An encoded request with one record, with so much text in it.
pub(crate) fn request(record: i64, padding: usize) -> Bytes {
    let text = |value: String| AnyValue { value: Some(Value::StringValue(value)) };
    let log_record = LogRecord {
        time_unix_nano: 1,
        body: Some(AnyValue { value: Some(Value::IntValue(record)) }),
        attributes: vec![KeyValue {
            key: "padding".to_owned(),
            value: Some(text("x".repeat(padding))),
            ..KeyValue::default()
        }],
        ..LogRecord::default()
    };
    let scope_logs = vec![ScopeLogs { log_records: vec![log_record], ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
    Logs::from_message(LogsData { resource_logs }).bytes().clone()
}

impl Sender {
    /// A sender to a receiver at `host:port`.
    pub(crate) fn new(protocol: Protocol, address: &str) -> Self {
        let endpoint = format!("http://{address}");
        match protocol {
            Protocol::Grpc => {
                let compression = Compression::None;
                let settings = ClientSettings { endpoint, compression, ..ClientSettings::default() };
                Self::Grpc(Arc::new(Client::new(&settings).expect("valid settings")))
            }
            Protocol::Http => {
                let client = transport::http::client(&transport::http::ClientSettings::default());
                Self::Http(client.expect("valid settings"), format!("{endpoint}/v1/logs"))
            }
        }
    }

    /// Sends one record.
    pub(crate) async fn send(&self, record: i64, padding: usize) -> Answer {
        let body = request(record, padding);
        match self {
            Self::Grpc(client) => send_grpc(client, &body).await,
            Self::Http(client, url) => send_http(client, url, body).await,
        }
    }
}

async fn send_grpc(client: &Client, body: &Bytes) -> Answer {
    match client.call("/opentelemetry.proto.collector.logs.v1.LogsService/Export", body).await {
        Ok(_) => Answer::Taken,
        Err(status) if status.code == Code::Unavailable => Answer::Later(status.retry_after),
        Err(status) if status.code == Code::ResourceExhausted && status.retry_after.is_some() => {
            Answer::Later(status.retry_after)
        }
        Err(status) => Answer::Never(status.to_string()),
    }
}

async fn send_http(client: &reqwest::Client, url: &str, body: Bytes) -> Answer {
    let request = client.post(url).header("content-type", "application/x-protobuf").body(body);
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => return Answer::Lost(format!("{error:?}")),
    };
    let after = response.headers().get("retry-after").and_then(|after| after.to_str().ok()?.parse().ok());
    match response.status().as_u16() {
        200 => Answer::Taken,
        429 | 502..=504 => Answer::Later(after.map(Duration::from_secs)),
        _ => Answer::Never(format!("{response:?}")),
    }
}

/// Senders that work until they are told to stop: each sends a record until it is taken, then the next.
pub(crate) struct Load {
    senders: JoinSet<()>,
    stopping: Arc<AtomicBool>,
    notes: Arc<Mutex<Notes>>,
}

#[derive(Default)]
struct Notes {
    taken: HashSet<i64>,
    never: Vec<String>,
}

impl Load {
    /// Starts two senders of each protocol, to receivers at these addresses.
    pub(crate) fn start(grpc: &str, http: &str) -> Self {
        let (stopping, notes) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Notes::default())));
        let mut senders = JoinSet::new();
        for (protocol, address) in [(Protocol::Grpc, grpc), (Protocol::Http, http)].repeat(2) {
            senders.spawn(work(Sender::new(protocol, address), Arc::clone(&stopping), Arc::clone(&notes)));
        }
        Self { senders, stopping, notes }
    }

    /// How many records were taken so far.
    pub(crate) fn taken(&self) -> usize {
        self.notes.lock().expect("no panic while noting").taken.len()
    }

    /// Waits until `more` records more are taken.
    pub(crate) async fn progress(&self, more: usize) {
        let enough = self.taken() + more;
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.taken() < enough {
            assert!(Instant::now() < deadline, "only {} of {enough} records were taken", self.taken());
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Lets every sender end with the record it has; fails if one was refused for good. Returns the records that were taken,
    /// which are all that were ever sent.
    pub(crate) async fn finish(mut self) -> HashSet<i64> {
        self.stopping.store(true, Ordering::Relaxed);
        let ended = async { while self.senders.join_next().await.is_some() {} };
        timeout(Duration::from_secs(20), ended).await.expect("every record is taken in the end");
        let notes = std::mem::take(&mut *self.notes.lock().expect("no panic while noting"));
        assert_eq!(notes.never, Vec::<String>::new(), "refused for good");
        notes.taken
    }

    /// Ends the senders where they are. Returns the records that were taken.
    pub(crate) async fn abandon(mut self) -> HashSet<i64> {
        self.senders.shutdown().await;
        std::mem::take(&mut self.notes.lock().expect("no panic while noting").taken)
    }
}

async fn work(sender: Sender, stopping: Arc<AtomicBool>, notes: Arc<Mutex<Notes>>) {
    while !stopping.load(Ordering::Relaxed) {
        let record = next();
        loop {
            let answer = sender.send(record, 200).await;
            match answer {
                Answer::Taken => {
                    notes.lock().expect("no panic while noting").taken.insert(record);
                    break;
                }
                Answer::Later(_) | Answer::Lost(_) => sleep(Duration::from_millis(20)).await,
                Answer::Never(reason) => {
                    notes.lock().expect("no panic while noting").never.push(reason);
                    break;
                }
            }
        }
    }
}
