//! What one record costs in the data plane, per batch of [`RECORDS`]: these bound the rate of a core.

use std::hint::black_box;
use std::num::NonZeroUsize;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pdata::json::{from_json, to_json};
use pdata::proto::common::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use pdata::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use pdata::proto::resource::Resource;
use pdata::{Batch, Limits, Logs, Payload, Signal, partition_by_trace, split};
use prost::Message;

const RECORDS: usize = 1000;
const SHARDS: NonZeroUsize = NonZeroUsize::new(4).expect("four is not zero");

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

/// Records of about 300 bytes as a web service writes them.
fn batch() -> LogsData {
    let record = |i: usize| LogRecord {
        time_unix_nano: 1_700_000_000_000_000_000 + i as u64,
        observed_time_unix_nano: 1_700_000_000_000_000_500 + i as u64,
        severity_number: 9,
        severity_text: "INFO".to_owned(),
        body: Some(AnyValue {
            value: Some(Value::StringValue(format!("request {i} served in {} ms from cache node 7", i % 90))),
        }),
        attributes: vec![
            text("http.request.method", "GET"),
            text("url.path", "/api/v1/products/17"),
            attribute("http.response.status_code", Value::IntValue(200)),
            text("client.address", "10.12.7.33"),
            attribute("duration", Value::DoubleValue(0.25 + i as f64)),
            text("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64)"),
        ],
        trace_id: vec![(i % 251) as u8; 16],
        span_id: vec![(i % 241) as u8; 8],
        ..LogRecord::default()
    };
    let resource = Resource {
        attributes: vec![text("service.name", "catalogue"), text("k8s.pod.name", "catalogue-7d9f")],
        ..Resource::default()
    };
    let scope = InstrumentationScope { name: "http.server".to_owned(), ..InstrumentationScope::default() };
    LogsData {
        resource_logs: vec![ResourceLogs {
            resource: Some(resource),
            scope_logs: vec![ScopeLogs {
                scope: Some(scope),
                log_records: (0..RECORDS).map(record).collect(),
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }],
    }
}

/// Reads everything a view can show of every record.
fn walk(logs: &Logs) -> usize {
    let mut seen = 0;
    for (resource, scope, record) in logs.view().items() {
        seen += resource.service_name().len() + scope.name().len() + record.severity_text().len();
        seen += record.time().as_nanos() as usize + record.body().as_str().map_or(0, str::len);
        for (key, value) in record.attributes() {
            seen += key.len() + value.as_str().map_or(1, str::len);
        }
    }
    seen
}

fn records(criterion: &mut Criterion) {
    let message = batch();
    let bytes = Bytes::from(message.encode_to_vec());
    let logs = Logs::from_bytes(bytes.clone()).expect("the batch is valid");
    let mut group = criterion.benchmark_group("logs");
    group.throughput(Throughput::Elements(RECORDS as u64));
    group.bench_function("scan", |b| b.iter(|| LogsData::scan(black_box(&bytes))));
    group.bench_function("view_walk", |b| b.iter(|| walk(black_box(&logs))));
    group.bench_function("prost_decode", |b| b.iter(|| LogsData::decode(black_box(&bytes[..]))));
    group.bench_function("prost_encode", |b| b.iter(|| black_box(&message).encode_to_vec()));
    group.bench_function("split_in_ten", |b| b.iter(|| split(black_box(&logs), Limits::items(RECORDS / 10))));
    group.bench_function("partition_by_trace", |b| {
        b.iter(|| {
            partition_by_trace(black_box(&logs), SHARDS, |_, id| {
                usize::from(id.first().copied().unwrap_or(0))
            })
        })
    });
    group.finish();
}

/// One line of OTLP/JSON: what bounds a replay.
fn json(criterion: &mut Criterion) {
    let batch = Batch::from(Logs::from_message(batch()));
    let mut line = Vec::new();
    to_json(&batch, &mut line);
    let mut group = criterion.benchmark_group("json");
    group.throughput(Throughput::Bytes(line.len() as u64));
    group.bench_function("parse", |b| b.iter(|| from_json(Signal::Logs, black_box(&line))));
    group.bench_function("print", |b| {
        let mut out = Vec::with_capacity(line.len());
        b.iter(|| {
            out.clear();
            to_json(black_box(&batch), &mut out);
        });
    });
    group.finish();
}

criterion_group!(benches, records, json);
criterion_main!(benches);
