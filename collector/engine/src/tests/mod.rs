//! The engine with components made for the purpose: what goes in must come out, whatever happens on the way.

mod panics;
mod replay;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use component::delivery::DeliverySettings;
use component::{
    Affinity, BuildError, Clock, ComponentKey, ConfigSpec, Context, ExportError, Exporter, ExporterFactory,
    Extension, ExtensionFactory, Health, Ingress, Nack, Output, ProcessError, Processor, ProcessorFactory,
    Receiver, ReceiverFactory, Registry, RunError, Shutdown, Stability, Storage, StorageClient, StorageError,
};
use config::{Config, Section, Source, Validate};
use pdata::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use pdata::{Batch, Logs, Signal, SignalSet, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::{Engine, Environment};

#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Plain {
    /// Any text.
    text: String,
}

impl Validate for Plain {}

/// What a test and its components share.
struct Bench {
    kept: Mutex<BTreeMap<String, Vec<u8>>>,
    directory: tempfile::TempDir,
    requests: Mutex<Option<mpsc::Receiver<Request>>>,
    exported: Mutex<Vec<(String, usize)>>,
    processors_built: AtomicUsize,
    /// Whether building a component panics.
    unbuildable: AtomicBool,
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

struct Request(Batch, tokio::sync::oneshot::Sender<Result<(), Nack>>);

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
        output.emit(logs(self.0));
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

const REGISTRY: Registry = Registry {
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

fn logs(records: usize) -> Batch {
    let scope_logs =
        vec![ScopeLogs { log_records: vec![LogRecord::default(); records], ..Default::default() }];
    let resource_logs = vec![ResourceLogs { scope_logs, ..Default::default() }];
    Logs::from_message(LogsData { resource_logs }).into()
}

fn load(processors: &str, exporters: &str) -> Config {
    load_with(processors, exporters, &[])
}

fn load_with(processors: &str, exporters: &str, sets: &[String]) -> Config {
    let yaml = format!(
        "receivers: {{source: }}\nprocessors: {{tally: , tally/new: }}\n\
         extensions: {{shelf: }}\n\
         exporters: {{sink/a: , sink/kept: {{sending_queue: {{storage: shelf}}}}, sink/together: {{sending_queue: {{num_consumers: 1, batch: {{min_size: 4, max_size: 4, flush_timeout: 1s}}}}}}, sink/b: , sink/stuck: , sink/broken: {{dead_letter: sink/dead}}, sink/dead: , sink/unstartable: , sink/fragile: }}\n\
         service: {{extensions: [shelf], state: {{storage: shelf}}, pipelines: {{logs: {{receivers: [source], processors: {processors}, exporters: {exporters}}}}}}}\n"
    );
    config::load(&[Source::Yaml(yaml)], sets, &|_| None).unwrap()
}

struct Running {
    engine: Engine,
    bench: Arc<Bench>,
    requests: mpsc::Sender<Request>,
    clock: Clock,
    health: Health,
}

async fn start(processors: &str, exporters: &str) -> Running {
    start_on(Arc::default(), processors, exporters).await
}

/// Starts with what an earlier engine left on `bench`.
async fn start_on(bench: Arc<Bench>, processors: &str, exporters: &str) -> Running {
    let clock = Clock::manual(Timestamp::default());
    let environment = Environment { clock: clock.clone(), ..Environment::default() };
    environment.handles.offer(Arc::clone(&bench));
    let health = environment.health.clone();
    let (requests, inbox) = mpsc::channel(16);
    *bench.requests.lock().unwrap() = Some(inbox);
    let engine = Engine::start(&load(processors, exporters), REGISTRY, environment).await.unwrap();
    Running { engine, bench, requests, clock, health }
}

impl Running {
    async fn begin(&self, batch: Batch) -> tokio::sync::oneshot::Receiver<Result<(), Nack>> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        self.requests.send(Request(batch, answer)).await.ok().unwrap();
        answered
    }

    async fn send(&self, batch: Batch) -> Result<(), Nack> {
        self.begin(batch).await.await.unwrap()
    }

    fn exported(&self, name: &str) -> Vec<usize> {
        let exported = self.bench.exported.lock().unwrap();
        exported.iter().filter(|(sink, _)| sink == name).map(|(_, items)| *items).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_sender_is_answered_after_every_exporter_has_its_data() {
    let running = start("[]", "[sink/a, sink/b]").await;
    running.send(logs(3)).await.unwrap();
    assert_eq!(running.exported("a"), [3]);
    assert_eq!(running.exported("b"), [3]);
    running.engine.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_stuck_exporter_delays_no_other() {
    let running = start("[]", "[sink/stuck, sink/a]").await;
    let mut answers = Vec::new();
    for _ in 0..50 {
        answers.push(running.begin(logs(1)).await);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(running.exported("a").len(), 50);
    assert!(
        answers.iter_mut().all(|answer| answer.try_recv().is_err()),
        "nobody is told that its data is safe"
    );
    running.engine.shut_down().await;
    for answer in answers {
        assert!(
            !answer.await.unwrap().unwrap_err().is_permanent(),
            "and at the end everybody may send again"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_delivered_goes_to_the_dead_letters() {
    let running = start("[]", "[sink/broken]").await;
    running.send(logs(2)).await.unwrap();
    assert_eq!(running.exported("dead"), [2]);
    running.engine.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_reload_keeps_what_a_processor_learned_and_loses_nothing() {
    let mut running = start("[tally]", "[sink/a]").await;
    running.send(logs(5)).await.unwrap();
    running.engine.reload(&load("[tally]", "[sink/a, sink/b]")).await.unwrap();
    running.send(logs(2)).await.unwrap();
    assert_eq!(running.exported("a"), [5, 7]);
    assert_eq!(running.exported("b"), [7]);
    running.engine.reload(&load("[tally/new]", "[sink/b]")).await.unwrap();
    running.send(logs(1)).await.unwrap();
    assert_eq!(running.exported("b"), [7, 1]);
    running.engine.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_wrong_configuration_leaves_the_old_one_running() {
    let mut running = start("[tally]", "[sink/a]").await;
    assert!(running.engine.reload(&load("[tally]", "[sink/none]")).await.is_err());
    running.send(logs(4)).await.unwrap();
    assert_eq!(running.exported("a"), [4]);
    running.engine.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn after_a_reload_the_health_is_that_of_the_components_that_run() {
    let mut running = start("[tally]", "[sink/a, sink/b]").await;
    let health = running.health.clone();
    let keys = || health.snapshot().keys().map(ToString::to_string).collect::<Vec<_>>();
    let all =
        ["receiver:source", "processor:tally@logs", "exporter:sink/a", "exporter:sink/b", "extension:shelf"];
    running.send(logs(1)).await.unwrap();
    assert_eq!((keys(), health.is_ok()), (all.map(str::to_owned).to_vec(), true));
    assert!(running.engine.reload(&load("[tally]", "[sink/a, sink/unstartable]")).await.is_err());
    assert_eq!((keys(), health.is_ok()), (all.map(str::to_owned).to_vec(), true), "nothing has changed");
    let changed = load_with("[]", "[sink/a]", &["exporters.sink/a.text=changed".to_owned()]);
    running.engine.reload(&changed).await.unwrap();
    running.send(logs(1)).await.unwrap();
    assert_eq!(running.exported("changed"), [1]);
    assert_eq!(keys(), ["receiver:source", "exporter:sink/a", "extension:shelf"]);
    assert!(health.is_ok(), "{:?}", health.snapshot());
    running.engine.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_does_not_forget_what_was_learned() {
    let first = start("[tally]", "[sink/a]").await;
    first.send(logs(5)).await.unwrap();
    first.engine.save_state().await;
    let bench = Arc::clone(&first.bench);
    first.engine.shut_down().await;
    let second = start_on(bench, "[tally]", "[sink/a]").await;
    second.send(logs(1)).await.unwrap();
    assert_eq!(second.exported("a"), [5, 6]);
    second.engine.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn damaged_state_is_set_aside_and_the_processor_is_as_new() {
    let bench = Arc::<Bench>::default();
    let name = "processor:tally@logs/state/shard-0";
    bench.kept.lock().unwrap().insert(name.to_owned(), b"\x01\0\0\x01\0nonsense".to_vec());
    let running = start_on(bench, "[tally]", "[sink/a]").await;
    running.send(logs(2)).await.unwrap();
    assert_eq!(running.exported("a"), [2]);
    assert!(running.bench.kept.lock().unwrap().contains_key(&format!("{name}.rejected")));
    running.engine.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn state_of_another_version_is_set_aside_not_written_over() {
    let bench = Arc::<Bench>::default();
    let name = "processor:tally@logs/state/shard-0";
    let newer = b"\xff\0\0\x01\x005".to_vec();
    bench.kept.lock().unwrap().insert(name.to_owned(), newer.clone());
    let running = start_on(bench, "[tally]", "[sink/a]").await;
    running.send(logs(2)).await.unwrap();
    assert_eq!(running.exported("a"), [2]);
    running.engine.save_state().await;
    assert_eq!(running.bench.kept.lock().unwrap()[&format!("{name}.rejected")], newer);
    assert_eq!(running.bench.kept.lock().unwrap()[name], b"\x01\0\0\x01\x002");
    running.engine.shut_down().await;
}

#[tokio::test]
async fn a_queue_on_disk_answers_early_and_delivers() {
    let running = start("[]", "[sink/kept]").await;
    running.send(logs(3)).await.unwrap();
    let bench = Arc::clone(&running.bench);
    running.engine.shut_down().await;
    assert_eq!(bench.exported.lock().unwrap().as_slice(), [("kept".to_owned(), 3)]);
}

#[tokio::test(start_paused = true)]
async fn small_batches_are_joined_and_large_ones_split_on_their_way_out() {
    let running = start("[]", "[sink/together]").await;
    let (one, two) = (running.begin(logs(1)).await, running.begin(logs(4)).await);
    one.await.unwrap().unwrap();
    two.await.unwrap().unwrap();
    let alone = running.begin(logs(1)).await;
    alone.await.unwrap().unwrap();
    assert_eq!(running.exported("together"), [4, 1, 1]);
    running.engine.shut_down().await;
}
