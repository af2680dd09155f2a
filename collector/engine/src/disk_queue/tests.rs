//! The queue against crashes: what was acknowledged comes out again, whatever the end of the file looks like.

use std::sync::mpsc;
use std::time::Duration;

use component::{Outcome, Telemetry};
use pdata::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use pdata::{Batch, Logs};

use super::*;

fn open(directory: &Path, telemetry: &Telemetry) -> DiskQueue {
    let size = telemetry.gauge("size", "size", &[]);
    let damaged = telemetry.counter("damaged", "damaged", &[]);
    DiskQueue::open(directory.to_owned(), 1000, Sizer::Requests, size, damaged).unwrap()
}

fn logs(records: usize) -> Batch {
    let scope_logs =
        vec![ScopeLogs { log_records: vec![LogRecord::default(); records], ..Default::default() }];
    Logs::from_message(LogsData { resource_logs: vec![ResourceLogs { scope_logs, ..Default::default() }] })
        .into()
}

/// Pushes a batch and waits until it is on disk.
fn push(queue: &DiskQueue, batch: Batch) -> Outcome {
    let (sender, outcome) = mpsc::channel();
    queue
        .push(Delivery { batch, ack: Ack::new(move |outcome| drop(sender.send(outcome))) })
        .map_err(|(_, nack)| nack)?;
    outcome.recv_timeout(Duration::from_secs(10)).unwrap()
}

async fn drain(queue: &DiskQueue) -> Vec<usize> {
    queue.close();
    let mut items = Vec::new();
    while let Some(delivery) = queue.pop().await {
        items.push(delivery.batch.items());
        delivery.ack.done();
    }
    items
}

#[tokio::test]
async fn batches_come_out_in_order_and_are_forgotten_once_delivered() {
    let directory = tempfile::tempdir().unwrap();
    let telemetry = Telemetry::default();
    let queue = open(directory.path(), &telemetry);
    for n in 1..=3 {
        push(&queue, logs(n)).unwrap();
    }
    assert_eq!(telemetry.total("size"), 3.0);
    assert_eq!(drain(&queue).await, [1, 2, 3]);
    assert_eq!(telemetry.total("size"), 0.0);
    assert!(drain(&open(directory.path(), &telemetry)).await.is_empty());
}

#[tokio::test]
async fn what_was_not_delivered_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let telemetry = Telemetry::default();
    let queue = open(directory.path(), &telemetry);
    for n in 1..=4 {
        push(&queue, logs(n)).unwrap();
    }
    queue.pop().await.unwrap().ack.done();
    let failed = queue.pop().await.unwrap();
    queue.pop().await.unwrap().ack.done();
    failed.ack.fail(Nack::retryable("shut down"));
    queue.abandon();
    assert!(queue.pop().await.is_none());
    // The third was delivered, but the second was not: at least once, and in order.
    assert_eq!(drain(&open(directory.path(), &telemetry)).await, [2, 3, 4]);
}

#[tokio::test]
async fn a_torn_end_costs_nothing_that_was_acknowledged() {
    let whole = tempfile::tempdir().unwrap();
    let telemetry = Telemetry::default();
    let queue = open(whole.path(), &telemetry);
    push(&queue, logs(1)).unwrap();
    push(&queue, logs(2)).unwrap();
    let bytes = fs::read(segment::path(whole.path(), 0)).unwrap();
    let last = segment::encode(&logs(2)).len();
    for cut in 1..=last {
        let torn = tempfile::tempdir().unwrap();
        fs::write(segment::path(torn.path(), 0), &bytes[..bytes.len() - cut]).unwrap();
        let queue = open(torn.path(), &telemetry);
        push(&queue, logs(3)).unwrap();
        assert_eq!(drain(&queue).await, [1, 3], "cut by {cut}");
    }
}

#[tokio::test]
async fn a_flipped_bit_is_set_aside_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let telemetry = Telemetry::default();
    let queue = open(directory.path(), &telemetry);
    push(&queue, logs(1)).unwrap();
    push(&queue, logs(2)).unwrap();
    drop(queue);
    let path = segment::path(directory.path(), 0);
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(drain(&open(directory.path(), &telemetry)).await, [1]);
    assert_eq!(telemetry.total("damaged"), 1.0);
    let names = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.ends_with(".corrupt")).count(), 1);
}

#[tokio::test]
async fn a_full_queue_refuses() {
    let directory = tempfile::tempdir().unwrap();
    let telemetry = Telemetry::default();
    let size = telemetry.gauge("size", "size", &[]);
    let damaged = telemetry.counter("damaged", "damaged", &[]);
    let queue = DiskQueue::open(directory.path().to_owned(), 10, Sizer::Items, size, damaged).unwrap();
    push(&queue, logs(8)).unwrap();
    assert!(!push(&queue, logs(3)).unwrap_err().is_permanent());
    push(&queue, logs(2)).unwrap();
    assert_eq!(drain(&queue).await, [8, 2]);
}

#[test]
fn any_bytes_are_read_without_a_panic() {
    let directory = tempfile::tempdir().unwrap();
    let path = segment::path(directory.path(), 0);
    proptest::proptest!(|(bytes: Vec<u8>)| {
        fs::write(&path, bytes).unwrap();
        let mut file = File::open(&path).unwrap();
        let mut position = Position::default();
        while let Ok(Found::Record(_, next)) = segment::read(&mut file, position) {
            position = next;
        }
    });
}
