//! Lines through the processor: what is read out of them, and which are joined; with the duty to answer their senders.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use analysis::logs::attributes::TEMPLATE;
use component::{Delivery, Kind as ComponentKind, Outcome};
use pdata::proto::common::{KeyValue, any_value::Value};
use pdata::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use pdata::proto::resource::Resource;
use proptest::prelude::*;

use super::*;
use crate::values;

/// 2024-06-15T12:00:00Z
const OBSERVED: u64 = 1_718_452_800_000_000_000;
const TRACE: [&str; 4] = [
    "java.lang.IllegalStateException: cart 17 is gone",
    "\tat org.example.Cart.load(Cart.java:41)",
    "Caused by: java.io.IOException: connection to 10.0.0.1 refused",
    "\t... 12 more",
];

/// A record of the stream `file`.
fn record(file: &str, line: &str) -> LogRecord {
    let attributes = vec![KeyValue {
        key: "log.file.name".to_owned(),
        value: Some(values::string(file)),
        ..KeyValue::default()
    }];
    LogRecord {
        observed_time_unix_nano: OBSERVED,
        body: Some(values::string(line)),
        attributes,
        ..LogRecord::default()
    }
}

fn batch(log_records: Vec<LogRecord>) -> Batch {
    let mut resource = Resource::default();
    values::set(&mut resource.attributes, "service.name", values::string("shop"));
    let scope = ScopeLogs { log_records, ..ScopeLogs::default() };
    let group = ResourceLogs { resource: Some(resource), scope_logs: vec![scope], ..ResourceLogs::default() };
    Logs::from_message(LogsData { resource_logs: vec![group] }).into()
}

fn lines(file: &str, lines: &[&str]) -> Batch {
    batch(lines.iter().map(|line| record(file, line)).collect())
}

/// A processor with a clock of its own, what it emitted, and who was answered.
struct Setup {
    drain: Drain,
    context: Context,
    emitted: Vec<Delivery>,
    answers: Arc<Mutex<Vec<(usize, Outcome)>>>,
    n_sent: usize,
}

impl Setup {
    fn new(config: Config) -> Self {
        let context = Context::detached(ComponentKind::Processor, "drain");
        let rules = config.rules().unwrap();
        let drain = Drain::new(config, rules, &context);
        Self { drain, context, emitted: Vec::new(), answers: Arc::default(), n_sent: 0 }
    }

    /// One that holds nothing back but lines that are incomplete.
    fn eager() -> Self {
        Self::new(Config { hold_records: 0, ..Config::default() })
    }

    fn send(&mut self, batch: Batch) {
        let (sender, answers) = (self.n_sent, Arc::clone(&self.answers));
        self.n_sent += 1;
        let ack = Ack::new(move |outcome| answers.lock().unwrap().push((sender, outcome)));
        let mut output = Output::for_batch(ack);
        let result = self.drain.process(batch, &mut output);
        self.emitted.extend(output.finish(result));
    }

    fn tick(&mut self, millis: u64) {
        self.context.clock.advance_to(Timestamp::from_millis(millis));
        let mut output = Output::default();
        self.drain.tick(self.context.clock.now(), &mut output);
        self.emitted.extend(output.finish(Ok(())));
    }

    fn flush(&mut self) {
        let mut output = Output::default();
        self.drain.flush(self.context.clock.now(), &mut output);
        self.emitted.extend(output.finish(Ok(())));
    }

    /// Delivers what was emitted.
    fn deliver(&mut self) -> Vec<LogRecord> {
        let mut records = Vec::new();
        for Delivery { batch, ack } in self.emitted.drain(..) {
            let Batch::Logs(logs) = batch else { panic!("{batch:?}") };
            assert_eq!(logs.view().items().count(), logs.items());
            let groups = logs.into_message().resource_logs.into_iter().flat_map(|group| group.scope_logs);
            records.extend(groups.flat_map(|scope| scope.log_records));
            ack.done();
        }
        records
    }

    fn answered(&self) -> Vec<usize> {
        let mut answers: Vec<usize> = self
            .answers
            .lock()
            .unwrap()
            .iter()
            .map(|(sender, outcome)| outcome.clone().map(|()| *sender).unwrap())
            .collect();
        answers.sort_unstable();
        answers
    }

    fn total(&self, name: &str) -> f64 {
        self.context.telemetry.total(&format!("otelcol_processor_drain_{name}"))
    }
}

fn body(record: &LogRecord) -> &str {
    match record.body.as_ref().and_then(|body| body.value.as_ref()) {
        Some(Value::StringValue(text)) => text,
        other => panic!("{other:?}"),
    }
}

fn bodies(records: &[LogRecord]) -> Vec<&str> {
    records.iter().map(body).collect()
}

fn template(record: &LogRecord) -> &str {
    values::text(&record.attributes, TEMPLATE).unwrap_or_default()
}

#[test]
fn severity_time_and_ids_are_read_from_lines_and_the_template_is_of_the_message() {
    let mut setup = Setup::eager();
    let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let json = format!(
        r#"{{"level":"warn","ts":1704207845.5,"msg":"cart 17 is slow","trace_id":"{trace}","span_id":"{span}"}}"#
    );
    setup.send(lines(
        "a",
        &["E0102 15:04:05.678901       1 a.go:114] cannot sync cart 17", &json, "hello 17"],
    ));
    let records = setup.deliver();
    let said = |record: &LogRecord| {
        (record.severity_number, record.severity_text.clone(), record.time_unix_nano / 1_000_000)
    };
    assert_eq!(said(&records[0]), (17, "ERROR".to_owned(), 1_704_207_845_678));
    assert_eq!(template(&records[0]), "cannot sync cart <*>");
    assert_eq!(body(&records[0]), "E0102 15:04:05.678901       1 a.go:114] cannot sync cart 17");
    assert_eq!(said(&records[1]), (13, "warn".to_owned(), 1_704_207_845_500));
    assert_eq!(template(&records[1]), "cart <*> is slow");
    assert_eq!(body(&records[1]), json);
    assert_eq!(records[1].trace_id, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes());
    assert_eq!(records[1].span_id, 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes());
    assert_eq!(said(&records[2]), (0, String::new(), 0));
    assert_eq!((setup.total("log_records_parsed"), setup.total("log_records_joined")), (2.0, 0.0));
}

#[test]
fn what_a_record_says_itself_stays_and_one_with_time_and_severity_is_not_looked_into() {
    let line = "2024-01-02 15:04:05 ERROR cart 17 is gone";
    let with = |time_unix_nano, severity_number| {
        let (severity_text, trace_id) = (String::new(), vec![7; 16]);
        LogRecord { time_unix_nano, severity_number, severity_text, trace_id, ..record("a", line) }
    };
    let mut setup = Setup::eager();
    setup.send(batch(vec![with(5, 0), with(0, 9), with(5, 9)]));
    let records = setup.deliver();
    let said = |record: &LogRecord| (record.time_unix_nano, record.severity_number);
    let read = 1_704_207_845_000_000_000;
    assert_eq!(records.iter().map(said).collect::<Vec<_>>(), [(5, 17), (read, 9), (5, 9)]);
    assert!(records.iter().all(|record| record.trace_id == [7; 16]));
    assert_eq!(template(&records[1]), "cart <*> is gone");
    assert_eq!(template(&records[2]), "<*> ERROR cart <*> is gone");
}

#[test]
fn a_stack_trace_is_one_record_and_all_of_the_same_fault_have_one_template() {
    let mut setup = Setup::eager();
    let other = TRACE.map(|line| line.replace("17", "4711").replace("41", "43").replace("0.0.1", "0.0.2"));
    let mut all = vec!["starting"];
    all.extend(TRACE);
    all.extend(["in between"]);
    all.extend(other.iter().map(String::as_str));
    all.push("done");
    setup.send(lines("a", &all));
    let records = setup.deliver();
    assert_eq!(bodies(&records), ["starting", &TRACE.join("\n"), "in between", &other.join("\n"), "done"]);
    assert_eq!(
        template(&records[1]),
        "java.lang.IllegalStateException: cart <*> is gone Caused by: java.io.IOException"
    );
    assert_eq!(template(&records[1]), template(&records[3]));
    assert_eq!(setup.drain.miner.len(), 4);
    assert_eq!(setup.total("log_records_joined"), 6.0);
    assert_eq!((setup.total("log_records_annotated"), setup.total("log_records_unannotated")), (5.0, 0.0));
    assert_eq!(setup.answered(), [0]);
}

#[test]
fn a_trace_whose_lines_come_in_several_batches_is_one_record_and_all_its_senders_wait_for_it() {
    let mut setup = Setup::eager();
    setup.send(lines("a", &["starting", TRACE[0], TRACE[1]]));
    assert_eq!(bodies(&setup.deliver()), ["starting"]);
    assert!(setup.answered().is_empty());
    // Another stream does not wait for this one.
    setup.send(lines("b", &["hello"]));
    assert_eq!(bodies(&setup.deliver()), ["hello"]);
    assert_eq!(setup.answered(), [1]);
    setup.send(lines("a", &[TRACE[2]]));
    assert!(setup.deliver().is_empty());
    assert_eq!(setup.answered(), [1]);
    setup.send(lines("a", &[TRACE[3], "done"]));
    assert_eq!(bodies(&setup.deliver()), [TRACE.join("\n").as_str(), "done"]);
    assert_eq!(setup.answered(), [0, 1, 2, 3]);
}

#[test]
fn an_incomplete_record_waits_no_longer_than_the_timeout_and_frames_never_get_a_template() {
    let mut setup = Setup::eager();
    setup.send(lines("a", &TRACE[..2]));
    setup.tick(999);
    assert!(setup.deliver().is_empty());
    setup.tick(1000);
    assert_eq!(bodies(&setup.deliver()), [TRACE[..2].join("\n")]);
    assert_eq!(setup.answered(), [0]);
    // What comes too late is a record of its own.
    setup.send(lines("a", &["\tat a.B.c(B.java:3)", "\tat a.B.d(B.java:4)"]));
    setup.flush();
    let records = setup.deliver();
    assert_eq!(bodies(&records), ["\tat a.B.c(B.java:3)\n\tat a.B.d(B.java:4)"]);
    assert_eq!(template(&records[0]), "");
    assert_eq!(setup.drain.miner.len(), 1);
    assert_eq!(setup.answered(), [0, 1]);
}

#[test]
fn streams_are_joined_each_by_its_own_and_a_record_that_came_complete_ends_one() {
    let mut setup = Setup::eager();
    let complete = LogRecord { time_unix_nano: 5, severity_number: 9, ..record("a", "\tat least") };
    setup.send(batch(vec![
        record("a", TRACE[0]),
        record("b", "panic: boom"),
        record("a", TRACE[1]),
        record("b", ""),
        record("b", "goroutine 1 [running]:"),
        complete,
        record("a", TRACE[3]),
        record("b", "done"),
    ]));
    setup.flush();
    let first = TRACE[..2].join("\n");
    let expected = [first.as_str(), "panic: boom\n\ngoroutine 1 [running]:", "\tat least", "done", TRACE[3]];
    assert_eq!(bodies(&setup.deliver()), expected);
    assert_eq!(setup.answered(), [0]);
}

#[test]
fn secrets_are_taken_out_of_the_header_the_message_and_every_line_and_counted_once() {
    let mut setup = Setup::eager();
    let json = r#"{"level":"info","msg":"use password=hunter22","password":"hunter33"}"#;
    let plain = "[t password=hunter44] ERROR login with password=hunter55";
    setup.send(lines("a", &[json, plain, TRACE[0], "\tat a.B.c(token=abcdef123456)", "done"]));
    let records = setup.deliver();
    let text = format!("{records:?}");
    assert!(!text.contains("hunter") && !text.contains("abcdef123456"), "{text}");
    let first = "[t password=<SECRET>] ERROR login with password=<SECRET>";
    let expected = format!("{first}\n{}\n\tat a.B.c(token=<SECRET>)", TRACE[0]);
    assert_eq!(bodies(&records), [body(&records[0]), &expected, "done"]);
    assert_eq!(records[1].severity_number, 17);
    assert_eq!(template(&records[0]), "use password=<SECRET>");
    assert_eq!(setup.total("redactions"), 5.0);
}

#[test]
fn both_can_be_switched_off() {
    let all =
        ["2024-01-02 15:04:05 ERROR failed", TRACE[1], "{", "\"msg\": \"up\", \"level\": \"info\"", "}"];
    let mut setup = Setup::new(Config { parse: false, hold_records: 0, ..Config::default() });
    setup.send(lines("a", &all));
    let records = setup.deliver();
    assert_eq!(bodies(&records), [all[..2].join("\n"), all[2..].join("\n")]);
    assert!(records.iter().all(|record| record.severity_number == 0));
    assert_eq!(template(&records[0]), "<*> ERROR failed");
    let join = Join { enabled: false, ..Join::default() };
    let mut setup = Setup::new(Config { join: join.clone(), hold_records: 0, ..Config::default() });
    setup.send(lines("a", &all));
    let records = setup.deliver();
    assert_eq!(bodies(&records), all);
    assert_eq!(records[0].severity_number, 17);
    let mut setup = Setup::new(Config { parse: false, join, hold_records: 0, ..Config::default() });
    setup.send(lines("a", &all));
    assert_eq!(bodies(&setup.deliver()), all);
    assert!(setup.drain.streams.is_empty());
    // An object over several lines is read as a whole.
    let mut setup = Setup::eager();
    setup.send(lines("a", &all[2..]));
    assert_eq!((setup.deliver()[0].severity_number, setup.drain.miner.len()), (9, 1));
}

#[test]
fn a_timeout_of_zero_joins_within_batches_only() {
    let join = Join { timeout: ::config::Duration::default(), ..Join::default() };
    let mut setup = Setup::new(Config { join, hold_records: 0, ..Config::default() });
    setup.send(lines("a", &TRACE[..3]));
    assert_eq!(bodies(&setup.deliver()), [TRACE[..3].join("\n")]);
    assert_eq!(setup.answered(), [0]);
}

#[test]
fn many_streams_are_forgotten_one_after_the_other() {
    let mut setup = Setup::eager();
    for round in 0..5 {
        let all = (0..4000).map(|n| record(&format!("{round}-{n}"), "hello")).collect();
        setup.send(batch(all));
    }
    assert!(setup.drain.streams.len() <= 10_000, "{}", setup.drain.streams.len());
    assert!(!setup.drain.streams.is_empty());
}

#[derive(Clone, Debug)]
enum Step {
    Send(Vec<(u8, usize)>),
    Tick(u64),
}

const PIECES: [&str; 8] =
    ["hello", TRACE[0], TRACE[1], TRACE[2], "{", "}", "2024-01-02 15:04:05 ERROR failed", "panic: boom"];

fn step() -> impl Strategy<Value = Step> {
    let line = (0_u8..3, 0..PIECES.len());
    prop_oneof![
        4 => prop::collection::vec(line, 0..8).prop_map(Step::Send),
        1 => (0_u64..700).prop_map(Step::Tick),
    ]
}

proptest! {
    #[test]
    fn no_line_is_lost_moved_or_answered_twice(steps in prop::collection::vec(step(), 0..30), holds: bool) {
        let hold_records = if holds { 20 } else { 0 };
        let mut setup = Setup::new(Config { hold_records, ..Config::default() });
        let (mut now, mut sent): (u64, BTreeMap<String, Vec<&str>>) = (0, BTreeMap::new());
        let mut received: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut take = |records: Vec<LogRecord>| {
            for record in records {
                let file = values::text(&record.attributes, "log.file.name").unwrap_or_default().to_owned();
                received.entry(file).or_default().push(body(&record).to_owned());
            }
        };
        for step in steps {
            match step {
                Step::Send(all) => {
                    let mut records = Vec::new();
                    for (stream, piece) in all {
                        let file = format!("f{stream}");
                        records.push(record(&file, PIECES[piece]));
                        sent.entry(file).or_default().push(PIECES[piece]);
                    }
                    setup.send(batch(records));
                }
                Step::Tick(millis) => {
                    now += millis;
                    setup.tick(now);
                }
            }
            take(setup.deliver());
        }
        setup.flush();
        take(setup.deliver());
        let joined = |(file, lines): (&String, &Vec<&str>)| (file.clone(), lines.join("\n"));
        let expected: Vec<_> = sent.iter().map(joined).collect();
        let actual: Vec<_> = received.iter().map(|(file, lines)| (file.clone(), lines.join("\n"))).collect();
        prop_assert_eq!(actual, expected);
        prop_assert_eq!(setup.answered(), (0..setup.n_sent).collect::<Vec<_>>());
    }
}
