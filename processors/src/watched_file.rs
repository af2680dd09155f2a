//! A file beside the configuration that may change while the processor runs.
//!
//! In: a path and how the text is read. Out: what the file says. A changed file is read again when somebody asks; one that has
//! become unreadable leaves the last good content in force.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Larger files are refused.
const MAX_BYTES: u64 = 8 << 20;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// The file could not be read.
    #[error("cannot read the {what} {}: {source}", path.display())]
    Read {
        /// What the file is.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("the {what} {} is not usable: {reason}", path.display())]
    Malformed {
        /// What the file is.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// What tells one version of a file from another.
type Version = (Option<SystemTime>, u64);

/// How the text of a file is read; the error says why it cannot be.
type Parse<T> = fn(&str) -> Result<T, String>;

/// A file, and what it said when it was last good.
pub(crate) struct WatchedFile<T> {
    what: &'static str,
    path: PathBuf,
    parse: Parse<T>,
    version: Version,
    content: T,
}

impl<T> WatchedFile<T> {
    /// Reads the file; `what` names it in errors.
    pub(crate) fn open(what: &'static str, path: &Path, parse: Parse<T>) -> Result<Self, FileError> {
        let version = version(what, path)?;
        let content = read(what, path, parse)?;
        Ok(Self { what, path: path.to_owned(), parse, version, content })
    }

    /// Reads the file again if it has changed; returns whether it has. A file that is wrong is tried again only after
    /// its next change.
    pub(crate) fn reload(&mut self) -> Result<bool, FileError> {
        let version = version(self.what, &self.path)?;
        if version == self.version {
            return Ok(false);
        }
        self.version = version;
        self.content = read(self.what, &self.path, self.parse)?;
        Ok(true)
    }

    /// What it says.
    pub(crate) const fn content(&self) -> &T {
        &self.content
    }
}

fn version(what: &'static str, path: &Path) -> Result<Version, FileError> {
    let metadata =
        std::fs::metadata(path).map_err(|source| FileError::Read { what, path: path.to_owned(), source })?;
    Ok((metadata.modified().ok(), metadata.len()))
}

fn read<T>(what: &'static str, path: &Path, parse: Parse<T>) -> Result<T, FileError> {
    let malformed = |reason| FileError::Malformed { what, path: path.to_owned(), reason };
    if version(what, path)?.1 > MAX_BYTES {
        return Err(malformed(format!("it is larger than {} MiB", MAX_BYTES >> 20)));
    }
    let text = std::fs::read_to_string(path).map_err(|source| FileError::Read {
        what,
        path: path.to_owned(),
        source,
    })?;
    parse(&text).map_err(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_not_there_too_large_or_wrong_are_refused_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.yaml");
        let open = || WatchedFile::open("list", &path, |text| text.parse::<u32>().map_err(|e| e.to_string()));
        let refused = || open().err().unwrap().to_string();
        assert!(refused().starts_with(&format!("cannot read the list {}", path.display())));
        std::fs::write(&path, "oops").unwrap();
        assert!(refused().contains("is not usable: invalid digit"));
        std::fs::File::create(&path).unwrap().set_len(MAX_BYTES + 1).unwrap();
        assert!(refused().contains("larger than 8 MiB"));
        std::fs::write(&path, "7").unwrap();
        let mut file = open().unwrap();
        std::fs::write(&path, "wrong").unwrap();
        assert!(file.reload().is_err());
        assert!(!file.reload().unwrap(), "it is not tried again before it changes");
        assert_eq!(*file.content(), 7);
        std::fs::write(&path, "71").unwrap();
        assert!(file.reload().unwrap());
        assert_eq!(*file.content(), 71);
    }
}
