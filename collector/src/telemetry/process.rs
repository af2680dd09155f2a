//! How this process is: processor time, time since its start, and what the allocator holds.
//!
//! Measured when asked for, under the collector's names. What cannot be measured is left out. Resident memory is not here:
//! the engine measures it all the time.

use std::fmt::Write as _;
use std::time::Instant;

use tikv_jemalloc_ctl::{epoch, stats};

/// Measures this process.
#[derive(Debug)]
pub(super) struct Process {
    started: Instant,
}

impl Process {
    pub(super) fn new() -> Self {
        Self { started: Instant::now() }
    }

    /// Appends what is measured now, in Prometheus's text format.
    pub(super) fn write(&self, text: &mut String) {
        let mut write = |name: &str, kind: &str, help: &str, value: Option<f64>| {
            if let Some(value) = value {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
            }
        };
        let uptime = self.started.elapsed().as_secs_f64();
        write("otelcol_process_uptime", "counter", "Time since the start, in seconds.", Some(uptime));
        let stat = std::fs::read_to_string("/proc/self/stat").ok();
        let cpu = stat
            .as_deref()
            .and_then(cpu_ticks)
            .map(|ticks| ticks as f64 / rustix::param::clock_ticks_per_second() as f64);
        write("otelcol_process_cpu_seconds", "counter", "Processor time, user and system, in seconds.", cpu);
        // The allocator's numbers stand still until its epoch moves on.
        let fresh = epoch::advance().is_ok();
        let allocated = stats::allocated::read().ok().filter(|_| fresh).map(|bytes| bytes as f64);
        let name = "otelcol_process_runtime_heap_alloc_bytes";
        write(name, "gauge", "Memory that the program has allocated, in bytes.", allocated);
        let mapped = stats::mapped::read().ok().filter(|_| fresh).map(|bytes| bytes as f64);
        let name = "otelcol_process_runtime_total_sys_memory_bytes";
        write(name, "gauge", "Memory that the allocator has from the system, in bytes.", mapped);
    }
}

/// User and system time in a `/proc/PID/stat`. The process's name is in parentheses and may hold anything.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    user.checked_add(system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_found_whatever_the_process_is_called() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 4 0 100 1000 100";
        assert_eq!(cpu_ticks(stat), Some(300));
        assert_eq!(cpu_ticks("7 (a) S 1 7"), None);
        assert_eq!(cpu_ticks(""), None);
    }
}
