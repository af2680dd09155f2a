//! What is delivered, in which order, and what is noted of it; time stands still unless everybody waits.

use async_trait::async_trait;
use component::{Ack, Admission, Intake, Nack, ShutdownTrigger, Telemetry};
use pdata::{Batch, SignalSet};
use tokio::time::Instant;

use super::super::encode::{self, Body, Line};
use super::*;

/// A pipeline whose outcomes the test decides.
#[derive(Default)]
struct Pipeline(Mutex<Vec<(Instant, usize, Option<Ack>)>>);

#[async_trait]
impl Intake for Pipeline {
    async fn push(&self, batch: Batch, ack: Ack) {
        self.0.lock().unwrap().push((Instant::now(), batch.items(), Some(ack)));
    }

    fn wanted(&self) -> SignalSet {
        SignalSet::ALL
    }
}

impl Pipeline {
    /// Decides the outcome of what came at this place.
    async fn resolve(&self, at: usize, outcome: Outcome) {
        let ack = self.0.lock().unwrap()[at].2.take().unwrap();
        ack.resolve(outcome);
        settle().await;
    }

    /// Seconds at which batches of so many records came.
    fn came(&self, begin: Instant) -> Vec<(u64, usize)> {
        let came = self.0.lock().unwrap();
        came.iter().map(|(at, items, _)| (at.duration_since(begin).as_secs(), *items)).collect()
    }
}

/// Lets everybody do what can be done now.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// A batch of so many records, after which the file has been read up to `offset`.
fn packet(n_records: usize, offset: u64) -> Packet {
    let (mut records, mut bytes) = (Vec::new(), Vec::new());
    for _ in 0..n_records {
        let line =
            Line { observed: 1, time: None, body: Body::Text("x"), attributes: &[], own_attributes: &[] };
        encode::line(&mut records, &line);
    }
    encode::resource_logs(&mut bytes, &[], "", &records);
    Packet {
        bytes,
        items: n_records,
        marks: BTreeMap::from([(FileId(1), Mark { offset, ..Mark::default() })]),
    }
}

/// Delivers the packets while `drive` decides their outcomes; then shuts down. Gives how far the file is committed.
async fn deliver<F: Future<Output = ()>>(
    packets: Vec<Packet>,
    drive: impl FnOnce(Arc<Pipeline>, Arc<Shared>) -> F,
) -> u64 {
    let pipeline = Arc::new(Pipeline::default());
    let intake: Arc<dyn Intake> = Arc::<Pipeline>::clone(&pipeline);
    let ingress = Ingress::new("filelog", intake, Admission::default(), &Telemetry::default());
    let (sender, receiver) = mpsc::channel(16);
    for packet in packets {
        sender.send(packet).await.unwrap();
    }
    let (retry, shared, trigger) =
        (Retry::default(), Arc::new(Shared::default()), ShutdownTrigger::default());
    let mut delivery = Delivery {
        ingress,
        retry: &retry,
        shared: Arc::clone(&shared),
        in_flight: VecDeque::new(),
        bytes: 0,
    };
    let shutdown = trigger.listener();
    let driven = async {
        settle().await;
        drive(Arc::clone(&pipeline), Arc::clone(&shared)).await;
        trigger.trigger();
        drop(sender);
    };
    tokio::join!(delivery.run(receiver, &shutdown), driven);
    committed(&shared)
}

fn committed(shared: &Shared) -> u64 {
    shared.state.lock().unwrap().commits.get(&FileId(1)).map_or(0, |mark| mark.offset)
}

#[tokio::test(start_paused = true)]
async fn nothing_is_committed_before_all_that_came_before_it() {
    let packets = vec![packet(1, 10), packet(2, 20), packet(3, 30)];
    let end = deliver(packets, |pipeline, shared| async move {
        assert_eq!(pipeline.came(Instant::now()).len(), 3, "several are on their way at once");
        pipeline.resolve(2, Ok(())).await;
        pipeline.resolve(1, Ok(())).await;
        assert_eq!(committed(&shared), 0);
        pipeline.resolve(0, Ok(())).await;
        assert_eq!(committed(&shared), 30);
    });
    assert_eq!(end.await, 30);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_sent_again_with_growing_waits() {
    let begin = Instant::now();
    let end = deliver(vec![packet(1, 10), packet(2, 20)], |pipeline, shared| async move {
        pipeline.resolve(0, Err(Nack::retryable("busy"))).await;
        for again in 2..5 {
            tokio::time::sleep(Duration::from_secs(8)).await;
            assert_eq!(committed(&shared), 0);
            pipeline.resolve(again, Err(Nack::retryable("busy"))).await;
        }
        tokio::time::sleep(Duration::from_secs(20)).await;
        pipeline.resolve(5, Ok(())).await;
        assert_eq!(committed(&shared), 10);
        pipeline.resolve(1, Ok(())).await;
        // After 1, 2, 4 and 8 seconds, counted from each refusal.
        assert_eq!(pipeline.came(begin), [(0, 1), (0, 2), (1, 1), (10, 1), (20, 1), (32, 1)]);
    });
    assert_eq!(end.await, 20);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_for_good_does_not_hold_up_the_rest() {
    let end = deliver(vec![packet(1, 10), packet(2, 20)], |pipeline, _| async move {
        pipeline.resolve(0, Err(Nack::permanent("malformed"))).await;
        pipeline.resolve(1, Ok(())).await;
    });
    assert_eq!(end.await, 20);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_what_is_on_its_way_and_keeps_what_was_refused() {
    let end = deliver(vec![packet(1, 10), packet(2, 20), packet(3, 30)], |pipeline, _| async move {
        let later = async move {
            tokio::time::sleep(Duration::from_secs(5)).await;
            pipeline.resolve(0, Ok(())).await;
            pipeline.resolve(1, Err(Nack::retryable("shutting down"))).await;
        };
        tokio::spawn(later);
    });
    assert_eq!(end.await, 10);
}
