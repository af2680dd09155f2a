//! Reading files: what bounds the rate of lines per core.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use component::{Ack, Context, Ingress, Intake, Kind, ShutdownTrigger};
use config::Section;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pdata::{Batch, SignalSet};
use receivers::filelog;
use serde_json::{Value, json};
use tokio::sync::Notify;

const N_LINES: usize = 500_000;

/// Takes everything at once, and says when it has it all.
struct Count {
    items: AtomicUsize,
    target: usize,
    complete: Notify,
}

#[async_trait]
impl Intake for Count {
    async fn push(&self, batch: Batch, ack: Ack) {
        let before = self.items.fetch_add(batch.items(), Ordering::AcqRel);
        ack.done();
        if before + batch.items() >= self.target {
            self.complete.notify_one();
        }
    }

    fn wanted(&self) -> SignalSet {
        SignalSet::ALL
    }
}

/// From the first byte of the file to the last acknowledgement.
async fn read(settings: &Value, target: usize) {
    let context = Context::detached(Kind::Receiver, "filelog");
    let section = Section::from_json("filelog", settings);
    let mut receiver = (filelog::FACTORY.create)(&section, &context).expect("the configuration is valid");
    let count = Arc::new(Count { items: AtomicUsize::new(0), target, complete: Notify::new() });
    let intake: Arc<dyn Intake> = Arc::<Count>::clone(&count);
    let ingress = Ingress::new("filelog", intake, context.admission.clone(), &context.telemetry);
    let shutdown = ShutdownTrigger::default();
    receiver.start().await.expect("it starts");
    let running = tokio::spawn(receiver.run(ingress, shutdown.listener()));
    count.complete.notified().await;
    shutdown.trigger();
    running.await.expect("it does not panic").expect("it ends well");
}

/// A file of `N_LINES` lines, one file after the other: plain lines, which become OTLP without being looked at, and lines
/// that go through operators.
fn read_file(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("app.log");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path).expect("a file"));
    for n in 0..N_LINES {
        let line =
            json!({"time": "2026-01-02T03:04:05.678Z", "level": "info", "msg": "order placed", "order": n});
        writeln!(file, "{line}").expect("the file can be written");
    }
    file.flush().expect("the file can be written");
    let mut group = criterion.benchmark_group("filelog/read_file");
    group.throughput(Throughput::Elements(N_LINES as u64)).sample_size(10);
    for (name, operators) in [
        ("plain", json!([])),
        ("json_parser", json!([{"type": "json_parser", "severity": {"parse_from": "attributes.level"}}])),
    ] {
        let settings = json!({"include": [&path], "start_at": "beginning", "operators": operators});
        group.bench_function(name, |bencher| bencher.iter(|| runtime.block_on(read(&settings, N_LINES))));
    }
    group.finish();
}

criterion_group!(benches, read_file);
criterion_main!(benches);
