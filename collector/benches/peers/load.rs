//! Both ends of a comparison: sends OTLP to a process in the middle, takes in what comes out, and watches what it costs.
//!
//! In: the settings on the command line (see `Args`). Out: one line of JSON with what was delivered in the measured time, and
//! the CPU time and resident memory of the process in the middle. `run` beside this file starts it for every case.

#![expect(clippy::print_stdout, reason = "the result is what it is for")]

#[path = "body.rs"]
mod body;

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use clap::{Parser, ValueEnum};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, TE};
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use pdata::{Logs, Metrics, Traces};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use transport::compression::{Compression, Encoding};
use transport::grpc::Call;
use transport::http::{Server, ServerSettings};

/// What to send, where, and whom to watch.
#[derive(Debug, Parser)]
struct Args {
    /// The process in the middle.
    #[arg(long)]
    pid: u32,
    /// Where it takes OTLP in: `host:port`.
    #[arg(long)]
    to: String,
    /// Where it sends OTLP to: this end listens here, for gRPC and HTTP.
    #[arg(long)]
    listen: String,
    #[arg(long)]
    protocol: Protocol,
    #[arg(long)]
    signal: Kind,
    /// Whether requests are compressed with gzip.
    #[arg(long)]
    gzip: bool,
    /// Connections to it.
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Requests under way at once, on all connections.
    #[arg(long, default_value_t = 64)]
    in_flight: usize,
    /// Items per second to send, whatever comes back; without it each answer makes room for the next request.
    #[arg(long)]
    rate: Option<f64>,
    /// Time before the measurement.
    #[arg(long, default_value_t = 3.0)]
    warm_up: f64,
    /// Sends nothing, and measures from the start of the process until so many items are delivered.
    #[arg(long)]
    expect: Option<u64>,
    /// Time of the measurement.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Protocol {
    Grpc,
    Http,
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Log records.
    Logs,
    /// Data points.
    Metrics,
    /// Spans.
    Traces,
}

/// Counts of items.
#[derive(Debug, Default)]
struct Counts {
    sent: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    delivered: AtomicU64,
}

impl Counts {
    fn read(&self) -> [u64; 4] {
        [&self.sent, &self.accepted, &self.refused, &self.delivered]
            .map(|count| count.load(Ordering::Relaxed))
    }
}

/// The largest message that this end takes.
const LIMIT: usize = 64 << 20;
/// After this long without an answer a request counts as refused.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often resident memory is looked at.
const LOOK: Duration = Duration::from_millis(100);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let counts = Arc::new(Counts::default());
    let server = Server::bind(&ServerSettings::at(&args.listen)).await?;
    let counting = Arc::clone(&counts);
    let taking = move |request| take(request, Arc::clone(&counting));
    let serving = tokio::spawn(server.serve(taking, std::future::pending()));
    if let Some(expected) = args.expect {
        return take_all(expected, args.pid, &counts).await;
    }
    let sender = Sender::new(&args, Arc::clone(&counts))?;
    let sending = tokio::spawn(sender.run(args.in_flight, args.rate));

    let mut watch = Watch::new(args.pid);
    sleep(Duration::from_secs_f64(args.warm_up)).await;
    let (before, cpu_before, started) = (counts.read(), watch.cpu()?, Instant::now());
    while started.elapsed().as_secs_f64() < args.seconds {
        sleep(LOOK).await;
        watch.look()?;
    }
    let (after, cpu_after, elapsed) = (counts.read(), watch.cpu()?, started.elapsed().as_secs_f64());
    ensure!(!sending.is_finished() && !serving.is_finished(), "an end of the comparison ended early");
    let [sent, accepted, refused, delivered] = std::array::from_fn(|i| after[i] - before[i]);
    let cpu = cpu_after - cpu_before;
    let result = json!({
        "seconds": elapsed,
        "sent": sent,
        "accepted": accepted,
        "refused": refused,
        "delivered": delivered,
        "cpu_seconds": cpu,
        "items_per_cpu_second": delivered as f64 / cpu,
        "items_per_second": delivered as f64 / elapsed,
        "max_rss_kib": watch.max_rss,
    });
    println!("{result}");
    Ok(())
}

/// Waits until the process has delivered all that it reads elsewhere.
async fn take_all(expected: u64, pid: u32, counts: &Counts) -> anyhow::Result<()> {
    let (mut watch, mut last) = (Watch::new(pid), (0, Instant::now()));
    let mut first = None;
    loop {
        watch.look()?;
        let [.., delivered] = counts.read();
        if delivered > 0 {
            first.get_or_insert_with(Instant::now);
        }
        if delivered >= expected {
            break;
        }
        if delivered > last.0 {
            last = (delivered, Instant::now());
        }
        ensure!(last.1.elapsed() < PATIENCE, "{delivered} of {expected} items came, and no more");
        sleep(LOOK / 10).await;
    }
    let ([.., delivered], cpu) = (counts.read(), watch.cpu()?);
    let seconds = first.map_or(0.0, |first| first.elapsed().as_secs_f64());
    let result = json!({
        "seconds": seconds,
        "delivered": delivered,
        "cpu_seconds": cpu,
        "items_per_cpu_second": delivered as f64 / cpu,
        "max_rss_kib": watch.max_rss,
    });
    println!("{result}");
    Ok(())
}

/// Sends requests.
struct Sender {
    clients: Vec<Client<HttpConnector, Full<Bytes>>>,
    requests: Vec<Request<Full<Bytes>>>,
    protocol: Protocol,
    counts: Arc<Counts>,
}

impl Sender {
    fn new(args: &Args, counts: Arc<Counts>) -> anyhow::Result<Self> {
        let is_grpc = args.protocol == Protocol::Grpc;
        let client = || {
            Client::builder(TokioExecutor::new())
                .http2_only(is_grpc)
                .http2_initial_stream_window_size(1 << 20)
                .build_http()
        };
        // An HTTP/1 client opens connections as it needs them.
        let clients = (0..if is_grpc { args.connections } else { 1 }).map(|_| client()).collect();
        let compression = if args.gzip { Compression::Gzip } else { Compression::None };
        let requests = body::bodies(args.signal).into_iter().map(|body| {
            let message = compression.encode(&body)?;
            request(args, message)
        });
        Ok(Self {
            clients,
            requests: requests.collect::<anyhow::Result<_>>()?,
            protocol: args.protocol,
            counts,
        })
    }

    async fn run(self, in_flight: usize, rate: Option<f64>) -> Infallible {
        let this = Arc::new(self);
        let room = Arc::new(Semaphore::new(in_flight));
        let period = rate.map(|rate| Duration::from_secs_f64(body::ITEMS as f64 / rate));
        let mut ticks = interval(period.unwrap_or(Duration::from_secs(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for turn in 0.. {
            if period.is_some() {
                ticks.tick().await;
            }
            let permit = match (period, Arc::clone(&room).try_acquire_owned()) {
                (_, Ok(permit)) => permit,
                // Too many are under way: a sender with a bounded queue drops then.
                (Some(_), Err(_)) => {
                    this.counts.sent.fetch_add(body::ITEMS, Ordering::Relaxed);
                    this.counts.refused.fetch_add(body::ITEMS, Ordering::Relaxed);
                    continue;
                }
                (None, Err(_)) => match Arc::clone(&room).acquire_owned().await {
                    Ok(permit) => permit,
                    Err(_) => break,
                },
            };
            let this = Arc::clone(&this);
            tokio::spawn(async move {
                this.send(turn).await;
                drop(permit);
            });
        }
        std::future::pending().await
    }

    async fn send(&self, turn: usize) {
        self.counts.sent.fetch_add(body::ITEMS, Ordering::Relaxed);
        let client = &self.clients[turn % self.clients.len()];
        let request = self.requests[turn % self.requests.len()].clone();
        let answered = timeout(PATIENCE, async {
            let (head, body) = client.request(request).await.ok()?.into_parts();
            let body = body.collect().await.ok()?;
            let in_trailers = body.trailers().and_then(|trailers| trailers.get("grpc-status"));
            let status = head.headers.get("grpc-status").or(in_trailers);
            let is_ok = self.protocol == Protocol::Http || status.is_some_and(|status| status == "0");
            Some(head.status == StatusCode::OK && is_ok)
        });
        let taken = matches!(answered.await, Ok(Some(true)));
        let count = if taken { &self.counts.accepted } else { &self.counts.refused };
        count.fetch_add(body::ITEMS, Ordering::Relaxed);
        if !taken {
            // What is refused must not turn the sender into a busy loop.
            sleep(Duration::from_millis(10)).await;
        }
    }
}

fn request(args: &Args, message: Bytes) -> anyhow::Result<Request<Full<Bytes>>> {
    let (service, path) = match args.signal {
        Kind::Logs => ("logs.v1.LogsService", "logs"),
        Kind::Metrics => ("metrics.v1.MetricsService", "metrics"),
        Kind::Traces => ("trace.v1.TraceService", "traces"),
    };
    let request = match args.protocol {
        Protocol::Grpc => {
            let length = u32::try_from(message.len())?.to_be_bytes();
            let framed = [&[u8::from(args.gzip)], &length[..], &message].concat();
            let url = format!("http://{}/opentelemetry.proto.collector.{service}/Export", args.to);
            let request = Request::post(url).header(CONTENT_TYPE, "application/grpc").header(TE, "trailers");
            let request = if args.gzip { request.header("grpc-encoding", "gzip") } else { request };
            request.body(Full::new(framed.into()))?
        }
        Protocol::Http => {
            let request = Request::post(format!("http://{}/v1/{path}", args.to))
                .header(CONTENT_TYPE, "application/x-protobuf");
            let request = if args.gzip { request.header(CONTENT_ENCODING, "gzip") } else { request };
            request.body(Full::new(message))?
        }
    };
    Ok(request)
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Takes in what the process in the middle sends, and counts its items.
async fn take(request: Request<Incoming>, counts: Arc<Counts>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let is_grpc = request
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    if is_grpc {
        let message = match Call::new(request) {
            Ok(call) => call.message(LIMIT, |_| {}).await,
            Err(status) => Err(status),
        };
        let answer = message.map(|message| {
            counts.delivered.fetch_add(count(&path, message), Ordering::Relaxed);
            Bytes::new()
        });
        return transport::grpc::respond(answer).map(BodyExt::boxed_unsync);
    }
    let encoding = request.headers().get(CONTENT_ENCODING).and_then(|name| name.to_str().ok());
    let encoding = Encoding::from_header(encoding.unwrap_or_default());
    let body = request.into_body().collect().await.ok();
    let message =
        encoding.zip(body).and_then(|(encoding, body)| encoding.decode(body.to_bytes(), LIMIT).ok());
    let mut response = Response::new(Full::new(Bytes::new()).boxed_unsync());
    match message {
        Some(message) => drop(counts.delivered.fetch_add(count(&path, message), Ordering::Relaxed)),
        None => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    response
}

fn count(path: &str, message: Bytes) -> u64 {
    let items = if path.contains("race") {
        Traces::from_bytes(message).map(|traces| traces.items())
    } else if path.contains("etrics") {
        Metrics::from_bytes(message).map(|metrics| metrics.items())
    } else {
        Logs::from_bytes(message).map(|logs| logs.items())
    };
    items.unwrap_or(0) as u64
}

/// Looks at the process in the middle.
struct Watch {
    folder: PathBuf,
    max_rss: u64,
}

impl Watch {
    fn new(pid: u32) -> Self {
        Self { folder: format!("/proc/{pid}").into(), max_rss: 0 }
    }

    /// CPU seconds that it has used: the sum of its threads, to the nanosecond. What a thread used that has ended is missing;
    /// none of those in the middle ends its threads while it works.
    fn cpu(&self) -> anyhow::Result<f64> {
        let tasks =
            std::fs::read_dir(self.folder.join("task")).context("the process in the middle is gone")?;
        let mut nanoseconds = 0.0;
        for task in tasks {
            // A thread that ends meanwhile has no file any more.
            let Ok(text) = std::fs::read_to_string(task?.path().join("schedstat")) else { continue };
            let used: f64 = text.split_whitespace().next().context("no schedstat")?.parse()?;
            nanoseconds += used;
        }
        Ok(nanoseconds / 1e9)
    }

    /// Looks how much memory it has.
    fn look(&mut self) -> anyhow::Result<()> {
        let status = std::fs::read_to_string(self.folder.join("status"))
            .context("the process in the middle is gone")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib = line.split_whitespace().next().context("no VmRSS")?.parse()?;
        self.max_rss = self.max_rss.max(kib);
        Ok(())
    }
}
