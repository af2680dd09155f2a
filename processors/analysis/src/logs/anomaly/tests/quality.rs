//! How much of what was injected is found, how much else, and how soon.

use pdata::event::{Anomaly, LogKind};
use rand::RngExt;

use super::simulator::{DAY, Fault, HOUR, MINUTE, Shape, World, begun, kind, rng, second, watch};

/// Found, missed and false ones of a kind, and the delays in seconds.
#[derive(Clone, Debug, Default)]
struct Tally {
    hits: usize,
    missed: usize,
    wrong: usize,
    delays: Vec<f64>,
    /// The delays in windows that they were found in.
    windows: Vec<f64>,
}

impl Tally {
    fn precision(&self) -> f64 {
        self.hits as f64 / (self.hits + self.wrong).max(1) as f64
    }

    fn recall(&self) -> f64 {
        self.hits as f64 / (self.hits + self.missed).max(1) as f64
    }
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len().max(1) as f64
}

const KINDS: [LogKind; 3] = [LogKind::Burst, LogKind::Drop, LogKind::Silence];

/// Faults of every kind, one service after the other, half an hour apart in each.
fn with_faults(seed: u64, hours: u64) -> World {
    let mut rng = rng(seed);
    let mut world = World::usual(4, &mut rng);
    for service in 0..world.services.len() {
        let mut from = 2 * HOUR + 20 * service as u64;
        for n in 0.. {
            let kind = KINDS[n % 3];
            // Few would not be missed: a rate must allow to see the fault while it lasts.
            let least = if kind == LogKind::Burst { 0.5 } else { 1.0 };
            let fit: Vec<usize> = (0..world.services[service].len())
                .filter(|at| {
                    let stream = &world.services[service][*at];
                    stream.rate >= least && !matches!(stream.shape, Shape::Bursty(_) | Shape::Cron(_))
                })
                .collect();
            let stream = Some(fit[rng.random_range(0..fit.len())]);
            let (factor, minutes) = match kind {
                LogKind::Burst => (rng.random_range(4.0..12.0), 5),
                LogKind::Drop => (rng.random_range(0.02..0.2), 10),
                _ => (0.0, 8),
            };
            let to = from + minutes * MINUTE;
            if to > hours * HOUR {
                break;
            }
            world.faults.push(Fault { kind, service, stream, from, to, factor });
            from = to + 25 * MINUTE;
        }
    }
    world
}

fn tally(world: &World, found: &[Anomaly], tallies: &mut [Tally; 3]) {
    let begun = begun(found);
    let is_about = |anomaly: &Anomaly, fault: &Fault| {
        let stream = &world.services[fault.service][fault.stream.unwrap()];
        let detail = anomaly.log.as_ref().unwrap();
        detail.template_id.as_deref() == Some(stream.id.to_string().as_str())
            && anomaly.time >= second(fault.from * 10)
            && anomaly.time <= second(fault.to * 10 + 120)
    };
    for (tally, of) in tallies.iter_mut().zip(KINDS) {
        for fault in world.faults.iter().filter(|fault| fault.kind == of) {
            let hit = begun.iter().find(|anomaly| kind(anomaly) == of && is_about(anomaly, fault));
            let Some(hit) = hit else {
                tally.missed += 1;
                continue;
            };
            let delay = hit.time.since(second(fault.from * 10)).as_secs_f64();
            tally.hits += 1;
            tally.delays.push(delay);
            tally.windows.push(delay / hit.log.as_ref().unwrap().window_seconds);
        }
        let wrong = begun.iter().filter(|anomaly| {
            kind(anomaly) == of
                && !world.faults.iter().any(|fault| fault.kind == of && is_about(anomaly, fault))
        });
        tally.wrong += wrong.count();
    }
}

fn measure(seeds: std::ops::Range<u64>, hours: u64) -> ([Tally; 3], Vec<Anomaly>) {
    let mut tallies: [Tally; 3] = Default::default();
    let mut others = Vec::new();
    for seed in seeds {
        let world = with_faults(seed, hours);
        let found = world.run(&mut watch(), 0, hours * HOUR, seed);
        tally(&world, &found, &mut tallies);
        others.extend(begun(&found).into_iter().filter(|anomaly| !KINDS.contains(&kind(anomaly))).cloned());
    }
    (tallies, others)
}

#[test]
#[ignore = "prints the table for docs/benchmarks.md"]
fn table() {
    let (tallies, others) = measure(100..105, 24);
    println!("kind        faults  precision  recall  mean delay  in windows");
    for (tally, kind) in tallies.iter().zip(KINDS) {
        println!(
            "{:10}  {:6}  {:9.3}  {:6.3}  {:8.0} s  {:10.2}",
            kind.name(),
            tally.hits + tally.missed,
            tally.precision(),
            tally.recall(),
            mean(&tally.delays),
            mean(&tally.windows)
        );
    }
    println!("others: {}", others.len());
    for other in &others {
        println!("  {}", other.message);
    }
    for seed in 200..204 {
        let found = World::usual(6, &mut rng(seed)).run(&mut watch(), 0, DAY, seed);
        println!("a quiet day of six services: {}", begun(&found).len());
        begun(&found).iter().for_each(|one| println!("  {} {}", one.time, one.message));
    }
}
