//! Settings of the `hostmetrics` receiver, with the collector's keys.

use config::{Duration, Invalid, Validate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filter::{Devices, FsTypes, Interfaces, MountPoints, Names, Selection};
use super::scrapers;
use crate::emit::{Spec, Toggles};

/// Settings of the `hostmetrics` receiver.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How often metrics are read.
    pub collection_interval: Duration,
    /// How long to wait before the first reading.
    pub initial_delay: Duration,
    /// How long one reading may take; a file system that hangs then delays nothing else. `0s` means the interval.
    pub timeout: Duration,
    /// Where the host's root directory is mounted, when running in a container. Empty means `/`.
    pub root_path: String,
    /// Accepted for the collector's sake: entity events are not emitted.
    pub metadata_collection_interval: Duration,
    /// What to read. A scraper runs if its key is there.
    pub scrapers: Scrapers,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            collection_interval: Duration::from_secs(60),
            initial_delay: Duration::from_secs(1),
            timeout: Duration::from_secs(0),
            root_path: String::new(),
            metadata_collection_interval: Duration::from_secs(300),
            scrapers: Scrapers::default(),
        }
    }
}

/// What to read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Scrapers {
    /// Time of each logical CPU by state.
    #[serde(deserialize_with = "::config::present")]
    pub cpu: Option<Plain>,
    /// Bytes, operations and time of block devices.
    #[serde(deserialize_with = "::config::present")]
    pub disk: Option<Disk>,
    /// Space and inodes of file systems.
    #[serde(deserialize_with = "::config::present")]
    pub filesystem: Option<Filesystem>,
    /// Load averages.
    #[serde(deserialize_with = "::config::present")]
    pub load: Option<Load>,
    /// Memory by state.
    #[serde(deserialize_with = "::config::present")]
    pub memory: Option<Plain>,
    /// Bytes, packets, errors and drops of interfaces, and TCP connections by state.
    #[serde(deserialize_with = "::config::present")]
    pub network: Option<Network>,
    /// Swap space, paging operations and faults.
    #[serde(deserialize_with = "::config::present")]
    pub paging: Option<Plain>,
    /// CPU, memory and disk use of every process.
    #[serde(deserialize_with = "::config::present")]
    pub process: Option<Process>,
    /// How many processes there are, by state, and how many were created.
    #[serde(deserialize_with = "::config::present")]
    pub processes: Option<Plain>,
    /// How long the system has been up.
    #[serde(deserialize_with = "::config::present")]
    pub system: Option<Plain>,
}

/// Settings of a scraper that has no other settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Plain {
    /// Metrics to switch on or off, by name.
    pub metrics: Toggles,
}

/// Settings of the `disk` scraper.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Disk {
    /// Metrics to switch on or off, by name.
    pub metrics: Toggles,
    /// Only these devices.
    pub include: Devices,
    /// Not these devices.
    pub exclude: Devices,
}

/// Settings of the `filesystem` scraper.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Filesystem {
    /// Metrics to switch on or off, by name.
    pub metrics: Toggles,
    /// Whether to read file systems without a device too, such as tmpfs.
    pub include_virtual_filesystems: bool,
    /// Only these devices.
    pub include_devices: Devices,
    /// Not these devices.
    pub exclude_devices: Devices,
    /// Only file systems of these types.
    pub include_fs_types: FsTypes,
    /// No file systems of these types.
    pub exclude_fs_types: FsTypes,
    /// Only file systems that are mounted here.
    pub include_mount_points: MountPoints,
    /// No file systems that are mounted here.
    pub exclude_mount_points: MountPoints,
}

/// Settings of the `load` scraper.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Load {
    /// Metrics to switch on or off, by name.
    pub metrics: Toggles,
    /// Whether to divide the load by the number of logical CPUs.
    pub cpu_average: bool,
}

/// Settings of the `network` scraper.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// Metrics to switch on or off, by name.
    pub metrics: Toggles,
    /// Only these interfaces.
    pub include: Interfaces,
    /// Not these interfaces.
    pub exclude: Interfaces,
}

/// Settings of the `process` scraper.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Process {
    /// Metrics to switch on or off, by name.
    pub metrics: Toggles,
    /// Resource attributes to switch on or off, by name.
    pub resource_attributes: Toggles,
    /// Only these processes.
    pub include: Names,
    /// Not these processes.
    pub exclude: Names,
    /// Processes younger than this are left out.
    pub scrape_process_delay: Duration,
    /// Do not count anything about a process that cannot be read as an error.
    pub mute_process_all_errors: bool,
    /// Do not count a name that cannot be read as an error.
    pub mute_process_name_error: bool,
    /// Do not count a path of an executable that cannot be read as an error.
    pub mute_process_exe_error: bool,
    /// Do not count input and output that cannot be read as an error.
    pub mute_process_io_error: bool,
    /// Accepted for the collector's sake: a user without a name is shown by its number.
    pub mute_process_user_error: bool,
    /// Do not count a cgroup that cannot be read as an error.
    pub mute_process_cgroup_error: bool,
}

impl Disk {
    pub(super) fn selection(&self) -> Result<Selection, Invalid> {
        let field = |key| format!("scrapers.disk.{key}");
        Ok(Selection {
            include: self.include.compile(&field("include"))?,
            exclude: self.exclude.compile(&field("exclude"))?,
        })
    }
}

impl Filesystem {
    /// Of devices, types and mount points.
    pub(super) fn selections(&self) -> Result<[Selection; 3], Invalid> {
        let field = |key| format!("scrapers.filesystem.{key}");
        Ok([
            Selection {
                include: self.include_devices.compile(&field("include_devices"))?,
                exclude: self.exclude_devices.compile(&field("exclude_devices"))?,
            },
            Selection {
                include: self.include_fs_types.compile(&field("include_fs_types"))?,
                exclude: self.exclude_fs_types.compile(&field("exclude_fs_types"))?,
            },
            Selection {
                include: self.include_mount_points.compile(&field("include_mount_points"))?,
                exclude: self.exclude_mount_points.compile(&field("exclude_mount_points"))?,
            },
        ])
    }
}

impl Network {
    pub(super) fn selection(&self) -> Result<Selection, Invalid> {
        let field = |key| format!("scrapers.network.{key}");
        Ok(Selection {
            include: self.include.compile(&field("include"))?,
            exclude: self.exclude.compile(&field("exclude"))?,
        })
    }
}

impl Process {
    pub(super) fn selection(&self) -> Result<Selection, Invalid> {
        let field = |key| format!("scrapers.process.{key}");
        Ok(Selection {
            include: self.include.compile(&field("include"))?,
            exclude: self.exclude.compile(&field("exclude"))?,
        })
    }
}

impl Scrapers {
    /// The switches of each scraper that runs, and the metrics that it has.
    fn toggles(&self) -> Vec<(&'static str, &Toggles, &'static [&'static Spec])> {
        [
            self.cpu.as_ref().map(|config| ("cpu", &config.metrics, scrapers::cpu::METRICS)),
            self.disk.as_ref().map(|config| ("disk", &config.metrics, scrapers::disk::METRICS)),
            self.filesystem
                .as_ref()
                .map(|config| ("filesystem", &config.metrics, scrapers::filesystem::METRICS)),
            self.load.as_ref().map(|config| ("load", &config.metrics, scrapers::load::METRICS)),
            self.memory.as_ref().map(|config| ("memory", &config.metrics, scrapers::memory::METRICS)),
            self.network.as_ref().map(|config| ("network", &config.metrics, scrapers::network::METRICS)),
            self.paging.as_ref().map(|config| ("paging", &config.metrics, scrapers::paging::METRICS)),
            self.process.as_ref().map(|config| ("process", &config.metrics, scrapers::process::METRICS)),
            self.processes
                .as_ref()
                .map(|config| ("processes", &config.metrics, scrapers::processes::METRICS)),
            self.system.as_ref().map(|config| ("system", &config.metrics, scrapers::system::METRICS)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl Validate for Config {
    fn validate(&self) -> Result<(), Invalid> {
        let interval = !self.collection_interval.is_zero();
        Invalid::unless(interval, "collection_interval", "must be more than 0s")?;
        let toggles = self.scrapers.toggles();
        Invalid::unless(!toggles.is_empty(), "scrapers", "must have at least one scraper")?;
        for (name, toggles, specs) in toggles {
            toggles.validate(&format!("scrapers.{name}.metrics"), specs.iter().map(|spec| spec.name))?;
        }
        if let Some(disk) = &self.scrapers.disk {
            disk.selection()?;
        }
        if let Some(filesystem) = &self.scrapers.filesystem {
            filesystem.selections()?;
        }
        if let Some(network) = &self.scrapers.network {
            network.selection()?;
        }
        if let Some(process) = &self.scrapers.process {
            process.selection()?;
            let known = scrapers::process::ATTRIBUTES.iter().map(|(name, _)| *name);
            process.resource_attributes.validate("scrapers.process.resource_attributes", known)?;
        }
        Ok(())
    }
}
