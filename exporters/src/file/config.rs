//! Settings of the `file` exporter: the collector's keys.

use std::path::PathBuf;

use config::{Duration, Invalid, Validate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the `file` exporter.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The file to write. Required.
    pub path: PathBuf,
    /// Keep what is in the file at the first start, and add to it; otherwise it is emptied. With `rotation` nothing is
    /// ever emptied.
    pub append: bool,
    /// When to put the file aside and begin a new one; without it the file grows.
    pub rotation: Option<Rotation>,
    /// The form of what is written.
    pub format: Format,
    /// How the file is compressed: not at all (empty or `none`), `zstd` or `gzip`.
    pub compression: Compression,
    /// The collector's interval between flushes. Has no effect: a batch is in the file before it counts as delivered.
    pub flush_interval: Duration,
    /// Create the file's directory if there is none.
    pub create_directory: bool,
    /// The permissions of a directory that is created, in octal.
    pub directory_permissions: String,
}

/// When to put the file aside and begin a new one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rotation {
    /// No file becomes larger than this many megabytes (2^20 bytes), unless a single batch is.
    pub max_megabytes: u64,
    /// Files that were put aside longer ago are deleted; `0` keeps them.
    pub max_days: u64,
    /// So many files that were put aside are kept; `0` keeps them all.
    pub max_backups: usize,
    /// Name files that are put aside by the machine's time zone, not by UTC.
    pub localtime: bool,
}

/// The form of what is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One line of OTLP/JSON for each batch, one line for each event.
    #[default]
    Json,
    /// OTLP protobuf; before each message its length, as four bytes, high byte first. Events as log records.
    Proto,
}

/// How the file is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    #[default]
    #[serde(rename = "", alias = "none")]
    None,
    /// With Zstandard: a frame for each batch.
    Zstd,
    /// With gzip: a member for each batch.
    Gzip,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            append: false,
            rotation: None,
            format: Format::default(),
            compression: Compression::default(),
            flush_interval: Duration::from_secs(1),
            create_directory: false,
            directory_permissions: "0755".to_owned(),
        }
    }
}

impl Default for Rotation {
    fn default() -> Self {
        Self { max_megabytes: 100, max_days: 0, max_backups: 100, localtime: false }
    }
}

impl Config {
    /// The permissions of a directory that is created; none if they are malformed.
    pub(super) fn directory_mode(&self) -> Option<u32> {
        u32::from_str_radix(&self.directory_permissions, 8).ok().filter(|mode| *mode <= 0o7777)
    }
}

impl Validate for Config {
    fn validate(&self) -> Result<(), Invalid> {
        Invalid::unless(self.path.file_name().is_some(), "path", "is required: the name of a file")?;
        if let Some(rotation) = &self.rotation {
            Invalid::unless(rotation.max_megabytes > 0, "rotation.max_megabytes", "must be at least 1")?;
        }
        let may_append = !self.append || self.compression == Compression::None;
        Invalid::unless(
            may_append,
            "append",
            "cannot add to a compressed file; use `rotation` to keep old data",
        )?;
        let octal = self.directory_mode().is_some();
        Invalid::unless(octal, "directory_permissions", "must be an octal number such as `0755`")
    }
}
