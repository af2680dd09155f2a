//! The files that were put aside: their names, and which of them are kept.
//!
//! Names are those of the collector: `name-2006-01-02T15-04-05.000.ext`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use component::Clock;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::config::Rotation;

const TIME_FORMAT: &str = "%Y-%m-%dT%H-%M-%S%.3f";

/// The files that were put aside.
pub(super) struct Backups {
    path: PathBuf,
    prefix: String,
    suffix: String,
    rotation: Rotation,
    zone: TimeZone,
    clock: Clock,
}

impl Backups {
    /// Those of the file at `path`.
    pub(super) fn new(path: &Path, rotation: Rotation, clock: Clock) -> Self {
        let text = |part: Option<&OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
        Self {
            prefix: format!("{}-", text(path.file_stem())),
            suffix: path.extension().map_or_else(String::new, |ext| format!(".{}", ext.to_string_lossy())),
            zone: if rotation.localtime { TimeZone::system() } else { TimeZone::UTC },
            path: path.to_owned(),
            rotation,
            clock,
        }
    }

    /// No file becomes larger than this.
    pub(super) const fn max_bytes(&self) -> u64 {
        self.rotation.max_megabytes.saturating_mul(1 << 20)
    }

    /// Gives the file another name, one that no other file has.
    pub(super) fn put_aside(&self) -> io::Result<PathBuf> {
        let mut time = self.now()?;
        loop {
            let name = format!("{}{}{}", self.prefix, self.text(time), self.suffix);
            let aside = self.path.with_file_name(name);
            match fs::symlink_metadata(&aside) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    fs::rename(&self.path, &aside)?;
                    return Ok(aside);
                }
                Err(error) => return Err(error),
                Ok(_) => time = time.checked_add(Duration::from_millis(1)).map_err(io::Error::other)?,
            }
        }
    }

    /// Deletes those that are too many or too old. What cannot be deleted stays, and the log says so.
    pub(super) fn prune(&self) {
        for path in self.surplus().unwrap_or_else(|error| {
            tracing::warn!(path = %self.path.display(), %error, "cannot look for rotated files");
            Vec::new()
        }) {
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(path = %path.display(), %error, "cannot delete a rotated file");
            }
        }
    }

    fn surplus(&self) -> io::Result<Vec<PathBuf>> {
        let Rotation { max_backups, max_days, .. } = self.rotation;
        if max_backups == 0 && max_days == 0 {
            return Ok(Vec::new());
        }
        let mut backups = self.list()?;
        // Newest first.
        backups.sort_unstable_by(|a, b| b.cmp(a));
        let oldest = match max_days {
            0 => Timestamp::MIN,
            days => {
                let age = Duration::from_secs(days.saturating_mul(24 * 60 * 60));
                self.now()?.checked_sub(age).unwrap_or(Timestamp::MIN)
            }
        };
        let is_surplus = |n: usize, time: Timestamp| (max_backups > 0 && n >= max_backups) || time < oldest;
        let surplus = backups.into_iter().enumerate().filter(|(n, (time, _))| is_surplus(*n, *time));
        Ok(surplus.map(|(_, (_, path))| path).collect())
    }

    fn list(&self) -> io::Result<Vec<(Timestamp, PathBuf)>> {
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let mut backups = Vec::new();
        for entry in fs::read_dir(parent.unwrap_or_else(|| Path::new(".")))? {
            let name = entry?.file_name();
            if let Some(time) = name.to_str().and_then(|name| self.time_of(name)) {
                backups.push((time, self.path.with_file_name(name)));
            }
        }
        Ok(backups)
    }

    fn time_of(&self, name: &str) -> Option<Timestamp> {
        let text = name.strip_prefix(&self.prefix)?.strip_suffix(&self.suffix)?;
        let time = DateTime::strptime(TIME_FORMAT, text).ok()?;
        self.zone.to_timestamp(time).ok()
    }

    fn text(&self, time: Timestamp) -> String {
        self.zone.to_datetime(time).strftime(TIME_FORMAT).to_string()
    }

    fn now(&self) -> io::Result<Timestamp> {
        Timestamp::from_nanosecond(i128::from(self.clock.now().as_nanos())).map_err(io::Error::other)
    }
}
