//! Bytes, operations and time of block devices, from `/proc/diskstats`.

use ::config::Invalid;
use pdata::Timestamp;

use super::{Host, ScrapeError, Scraped, Scraper};
use crate::emit::{Kind, Points, Report, Spec, Toggles};
use crate::hostmetrics::config;
use crate::hostmetrics::filter::Selection;
use crate::hostmetrics::parse;

/// All of this scraper's metrics are on by default.
const fn spec(name: &'static str, unit: &'static str, description: &'static str, kind: Kind) -> Spec {
    Spec { name, unit, description, kind, default: true }
}

static IO: Spec = spec("system.disk.io", "By", "Disk bytes transferred.", Kind::Counter);
static OPERATIONS: Spec =
    spec("system.disk.operations", "{operations}", "Disk operations count.", Kind::Counter);
static IO_TIME: Spec = spec("system.disk.io_time", "s", "Time disk spent activated.", Kind::Counter);
static OPERATION_TIME: Spec =
    spec("system.disk.operation_time", "s", "Time spent in disk operations.", Kind::Counter);
static WEIGHTED: Spec = spec(
    "system.disk.weighted_io_time",
    "s",
    "Time disk spent activated multiplied by the queue length.",
    Kind::Counter,
);
static PENDING: Spec = spec(
    "system.disk.pending_operations",
    "{operations}",
    "The queue size of pending I/O operations.",
    Kind::UpDown,
);
static MERGED: Spec = spec(
    "system.disk.merged",
    "{operations}",
    "The number of disk reads/writes merged into single physical disk access operations.",
    Kind::Counter,
);

/// What this scraper has.
pub(in crate::hostmetrics) static METRICS: &[&Spec] =
    &[&IO, &OPERATIONS, &IO_TIME, &OPERATION_TIME, &WEIGHTED, &PENDING, &MERGED];

/// The `disk` scraper.
#[derive(Debug)]
pub(super) struct Disk {
    toggles: Toggles,
    devices: Selection,
}

impl Disk {
    pub(super) fn new(config: &config::Disk) -> Result<Self, Invalid> {
        Ok(Self { toggles: config.metrics.clone(), devices: config.selection()? })
    }
}

impl Scraper for Disk {
    fn name(&self) -> &'static str {
        "disk"
    }

    fn scrape(&mut self, host: &Host, now: Timestamp) -> Result<Scraped, ScrapeError> {
        let mut disks = parse::disks(&host.read("proc/diskstats")?);
        disks.retain(|disk| self.devices.has(&disk.name));
        let each = |points: &mut Points, add: fn(&mut Points, (&str, &str), &parse::Disk)| {
            for disk in &disks {
                add(points, ("device", &disk.name), disk);
            }
        };
        let mut report = Report::new(&self.toggles, host.boot(), now);
        report.metric(&IO, |points| {
            each(points, |points, device, disk| {
                points.int(&[device, READ], disk.read.bytes);
                points.int(&[device, WRITE], disk.written.bytes);
            });
        });
        report.metric(&OPERATIONS, |points| {
            each(points, |points, device, disk| {
                points.int(&[device, READ], disk.read.operations);
                points.int(&[device, WRITE], disk.written.operations);
            });
        });
        report.metric(&IO_TIME, |points| {
            each(points, |points, device, disk| points.double(&[device], disk.busy));
        });
        report.metric(&OPERATION_TIME, |points| {
            each(points, |points, device, disk| {
                points.double(&[device, READ], disk.read.seconds);
                points.double(&[device, WRITE], disk.written.seconds);
            });
        });
        report.metric(&WEIGHTED, |points| {
            each(points, |points, device, disk| points.double(&[device], disk.weighted));
        });
        report.metric(&PENDING, |points| {
            each(points, |points, device, disk| points.int(&[device], disk.pending));
        });
        report.metric(&MERGED, |points| {
            each(points, |points, device, disk| {
                points.int(&[device, READ], disk.read.merged);
                points.int(&[device, WRITE], disk.written.merged);
            });
        });
        Ok(report.finish().into())
    }
}

const READ: (&str, &str) = ("direction", "read");
const WRITE: (&str, &str) = ("direction", "write");
