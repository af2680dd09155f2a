//! One component's space: a directory with one file per entry.
//!
//! Files end in `.entry`; while they are written in `.entry.tmp-<n>`; set aside in `.entry.corrupt-<n>`. No entry's name
//! can look like the other two, because every entry's own file ends in `.entry`.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use component::{Counter, StorageClient, StorageError};

use super::directory::{at, sync};
use super::{entry, names};

const TEMPORARY: &str = ".entry.tmp-";
/// How many damaged copies of an entry are kept for whoever wants to look at them.
const KEPT: u32 = 16;

/// Whether a file is one that was being written.
pub(super) fn is_temporary(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| {
        name.rsplit_once(TEMPORARY)
            .is_some_and(|(_, n)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// What all clients of a space share.
#[derive(Debug)]
pub(super) struct Shared {
    path: PathBuf,
    /// Held while files change their names, so that a reader that found damage does not set aside the good entry that a
    /// writer has put there in the meantime.
    renaming: Mutex<()>,
    next_temporary: AtomicU64,
}

impl Shared {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, renaming: Mutex::default(), next_temporary: AtomicU64::new(0) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory for files that the component manages itself.
    pub(super) fn files(&self) -> PathBuf {
        self.path.join("files")
    }
}

/// A component's way to its space.
#[derive(Debug)]
pub(super) struct Space {
    pub(super) shared: Arc<Shared>,
    pub(super) fsync: bool,
    pub(super) corrupt: Counter,
}

impl Space {
    fn file(&self, name: &str) -> PathBuf {
        self.shared.path.join(format!("{}.entry", names::escape(name)))
    }

    /// Renames a damaged entry, unless it was replaced by a good one since. Returns that one.
    fn set_aside(&self, file: &Path) -> Result<Option<Vec<u8>>, StorageError> {
        let _renaming = self.shared.renaming.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bytes) = read(file)? else { return Ok(None) };
        let damage = match entry::decode(bytes) {
            Ok(value) => return Ok(Some(value)),
            Err(damage) => damage,
        };
        self.corrupt.add(1);
        let aside = |n: u32| {
            let mut name = file.as_os_str().to_owned();
            name.push(format!(".corrupt-{n}"));
            PathBuf::from(name)
        };
        let target = (1..KEPT).map(aside).find(|path| !path.exists()).unwrap_or_else(|| aside(KEPT));
        match fs::rename(file, &target) {
            Ok(()) => tracing::error!(
                entry = %file.display(), set_aside = %target.display(), %damage,
                "a stored entry is damaged: it was set aside and counts as not stored"
            ),
            Err(error) => tracing::error!(
                entry = %file.display(), %damage, %error,
                "a stored entry is damaged and could not be set aside: it counts as not stored"
            ),
        }
        Ok(None)
    }

    fn write_temporary(&self, temporary: &Path, value: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(temporary)?;
        file.write_all(&entry::encode(value))?;
        if self.fsync { file.sync_all() } else { Ok(()) }
    }

    fn sync_directory(&self) -> Result<(), StorageError> {
        if !self.fsync {
            return Ok(());
        }
        sync(&self.shared.path).map_err(|source| at(&self.shared.path, source))
    }
}

impl StorageClient for Space {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StorageError> {
        let file = self.file(name);
        let Some(bytes) = read(&file)? else { return Ok(None) };
        match entry::decode(bytes) {
            Ok(value) => Ok(Some(value)),
            Err(_) => self.set_aside(&file),
        }
    }

    fn set(&self, name: &str, value: &[u8]) -> Result<(), StorageError> {
        let file = self.file(name);
        let n = self.shared.next_temporary.fetch_add(1, Ordering::Relaxed);
        let temporary = self.shared.path.join(format!("{}{TEMPORARY}{n}", names::escape(name)));
        let written = self.write_temporary(&temporary, value).and_then(|()| {
            let _renaming = self.shared.renaming.lock().unwrap_or_else(PoisonError::into_inner);
            fs::rename(&temporary, &file)
        });
        if let Err(source) = written {
            // The first error is the one to tell; what is left over is removed at the next start.
            let _ = fs::remove_file(&temporary);
            return Err(at(&file, source));
        }
        self.sync_directory()
    }

    fn delete(&self, name: &str) -> Result<(), StorageError> {
        let file = self.file(name);
        let removed = {
            let _renaming = self.shared.renaming.lock().unwrap_or_else(PoisonError::into_inner);
            fs::remove_file(&file)
        };
        match removed {
            Ok(()) => self.sync_directory(),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(source) => Err(at(&file, source)),
        }
    }

    fn directory(&self) -> PathBuf {
        self.shared.files()
    }
}

fn read(file: &Path) -> Result<Option<Vec<u8>>, StorageError> {
    match fs::read(file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(at(file, source)),
    }
}
