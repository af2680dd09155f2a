//! How much of what was injected is found, how much else, and how soon.

use pdata::Timestamp;
use pdata::event::{Anomaly, LogKind, Phase};
use rand::RngExt;

use super::simulator::{DAY, Fault, HOUR, MINUTE, Shape, World, begun, kind, rng, second, watch};

/// Found, missed and false ones of a kind, and the delays in seconds.
#[derive(Clone, Debug, Default)]
struct Tally {
    hits: usize,
    missed: usize,
    wrong: usize,
    delays: Vec<f64>,
    /// The delays to the end of the bucket that decided, in windows that they were found in: without the time that
    /// buckets wait for stragglers.
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

/// Faults of every kind, forty minutes apart in each service, and three in a direction for each template: what befalls it more often within a
/// day is no news.
fn with_faults(seed: u64, hours: u64) -> World {
    let mut rng = rng(seed);
    let mut world = World::usual(4, &mut rng);
    for service in 0..world.services.len() {
        let mut from = 2 * HOUR + 20 * service as u64;
        // How often each stream had too many, and too few.
        let mut had = vec![[0; 2]; world.services[service].len()];
        for n in 0.. {
            let kind = KINDS[n % 3];
            // Of few a lack cannot be seen while it lasts.
            let least = if kind == LogKind::Burst { 0.5 } else { 2.5 };
            let fit: Vec<usize> = (0..world.services[service].len())
                .filter(|at| {
                    let stream = &world.services[service][*at];
                    had[*at][usize::from(kind == LogKind::Burst)] < 3
                        && stream.rate >= least
                        && !matches!(stream.shape, Shape::Bursty(_) | Shape::Cron(_))
                })
                .collect();
            if fit.is_empty() {
                break;
            }
            let at = fit[rng.random_range(0..fit.len())];
            had[at][usize::from(kind == LogKind::Burst)] += 1;
            let stream = Some(at);
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
            from = to + 40 * MINUTE;
        }
    }
    world
}

/// A fault is found by an anomaly of its template and direction while it lasts, or shortly after; any other anomaly of a template is wrong. A
/// template that comes a twentieth as often may be reported as silent, so drops and silences count as one direction.
fn tally(world: &World, found: &[(Timestamp, Anomaly)], tallies: &mut [Tally; 3]) {
    let begun: Vec<_> = found.iter().filter(|(_, anomaly)| anomaly.phase == Some(Phase::Begin)).collect();
    let is_up = |kind: LogKind| kind == LogKind::Burst;
    let is_about = |anomaly: &Anomaly, fault: &Fault| {
        let stream = &world.services[fault.service][fault.stream.unwrap()];
        let detail = anomaly.log.as_ref().unwrap();
        detail.template_id.as_deref() == Some(stream.id.to_string().as_str())
            && is_up(fault.kind) == is_up(kind(anomaly))
            && anomaly.time >= second(fault.from * 10)
            && anomaly.time <= second(fault.to * 10 + 120)
    };
    for (tally, of) in tallies.iter_mut().zip(KINDS) {
        for fault in world.faults.iter().filter(|fault| fault.kind == of) {
            let Some((told, hit)) = begun.iter().find(|(_, anomaly)| is_about(anomaly, fault)) else {
                tally.missed += 1;
                continue;
            };
            let delay = told.since(second(fault.from * 10)).as_secs_f64();
            tally.hits += 1;
            tally.delays.push(delay);
            let decided = hit.time.since(second(fault.from * 10)).as_secs_f64();
            tally.windows.push(decided / hit.log.as_ref().unwrap().window_seconds);
        }
        let is_wrong = |anomaly: &Anomaly| !world.faults.iter().any(|fault| is_about(anomaly, fault));
        tally.wrong += begun.iter().filter(|(_, anomaly)| kind(anomaly) == of && is_wrong(anomaly)).count();
    }
}

fn measure(seeds: std::ops::Range<u64>, hours: u64) -> ([Tally; 3], Vec<Anomaly>) {
    let mut tallies: [Tally; 3] = Default::default();
    let mut others = Vec::new();
    for seed in seeds {
        let world = with_faults(seed, hours);
        let found = world.run_timed(&mut watch(), 0, hours * HOUR, seed);
        tally(&world, &found, &mut tallies);
        let found: Vec<Anomaly> = found.into_iter().map(|(_, anomaly)| anomaly).collect();
        others.extend(begun(&found).into_iter().filter(|anomaly| !KINDS.contains(&kind(anomaly))).cloned());
    }
    (tallies, others)
}

#[test]
fn what_is_injected_is_found_soon_and_little_else() {
    let (tallies, others) = measure(1..3, 10);
    for (tally, kind) in tallies.iter().zip(KINDS) {
        assert!(tally.hits + tally.missed >= 14, "{kind:?}: {tally:?}");
        assert!(tally.precision() >= 0.9 && tally.recall() >= 0.9, "{kind:?}: {tally:?}");
        assert!(mean(&tally.windows) < 2.0, "{kind:?}: {tally:?}");
    }
    assert!(others.len() <= 20, "{others:?}");
}

#[test]
fn a_quiet_day_is_quiet() {
    let found = World::usual(3, &mut rng(7)).run(&mut watch(), 0, DAY, 7);
    let messages: Vec<&str> = begun(&found).iter().map(|anomaly| anomaly.message.as_str()).collect();
    assert!(messages.len() <= 24, "{messages:#?}");
}

#[test]
#[ignore = "prints the table for docs/benchmarks.md"]
fn table() {
    let (tallies, others) = measure(100..110, 12);
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
    others.iter().take(40).for_each(|other| println!("  {}", other.message));
    for seed in 200..204 {
        let found = World::usual(6, &mut rng(seed)).run(&mut watch(), 0, DAY, seed);
        println!("a quiet day of six services: {}", begun(&found).len());
        begun(&found).iter().for_each(|one| println!("  {} {}", one.time, one.message));
    }
}
