//! What processors have learned, kept over restarts.
//!
//! Each shard of each processor has an entry of its own in the storage extension, which writes it whole or not at all and
//! sets damaged ones aside. An entry that its processor does not accept is set aside too, and the processor learns anew.

use std::sync::Arc;

use component::{Context, Counter, Processor, Storage, StorageClient, StorageError, Telemetry};
use tracing::{info, warn};

use crate::lane::Learned;

/// The version of the envelope around a snapshot.
const FORMAT: u8 = 1;
const HEADER: usize = 5;

/// Keeps what processors have learned.
#[derive(Clone)]
pub(crate) struct StateStore {
    storage: Arc<dyn Storage>,
    rejected: Counter,
}

impl StateStore {
    /// Keeps it in `storage`.
    pub(crate) fn new(storage: Arc<dyn Storage>, telemetry: &Telemetry) -> Self {
        let help = "Snapshots of learned state that were not usable and were set aside.";
        Self { storage, rejected: telemetry.counter("otelcol_state_rejected", help, &[]) }
    }

    /// Writes everything; what cannot be written is logged, and what was written before stays.
    pub(crate) fn save(&self, learned: &[Learned]) {
        for Learned { context, snapshot } in learned {
            let written =
                self.client(context).and_then(|client| client.set(&entry(context), &seal(context, snapshot)));
            if let Err(error) = written {
                let source = &error.source;
                warn!(component = %context.key, %error, %source, "what it has learned cannot be kept");
            }
        }
    }

    /// Gives `processor` what an earlier one in its place learned. Returns false if the processor is not as new any more
    /// and not restored either, so that it must be built again.
    pub(crate) fn restore(&self, context: &Context, processor: &mut dyn Processor) -> bool {
        let stored = match self.client(context).and_then(|client| client.get(&entry(context))) {
            Ok(Some(stored)) => stored,
            Ok(None) => return true,
            Err(error) => {
                let source = &error.source;
                warn!(component = %context.key, %error, %source, "what it has learned cannot be read");
                return true;
            }
        };
        let (reason, is_new) = match open(context, &stored) {
            Opened::Elsewhere => {
                info!(component = %context.key, "the number of shards has changed: it learns anew");
                return true;
            }
            Opened::Unknown => ("it is in a form that this version does not know".to_owned(), true),
            Opened::Snapshot(snapshot) => {
                let restore = std::panic::AssertUnwindSafe(|| processor.restore(snapshot));
                let reason = match std::panic::catch_unwind(restore) {
                    Ok(Ok(())) => return true,
                    Ok(Err(error)) => error.to_string(),
                    Err(panic) => crate::panic_text(panic.as_ref()).to_owned(),
                };
                (reason, false)
            }
        };
        warn!(component = %context.key, reason, "what it had learned is not usable and was set aside");
        self.rejected.add(1);
        let set_aside = self.client(context).and_then(|client| {
            client.set(&format!("{}.rejected", entry(context)), &stored)?;
            client.delete(&entry(context))
        });
        if let Err(error) = set_aside {
            warn!(component = %context.key, %error, "it could not be set aside");
        }
        is_new
    }

    fn client(&self, context: &Context) -> Result<Arc<dyn StorageClient>, StorageError> {
        self.storage.client(&context.key, "state")
    }
}

fn entry(context: &Context) -> String {
    format!("shard-{}", context.shard)
}

/// Puts the envelope around a snapshot: format, shard, shards.
fn seal(context: &Context, snapshot: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(HEADER + snapshot.len());
    sealed.push(FORMAT);
    sealed.extend(place(context));
    sealed.extend_from_slice(snapshot);
    sealed
}

/// What an envelope holds.
enum Opened<'a> {
    Snapshot(&'a [u8]),
    /// Something for another place.
    Elsewhere,
    /// Nobody knows: another version wrote it.
    Unknown,
}

/// Takes the envelope off.
fn open<'a>(context: &Context, sealed: &'a [u8]) -> Opened<'a> {
    match sealed.split_at_checked(HEADER) {
        Some(([FORMAT, to @ ..], snapshot)) if *to == place(context) => Opened::Snapshot(snapshot),
        Some(([FORMAT, ..], _)) => Opened::Elsewhere,
        _ => Opened::Unknown,
    }
}

fn place(context: &Context) -> [u8; 4] {
    let [a, b] = u16::try_from(context.shard).unwrap_or(u16::MAX).to_le_bytes();
    let [c, d] = u16::try_from(context.shards).unwrap_or(u16::MAX).to_le_bytes();
    [a, b, c, d]
}
