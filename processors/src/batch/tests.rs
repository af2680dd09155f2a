//! Tests of the `batch` processor: by example, and by property over any sequence of batches and ticks.

use std::sync::{Arc, Mutex};

use ::config::Section;
use component::{Ack, Kind, Nack, Outcome};
use pdata::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use pdata::proto::metrics::{
    Gauge, Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data,
};
use pdata::{Logs, Metrics};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;

/// Log records numbered by their observed time.
fn logs(numbers: std::ops::Range<u64>) -> Batch {
    let log_records = numbers
        .map(|observed_time_unix_nano| LogRecord { observed_time_unix_nano, ..LogRecord::default() })
        .collect();
    let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
    Logs::from_message(LogsData { resource_logs }).into()
}

/// Data points numbered by their time, all of one metric.
fn points(numbers: std::ops::Range<u64>) -> Batch {
    let data_points = numbers
        .map(|time_unix_nano| NumberDataPoint { time_unix_nano, ..NumberDataPoint::default() })
        .collect();
    let metric =
        Metric { name: "m".into(), data: Some(Data::Gauge(Gauge { data_points })), ..Metric::default() };
    let scope_metrics = vec![ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() }];
    let resource_metrics = vec![ResourceMetrics { scope_metrics, ..ResourceMetrics::default() }];
    Metrics::from_message(MetricsData { resource_metrics }).into()
}

fn numbers(batch: &Batch) -> Vec<u64> {
    match batch {
        Batch::Logs(logs) => logs.view().items().map(|(_, _, log)| log.observed_time().as_nanos()).collect(),
        Batch::Metrics(metrics) => {
            let points = metrics.view().items().flat_map(|(_, _, metric)| metric.number_points());
            points.map(|point| point.time().as_nanos()).collect()
        }
        other => panic!("{other:?}"),
    }
}

type Outcomes = Arc<Mutex<Vec<(usize, Outcome)>>>;

/// A batcher with a clock of its own, what it emitted, and the outcomes that senders learned.
struct Setup {
    batcher: Box<dyn Processor>,
    context: Context,
    emitted: Vec<component::Delivery>,
    outcomes: Outcomes,
    sent: usize,
}

impl Setup {
    fn new(config: &Json) -> Self {
        let context = Context::detached(Kind::Processor, "batch");
        let batcher = (FACTORY.create)(&Section::from_json("batch", config), &context).unwrap();
        Self { batcher, context, emitted: Vec::new(), outcomes: Outcomes::default(), sent: 0 }
    }

    fn send(&mut self, batch: Batch) {
        let (sender, outcomes) = (self.sent, Arc::clone(&self.outcomes));
        self.sent += 1;
        let ack = Ack::new(move |outcome| outcomes.lock().unwrap().push((sender, outcome)));
        let mut output = Output::for_batch(ack);
        let result = self.batcher.process(batch, &mut output);
        self.emitted.extend(output.finish(result));
    }

    fn with_output(&mut self, act: impl FnOnce(&mut dyn Processor, &mut Output)) {
        let mut output = Output::default();
        act(self.batcher.as_mut(), &mut output);
        self.emitted.extend(output.finish(Ok(())));
    }

    fn tick(&mut self, millis: u64) {
        self.context.clock.advance_to(Timestamp::from_millis(millis));
        let now = self.context.clock.now();
        self.with_output(|batcher, output| batcher.tick(now, output));
    }

    fn flush(&mut self) {
        let now = self.context.clock.now();
        self.with_output(|batcher, output| batcher.flush(now, output));
    }

    fn sizes(&self) -> Vec<usize> {
        self.emitted.iter().map(|delivery| delivery.batch.items()).collect()
    }

    fn numbers(&self) -> Vec<u64> {
        self.emitted.iter().flat_map(|delivery| numbers(&delivery.batch)).collect()
    }

    fn outcomes(&self) -> Vec<(usize, Outcome)> {
        self.outcomes.lock().unwrap().clone()
    }
}

#[test]
fn waits_for_enough_items_and_then_sends_all() {
    let mut setup = Setup::new(&json!({"send_batch_size": 5}));
    setup.send(logs(0..3));
    assert!(setup.sizes().is_empty());
    setup.send(logs(3..7));
    assert_eq!(setup.sizes(), [7]);
    assert_eq!(setup.numbers(), (0..7).collect::<Vec<_>>());
    assert!(setup.outcomes().is_empty(), "nobody is answered before delivery");
    setup.emitted.remove(0).ack.done();
    assert_eq!(setup.outcomes(), [(0, Ok(())), (1, Ok(()))]);
}

#[test]
fn does_not_wait_longer_than_the_timeout() {
    let mut setup = Setup::new(&json!({"timeout": "200ms"}));
    setup.tick(1000);
    setup.send(logs(0..1));
    setup.tick(1100);
    setup.send(logs(1..2));
    setup.tick(1199);
    assert!(setup.sizes().is_empty());
    setup.tick(1200);
    assert_eq!(setup.sizes(), [2]);
    assert_eq!(setup.context.telemetry.total("otelcol_processor_batch_timeout_trigger_send"), 1.0);
}

#[test]
fn a_large_batch_is_split_and_its_sender_learns_the_worst_outcome() {
    for make in [logs, points] {
        let mut setup = Setup::new(&json!({"send_batch_size": 4, "send_batch_max_size": 4}));
        setup.send(make(0..10));
        assert_eq!(setup.sizes(), [4, 4]);
        setup.send(make(10..12));
        assert_eq!(setup.sizes(), [4, 4, 4]);
        assert_eq!(setup.numbers(), (0..12).collect::<Vec<_>>());
        let mut deliveries = std::mem::take(&mut setup.emitted);
        deliveries.remove(0).ack.done();
        deliveries.remove(0).ack.fail(Nack::retryable("busy"));
        assert!(setup.outcomes().is_empty());
        deliveries.remove(0).ack.done();
        let mut outcomes = setup.outcomes();
        outcomes.sort_by_key(|(sender, _)| *sender);
        assert_eq!(outcomes, [(0, Err(Nack::retryable("busy"))), (1, Ok(()))]);
    }
}

#[test]
fn signals_are_kept_apart() {
    let mut setup = Setup::new(&json!({"send_batch_size": 4}));
    setup.send(logs(0..3));
    setup.send(points(0..3));
    assert!(setup.sizes().is_empty());
    setup.send(logs(3..4));
    assert_eq!(setup.sizes(), [4]);
    setup.flush();
    assert_eq!(setup.sizes(), [4, 3]);
}

#[test]
fn goes_out_early_when_every_sender_is_already_waiting_here() {
    let mut setup = Setup::new(&json!({}));
    let first = setup.context.admission.try_admit(1).unwrap();
    let second = setup.context.admission.try_admit(1).unwrap();
    setup.send(logs(0..1));
    setup.with_output(|batcher, output| batcher.idle(output));
    assert!(setup.sizes().is_empty(), "another request is on its way");
    setup.send(logs(1..2));
    setup.with_output(|batcher, output| batcher.idle(output));
    assert_eq!(setup.sizes(), [2]);
    drop((first, second));
}

#[test]
fn goes_out_early_once_all_others_have_been_answered() {
    let mut setup = Setup::new(&json!({"timeout": "1h"}));
    let _held = setup.context.admission.try_admit(1).unwrap();
    let elsewhere = setup.context.admission.try_admit(1).unwrap();
    setup.send(logs(0..1));
    setup.tick(1000);
    assert!(setup.sizes().is_empty(), "another request is on its way");
    drop(elsewhere);
    setup.tick(2000);
    assert_eq!(setup.sizes(), [1]);
}

#[test]
fn an_empty_batch_is_answered_at_once() {
    let mut setup = Setup::new(&json!({}));
    setup.send(logs(0..0));
    assert_eq!(setup.outcomes(), [(0, Ok(()))]);
    assert!(setup.emitted.is_empty());
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let refused =
        |config: &Json| (FACTORY.config.check)(&Section::from_json("batch", config)).unwrap_err().to_string();
    let text = refused(&json!({"send_batch_size": 10, "send_batch_max_size": 5}));
    assert!(text.contains("at least `send_batch_size`"), "{text}");
    let text = refused(&json!({"metadata_keys": ["tenant"]}));
    assert!(text.contains("one pipeline each"), "{text}");
}

#[derive(Clone, Debug)]
enum Step {
    Send(u64),
    Tick(u64),
    Idle,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u64..20).prop_map(Step::Send),
        2 => (0u64..300).prop_map(Step::Tick),
        1 => Just(Step::Idle),
    ]
}

proptest! {
    #[test]
    fn nothing_is_lost_reordered_or_answered_twice(
        steps in prop::collection::vec(step(), 0..40),
        size in 0usize..15,
        more in 0usize..10,
        bounded: bool,
        timeout in 0u64..250,
        metrics: bool,
    ) {
        let most = if bounded { (size + more).max(1) } else { 0 };
        let config = json!({"timeout": format!("{timeout}ms"), "send_batch_size": size, "send_batch_max_size": most});
        let make = if metrics { points } else { logs };
        let mut setup = Setup::new(&config);
        let (mut next, mut now) = (0, 0);
        for step in steps {
            match step {
                Step::Send(n) => {
                    setup.send(make(next..next + n));
                    next += n;
                }
                Step::Tick(millis) => {
                    now += millis;
                    setup.tick(now);
                }
                Step::Idle => setup.with_output(|batcher, output| batcher.idle(output)),
            }
        }
        setup.flush();
        prop_assert_eq!(setup.numbers(), (0..next).collect::<Vec<_>>());
        prop_assert!(setup.sizes().iter().all(|n| *n > 0 && (most == 0 || *n <= most)), "{:?}", setup.sizes());
        for delivery in std::mem::take(&mut setup.emitted) {
            delivery.ack.done();
        }
        let mut outcomes = setup.outcomes();
        outcomes.sort_by_key(|(sender, _)| *sender);
        let expected: Vec<_> = (0..setup.sent).map(|sender| (sender, Ok(()))).collect();
        prop_assert_eq!(outcomes, expected);
    }
}
