//! The engine with components made for the purpose: what goes in must come out, whatever happens on the way.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use component::delivery::DeliverySettings;
use component::{
    Affinity, BuildError, Clock, ConfigSpec, Context, ExportError, Exporter, ExporterFactory, Health,
    Ingress, Nack, Output, ProcessError, Processor, ProcessorFactory, Receiver, ReceiverFactory, Registry,
    RunError, Shutdown, Stability,
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
#[derive(Default)]
struct Bench {
    requests: Mutex<Option<mpsc::Receiver<Request>>>,
    exported: Mutex<Vec<(String, usize)>>,
    processors_built: AtomicUsize,
}

struct Request(Batch, tokio::sync::oneshot::Sender<Result<(), Nack>>);

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

/// Counts records over its whole life, and panics on a batch of 13.
struct Tally(usize);

impl Processor for Tally {
    fn process(&mut self, batch: Batch, output: &mut Output) -> Result<(), ProcessError> {
        assert!(batch.items() != 13, "unlucky");
        self.0 += batch.items();
        output.emit(logs(self.0));
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
            name => {
                self.1.exported.lock().unwrap().push((name.to_owned(), batch.items()));
                Ok(())
            }
        }
    }
}

fn bench(context: &Context) -> Arc<Bench> {
    context.handles.get_or_default::<Bench>()
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
    extensions: &[],
};

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
         exporters: {{sink/a: , sink/b: , sink/stuck: , sink/broken: {{dead_letter: sink/dead}}, sink/dead: , sink/unstartable: }}\n\
         service: {{pipelines: {{logs: {{receivers: [source], processors: {processors}, exporters: {exporters}}}}}}}\n"
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
    let clock = Clock::manual(Timestamp::default());
    let environment = Environment { clock: clock.clone(), ..Environment::default() };
    let bench = environment.handles.get_or_default::<Bench>();
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
async fn a_panic_costs_one_batch_and_the_processor_comes_back() {
    let running = start("[tally]", "[sink/a]").await;
    running.send(logs(1)).await.unwrap();
    assert!(running.send(logs(13)).await.unwrap_err().is_permanent());
    assert!(!running.send(logs(1)).await.unwrap_err().is_permanent());
    let built = running.bench.processors_built.load(Ordering::Relaxed);
    running.clock.advance_to(Timestamp::from_secs(2));
    // Long enough for the stage to look at the clock.
    tokio::time::sleep(Duration::from_millis(100)).await;
    running.send(logs(1)).await.unwrap();
    assert_eq!(running.bench.processors_built.load(Ordering::Relaxed), built + 1);
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
    let all = ["receiver:source", "processor:tally@logs", "exporter:sink/a", "exporter:sink/b"];
    running.send(logs(1)).await.unwrap();
    assert_eq!((keys(), health.is_ok()), (all.map(str::to_owned).to_vec(), true));
    assert!(running.engine.reload(&load("[tally]", "[sink/a, sink/unstartable]")).await.is_err());
    assert_eq!((keys(), health.is_ok()), (all.map(str::to_owned).to_vec(), true), "nothing has changed");
    let changed = load_with("[]", "[sink/a]", &["exporters.sink/a.text=changed".to_owned()]);
    running.engine.reload(&changed).await.unwrap();
    running.send(logs(1)).await.unwrap();
    assert_eq!(running.exported("changed"), [1]);
    assert_eq!(keys(), ["receiver:source", "exporter:sink/a"]);
    assert!(health.is_ok(), "{:?}", health.snapshot());
    running.engine.shut_down().await;
}

#[tokio::test]
async fn a_replay_plays_everything_in_order() {
    let environment = Environment::default();
    let bench = environment.handles.get_or_default::<Bench>();
    let input = (1..=3).map(|i| (Timestamp::from_secs(i as u64), logs(i)));
    let played = crate::replay(&load("[tally]", "[sink/a]"), &REGISTRY, environment, input).await.unwrap();
    assert_eq!(played, 3);
    let exported: Vec<_> = bench.exported.lock().unwrap().iter().map(|(_, items)| *items).collect();
    assert_eq!(exported, [1, 3, 6]);
}
