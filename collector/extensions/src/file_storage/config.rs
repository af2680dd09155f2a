//! Settings of the `file_storage` extension, with the collector's keys.

use config::{Duration, Invalid, Validate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the `file_storage` extension.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The directory that holds the state. No other process may use it at the same time.
    pub directory: String,
    /// How long to wait at the start for another process to let go of the directory.
    pub timeout: Duration,
    /// Whether to create the directory if it does not exist.
    pub create_directory: bool,
    /// Permissions of directories that are created, in octal, before the umask.
    pub directory_permissions: String,
    /// Whether every write is forced to the disk before it counts as done. True by default, unlike in the collector,
    /// so that what was stored survives a power cut.
    pub fsync: bool,
    /// Accepted for the collector's sake: damaged entries are always set aside, one by one.
    pub recreate: bool,
    /// Accepted for the collector's sake: one file per entry leaves nothing to compact.
    pub compaction: Compaction,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            directory: "/var/lib/otelcol/file_storage".to_owned(),
            timeout: Duration::from_secs(1),
            create_directory: true,
            directory_permissions: "0750".to_owned(),
            fsync: true,
            recreate: false,
            compaction: Compaction::default(),
        }
    }
}

impl Config {
    /// The permissions of new directories.
    pub(super) fn mode(&self) -> Option<u32> {
        u32::from_str_radix(&self.directory_permissions, 8).ok().filter(|mode| *mode <= 0o777)
    }
}

impl Validate for Config {
    fn validate(&self) -> Result<(), Invalid> {
        Invalid::unless(!self.directory.is_empty(), "directory", "must not be empty")?;
        let mode = self.mode();
        Invalid::unless(mode.is_some(), "directory_permissions", "must be octal, such as `0750`")?;
        // Without these the directory's owner, this process, could not use what it made.
        let usable = mode.is_some_and(|mode| mode & 0o700 == 0o700);
        Invalid::unless(usable, "directory_permissions", "must let the owner read, write and enter")
    }
}

/// The collector's compaction settings. None of them has an effect here.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Compaction {
    /// Whether the collector compacts at its start.
    pub on_start: bool,
    /// Whether the collector compacts when the space in use has shrunk.
    pub on_rebound: bool,
    /// Where the collector puts the copy that it compacts into.
    pub directory: String,
    /// Allocated space, in MiB, above which the collector wants to compact.
    pub rebound_needed_threshold_mib: u64,
    /// Space in use, in MiB, below which the collector then does compact.
    pub rebound_trigger_threshold_mib: u64,
    /// The largest transaction while the collector compacts.
    pub max_transaction_size: u64,
    /// How often the collector looks at the space in use.
    pub check_interval: Duration,
    /// Whether the collector removes left-over temporary files. Here they are always removed.
    pub cleanup_on_start: bool,
}

impl Default for Compaction {
    fn default() -> Self {
        Self {
            on_start: false,
            on_rebound: false,
            directory: "/var/lib/otelcol/file_storage".to_owned(),
            rebound_needed_threshold_mib: 100,
            rebound_trigger_threshold_mib: 10,
            max_transaction_size: 65_536,
            check_interval: Duration::from_secs(5),
            cleanup_on_start: false,
        }
    }
}
