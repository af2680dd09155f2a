//! Components that do what a test needs, and what they share with it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use component::delivery::DeliverySettings;
use component::{
    Affinity, BuildError, ComponentKey, ConfigSpec, Context, ExportError, Exporter, ExporterFactory,
    Extension, ExtensionFactory, Ingress, Nack, Output, ProcessError, Processor, ProcessorFactory, Receiver,
    ReceiverFactory, Registry, RunError, Shutdown, Stability, Storage, StorageClient, StorageError,
};
use config::{Section, Validate};
use pdata::{Batch, Signal, SignalSet};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Plain {
    /// Any text.
    text: String,
}

impl Validate for Plain {}

/// What a test and its components share.
pub(super) struct Bench {
    pub(super) kept: Mutex<BTreeMap<String, Vec<u8>>>,
    pub(super) directory: tempfile::TempDir,
    pub(super) requests: Mutex<Option<mpsc::Receiver<Request>>>,
    pub(super) exported: Mutex<Vec<(String, usize)>>,
    pub(super) processors_built: AtomicUsize,
    /// Whether building a component panics.
    pub(super) unbuildable: AtomicBool,
}

impl Default for Bench {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            directory: tempfile::tempdir().unwrap(),
            requests: Mutex::default(),
            exported: Mutex::default(),
            processors_built: AtomicUsize::default(),
            unbuildable: AtomicBool::default(),
        }
    }
}

/// A batch to take in, and whom to tell what became of it.
pub(super) struct Request(pub(super) Batch, pub(super) tokio::sync::oneshot::Sender<Result<(), Nack>>);

/// Panics on a batch of 14.
struct Source1(Arc<Bench>);

#[async_trait]
impl Receiver for Source1 {
    async fn run(self: Box<Self>, ingress: Ingress, shutdown: Shutdown) -> Result<(), RunError> {
        let taken = self.0.requests.lock().unwrap().take();
        let Some(mut requests) = taken else { return Err(RunError::Other("no input".to_owned())) };
        loop {
            tokio::select! {
                request = requests.recv() => {
                    let Some(Request(batch, answer)) = request else { return Ok(()) };
                    if batch.items() == 14 {
                        *self.0.requests.lock().unwrap() = Some(requests);
                        panic!("unlucky");
                    }
                    let pending = ingress.send(batch, None).await;
                    tokio::spawn(async move { answer.send(pending.outcome().await) });
                }
                () = shutdown.requested() => {
                    *self.0.requests.lock().unwrap() = Some(requests);
                    return Ok(());
                }
            }
        }
    }
}

/// Counts records over its whole life; panics on a batch of 13, and when it is to know of 26 records.
struct Tally(usize);

impl Processor for Tally {
    fn process(&mut self, batch: Batch, output: &mut Output) -> Result<(), ProcessError> {
        assert!(batch.items() != 13, "unlucky");
        self.0 += batch.items();
        output.emit(super::logs(self.0));
        Ok(())
    }

    fn snapshot(&self) -> Option<Vec<u8>> {
        Some(self.0.to_string().into_bytes())
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), ProcessError> {
        self.0 = usize::MAX;
        let text =
            std::str::from_utf8(snapshot).map_err(|error| ProcessError::Permanent(error.to_string()))?;
        self.0 = text.parse().map_err(|_| ProcessError::Permanent("not a number".to_owned()))?;
        assert!(self.0 != 26, "cursed");
        Ok(())
    }
}

struct Sink(String, Arc<Bench>);

#[async_trait]
impl Exporter for Sink {
    async fn start(&self) -> Result<(), RunError> {
        match self.0.as_str() {
            "unstartable" => Err(RunError::Other("not today".to_owned())),
            _ => Ok(()),
        }
    }

    async fn export(&self, batch: Batch) -> Result<(), ExportError> {
        match self.0.as_str() {
            "stuck" => std::future::pending().await,
            "broken" => Err(ExportError::permanent("broken")),
            "fragile" => {
                assert!(batch.items() != 15, "unlucky");
                Ok(())
            }
            name => {
                self.1.exported.lock().unwrap().push((name.to_owned(), batch.items()));
                Ok(())
            }
        }
    }
}

fn bench(context: &Context) -> Arc<Bench> {
    let bench = context.handles.get_or_default::<Bench>();
    assert!(!bench.unbuildable.load(Ordering::Relaxed), "unbuildable");
    bench
}

fn name(section: &Section) -> Result<String, BuildError> {
    let config: Plain = section.parse()?;
    Ok(if config.text.is_empty() { section.id.name().unwrap_or_default().to_owned() } else { config.text })
}

const LOGS: SignalSet = SignalSet::of(&[Signal::Logs]);

pub(super) const REGISTRY: Registry = Registry {
    receivers: &[ReceiverFactory {
        type_name: "source",
        aliases: &[],
        stability: Stability::Stable,
        signals: LOGS,
        config: ConfigSpec::of::<Plain>(),
        create: |_, context| Ok(Box::new(Source1(bench(context)))),
    }],
    processors: &[ProcessorFactory {
        type_name: "tally",
        aliases: &[],
        stability: Stability::Stable,
        signals: LOGS,
        affinity: Affinity::Single,
        config: ConfigSpec::of::<Plain>(),
        create: |_, context| {
            bench(context).processors_built.fetch_add(1, Ordering::Relaxed);
            Ok(Box::new(Tally(0)))
        },
    }],
    exporters: &[ExporterFactory {
        type_name: "sink",
        aliases: &[],
        stability: Stability::Stable,
        signals: LOGS,
        config: ConfigSpec::of::<Plain>(),
        delivery: DeliverySettings::default,
        create: |section, context| Ok(Box::new(Sink(name(section)?, bench(context)))),
    }],
    connectors: &[],
    extensions: &[ExtensionFactory {
        type_name: "shelf",
        aliases: &[],
        stability: Stability::Stable,
        config: ConfigSpec::of::<Plain>(),
        is_storage: true,
        create: |_, context| Ok(Box::new(Shelf(bench(context)))),
    }],
};

/// Storage in memory, which survives the engine because the bench does.
struct Shelf(Arc<Bench>);

impl Extension for Shelf {
    fn storage(&self) -> Option<Arc<dyn Storage>> {
        Some(Arc::new(Self(Arc::clone(&self.0))))
    }
}

impl Storage for Shelf {
    fn client(&self, key: &ComponentKey, purpose: &str) -> Result<Arc<dyn StorageClient>, StorageError> {
        Ok(Arc::new(Space(format!("{key}/{purpose}"), Arc::clone(&self.0))))
    }
}

struct Space(String, Arc<Bench>);

impl StorageClient for Space {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(self.1.kept.lock().unwrap().get(&format!("{}/{name}", self.0)).cloned())
    }

    fn set(&self, name: &str, value: &[u8]) -> Result<(), StorageError> {
        self.1.kept.lock().unwrap().insert(format!("{}/{name}", self.0), value.to_vec());
        Ok(())
    }

    fn delete(&self, name: &str) -> Result<(), StorageError> {
        self.1.kept.lock().unwrap().remove(&format!("{}/{name}", self.0));
        Ok(())
    }

    fn directory(&self) -> std::path::PathBuf {
        self.1.directory.path().join(self.0.replace('/', "-"))
    }
}
