//! What reading log messages costs: one that is known, one that is new, one that goes into a cluster.

use std::hint::black_box;

use analysis::logs::TemplateId;
use analysis::logs::classify::{Classifier, Line, Parameters, Severity};
use analysis::logs::cluster::{Builtin, Clusters, Embedder};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const MESSAGES: &str = include_str!("../testdata/log_classes.heldout.tsv");

fn messages() -> Vec<&'static str> {
    let lines = MESSAGES.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.rsplit('\t').next()).collect()
}

fn line(body: &str) -> Line<'_> {
    Line { template: None, body, severity: Severity::Unknown, parameters: Parameters::default() }
}

/// Reading a message: what bounds the rate of the processor beside decoding and encoding records.
fn read(criterion: &mut Criterion) {
    let messages = messages();
    let mut group = criterion.benchmark_group("classify/read");
    group.throughput(Throughput::Elements(messages.len() as u64));
    let mut known = Classifier::new(10_000);
    let pass = |classifier: &mut Classifier| {
        for message in &messages {
            black_box(classifier.read(&line(message)));
        }
    };
    pass(&mut known);
    group.bench_function("known", |bencher| bencher.iter(|| pass(&mut known)));
    // One entry: every message has been forgotten when it comes again.
    let mut new = Classifier::new(1);
    group.bench_function("new", |bencher| bencher.iter(|| pass(&mut new)));
    group.finish();
}

/// Embedding a template, and finding its cluster among ten thousand.
fn cluster(criterion: &mut Criterion) {
    let messages = messages();
    let mut group = criterion.benchmark_group("classify/cluster");
    group.throughput(Throughput::Elements(messages.len() as u64));
    let mut embedder = Builtin::default();
    group.bench_function("embed", |bencher| {
        bencher.iter(|| {
            messages
                .iter()
                .map(|message| embedder.embed(message).map_or(0, |vector| vector.len()))
                .sum::<usize>()
        });
    });
    group.throughput(Throughput::Elements(1));
    let mut clusters = Clusters::new(Box::new(Builtin::default()), Some(1.0), 10_000);
    let mut n = 0_u64;
    let mut assign = || {
        n += 1;
        let text =
            format!("stage {} of {}", TemplateId::of(&n.to_string()), messages[n as usize % messages.len()]);
        clusters.assign(TemplateId::of(&text), &text, Default::default()).is_ok()
    };
    (0..10_000).for_each(|_| assert!(assign()));
    group.bench_function("assign among 10000", |bencher| bencher.iter(&mut assign));
    group.finish();
}

criterion_group!(benches, read, cluster);
criterion_main!(benches);
