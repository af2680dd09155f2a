//! Memory by state, from `/proc/meminfo`.

use pdata::Timestamp;

use super::{Host, ScrapeError, Scraped, Scraper};
use crate::emit::{Kind, Report, Spec, Toggles};
use crate::hostmetrics::config::Plain;
use crate::hostmetrics::parse::Table;

const fn optional(name: &'static str, unit: &'static str, description: &'static str, kind: Kind) -> Spec {
    Spec { name, unit, description, kind, default: false }
}

static USAGE: Spec = Spec {
    name: "system.memory.usage",
    unit: "By",
    description: "Bytes of memory in use.",
    kind: Kind::UpDown,
    default: true,
};
static UTILIZATION: Spec =
    optional("system.memory.utilization", "1", "Percentage of memory bytes in use.", Kind::Gauge);
static LIMIT: Spec = optional("system.memory.limit", "By", "Total bytes of memory available.", Kind::UpDown);
static PAGE_SIZE: Spec = optional(
    "system.memory.page_size",
    "By",
    "A constant value for the system's configured page size.",
    Kind::Gauge,
);
static AVAILABLE: Spec = optional(
    "system.linux.memory.available",
    "By",
    "An estimate of how much memory is available for starting new applications, without swapping.",
    Kind::UpDown,
);
static DIRTY: Spec = optional(
    "system.linux.memory.dirty",
    "By",
    "The amount of dirty memory according to `/proc/meminfo`.",
    Kind::UpDown,
);

/// What this scraper has.
pub(in crate::hostmetrics) static METRICS: &[&Spec] =
    &[&USAGE, &UTILIZATION, &LIMIT, &PAGE_SIZE, &AVAILABLE, &DIRTY];

/// The `memory` scraper.
#[derive(Debug)]
pub(super) struct Memory {
    toggles: Toggles,
}

impl Memory {
    pub(super) fn new(config: &Plain) -> Self {
        Self { toggles: config.metrics.clone() }
    }
}

/// Memory by state, in bytes. `slab_reclaimable` is part of `cached` too, as in the collector.
fn states(table: Table<'_>, total: u64) -> [(&'static str, u64); 6] {
    let bytes = |name| table.bytes(name).unwrap_or_default();
    let (free, buffered, reclaimable) = (bytes("MemFree"), bytes("Buffers"), bytes("SReclaimable"));
    let cached = bytes("Cached").saturating_add(reclaimable);
    let used = total.saturating_sub(free).saturating_sub(buffered).saturating_sub(cached);
    [
        ("used", used),
        ("free", free),
        ("buffered", buffered),
        ("cached", cached),
        ("slab_reclaimable", reclaimable),
        ("slab_unreclaimable", bytes("SUnreclaim")),
    ]
}

impl Scraper for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn scrape(&mut self, host: &Host, now: Timestamp) -> Result<Scraped, ScrapeError> {
        let file = "proc/meminfo";
        let text = host.read(file)?;
        let table = Table(&text);
        let total = table.bytes("MemTotal").filter(|total| *total > 0);
        let total = total.ok_or_else(|| host.missing(file, "MemTotal"))?;
        let states = states(table, total);
        let mut report = Report::new(&self.toggles, host.boot(), now);
        report.metric(&USAGE, |points| {
            states.iter().for_each(|(state, bytes)| points.int(&[("state", state)], *bytes));
        });
        report.metric(&UTILIZATION, |points| {
            for (state, bytes) in states {
                points.double(&[("state", state)], bytes as f64 / total as f64);
            }
        });
        report.metric(&LIMIT, |points| points.int(&[], total));
        report.metric(&PAGE_SIZE, |points| points.int(&[], rustix::param::page_size() as u64));
        for (spec, name) in [(&AVAILABLE, "MemAvailable"), (&DIRTY, "Dirty")] {
            report.metric(spec, |points| {
                if let Some(bytes) = table.bytes(name) {
                    points.int(&[], bytes);
                }
            });
        }
        Ok(report.finish().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn used_is_what_is_neither_free_nor_cache() {
        let table = Table(
            "MemTotal: 1000 kB\nMemFree: 300 kB\nBuffers: 50 kB\nCached: 200 kB\nSReclaimable: 40 kB\nSUnreclaim: 7 kB\n",
        );
        let kib = states(table, 1000 * 1024).map(|(state, bytes)| (state, bytes / 1024));
        let expected = [
            ("used", 410),
            ("free", 300),
            ("buffered", 50),
            ("cached", 240),
            ("slab_reclaimable", 40),
            ("slab_unreclaimable", 7),
        ];
        assert_eq!(kib, expected);
    }
}
