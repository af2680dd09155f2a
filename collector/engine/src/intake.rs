//! What stands behind a receiver: the pipelines that it feeds.

use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use component::{Ack, Delivery, Intake, Nack};
use pdata::{Batch, SignalSet};

use crate::lane::LaneInput;

/// The pipelines that one receiver feeds; exchanged on a reload.
pub(crate) struct Routes(ArcSwap<Vec<Arc<LaneInput>>>);

impl Routes {
    /// Into these lanes.
    pub(crate) fn new(lanes: Vec<Arc<LaneInput>>) -> Self {
        Self(ArcSwap::from_pointee(lanes))
    }

    /// From now on into these lanes.
    pub(crate) fn set(&self, lanes: Vec<Arc<LaneInput>>) {
        self.0.store(Arc::new(lanes));
    }
}

#[async_trait]
impl Intake for Routes {
    async fn push(&self, batch: Batch, ack: Ack) {
        let lanes = self.0.load_full();
        let signal = batch.signal();
        let takers: Vec<_> = lanes.iter().filter(|lane| lane.signals().contains(signal)).collect();
        if takers.is_empty() {
            ack.fail(Nack::permanent(format!("no pipeline takes {signal} from this receiver")));
            return;
        }
        let acks = ack.split(takers.len());
        for (lane, ack) in takers.into_iter().zip(acks) {
            lane.push(Delivery { batch: batch.clone(), ack }).await;
        }
    }

    fn wanted(&self) -> SignalSet {
        self.0.load().iter().fold(SignalSet::NONE, |all, lane| all.union(lane.signals()))
    }
}
