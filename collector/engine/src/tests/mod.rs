//! The engine with components made for the purpose: what goes in must come out, whatever happens on the way.

mod bench;
mod panics;
mod replay;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use component::{Clock, Health, Nack};
use config::{Config, Source};
use pdata::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use pdata::{Batch, Logs, Signal, Timestamp};
use tokio::sync::mpsc;

use self::bench::{Bench, REGISTRY, Request};
use crate::{Engine, Environment};

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
