//! The host as its files show it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pdata::Timestamp;

use super::parse;

/// Why a scraper gave nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum ScrapeError {
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file does not say what it should.
    #[error("{} does not say {what}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
}

/// Where the host's files are, and when it started.
#[derive(Clone, Debug)]
pub(super) struct Host {
    root: PathBuf,
    /// Whether `root` is somebody else's: then `self` means another process than we are.
    foreign: bool,
    boot: Timestamp,
}

impl Host {
    /// The host whose root directory is `root`; empty means this one's.
    pub(super) fn new(root: &str) -> Result<Self, ScrapeError> {
        let foreign = !root.is_empty() && root != "/";
        let root = PathBuf::from(if foreign { root } else { "/" });
        let mut host = Self { root, foreign, boot: Timestamp::default() };
        let boot = parse::stat(&host.read("proc/stat")?).boot_secs;
        host.boot =
            Timestamp::from_secs(boot.ok_or_else(|| host.missing("proc/stat", "when the system started"))?);
        Ok(host)
    }

    /// When the system started.
    pub(super) const fn boot(&self) -> Timestamp {
        self.boot
    }

    /// How long ago that was.
    pub(super) const fn uptime(&self, now: Timestamp) -> Duration {
        now.since(self.boot)
    }

    /// The path of a file of the host.
    pub(super) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        let relative = relative.as_ref();
        self.root.join(relative.strip_prefix("/").unwrap_or(relative))
    }

    /// A file's text. Bytes that are not UTF-8 become replacement characters.
    pub(super) fn read(&self, relative: impl AsRef<Path>) -> Result<String, ScrapeError> {
        let path = self.path(relative);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(String::from_utf8(bytes)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())),
            Err(source) => Err(ScrapeError::Read { path, source }),
        }
    }

    /// A file that the kernel shows to each process in its own way, such as `net/dev`: as the host's first process sees
    /// it if the host is not ours, or else as we do.
    pub(super) fn read_shown(&self, relative: &str) -> Result<String, ScrapeError> {
        let first = if self.foreign { self.read(format!("proc/1/{relative}")).ok() } else { None };
        match first {
            Some(text) => Ok(text),
            None => self.read(format!("proc/self/{relative}")),
        }
    }

    /// The error for a file without what was looked for.
    pub(super) fn missing(&self, relative: impl AsRef<Path>, what: &'static str) -> ScrapeError {
        ScrapeError::Missing { path: self.path(relative), what }
    }

    /// The host's name.
    pub(super) fn name(&self) -> Option<String> {
        // In a container the kernel shows the container's name, but the mounted file the host's.
        let files: &[&str] = if self.foreign {
            &["etc/hostname", "proc/sys/kernel/hostname"]
        } else {
            &["proc/sys/kernel/hostname"]
        };
        let names = files.iter().filter_map(|file| self.read(file).ok());
        names.map(|name| name.trim().to_owned()).find(|name| !name.is_empty())
    }
}
