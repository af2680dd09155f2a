//! Watches the process's memory and sets the gate's pressure.
//!
//! The limit is a share of what the machine or the container has. Above the soft limit receivers refuse with a retryable
//! error, before they read a body.

use std::path::Path;
use std::time::Duration;

use component::{Admission, Pressure, Telemetry};
use tokio::task::JoinHandle;

/// Where receivers begin to refuse, as a share of the memory there is.
const SOFT: f64 = 0.75;
/// Where memory is given back as well.
const HARD: f64 = 0.90;
/// Pressure ends only this much below the limit, so that it does not flap.
const HYSTERESIS: f64 = 0.05;
const INTERVAL: Duration = Duration::from_millis(250);

/// Starts the watch. It ends when the handle is aborted.
pub(crate) fn watch(admission: Admission, telemetry: &Telemetry) -> JoinHandle<()> {
    let rss = telemetry.gauge("otelcol_process_memory_rss", "Resident memory, in bytes.", &[]);
    let limit = limit_bytes(Path::new("/"));
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(INTERVAL);
        loop {
            ticks.tick().await;
            let Some(used) = resident_bytes() else { continue };
            rss.set(used as f64);
            if let Some(limit) = limit {
                let before = admission.pressure();
                let now = decide(used as f64 / limit as f64, before);
                if now != before {
                    tracing::warn!(?now, used, limit, "memory pressure changed");
                    admission.set_pressure(now);
                }
            }
        }
    })
}

fn decide(share: f64, before: Pressure) -> Pressure {
    let limit = |base: f64, level| if before >= level { base - HYSTERESIS } else { base };
    if share >= limit(HARD, Pressure::Hard) {
        Pressure::Hard
    } else if share >= limit(SOFT, Pressure::Soft) {
        Pressure::Soft
    } else {
        Pressure::Normal
    }
}

/// The container's limit (cgroup v2, then v1), or the machine's memory.
fn limit_bytes(root: &Path) -> Option<u64> {
    let number = |path: &str| std::fs::read_to_string(root.join(path)).ok()?.trim().parse::<u64>().ok();
    let total = std::fs::read_to_string(root.join("proc/meminfo")).ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemTotal:"))?.to_owned();
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
    });
    let container =
        number("sys/fs/cgroup/memory.max").or_else(|| number("sys/fs/cgroup/memory/memory.limit_in_bytes"));
    match (container, total) {
        (Some(container), Some(total)) => Some(container.min(total)),
        (container, total) => container.or(total),
    }
}

fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_rises_at_the_limits_and_falls_below_them() {
        assert_eq!(decide(0.74, Pressure::Normal), Pressure::Normal);
        assert_eq!(decide(0.76, Pressure::Normal), Pressure::Soft);
        assert_eq!(decide(0.72, Pressure::Soft), Pressure::Soft);
        assert_eq!(decide(0.69, Pressure::Soft), Pressure::Normal);
        assert_eq!(decide(0.95, Pressure::Normal), Pressure::Hard);
        assert_eq!(decide(0.86, Pressure::Hard), Pressure::Hard);
    }

    #[test]
    fn the_smaller_of_container_and_machine_counts() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("proc")).unwrap();
        std::fs::create_dir_all(root.path().join("sys/fs/cgroup")).unwrap();
        std::fs::write(root.path().join("proc/meminfo"), "MemTotal:  1000 kB\n").unwrap();
        assert_eq!(limit_bytes(root.path()), Some(1_024_000));
        std::fs::write(root.path().join("sys/fs/cgroup/memory.max"), "max\n").unwrap();
        assert_eq!(limit_bytes(root.path()), Some(1_024_000));
        std::fs::write(root.path().join("sys/fs/cgroup/memory.max"), "4096\n").unwrap();
        assert_eq!(limit_bytes(root.path()), Some(4096));
    }

    #[test]
    fn this_process_uses_memory() {
        assert!(resident_bytes().is_some_and(|bytes| bytes > 0));
    }
}
