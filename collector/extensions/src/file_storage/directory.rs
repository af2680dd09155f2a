//! The directory that holds all spaces, locked against other processes.
//!
//! Within this process it is opened once, however many extensions name it: a reload may start the new extension before
//! the old one has ended.

use std::collections::{BTreeMap, HashMap};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use component::StorageError;

use super::config::Config;
use super::space::{Shared, is_temporary};

const LOCK_FILE: &str = ".lock";

/// Directories that this process has open.
static OPEN: Mutex<BTreeMap<PathBuf, Weak<Directory>>> = Mutex::new(BTreeMap::new());

/// A locked directory.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Holds the lock until it is closed.
    _lock: File,
    spaces: Mutex<HashMap<String, Arc<Shared>>>,
}

/// Why the directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    /// Another process has it.
    #[error("{} is in use by {holder}: give every process a directory of its own", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
        /// Who has it, as far as is known.
        holder: String,
    },
    /// It does not work.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Directory {
    /// Opens the directory, or shares it if this process has it open already.
    pub(super) fn open(config: &Config) -> Result<Arc<Self>, OpenError> {
        let configured = Path::new(&config.directory);
        if config.create_directory {
            create(configured, config.mode().unwrap_or(0o750))?;
        }
        let path = configured.canonicalize().map_err(|source| at(configured, source))?;
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, directory| directory.strong_count() > 0);
        if let Some(directory) = open.get(&path).and_then(Weak::upgrade) {
            return Ok(directory);
        }
        let lock = lock(&path)?;
        // Nobody else writes here now: what is half written was left by a process that ended while writing.
        remove_temporaries(&path)?;
        let directory = Arc::new(Self { path: path.clone(), _lock: lock, spaces: Mutex::default() });
        open.insert(path, Arc::downgrade(&directory));
        Ok(directory)
    }

    /// The space called `name`, created if it is new.
    pub(super) fn space(&self, name: &str, config: &Config) -> Result<Arc<Shared>, StorageError> {
        let mut spaces = self.spaces.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(space) = spaces.get(name) {
            return Ok(Arc::clone(space));
        }
        let space = Shared::new(self.path.join(name));
        create(&space.files(), config.mode().unwrap_or(0o750))?;
        if config.fsync {
            for directory in [space.path(), &self.path] {
                sync(directory).map_err(|source| at(directory, source))?;
            }
        }
        let space = Arc::new(space);
        spaces.insert(name.to_owned(), Arc::clone(&space));
        Ok(space)
    }
}

/// Makes sure that renames in `directory` survive a power cut.
pub(super) fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// An error at `path`.
pub(super) fn at(path: &Path, source: io::Error) -> StorageError {
    StorageError { path: path.to_owned(), source }
}

fn create(path: &Path, mode: u32) -> Result<(), StorageError> {
    DirBuilder::new().recursive(true).mode(mode).create(path).map_err(|source| at(path, source))
}

fn lock(directory: &Path) -> Result<File, OpenError> {
    let path = directory.join(LOCK_FILE);
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = open.map_err(|source| at(&path, source))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(OpenError::InUse { path: directory.to_owned(), holder: holder(&mut file) });
        }
        Err(TryLockError::Error(source)) => return Err(at(&path, source).into()),
    }
    // The note only makes another process's error message better.
    if let Err(error) = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())) {
        tracing::debug!(path = %path.display(), %error, "could not note the process id in the lock file");
    }
    Ok(file)
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.take(32).read_to_string(&mut text).map(|_| text.trim().parse::<u32>()) {
        Ok(Ok(pid)) => format!("process {pid}"),
        Ok(Err(_)) | Err(_) => "another process".to_owned(),
    }
}

fn remove_temporaries(directory: &Path) -> Result<(), StorageError> {
    let list = |path: &Path| std::fs::read_dir(path).map_err(|source| at(path, source));
    for space in list(directory)? {
        let space = space.map_err(|source| at(directory, source))?;
        if !space.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        for file in list(&space.path())? {
            let file = file.map_err(|source| at(&space.path(), source))?;
            if is_temporary(&file.file_name())
                && let Err(error) = std::fs::remove_file(file.path())
            {
                tracing::warn!(path = %file.path().display(), %error, "could not remove a left-over file");
            }
        }
    }
    Ok(())
}
