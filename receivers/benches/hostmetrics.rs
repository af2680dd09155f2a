//! What one reading of the machine that runs this costs, scraper by scraper and all together: with the collection interval
//! it is the share of a core that `hostmetrics` takes.
//!
//! `process` reads several files of every process, so its cost and that of `all` grow with their number.

use component::{Clock, Context, Kind};
use config::Section;
use criterion::{Criterion, criterion_group, criterion_main};
use receivers::hostmetrics::HostMetrics;
use serde_json::{Map, Value, json};

const SCRAPERS: [&str; 10] =
    ["cpu", "disk", "filesystem", "load", "memory", "network", "paging", "process", "processes", "system"];

fn receiver(scrapers: &[&str]) -> HostMetrics {
    let settings = |name: &&str| {
        let settings =
            if *name == "process" { json!({"mute_process_all_errors": true}) } else { Value::Null };
        ((*name).to_owned(), settings)
    };
    let scrapers: Map<_, _> = scrapers.iter().map(settings).collect();
    let section = Section::from_json("hostmetrics", &json!({"scrapers": scrapers}));
    let context = Context { clock: Clock::system(), ..Context::detached(Kind::Receiver, "hostmetrics") };
    let config = section.parse().expect("a valid configuration");
    HostMetrics::new(&config, &context).expect("a Linux machine")
}

fn read(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let mut group = criterion.benchmark_group("hostmetrics/read");
    let alone = SCRAPERS.map(|name| (name, vec![name]));
    for (name, scrapers) in alone.into_iter().chain([("all", SCRAPERS.to_vec())]) {
        let mut receiver = receiver(&scrapers);
        group.bench_function(name, |bencher| {
            bencher.iter(|| runtime.block_on(receiver.read()).expect("the machine can be read"));
        });
    }
    group.finish();
}

criterion_group!(benches, read);
criterion_main!(benches);
