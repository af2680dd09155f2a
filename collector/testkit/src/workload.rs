//! What is to be generated, and the generator.

use std::time::Duration;

use pdata::{Batch, Logs, Metrics, Timestamp, Traces};

use crate::metrics::Meters;
use crate::random::Random;
use crate::requests::{Recorder, Requests};

/// Names that a shop's services might have; beyond them services are numbered.
const NAMES: [&str; 12] = [
    "frontend",
    "checkout",
    "cart",
    "catalogue",
    "payment",
    "shipping",
    "currency",
    "recommendation",
    "ad",
    "email",
    "inventory",
    "user",
];

/// What is to be generated.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// How many services call each other, at least one. The first one is called from outside.
    pub services: usize,
    /// When it begins.
    pub start: Timestamp,
    /// The time from one step to the next.
    pub step: Duration,
    /// How many requests from outside come in during a step.
    pub requests: usize,
    /// What goes wrong.
    pub faults: Vec<Fault>,
}

/// Something that goes wrong in one service for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The service's number.
    pub service: usize,
    /// When it begins, counted from the workload's start.
    pub from: Duration,
    /// When it is over.
    pub until: Duration,
    /// By how much the service's own work takes longer; 1 for not at all.
    pub slowdown: f64,
    /// The share of its requests that fail, beside the usual few.
    pub failures: f64,
}

impl Default for Workload {
    fn default() -> Self {
        Self {
            seed: 1,
            services: 8,
            start: Timestamp::from_secs(1_750_000_000),
            step: Duration::from_secs(10),
            requests: 40,
            faults: Vec::new(),
        }
    }
}

impl Workload {
    /// The name of a service.
    pub fn service(number: usize) -> String {
        NAMES.get(number).map_or_else(|| format!("service-{number}"), |name| (*name).to_owned())
    }

    /// The telemetry, step by step, without end.
    pub fn steps(&self) -> Steps {
        let mut random = Random::new(self.seed);
        let n = self.services.max(1);
        // A service is called by an earlier one, mostly by one of the first, so that the graph is broad, not long.
        let callers: Vec<_> = (1..n).map(|service| random.below(service.div_ceil(2))).collect();
        let callees = |service| (1..n).filter(|callee| callers[callee - 1] == service).collect();
        let services = (0..n).map(|number| Service {
            name: Self::service(number),
            callees: callees(number),
            usual: 0.002 + 0.03 * random.unit(),
            slowdown: 1.0,
            failures: 0.002,
        });
        Steps {
            services: services.collect(),
            meters: (0..n).map(|_| Meters::new(self.start, &mut random)).collect(),
            random,
            workload: self.clone(),
            n_steps: 0,
        }
    }

    /// The first `n_steps` steps as OTLP/JSON, a batch a line.
    pub fn json_lines(&self, n_steps: usize) -> Vec<u8> {
        let mut text = Vec::new();
        for batch in self.steps().take(n_steps).flat_map(Step::into_batches) {
            pdata::json::to_json(&batch, &mut text);
            text.push(b'\n');
        }
        text
    }
}

/// A service, as it is now.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) callees: Vec<usize>,
    /// Seconds that its own work usually takes.
    pub(crate) usual: f64,
    pub(crate) slowdown: f64,
    pub(crate) failures: f64,
}

/// All telemetry of one step of time, in groups by service.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// When the step ends; metrics have this time, spans and log records lie before it.
    pub time: Timestamp,
    /// Spans of the step's requests.
    pub traces: Traces,
    /// One point of each series.
    pub metrics: Metrics,
    /// Log records of the step's requests.
    pub logs: Logs,
}

impl Step {
    /// The step's batches: spans, log records, metrics.
    pub fn into_batches(self) -> [Batch; 3] {
        [self.traces.into(), self.logs.into(), self.metrics.into()]
    }
}

/// The telemetry of a workload, step by step.
#[derive(Clone, Debug)]
pub struct Steps {
    workload: Workload,
    services: Vec<Service>,
    meters: Vec<Meters>,
    random: Random,
    n_steps: u32,
}

impl Steps {
    fn apply_faults(&mut self) {
        let now = self.workload.step * self.n_steps;
        for (number, service) in self.services.iter_mut().enumerate() {
            let active = |fault: &&Fault| fault.service == number && (fault.from..fault.until).contains(&now);
            (service.slowdown, service.failures) = (1.0, 0.002);
            for fault in self.workload.faults.iter().filter(active) {
                service.slowdown *= fault.slowdown;
                service.failures = (service.failures + fault.failures).min(1.0);
            }
        }
    }
}

impl Iterator for Steps {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        self.apply_faults();
        let step = self.workload.step;
        let begin = self.workload.start + step * self.n_steps;
        self.n_steps += 1;
        let mut recorder = Recorder::new(self.services.len());
        let mut requests =
            Requests { services: &self.services, random: &mut self.random, recorder: &mut recorder };
        for i in 0..self.workload.requests {
            let share = i as f64 / self.workload.requests as f64;
            requests.arrive(begin + step.mul_f64(share));
        }
        let time = begin + step;
        let metrics =
            crate::metrics::measure(&self.services, &mut self.meters, &recorder, time, &mut self.random);
        let logs = crate::logs::write(&self.services, &recorder, &mut self.random);
        Some(Step { time, traces: recorder.into_traces(&self.services), metrics, logs })
    }
}
