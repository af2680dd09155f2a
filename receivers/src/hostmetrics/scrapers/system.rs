//! How long the system has been up.

use pdata::Timestamp;

use super::{Host, ScrapeError, Scraped, Scraper};
use crate::emit::{Kind, Report, Spec, Toggles};
use crate::hostmetrics::config::Plain;

static UPTIME: Spec = Spec {
    name: "system.uptime",
    unit: "s",
    description: "The time the system has been running.",
    kind: Kind::Gauge,
    default: true,
};

/// What this scraper has.
pub(in crate::hostmetrics) static METRICS: &[&Spec] = &[&UPTIME];

/// The `system` scraper.
#[derive(Debug)]
pub(super) struct System {
    toggles: Toggles,
}

impl System {
    pub(super) fn new(config: &Plain) -> Self {
        Self { toggles: config.metrics.clone() }
    }
}

impl Scraper for System {
    fn name(&self) -> &'static str {
        "system"
    }

    fn scrape(&mut self, host: &Host, now: Timestamp) -> Result<Scraped, ScrapeError> {
        let file = "proc/uptime";
        let text = host.read(file)?;
        let uptime = text.split_ascii_whitespace().next().and_then(|seconds| seconds.parse::<f64>().ok());
        let uptime = uptime.ok_or_else(|| host.missing(file, "how long the system has been up"))?;
        let mut report = Report::new(&self.toggles, host.boot(), now);
        report.metric(&UPTIME, |points| points.double(&[], uptime));
        Ok(report.finish().into())
    }
}
