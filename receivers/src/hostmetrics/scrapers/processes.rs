//! How many processes there are, by state, and how many were created.

use std::collections::BTreeMap;

use pdata::Timestamp;

use super::process_files::process_ids;
use super::{Host, ScrapeError, Scraped, Scraper};
use crate::emit::{Kind, Report, Spec, Toggles};
use crate::hostmetrics::config::Plain;
use crate::hostmetrics::parse;

static COUNT: Spec = Spec {
    name: "system.processes.count",
    unit: "{processes}",
    description: "Total number of processes in each state.",
    kind: Kind::UpDown,
    default: true,
};
static CREATED: Spec = Spec {
    name: "system.processes.created",
    unit: "{processes}",
    description: "Total number of created processes.",
    kind: Kind::Counter,
    default: true,
};

/// What this scraper has.
pub(in crate::hostmetrics) static METRICS: &[&Spec] = &[&COUNT, &CREATED];

/// The states that are shown even when no process is in them, so that their series do not come and go.
const COMMON: [&str; 5] = ["blocked", "running", "sleeping", "stopped", "zombies"];

/// The `processes` scraper.
#[derive(Debug)]
pub(super) struct Processes {
    toggles: Toggles,
}

impl Processes {
    pub(super) fn new(config: &Plain) -> Self {
        Self { toggles: config.metrics.clone() }
    }
}

/// The collector's name for the kernel's letter.
const fn status(letter: char) -> &'static str {
    match letter {
        'R' => "running",
        'S' => "sleeping",
        'D' => "blocked",
        'I' => "idle",
        'T' | 't' => "stopped",
        'Z' => "zombies",
        'W' => "paging",
        'L' => "locked",
        _ => "unknown",
    }
}

impl Scraper for Processes {
    fn name(&self) -> &'static str {
        "processes"
    }

    fn scrape(&mut self, host: &Host, now: Timestamp) -> Result<Scraped, ScrapeError> {
        let mut report = Report::new(&self.toggles, host.boot(), now);
        if report.wants(&COUNT) {
            let mut counts: BTreeMap<_, u64> = COMMON.iter().map(|status| (*status, 0)).collect();
            for id in process_ids(host)? {
                // One that has ended since the listing is none.
                let stat =
                    host.read(format!("proc/{id}/stat")).ok().and_then(|text| parse::process_stat(&text));
                if let Some(stat) = stat {
                    *counts.entry(status(stat.state)).or_default() += 1;
                }
            }
            report.metric(&COUNT, |points| {
                counts.iter().for_each(|(status, count)| points.int(&[("status", status)], *count));
            });
        }
        if report.wants(&CREATED) {
            let file = "proc/stat";
            let created = parse::stat(&host.read(file)?).created;
            let created = created.ok_or_else(|| host.missing(file, "how many processes were created"))?;
            report.metric(&CREATED, |points| points.int(&[], created));
        }
        Ok(report.finish().into())
    }
}
