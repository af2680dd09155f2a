//! Settings of the `filelog` receiver: the collector's keys.

use std::collections::BTreeMap;

use config::{ByteSize, ComponentId, Duration, Invalid, Validate};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::encoding::Encoding;
use super::finder::Finder;
use super::operators::config::Operator;
use super::{operators, settings};

/// Settings of the `filelog` receiver.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "the collector's keys are what they are")]
pub struct Config {
    /// Patterns of the files to read: `*`, `?`, `[...]`, `{a,b}`, and `**` for any number of directories. Required.
    pub include: Vec<String>,
    /// Patterns of files not to read, though `include` matches them.
    pub exclude: Vec<String>,
    /// Files that were last written longer ago are not begun; `0s` begins them all.
    pub exclude_older_than: Duration,
    /// Where to begin in files that are there at the first start: `beginning` or `end`. Files that appear later, and
    /// files that were rotated while the collector was down, are always read from their beginning.
    pub start_at: StartAt,
    /// How often to look for new files and new content.
    pub poll_interval: Duration,
    /// How many of a file's first bytes identify it, beside its inode.
    pub fingerprint_size: ByteSize,
    /// The size of the collector's first read buffer. Has no effect here: one buffer serves all files.
    pub initial_buffer_size: ByteSize,
    /// A longer record is cut into several.
    pub max_log_size: ByteSize,
    /// At most so many files are kept open.
    pub max_concurrent_files: usize,
    /// At most so many times `max_concurrent_files` files are read in one poll; `0` reads them all.
    pub max_batches: usize,
    /// How the files' bytes are text.
    pub encoding: Encoding,
    /// Joins lines that belong together.
    pub multiline: Multiline,
    /// What is incomplete at the end of a file is taken for complete when nothing has followed for this long; `0s` waits
    /// forever.
    pub force_flush_period: Duration,
    /// Keep white space at the beginning of records.
    pub preserve_leading_whitespaces: bool,
    /// Keep white space at the end of records.
    pub preserve_trailing_whitespaces: bool,
    /// Add the file's name as `log.file.name`.
    pub include_file_name: bool,
    /// Add the file's path as `log.file.path`.
    pub include_file_path: bool,
    /// Add the file's name behind all symbolic links as `log.file.name_resolved`.
    pub include_file_name_resolved: bool,
    /// Add the file's path behind all symbolic links as `log.file.path_resolved`.
    pub include_file_path_resolved: bool,
    /// Add the name of the file's owner as `log.file.owner.name`.
    pub include_file_owner_name: bool,
    /// Add the name of the file's group as `log.file.owner.group.name`.
    pub include_file_owner_group_name: bool,
    /// Number each file's records in `log.file.record_number`, from 1.
    pub include_file_record_number: bool,
    /// Add the place of each record's first byte as `log.file.record_offset`.
    pub include_file_record_offset: bool,
    /// Delete each file as soon as all of it has been delivered. Needs `start_at: beginning`.
    pub delete_after_read: bool,
    /// Whether files are compressed: not at all (empty), `gzip`, or `auto` (those whose name ends in `.gz`).
    pub compression: Compression,
    /// How long to wait before a refused batch is sent again. A batch is never given up while it may still be taken.
    pub retry_on_failure: Retry,
    /// The storage extension that remembers how far each file has been read. Without one, a restart begins anew.
    pub storage: Option<ComponentId>,
    /// Attributes to add to every record.
    #[schemars(with = "BTreeMap<String, Scalar>")]
    pub attributes: IndexMap<String, Scalar>,
    /// Attributes to add to every record's resource.
    #[schemars(with = "BTreeMap<String, Scalar>")]
    pub resource: IndexMap<String, Scalar>,
    /// What to do with each record, in this order.
    pub operators: Vec<Operator>,
}

/// Where to begin in files that are there at the first start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StartAt {
    /// With what is in them.
    Beginning,
    /// With what is added to them.
    #[default]
    End,
}

/// Whether files are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// None is.
    #[default]
    #[serde(rename = "")]
    None,
    /// All are, with gzip.
    Gzip,
    /// Those are whose name ends in `.gz`.
    Auto,
}

/// Joins lines that belong together. At most one of the patterns may be given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Multiline {
    /// A regular expression that the beginning of each record matches.
    pub line_start_pattern: String,
    /// A regular expression that the end of each record matches.
    pub line_end_pattern: String,
    /// Leave out what the pattern matches.
    pub omit_pattern: bool,
}

/// How long to wait before a refused batch is sent again.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// Has no effect: a batch that may still be taken is always sent again, so that nothing is lost.
    pub enabled: bool,
    /// The first wait.
    pub initial_interval: Duration,
    /// The longest wait.
    pub max_interval: Duration,
    /// Has no effect: a batch is never given up while it may still be taken.
    pub max_elapsed_time: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            enabled: true,
            initial_interval: Duration::from_secs(1),
            max_interval: Duration::from_secs(30),
            max_elapsed_time: Duration::default(),
        }
    }
}

/// A text, a number or a truth value.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Scalar {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Double(f64),
    /// Text.
    String(String),
}

impl Default for Config {
    fn default() -> Self {
        Self {
            include: Vec::new(),
            exclude: Vec::new(),
            exclude_older_than: Duration::default(),
            start_at: StartAt::default(),
            poll_interval: Duration::from_millis(200),
            fingerprint_size: ByteSize(1000),
            initial_buffer_size: ByteSize(16 << 10),
            max_log_size: ByteSize::from_mib(1),
            max_concurrent_files: 1024,
            max_batches: 0,
            encoding: Encoding::default(),
            multiline: Multiline::default(),
            force_flush_period: Duration::from_millis(500),
            preserve_leading_whitespaces: false,
            preserve_trailing_whitespaces: false,
            include_file_name: true,
            include_file_path: false,
            include_file_name_resolved: false,
            include_file_path_resolved: false,
            include_file_owner_name: false,
            include_file_owner_group_name: false,
            include_file_record_number: false,
            include_file_record_offset: false,
            delete_after_read: false,
            compression: Compression::default(),
            retry_on_failure: Retry::default(),
            storage: None,
            attributes: IndexMap::new(),
            resource: IndexMap::new(),
            operators: Vec::new(),
        }
    }
}

/// Records may not be longer: a batch that holds one must still fit through the pipeline.
const LONGEST_RECORD: ByteSize = ByteSize::from_mib(64);

impl Validate for Config {
    fn validate(&self) -> Result<(), Invalid> {
        Invalid::unless(!self.include.is_empty(), "include", "is required: patterns of the files to read")?;
        for (field, patterns) in [("include", &self.include), ("exclude", &self.exclude)] {
            Finder::new(patterns, patterns).map_err(|error| Invalid::new(field, error.to_string()))?;
        }
        Invalid::unless(!self.poll_interval.is_zero(), "poll_interval", "must be positive")?;
        let fits = (16..=1 << 20).contains(&self.fingerprint_size.0);
        Invalid::unless(fits, "fingerprint_size", "must be between 16B and 1MiB")?;
        let fits = (4..=LONGEST_RECORD.0).contains(&self.max_log_size.0);
        Invalid::unless(fits, "max_log_size", "must be between 4B and 64MiB")?;
        Invalid::unless(self.max_concurrent_files > 0, "max_concurrent_files", "must be at least 1")?;
        let may_delete = !self.delete_after_read || self.start_at == StartAt::Beginning;
        Invalid::unless(may_delete, "delete_after_read", "needs `start_at: beginning`")?;
        Invalid::unless(
            !self.retry_on_failure.initial_interval.is_zero(),
            "retry_on_failure.initial_interval",
            "must be positive",
        )?;
        self.validate_multiline()?;
        operators::Pipeline::new(&self.operators)
            .map(drop)
            .map_err(|error| Invalid::new("operators", error.to_string()))
    }

    fn references(&self) -> Vec<ComponentId> {
        self.storage.iter().cloned().collect()
    }
}

impl Config {
    fn validate_multiline(&self) -> Result<(), Invalid> {
        let Multiline { line_start_pattern, line_end_pattern, .. } = &self.multiline;
        let both = !line_start_pattern.is_empty() && !line_end_pattern.is_empty();
        Invalid::unless(
            !both,
            "multiline",
            "may have a `line_start_pattern` or a `line_end_pattern`, not both",
        )?;
        let any = !line_start_pattern.is_empty() || !line_end_pattern.is_empty();
        let fits = !any || !(self.encoding.is_wide() || self.encoding == Encoding::Nop);
        Invalid::unless(fits, "multiline", "needs an encoding of one byte units: utf-8, ascii or latin-1")?;
        for (field, text) in [
            ("multiline.line_start_pattern", line_start_pattern),
            ("multiline.line_end_pattern", line_end_pattern),
        ] {
            settings::pattern(text).map_err(|error| Invalid::new(field, error.to_string()))?;
        }
        Ok(())
    }
}
