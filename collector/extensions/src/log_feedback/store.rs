//! The file with the feedback: one JSON object a line, in the order in which templates were first spoken about.
//!
//! The file is the truth, and others may write it too: it is read before every change, and replaced as a whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use analysis::logs::classify::{EntryError, FeedbackEntry};

/// `log_classify` reads no larger file.
const MAX_BYTES: usize = 8 << 20;

/// Why feedback cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    /// The file cannot be read or written.
    #[error("cannot use {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line of the file is no feedback.
    #[error("{}, line {line}: {reason}; only files with one JSON object a line can be changed", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Why.
        reason: String,
    },
    /// The entry is wrong.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// There is no room for more.
    #[error("{} is full: it may have {MAX_BYTES} bytes", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
}

/// The file.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    /// Held while the file is read and replaced.
    changing: Mutex<()>,
}

impl Store {
    /// The store in this file, which is created if there is none.
    ///
    /// # Errors
    /// If the file can neither be read nor created, or holds something else.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let store = Self { path: path.to_owned(), changing: Mutex::new(()) };
        if !path.exists() {
            store.write(&[])?;
        }
        store.list()?;
        Ok(store)
    }

    /// Every entry.
    ///
    /// # Errors
    /// If the file cannot be read or holds something else.
    pub(super) fn list(&self) -> Result<Vec<FeedbackEntry>, StoreError> {
        let text = fs::read_to_string(&self.path).map_err(|source| self.io(source))?;
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        lines
            .map(|(i, line)| {
                serde_json::from_str(line).map_err(|error| StoreError::Malformed {
                    path: self.path.clone(),
                    line: i + 1,
                    reason: error.to_string(),
                })
            })
            .collect()
    }

    /// Keeps an entry in the place of what was said about its template before. Returns whether that is new.
    ///
    /// # Errors
    /// If the entry is wrong, or the file cannot be changed.
    pub(super) fn put(&self, entry: FeedbackEntry) -> Result<bool, StoreError> {
        entry.read()?;
        self.change(|entries| match entries.iter_mut().find(|known| same(known, &entry)) {
            Some(known) => {
                *known = entry;
                false
            }
            None => {
                entries.push(entry);
                true
            }
        })
    }

    /// Forgets what was said about a template, given as its id or its text. Returns whether anything was.
    ///
    /// # Errors
    /// If the file cannot be changed.
    pub(super) fn remove(&self, template: &str) -> Result<bool, StoreError> {
        self.change(|entries| {
            let n_before = entries.len();
            let is_it = |name: &Option<String>| name.as_deref() == Some(template);
            entries.retain(|entry| !is_it(&entry.template_id) && !is_it(&entry.template));
            entries.len() < n_before
        })
    }

    fn change<R>(&self, change: impl FnOnce(&mut Vec<FeedbackEntry>) -> R) -> Result<R, StoreError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.list()?;
        let mut entries = before.clone();
        let result = change(&mut entries);
        if entries != before {
            self.write(&entries)?;
        }
        Ok(result)
    }

    /// Replaces the file: whoever reads it sees all of the old one or all of the new one, even after a power cut.
    fn write(&self, entries: &[FeedbackEntry]) -> Result<(), StoreError> {
        let mut text = Vec::new();
        for entry in entries {
            serde_json::to_writer(&mut text, entry).map_err(|error| self.io(error.into()))?;
            text.push(b'\n');
        }
        if text.len() > MAX_BYTES {
            return Err(StoreError::Full { path: self.path.clone() });
        }
        let mut name = self.path.clone().into_os_string();
        name.push(".new");
        let replace = || {
            let mut file = File::create(&name)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&name, &self.path)?;
            let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
        };
        replace().map_err(|source| self.io(source))
    }

    fn io(&self, source: io::Error) -> StoreError {
        StoreError::Io { path: self.path.clone(), source }
    }
}

/// Whether both are about the same template.
fn same(one: &FeedbackEntry, other: &FeedbackEntry) -> bool {
    one.template_id == other.template_id && one.template == other.template
}
