//! Keeping state over restarts.

use std::path::PathBuf;
use std::sync::Arc;

use crate::ComponentKey;

/// What a storage extension offers.
pub trait Storage: Send + Sync {
    /// A space of its own for the component `key`, and for `purpose` within it.
    ///
    /// # Errors
    /// If the space cannot be opened.
    fn client(&self, key: &ComponentKey, purpose: &str) -> Result<Arc<dyn StorageClient>, StorageError>;
}

/// A component's own space.
pub trait StorageClient: Send + Sync {
    /// What was stored under `name`. A damaged entry is set aside, counted, and reads as nothing.
    ///
    /// # Errors
    /// If the storage cannot be read.
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StorageError>;

    /// Stores `value` under `name`, all of it or nothing.
    ///
    /// # Errors
    /// If the storage cannot be written.
    fn set(&self, name: &str, value: &[u8]) -> Result<(), StorageError>;

    /// Forgets what is stored under `name`.
    ///
    /// # Errors
    /// If the storage cannot be written.
    fn delete(&self, name: &str) -> Result<(), StorageError>;

    /// A directory of the component's own, for those that manage files themselves, such as a queue on disk.
    fn directory(&self) -> PathBuf;
}

/// Why storage failed.
#[derive(Debug, thiserror::Error)]
#[error("storage failed at {}", path.display())]
pub struct StorageError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub source: std::io::Error,
}
