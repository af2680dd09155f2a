//! A simulated day: services with series of ten kinds, a point a minute, and faults if they are wanted.
//!
//! Every parameter is drawn from the seed. Nothing here is wrong by itself: what a detector reports of a day without faults is false.

use pdata::proto::common::{AnyValue, KeyValue, any_value::Value};
use pdata::proto::metrics::{
    AggregationTemporality, Gauge, Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
    metric::Data, number_data_point,
};
use pdata::proto::resource::Resource;
use pdata::{Metrics, Timestamp};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// When the day begins: midnight, UTC.
pub(crate) const START: u64 = 1_700_006_400;
const MINUTES_OF_DAY: f64 = 1440.0;

/// Something that happens to some series of one service.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// Which service.
    pub(crate) service: usize,
    /// Which of its series.
    pub(crate) series: Vec<usize>,
    /// Its first minute.
    pub(crate) from: u64,
    /// The minute after its last.
    pub(crate) until: u64,
    /// What happens to them.
    pub(crate) shape: Shape,
    /// How bad it is, in usual deviations of the series from what is usual at the time.
    pub(crate) size: f64,
}

/// What a fault does to a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shape {
    /// Up by its size, all the time.
    Shift,
    /// Down by its size.
    Fall,
    /// Rises to its size by the end.
    Ramp,
    /// Up by its size in every other minute.
    Flicker,
}

impl Shape {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Shift, Self::Fall, Self::Ramp, Self::Flicker];
}

impl Fault {
    /// What is added to a series in this minute, in its usual deviations.
    fn offset(&self, minute: u64) -> f64 {
        if !(self.from..self.until).contains(&minute) {
            return 0.0;
        }
        let share = (minute - self.from + 1) as f64 / (self.until - self.from) as f64;
        match self.shape {
            Shape::Shift => self.size,
            Shape::Fall => -self.size,
            Shape::Ramp => self.size * share,
            Shape::Flicker => self.size * ((minute - self.from + 1) % 2) as f64,
        }
    }
}

/// What a series is like.
#[derive(Clone, Debug)]
enum Kind {
    /// Normal noise around a day's rhythm.
    Gauge { season: f64, noise: f64 },
    /// A high quantile: log-normal, with an outlier now and then.
    Latency { sigma: f64, load: f64 },
    /// What it is depends on what it was.
    Inertia { memory: f64, state: f64 },
    /// Things that happened in the minute.
    Count { mean: f64 },
    /// A running total of such things, which begins anew when its process does.
    Total { mean: f64, total: f64, since: u64, restart: f64 },
    /// Nothing, most of the time.
    Bursts { begin: f64, go_on: f64, on: bool },
    /// Wanders between two ends.
    Walk { step: f64, at: f64 },
    /// Stays at one of a few levels for a while.
    Levels { levels: Vec<f64>, at: usize, leave: f64 },
    /// Hardly ever changes.
    Constant { change: f64, at: f64 },
    /// Fills up and is emptied.
    Sawtooth { period: f64, at: f64 },
    /// A job at the same minute of each hour.
    Hourly { minute: u64, length: u64, height: f64 },
}

const KINDS: usize = 11;

impl Kind {
    fn draw(which: usize, random: &mut ChaCha8Rng) -> Self {
        let mut between = |low: f64, high: f64| low + (high - low) * random.random::<f64>();
        match which {
            0 => Self::Gauge { season: between(0.0, 0.5), noise: between(0.02, 0.2) },
            1 => Self::Latency { sigma: between(0.15, 0.6), load: between(0.0, 0.7) },
            2 => Self::Inertia { memory: between(0.8, 0.98), state: 0.0 },
            3 => Self::Count { mean: 10f64.powf(between(-1.5, 2.5)) },
            4 => Self::Total {
                mean: 10f64.powf(between(-0.5, 4.0)),
                total: 0.0,
                since: 0,
                restart: 1.0 / between(400.0, 2000.0),
            },
            5 => Self::Bursts {
                begin: 1.0 / between(60.0, 400.0),
                go_on: 1.0 - 1.0 / between(1.0, 5.0),
                on: false,
            },
            6 => Self::Walk { step: between(0.002, 0.03), at: 0.5 },
            7 => {
                let levels = (0..between(3.0, 6.0) as usize).map(|_| between(0.1, 1.0)).collect();
                Self::Levels { levels, at: 0, leave: 1.0 / between(30.0, 300.0) }
            }
            8 => Self::Constant { change: 1.0 / between(500.0, 10_000.0), at: 1.0 },
            9 => Self::Sawtooth { period: between(20.0, 300.0), at: 0.0 },
            _ => Self::Hourly {
                minute: between(0.0, 60.0) as u64,
                length: between(1.0, 4.0) as u64,
                height: between(2.0, 8.0),
            },
        }
    }

    /// What it is called.
    const fn name(&self) -> &'static str {
        match self {
            Self::Gauge { .. } => "gauge",
            Self::Latency { .. } => "latency",
            Self::Inertia { .. } => "inertia",
            Self::Count { .. } => "count",
            Self::Total { .. } => "total",
            Self::Bursts { .. } => "bursts",
            Self::Walk { .. } => "walk",
            Self::Levels { .. } => "levels",
            Self::Constant { .. } => "constant",
            Self::Sawtooth { .. } => "sawtooth",
            Self::Hourly { .. } => "hourly",
        }
    }

    /// The usual size of what is left when what is known of it is taken away, around a usual value of about 1.
    fn deviation(&self) -> f64 {
        match self {
            Self::Gauge { noise, .. } => *noise,
            Self::Latency { sigma, .. } => *sigma,
            Self::Inertia { .. } | Self::Hourly { .. } | Self::Sawtooth { .. } => 0.1,
            Self::Count { mean } | Self::Total { mean, .. } => mean.max(1.0).sqrt(),
            Self::Bursts { .. } => 1.0,
            Self::Walk { step, .. } => 5.0 * step,
            Self::Levels { .. } | Self::Constant { .. } => 0.05,
        }
    }

    /// The value of a minute at this load; `offset` is what a fault adds.
    fn next(&mut self, minute: u64, load: f64, offset: f64, random: &mut ChaCha8Rng) -> f64 {
        let added = offset * self.deviation();
        match self {
            Self::Gauge { season, noise } => 1.0 + *season * (load - 1.0) + *noise * normal(random) + added,
            Self::Latency { sigma, load: by_load } => {
                let outlier = if random.random_bool(0.002) { 1.0 + 2.0 * exponential(random) } else { 1.0 };
                (*by_load * (load - 1.0) + *sigma * normal(random) + added).exp() * outlier
            }
            Self::Inertia { memory, state } => {
                *state = *memory * *state + (1.0 - *memory * *memory).sqrt() * normal(random);
                1.0 + 0.1 * *state + added
            }
            Self::Count { mean } => poisson((*mean * load + added).max(0.0), random),
            Self::Total { mean, total, since, restart } => {
                if random.random_bool(*restart) {
                    (*total, *since) = (0.0, minute);
                }
                *total += poisson((*mean * load + added).max(0.0), random);
                *total
            }
            Self::Bursts { begin, go_on, on } => {
                *on = random.random_bool(if *on { *go_on } else { *begin });
                added.max(0.0) + if *on { (1.0 + 3.0 * exponential(random)).round() } else { 0.0 }
            }
            Self::Walk { step, at } => {
                *at += *step * normal(random);
                *at = if *at < 0.1 { 0.2 - *at } else { *at };
                *at = if *at > 1.0 { 2.0 - *at } else { *at };
                *at + added
            }
            Self::Levels { levels, at, leave } => {
                if random.random_bool(*leave) {
                    *at = random.random_range(0..levels.len());
                }
                levels[*at] + 0.005 * normal(random) + added
            }
            Self::Constant { change, at } => {
                if random.random_bool(*change) {
                    *at *= if random.random_bool(0.5) { 1.1 } else { 1.0 / 1.1 };
                }
                *at + added
            }
            Self::Sawtooth { period, at } => {
                *at = if *at >= 1.0 { 0.0 } else { *at + (1.0 + 0.2 * normal(random)) / *period };
                0.4 + 0.6 * *at + 0.01 * normal(random) + added
            }
            Self::Hourly { minute: when, length, height } => {
                let runs = (minute + 60 - *when) % 60 < *length;
                (if runs { *height } else { 1.0 }) * (1.0 + 0.1 * normal(random)) + added
            }
        }
    }
}

struct Series {
    kind: Kind,
    name: String,
    unit: f64,
}

struct Service {
    name: String,
    series: Vec<Series>,
    /// How much the day's rhythm makes of its load, when it is highest, and what else moves it.
    swing: f64,
    peak: f64,
    mood: f64,
    random: ChaCha8Rng,
}

/// Services and their series.
pub(crate) struct Day {
    services: Vec<Service>,
    faults: Vec<Fault>,
}

impl Day {
    /// A day of so many services with so many series each.
    pub(crate) fn new(services: usize, series: usize, seed: u64) -> Self {
        let service = |n: usize| {
            let mut random = ChaCha8Rng::seed_from_u64(seed * 10_000 + n as u64);
            let one = |m: usize| {
                let kind = Kind::draw(random.random_range(0..KINDS), &mut random);
                let name = format!("{}.{m}", kind.name());
                // Counts are whole numbers.
                let unit = if kind.deviation() >= 1.0 || matches!(kind, Kind::Count { .. }) {
                    1.0
                } else {
                    10f64.powf(random.random_range(-2.0..6.0))
                };
                Series { kind, name, unit }
            };
            Service {
                name: format!("service-{n}"),
                series: (0..series).map(one).collect(),
                swing: random.random_range(0.0..0.6),
                peak: random.random_range(0.0..MINUTES_OF_DAY),
                mood: 0.0,
                random,
            }
        };
        Self { services: (0..services).map(service).collect(), faults: Vec::new() }
    }

    /// The same with `count` faults of these shapes in turn, no two in one service within an hour. None is in the first six hours.
    #[must_use]
    pub(crate) fn with_faults(mut self, count: usize, size: f64, shapes: &[Shape], seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0xfa);
        while self.faults.len() < count {
            let from = random.random_range(360..1380);
            let service = random.random_range(0..self.services.len());
            if self.faults.iter().any(|one| one.service == service && one.from.abs_diff(from) < 60) {
                continue;
            }
            let series = self.services[service].series.len();
            let hit = [1, 1, 3, 6][random.random_range(0..4)];
            let series = (0..hit).map(|_| random.random_range(0..series)).collect();
            let shape = shapes[self.faults.len() % shapes.len()];
            let until = from + random.random_range(8..30);
            self.faults.push(Fault { service, series, from, until, shape, size });
        }
        self
    }

    /// What goes wrong.
    pub(crate) fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// What a service's series is called.
    pub(crate) fn name(&self, service: usize, series: usize) -> &str {
        &self.services[service].series[series].name
    }

    /// The time of a minute.
    pub(crate) fn at(minute: u64) -> Timestamp {
        Timestamp::from_secs(START + minute * 60)
    }

    /// What all services send in this minute, to be asked for in order.
    pub(crate) fn minute(&mut self, minute: u64) -> Metrics {
        let faults = &self.faults;
        let groups = self.services.iter_mut().enumerate().map(|(n, service)| {
            service.mood = 0.98 * service.mood + 0.03 * normal(&mut service.random);
            let phase = (minute as f64 - service.peak) / MINUTES_OF_DAY * std::f64::consts::TAU;
            let load = (1.0 + service.swing * phase.cos() + service.mood).max(0.05);
            let random = &mut service.random;
            let metrics = service.series.iter_mut().enumerate().map(|(m, series)| {
                let hit = faults.iter().filter(|fault| fault.service == n && fault.series.contains(&m));
                let offset: f64 = hit.map(|fault| fault.offset(minute)).sum();
                let value = series.kind.next(minute, load, offset, random) * series.unit;
                series.metric(minute, value)
            });
            let scope = ScopeMetrics { metrics: metrics.collect(), ..ScopeMetrics::default() };
            ResourceMetrics {
                resource: Some(resource(&service.name)),
                scope_metrics: vec![scope],
                ..ResourceMetrics::default()
            }
        });
        Metrics::from_message(MetricsData { resource_metrics: groups.collect() })
    }
}

impl Series {
    fn metric(&self, minute: u64, value: f64) -> Metric {
        let mut point = NumberDataPoint {
            time_unix_nano: Day::at(minute).as_nanos(),
            value: Some(number_data_point::Value::AsDouble(value)),
            ..NumberDataPoint::default()
        };
        let data = if let Kind::Total { since, .. } = self.kind {
            point.start_time_unix_nano = (START + since * 60 - 30) * 1_000_000_000;
            Data::Sum(Sum {
                data_points: vec![point],
                aggregation_temporality: AggregationTemporality::Cumulative as i32,
                is_monotonic: true,
            })
        } else {
            Data::Gauge(Gauge { data_points: vec![point] })
        };
        Metric { name: self.name.clone(), data: Some(data), ..Metric::default() }
    }
}

fn resource(service: &str) -> Resource {
    let value = Some(AnyValue { value: Some(Value::StringValue(service.to_owned())) });
    let name = KeyValue { key: "service.name".to_owned(), value, ..KeyValue::default() };
    Resource { attributes: vec![name], ..Resource::default() }
}

fn normal(random: &mut impl Rng) -> f64 {
    let radius = (2.0 * exponential(random)).sqrt();
    radius * (std::f64::consts::TAU * random.random::<f64>()).cos()
}

fn exponential(random: &mut impl Rng) -> f64 {
    -(1.0 - random.random::<f64>()).ln()
}

fn poisson(mean: f64, random: &mut impl Rng) -> f64 {
    if mean > 50.0 {
        return (mean + mean.sqrt() * normal(random)).round().max(0.0);
    }
    let (limit, mut product, mut count) = ((-mean).exp(), random.random::<f64>(), 0.0);
    while product > limit {
        product *= random.random::<f64>();
        count += 1.0;
    }
    count
}
