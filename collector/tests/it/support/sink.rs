//! Where telemetry ends: a server that notes which records it got.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use pdata::Batch;
use pdata::view::AnyValueView;
use testkit::peer::{Peer, Reply};
use tokio::sync::Semaphore;
use tokio::time::sleep;

/// A server that takes OTLP over gRPC and HTTP on one port.
pub(crate) struct Sink {
    peer: Peer,
    hands: Arc<Semaphore>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    records: HashMap<i64, usize>,
    marks: HashSet<String>,
}

impl Sink {
    /// A sink that takes `delay` for each request and works on `at_once` of them; so it takes `at_once / delay` requests
    /// in a second; none before [`Sink::open`] if that is zero.
    pub(crate) async fn start(delay: Duration, at_once: usize) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let notes = Arc::clone(&seen);
        let hands = Arc::new(Semaphore::new(at_once));
        let working = Arc::clone(&hands);
        let peer = Peer::start(move |received| {
            let (notes, hands) = (Arc::clone(&notes), Arc::clone(&working));
            async move {
                let _hand = hands.acquire().await.expect("never closed");
                sleep(delay).await;
                // Right before the answer: from here on the sender may believe that it is here.
                note(&received.batch, &mut notes.lock().expect("no panic while noting"));
                Reply::taken()
            }
            .boxed()
        })
        .await;
        Self { peer, hands, seen }
    }

    /// Lets it work on `more` requests more at once.
    pub(crate) fn open(&self, more: usize) {
        self.hands.add_permits(more);
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.peer.address())
    }

    /// How many different records came in.
    pub(crate) fn records(&self) -> usize {
        self.seen.lock().expect("no panic while noting").records.len()
    }

    /// The values of the attribute `mark` that records had.
    pub(crate) fn marks(&self) -> HashSet<String> {
        self.seen.lock().expect("no panic while noting").marks.clone()
    }

    /// Whether all of `records` are here.
    pub(crate) fn has_all(&self, records: &HashSet<i64>) -> bool {
        let seen = self.seen.lock().expect("no panic while noting");
        records.iter().all(|id| seen.records.contains_key(id))
    }

    /// Fails if any of `records` is not here.
    pub(crate) fn assert_has_all(&self, records: &HashSet<i64>) {
        let seen = self.seen.lock().expect("no panic while noting");
        let lost: Vec<_> = records.iter().filter(|id| !seen.records.contains_key(id)).collect();
        assert!(
            lost.is_empty(),
            "{} of {} acknowledged records are lost: {lost:?}",
            lost.len(),
            records.len()
        );
    }
}

fn note(batch: &Batch, seen: &mut Seen) {
    let Batch::Logs(logs) = batch else { panic!("only logs are sent") };
    for resource in logs.view().resources() {
        for scope in resource.scopes() {
            for record in scope.records() {
                let AnyValueView::Int(id) = record.body() else { panic!("not a record of ours") };
                *seen.records.entry(id).or_default() += 1;
                let mark = record.attributes().find(|(key, _)| *key == "mark").map(|(_, value)| value);
                if let Some(AnyValueView::Str(mark)) = mark {
                    seen.marks.insert(mark.to_owned());
                }
            }
        }
    }
}
