//! CPU, memory and disk use of every process, from `/proc/<pid>`.
//!
//! Who a process is hardly changes, so that is read once per process; then each reading costs two small files.

use std::collections::HashMap;

use ::config::Invalid;
use pdata::Timestamp;
use pdata::proto::metrics::Metric;

pub(in crate::hostmetrics) use super::process_files::ATTRIBUTES;
use super::process_files::{Identities, Identity, is_gone, process_ids};
use super::{Host, ScrapeError, Scraped, Scraper};
use crate::emit::{Kind, Report, Spec, Toggles};
use crate::hostmetrics::config;
use crate::hostmetrics::filter::Selection;
use crate::hostmetrics::parse::{self, ProcessStat, Table};

const fn spec(name: &'static str, unit: &'static str, description: &'static str, kind: Kind) -> Spec {
    Spec { name, unit, description, kind, default: true }
}

const fn optional(name: &'static str, unit: &'static str, description: &'static str, kind: Kind) -> Spec {
    Spec { name, unit, description, kind, default: false }
}

static CPU_TIME: Spec =
    spec("process.cpu.time", "s", "Total CPU seconds broken down by different states.", Kind::Counter);
static CPU_UTILIZATION: Spec = optional(
    "process.cpu.utilization",
    "1",
    "Share of all CPUs' time used by the process since the last scrape, between 0 and 1.",
    Kind::Gauge,
);
static MEMORY_USAGE: Spec =
    spec("process.memory.usage", "By", "The amount of physical memory in use.", Kind::UpDown);
static MEMORY_VIRTUAL: Spec = spec("process.memory.virtual", "By", "Virtual memory size.", Kind::UpDown);
static MEMORY_UTILIZATION: Spec = optional(
    "process.memory.utilization",
    "1",
    "Percentage of total physical memory that is used by the process.",
    Kind::Gauge,
);
static DISK_IO: Spec = spec("process.disk.io", "By", "Disk bytes transferred.", Kind::Counter);
static DISK_OPERATIONS: Spec = optional(
    "process.disk.operations",
    "{operations}",
    "Number of disk operations performed by the process.",
    Kind::Counter,
);
static PAGING_FAULTS: Spec = optional(
    "process.paging.faults",
    "{faults}",
    "Number of page faults the process has made.",
    Kind::Counter,
);
static SIGNALS: Spec = optional(
    "process.signals_pending",
    "{signals}",
    "Number of pending signals for the process.",
    Kind::UpDown,
);
static THREADS: Spec = optional("process.threads", "{threads}", "Process threads count.", Kind::UpDown);
static DESCRIPTORS: Spec = optional(
    "process.open_file_descriptors",
    "{count}",
    "Number of file descriptors in use by the process.",
    Kind::UpDown,
);
/// Windows only; its name is known so that a configuration for several systems is accepted.
static HANDLES: Spec =
    optional("process.handles", "{count}", "Number of handles held by the process.", Kind::UpDown);
static SWITCHES: Spec = optional(
    "process.context_switches",
    "{count}",
    "Number of times the process has been context switched.",
    Kind::Counter,
);
static UPTIME: Spec = optional("process.uptime", "s", "The time the process has been running.", Kind::Gauge);

/// What this scraper has.
pub(in crate::hostmetrics) static METRICS: &[&Spec] = &[
    &CPU_TIME,
    &CPU_UTILIZATION,
    &MEMORY_USAGE,
    &MEMORY_VIRTUAL,
    &MEMORY_UTILIZATION,
    &DISK_IO,
    &DISK_OPERATIONS,
    &PAGING_FAULTS,
    &SIGNALS,
    &THREADS,
    &DESCRIPTORS,
    &HANDLES,
    &SWITCHES,
    &UPTIME,
];

/// The `process` scraper.
#[derive(Debug)]
pub(super) struct Processes {
    toggles: Toggles,
    selection: Selection,
    config: config::Process,
    identities: Identities,
    known: HashMap<u32, Known>,
}

/// A process that was seen before.
#[derive(Debug)]
struct Known {
    /// By these it is the same one, and not another with its number or another program in it.
    started: f64,
    name: String,
    identity: Identity,
    is_selected: bool,
    /// When it was last read, and its CPU times then.
    last: Option<(Timestamp, [f64; 3])>,
}

/// What all processes are measured against.
struct Machine {
    now: Timestamp,
    cpus: usize,
    memory: u64,
    page_size: u64,
}

impl Processes {
    pub(super) fn new(config: &config::Process) -> Result<Self, Invalid> {
        Ok(Self {
            toggles: config.metrics.clone(),
            selection: config.selection()?,
            identities: Identities::new(config),
            config: config.clone(),
            known: HashMap::new(),
        })
    }

    fn machine(&self, host: &Host, now: Timestamp) -> Result<Machine, ScrapeError> {
        let report = Report::new(&self.toggles, host.boot(), now);
        let cpus = if report.wants(&CPU_UTILIZATION) {
            parse::stat(&host.read("proc/stat")?).cpus.len().max(1)
        } else {
            1
        };
        let memory = if report.wants(&MEMORY_UTILIZATION) {
            Table(&host.read("proc/meminfo")?).bytes("MemTotal").unwrap_or_default()
        } else {
            0
        };
        Ok(Machine { now, cpus, memory, page_size: rustix::param::page_size() as u64 })
    }

    /// Remembers who the process is, or finds it out.
    fn identify(&mut self, host: &Host, id: u32, stat: &ProcessStat) -> &mut Known {
        let is_same = |known: &Known| known.started == stat.started && known.name == stat.name;
        if !self.known.get(&id).is_some_and(is_same) {
            self.known.remove(&id);
        }
        self.known.entry(id).or_insert_with(|| {
            let identity = self.identities.of(host, id, stat);
            Known {
                started: stat.started,
                name: stat.name.clone(),
                is_selected: self.selection.has(&identity.name),
                identity,
                last: None,
            }
        })
    }

    /// One process's metrics, and how much of it could not be read.
    fn measure(&mut self, host: &Host, machine: &Machine, id: u32, stat: &ProcessStat) -> (Vec<Metric>, u64) {
        let start = host.boot() + std::time::Duration::try_from_secs_f64(stat.started).unwrap_or_default();
        let mut report = Report::new(&self.toggles, start, machine.now);
        let last = self.known.get_mut(&id).and_then(|known| known.last.replace((machine.now, times(stat))));
        from_stat(&mut report, stat, machine);
        report.metric(&CPU_UTILIZATION, |points| {
            let Some((then, before)) = last else { return };
            let elapsed = machine.now.since(then).as_secs_f64() * machine.cpus as f64;
            for ((state, now), before) in STATES.iter().zip(times(stat)).zip(before) {
                points.double(&[("state", state)], (now - before).max(0.0) / elapsed);
            }
        });
        report.metric(&UPTIME, |points| points.double(&[], machine.now.since(start).as_secs_f64()));
        let muted = self.config.mute_process_all_errors;
        let mut errors = 0;
        let mut tolerate = |result: Result<(), ScrapeError>, muted: bool| {
            errors += u64::from(result.is_err_and(|error| !muted && !is_gone(&error)));
        };
        tolerate(from_io(&mut report, host, id), muted || self.config.mute_process_io_error);
        tolerate(from_status(&mut report, host, id), muted);
        tolerate(descriptors(&mut report, host, id), muted);
        (report.finish(), errors)
    }
}

const STATES: [&str; 3] = ["user", "system", "wait"];

const fn times(stat: &ProcessStat) -> [f64; 3] {
    [stat.user, stat.system, stat.wait]
}

fn from_stat(report: &mut Report<'_>, stat: &ProcessStat, machine: &Machine) {
    let resident = stat.resident_pages.saturating_mul(machine.page_size);
    report.metric(&CPU_TIME, |points| {
        for (state, seconds) in STATES.iter().zip(times(stat)) {
            points.double(&[("state", state)], seconds);
        }
    });
    report.metric(&MEMORY_USAGE, |points| points.int(&[], resident));
    report.metric(&MEMORY_VIRTUAL, |points| points.int(&[], stat.virtual_memory));
    report.metric(&MEMORY_UTILIZATION, |points| {
        points.double(&[], resident as f64 / machine.memory as f64 * 100.0);
    });
    report.metric(&PAGING_FAULTS, |points| {
        points.int(&[("type", "major")], stat.major_faults);
        points.int(&[("type", "minor")], stat.minor_faults);
    });
    report.metric(&THREADS, |points| points.int(&[], stat.threads));
}

fn from_io(report: &mut Report<'_>, host: &Host, id: u32) -> Result<(), ScrapeError> {
    if !report.wants(&DISK_IO) && !report.wants(&DISK_OPERATIONS) {
        return Ok(());
    }
    let io = host.read(format!("proc/{id}/io"))?;
    for (spec, counters) in
        [(&DISK_IO, ["read_bytes", "write_bytes"]), (&DISK_OPERATIONS, ["syscr", "syscw"])]
    {
        report.metric(spec, |points| {
            for (direction, counter) in ["read", "write"].iter().zip(counters) {
                if let Some(count) = Table(&io).count(counter) {
                    points.int(&[("direction", direction)], count);
                }
            }
        });
    }
    Ok(())
}

fn from_status(report: &mut Report<'_>, host: &Host, id: u32) -> Result<(), ScrapeError> {
    if !report.wants(&SWITCHES) && !report.wants(&SIGNALS) {
        return Ok(());
    }
    let status = host.read(format!("proc/{id}/status"))?;
    let table = Table(&status);
    report.metric(&SWITCHES, |points| {
        let counters =
            [("voluntary", "voluntary_ctxt_switches"), ("involuntary", "nonvoluntary_ctxt_switches")];
        for (kind, counter) in counters {
            if let Some(count) = table.count(counter) {
                points.int(&[("type", kind)], count);
            }
        }
    });
    report.metric(&SIGNALS, |points| {
        // `pending/limit`.
        let queue = table.text("SigQ").and_then(|text| text.split_once('/'));
        if let Some(pending) = queue.and_then(|(pending, _)| pending.parse().ok()) {
            points.int(&[], pending);
        }
    });
    Ok(())
}

fn descriptors(report: &mut Report<'_>, host: &Host, id: u32) -> Result<(), ScrapeError> {
    if !report.wants(&DESCRIPTORS) {
        return Ok(());
    }
    let path = host.path(format!("proc/{id}/fd"));
    match std::fs::read_dir(&path) {
        Ok(entries) => report.metric(&DESCRIPTORS, |points| points.int(&[], entries.count() as u64)),
        Err(source) => return Err(ScrapeError::Read { path, source }),
    }
    Ok(())
}

impl Scraper for Processes {
    fn name(&self) -> &'static str {
        "process"
    }

    fn scrape(&mut self, host: &Host, now: Timestamp) -> Result<Scraped, ScrapeError> {
        let machine = self.machine(host, now)?;
        let uptime = host.uptime(now).as_secs_f64();
        let delay = self.config.scrape_process_delay.get().as_secs_f64();
        let ids = process_ids(host)?;
        self.known.retain(|id, _| ids.binary_search(id).is_ok());
        let mut scraped = Scraped::default();
        for id in ids {
            let stat = match host.read(format!("proc/{id}/stat")) {
                Ok(text) => parse::process_stat(&text),
                Err(error) if is_gone(&error) => continue,
                Err(_) => None,
            };
            let Some(stat) = stat else {
                let muted = self.config.mute_process_all_errors || self.config.mute_process_name_error;
                scraped.errors += u64::from(!muted);
                continue;
            };
            if uptime - stat.started < delay {
                continue;
            }
            let known = self.identify(host, id, &stat);
            if !known.is_selected {
                continue;
            }
            let (attributes, errors) = (known.identity.attributes.clone(), known.identity.errors);
            let (metrics, more_errors) = self.measure(host, &machine, id, &stat);
            scraped.errors += errors + more_errors;
            if !metrics.is_empty() {
                scraped.resources.push((attributes, metrics));
            }
        }
        Ok(scraped)
    }
}
