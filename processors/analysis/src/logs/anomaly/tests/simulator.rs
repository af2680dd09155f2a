//! Services that log as services do, with faults of which the truth is known.

use pdata::Timestamp;
use pdata::event::{Anomaly, LogKind, Phase};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::logs::anomaly::{Key, LogWatch, Record, Settings};
use crate::logs::classify::ClassSet;
use crate::logs::template::TemplateId;

pub(super) const START: u64 = 1_700_000_000;
pub(super) const MINUTE: u64 = 6;
pub(super) const HOUR: u64 = 360;
pub(super) const DAY: u64 = 8640;

/// How a template comes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shape {
    /// A Poisson process.
    Steady,
    /// With the dispersion of each bucket.
    Dispersed(f64),
    /// With the time of day, by this share up and down.
    Diurnal(f64),
    /// So many at once, now and then.
    Bursty(f64),
    /// So many at once, every so many buckets.
    Cron(u64),
}

/// A template of a service.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) text: String,
    pub(super) id: TemplateId,
    pub(super) severity: i32,
    pub(super) classes: ClassSet,
    /// How many come in a bucket.
    pub(super) rate: f64,
    pub(super) shape: Shape,
    /// The first bucket in which it can come.
    pub(super) from: u64,
    /// And from which on it comes no more.
    pub(super) until: u64,
}

impl Stream {
    pub(super) fn new(text: &str, rate: f64, shape: Shape) -> Self {
        Self {
            text: text.to_owned(),
            id: TemplateId::of(text),
            severity: 9,
            classes: ClassSet::EMPTY,
            rate,
            shape,
            from: 0,
            until: u64::MAX,
        }
    }
}

/// From bucket `from` up to `to` a template, or all of a service, comes `factor` times as often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fault {
    pub(super) kind: LogKind,
    pub(super) service: usize,
    pub(super) stream: Option<usize>,
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) factor: f64,
}

/// Services and what befalls them.
#[derive(Clone, Debug, Default)]
pub(super) struct World {
    pub(super) services: Vec<Vec<Stream>>,
    pub(super) faults: Vec<Fault>,
    /// How far the traffic of a service wanders.
    pub(super) wander: f64,
}

impl World {
    /// So many services of a dozen templates of every shape.
    pub(super) fn usual(n: usize, rng: &mut ChaCha8Rng) -> Self {
        let services = (0..n).map(|service| usual_service(service, rng)).collect();
        Self { services, faults: Vec::new(), wander: 0.15 }
    }

    /// Lets `watch` see the buckets `from..to`; returns what it finds.
    pub(super) fn run(&self, watch: &mut LogWatch, from: u64, to: u64, seed: u64) -> Vec<Anomaly> {
        self.run_timed(watch, from, to, seed).into_iter().map(|(_, anomaly)| anomaly).collect()
    }

    /// The same with the times at which it says so: later than what it says, since data may come late.
    pub(super) fn run_timed(
        &self,
        watch: &mut LogWatch,
        from: u64,
        to: u64,
        seed: u64,
    ) -> Vec<(Timestamp, Anomaly)> {
        let mut found = Vec::new();
        let mut traffic = vec![0.0; self.services.len()];
        for bucket in from..to {
            // Each bucket has its own numbers, so that a run can be cut in two anywhere.
            let mut rng = ChaCha8Rng::seed_from_u64(seed ^ (bucket << 20));
            for (service, streams) in self.services.iter().enumerate() {
                let slow =
                    ChaCha8Rng::seed_from_u64(seed ^ ((bucket / 30) << 24) ^ service as u64).random::<f64>();
                traffic[service] = 0.97 * traffic[service] + 0.03 * (2.0 * slow - 1.0) * 3.0 * self.wander;
                let traffic = f64::exp(traffic[service]);
                for (at, stream) in streams.iter().enumerate() {
                    let count = self.draw(service, at, stream, bucket, traffic, &mut rng);
                    observe(watch, service, stream, bucket, count, &mut rng);
                }
            }
            let now = second(bucket * 10 + 10);
            found.extend(watch.tick(now).into_iter().map(|anomaly| (now, anomaly)));
        }
        found
    }

    fn draw(
        &self,
        service: usize,
        at: usize,
        stream: &Stream,
        bucket: u64,
        traffic: f64,
        rng: &mut ChaCha8Rng,
    ) -> u64 {
        if !(stream.from..stream.until).contains(&bucket) {
            return 0;
        }
        let is_on = |fault: &&Fault| {
            fault.service == service
                && fault.stream.is_none_or(|stream| stream == at)
                && (fault.from..fault.to).contains(&bucket)
        };
        let factor: f64 = self.faults.iter().filter(is_on).map(|fault| fault.factor).product();
        let phase = std::f64::consts::TAU * (bucket as f64 / DAY as f64 + service as f64 * 0.13);
        match stream.shape {
            Shape::Steady => poisson(stream.rate * traffic * factor, rng),
            Shape::Diurnal(share) => {
                poisson(stream.rate * (1.0 + share * phase.sin()) * traffic * factor, rng)
            }
            Shape::Dispersed(d) => poisson(stream.rate * traffic * factor * gamma(1.0 / d, rng) * d, rng),
            Shape::Bursty(size) => {
                let starts = rng.random::<f64>() < stream.rate / size;
                if starts { poisson(size, rng) } else { 0 }
            }
            Shape::Cron(period) if bucket % period == service as u64 % period => {
                poisson(stream.rate, rng).max(1)
            }
            Shape::Cron(_) => 0,
        }
    }
}

/// Shows `count` records of a bucket.
fn observe(
    watch: &mut LogWatch,
    service: usize,
    stream: &Stream,
    bucket: u64,
    count: u64,
    rng: &mut ChaCha8Rng,
) {
    for _ in 0..count {
        let nanos = rng.random_range(0..10_000_000_000u64);
        let time = Timestamp::from_nanos((START + bucket * 10) * 1_000_000_000 + nanos);
        let template = Some((stream.id, stream.text.as_str()));
        let record = Record { time, severity: stream.severity, classes: stream.classes, template };
        watch.observe(key(service), &record, || stream.text.as_str());
    }
}

/// The service of this number.
pub(super) fn key(service: usize) -> Key<'static> {
    const NAMES: [&str; 6] = ["cart", "checkout", "payment", "search", "catalog", "shipping"];
    Key { identity: service as u64 + 1, name: NAMES[service % NAMES.len()] }
}

pub(super) fn second(second: u64) -> Timestamp {
    Timestamp::from_secs(START + second)
}

pub(super) fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// What began.
pub(super) fn begun(found: &[Anomaly]) -> Vec<&Anomaly> {
    found.iter().filter(|anomaly| anomaly.phase == Some(Phase::Begin)).collect()
}

pub(super) fn kind(anomaly: &Anomaly) -> LogKind {
    anomaly.log.as_ref().unwrap().kind
}

pub(super) fn watch() -> LogWatch {
    LogWatch::new(Settings::default())
}

fn usual_service(service: usize, rng: &mut ChaCha8Rng) -> Vec<Stream> {
    let between = |rng: &mut ChaCha8Rng, low: f64, high: f64| low * (high / low).powf(rng.random::<f64>());
    let mut streams = Vec::new();
    let mut add = |name: &str, rate: f64, shape: Shape, severity: i32| {
        let stream = Stream::new(&format!("service {service} {name} <*>"), rate, shape);
        streams.push(Stream { severity, ..stream });
    };
    for name in ["served", "asked", "stored"] {
        add(name, between(rng, 1.0, 15.0), Shape::Diurnal(0.6), 9);
    }
    for name in ["looked", "found"] {
        add(name, between(rng, 0.5, 8.0), Shape::Steady, 9);
    }
    for name in ["cached", "queued"] {
        add(name, between(rng, 1.0, 8.0), Shape::Dispersed(0.2), 9);
    }
    add("retried", between(rng, 0.05, 0.3), Shape::Steady, 13);
    add("gave up", between(rng, 0.01, 0.05), Shape::Steady, 17);
    add("compacted", between(rng, 0.2, 1.0), Shape::Bursty(25.0), 9);
    add("pinged", 1.0, Shape::Cron(6), 9);
    add("reported", 30.0, Shape::Cron(30 * (1 + service as u64 % 3)), 9);
    add("cleaned", 60.0, Shape::Cron(HOUR), 9);
    streams
}

fn poisson(mut mean: f64, rng: &mut ChaCha8Rng) -> u64 {
    let mut count = 0;
    while mean > 0.0 {
        let part = mean.min(30.0);
        mean -= part;
        let (limit, mut product) = ((-part).exp(), rng.random::<f64>());
        while product > limit {
            count += 1;
            product *= rng.random::<f64>();
        }
    }
    count
}

/// Marsaglia and Tsang, ACM TOMS 26 (2000).
fn gamma(shape: f64, rng: &mut ChaCha8Rng) -> f64 {
    let d = shape.max(1.0) - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let (u, v): (f64, f64) = (rng.random::<f64>().max(1e-12), rng.random());
        let x = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
        let cube = (1.0 + c * x).powi(3);
        let is_taken = cube > 0.0 && rng.random::<f64>().ln() < 0.5 * x * x + d * (1.0 - cube + cube.ln());
        if is_taken {
            let boost = if shape < 1.0 { rng.random::<f64>().powf(1.0 / shape) } else { 1.0 };
            return d * cube * boost;
        }
    }
}

/// What an operator was told, with the second.
pub(super) fn told(found: &[Anomaly]) -> Vec<String> {
    let line = |one: &Anomaly| {
        format!("{} {:?} {}", one.time.as_nanos() / 1_000_000_000 - START, one.phase, one.message)
    };
    found.iter().map(line).collect()
}
