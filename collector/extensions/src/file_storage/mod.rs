#![doc = include_str!("README.md")]

mod config;
mod directory;
mod entry;
mod names;
mod space;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use component::{
    BuildError, ComponentKey, ConfigSpec, Context, Counter, Extension, ExtensionFactory, RunError, Shutdown,
    Stability, Storage, StorageClient, StorageError,
};

pub use self::config::{Compaction, Config};
use self::directory::{Directory, OpenError};
use self::space::Space;

/// How often a directory that another process has is tried again.
const LOCK_RETRY: Duration = Duration::from_millis(20);

/// Builds `file_storage` extensions.
pub const FACTORY: ExtensionFactory = ExtensionFactory {
    type_name: "file_storage",
    aliases: &["filestorage"],
    stability: Stability::Beta,
    config: ConfigSpec::of::<Config>(),
    is_storage: true,
    create: |section, context| {
        let config: Config = section.parse()?;
        Ok::<_, BuildError>(Box::new(FileStorage::new(config, context)))
    },
};

/// Keeps state in a directory.
#[derive(Debug)]
pub struct FileStorage(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    corrupt: Counter,
    directory: Mutex<Option<Arc<Directory>>>,
}

impl FileStorage {
    /// An extension that opens its directory when it starts, or when the first client is asked for.
    pub fn new(config: Config, context: &Context) -> Self {
        let corrupt = context.telemetry.counter(
            "otelcol_extension_file_storage_corrupt_entries",
            "Entries that were damaged and set aside.",
            &[("extension", &context.key.id.to_string())],
        );
        Self(Arc::new(Inner { config, corrupt, directory: Mutex::default() }))
    }
}

impl Inner {
    fn directory(&self) -> Result<Arc<Directory>, OpenError> {
        let mut directory = self.directory.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(directory) = &*directory {
            return Ok(Arc::clone(directory));
        }
        let opened = Directory::open(&self.config)?;
        *directory = Some(Arc::clone(&opened));
        Ok(opened)
    }
}

#[async_trait]
impl Extension for FileStorage {
    async fn start(&mut self) -> Result<(), RunError> {
        let opened = tokio::time::timeout(self.0.config.timeout.get(), async {
            while let Err(OpenError::InUse { .. }) = self.0.directory() {
                tokio::time::sleep(LOCK_RETRY).await;
            }
        });
        // Whether it came free in time or not: the last attempt says what is wrong.
        let _ = opened.await;
        match self.0.directory() {
            Ok(_) => Ok(()),
            Err(error @ OpenError::InUse { .. }) => Err(RunError::Other(error.to_string())),
            Err(OpenError::Storage(StorageError { path, source })) => {
                Err(RunError::Io { what: format!("cannot use {}", path.display()), source })
            }
        }
    }

    fn storage(&self) -> Option<Arc<dyn Storage>> {
        Some(Arc::clone(&self.0) as _)
    }

    async fn run(self: Box<Self>, shutdown: Shutdown) -> Result<(), RunError> {
        shutdown.requested().await;
        Ok(())
    }
}

impl Storage for Inner {
    fn client(&self, key: &ComponentKey, purpose: &str) -> Result<Arc<dyn StorageClient>, StorageError> {
        let directory = self.directory().map_err(|error| match error {
            OpenError::InUse { ref path, .. } => {
                StorageError { path: path.clone(), source: std::io::Error::other(error.to_string()) }
            }
            OpenError::Storage(error) => error,
        })?;
        let shared = directory.space(&names::space(key, purpose), &self.config)?;
        // The client keeps the directory, and so the lock, for as long as it is used.
        Ok(Arc::new(Held {
            space: Space { shared, fsync: self.config.fsync, corrupt: self.corrupt.clone() },
            _directory: directory,
        }))
    }
}

/// A space together with its locked directory.
#[derive(Debug)]
struct Held {
    space: Space,
    _directory: Arc<Directory>,
}

impl StorageClient for Held {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StorageError> {
        self.space.get(name)
    }

    fn set(&self, name: &str, value: &[u8]) -> Result<(), StorageError> {
        self.space.set(name, value)
    }

    fn delete(&self, name: &str) -> Result<(), StorageError> {
        self.space.delete(name)
    }

    fn directory(&self) -> std::path::PathBuf {
        self.space.directory()
    }
}
