//! Swap space, paging operations and faults, from `/proc/swaps` and `/proc/vmstat`.

use pdata::Timestamp;

use super::{Host, ScrapeError, Scraped, Scraper};
use crate::emit::{Kind, Report, Spec, Toggles};
use crate::hostmetrics::config::Plain;
use crate::hostmetrics::parse::{self, Table};

static USAGE: Spec = Spec {
    name: "system.paging.usage",
    unit: "By",
    description: "Swap (unix) or pagefile (windows) usage.",
    kind: Kind::UpDown,
    default: true,
};
static UTILIZATION: Spec = Spec {
    name: "system.paging.utilization",
    unit: "1",
    description: "Swap (unix) or pagefile (windows) utilization.",
    kind: Kind::Gauge,
    default: false,
};
static OPERATIONS: Spec = Spec {
    name: "system.paging.operations",
    unit: "{operations}",
    description: "The number of paging operations.",
    kind: Kind::Counter,
    default: true,
};
static FAULTS: Spec = Spec {
    name: "system.paging.faults",
    unit: "{faults}",
    description: "The number of page faults.",
    kind: Kind::Counter,
    default: true,
};

/// What this scraper has.
pub(in crate::hostmetrics) static METRICS: &[&Spec] = &[&USAGE, &UTILIZATION, &OPERATIONS, &FAULTS];

/// Direction, type, and the kernel's counter.
const COUNTERS: [(&str, &str, &str); 4] = [
    ("page_in", "major", "pswpin"),
    ("page_out", "major", "pswpout"),
    ("page_in", "minor", "pgpgin"),
    ("page_out", "minor", "pgpgout"),
];

/// The `paging` scraper.
#[derive(Debug)]
pub(super) struct Paging {
    toggles: Toggles,
}

impl Paging {
    pub(super) fn new(config: &Plain) -> Self {
        Self { toggles: config.metrics.clone() }
    }
}

impl Scraper for Paging {
    fn name(&self) -> &'static str {
        "paging"
    }

    fn scrape(&mut self, host: &Host, now: Timestamp) -> Result<Scraped, ScrapeError> {
        let vmstat = host.read("proc/vmstat")?;
        let table = Table(&vmstat);
        let mut report = Report::new(&self.toggles, host.boot(), now);
        if report.wants(&USAGE) || report.wants(&UTILIZATION) {
            // A kernel without swapping has no such file, and no swap.
            let swaps = host.read("proc/swaps").map(|text| parse::swaps(&text)).unwrap_or_default();
            report.metric(&USAGE, |points| {
                for swap in &swaps {
                    let free = swap.size.saturating_sub(swap.used);
                    for (state, bytes) in [("used", swap.used), ("free", free)] {
                        points.int(&[("device", &swap.device), ("state", state)], bytes);
                    }
                }
            });
            report.metric(&UTILIZATION, |points| {
                for swap in &swaps {
                    let used = swap.used as f64 / swap.size as f64;
                    for (state, share) in [("used", used), ("free", 1.0 - used)] {
                        points.double(&[("device", &swap.device), ("state", state)], share);
                    }
                }
            });
        }
        report.metric(&OPERATIONS, |points| {
            for (direction, kind, counter) in COUNTERS {
                if let Some(count) = table.count(counter) {
                    points.int(&[("direction", direction), ("type", kind)], count);
                }
            }
        });
        report.metric(&FAULTS, |points| {
            if let (Some(all), Some(major)) = (table.count("pgfault"), table.count("pgmajfault")) {
                points.int(&[("type", "major")], major);
                points.int(&[("type", "minor")], all.saturating_sub(major));
            }
        });
        Ok(report.finish().into())
    }
}
