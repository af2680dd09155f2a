#![doc = include_str!("README.md")]

mod backups;
mod config;
mod encode;
mod tail;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use ::config::Section;
use async_trait::async_trait;
use component::delivery::DeliverySettings;
use component::{
    BuildError, Clock, ConfigSpec, Context, ExportError, Exporter, ExporterFactory, RunError, Stability,
};
use pdata::{Batch, SignalSet};
use tokio::task::JoinError;

pub use self::config::{Compression, Config, Format, Rotation};
use self::encode::{EncodeError, encode};
use self::writer::{WriteError, Writer};

/// Builds `file` exporters.
pub const FACTORY: ExporterFactory = ExporterFactory {
    type_name: "file",
    aliases: &[],
    stability: Stability::Beta,
    signals: SignalSet::ALL,
    config: ConfigSpec::of::<Config>(),
    delivery: DeliverySettings::local,
    create,
};

fn create(section: &Section, context: &Context) -> Result<Box<dyn Exporter>, BuildError> {
    Ok(Box::new(FileExporter::new(section.parse()?, context)))
}

/// The files that this process has begun. One that is opened a second time, after a reload or a failure, holds what was
/// acknowledged and must not be emptied.
#[derive(Default)]
struct Begun(Mutex<HashSet<PathBuf>>);

impl Begun {
    fn contains(&self, path: &PathBuf) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(path)
    }

    fn insert(&self, path: PathBuf) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(path);
    }
}

/// Writes batches to a file.
struct FileExporter {
    config: Config,
    clock: Clock,
    begun: Arc<Begun>,
    /// Fair, so that batches are written in the order in which they came.
    writer: Arc<tokio::sync::Mutex<Option<Writer>>>,
}

/// Why a batch is not in the file.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("writing was abandoned")]
    Abandoned(#[from] JoinError),
}

impl From<Failure> for ExportError {
    fn from(failure: Failure) -> Self {
        let reason = transport::describe(&failure);
        match failure {
            // A disk that is full or a directory that is missing can be put right.
            Failure::Write(_) | Failure::Abandoned(_) => Self::retryable(reason),
            Failure::Encode(_) => Self::permanent(reason),
        }
    }
}

impl FileExporter {
    fn new(config: Config, context: &Context) -> Self {
        Self {
            config,
            clock: context.clock.clone(),
            begun: context.handles.get_or_default(),
            writer: Arc::default(),
        }
    }

    /// Runs `work` on the writer where it may block, after everything that was asked for earlier.
    async fn with_writer<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Writer) -> Result<R, Failure> + Send + 'static,
    ) -> Result<R, Failure> {
        let mut guard = Arc::clone(&self.writer).lock_owned().await;
        let (config, clock, begun) = (self.config.clone(), self.clock.clone(), Arc::clone(&self.begun));
        let task = move || {
            let writer = match &mut *guard {
                Some(writer) => writer,
                closed => {
                    let path = config.path.clone();
                    let writer = Writer::open(config, clock, begun.contains(&path))?;
                    begun.insert(path);
                    closed.insert(writer)
                }
            };
            work(writer)
        };
        tokio::task::spawn_blocking(task).await?
    }
}

#[async_trait]
impl Exporter for FileExporter {
    async fn start(&self) -> Result<(), RunError> {
        let opened = self.with_writer(|_| Ok(())).await;
        opened.map_err(|failure| RunError::Other(transport::describe(&failure)))
    }

    async fn export(&self, batch: Batch) -> Result<(), ExportError> {
        let Config { format, compression, .. } = self.config;
        let write = move |writer: &mut Writer| Ok(writer.write(&encode(&batch, format, compression)?)?);
        Ok(self.with_writer(write).await?)
    }

    async fn shutdown(&self) -> Result<(), ExportError> {
        let Some(mut writer) = Arc::clone(&self.writer).lock_owned().await.take() else { return Ok(()) };
        let closed = tokio::task::spawn_blocking(move || writer.close()).await.map_err(Failure::from)?;
        Ok(closed.map_err(Failure::from)?)
    }
}
