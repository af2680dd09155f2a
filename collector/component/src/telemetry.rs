//! The collector's own metrics, under the collector's names (`otelcol_*`).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::core::Collector;
use prometheus::{GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, TextEncoder};

/// The registry of own metrics. Cheap to clone.
#[derive(Clone, Default)]
pub struct Telemetry(Arc<Inner>);

#[derive(Default)]
struct Inner {
    registry: Registry,
    families: Mutex<HashMap<String, Family>>,
}

#[derive(Clone)]
enum Family {
    Counter(IntCounterVec),
    Gauge(GaugeVec),
    Histogram(HistogramVec),
}

/// Counts up.
#[derive(Clone, Debug)]
pub struct Counter(prometheus::IntCounter);

/// Goes up and down.
#[derive(Clone, Debug)]
pub struct Gauge(prometheus::Gauge);

/// Counts observations in buckets.
#[derive(Clone, Debug)]
pub struct Histogram(prometheus::Histogram);

impl Counter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.inc_by(n);
    }

    /// The count so far.
    pub fn get(&self) -> u64 {
        self.0.get()
    }
}

impl Gauge {
    /// Sets the value.
    pub fn set(&self, value: f64) {
        self.0.set(value);
    }

    /// Adds `delta`, which may be negative.
    pub fn add(&self, delta: f64) {
        self.0.add(delta);
    }

    /// The value.
    pub fn get(&self) -> f64 {
        self.0.get()
    }
}

impl Histogram {
    /// Counts an observation.
    pub fn observe(&self, value: f64) {
        self.0.observe(value);
    }
}

impl Telemetry {
    /// The counter `name` with these labels; the same one whenever it is asked for again.
    pub fn counter(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Counter {
        let (keys, values) = split(labels);
        let family = self.family(name, || {
            IntCounterVec::new(Opts::new(name, help), &keys)
                .map(|vec| (Box::new(vec.clone()) as _, Family::Counter(vec)))
        });
        match family {
            Some(Family::Counter(vec)) => vec.get_metric_with_label_values(&values).ok(),
            _ => None,
        }
        .map_or_else(
            || Counter(prometheus::IntCounter::new("detached", "detached").expect("a valid name")),
            Counter,
        )
    }

    /// The gauge `name` with these labels; the same one whenever it is asked for again.
    pub fn gauge(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Gauge {
        let (keys, values) = split(labels);
        let family = self.family(name, || {
            GaugeVec::new(Opts::new(name, help), &keys)
                .map(|vec| (Box::new(vec.clone()) as _, Family::Gauge(vec)))
        });
        match family {
            Some(Family::Gauge(vec)) => vec.get_metric_with_label_values(&values).ok(),
            _ => None,
        }
        .map_or_else(|| Gauge(prometheus::Gauge::new("detached", "detached").expect("a valid name")), Gauge)
    }

    /// The histogram `name` with these labels and upper bounds; the same one whenever it is asked for again.
    pub fn histogram(&self, name: &str, help: &str, labels: &[(&str, &str)], buckets: &[f64]) -> Histogram {
        let (keys, values) = split(labels);
        let options = || HistogramOpts::new(name, help).buckets(buckets.to_vec());
        let family = self.family(name, || {
            HistogramVec::new(options(), &keys)
                .map(|vec| (Box::new(vec.clone()) as _, Family::Histogram(vec)))
        });
        match family {
            Some(Family::Histogram(vec)) => vec.get_metric_with_label_values(&values).ok(),
            _ => None,
        }
        .map_or_else(
            || Histogram(prometheus::Histogram::with_opts(options()).expect("valid options")),
            Histogram,
        )
    }

    /// Everything in Prometheus's text format.
    pub fn render(&self) -> String {
        TextEncoder::new().encode_to_string(&self.0.registry.gather()).unwrap_or_default()
    }

    /// The sum of the counter or gauge `name` over all its labels; 0 if there is none.
    pub fn total(&self, name: &str) -> f64 {
        let families = self.0.registry.gather();
        let family = families.iter().find(|family| family.name() == name);
        family.map_or(0.0, |family| {
            family
                .get_metric()
                .iter()
                .map(|metric| metric.get_counter().get_value() + metric.get_gauge().get_value())
                .sum()
        })
    }

    /// A family whose name is taken by another type or other labels is a fault of the program: its metrics then count
    /// into the void instead of taking the process down.
    fn family(
        &self,
        name: &str,
        build: impl FnOnce() -> prometheus::Result<(Box<dyn Collector>, Family)>,
    ) -> Option<Family> {
        let mut families = self.0.families.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(family) = families.get(name) {
            return Some(family.clone());
        }
        let (collector, family) = build().ok()?;
        self.0.registry.register(collector).ok()?;
        families.insert(name.to_owned(), family.clone());
        Some(family)
    }
}

fn split<'a>(labels: &[(&'a str, &'a str)]) -> (Vec<&'a str>, Vec<&'a str>) {
    labels.iter().copied().unzip()
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Telemetry")
    }
}
