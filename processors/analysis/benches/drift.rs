//! What it costs to notice that something has changed: one value each.

use std::hint::black_box;

use analysis::drift::{Adwin, PageHinkley};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Values that do not change, so that windows and tails are as full as they get.
fn values() -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    (0..100_000).map(|_| -(1.0 - rng.random::<f64>()).ln() / 4.0).collect()
}

fn observe(criterion: &mut Criterion, name: &str, mut observe: impl FnMut(f64) -> bool) {
    let values = values();
    values.iter().for_each(|value| _ = observe(*value));
    let mut next = values.iter().cycle();
    let mut group = criterion.benchmark_group("drift");
    group.throughput(Throughput::Elements(1));
    group.bench_function(name, |bencher| {
        bencher.iter(|| black_box(observe(next.next().copied().unwrap_or_default())));
    });
    group.finish();
}

fn all(criterion: &mut Criterion) {
    let mut adwin = Adwin::default();
    observe(criterion, "adwin", |value| adwin.observe(value));
    let mut test = PageHinkley::new(0.005, 50.0);
    observe(criterion, "page_hinkley", |value| test.observe(value).is_some());
}

criterion_group!(benches, all);
criterion_main!(benches);
