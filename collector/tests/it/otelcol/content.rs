//! Everything that OTLP can say goes through a collector, the binary and the collector again, and is still the same.

use std::path::Path;

use pdata::proto::resource::Resource;
use pdata::{Batch, Logs, Metrics, Signal, Traces};
use transport::compression::Compression;
use transport::grpc::{Client, ClientSettings};

use super::{everything, start};
use crate::support::{Collector, free_address, peer};

/// One way to send.
struct Way {
    name: &'static str,
    exporter: &'static str,
    /// Keys of the exporter.
    keys: &'static str,
    /// Whether the binary changes what goes this way, so that it decodes and encodes it.
    is_changed: bool,
    /// Where the binary listens.
    binary: String,
    /// Where the collector behind it does.
    behind: String,
}

impl Way {
    fn new(name: &'static str, exporter: &'static str, keys: &'static str, is_changed: bool) -> Self {
        Self { name, exporter, keys, is_changed, binary: free_address(), behind: free_address() }
    }

    fn protocol(&self) -> &'static str {
        if self.exporter == "otlp" { "grpc" } else { "http" }
    }

    /// A receiver and an exporter of either program.
    fn receiver(&self, address: &str) -> String {
        format!("  otlp/{}: {{protocols: {{{}: {{endpoint: '{address}'}}}}}}\n", self.name, self.protocol())
    }

    fn exporter(&self, address: &str) -> String {
        let Self { name, exporter, keys, .. } = self;
        // Nobody takes anything on trust, so that the answer to the sender means that all is in the files.
        format!(
            "  {exporter}/{name}: {{endpoint: 'http://{address}', sending_queue: {{enabled: false}}, tls: {{insecure: true}}, {keys}}}\n"
        )
    }

    fn file(&self) -> String {
        format!("  file/{name}: {{path: {name}.jsonl}}\n", name = self.name)
    }

    /// What was sent, as it should arrive over this way.
    fn expected(&self) -> Vec<Batch> {
        let (mut traces, mut metrics, mut logs) =
            (everything::traces(), everything::metrics(), everything::logs());
        if self.is_changed {
            let resources = traces.resource_spans.iter_mut().map(|resource| &mut resource.resource);
            let resources =
                resources.chain(metrics.resource_metrics.iter_mut().map(|resource| &mut resource.resource));
            let resources =
                resources.chain(logs.resource_logs.iter_mut().map(|resource| &mut resource.resource));
            resources.for_each(|resource| change(resource, self.name));
        }
        vec![
            Traces::from_message(traces).into(),
            Metrics::from_message(metrics).into(),
            Logs::from_message(logs).into(),
        ]
    }
}

fn change(resource: &mut Option<Resource>, way: &str) {
    let attributes = &mut resource.as_mut().expect("every one has a resource").attributes;
    let mut mark = attributes[0].clone();
    mark.key = "way".to_owned();
    mark.value = Some(everything::text(way));
    attributes.push(mark);
}

fn join(parts: impl IntoIterator<Item = String>) -> String {
    parts.into_iter().collect()
}

/// A collector that sends all ways to the binary, and writes what comes back by each of them to a file.
fn collector_config(front: &str, ways: &[Way]) -> String {
    let exporters = ways.iter().map(|way| format!("{}/{}", way.exporter, way.name)).collect::<Vec<_>>();
    let all = exporters.join(", ");
    let pipelines = |signal: &&str| {
        let front = format!("    {signal}/front: {{receivers: [otlp/front], exporters: [{all}]}}\n");
        let back = |Way { name, .. }: &Way| {
            format!("    {signal}/{name}: {{receivers: [otlp/{name}], exporters: [file/{name}]}}\n")
        };
        front + &join(ways.iter().map(back))
    };
    format!(
        "receivers:
  otlp/front: {{protocols: {{grpc: {{endpoint: '{front}'}}}}}}
{receivers}exporters:
{exporters}{files}service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
{pipelines}",
        receivers = join(ways.iter().map(|way| way.receiver(&way.behind))),
        exporters = join(ways.iter().map(|way| way.exporter(&way.binary))),
        files = join(ways.iter().map(Way::file)),
        pipelines = join(["traces", "metrics", "logs"].iter().map(pipelines)),
    )
}

/// The binary: by each way to a file and back to the collector.
fn binary_config(ways: &[Way]) -> String {
    let pipeline = |Way { name, exporter, is_changed, .. }: &Way| {
        let processors = if *is_changed { format!("resource/{name}") } else { String::new() };
        format!(
            "    all/{name}: {{receivers: [otlp/{name}], processors: [{processors}], exporters: [file/{name}, {exporter}/{name}]}}\n"
        )
    };
    let changed = ways.iter().filter(|way| way.is_changed);
    let processor = |Way { name, .. }: &Way| {
        format!("  resource/{name}: {{attributes: [{{key: way, value: {name}, action: insert}}]}}\n")
    };
    format!(
        "receivers:\n{receivers}processors:\n{processors}exporters:\n{exporters}{files}service:\n  pipelines:\n{pipelines}",
        receivers = join(ways.iter().map(|way| way.receiver(&way.binary))),
        processors = join(changed.map(processor)),
        exporters = join(ways.iter().map(|way| way.exporter(&way.behind))),
        files = join(ways.iter().map(Way::file)),
        pipelines = join(ways.iter().map(pipeline)),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_in_front_and_one_behind_exchange_everything_unchanged() {
    let test = "a_collector_in_front_and_one_behind_exchange_everything_unchanged";
    let Some(folder) = peer("otelcol", test) else { return };
    let ways = [
        Way::new("grpc-gzip", "otlp", "compression: gzip", false),
        Way::new("grpc-zstd", "otlp", "compression: zstd", true),
        Way::new("http-gzip", "otlphttp", "compression: gzip", true),
        Way::new("http-zstd", "otlphttp", "compression: zstd", false),
        Way::new("http-json", "otlphttp", "compression: none, encoding: json", false),
    ];
    let front = free_address();
    let binary = Collector::start(&binary_config(&ways)).await;
    let mut collector = start(&folder, &collector_config(&front, &ways)).await;
    send(&front, &collector.log()).await;
    // Its file exporter holds lines back until it ends.
    collector.end().await;
    for way in &ways {
        check(way, "the binary", binary.folder());
        check(way, "the collector behind it", collector.folder());
    }
}

/// Sends a message of each signal.
async fn send(address: &str, log: &str) {
    let settings = ClientSettings {
        endpoint: format!("http://{address}"),
        compression: Compression::None,
        ..ClientSettings::default()
    };
    let client = Client::new(&settings).expect("valid settings");
    for (path, body) in [
        (
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Traces::from_message(everything::traces()).bytes().clone(),
        ),
        (
            "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Metrics::from_message(everything::metrics()).bytes().clone(),
        ),
        (
            "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            Logs::from_message(everything::logs()).bytes().clone(),
        ),
    ] {
        let answer = client.call(path, &body).await;
        assert!(answer.is_ok(), "{path}: {answer:?}\n{log}");
    }
}

/// Compares what a file holds with what was sent.
fn check(way: &Way, at: &str, folder: &Path) {
    let text = std::fs::read_to_string(folder.join(format!("{}.jsonl", way.name))).expect("a file");
    let decode = |line: &str| {
        let signal: Option<Signal> = pdata::json::detect(line.as_bytes());
        let signal = signal.unwrap_or_else(|| panic!("{line}"));
        pdata::json::from_json(signal, line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}"))
    };
    let arrived: Vec<Batch> = text.lines().map(decode).collect();
    let expected = way.expected();
    assert_eq!(arrived.len(), expected.len(), "{} at {at}:\n{text}", way.name);
    for (arrived, expected) in arrived.iter().zip(&expected) {
        assert_same(arrived, expected, &format!("{} at {at}", way.name));
    }
}

fn assert_same(arrived: &Batch, expected: &Batch, what: &str) {
    match (arrived, expected) {
        (Batch::Traces(arrived), Batch::Traces(expected)) => {
            pretty_eq(arrived.message(), expected.message(), what);
        }
        (Batch::Metrics(arrived), Batch::Metrics(expected)) => {
            pretty_eq(arrived.message(), expected.message(), what);
        }
        (Batch::Logs(arrived), Batch::Logs(expected)) => {
            pretty_eq(arrived.message(), expected.message(), what);
        }
        _ => panic!("{what}: another signal"),
    }
}

/// Fails with the first line in which two messages differ: they are long.
fn pretty_eq<T: std::fmt::Debug + PartialEq>(arrived: &T, expected: &T, what: &str) {
    if arrived == expected {
        return;
    }
    let (arrived, expected) = (format!("{arrived:#?}"), format!("{expected:#?}"));
    let lines = arrived.lines().zip(expected.lines()).enumerate();
    let differs = |(_, (arrived, expected)): &(usize, (&str, &str))| arrived != expected;
    let (number, (found, wanted)) = lines.clone().find(differs).unwrap_or_default();
    let before: Vec<_> = arrived.lines().skip(number.saturating_sub(30)).take(30).collect();
    panic!("{what}: after\n{}\nthere is {found} instead of {wanted}", before.join("\n"));
}
