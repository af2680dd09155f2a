//! Space and inodes of file systems, from `mountinfo` and `statvfs`.

use std::collections::HashSet;

use ::config::Invalid;
use pdata::Timestamp;
use rustix::fs::StatVfs;

use super::{Host, ScrapeError, Scraped, Scraper};
use crate::emit::{Kind, Report, Spec, Toggles};
use crate::hostmetrics::config;
use crate::hostmetrics::filter::Selection;
use crate::hostmetrics::parse::{self, Mount};

static USAGE: Spec = Spec {
    name: "system.filesystem.usage",
    unit: "By",
    description: "Filesystem bytes used.",
    kind: Kind::UpDown,
    default: true,
};
static INODES: Spec = Spec {
    name: "system.filesystem.inodes.usage",
    unit: "{inodes}",
    description: "FileSystem inodes used.",
    kind: Kind::UpDown,
    default: true,
};
static UTILIZATION: Spec = Spec {
    name: "system.filesystem.utilization",
    unit: "1",
    description: "Fraction of filesystem bytes used.",
    kind: Kind::Gauge,
    default: false,
};

/// What this scraper has.
pub(in crate::hostmetrics) static METRICS: &[&Spec] = &[&USAGE, &INODES, &UTILIZATION];

/// The `filesystem` scraper.
#[derive(Debug)]
pub(super) struct Filesystem {
    toggles: Toggles,
    with_virtual: bool,
    devices: Selection,
    types: Selection,
    points: Selection,
}

/// How full a file system is.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Usage {
    used: u64,
    free: u64,
    /// Free, but only for the superuser.
    reserved: u64,
    inodes_used: u64,
    inodes_free: u64,
}

impl From<&StatVfs> for Usage {
    fn from(stat: &StatVfs) -> Self {
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        Self {
            used: bytes(stat.f_blocks.saturating_sub(stat.f_bfree)),
            free: bytes(stat.f_bavail),
            reserved: bytes(stat.f_bfree.saturating_sub(stat.f_bavail)),
            inodes_used: stat.f_files.saturating_sub(stat.f_ffree),
            inodes_free: stat.f_ffree,
        }
    }
}

impl Filesystem {
    pub(super) fn new(config: &config::Filesystem) -> Result<Self, Invalid> {
        let [devices, types, points] = config.selections()?;
        let with_virtual = config.include_virtual_filesystems;
        Ok(Self { toggles: config.metrics.clone(), with_virtual, devices, types, points })
    }

    /// The mounts of interest; of those at one place only the last, which hides the others.
    fn mounts(&self, host: &Host) -> Result<Vec<Mount>, ScrapeError> {
        let physical = if self.with_virtual {
            HashSet::new()
        } else {
            parse::physical_types(&host.read("proc/filesystems")?)
        };
        let mut seen = HashSet::new();
        let mut mounts = parse::mounts(&host.read_shown("mountinfo")?);
        mounts.reverse();
        mounts.retain(|mount| {
            seen.insert(mount.point.clone())
                && (self.with_virtual || physical.contains(&mount.fs_type))
                && self.devices.has(&mount.device)
                && self.types.has(&mount.fs_type)
                && self.points.has(&mount.point)
        });
        mounts.reverse();
        Ok(mounts)
    }
}

impl Scraper for Filesystem {
    fn name(&self) -> &'static str {
        "filesystem"
    }

    fn scrape(&mut self, host: &Host, now: Timestamp) -> Result<Scraped, ScrapeError> {
        let mut errors = 0;
        let mut usages = Vec::new();
        for mount in self.mounts(host)? {
            match rustix::fs::statvfs(host.path(&mount.point)) {
                // What has no blocks, such as procfs, has no space to be used.
                Ok(stat) if stat.f_blocks == 0 => {}
                Ok(stat) => usages.push((mount, Usage::from(&stat))),
                Err(error) => {
                    tracing::debug!(mount_point = mount.point, %error, "cannot read the file system's usage");
                    errors += 1;
                }
            }
        }
        let mut report = Report::new(&self.toggles, host.boot(), now);
        report.metric(&USAGE, |points| {
            for (mount, usage) in &usages {
                for (state, value) in
                    [("used", usage.used), ("free", usage.free), ("reserved", usage.reserved)]
                {
                    points.int(&attributes(mount, Some(state)), value);
                }
            }
        });
        report.metric(&INODES, |points| {
            for (mount, usage) in &usages {
                for (state, value) in [("used", usage.inodes_used), ("free", usage.inodes_free)] {
                    points.int(&attributes(mount, Some(state)), value);
                }
            }
        });
        report.metric(&UTILIZATION, |points| {
            for (mount, usage) in &usages {
                let share = usage.used as f64 / usage.used.saturating_add(usage.free) as f64;
                points.double(&attributes(mount, None), share);
            }
        });
        Ok(Scraped { errors, ..report.finish().into() })
    }
}

fn attributes<'a>(mount: &'a Mount, state: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
    let mut attributes = vec![
        ("device", mount.device.as_str()),
        ("mode", mount.mode),
        ("mountpoint", mount.point.as_str()),
        ("type", mount.fs_type.as_str()),
    ];
    attributes.extend(state.map(|state| ("state", state)));
    attributes
}
