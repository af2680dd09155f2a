//! The file: opening, writing, and putting it aside.
//!
//! In: whole lines or frames. Out: the same, one after the other, over one or more files. A write that fails half way is
//! taken back, so that no line is ever split, not even by a full disk or a crash.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use component::Clock;

use super::backups::Backups;
use super::config::{Compression, Config};
use super::tail::{self, Tail};

/// Why the file could not be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// The directory could not be made.
    #[error("cannot create the directory of `{}`", path.display())]
    Directory { path: PathBuf, source: io::Error },
    /// The file could not be opened.
    #[error("cannot open `{}`", path.display())]
    Open { path: PathBuf, source: io::Error },
    /// The file could not be put aside.
    #[error("cannot rotate `{}`", path.display())]
    Rotate { path: PathBuf, source: io::Error },
    /// The bytes could not be written.
    #[error("cannot write to `{}`", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// Writes one file, and puts it aside when it is full.
pub(super) struct Writer {
    config: Config,
    backups: Option<Backups>,
    file: File,
    /// Up to where the file is known to hold whole lines, while a failed write has not been taken back.
    torn_at: Option<u64>,
}

impl Writer {
    /// Opens the file. What is in it is kept if `resume`, or if the configuration says so.
    pub(super) fn open(config: Config, clock: Clock, resume: bool) -> Result<Self, WriteError> {
        let path = config.path.clone();
        if config.create_directory {
            create_directory(&config)
                .map_err(|source| WriteError::Directory { path: path.clone(), source })?;
        }
        let failed = |source| WriteError::Open { path: path.clone(), source };
        let backups = config.rotation.clone().map(|rotation| Backups::new(&path, rotation, clock.clone()));
        let mut file = append_to(&path).map_err(failed)?;
        if file.metadata().map_err(failed)?.is_file() {
            let keep = resume || config.append || backups.is_some();
            if !keep {
                file.set_len(0).map_err(failed)?;
            } else if !is_whole(&mut file, &path, &config).map_err(failed)? {
                // Nothing can be added behind its end, and nothing is thrown away.
                let aside = Backups::new(&path, config.rotation.clone().unwrap_or_default(), clock);
                aside.put_aside().map_err(|source| WriteError::Rotate { path: path.clone(), source })?;
                file = append_to(&path).map_err(failed)?;
            }
        }
        if let Some(backups) = &backups {
            backups.prune();
        }
        Ok(Self { config, backups, file, torn_at: None })
    }

    /// Writes whole lines or frames, all or none of them.
    pub(super) fn write(&mut self, block: &[u8]) -> Result<(), WriteError> {
        if block.is_empty() {
            return Ok(());
        }
        self.follow_path().map_err(|source| WriteError::Open { path: self.config.path.clone(), source })?;
        let failed = |source| WriteError::Write { path: self.config.path.clone(), source };
        let metadata = self.file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return self.file.write_all(block).map_err(failed);
        }
        let mut len = metadata.len();
        if let Some(whole) = self.torn_at {
            self.file.set_len(whole).map_err(failed)?;
            (self.torn_at, len) = (None, whole);
        }
        if self.is_full(len, block.len()) {
            self.rotate()?;
            len = 0;
        }
        self.file.write_all(block).map_err(|source| {
            if self.file.set_len(len).is_err() {
                self.torn_at = Some(len);
            }
            WriteError::Write { path: self.config.path.clone(), source }
        })
    }

    /// Makes sure that what was written survives the machine.
    pub(super) fn close(&mut self) -> Result<(), WriteError> {
        match self.file.sync_data() {
            // Terminals, pipes and the like cannot be synchronised.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            result => result.map_err(|source| WriteError::Write { path: self.config.path.clone(), source }),
        }
    }

    /// Opens the file anew if somebody moved or deleted it.
    fn follow_path(&mut self) -> io::Result<()> {
        let ours = self.file.metadata()?;
        match fs::metadata(&self.config.path) {
            Ok(there) if (there.dev(), there.ino()) == (ours.dev(), ours.ino()) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if self.config.create_directory {
                    create_directory(&self.config)?;
                }
            }
            Err(error) => return Err(error),
        }
        self.file = append_to(&self.config.path)?;
        self.torn_at = None;
        Ok(())
    }

    fn is_full(&self, len: u64, more: usize) -> bool {
        let Some(backups) = &self.backups else { return false };
        len > 0 && len.saturating_add(more as u64) > backups.max_bytes()
    }

    fn rotate(&mut self) -> Result<(), WriteError> {
        let path = &self.config.path;
        let Some(backups) = &self.backups else { return Ok(()) };
        backups.put_aside().map_err(|source| WriteError::Rotate { path: path.clone(), source })?;
        // If this fails, the next write finds no file at the path and tries again.
        self.file = append_to(path).map_err(|source| WriteError::Open { path: path.clone(), source })?;
        backups.prune();
        Ok(())
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    let open = |read| OpenOptions::new().create(true).append(true).read(read).open(path);
    // Reading is needed only to look at the end of an older file; a pipe or a terminal may not allow it.
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) { open(false) } else { open(true) }
}

fn create_directory(config: &Config) -> io::Result<()> {
    let Some(directory) = config.path.parent().filter(|parent| !parent.as_os_str().is_empty()) else {
        return Ok(());
    };
    let mode = config.directory_mode().unwrap_or(0o755);
    DirBuilder::new().recursive(true).mode(mode).create(directory)
}

/// Whether more can be added to the file. An earlier run may have been killed in the middle of a line; that line was
/// never acknowledged, and is taken back.
fn is_whole(file: &mut File, path: &Path, config: &Config) -> io::Result<bool> {
    if config.compression != Compression::None {
        return Ok(file.metadata()?.len() == 0);
    }
    match tail::inspect(file, config.format)? {
        Tail::Whole => Ok(true),
        Tail::NeedsNewline => file.write_all(b"\n").map(|()| true),
        Tail::TornLine { start } => {
            tracing::warn!(path = %path.display(), "taking back a line that an earlier run did not finish");
            file.set_len(start).map(|()| true)
        }
        Tail::TornFrame => Ok(false),
    }
}
