//! `sending_queue.batch`: joins small deliveries and splits large ones on their way to an exporter.

use std::future::Future;
use std::sync::Arc;

use component::delivery::{BatchSettings, Sizer, size};
use component::{Ack, Delivery};
use pdata::{Batch, Limits};
use tokio::sync::{Mutex, mpsc};
use tokio::time::Instant;

/// Where finished batches go.
pub(crate) type Ready = mpsc::Sender<Delivery>;

/// Where several consumers take finished batches from.
#[derive(Clone)]
pub(crate) struct Finished(Arc<Mutex<mpsc::Receiver<Delivery>>>);

impl Finished {
    /// The next finished batch; `None` when there will be no more.
    pub(crate) async fn next(&self) -> Option<Delivery> {
        self.0.lock().await.recv().await
    }
}

/// A channel with room for one finished batch: what waits, waits in the queue.
pub(crate) fn channel() -> (Ready, Finished) {
    let (sender, receiver) = mpsc::channel(1);
    (sender, Finished(Arc::new(Mutex::new(receiver))))
}

#[derive(Default)]
struct Gathering {
    deliveries: Vec<Delivery>,
    size: u64,
    since: Option<Instant>,
}

/// Gathers what `next` gives, by signal, and hands it on in batches of the configured size. `next` must be cancellation
/// safe.
pub(crate) async fn run<F>(settings: &BatchSettings, mut next: impl FnMut() -> F, ready: Ready)
where
    F: Future<Output = Option<Delivery>>,
{
    let patience = settings.flush_timeout.get();
    let mut gathering: [Gathering; 4] = Default::default();
    loop {
        let deadline = gathering.iter().filter_map(|part| part.since).min().map(|since| since + patience);
        let arrived = tokio::select! {
            arrived = next() => match arrived {
                Some(delivery) => Some(delivery),
                None => break,
            },
            () = sleep_until(deadline) => None,
        };
        let now = Instant::now();
        if let Some(delivery) = arrived {
            let part = &mut gathering[delivery.batch.signal().index()];
            part.size += size(&delivery.batch, settings.sizer);
            part.since.get_or_insert(now);
            part.deliveries.push(delivery);
        }
        for part in &mut gathering {
            let due = part.since.is_some_and(|since| since + patience <= now);
            if due || (part.since.is_some() && part.size >= settings.min_size) {
                send(part, settings, &ready).await;
            }
        }
    }
    for part in &mut gathering {
        send(part, settings, &ready).await;
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

async fn send(part: &mut Gathering, settings: &BatchSettings, ready: &Ready) {
    let part = std::mem::take(part);
    for delivery in join(part.deliveries, settings) {
        // If the consumers are gone, the delivery is dropped, which fails its duty.
        if ready.send(delivery).await.is_err() {
            break;
        }
    }
}

/// Joins deliveries of one signal, and splits the result if it is larger than allowed.
fn join(deliveries: Vec<Delivery>, settings: &BatchSettings) -> Vec<Delivery> {
    let (batches, acks): (Vec<_>, Vec<_>) = deliveries.into_iter().map(|d| (d.batch, d.ack)).unzip();
    let most = usize::try_from(settings.max_size).unwrap_or(usize::MAX);
    let limits = match settings.sizer {
        Sizer::Bytes => Limits::bytes(most),
        Sizer::Items | Sizer::Requests => Limits::items(most),
    };
    let parts: Vec<_> = Batch::join(batches).iter().flat_map(|batch| batch.split(limits)).collect();
    let acks = Ack::merge(acks).split(parts.len());
    parts.into_iter().zip(acks).map(|(batch, ack)| Delivery { batch, ack }).collect()
}
