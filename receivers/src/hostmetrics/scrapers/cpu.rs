//! Time of each logical CPU by state, from `/proc/stat`.

use std::collections::HashSet;

use pdata::Timestamp;

use super::{Host, ScrapeError, Scraped, Scraper};
use crate::emit::{Kind, Report, Spec, Toggles};
use crate::hostmetrics::config::Plain;
use crate::hostmetrics::parse::{self, CpuTimes, Table};

static TIME: Spec = Spec {
    name: "system.cpu.time",
    unit: "s",
    description: "Total seconds each logical CPU spent on each mode.",
    kind: Kind::Counter,
    default: true,
};
static UTILIZATION: Spec = Spec {
    name: "system.cpu.utilization",
    unit: "1",
    description: "Share of the time since the last measurement that each logical CPU spent on each mode.",
    kind: Kind::Gauge,
    default: false,
};
static PHYSICAL: Spec = Spec {
    name: "system.cpu.physical.count",
    unit: "{cpu}",
    description: "Number of available physical CPUs.",
    kind: Kind::UpDown,
    default: false,
};
static LOGICAL: Spec = Spec {
    name: "system.cpu.logical.count",
    unit: "{cpu}",
    description: "Number of available logical CPUs.",
    kind: Kind::UpDown,
    default: false,
};
static FREQUENCY: Spec = Spec {
    name: "system.cpu.frequency",
    unit: "Hz",
    description: "Current frequency of the CPU core in Hz.",
    kind: Kind::Gauge,
    default: false,
};

/// What this scraper has.
pub(in crate::hostmetrics) static METRICS: &[&Spec] = &[&TIME, &UTILIZATION, &PHYSICAL, &LOGICAL, &FREQUENCY];

/// The `cpu` scraper.
#[derive(Debug)]
pub(super) struct Cpu {
    toggles: Toggles,
    last: Vec<CpuTimes>,
}

impl Cpu {
    pub(super) fn new(config: &Plain) -> Self {
        Self { toggles: config.metrics.clone(), last: Vec::new() }
    }
}

impl Scraper for Cpu {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn scrape(&mut self, host: &Host, now: Timestamp) -> Result<Scraped, ScrapeError> {
        let cpus = parse::stat(&host.read("proc/stat")?).cpus;
        let mut report = Report::new(&self.toggles, host.boot(), now);
        report.metric(&TIME, |points| {
            for cpu in &cpus {
                for (state, seconds) in CpuTimes::STATES.iter().zip(cpu.seconds) {
                    points.double(&[("cpu", &cpu.name), ("state", state)], seconds);
                }
            }
        });
        report.metric(&UTILIZATION, |points| {
            for cpu in &cpus {
                let Some(last) = self.last.iter().find(|last| last.name == cpu.name) else { continue };
                for (state, share) in CpuTimes::STATES.iter().zip(shares(last, cpu)) {
                    points.double(&[("cpu", &cpu.name), ("state", state)], share);
                }
            }
        });
        report.metric(&LOGICAL, |points| points.int(&[], cpus.len() as u64));
        if report.wants(&PHYSICAL) || report.wants(&FREQUENCY) {
            let info = host.read("proc/cpuinfo")?;
            report.metric(&PHYSICAL, |points| points.int(&[], physical(&info)));
            report.metric(&FREQUENCY, |points| {
                let frequencies = Table(&info).texts("cpu MHz").filter_map(|mhz| mhz.parse::<f64>().ok());
                for (cpu, mhz) in cpus.iter().zip(frequencies) {
                    points.double(&[("cpu", &cpu.name)], mhz * 1e6);
                }
            });
        }
        let metrics = report.finish();
        self.last = cpus;
        Ok(metrics.into())
    }
}

/// The states' shares of the time between two measurements. The kernel's counters may step back a little; that is no time.
fn shares(last: &CpuTimes, now: &CpuTimes) -> [f64; 8] {
    let mut deltas = now.seconds;
    for (delta, last) in deltas.iter_mut().zip(last.seconds) {
        *delta = (*delta - last).max(0.0);
    }
    let total: f64 = deltas.iter().sum();
    // Two measurements within one tick show nothing: not a number, which is no point.
    deltas.map(|delta| delta / total)
}

/// Cores, told apart by package and core; logical CPUs if `/proc/cpuinfo` does not tell, as on many virtual machines.
fn physical(info: &str) -> u64 {
    let table = Table(info);
    let cores: HashSet<_> = table.texts("physical id").zip(table.texts("core id")).collect();
    (if cores.is_empty() { table.texts("processor").count() } else { cores.len() }) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_sum_to_one_and_never_are_negative() {
        let times = |seconds| CpuTimes { name: "cpu0".to_owned(), seconds };
        let last = times([10.0, 0.0, 5.0, 100.0, 3.0, 0.0, 0.0, 0.0]);
        let now = times([11.0, 0.0, 6.0, 102.0, 2.9, 0.0, 0.0, 0.0]);
        assert_eq!(shares(&last, &now), [0.25, 0.0, 0.25, 0.5, 0.0, 0.0, 0.0, 0.0]);
        assert!(shares(&now, &now).iter().all(|share| share.is_nan()));
    }

    #[test]
    fn hyperthreads_share_a_core() {
        let thread = |cpu, core| {
            format!("processor\t: {cpu}\nphysical id\t: 0\ncore id\t\t: {core}\ncpu MHz\t\t: 2000\n\n")
        };
        assert_eq!(physical(&(thread(0, 0) + &thread(1, 0) + &thread(2, 1))), 2);
        assert_eq!(physical("processor\t: 0\n\nprocessor\t: 1\n"), 2);
    }
}
