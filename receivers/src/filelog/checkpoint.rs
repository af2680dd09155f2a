//! Remembers over restarts how far each file has been read and delivered.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use component::{ComponentKey, StorageClient, StorageError};
use pdata::Timestamp;
use serde::{Deserialize, Serialize};

use super::identity::{FileId, Inode, Mark, Print, Stat};
use super::poller::Poller;
use super::tracked::{Labels, Tracked};

/// The name under which the state is stored.
const NAME: &str = "files";
/// The form of the state; another one is not read.
const VERSION: u32 = 1;

/// How far each file has been read and delivered.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct State {
    version: u32,
    /// When the first run began.
    began_unix_nano: Timestamp,
    files: Vec<Saved>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    inode: Inode,
    path: String,
    gzip: bool,
    frozen: bool,
    head: Print,
    mark: Mark,
    /// It is gone, and all of it has been delivered.
    ended: bool,
    /// When it had been written last.
    modified: Option<i64>,
    /// What the file system said about a file that is not read.
    seen: Option<Stat>,
}

/// Where the state is stored.
pub(super) enum Checkpoints {
    /// In a storage extension: it survives the process.
    Stored(Arc<dyn StorageClient>),
    /// In memory: it survives a reload, and a restart of the receiver.
    Remembered(Arc<Remembered>, ComponentKey),
}

/// What receivers without storage remember.
#[derive(Default)]
pub(super) struct Remembered(Mutex<HashMap<ComponentKey, Vec<u8>>>);

/// Why the state cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum CheckpointError {
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The state is damaged, or of another version.
    #[error("the stored state of the files cannot be understood")]
    Damaged,
}

impl Checkpoints {
    /// What was stored, if anything was.
    pub(super) fn load(&self) -> Result<Option<State>, CheckpointError> {
        let bytes = match self {
            Self::Stored(client) => client.get(NAME)?,
            Self::Remembered(memory, key) => {
                memory.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
            }
        };
        let Some(bytes) = bytes else { return Ok(None) };
        let state: State = serde_json::from_slice(&bytes).map_err(|_| CheckpointError::Damaged)?;
        if state.version == VERSION { Ok(Some(state)) } else { Err(CheckpointError::Damaged) }
    }

    /// Stores `state`.
    pub(super) fn save(&self, state: &State) -> Result<(), CheckpointError> {
        let bytes = serde_json::to_vec(state).map_err(|_| CheckpointError::Damaged)?;
        match self {
            Self::Stored(client) => client.set(NAME, &bytes)?,
            Self::Remembered(memory, key) => {
                memory.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), bytes);
            }
        }
        Ok(())
    }
}

impl Poller {
    /// How far each file has been read and delivered.
    pub(super) fn state(&self) -> State {
        // A file that was looked for by its inode is stored under the name that matched: what was created under that name
        // since and rotated away, too, is found beside it only.
        let names: HashMap<FileId, &PathBuf> = self.by_path.iter().map(|(path, id)| (*id, path)).collect();
        let saved = |file: &Tracked, ended: bool| Saved {
            inode: file.inode,
            path: names.get(&file.id).map_or(&file.path, |path| *path).to_string_lossy().into_owned(),
            gzip: file.gzip,
            frozen: file.frozen,
            head: file.head.clone(),
            mark: file.committed.clone(),
            ended,
            modified: file.seen.map(|stat| stat.modified).or(file.modified),
            seen: file.seen.filter(|_| file.frozen),
        };
        let ended = self.ended.iter().map(|file| saved(file, file.committed == file.mark));
        let files = ended.chain(self.files.values().map(|file| saved(file, false))).collect();
        State { version: VERSION, began_unix_nano: self.began, files }
    }

    /// Goes on where an earlier run stopped.
    pub(super) fn restore(&mut self, state: State) {
        (self.began, self.is_restored) = (state.began_unix_nano, true);
        for saved in state.files {
            let path = PathBuf::from(saved.path);
            let file = Tracked {
                id: FileId(self.next_id),
                inode: saved.inode,
                labels: Arc::new(Labels::of(&self.settings.config, &path)),
                first_path: path.clone(),
                path,
                gzip: saved.gzip,
                head: saved.head,
                replay_until: saved.mark.delivered,
                noted: saved.mark.clone(),
                committed: saved.mark.clone(),
                mark: saved.mark,
                source: None,
                seen: saved.seen,
                modified: saved.modified,
                flushed_at: None,
                grown: Timestamp::default(),
                missing: 0,
                frozen: saved.frozen,
                is_copy: false,
            };
            self.next_id += 1;
            if saved.ended {
                self.ended.push_back(file);
                continue;
            }
            // Of two with the same inode the later one is there; the earlier one is only remembered.
            if let Some(earlier) = self.by_inode.get(&file.inode).copied() {
                self.end(earlier);
            }
            self.track(file);
        }
    }
}
