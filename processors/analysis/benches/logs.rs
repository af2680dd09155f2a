//! What a log line costs: taking it apart, and finding its template; beside two crates that do the second.

use std::fmt::Write;
use std::hint::black_box;

use analysis::logs::Miner;
use analysis::logs::mask::Masker;
use analysis::logs::miner::Settings;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How many lines a pass has.
const LINES: usize = 20_000;

/// Lines of a dozen kinds, with many values in them.
fn lines() -> Vec<String> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut number = |below: u64| rng.random::<u64>() % below;
    let mut all = Vec::with_capacity(LINES);
    for _ in 0..LINES {
        let (id, ms, port) = (number(1 << 50), number(900), 1024 + number(60_000));
        let ip = format!("10.{}.{}.{}", number(256), number(256), number(256));
        let mut line =
            format!("2024-05-01T10:{:02}:{:02}.{:03}Z INFO ", number(60), number(60), number(1000));
        let written = match number(12) {
            0 => write!(line, "store.Writer: receiving block blk_{id} src: /{ip}:{port} dest: /{ip}:50010"),
            1 => write!(line, "store.Writer: block blk_-{id} of size {port} stored on {ip}:50010"),
            2 => write!(line, "http.Server: GET /api/v1/carts/{id}/items status=200 took {ms}ms peer={ip}"),
            3 => write!(
                line,
                "http.Server: POST https://shop.example.com/checkout?order={id} status=503 took {ms}ms"
            ),
            4 => write!(line, "auth: accepted session {id:016x} of user u{port} from {ip} port {port}"),
            5 => write!(line, "queue.Consumer: partition orders-{} offset {id} lag {ms}", number(64)),
            6 => write!(
                line,
                "db.Pool: connection to db-{}.prod.example.com:5432 failed after {ms} ms",
                number(9)
            ),
            7 => write!(
                line,
                "cache: evicted {ms} entries ({}.{} MB) in {}us",
                number(90),
                number(9),
                number(999)
            ),
            8 => write!(
                line,
                "worker-{}: finished task {id} in stage {} (attempt {})",
                number(99),
                number(9),
                number(3)
            ),
            9 => write!(line, "gc: pause {ms}ms heap {}MiB -> {}MiB", number(4000), number(4000)),
            10 => write!(
                line,
                "scheduler: pod checkout-{:08x}-{:05x} bound to node-{}",
                number(1 << 32),
                number(1 << 20),
                number(40)
            ),
            _ => write!(line, "config: reload of /etc/shop/conf.d/{port}.yaml done, password=s{id}"),
        };
        assert!(written.is_ok());
        all.push(line);
    }
    all
}

/// Taking lines apart with their secrets out: what bounds everything after it.
fn mask(criterion: &mut Criterion) {
    let lines = lines();
    let mut group = criterion.benchmark_group("logs/mask");
    group.throughput(Throughput::Elements(LINES as u64)).sample_size(20);
    let mut masker = Masker::default();
    group.bench_function("lines", |bencher| {
        bencher.iter(|| lines.iter().map(|line| masker.mask(line).parts.len()).sum::<usize>());
    });
    group.finish();
}

/// Lines to templates, with a new miner for each pass: ours with masks and redaction, the others with their masks.
fn learn(criterion: &mut Criterion) {
    let lines = lines();
    let mut group = criterion.benchmark_group("logs/learn");
    group.throughput(Throughput::Elements(LINES as u64)).sample_size(20);
    group.bench_function("watchfire", |bencher| {
        let mut masker = Masker::default();
        bencher.iter_batched(
            || Miner::new(Settings::default()),
            |mut miner| {
                lines.iter().for_each(|line| {
                    black_box(miner.learn(&masker.mask(line)));
                });
                miner
            },
            BatchSize::PerIteration,
        );
    });
    group.bench_function("logdrain", |bencher| {
        bencher.iter_batched(
            || logdrain::Miner::builder().masks(logdrain_masks()).build(),
            |miner| {
                if let Ok(miner) = &miner {
                    lines.iter().for_each(|line| {
                        black_box(miner.add(line));
                    });
                }
                miner
            },
            BatchSize::PerIteration,
        );
    });
    group.bench_function("drain3", |bencher| {
        bencher.iter(|| {
            black_box(drain3::train(&lines, drain3_config()).map(|matcher| matcher.templates().len()))
        });
    });
    group.finish();
}

/// What that crate has built in, without those for secrets.
fn logdrain_masks() -> [logdrain::Mask; 4] {
    use logdrain::builtin_masks::{email, hex32, ipv4, uuid};
    [uuid(), hex32(), email(), ipv4()]
}

/// Addresses, hexadecimal numbers and numbers.
fn drain3_config() -> drain3::Config {
    let mask =
        |pattern: &str, mask: &str| drain3::MaskingInstruction { pattern: pattern.into(), mask: mask.into() };
    drain3::Config::builder()
        .masking(vec![
            mask(r"\b\d{1,3}(\.\d{1,3}){3}\b", "<IP>"),
            mask(r"\b0x[0-9a-fA-F]+\b", "<HEX>"),
            mask(r"\d+", "<NUM>"),
        ])
        .build()
}

criterion_group!(benches, mask, learn);
criterion_main!(benches);
