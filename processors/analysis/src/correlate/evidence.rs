//! What an anomaly says, and about whom.
//!
//! Evidence is a service's own (its processor, memory, restarts, own processing time, errors that begin with it) or propagated
//! (latency and errors that it may only pass on). Telling them apart is what makes ranking work.

use pdata::Timestamp;
use pdata::event::{Anomaly, LogKind, Severity, Source};
use serde::{Deserialize, Serialize};

use crate::detect::ensemble::MOST_SURPRISING;
use crate::detect::series::surprise;
use crate::identity::Identity;
use crate::logs::classify::Class;

/// What kind of evidence something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Aspect {
    /// Processor use.
    Cpu,
    /// Memory use.
    Memory,
    /// Restarts.
    Restart,
    /// Another resource: pools, queues, disks, threads.
    Saturation,
    /// Own processing time.
    SelfTime,
    /// Errors that begin here.
    ErrorOrigin,
    /// Error logs.
    LogErrors,
    /// Warning logs.
    LogWarnings,
    /// Latency of what it serves.
    Latency,
    /// Errors of what it serves.
    Errors,
    /// More or fewer requests than usual.
    Traffic,
    /// Time lost between caller and callee.
    Gap,
    /// Latency of calls to another.
    CallLatency,
    /// Errors of calls to another.
    CallErrors,
    /// The machine below, shared with others.
    Node,
    /// Something else.
    Other,
}

impl Aspect {
    /// How much it speaks for a fault of its service's own; 0 for what may be passed on from elsewhere.
    pub const fn own_weight(self) -> f64 {
        match self {
            Self::Restart | Self::ErrorOrigin => 1.5,
            Self::Cpu | Self::Memory | Self::SelfTime => 1.0,
            Self::LogErrors => 0.7,
            Self::Saturation => 0.5,
            Self::LogWarnings | Self::Other | Self::Node => 0.2,
            Self::Traffic => 0.15,
            Self::Latency | Self::Errors | Self::Gap | Self::CallLatency | Self::CallErrors => 0.0,
        }
    }

    /// What cannot be told apart as evidence that something is wrong: a slow service has slow everything.
    pub const fn family(self) -> Family {
        match self {
            Self::Cpu | Self::Memory | Self::Saturation => Family::Resource,
            Self::Restart => Family::Restart,
            Self::SelfTime | Self::Latency | Self::Gap | Self::CallLatency => Family::Latency,
            Self::ErrorOrigin | Self::LogErrors | Self::Errors | Self::CallErrors => Family::Errors,
            Self::LogWarnings | Self::Traffic | Self::Node | Self::Other => Family::Weak,
        }
    }

    /// The word for a root cause that shows mainly this.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Cpu | Self::Memory | Self::Saturation | Self::Node => "resource",
            Self::Restart => "crash",
            Self::SelfTime | Self::Latency | Self::Gap | Self::CallLatency => "latency",
            Self::ErrorOrigin | Self::LogErrors | Self::Errors | Self::CallErrors => "errors",
            Self::Traffic => "traffic",
            Self::LogWarnings | Self::Other => "unknown",
        }
    }
}

/// Kinds of evidence that count once when it is decided whether something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Processor, memory and other resources.
    Resource,
    /// Restarts.
    Restart,
    /// Time.
    Latency,
    /// Failures.
    Errors,
    /// What alone is no reason to open an incident.
    Weak,
}

/// An anomaly that is part of an incident, or may become so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Symptom {
    /// The service whose signal it is.
    pub service: String,
    /// The other end, for calls.
    pub peer: Option<String>,
    /// What it says.
    pub aspect: Aspect,
    /// Whether it rose.
    pub up: bool,
    /// The signal's name.
    pub signal: String,
    /// When the signal left its usual range.
    pub onset: Timestamp,
    /// When it was reported last.
    pub last: Timestamp,
    /// Whether it goes on.
    pub active: bool,
    /// The largest surprise.
    pub surprise: f64,
    /// The value at the largest surprise.
    pub observed: f64,
    /// The usual value.
    pub baseline: f64,
    /// How bad it is.
    pub severity: Severity,
    /// The sentence.
    pub message: String,
}

/// The threshold that scores are relative to.
const THRESHOLD: f64 = 6.0;

impl Symptom {
    /// What `anomaly` says. `resolve` gives the service that answers under a peer's name.
    pub fn of(anomaly: &Anomaly, resolve: impl Fn(&str) -> String) -> Self {
        let (peer, aspect) = classify(anomaly);
        Self {
            service: anomaly.service.clone(),
            peer: peer.map(resolve),
            aspect,
            up: anomaly.observed >= anomaly.expected.mid,
            signal: anomaly.name.clone(),
            onset: anomaly.onset.unwrap_or(anomaly.time),
            last: anomaly.time,
            active: !anomaly.is_over(),
            surprise: surprise(anomaly.score, THRESHOLD).min(MOST_SURPRISING),
            observed: anomaly.observed,
            baseline: anomaly.expected.mid,
            severity: anomaly.severity,
            message: anomaly.message.clone(),
        }
    }

    /// The strength of the surprise: grows slowly, because beyond some point numbers only say how small the usual
    /// spread was.
    pub fn strength(&self) -> f64 {
        (1.0 + self.surprise / THRESHOLD).ln()
    }

    /// Takes a later report about the same signal in.
    pub fn update(&mut self, newer: Self) {
        self.last = newer.last;
        self.active = newer.active;
        if newer.active {
            self.severity = self.severity.max(newer.severity);
            if newer.surprise > self.surprise {
                *self = Self { onset: self.onset, severity: self.severity, ..newer };
            }
        }
    }
}

/// The identity of an anomaly's series.
pub fn identity(anomaly: &Anomaly) -> u64 {
    let series = Identity::new().text(&anomaly.service).text(&anomaly.name);
    anomaly
        .attributes
        .iter()
        .fold(series, |identity, (key, value)| match value.as_str() {
            Some(text) => identity.attribute(key, text),
            None => identity.attribute(key, &value.to_string()),
        })
        .finish()
}

fn classify(anomaly: &Anomaly) -> (Option<&str>, Aspect) {
    let name = anomaly.name.as_str();
    match anomaly.signal {
        Source::Log if anomaly.log.is_some() => (None, log_aspect(anomaly)),
        Source::Log if name.contains("warning") => (None, Aspect::LogWarnings),
        Source::Log => (None, Aspect::LogErrors),
        Source::Trace => match name.split_once("->") {
            Some((_, rest)) => {
                let (peer, statistic) = rest.rsplit_once(':').unwrap_or((rest, ""));
                (Some(peer), call_aspect(statistic))
            }
            None => (None, served_aspect(name)),
        },
        Source::Metric => (None, metric_aspect(&name.to_ascii_lowercase())),
    }
}

/// Only errors and problems speak for a fault; how much a service has to say is mainly traffic.
fn log_aspect(anomaly: &Anomaly) -> Aspect {
    let Some(detail) = &anomaly.log else { return Aspect::LogErrors };
    let is_problem = || {
        let class = detail.class.as_ref().and_then(|class| class.parse::<Class>().ok());
        detail.severity_number >= 17 || class.is_some_and(Class::is_problem)
    };
    match detail.kind {
        LogKind::ErrorSurge | LogKind::ClassSurge => Aspect::LogErrors,
        LogKind::Burst | LogKind::NewTemplate if is_problem() => Aspect::LogErrors,
        LogKind::VolumeSurge | LogKind::VolumeDrop | LogKind::ServiceSilence => Aspect::Traffic,
        LogKind::Burst | LogKind::NewTemplate | LogKind::WarningSurge | LogKind::Drop | LogKind::Silence => {
            Aspect::LogWarnings
        }
    }
}

fn call_aspect(statistic: &str) -> Aspect {
    match statistic {
        "network_gap" => Aspect::Gap,
        "error_ratio" => Aspect::CallErrors,
        "rate" => Aspect::Traffic,
        _ => Aspect::CallLatency,
    }
}

fn served_aspect(name: &str) -> Aspect {
    match name.split(':').next().unwrap_or_default() {
        "server.self_time" => Aspect::SelfTime,
        "server.error_origin" => Aspect::ErrorOrigin,
        "server.errors" => Aspect::Errors,
        "server.requests" => Aspect::Traffic,
        _ => Aspect::Latency,
    }
}

/// Metric names are free; these words are in the semantic conventions and in the common exporters.
fn metric_aspect(name: &str) -> Aspect {
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if name.starts_with("k8s.node.") || name.starts_with("node_") {
        Aspect::Node
    } else if has(&["restart", "oom", "crash"]) {
        Aspect::Restart
    } else if has(&["duration", "latency", "response_time", "request_time"]) && name.ends_with(":rate") {
        Aspect::Traffic
    } else if has(&["client.duration", "client.request.duration", "client_duration"]) {
        Aspect::CallLatency
    } else if has(&["duration", "latency", "response_time", "request_time"]) {
        Aspect::Latency
    } else if has(&["error", "fail", "5xx", "availability", "exception"]) {
        Aspect::Errors
    } else if has(&["cpu", "load_average", "throttl"]) {
        Aspect::Cpu
    } else if has(&["memory", "heap", "rss", "working_set", "swap"])
        || name == "mem"
        || name.ends_with("_mem")
    {
        Aspect::Memory
    } else if has(&["request", "network", "throughput", "messages", "workload"]) {
        Aspect::Traffic
    } else if has(&[
        "pool",
        "queue",
        "disk",
        "filesystem",
        "file_descriptor",
        "thread",
        "gc",
        "connection",
        "lag",
    ]) {
        Aspect::Saturation
    } else {
        Aspect::Other
    }
}
