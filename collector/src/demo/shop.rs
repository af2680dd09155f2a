//! A shop of ten services, simulated: requests, memory, crashes. Same seed, same shop, byte for byte.
//!
//! In: time, and the faults of a [`Schedule`]. Out: telemetry as ten OpenTelemetry SDKs would send it.

use std::time::Duration;

use pdata::{Batch, Timestamp};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::faults::{Fault, Schedule};
use super::telemetry::{Exporter, LogLine, Process, SpanRecord};
use super::topology::{Ask, Operation, Service, VISITS};

const SECOND: u64 = 1_000_000_000;
/// Visits per second, on average.
const VISITS_PER_SECOND: f64 = 7.0;
/// SDKs send what they have gathered this often.
const FLUSH_SECONDS: u64 = 5;
const METRICS_SECONDS: u64 = 10;
/// A container that uses more memory is killed.
const MEMORY_LIMIT: f64 = 512e6;
/// How long a container takes to start.
const START_SECONDS: u64 = 8;

/// The shop.
pub(super) struct Shop {
    rng: ChaCha8Rng,
    schedule: Schedule,
    /// Start of the next simulated second.
    now: Timestamp,
    processes: Vec<Process>,
    exporter: Exporter,
}

/// What became of a request.
struct Reply {
    end: u64,
    error: Option<&'static str>,
}

impl Shop {
    /// A shop that opens at `start`.
    pub(super) fn new(seed: u64, start: Timestamp, schedule: Schedule) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let start = Timestamp::from_nanos(start.as_nanos() / SECOND * SECOND);
        let processes =
            Service::ALL.iter().map(|service| Process::new(*service, start, rng.random::<u32>())).collect();
        Self { rng, schedule, now: start, processes, exporter: Exporter::default() }
    }

    /// Lets the shop run until `until`; gives what its services send meanwhile, in order.
    pub(super) fn step(&mut self, until: Timestamp) -> Vec<Batch> {
        let mut batches = Vec::new();
        while self.now + Duration::from_secs(1) <= until {
            self.second();
            self.now = Timestamp::from_nanos(self.now.as_nanos() + SECOND);
            let second = self.now.as_nanos() / SECOND;
            if second.is_multiple_of(METRICS_SECONDS) {
                let rng = &mut self.rng;
                let load = |process: &mut Process| process.sample(rng.random::<f64>() - 0.5);
                self.processes.iter_mut().for_each(load);
                batches.push(self.exporter.metrics(self.now, &self.processes));
            }
            if second.is_multiple_of(FLUSH_SECONDS) {
                batches.extend(self.exporter.flush(&self.processes));
            }
        }
        batches
    }

    /// The start of the next simulated second.
    pub(super) const fn now(&self) -> Timestamp {
        self.now
    }

    fn second(&mut self) {
        let fault = self.schedule.active(self.now);
        self.age(fault);
        let minutes = self.now.as_secs_f64() / 60.0;
        let expected = VISITS_PER_SECOND * (1.0 + 0.08 * (minutes / 7.0).sin());
        let mut at = self.pause(expected);
        while at < 1.0 {
            let start = self.now.as_nanos() + (at * SECOND as f64) as u64;
            let operation = self.visit();
            let trace = self.rng.random::<u128>();
            self.serve(operation, trace, None, start, fault);
            at += self.pause(expected);
        }
    }

    /// Lets memory grow and containers crash and start.
    fn age(&mut self, fault: Option<Fault>) {
        let now = self.now;
        for process in &mut self.processes {
            if fault == Some(Fault::MemoryLeak) && process.service.name() == Fault::MemoryLeak.root() {
                process.leaked += 4.5e6;
            }
            if fault != Some(Fault::MemoryLeak) && process.leaked > 0.0 {
                // The repair: a new version, started anew.
                process.restart(now, START_SECONDS);
                continue;
            }
            let looping =
                fault == Some(Fault::CrashLoop) && process.service.name() == Fault::CrashLoop.root();
            let crashes = looping && process.up_since(now).is_some_and(|seconds| seconds >= 4);
            if process.memory() > MEMORY_LIMIT || crashes {
                let pause = if looping { START_SECONDS * 2 } else { START_SECONDS };
                let reason = if looping { "panic: cannot read session store" } else { "out of memory" };
                self.exporter.log(LogLine::crash(process.service, now, reason));
                process.restart(now, pause);
            }
        }
    }

    fn serve(
        &mut self,
        operation: &'static Operation,
        trace: u128,
        parent: Option<u64>,
        start: u64,
        fault: Option<Fault>,
    ) -> Reply {
        let at = operation.service as usize;
        if self.processes[at].up_since(self.now).is_none() {
            return Reply { end: start + self.millis(2.0), error: Some("connection refused") };
        }
        let span = self.rng.random::<u64>();
        let strain = 1.0 + 2.5 * (self.processes[at].memory() / MEMORY_LIMIT - 0.7).max(0.0);
        let work = self.millis(operation.work_ms * strain);
        let mut now = start + work / 2;
        let mut error = None;
        for ask in operation.asks {
            let reply = self.ask(operation.service, *ask, trace, span, now, fault);
            now = reply.end;
            if reply.error.is_some() && !matches!(ask, Ask::Likes(_)) {
                error = reply.error.map(|_| "a request that it needs failed");
                break;
            }
        }
        if error.is_none() {
            error = self.own_error(operation.service, fault);
        }
        let end = now + work / 2;
        self.processes[at].served(operation.name, end - start, work, error.is_some());
        if let Some(message) = error {
            self.exporter.log(LogLine::error(operation, trace, span, end, message));
        } else if self.rng.random_bool(0.01) {
            self.exporter.log(LogLine::info(operation, trace, span, end));
        }
        self.exporter.span(SpanRecord::server(operation, trace, span, parent, (start, end), error));
        Reply { end, error }
    }

    fn ask(
        &mut self,
        asker: Service,
        ask: Ask,
        trace: u128,
        parent: u64,
        start: u64,
        fault: Option<Fault>,
    ) -> Reply {
        let span = self.rng.random::<u64>();
        match ask {
            Ask::Needs(operation) | Ask::Likes(operation) => {
                let way = self.millis(0.4);
                let reply = self.serve(operation, trace, Some(span), start + way, fault);
                let times = (start, reply.end + way);
                let peer = operation.service.name();
                let record =
                    SpanRecord::client(asker, operation.name, peer, trace, span, parent, times, reply.error);
                self.exporter.span(record);
                Reply { end: times.1, error: reply.error }
            }
            Ask::Peer(peer) => {
                let slow = fault == Some(Fault::SlowDependency) && peer.name == Fault::SlowDependency.root();
                let end = start + self.millis(peer.median_ms * if slow { 15.0 } else { 1.0 });
                self.exporter.span(SpanRecord::of_peer(asker, peer, trace, span, parent, (start, end)));
                Reply { end, error: None }
            }
        }
    }

    fn own_error(&mut self, service: Service, fault: Option<Fault>) -> Option<&'static str> {
        let burst = fault == Some(Fault::ErrorBurst) && service.name() == Fault::ErrorBurst.root();
        let share = if burst { 0.4 } else { 0.0005 };
        self.rng.random_bool(share).then_some(if burst {
            "card validator unavailable"
        } else {
            "unexpected end of input"
        })
    }

    fn visit(&mut self) -> &'static Operation {
        let mut draw = self.rng.random_range(0..VISITS.iter().map(|(_, weight)| weight).sum());
        for (operation, weight) in VISITS {
            if draw < weight {
                return operation;
            }
            draw -= weight;
        }
        VISITS[0].0
    }

    /// A duration around `median` milliseconds, skewed as durations are, in nanoseconds.
    fn millis(&mut self, median: f64) -> u64 {
        // Six uniform variables have half the variance of a standard normal one.
        let sum: f64 = (0..6).map(|_| self.rng.random::<f64>() - 0.5).sum();
        let normal = sum * std::f64::consts::SQRT_2;
        (median * (0.35 * normal).exp() * 1e6) as u64
    }

    /// Seconds until the next visit.
    fn pause(&mut self, per_second: f64) -> f64 {
        -(1.0 - self.rng.random::<f64>()).ln() / per_second
    }
}
