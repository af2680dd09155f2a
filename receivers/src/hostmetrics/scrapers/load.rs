//! Load averages, from `/proc/loadavg`.

use pdata::Timestamp;

use super::{Host, ScrapeError, Scraped, Scraper};
use crate::emit::{Kind, Report, Spec, Toggles};
use crate::hostmetrics::config;
use crate::hostmetrics::parse;

const fn spec(name: &'static str, description: &'static str) -> Spec {
    Spec { name, unit: "{thread}", description, kind: Kind::Gauge, default: true }
}

static ONE: Spec = spec("system.cpu.load_average.1m", "Average CPU Load over 1 minute.");
static FIVE: Spec = spec("system.cpu.load_average.5m", "Average CPU Load over 5 minutes.");
static FIFTEEN: Spec = spec("system.cpu.load_average.15m", "Average CPU Load over 15 minutes.");

/// What this scraper has.
pub(in crate::hostmetrics) static METRICS: &[&Spec] = &[&ONE, &FIVE, &FIFTEEN];

/// The `load` scraper.
#[derive(Debug)]
pub(super) struct Load {
    toggles: Toggles,
    per_cpu: bool,
}

impl Load {
    pub(super) fn new(config: &config::Load) -> Self {
        Self { toggles: config.metrics.clone(), per_cpu: config.cpu_average }
    }
}

impl Scraper for Load {
    fn name(&self) -> &'static str {
        "load"
    }

    fn scrape(&mut self, host: &Host, now: Timestamp) -> Result<Scraped, ScrapeError> {
        let file = "proc/loadavg";
        let loads = parse::load(&host.read(file)?).ok_or_else(|| host.missing(file, "three averages"))?;
        let divisor = if self.per_cpu { parse::stat(&host.read("proc/stat")?).cpus.len().max(1) } else { 1 };
        let mut report = Report::new(&self.toggles, host.boot(), now);
        for (spec, load) in METRICS.iter().zip(loads) {
            report.metric(spec, |points| points.double(&[], load / divisor as f64));
        }
        Ok(report.finish().into())
    }
}
